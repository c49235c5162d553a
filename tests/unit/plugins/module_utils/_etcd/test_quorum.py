"""Which member may be touched: tables of clusters of 1, 2, 3, 4 and 5 members."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.quorum import (
    Cluster,
    Member,
    QuorumError,
    faults,
    find,
    lag,
    majority,
    not_caught_up,
    objections,
    order,
    successor,
)

MEMBER = Member(0, "", (), version="3.5.30", healthy=True, raft_index=100, raft_applied_index=100, raft_term=4)


def cluster(states: str, leader: int = 1, **changes: Any) -> Cluster:
    """A cluster as letters: h healthy, d dead, l learner, x dead learner, u unstarted, v unstarted learner."""
    members = []
    for number, state in enumerate(states, 1):
        member = replace(
            MEMBER, id=number, name=f"m{number}", peer_urls=(f"https://10.0.0.{number}:2380",),
            client_urls=(f"https://10.0.0.{number}:2379",), learner=state in "lxv",
        )  # fmt: skip
        if state in "dx":
            member = replace(member, healthy=False, error="deadline")
        if state in "uv":
            member = replace(member, healthy=False, name="", client_urls=(), error="not started")
        members.append(member)
    return replace(Cluster(tuple(members), leader_id=leader), **changes)


def touch(states: str, target: int | None, operation: str, **options: Any) -> list[str]:
    found = cluster(states)
    return objections(found, found.members[target - 1] if target else None, operation, **options)


@pytest.mark.parametrize(("voters", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4)])
def test_majority(voters: int, needed: int) -> None:
    assert majority(voters) == needed


@pytest.mark.parametrize("operation", ["restart", "upgrade", "defragment"])
@pytest.mark.parametrize(
    ("states", "target", "message"),
    [
        ("h", 1, "while m1 (https://10.0.0.1:2380) is away 0 of 1 voting members answer, and 1 are needed"),
        ("hh", 2, "while m2 (https://10.0.0.2:2380) is away 1 of 2 voting members answer, and 2 are needed"),
        ("hd", 2, "the cluster has no quorum: 1 of 2 voting members healthy, 2 needed"),
        ("hhh", 1, ""),
        ("hhh", 3, ""),
        ("hhd", 2, "m3 (https://10.0.0.3:2380) is not healthy (deadline): repair it, or remove it if it is lost,"),
        ("hhd", 3, ""),
        ("hdd", 1, "the cluster has no quorum: 1 of 3 voting members healthy, 2 needed"),
        ("hdd", 3, "the cluster has no quorum: 1 of 3 voting members healthy, 2 needed"),
        ("hhhl", 2, "m4 (https://10.0.0.4:2380) is a learner: promote it or remove it"),
        ("hhhl", 4, ""),
        ("hhhx", 2, "m4 (https://10.0.0.4:2380) is a learner and not healthy (deadline)"),
        ("hhhv", 2, "the member at https://10.0.0.4:2380 was added but has never started: start it or remove it"),
        ("hhhu", 2, "the member at https://10.0.0.4:2380 was added but has never started"),
        ("hl", 2, ""),
        ("hhhh", 2, ""),
        ("hhhd", 2, "m4 (https://10.0.0.4:2380) is not healthy"),
        ("hhhd", 4, ""),
        ("hhhhh", 5, ""),
        ("hhhhd", 4, "m5 (https://10.0.0.5:2380) is not healthy"),
        ("hhhdd", 5, "m4 (https://10.0.0.4:2380) is not healthy"),
        ("hhddd", 5, "the cluster has no quorum"),
    ],
)
def test_taking_a_member_down(states: str, target: int, operation: str, message: str) -> None:
    found = touch(states, target, operation)
    assert bool(found) == bool(message)
    assert message in "".join(found)


@pytest.mark.parametrize(
    ("states", "target", "message"),
    [
        ("h", 1, "is the only voting member"),
        ("hl", 1, "m2 (https://10.0.0.2:2380) is a learner"),
        ("hl", 2, ""),
        ("hx", 2, ""),
        ("hh", 2, ""),
        ("hd", 2, "the cluster has no quorum"),
        ("hhh", 3, ""),
        ("hhd", 3, ""),
        ("hhd", 2, "m3 (https://10.0.0.3:2380) is not healthy"),
        ("hdd", 3, "the cluster has no quorum"),
        ("hhhu", 4, ""),
        ("hhhv", 4, ""),
        ("hhhh", 4, ""),
        ("hhhdd", 5, ""),  # a dead member goes although another one is dead
        ("hhhdd", 2, "m4 (https://10.0.0.4:2380) is not healthy"),
        ("hhddd", 5, "the cluster has no quorum"),
    ],
)
def test_removing_a_member(states: str, target: int, message: str) -> None:
    found = touch(states, target, "remove")
    assert bool(found) == bool(message)
    assert message in "".join(found)


@pytest.mark.parametrize(
    ("states", "learner", "message"),
    [
        ("h", True, ""),
        ("h", False, "with one more voting member 2 of 2 must answer, and 1 would: add it as a learner"),
        ("hh", False, ""),
        ("hhh", True, ""),
        ("hhhl", True, "m4 (https://10.0.0.4:2380) is a learner: promote it or remove it before a member is added"),
        ("hhd", True, "m3 (https://10.0.0.3:2380) is not healthy"),
        ("hdd", True, "the cluster has no quorum"),
    ],
)
def test_adding_a_member(states: str, learner: bool, message: str) -> None:
    found = touch(states, None, "add", learner=learner)
    assert bool(found) == bool(message)
    assert message in "".join(found)


@pytest.mark.parametrize("states", ["hl", "hhl", "hhhl"])
def test_promoting_a_learner(states: str) -> None:
    assert touch(states, len(states), "promote") == []
    assert touch(states.replace("h", "hd", 1) + "", len(states) + 1, "promote")


@pytest.mark.parametrize("states", ["h", "hh", "hhh"])
def test_downtime_can_be_allowed(states: str) -> None:
    assert touch(states, 1, "restart", allow_downtime=True) == []


def test_downtime_waives_nothing_else() -> None:
    assert "is a learner" in touch("hl", 1, "restart", allow_downtime=True)[0]
    assert "no quorum" in touch("hd", 1, "restart", allow_downtime=True)[0]


@pytest.mark.parametrize(
    ("alarm", "raised_by", "operation", "allowed"),
    [
        ("NOSPACE", 2, "restart", False),
        ("NOSPACE", 2, "upgrade", False),
        ("NOSPACE", 2, "remove", False),
        ("NOSPACE", 2, "defragment", True),
        ("NOSPACE", 3, "defragment", True),
        ("CORRUPT", 2, "restart", False),
        ("CORRUPT", 2, "defragment", False),
        ("CORRUPT", 2, "remove", False),
        ("CORRUPT", 3, "remove", True),
        ("CORRUPT", 3, "restart", False),
        ("NOSPACE", 0, "restart", False),
    ],
)
def test_alarms(alarm: str, raised_by: int, operation: str, allowed: bool) -> None:
    found = cluster("hhh", stray_alarms=() if raised_by else (alarm,))
    members = tuple(replace(one, alarms=(alarm,)) if one.id == raised_by else one for one in found.members)
    found = replace(found, members=members)

    reasons = objections(found, found.members[2], operation)

    assert (reasons == []) is allowed
    assert not found.healthy
    assert allowed or (alarm in reasons[0] and "etcdctl alarm disarm" in reasons[0])


def test_every_reason_is_told_at_once() -> None:
    reasons = touch("hhhdl", 1, "restart")
    assert [reason.split(" (", maxsplit=1)[0] for reason in reasons] == ["m4", "m5"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"leader_id": 0}, "3 of 3 voting members healthy, 2 needed, and no member leads"),
        ({"leader_id": 77}, "and no member leads"),
        ({"error": "context deadline exceeded"}, "the list of members cannot be read (context deadline exceeded)"),
        ({"members": ()}, "0 of 0 voting members healthy"),
    ],
)
def test_no_quorum(changes: dict[str, Any], message: str) -> None:
    found = cluster("hhh", **changes)
    assert not found.has_quorum
    for operation in ("restart", "upgrade", "defragment", "remove", "add"):
        assert message in objections(found, None, operation)[0]


@pytest.mark.parametrize(
    ("states", "leader", "names"),
    [
        ("hhh", 1, ["m2", "m3", "m1"]),
        ("hhh", 3, ["m1", "m2", "m3"]),
        ("hhd", 1, ["m3", "m2", "m1"]),
        ("hhhl", 2, ["m4", "m1", "m3", "m2"]),
        ("h", 1, ["m1"]),
    ],
)
def test_order(states: str, leader: int, names: list[str]) -> None:
    assert [member.name for member in order(cluster(states, leader))] == names


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("m2", 2), ("2", 2), ("https://10.0.0.3:2379", 3), ("https://10.0.0.3:2380/", 3), ("10.0.0.1", 1), ("m9", None),
        ("https://10.0.0.3:9", None), ("", None), ("::ffff:10.0.0.1", 1), ("https://[::FFFF:10.0.0.3]:2380", 3),
    ],
)  # fmt: skip
def test_find(wanted: str, found: int | None) -> None:
    member = find(cluster("hhh"), wanted)
    assert (member.id if member else None) == found


def test_find_is_not_a_guess() -> None:
    found = cluster("hh")
    both = replace(found, members=tuple(replace(one, name="twin") for one in found.members))
    with pytest.raises(QuorumError, match=r"twin is more than one member: .* with the id 1, .* with the id 2\. Give"):
        find(both, "twin")


@pytest.mark.parametrize(
    ("index", "applied", "behind"), [(100, 100, 0), (100, 40, 60), (90, 0, 10), (101, 101, 0), (0, 0, None)]
)
def test_lag(index: int, applied: int, behind: int | None) -> None:
    found = cluster("hhh")
    member = replace(found.members[1], raft_index=index, raft_applied_index=applied)
    assert lag(found, member) == behind


@pytest.mark.parametrize(
    ("states", "target", "message"),
    [
        ("hhh", 2, ""),
        ("hhd", 3, "it is not healthy (deadline)"),
        ("hhu", 3, "it has not started"),
        ("hhl", 3, ""),
        ("hh", None, "it is not in the list of members"),
    ],
)
def test_not_caught_up(states: str, target: int | None, message: str) -> None:
    found = cluster(states)
    assert not_caught_up(found, found.members[target - 1] if target else None, 10) == message


def test_too_far_behind() -> None:
    found = cluster("hhh")
    member = replace(found.members[1], raft_applied_index=80)
    assert not_caught_up(found, member, 19) == "it is 20 entries behind the leader"
    assert not_caught_up(found, member, 20) == ""
    assert not_caught_up(replace(found, leader_id=0), member, 20) == "no member leads"


def test_the_successor_is_furthest_and_may_vote() -> None:
    found = cluster("hhhld")
    members = list(found.members)
    members[2] = replace(members[2], raft_index=200)
    members[3] = replace(members[3], raft_index=300)
    chosen = successor(replace(found, members=tuple(members)))
    assert chosen is not None
    assert chosen.name == "m3"
    assert successor(cluster("hl")) is None


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (cluster("hhh"), []),
        (cluster("hhl"), []),
        (cluster("hhd"), ["m3 (https://10.0.0.3:2380) is not healthy: deadline"]),
        (cluster("hhv"), ["the member at https://10.0.0.3:2380 is not healthy: not started"]),
        (cluster("hdd"), ["the cluster has no quorum: 1 of 3 voting members healthy, 2 needed."]),
        (
            cluster("hhh", leader=0),
            ["the cluster has no quorum: 3 of 3 voting members healthy, 2 needed, and no member"],
        ),
        (cluster("h", error="refused"), ["the cluster has no quorum: the list of members cannot be read (refused)."]),
        (cluster("hhh", stray_alarms=("CORRUPT",)), ["a member that is gone has left the alarm CORRUPT"]),
        (
            replace(cluster("hd"), members=(replace(MEMBER, name="m1", peer_urls=("u",), alarms=("NOSPACE",)),)),
            ["the cluster has no quorum", "m1 (u) has raised the alarm NOSPACE"],
        ),
    ],
)
def test_what_is_wrong_with_a_cluster(found: Cluster, message: list[str]) -> None:
    lines = faults(found)
    assert [line[: len(start)] for line, start in zip(lines, message, strict=True)] == message
    assert (not lines) is found.healthy
