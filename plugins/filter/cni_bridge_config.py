# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter cni_bridge_config."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: cni_bridge_config
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: CNI configuration of a host whose pods are on a bridge
description:
  - Makes a configuration list for the reference plugins C(bridge), C(host-local) and C(portmap) from the pod subnets
    of a node.
  - The bridge does not masquerade. It would hide a pod's address from pods of other nodes too, because it knows only
    the subnet of its own node.
options:
  _input:
    description: The node's pod subnets, one for each IP version in use.
    type: list
    elements: str
    required: true
  name:
    description:
      - The network's name. The plugin C(host-local) keeps the addresses that it has given by it, so it stays as long as
        there are pods.
    type: str
    default: kubernetes
  mtu:
    description: The pods' MTU; 0 leaves it to the kernel.
    type: int
    default: 0
  settings:
    description: Merged over the settings of the plugin C(bridge).
    type: dict
    default: {}
  plugins:
    description: Configurations of further plugins, called after C(bridge) and C(portmap).
    type: list
    elements: dict
    default: []
seealso:
  - name: bridge plugin
    description: The settings of the plugin C(bridge).
    link: https://www.cni.dev/plugins/current/main/bridge/
"""

EXAMPLES = r"""
- name: Write a host's CNI configuration
  ansible.builtin.copy:
    content: "{{ ['10.244.1.0/24'] | groundwork.kubernetes.cni_bridge_config(mtu=1400) | to_nice_json }}"
    dest: /etc/cni/net.d/10-bridge.conflist
    mode: '0644'
"""

RETURN = r"""
_value:
  description: The configuration list.
  type: dict
"""

# Understood by every release of the plugins since 0.8.
CNI_VERSION = "0.4.0"


def cni_bridge_config(
    pod_cidrs: Any,
    name: str = "kubernetes",
    mtu: int = 0,
    settings: Optional[Dict[str, Any]] = None,
    plugins: Optional[List[Dict[str, Any]]] = None,
) -> Dict[str, Any]:
    """The configuration list for a node's pod subnets."""
    if not isinstance(pod_cidrs, list) or not pod_cidrs:
        raise AnsibleFilterError(f"cni_bridge_config needs a list with a node's pod subnets, got {pod_cidrs!r}")
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isDefaultGateway": True,
        # A host that left the cluster and joined again has another subnet than its bridge.
        "forceAddress": True,
        "hairpinMode": True,
        "ipMasq": False,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": cidr}] for cidr in pod_cidrs]},
        **({"mtu": mtu} if mtu else {}),
        **(settings or {}),
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": CNI_VERSION, "name": name, "plugins": [bridge, portmap, *(plugins or [])]}


class FilterModule:
    """The filters of this file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name and function of each."""
        return {"cni_bridge_config": cni_bridge_config}
