# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module etcd_defrag: give the unused space in the members' databases back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_defrag
short_description: Defragment the members of an etcd cluster, one at a time
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Gives space in the members' databases that is no longer used back to their file systems. etcd raises the alarm
    C(NOSPACE) when a database has reached its quota, used or not.
  - A member answers nothing while it is defragmented, seconds for each gigabyte. So it is done to one member at a
    time, only if M(groundwork.kubernetes.etcd_guard) would allow it, and each must catch up before the next one.
  - The leader comes last, after it has handed leadership to another member.
  - Runs on several hosts, such as those of timers that go off together, wait for each other by a lock in etcd. Who has
    waited asks the guard again, and leaves a member alone that another run has seen to. Without the lock nothing is
    defragmented, and the module fails.
  - One run covers the whole cluster, from one host. With O(member), each host can see to its own member.
  - It does not compact. Kubernetes' API server compacts every five minutes.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.etcd
  - groundwork.kubernetes.etcd.ctl
  - groundwork.kubernetes.etcd.guard
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - In check mode, the size after is what is in use now. A member that is full says so too late, so it may win more.
  idempotent:
    support: partial
    details:
      - With O(force=true) every run defragments.
options:
  threshold:
    description: A member is defragmented if more than so many percent of its database are unused.
    type: int
    default: 45
  min_unused:
    description: And if more than so many bytes of it are.
    type: int
    default: 104857600
  force:
    description: Defragments whatever O(threshold) and O(min_unused) say. The guard's no remains.
    type: bool
    default: false
  member:
    description: Only this member, by its name, its id as hexadecimal text, one of its URLs, or its host's address.
    type: str
  disarm:
    description:
      - If the alarm C(NOSPACE) is raised, defragments all members as with O(force), and takes the alarm back if the
        database of each member that had raised it is then below nine tenths of its quota.
      - Members before etcd 3.6 do not tell their quota. For these it is nine tenths of the size before.
      - Fails if it is not so. Then compact the history, delete keys, or raise the quota first.
      - etcd gives no lock while the alarm is raised, so run it on one host only. Without this option nothing is
        defragmented meanwhile.
      - Not together with O(member), as C(etcdctl alarm disarm) takes back the alarms of all members.
    type: bool
    default: false
  defragment_timeout:
    description:
      - Seconds that defragmenting one member may take.
      - Without it, 60 and one for each 5 MB of the database.
    type: int
  turn_timeout:
    description: Seconds to wait for a run on another host to finish a member.
    type: int
    default: 3600
notes:
  - The member's file system needs free space for what is in use of its database. etcd keeps the old file until the new
    one is whole.
  - When a run takes longer than O(defragment_timeout), the member goes on nevertheless, as etcd cannot be stopped.
seealso:
  - module: groundwork.kubernetes.etcd_guard
  - module: groundwork.kubernetes.etcd_info
  - module: groundwork.kubernetes.schedule
  - name: etcd's maintenance
    description: Compaction, defragmentation and the quota.
    link: https://etcd.io/docs/v3.6/op-guide/maintenance/
"""

EXAMPLES = r"""
- name: Defragment the members that are worth it
  groundwork.kubernetes.etcd_defrag:
    endpoints: ["https://192.0.2.11:2379", "https://192.0.2.12:2379", "https://192.0.2.13:2379"]

- name: Let a full cluster write again
  groundwork.kubernetes.etcd_defrag:
    endpoints: ["https://192.0.2.11:2379", "https://192.0.2.12:2379", "https://192.0.2.13:2379"]
    disarm: true

- name: Let the only member of a small cluster see to itself every Sunday night
  groundwork.kubernetes.schedule:
    name: etcd-defrag
    module: etcd_defrag
    calendar: Sun *-*-* 03:00:00
    parameters:
      allow_downtime: true
      cacert: /etc/kubernetes/pki/etcd/ca.crt
      cert: /etc/kubernetes/pki/etcd/healthcheck-client.crt
      key: /etc/kubernetes/pki/etcd/healthcheck-client.key
"""

RETURN = r"""
defragmented:
  description: Names of the members that were defragmented, or would be in check mode, in this order.
  returned: when the members are known
  type: list
  elements: str
  sample: [node1, node3, node2]
members:
  description:
    - Every member with its C(id), C(name), whether it was C(leader) and C(healthy), C(size_before), C(in_use_before)
      and C(size_after) in bytes, C(unused_percent) before, whether it was C(defragmented), and the C(seconds) it took.
  returned: when the members are known
  type: list
  elements: dict
  sample:
    - id: 87d0a3f8befc46a9
      name: node1
      leader: false
      healthy: true
      size_before: 734003200
      in_use_before: 209715200
      unused_percent: 71.4
      defragmented: true
      size_after: 209723392
      seconds: 4.2
won:
  description: Bytes that all databases together have shrunk. In check mode those that they would.
  returned: when the members are known
  type: int
  sample: 524279808
leader:
  description: Name of the member that leads at the end. In check mode the one that leads now.
  returned: when one leads
  type: str
  sample: node3
