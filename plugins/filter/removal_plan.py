# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter removal_plan."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.plan import PlanError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.removal_plan import Seen, make_plan

DOCUMENTATION = r"""
name: removal_plan
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: What goes with hosts that leave a cluster, and what forbids it
description:
  - Judges what was seen before the first host is touched. Names of hosts, of Nodes and of members of etcd are taken.
  - That a host cannot be reached does not mean that it is off. Only O(powered_off) says so.
options:
  _input:
    description: The names of what is to go, as a list or as text with commas.
    type: raw
    required: true
  powered_off:
    description: Those of the names whose hosts are powered off for good.
    type: raw
    default: []
  seen:
    description:
      - What was seen. C(hosts) has the names as nodes of all hosts of the inventory. C(control_planes), C(workers),
        C(etcd_hosts) and C(balancers) are the groups, C(ready) the control planes whose API answers, and C(reached) the
        hosts that answer.
      - C(nodes) and C(etcd) are what M(groundwork.kubernetes.node_info) and M(groundwork.kubernetes.etcd_info)
        returned, C(found) what M(groundwork.kubernetes.reset) found by host, and C(etcd_endpoints) those that
        M(groundwork.kubernetes.kubeadm_info) returned by host.
      - C(drain) and C(lost) are the previews of M(groundwork.kubernetes.drain) and
        M(groundwork.kubernetes.out_of_service), and C(listed) what M(groundwork.kubernetes.cluster_status) found.
      - C(load_balancer), C(endpoint), C(network), C(ca_hosts) and C(backup) are variables, and C(proven) is why
        M(groundwork.kubernetes.backup) would make none.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse
  ansible.builtin.assert:
    that: (remove_node_names | groundwork.kubernetes.removal_plan(seen=seen)).faults == []
"""

RETURN = r"""
_value:
  description:
    - The steps (C(plan)), what forbids them (C(faults)), and what is left to people (C(notes)).
    - The hosts, Nodes and members that go, the hosts that stay, and the control plane that leads (C(leader)).
  type: dict
"""


def split(names: Any) -> List[str]:
    """Names, however they were given."""
    given = names.split(",") if names and isinstance(names, str) else names or []
    return [part.strip() for name in given for part in str(name).split(",")]


def removal_plan(names: Any, seen: Any, powered_off: Any = None) -> Dict[str, Any]:
    """The plan."""
    try:
        return make_plan(Seen(names=split(names), powered_off=split(powered_off), **seen))
    except (KeyError, TypeError, ValueError, AttributeError, PlanError) as error:
        raise AnsibleFilterError(f"removal_plan needs what modules return of hosts and cluster: {error!r}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"removal_plan": removal_plan}
