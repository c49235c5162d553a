# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter known_nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Dict, List

from ansible.errors import AnsibleError, AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import (
    is_address,
    normal,
    split_addresses,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.host_variables import inventory_of
from jinja2.exceptions import UndefinedError

DOCUMENTATION = r"""
name: known_nodes
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The nodes of the inventory with their names and addresses
description:
  - Gives hosts in the form that M(groundwork.kubernetes.kubelet_certificates) wants.
  - What a host says of itself, its facts, counts for none of it.
  - A node's name is C(kubernetes_node_name), or the host's in the inventory. Its addresses are C(kubernetes_node_ip);
    where the inventory does not set that, or makes it of facts, the address that Ansible connects to.
  - A host whose address the inventory does not tell is left out.
extends_documentation_fragment: [groundwork.kubernetes.hosts]
options:
  more:
    description: Further names and addresses by node.
    type: dict
    default: {}
seealso:
  - plugin: groundwork.kubernetes.addresses
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Approve the serving certificates of all workers
  groundwork.kubernetes.kubelet_certificates:
    nodes: "{{ groups['kube_node'] | groundwork.kubernetes.known_nodes(hostvars) }}"
"""

RETURN = r"""
_value:
  description: Name, addresses and further DNS names of each node.
  type: list
  elements: dict
  sample: [{name: worker-1, addresses: [192.0.2.21], names: []}]
"""


def _given(variables: Mapping[str, Any], name: str) -> str:
    """A variable as text; empty where it is not set, or depends on what the host says."""
    try:
        text = str(variables.get(name) or "")
        # ansible-core 2.18 gives a template that needs what is not there as it is.
        return "" if "{{" in text else text
    except (AnsibleError, UndefinedError):
        return ""


def known_nodes(hosts: Any, hostvars: Any, more: Any = None) -> List[Dict[str, Any]]:
    """The hosts as nodes."""
    if more is not None and not isinstance(more, Mapping):
        raise AnsibleFilterError("known_nodes: further names and addresses are lists by node")
    nodes, inventory = [], inventory_of(hostvars, facts=False)
    for host in hosts:
        variables = inventory[host]
        own = split_addresses(_given(variables, "kubernetes_node_ip") or _given(variables, "ansible_host") or host)
        if not all(map(is_address, own)):
            continue
        name = _given(variables, "kubernetes_node_name") or host
        further = [str(text) for text in (more or {}).get(name) or []]
        nodes.append(
            {
                "name": name,
                "addresses": own + [normal(text) for text in further if is_address(text)],
                "names": [text for text in further if not is_address(text)],
            }
        )
    return nodes


class FilterModule:
    """The filters of this file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name and function of each."""
        return {"known_nodes": known_nodes}
