# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter cni_network."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import ManifestError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.manifests import network_of
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.pod_network import KNOWN, overhead
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.pod_network_release import afterwards
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.pod_tunnel import tunnel_version

DOCUMENTATION = r"""
name: cni_network
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: A pod network as its plugin is to make it, with its MTU
description:
  - Takes the shared inputs of network plugins and what hosts allow, and gives what M(groundwork.kubernetes.manifest)
    takes as O(groundwork.kubernetes.manifest#module:network).
options:
  _input:
    description: The inputs, as O(groundwork.kubernetes.manifest#module:network) has them.
    type: dict
    required: true
  nodes:
    description: Nodes as M(groundwork.kubernetes.node_info) returns them.
    type: list
    elements: dict
    default: []
  install:
    description: By what the plugin is installed, V(manifest) or V(chart).
    type: str
    default: manifest
  smallest_mtu:
    description: The smallest MTU of the interfaces that have the nodes' addresses; 0 where that is not known.
    type: int
    default: 0
seealso:
  - module: groundwork.kubernetes.manifest
"""

EXAMPLES = r"""
- name: Show the MTU of pods
  ansible.builtin.debug:
    msg: '{{ (wanted | groundwork.kubernetes.cni_network(smallest_mtu=1500)).mtu }}'
  vars:
    wanted: {plugin: flannel, pod_cidr: 10.244.0.0/16}
"""

RETURN = r"""
_value:
  description:
    - C(network) has the inputs with the MTU. C(overhead) is what a tunnel and encryption add to packets, C(room) how
      large packets of pods may be, 0 where that is not known, and C(mtu) the pods' MTU. C(afterwards) has the objects
      of kinds that are there only when the plugin runs, such as its peers of BGP.
    - Of a plugin that is not known C(network) is empty, and nothing is added to packets.
  type: dict
  sample:
    afterwards: []
    mtu: 1450
    network: {mtu: 1450, plugin: flannel, pod_cidr: 10.244.0.0/16}
    overhead: 50
    room: 1450
"""


def cni_network(
    given: Mapping[str, Any],
    nodes: Sequence[Mapping[str, Any]] = (),
    smallest_mtu: int = 0,
    install: str = "manifest",
) -> Dict[str, Any]:
    """The network with its MTU."""
    try:
        known = network_of(given) if given["plugin"] in KNOWN else None
        added = overhead(known, tunnel_version(nodes)) if known else 0
        later = afterwards(known, install == "chart") if known else []
    except ManifestError as error:
        raise AnsibleFilterError(str(error)) from error
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"cni_network needs the inputs of a pod network and nodes: {error!r}") from error
    room = max(smallest_mtu - added, 0)
    mtu = int(given.get("mtu") or 0) or room
    network = {**given, "mtu": mtu} if known else {}
    return {"overhead": added, "room": room, "mtu": mtu, "network": network, "afterwards": later}


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"cni_network": cni_network}
