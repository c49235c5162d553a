# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module etcd_member: add, promote and remove members of an etcd cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_member
short_description: Add a member to an etcd cluster, promote it, or remove it
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Changes which members an etcd cluster has, one at a time, and only if that cannot cost the quorum. What is safe is
    described in M(groundwork.kubernetes.etcd_guard).
  - A member is added as a learner, which does not vote, so the quorum does not depend on a process that has yet to
    start. Start it with RV(initial_cluster) and RV(initial_cluster_state), and run the module again with
    O(promote_timeout) to let it vote once it has caught up.
  - A dead member is replaced by removing it, and adding the new one, which must start with an empty data directory.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.full
  - groundwork.kubernetes.etcd
  - groundwork.kubernetes.etcd.ctl
  - groundwork.kubernetes.etcd.api_server
options:
  name:
    description:
      - Name of the member.
      - With O(state=absent), its id as hexadecimal text, one of its URLs or its host's address do as well. A member
        that has never started has no name yet.
    type: str
    required: true
  peer_urls:
    description:
      - URLs at which the other members reach it. Required with O(state=present).
      - With O(state=absent), a member that has one of these URLs and has never started is found by them.
    type: list
    elements: str
  state:
    description:
      - V(present) adds the member unless it is there, and promotes a learner that has caught up.
      - V(absent) removes the member. If it leads, leadership is moved first.
    type: str
    choices: [present, absent]
    default: present
  learner:
    description: Whether a new member is added as a learner. V(false) adds it as a voting member at once.
    type: bool
    default: true
  promote_timeout:
    description:
      - With O(state=present), seconds to wait until a learner that was added before has started and caught up, and to
        fail if it has not.
      - With V(0), a learner that has not caught up stays a learner, and that is no failure.
    type: int
    default: 0
  max_lag:
    description: How many entries of the log a learner may be behind the leader when it is promoted.
    type: int
    default: 100
  force:
    description:
      - Goes on although the guard refuses, with a warning for each of its reasons. etcd's own checks remain.
      - It can cost the quorum.
    type: bool
    default: false
seealso:
  - module: groundwork.kubernetes.etcd_guard
  - module: groundwork.kubernetes.etcd_info
"""

EXAMPLES = r"""
- name: Add a member
  groundwork.kubernetes.etcd_member:
    name: node4
    peer_urls: ["https://192.0.2.14:2380"]
    endpoints: ["https://192.0.2.11:2379", "https://192.0.2.12:2379", "https://192.0.2.13:2379"]
  register: added

- name: Show how it must be started
  ansible.builtin.debug:
    msg: >-
      etcd --name=node4 --initial-cluster={{ added.initial_cluster }}
      --initial-cluster-state={{ added.initial_cluster_state }}

- name: Promote it to a voting member, once it has started and caught up
  groundwork.kubernetes.etcd_member:
    name: node4
    peer_urls: ["https://192.0.2.14:2380"]
    endpoints: ["https://192.0.2.11:2379", "https://192.0.2.12:2379", "https://192.0.2.13:2379"]
    promote_timeout: 300

- name: Remove a member, dead or alive
  groundwork.kubernetes.etcd_member:
    name: node1
    state: absent
    endpoints: ["https://192.0.2.12:2379", "https://192.0.2.13:2379"]
