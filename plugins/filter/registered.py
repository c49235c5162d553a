# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter registered."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Union

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.host_variables import inventory_of

DOCUMENTATION = r"""
name: registered
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: What a task has registered, of all hosts that have it
description:
  - In hostvars, a fact of the same name looks like a registered variable of a host where the task did not run.
    This gives registered ones only. Hosts that the inventory does not know have none.
extends_documentation_fragment: [groundwork.kubernetes.hosts]
options:
  variable:
    description: The variable's name.
    type: str
    required: true
  having:
    description: Leaves out results without this key, such as those of a task that was skipped or failed.
    type: str
  by_host:
    description: Gives a dictionary of the results by their hosts, in place of a list.
    type: bool
    default: false
  of_loop:
    description: Gives the results for all items of the task's loop in one list, and O(having) is asked of each of them.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show the answer that whichever host asked has got
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts_all | groundwork.kubernetes.registered(hostvars, 'answer') | first }}"
"""

RETURN = r"""
_value:
  description: The results, in the order of the hosts, a list or with O(by_host) a dictionary.
  type: raw
"""


def registered(
    hosts: Any,
    hostvars: Any,
    variable: str,
    having: Optional[str] = None,
    *,
    by_host: bool = False,
    of_loop: bool = False,
) -> Union[List[Any], Dict[str, Any]]:
    """The values of those hosts that have it."""
    if of_loop:
        loops: List[Any] = list(registered(hosts, hostvars, variable, "results"))
        passes = [item for loop in loops for item in loop["results"]]
        return [item for item in passes if having is None or having in item]
    known = inventory_of(hostvars)
    results = {
        host: known[host][variable]
        for host in hosts
        if host in known and variable in known[host] and (having is None or having in known[host][variable])
    }
    return results if by_host else list(results.values())


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"registered": registered}
