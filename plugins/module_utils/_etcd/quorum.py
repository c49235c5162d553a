# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which member of an etcd cluster may be touched, when, and in which order: no program is called here.

The rules follow etcd's FAQ and its runtime reconfiguration (https://etcd.io/docs/v3.6/op-guide/runtime-configuration/):
more than half of the voting members must answer at any time, and one change is made after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import normal, same_url, url_hosts

DONE = {
    "restart": "is restarted",
    "upgrade": "is upgraded",
    "defragment": "is defragmented",
    "remove": "is removed",
    "add": "is added",
    "promote": "is promoted",
}
"""What can be done to a member, as the end of a sentence."""

ALARM_REMEDIES = {
    "NOSPACE": "its database is full, compact and defragment it, then disarm the alarm (etcdctl alarm disarm)",
    "CORRUPT": "its data differs from the others', remove the member, add it again with an empty data directory, and "
    "disarm the alarm (etcdctl alarm disarm)",
}


class QuorumError(Exception):
    """The member that is meant is not clear."""


@dataclass(frozen=True)
class Member:
    """A member: what the cluster's list says of it, and what it says itself."""

    id: int
    name: str
    peer_urls: Tuple[str, ...]
    client_urls: Tuple[str, ...] = ()
    learner: bool = False
    healthy: bool = False
    error: str = ""
    version: str = ""
    db_size: int = 0
    db_in_use: int = 0
    db_quota: int = 0
    raft_term: int = 0
    raft_index: int = 0
    raft_applied_index: int = 0
    alarms: Tuple[str, ...] = ()

    @property
    def started(self) -> bool:
        """Whether it has ever joined: only then does the cluster know its client URLs."""
        return bool(self.client_urls)

    @property
    def hex_id(self) -> str:
        """Its id as etcdctl shows and takes it."""
        return f"{self.id:x}" if self.id else ""

    def __str__(self) -> str:
        where = ", ".join(self.peer_urls or self.client_urls)
        return f"{self.name} ({where})" if self.name else f"the member at {where}"

    def describe(self, leader: int) -> Dict[str, Any]:
        """The member as a module returns it."""
        return {
            "id": self.hex_id,
            "name": self.name,
            "peer_urls": list(self.peer_urls),
            "client_urls": list(self.client_urls),
            "learner": self.learner,
            "started": self.started,
            "healthy": self.healthy,
            "leader": bool(self.id) and self.id == leader,
            "error": self.error,
            "version": self.version,
            "db_size": self.db_size,
            "db_in_use": self.db_in_use,
            "db_quota": self.db_quota or None,
            "raft_term": self.raft_term,
            "raft_index": self.raft_index,
            "raft_applied_index": self.raft_applied_index,
            "alarms": list(self.alarms),
        }