disarmed:
  description: Whether the alarm C(NOSPACE) was taken back, or in check mode would be if enough space is won.
  returned: when the members are known
  type: bool
  sample: false
alarms:
  description: The kinds of alarms that are raised at the end. In check mode those that are raised now.
  returned: when the members are known
  type: list
  elements: str
  sample: []
reasons:
  description: Everything that speaks against defragmenting a member.
  returned: when it is refused
  type: list
  elements: str
  sample: ["node3 (https://192.0.2.13:2380) is not healthy (no answer): repair it, or remove it if it is lost, before
    node1 (https://192.0.2.11:2380) is defragmented"]
"""

import time
from contextlib import ExitStack, contextmanager
from typing import Any, Dict, Iterator, List, Optional

from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd import defragmentation
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import CommandError, EtcdError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.lock import held
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.members import (
    RefusedError,
    move_leader,
    not_a_member,
    reachable,
    read_cluster,
    wait_caught_up,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.module import GUARD_OPTIONS, EtcdModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.quorum import (
    Cluster,
    Member,
    find,
    objections,
    successor,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.diff import diff_lines

ARGUMENTS: Dict[str, Any] = {
    "threshold": {"type": "int", "default": 45},
    "min_unused": {"type": "int", "default": 100 * 1024 * 1024},
    "force": {"type": "bool", "default": False},
    "member": {"type": "str"},
    "disarm": {"type": "bool", "default": False},
    "defragment_timeout": {"type": "int"},
    "turn_timeout": {"type": "int", "default": 3600},
    **GUARD_OPTIONS,
}
LOCK = "/groundwork/etcd/defrag"


def kinds(cluster: Cluster) -> List[str]:
    """The kinds of alarms that are raised."""
    return sorted({*cluster.stray_alarms, *(kind for member in cluster.members for kind in member.alarms)})


class DefragModule(EtcdModule):
    """One run over the members."""

    def run(self) -> None:
        """Fill the result."""
        before = read_cluster(self.etcd)
        if not before.has_quorum:
            raise RefusedError("It is not safe to defragment", objections(before, None, "defragment"))
        only = self.only(before)
        full = self.options["disarm"] and bool(defragmentation.full(before))
        waived = self.options["force"] or full
        limits = defragmentation.Limits(self.options["threshold"], self.options["min_unused"], waived)
        due = defragmentation.due(before, limits, only)
        self.result.update(defragmented=[], won=0, disarmed=False)
        self.result["members"] = [defragmentation.describe(member, before.leader_id) for member in before.members]
        self.report(before)
        after = self.planned(before, due) if self.module.check_mode else self.done(before, due, limits)
        if full:
            self.disarm(before, after)
        self.result["diff"] = self.diff()

    def only(self, cluster: Cluster) -> Optional[Member]:
        """The member that the run is limited to.

        Raises:
            EtcdError: if it is none, or cannot be defragmented now.
        """
        wanted = self.options["member"]
        if wanted is None:
            return None
        member = find(cluster, wanted)
        if member is None:
            raise not_a_member(cluster, wanted)
        if member.learner:
            raise EtcdError(f"{member} is a learner, and etcd defragments only voting members: promote it first")
        if not member.healthy:
            raise EtcdError(f"{member} cannot be defragmented, as it is not healthy ({member.error})")
        return member

    def objections(self, cluster: Cluster, member: Member) -> List[str]:
        """What speaks against defragmenting a member, of its own and of the others."""
        now = find(cluster, member.hex_id)
        if now is None or not now.healthy:
            return [f"{member} is not healthy ({now.error if now else 'it is no longer a member'})"]
        return objections(cluster, now, "defragment", allow_downtime=self.options["allow_downtime"])

    def require_safe(self, cluster: Cluster, due: List[Member]) -> None:
        """Begin with no member while something speaks against one that is still to come.

        Raises:
            RefusedError: with the reasons.
        """
        for member in due:
            reasons = self.objections(cluster, member)
            if reasons and not self.result["changed"]:
                raise RefusedError(f"It is not safe to defragment {member}", reasons)
            if reasons:
                self.result["reasons"] = reasons
                raise EtcdError(f"It is no longer safe to defragment {member}: {'. '.join(reasons)}. {self.so_far()}")

    def so_far(self) -> str:
        """What was done until now."""
        return f"Defragmented before: {', '.join(self.result['defragmented']) or 'none'}."

    @contextmanager
    def lock(self, cluster: Cluster, member: Member) -> Iterator[None]:
        """Keep other hosts from defragmenting members meanwhile.

        Raises:
            EtcdError: if that is not possible.
        """
        others = [one for one in cluster.without(member) if one.healthy and not one.learner]
        full = bool(defragmentation.full(cluster))
        if full and others and not self.options["disarm"]:
            raise EtcdError(
                f"{member} is not defragmented, as etcd gives no lock while the alarm NOSPACE is raised: use "
                f"disarm=true, on one host. {self.so_far()}"
            )
        if full or not others:  # who is alone meets nobody
            yield
            return
        # The member itself answers nothing meanwhile, so the others keep the lock.
        urls = [url for one in others for url in one.client_urls]
        with ExitStack() as stack:
            try:
                stack.enter_context(held(self.etcd, urls, LOCK, self.options["turn_timeout"], "defragmenting"))
            except EtcdError as error:
                raise EtcdError(f"{member} is not defragmented, as {error}. {self.so_far()}") from error
            yield

    def planned(self, cluster: Cluster, due: List[Member]) -> Cluster:
        """What check mode says: databases shrink to what is in use."""
        self.require_safe(cluster, due)
        for member in due:
            self.note(member, member.db_in_use, 0.0)
        return cluster

    def done(self, cluster: Cluster, due: List[Member], limits: defragmentation.Limits) -> Cluster:
        """Defragment members one after the other; the cluster as it is then."""
        for number, member in enumerate(due):
            with self.lock(cluster, member):
                # Read when the lock is held, so the guard judges what is true now.
                cluster = read_cluster(self.etcd)
                self.require_safe(cluster, due[number:])
                if limits.exceeded(find(cluster, member.hex_id) or member):
                    cluster = self.done_one(cluster, member)
        return cluster

    def done_one(self, cluster: Cluster, member: Member) -> Cluster:
        """Defragment a member, not as the leader, and await it; the cluster as it is then."""
        if member.id == cluster.leader_id and successor(cluster) is not None:
            self.result["changed"] = True
            self.result["leader"] = move_leader(self.etcd, cluster, self.options["wait_timeout"]).name
        seconds = self.defragment(member)
        where = member.client_urls[0]
        cluster = wait_caught_up(self.etcd, where, self.options["wait_timeout"], self.options["max_lag"])
        found = find(cluster, member.hex_id) or member
        self.note(member, found.db_size, seconds)
        self.report(cluster)
        return cluster

    def defragment(self, member: Member) -> float:
        """Defragment a member; how long it took."""
        self.result["changed"] = True
        limit = self.options["defragment_timeout"] or defragmentation.timeout(member)
        began = time.monotonic()
        try:
            self.etcd.defragment(self.endpoint(member), limit)
        except CommandError as error:
            if "deadline exceeded" not in error.stderr:
                raise
            raise EtcdError(
                f"{member} is not defragmented after {limit} seconds, and may still be at it. Wait until it is "
                "healthy, and give it more time (defragment_timeout)."
            ) from error
        return round(time.monotonic() - began, 3)

    def endpoint(self, member: Member) -> str:
        """One URL at which a member answers: etcdctl would defragment it once for each."""
        urls = member.client_urls
        return urls[0] if len(urls) == 1 else next(status.endpoint for status in self.etcd.statuses(urls))

    def disarm(self, before: Cluster, after: Cluster) -> None:
        """Take the alarm back if there is space.

        Raises:
            EtcdError: if there is none, or another alarm would be taken back, too.
        """
        full = defragmentation.still_full(before, {one["id"]: one["size_after"] for one in self.result["members"]})
        # A full member commits nothing, so what it says to be in use is what was before the history was compacted.
        if full and not self.module.check_mode:
            names = ", ".join(map(str, full))
            raise EtcdError(
                f"The alarm NOSPACE stays, as defragmenting won too little on {names}: compact the history, delete "
                "keys, or raise the quota, and run this again."
            )
        others = [kind for kind in kinds(after) if kind != defragmentation.NOSPACE]
        if others:
            raise EtcdError(f"The alarm NOSPACE stays, as it cannot be taken back without {', '.join(others)}.")
        if not self.module.check_mode:
            self.etcd.disarm_alarms(reachable(after))
            self.report(read_cluster(self.etcd))
        self.result.update(changed=True, disarmed=True)

    def report(self, cluster: Cluster) -> None:
        """What is true of the cluster now."""
        self.result["alarms"] = kinds(cluster)
        if cluster.leader is not None:
            self.result["leader"] = cluster.leader.name

    def note(self, member: Member, size: int, seconds: float) -> None:
        """Enter a member that was defragmented into the result."""
        entry = next(one for one in self.result["members"] if one["id"] == member.hex_id)
        entry.update(defragmented=True, size_after=size, seconds=seconds)
        self.result["defragmented"].append(member.name)
        self.result["won"] += entry["size_before"] - size
        self.result["changed"] = True

    def diff(self) -> List[Dict[str, Any]]:
        """The sizes of the databases."""
        touched = [one for one in self.result["members"] if one["defragmented"]]
        before = [f"{one['name']} {one['size_before']} bytes, {one['unused_percent']}% unused" for one in touched]
        after = [f"{one['name']} {one['size_after']} bytes" for one in touched]
        if self.result["disarmed"]:
            before.append("alarm NOSPACE")
        return diff_lines("etcd databases", before, after)


def main() -> None:
    """Run the module."""
    DefragModule.main(ARGUMENTS, mutually_exclusive=[("member", "disarm")])


if __name__ == "__main__":
    main()
