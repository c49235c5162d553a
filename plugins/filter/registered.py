# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter registered."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.host_variables import inventory_of

DOCUMENTATION = r"""
name: registered
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: What a task has registered, of all hosts that have it
description:
  - In hostvars, a fact of the same name looks like a registered variable of a host where the task did not run.
    This gives registered ones only.
extends_documentation_fragment: [groundwork.kubernetes.hosts]
options:
  variable:
    description: The variable's name.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show what whichever host asked was told
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts_all | groundwork.kubernetes.registered(hostvars, 'answer') | first }}"
"""

RETURN = r"""
_value:
  description: The results, in the order of the hosts.
  type: list
  elements: dict
"""


def registered(hosts: Any, hostvars: Any, variable: str) -> List[Any]:
    """The values of those hosts that have it."""
    known = inventory_of(hostvars)
    return [known[host][variable] for host in hosts if variable in known[host]]


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"registered": registered}
