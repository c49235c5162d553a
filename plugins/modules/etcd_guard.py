# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module etcd_guard: may this member of an etcd cluster be touched now."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_guard
short_description: Refuse to touch an etcd member if that could cost the quorum
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Run it before a member of an etcd cluster is restarted, upgraded, defragmented or removed. It fails, and names the
    members that stand in the way and what to do about them, unless it is safe.
  - It is safe if every other member is healthy, none of them is a learner or has yet to start, no alarm is raised, and
    the cluster keeps its quorum without the member.
  - The cure for a fault is not refused because of that fault. With O(operation=remove) the state of the other members
    does not matter if the member is dead or a learner, as long as the cluster has its quorum, and alarms of the member
    itself do not matter. With O(operation=defragment) the alarm C(NOSPACE) does not matter.
  - Run it with O(state=caught_up) after the operation, before the next member is touched.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.full
  - groundwork.kubernetes.etcd
  - groundwork.kubernetes.etcd.ctl
  - groundwork.kubernetes.etcd.api_server
  - groundwork.kubernetes.etcd.guard
attributes:
  check_mode:
    details:
      - With O(state=caught_up) it does not wait in check mode, since nothing was done to the member.
options:
  member:
    description: The member, by its name, its id as hexadecimal text, one of its URLs, or its host's address.
    type: str
    required: true
  state:
    description:
      - V(checked) refuses what could cost the quorum.
      - V(caught_up) waits until the member is healthy and has applied what the leader has, and fails if that takes
        longer than O(wait_timeout).
    type: str
    choices: [checked, caught_up]
    default: checked
  operation:
    description: With O(state=checked), what is about to be done to the member.
    type: str
    choices: [restart, upgrade, defragment, remove]
    default: restart
  move_leader:
    description:
      - With O(state=checked), if it is safe and the member leads, hands leadership to the follower that is furthest in
        the log, so that the cluster need not elect one when the member goes away.
    type: bool
    default: false
seealso:
  - module: groundwork.kubernetes.etcd_info
  - module: groundwork.kubernetes.etcd_member
"""

EXAMPLES = r"""
- name: Restart the members one after the other
  hosts: etcd
  serial: 1
  tasks:
    - name: Make sure that this member may be restarted
      groundwork.kubernetes.etcd_guard:
        member: "{{ inventory_hostname }}"
        operation: restart
        move_leader: true
        endpoints: ["https://192.0.2.11:2379", "https://192.0.2.12:2379", "https://192.0.2.13:2379"]

    - name: Restart it
      ansible.builtin.systemd_service:
        name: etcd
        state: restarted

    - name: Wait until it has caught up
      groundwork.kubernetes.etcd_guard:
        member: "{{ inventory_hostname }}"
        state: caught_up
        endpoints: ["https://192.0.2.11:2379", "https://192.0.2.12:2379", "https://192.0.2.13:2379"]
"""

RETURN = r"""
member:
  description: The member, as RV(groundwork.kubernetes.etcd_info#module:members) describes it, before leadership moved.
  returned: when it is found
  type: dict
  sample: {name: node1, id: 87d0a3f8befc46a9, healthy: true, leader: false}
leader:
  description: Name of the member that leads, after a move of leadership. In check mode the one that would.
  returned: when one leads
  type: str
  sample: node2
order:
  description: The members' names in the order in which they are best touched, the leader last.
  returned: when the members are known
  type: list
  elements: str
  sample: [node1, node3, node2]
reasons:
  description: Everything that speaks against the operation.
  returned: when it is refused
  type: list
  elements: str
  sample: ["node3 (https://192.0.2.13:2380) is a learner: promote it or remove it before node1 is restarted"]
lag:
  description: How many entries of the log the member is behind the leader.
  returned: state=caught_up, except in check mode
  type: int
  sample: 0
"""

from typing import Any, Dict, Optional

from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.members import (
    move_leader,
    read_cluster,
    require_safe,
    wait_caught_up,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.module import GUARD_OPTIONS, EtcdModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.quorum import (
    Cluster,
    Member,
    find,
    lag,
    order,
    successor,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.diff import diff_lines

ARGUMENTS: Dict[str, Any] = {
    "member": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["checked", "caught_up"], "default": "checked"},
    "operation": {"type": "str", "choices": ["restart", "upgrade", "defragment", "remove"], "default": "restart"},
    "move_leader": {"type": "bool", "default": False},
    "api_server": {"type": "path"},
    **GUARD_OPTIONS,
}


class GuardModule(EtcdModule):
    """The module's states over one set of options."""

    def run(self) -> None:
        """Fill the result."""
        if self.options["state"] == "checked":
            self.check()
        elif self.module.check_mode:
            cluster = read_cluster(self.etcd)
            self.report(cluster, find(cluster, self.options["member"]))
        else:
            self.catch_up()

    def check(self) -> None:
        """Refuse, or allow and move leadership if that is wanted."""
        cluster = read_cluster(self.etcd)
        self.report(cluster, find(cluster, self.options["member"]))
        target = require_safe(
            cluster, self.options["member"], self.options["operation"], allow_downtime=self.options["allow_downtime"]
        )
        new = successor(cluster)
        if self.options["move_leader"] and target.id == cluster.leader_id and new is not None:
            if not self.module.check_mode:
                new = move_leader(self.etcd, cluster, self.options["wait_timeout"])
            self.result.update(changed=True, leader=new.name, diff=diff_lines("etcd leader", [target.name], [new.name]))

    def catch_up(self) -> None:
        """Wait for the member."""
        cluster = wait_caught_up(
            self.etcd, self.options["member"], self.options["wait_timeout"], self.options["max_lag"]
        )
        target = find(cluster, self.options["member"])
        self.report(cluster, target)
        self.result["lag"] = target and lag(cluster, target)

    def report(self, cluster: Cluster, target: Optional[Member]) -> None:
        """What is returned whether it is refused or not."""
        self.result["order"] = [member.name for member in order(cluster) if member.name]
        if target is not None:
            self.result["member"] = target.describe(cluster.leader_id)
        if cluster.leader is not None:
            self.result["leader"] = cluster.leader.name


def main() -> None:
    """Run the module."""
    GuardModule.main(ARGUMENTS)


if __name__ == "__main__":
    main()
