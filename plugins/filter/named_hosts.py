# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter named_hosts."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: named_hosts
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The hosts that names of hosts and groups mean
description:
  - Gives the hosts in the order of the names, each once.
  - Fails where a name is empty or unknown. Ansible itself only warns of these.
options:
  _input:
    description: Names of hosts or groups, as a list or as text with commas.
    type: raw
    required: true
  groups:
    description: Ansible's variable of that name.
    type: dict
    required: true
  variable:
    description: The name of the variable that holds the names, for the message.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Work on some hosts
  hosts: "{{ some_hosts | default([]) | groundwork.kubernetes.named_hosts(groups, 'some_hosts') }}"
"""

RETURN = r"""
_value:
  description: The hosts.
  type: list
  elements: str
"""


def named_hosts(names: Any, groups: Any, variable: str) -> List[str]:
    """The hosts."""
    wanted = [str(name).strip() for name in (names.split(",") if names and isinstance(names, str) else names or [])]
    if not all(wanted):
        raise AnsibleFilterError(f"{variable} has an empty name: name hosts or groups of the inventory")
    known = {host: [host] for host in groups.get("all", [])} | {name: list(groups[name]) for name in groups}
    unknown = [name for name in wanted if not known.get(name)]
    if unknown:
        raise AnsibleFilterError(
            f"{variable} names {', '.join(unknown)}, which is no host of the inventory and no group with hosts"
        )
    return list(dict.fromkeys(host for name in wanted for host in known[name]))


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"named_hosts": named_hosts}
