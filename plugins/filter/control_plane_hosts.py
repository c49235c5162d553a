# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter control_plane_hosts."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.host_variables import inventory_of
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm import control_plane_hosts as rules

DOCUMENTATION = r"""
name: control_plane_hosts
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: Which hosts of the control plane hold a cluster, lead a run, and join
description:
  - Tells hosts apart by what a task with M(groundwork.kubernetes.kubeadm_info) has registered of them.
  - The leader is a host that is a control plane and lacks nothing, else one that lacks something, else one whose
    initialization was interrupted, else the first of the run.
extends_documentation_fragment: [groundwork.kubernetes.hosts]
options:
  variable:
    description: The name under which the results are registered.
    type: str
    required: true
  run:
    description: The hosts of this run, C(ansible_play_hosts).
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show which host leads
  ansible.builtin.debug:
    msg: '{{ hosts.leader }}'
  vars:
    all: "{{ groups['kube_control_plane'] }}"
    hosts: "{{ all | groundwork.kubernetes.control_plane_hosts(hostvars, 'node', ansible_play_hosts) }}"
"""

RETURN = r"""
_value:
  description:
    - C(states) has the results by host, C(unseen) the hosts that have none.
    - C(ready) are control planes already, those that lack nothing first. C(interrupted) began an initialization and
      have not finished it.
    - C(leader) is a host. C(joining) are the hosts of the run that are to join, C(resuming) those of them that began
      to join before.
  type: dict
  sample: {states: {}, unseen: [], ready: [cp-1], interrupted: [], leader: cp-1, joining: [cp-2], resuming: []}
"""


def control_plane_hosts(hosts: Any, hostvars: Any, variable: str, run: Any) -> Dict[str, Any]:
    """The hosts by what they are and do."""
    known = inventory_of(hostvars)
    try:
        variables = {host: known[host] for host in hosts}
        results = {host: own[variable] for host, own in variables.items() if variable in own}
        return dict(vars(rules.control_plane_hosts(list(hosts), results, list(run))))
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"control_plane_hosts needs results of kubeadm_info: {error!r}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"control_plane_hosts": control_plane_hosts}
