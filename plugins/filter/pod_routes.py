# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter pod_routes."""

from __future__ import annotations

import ipaddress
from typing import Any, Callable, Dict, List

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.pod_tunnel import (
    addresses_by_version,
    tunnel_version,
)

DOCUMENTATION = r"""
name: pod_routes
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The routes from one node to the pods of all others
description:
  - Pairs each other node's pod subnets with its InternalIP of the same IP version.
  - A node without the one or the other is left out.
options:
  _input:
    description: Nodes as M(groundwork.kubernetes.node_info) returns them.
    type: list
    elements: dict
    required: true
  node:
    description: Name of the node that the routes are for.
    type: str
    required: true
  encapsulation:
    description: As of M(groundwork.kubernetes.pod_routes). Where it is not V(never), routes have an C(endpoint).
    type: str
    default: never
seealso:
  - plugin: groundwork.kubernetes.pod_tunnel
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Route to the pods of the other nodes
  groundwork.kubernetes.pod_routes:
    routes: "{{ result.nodes | groundwork.kubernetes.pod_routes('worker-1') }}"
"""

RETURN = r"""
_value:
  description: Routes as M(groundwork.kubernetes.pod_routes) takes them.
  type: list
  elements: dict
  sample: [{cidr: 10.244.2.0/24, via: 192.0.2.12}]
"""


def pod_routes(nodes: Any, node: str, encapsulation: str = "never") -> List[Dict[str, str]]:
    """Routes to the pods of all nodes but one."""
    try:
        version = 0 if encapsulation == "never" else tunnel_version(nodes)
        return [route for other in nodes if other["name"] != node for route in _routes(other, version)]
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"pod_routes needs the nodes that node_info returns: {error!r}") from error


def _routes(node: Dict[str, Any], version: int) -> List[Dict[str, str]]:
    addresses = addresses_by_version(node)
    endpoint = {"endpoint": addresses[version]} if version in addresses else {}
    subnets = [(ipaddress.ip_network(cidr).version, cidr) for cidr in node["pod_cidrs"]]
    return [{"cidr": cidr, "via": addresses[own], **endpoint} for own, cidr in subnets if own in addresses]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name and function of each."""
        return {"pod_routes": pod_routes}
