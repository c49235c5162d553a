# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads an etcd cluster as a whole, and does to it what takes several requests."""

from __future__ import annotations

import time
from typing import Callable, Dict, List, Optional, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.answers import (
    Alarm,
    EndpointHealth,
    EndpointStatus,
    MemberRecord,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import Etcd
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.quorum import (
    Cluster,
    Member,
    find,
    not_caught_up,
    objections,
    successor,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.tools import CommandError, EtcdError

PAUSE = 1.0  # seconds between two looks at the cluster
RECONFIGURE_TIMEOUT = 20  # etcd takes no change until its members have been connected for 5 seconds
RECONFIGURE_LATER = ("unhealthy cluster",)
PROMOTE_LATER = (*RECONFIGURE_LATER, "in sync with leader", "not ready")


class RefusedError(EtcdError):
    """The guard's no, with every reason."""

    def __init__(self, subject: str, reasons: List[str]) -> None:
        self.reasons = reasons
        super().__init__(f"{subject}: {'. '.join(reasons)}. Nothing was changed.")


def read_cluster(etcd: Etcd) -> Cluster:
    """All members, each asked at its own client URLs."""
    records, error = _records(etcd)
    urls = [url for record in records for url in record.client_urls]
    health = {item.endpoint: item for item in etcd.health(urls)} if urls else {}
    statuses = {item.endpoint: item for item in etcd.statuses(urls)} if urls else {}
    if error:
        records = _seen(records, statuses)
    alarms: List[Alarm] = []
    answering = [url for url, item in health.items() if _answers(item)]
    if answering:
        alarms = etcd.alarms(answering)
    members = tuple(_member(record, health, statuses, alarms) for record in records)
    ids = {member.id for member in members}
    # The highest term is the newest: a leader that was cut off still believes in an older one.
    leading = max((item for item in statuses.values() if item.leader), key=lambda item: item.raft_term, default=None)
    return Cluster(
        members=members,
        leader_id=leading.leader if leading else 0,
        stray_alarms=tuple(alarm.kind for alarm in alarms if alarm.member_id not in ids),
        error=error,
    )


def reachable(cluster: Cluster, without: Optional[Member] = None) -> List[str]:
    """Client URLs that take a change of the cluster."""
    fit = [member for member in cluster.without(without) if member.healthy and not member.learner]
    if not fit:
        raise EtcdError("no other member is healthy, so none can be asked")
    return [url for member in fit for url in member.client_urls]


def not_a_member(cluster: Cluster, wanted: str) -> EtcdError:
    """What a module reports of a member that the cluster does not have."""
    names = ", ".join(map(str, cluster.members))
    return EtcdError(f"{wanted} is not a member of the cluster. Its members are {names}.")


def require_safe(cluster: Cluster, wanted: str, operation: str, *, allow_downtime: bool) -> Member:
    """The member that is to be touched, if that cannot cost the quorum.

    Args:
        cluster: all members.
        wanted: the member, as the option member names it.
        operation: what is about to be done to it, of those of quorum.DONE.
        allow_downtime: whether the only member, or one of two, may be away.

    Raises:
        EtcdError: if the cluster has no such member.
        RefusedError: with all reasons.
    """
    target = find(cluster, wanted)
    if target is None and cluster.has_quorum:
        raise not_a_member(cluster, wanted)
    reasons = objections(cluster, target, operation, allow_downtime=allow_downtime)
    if reasons or target is None:
        raise RefusedError(f"It is not safe to {operation} {wanted}", reasons)
    return target


def move_leader(etcd: Etcd, cluster: Cluster, timeout: int) -> Member:
    """Hand leadership to the follower furthest in the log, and wait until the members agree."""
    old, new = cluster.leader, successor(cluster)
    if old is None or new is None:
        raise EtcdError("leadership cannot be moved: there is no other healthy voting member")
    etcd.move_leader(old.client_urls, new.id)
    end = time.monotonic() + timeout
    while True:
        leader = read_cluster(etcd).leader
        if leader is not None and leader.id != old.id:
            return leader
        if time.monotonic() >= end:
            raise EtcdError(f"leadership was to move from {old} to {new}, but did not within {timeout} seconds")
        time.sleep(PAUSE)


def wait_caught_up(
    etcd: Etcd, wanted: str, timeout: int, max_lag: int, hopeless: Callable[[], str] = lambda: ""
) -> Cluster:
    """Wait until a member is healthy and has applied what the leader has.

    Args:
        etcd: the tools.
        wanted: the member.
        timeout: seconds.
        max_lag: how many entries of the log it may be behind.
        hopeless: returns why there is no use in waiting on, if so.
    """
    end = time.monotonic() + timeout
    while True:
        cluster = read_cluster(etcd)
        lacking = not_caught_up(cluster, find(cluster, wanted), max_lag)
        if not lacking:
            return cluster
        why = hopeless()
        if why:
            raise EtcdError(f"{wanted} cannot catch up: {why}")
        if time.monotonic() >= end:
            raise EtcdError(f"{wanted} has not caught up within {timeout} seconds: {lacking}")
        time.sleep(PAUSE)


def reconfigure(
    change: Callable[[], None], timeout: int = RECONFIGURE_TIMEOUT, later: Tuple[str, ...] = RECONFIGURE_LATER
) -> None:
    """Make a change of the membership, again while etcd says that it is too early for it."""
    end = time.monotonic() + timeout
    while True:
        try:
            return change()
        except CommandError as error:
            if time.monotonic() >= end or not any(reason in error.stderr for reason in later):
                raise
        time.sleep(PAUSE)


def _records(etcd: Etcd) -> Tuple[List[MemberRecord], str]:
    """The list of members from a member that has the quorum, or from any; or the endpoints given, and why."""
    endpoints: List[str] = etcd.options["endpoints"]
    health = etcd.health()
    error = "no endpoint answers"
    answering = [item.endpoint for item in health if _answers(item)]
    for some in [answering] if answering else [[endpoint] for endpoint in endpoints]:
        try:
            return etcd.members(some), ""
        except CommandError as failed:  # noqa: PERF203  a few endpoints, and each costs a process anyway
            error = failed.reason
    return [MemberRecord(0, "", (), (endpoint,), learner=False) for endpoint in endpoints], error


def _seen(records: List[MemberRecord], statuses: Dict[str, EndpointStatus]) -> List[MemberRecord]:
    """Records of endpoints with the ids that these gave; two endpoints of one member are one."""
    found: Dict[str, MemberRecord] = {}
    for record in records:
        status = statuses.get(record.client_urls[0])
        member_id = status.member_id if status else 0
        key = str(member_id) if member_id else record.client_urls[0]
        found.setdefault(key, MemberRecord(member_id, "", (), record.client_urls, bool(status and status.learner)))
    return list(found.values())


def _answers(health: EndpointHealth) -> bool:
    """Whether a read that needs the quorum came through: from etcd 3.5 on any alarm makes all endpoints unhealthy."""
    return health.healthy or health.error.startswith("Active Alarm")


def _member(
    record: MemberRecord,
    health: Dict[str, EndpointHealth],
    statuses: Dict[str, EndpointStatus],
    alarms: List[Alarm],
) -> Member:
    found = [statuses[url] for url in record.client_urls if url in statuses]
    own = [status for status in found if status.member_id == record.id]
    # Alarms are kept apart from the rest: every member repeats those of all members.
    errors = [error for status in own for error in status.errors if "alarm:" not in error]
    reads = [health[url] for url in record.client_urls if url in health]
    if not record.client_urls:
        error = "not started"
    elif found and not own:
        error = f"{found[0].endpoint} is answered by another member, {found[0].member_id:x}"
    elif errors:
        error = "; ".join(errors)
    elif record.learner:
        # A learner takes no reads, so its own word counts.
        error = "" if own and own[0].leader else "no answer, or it does not know the leader"
    elif own and any(_answers(item) for item in reads):
        error = ""
    else:
        error = next((item.error for item in reads if item.error), "no status")
    last = own[0] if own else EndpointStatus("", 0, 0, "", 0, 0, learner=False, errors=())
    return Member(
        id=record.id,
        name=record.name,
        peer_urls=record.peer_urls,
        client_urls=record.client_urls,
        learner=record.learner,
        healthy=not error,
        error=error,
        version=last.version,
        db_size=last.db_size,
        db_in_use=last.db_in_use,
        db_quota=last.db_quota,
        raft_term=last.raft_term,
        raft_index=last.raft_index,
        raft_applied_index=last.raft_applied_index,
        alarms=tuple(alarm.kind for alarm in alarms if record.id and alarm.member_id == record.id),
    )
