# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter reserved_addresses."""

from __future__ import annotations

from typing import Any, Callable, Dict, List
from urllib.parse import urlsplit

from ansible_collections.groundwork.kubernetes.plugins.filter.addresses import addresses
from ansible_collections.groundwork.kubernetes.plugins.filter.known_nodes import known_nodes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import split_addresses

DOCUMENTATION = r"""
name: reserved_addresses
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: Names and addresses that no node may have
description:
  - Gives what M(groundwork.kubernetes.kubelet_certificates) signs for no node. These are the networks of services and
    pods, and where the API is reached, unless that is a control plane's own address.
extends_documentation_fragment: [groundwork.kubernetes.hosts]
options:
  networks:
    description: The networks of services and pods. Each text may have two of them, with a comma in between.
    type: list
    elements: str
    required: true
  endpoint:
    description: The variable C(kubernetes_api_endpoint).
    type: str
    required: true
  virtual_ip:
    description: The virtual address of the API; empty for none.
    type: str
    default: ''
  balancers:
    description: Hosts of load balancers. Those that are nodes do not count.
    type: list
    elements: str
    default: []
  nodes:
    description: The workers.
    type: list
    elements: str
    default: []
seealso:
  - plugin: groundwork.kubernetes.known_nodes
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show what no kubelet gets a certificate for
  ansible.builtin.debug:
    msg: >-
      {{ groups['kube_control_plane'] | groundwork.kubernetes.reserved_addresses(hostvars,
         networks=['10.96.0.0/12', '10.244.0.0/16'], endpoint='api.example.com:6443') }}
"""

RETURN = r"""
_value:
  description: Networks, addresses and names.
  type: list
  elements: str
  sample: [10.96.0.0/12, 10.244.0.0/16, api.example.com]
"""


def reserved_addresses(
    control_planes: Any,
    hostvars: Any,
    *,
    networks: Any,
    endpoint: str,
    virtual_ip: str = "",
    balancers: Any = (),
    nodes: Any = (),
) -> List[str]:
    """Networks, addresses and names."""
    planes = list(control_planes)
    others = [host for host in balancers if host not in (*planes, *nodes)]
    own = {address for node in known_nodes(planes, hostvars) for address in node["addresses"]}
    reached = [
        urlsplit(f"//{endpoint}").hostname or "",
        str(virtual_ip or "").strip(),
        *addresses(others, hostvars, every=True, skip_unknown=True),
    ]
    found = [text for text in dict.fromkeys(reached) if text and text not in own]
    return [*split_addresses(",".join(networks)), *found]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name and function of each."""
        return {"reserved_addresses": reserved_addresses}
