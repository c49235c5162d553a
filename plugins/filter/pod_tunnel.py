# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter pod_tunnel."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.pod_tunnel import tunnel

DOCUMENTATION = r"""
name: pod_tunnel
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: A node's end of the tunnel to the pods of other nodes
description:
  - All nodes use the same IP version between them, IPv4 where each has an address of it.
options:
  _input:
    description: Nodes as M(groundwork.kubernetes.node_info) returns them.
    type: list
    elements: dict
    required: true
  node:
    description: Name of the node.
    type: str
    required: true
seealso:
  - module: groundwork.kubernetes.pod_routes
"""

EXAMPLES = r"""
- name: Show where a node receives what pods of others send
  ansible.builtin.debug:
    msg: "{{ (result.nodes | groundwork.kubernetes.pod_tunnel('worker-1')).local }}"
"""

RETURN = r"""
_value:
  description:
    - C(local) and C(cidrs) as M(groundwork.kubernetes.pod_routes) takes them, and C(overhead), the bytes that the
      tunnel adds to a packet. Empty for a node that is not there, or has no address of that IP version.
  type: dict
  sample: {local: 192.0.2.11, cidrs: [10.244.1.0/24], overhead: 50}
"""


def pod_tunnel(nodes: Any, node: str) -> Dict[str, Any]:
    """The node's end of the tunnel."""
    try:
        return tunnel(nodes, node)
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"pod_tunnel needs the nodes that node_info returns: {error!r}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"pod_tunnel": pod_tunnel}