@dataclass(frozen=True)
class Cluster:
    """All members at one time."""

    members: Tuple[Member, ...]
    leader_id: int = 0
    stray_alarms: Tuple[str, ...] = ()  # of members that were removed since
    error: str = ""  # why the list of members cannot be had; then members are only those whose endpoints were given

    @property
    def voters(self) -> List[Member]:
        """Members that count for the quorum, started or not."""
        return [member for member in self.members if not member.learner]

    @property
    def quorum(self) -> int:
        """How many voting members must answer."""
        return majority(len(self.voters))

    @property
    def leader(self) -> Optional[Member]:
        """The member that leads, if one does."""
        return next((member for member in self.members if self.leader_id and member.id == self.leader_id), None)

    @property
    def has_quorum(self) -> bool:
        """Whether enough members answer, and one of them leads."""
        answering = sum(member.healthy for member in self.voters)
        return not self.error and bool(self.voters) and answering >= self.quorum and self.leader is not None

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong with any member."""
        alarmed = self.stray_alarms or any(member.alarms for member in self.members)
        return self.has_quorum and not alarmed and all(member.healthy for member in self.members)

    def without(self, target: Optional[Member]) -> List[Member]:
        """All members but one."""
        return [member for member in self.members if target is None or member.id != target.id]


def majority(voters: int) -> int:
    """How many of so many members are more than half."""
    return voters // 2 + 1


def find(cluster: Cluster, wanted: str) -> Optional[Member]:
    """The member with a name, an id, a URL or a host's address, looked for in this order.

    Raises:
        QuorumError: if it fits several members.
    """
    word = wanted.strip().rstrip("/")
    for found in (
        [member for member in cluster.members if member.name and member.name == word],
        [member for member in cluster.members if member.hex_id and member.hex_id == word.lower()],
        [member for member in cluster.members if same_url(word, member.peer_urls + member.client_urls)],
        [member for member in cluster.members if normal(word) in url_hosts(member.peer_urls + member.client_urls)],
    ):
        if len(found) > 1:
            ids = ", ".join(f"{member} with the id {member.hex_id}" for member in found)
            raise QuorumError(f"{wanted} is more than one member: {ids}. Give the id")
        if found:
            return found[0]
    return None


def order(cluster: Cluster) -> List[Member]:
    """The order in which members are touched: sick ones and learners first, then followers by name, the leader last."""
    return sorted(
        cluster.members,
        key=lambda member: (member.id == cluster.leader_id, member.healthy, not member.learner, member.name, member.id),
    )


def member_lines(cluster: Cluster) -> List[str]:
    """The members, a line each, for a diff."""
    return sorted(
        f"{member.name or 'not started'} {','.join(member.peer_urls)} {'learner' if member.learner else 'voting'}"
        for member in cluster.members
    )


def initial_cluster(cluster: Cluster, name: str, peer_urls: Sequence[str]) -> str:
    """What a member is started with: all members, and itself under its name."""
    pairs = [
        (member.name, url)
        for member in cluster.members
        for url in member.peer_urls
        if member.name and member.name != name
    ]
    return ",".join(f"{one}={url}" for one, url in [*sorted(pairs), *((name, url) for url in peer_urls)])


def lag(cluster: Cluster, member: Member) -> Optional[int]:
    """How many entries of the log the member has yet to apply, or None if that is not known."""
    leader = cluster.leader
    if leader is None or not leader.raft_index or not member.raft_index:
        return None
    return max(0, leader.raft_index - min(member.raft_index, member.raft_applied_index or member.raft_index))


def successor(cluster: Cluster) -> Optional[Member]:
    """The follower that leadership is handed to: the one furthest in the log."""
    fit = [member for member in cluster.voters if member.healthy and member.id != cluster.leader_id]
    return min(fit, key=lambda member: (-member.raft_index, member.name), default=None)


def not_caught_up(cluster: Cluster, member: Optional[Member], max_lag: int) -> str:
    """What a member lacks before the next one may be touched; empty if nothing."""
    if cluster.error or member is None:
        return cluster.error or "it is not in the list of members"
    if not member.started:
        return "it has not started"
    if not member.healthy:
        return f"it is not healthy ({member.error or 'no reason given'})"
    behind = lag(cluster, member)
    if behind is None:
        return "no member leads"
    return f"it is {behind} entries behind the leader" if behind > max_lag else ""


def objections(
    cluster: Cluster, target: Optional[Member], operation: str, *, learner: bool = False, allow_downtime: bool = False
) -> List[str]:
    """Everything that speaks against touching a member; nothing if it is safe.

    Args:
        cluster: all members.
        target: the member to be touched; None for one to be added.
        operation: a key of DONE.
        learner: whether the member to be added is a learner.
        allow_downtime: whether the cluster may stop answering while the only member, or one of two, is away.
    """
    before = f"before {target or 'a member'} {DONE[operation]}"
    if not cluster.has_quorum:
        return [_no_quorum(cluster)]
    found = []
    # Removing a member that does not count or does not answer costs no healthy vote. Without this, a cluster of five
    # with two dead members could never be repaired: each of them would stand in the other's way.
    costs_nothing = operation == "remove" and target is not None and (target.learner or not target.healthy)
    if not costs_nothing:
        found += [f"{reason} {before}" for reason in (_pending(member) for member in cluster.without(target)) if reason]
    found += [f"{reason}; do so {before}" for reason in _alarms(cluster, target, operation)]
    lost = _quorum_after(cluster, target, operation, learner=learner, allow_downtime=allow_downtime)
    return found + ([lost] if lost and not found else [])


def faults(cluster: Cluster) -> List[str]:
    """What is wrong with a cluster, whatever is to be done to it; nothing where it is healthy."""
    if not cluster.has_quorum:
        return [_no_quorum(cluster), *_alarms(cluster, None, "")]
    sick = [member for member in cluster.members if not member.healthy]
    return [f"{member} is not healthy: {member.error or 'not started'}" for member in sick] + _alarms(cluster, None, "")


def _no_quorum(cluster: Cluster) -> str:
    if cluster.error:
        why = f"the list of members cannot be read ({cluster.error})"
    else:
        answering = sum(member.healthy for member in cluster.voters)
        why = f"{answering} of {len(cluster.voters)} voting members healthy, {cluster.quorum} needed"
        why += "" if cluster.leader else ", and no member leads"
    sick = "; ".join(f"{member}: {member.error or 'not started'}" for member in cluster.members if not member.healthy)
    return (
        f"the cluster has no quorum: {why}. {sick or 'No member is known to be sick'}. "
        "Start these members; if most of them are lost for good, restore a snapshot"
    )


def _pending(member: Member) -> str:
    """What must be settled about a member that is not the one touched."""
    if not member.started:
        return f"{member} was added but has never started: start it or remove it"
    if member.learner:
        state = "" if member.healthy else f" and not healthy ({member.error})"
        return f"{member} is a learner{state}: promote it or remove it"
    if not member.healthy:
        return f"{member} is not healthy ({member.error}): repair it, or remove it if it is lost,"
    return ""


def _alarms(cluster: Cluster, target: Optional[Member], operation: str) -> List[str]:
    found = []
    for member in cluster.members:
        for alarm in member.alarms:
            own = target is not None and member.id == target.id
            # Defragmenting is a part of the cure for NOSPACE, and removing the member is the one for CORRUPT.
            cure = (operation == "defragment" and alarm == "NOSPACE") or (operation == "remove" and own)
            if not cure:
                remedy = ALARM_REMEDIES.get(alarm, "see etcdctl alarm list")
                found.append(f"{member} has raised the alarm {alarm}: {remedy}")
    found += [
        f"a member that is gone has left the alarm {alarm}: make sure that the others are sound, and disarm it "
        "(etcdctl alarm disarm)"
        for alarm in cluster.stray_alarms
    ]
    return found


def _quorum_after(
    cluster: Cluster, target: Optional[Member], operation: str, *, learner: bool, allow_downtime: bool
) -> str:
    """Why the quorum would not hold; empty if it would."""
    voters = len(cluster.voters)
    # What else was known of it when it was found may be out of date.
    counts = target is not None and any(member.id == target.id for member in cluster.voters)
    others = sum(member.healthy for member in cluster.without(target) if not member.learner)
    if operation in ("add", "promote"):
        # A learner that is promoted answers already; a voting member that is added does not yet.
        answering, needed = others + (operation == "promote"), majority(voters + 1)
        lost = not learner and answering < needed
        why = (
            f"with one more voting member {needed} of {voters + 1} must answer, and {answering} would: add it as a "
            "learner, and promote it when it has caught up"
        )
    elif operation == "remove":
        needed = majority(voters - 1)
        lost = counts and (voters == 1 or others < needed)
        why = f"without {target} {others} of {voters - 1} voting members would answer, and {needed} are needed"
        if voters == 1:
            why = f"{target} is the only voting member: the cluster would be gone with it"
    else:
        lost = counts and others < cluster.quorum and not allow_downtime
        why = (
            f"while {target} is away {others} of {voters} voting members answer, and {cluster.quorum} are needed: use "
            "three or more members, or allow the downtime (allow_downtime)"
        )
    return why if lost else ""
