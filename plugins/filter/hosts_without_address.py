# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter hosts_without_address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Dict, List

from ansible.errors import AnsibleError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.host_variables import inventory_of
from jinja2.exceptions import UndefinedError

DOCUMENTATION = r"""
name: hosts_without_address
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The hosts of groups whose address neither the run nor the inventory tells
description:
  - Names the hosts that a run leaves out, as with C(--limit), and for which the inventory does not set
    C(kubernetes_node_ip), or makes it of facts that were not gathered.
  - A group that the inventory does not have counts as empty.
options:
  _input:
    description: Names of groups.
    type: list
    elements: str
    required: true
  groups:
    description: All groups with their hosts.
    type: dict
    required: true
  hostvars:
    description: The variables of all hosts.
    type: dict
    required: true
  play_hosts:
    description: The hosts that take part in the run.
    type: list
    elements: str
    required: true
seealso:
  - plugin: groundwork.kubernetes.addresses
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show whose addresses must be read
  ansible.builtin.debug:
    msg: "{{ ['etcd'] | groundwork.kubernetes.hosts_without_address(groups, hostvars, ansible_play_hosts_all) }}"
"""

RETURN = r"""
_value:
  description: The hosts, sorted.
  type: list
  elements: str
  sample: [cp-2]
"""


def _has_address(variables: Mapping[str, Any]) -> bool:
    try:
        address = variables.get("kubernetes_node_ip")
    except (AnsibleError, UndefinedError):
        return False
    # ansible-core 2.18 gives a template that needs what is not there as it is.
    return address is not None and "{{" not in str(address)


def hosts_without_address(names: Any, groups: Any, hostvars: Any, play_hosts: Any) -> List[str]:
    """The hosts."""
    inventory = inventory_of(hostvars)
    left_out = {host for name in names for host in groups.get(name, [])} - set(play_hosts)
    return sorted(host for host in left_out if not _has_address(inventory[host]))


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"hosts_without_address": hosts_without_address}