"""

RETURN = r"""
member:
  description: The member, as RV(groundwork.kubernetes.etcd_info#module:members) describes it.
  returned: when it is or was there, and in check mode only if it was there
  type: dict
  sample: {name: node4, id: 87d0a3f8befc46a9, learner: true, started: false}
actions:
  description: What was done, or would be done in check mode, in this order.
  returned: success
  type: list
  elements: str
  choices: [added, promoted, moved_leader, removed]
  sample: [added]
initial_cluster:
  description: What the member is started with as C(--initial-cluster).
  returned: state=present
  type: str
  sample: node1=https://192.0.2.11:2380,node4=https://192.0.2.14:2380
initial_cluster_state:
  description: What the member is started with as C(--initial-cluster-state). Always V(existing).
  returned: state=present
  type: str
  sample: existing
pending:
  description: What a learner lacks to be promoted, or empty.
  returned: state=present
  type: str
  sample: it has not started
reasons:
  description: Everything that speaks against the change.
  returned: when it is refused
  type: list
  elements: str
  sample: ["node3 (https://192.0.2.13:2380) is a learner: promote it or remove it before node1 is removed"]
"""

import time
from typing import Any, Dict, Iterable, List, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import CommandError, EtcdError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.members import (
    PAUSE,
    PROMOTE_LATER,
    RefusedError,
    move_leader,
    reachable,
    read_cluster,
    reconfigure,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.module import EtcdModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.quorum import (
    Cluster,
    Member,
    find,
    initial_cluster,
    member_lines,
    not_caught_up,
    objections,
    successor,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import normal_url, same_url
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.diff import diff_lines

ARGUMENTS: Dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "peer_urls": {"type": "list", "elements": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "learner": {"type": "bool", "default": True},
    "promote_timeout": {"type": "int", "default": 0},
    "max_lag": {"type": "int", "default": 100},
    "force": {"type": "bool", "default": False},
    "api_server": {"type": "path"},
}
LEADER_TIMEOUT = 30


class MemberModule(EtcdModule):
    """The module's states over one set of options."""

    def __init__(self, module: AnsibleModule) -> None:
        super().__init__(module)
        self.name: str = module.params["name"]
        self.peer_urls: List[str] = module.params["peer_urls"] or []
        self.actions: List[str] = []

    def run(self) -> None:
        """Bring the member into its state."""
        cluster = read_cluster(self.etcd)
        if not cluster.has_quorum:
            raise RefusedError(f"It is not safe to change the member {self.name}", objections(cluster, None, "add"))
        before = member_lines(cluster)
        states = {"present": self.present, "absent": self.absent}
        self.result.update(states[self.options["state"]](cluster, before))

    def present(self, cluster: Cluster, before: List[str]) -> Dict[str, Any]:
        """Add the member, or promote it."""
        member, pending = self.same(cluster), ""
        if member is None:
            after = sorted([*before, self.line(self.peer_urls)])
            self.require_safe(cluster, None, "add")
            self.actions.append("added")
            if not self.module.check_mode:
                cluster = self.add(cluster)
                member, after = self.same(cluster), member_lines(cluster)
            pending = "it has not started" if self.options["learner"] else ""
        elif member.learner:
            cluster, pending = self.wait_ready(cluster)
            member = self.same(cluster) or member
            urls = member.peer_urls
            after = before if pending else [line.replace(self.line(urls), self.line(urls, "voting")) for line in before]
            if not pending:
                self.require_safe(cluster, member, "promote")
                pending = self.promote(cluster, member)
                after = before if pending else after
                member = self.same(cluster if self.module.check_mode else read_cluster(self.etcd)) or member
        else:
            after = before
        return {
            **self.outcome(cluster, member, before, after),
            "initial_cluster": initial_cluster(cluster, self.name, self.peer_urls),
            "initial_cluster_state": "existing",
            "pending": pending,
        }

    def absent(self, cluster: Cluster, before: List[str]) -> Dict[str, Any]:
        """Remove the member; one that leads hands over first."""
        member = find(cluster, self.name) or self.unstarted(cluster)
        if member is None:
            return self.outcome(cluster, None, before, before)
        self.require_safe(cluster, member, "remove")
        moves = member.id == cluster.leader_id and successor(cluster) is not None
        self.actions += ["moved_leader", "removed"] if moves else ["removed"]
        after = [line for line in before if line not in member_lines(Cluster((member,)))]
        if not self.module.check_mode:
            endpoints = reachable(cluster, without=member)
            if moves:
                move_leader(self.etcd, cluster, LEADER_TIMEOUT)
            reconfigure(lambda: self.etcd.remove_member(endpoints, member.id))
        return self.outcome(cluster, member, before, after)

    def same(self, cluster: Cluster) -> Optional[Member]:
        """The member that is meant, if it is there.

        Raises:
            EtcdError: if another one has its name or its address.
        """
        named = [member for member in cluster.members if member.name == self.name]
        placed = [member for member in cluster.members if self.shares_url(member)]
        for member in named:
            if set(map(normal_url, member.peer_urls)) != set(map(normal_url, self.peer_urls)):
                raise EtcdError(
                    f"{member} is a member already, and peer_urls is {', '.join(self.peer_urls)}. Remove the old one "
                    f"first (state=absent, name={member.hex_id}), or give the new one another name. "
                    "Nothing was changed."
                )
        for member in placed:
            if member.name not in ("", self.name):
                raise EtcdError(
                    f"{', '.join(self.peer_urls)} in peer_urls belongs to {member}, not to {self.name}. "
                    "Nothing was changed."
                )
        found = named or placed
        return found[0] if found else None

    def shares_url(self, member: Member) -> bool:
        """Whether a member has one of the URLs, in whatever spelling."""
        return any(same_url(url, self.peer_urls) for url in member.peer_urls)

    def unstarted(self, cluster: Cluster) -> Optional[Member]:
        """A member without a name that has one of the URLs."""
        fit = [one for one in cluster.members if not one.name and self.shares_url(one)]
        return fit[0] if fit else None

    def require_safe(self, cluster: Cluster, target: Optional[Member], operation: str) -> None:
        """Refuse what the guard refuses, or warn of it with force."""
        reasons = objections(cluster, target, operation, learner=self.options["learner"])
        if reasons and not self.options["force"]:
            raise RefusedError(f"It is not safe to {operation} {self.name}", reasons)
        for reason in reasons:
            self.module.warn(f"force: {reason}")

    def add(self, cluster: Cluster) -> Cluster:
        """Put the member on the list."""
        endpoints, learner = reachable(cluster), self.options["learner"]
        reconfigure(lambda: self.etcd.add_member(endpoints, self.name, self.peer_urls, learner=learner))
        return read_cluster(self.etcd)

    def wait_ready(self, cluster: Cluster) -> Tuple[Cluster, str]:
        """Wait until the learner has caught up, as long as the options allow."""
        end = time.monotonic() + self.options["promote_timeout"]
        while True:
            lacking = not_caught_up(cluster, self.same(cluster), self.options["max_lag"])
            if not lacking or not self.options["promote_timeout"] or self.module.check_mode:
                return cluster, lacking
            if time.monotonic() >= end:
                raise EtcdError(
                    f"{self.name} cannot be promoted after {self.options['promote_timeout']} seconds: {lacking}. "
                    "It stays a learner."
                )
            time.sleep(PAUSE)
            cluster = read_cluster(self.etcd)

    def promote(self, cluster: Cluster, member: Member) -> str:
        """Promote the learner; what it lacks in etcd's own view, if that is no failure."""
        if not self.module.check_mode:
            endpoints = reachable(cluster, without=member)
            try:
                reconfigure(
                    lambda: self.etcd.promote_member(endpoints, member.id),
                    self.options["promote_timeout"],
                    PROMOTE_LATER,
                )
            except CommandError as error:
                if self.options["promote_timeout"] or not any(reason in error.stderr for reason in PROMOTE_LATER):
                    raise
                return error.reason
        self.actions.append("promoted")
        return ""

    def line(self, urls: Iterable[str], role: str = "learner") -> str:
        """The member itself in a diff."""
        if not self.options["learner"]:
            role = "voting"
        return f"{self.name} {','.join(urls)} {role}"

    def outcome(
        self, cluster: Cluster, member: Optional[Member], before: List[str], after: List[str]
    ) -> Dict[str, Any]:
        """What all states return."""
        found: Dict[str, Any] = {"changed": bool(self.actions), "actions": self.actions}
        found["diff"] = diff_lines("etcd members", before, after)
        if member is not None:
            found["member"] = member.describe(cluster.leader_id)
        return found


def main() -> None:
    """Run the module."""
    MemberModule.main(ARGUMENTS, required_if=[("state", "present", ["peer_urls"])])


if __name__ == "__main__":
    main()
