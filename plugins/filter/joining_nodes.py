# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter joining_nodes."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from ansible_collections.groundwork.kubernetes.plugins.filter.registered import registered

DOCUMENTATION = r"""
name: joining_nodes
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The hosts that are to join a cluster as workers
description:
  - Names the hosts that are nothing of a cluster yet, and those whose join was begun and never finished, by what a
    task with M(groundwork.kubernetes.kubeadm_info) has registered of them.
  - A host that has not been asked is none of them.
extends_documentation_fragment: [groundwork.kubernetes.hosts]
options:
  variable:
    description: The name under which the results are registered.
    type: str
    required: true
seealso:
  - plugin: groundwork.kubernetes.control_plane_hosts
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show who would join
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts | groundwork.kubernetes.joining_nodes(hostvars, 'node') }}"
"""

RETURN = r"""
_value:
  description: The hosts, in their order.
  type: list
  elements: str
  sample: [worker-3]
"""


def joining_nodes(hosts: Any, hostvars: Any, variable: str) -> List[str]:
    """The hosts that are to join."""
    states = dict(registered(list(hosts), hostvars, variable, "role", by_host=True))
    return [host for host, state in states.items() if state["role"] == "none" or state.get("interrupted") == "join"]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name and function of each."""
        return {"joining_nodes": joining_nodes}
