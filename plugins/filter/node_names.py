# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter node_names."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.host_variables import inventory_of

DOCUMENTATION = r"""
name: node_names
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The names of hosts as nodes
description:
  - A node's name is C(kubernetes_node_name) where the inventory sets it, else the host's name in the inventory.
  - Facts that a host returns under that name do not count.
extends_documentation_fragment: [groundwork.kubernetes.hosts]
"""

EXAMPLES = r"""
- name: Show the names of the workers' nodes
  ansible.builtin.debug:
    msg: "{{ groups['kube_node'] | groundwork.kubernetes.node_names(hostvars) }}"
"""

RETURN = r"""
_value:
  description: The names, in the order of the hosts.
  type: list
  elements: str
  sample: [worker-1, worker-2]
"""


def node_names(hosts: Any, hostvars: Any) -> List[str]:
    """The nodes' names, in the order of the hosts."""
    known = inventory_of(hostvars)
    return [str(known[host].get("kubernetes_node_name") or host) for host in hosts]


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"node_names": node_names}
