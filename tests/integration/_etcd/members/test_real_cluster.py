"""The quorum guard and changes of the membership, on real etcd clusters of up to four processes on loopback.

GROUNDWORK_ETCD_DIR names the folder with the binaries: etcd and etcdctl.
"""

# ruff: noqa: D103

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.modules import (
    etcd_guard,
    etcd_info,
    etcd_member,
)
from real_etcd import BINARIES, Cluster, Member, Run, free_port, needs_etcd

pytestmark = needs_etcd


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    found = Cluster(tmp_path, 3)
    yield found
    found.stop()


@pytest.fixture
def run(run: Run) -> Run:
    """Run a module against a cluster: run(module, cluster, option=value, ...)."""
    quick = {"bin_dir": str(BINARIES), "timeout": 2, "dial_timeout": 1}
    return lambda module, cluster, **options: run(module, **{**quick, "endpoints": cluster.endpoints, **options})


def seen(result: dict[str, Any]) -> dict[str, tuple[bool, bool, bool]]:
    return {one["name"]: (one["healthy"], one["learner"], one["started"]) for one in result["members"]}


def test_a_healthy_cluster(run: Run, cluster: Cluster) -> None:
    info = run(etcd_info, cluster)
    assert (info["healthy"], info["has_quorum"], info["quorum"], info["voters"]) == (True, True, 2, 3)
    assert info["order"][-1] == info["leader"]
    assert sum(one["leader"] for one in info["members"]) == 1
    for member in info["members"]:
        assert member["version"].startswith("3.")
        assert member["db_size"] >= member["db_in_use"] > 0
        assert int(member["id"], 16) > 2**32
    for operation in ("restart", "upgrade", "defragment", "remove"):
        for name in info["order"]:
            allowed = run(etcd_guard, cluster, member=name, operation=operation)
            assert not allowed.get("failed"), allowed
            assert not allowed["changed"]
    ambiguous = run(etcd_guard, cluster, member="127.0.0.1")
    assert "127.0.0.1 is more than one member" in ambiguous["msg"]


def test_leadership_moves_away_once(run: Run, cluster: Cluster) -> None:
    leader = run(etcd_info, cluster)["leader"]

    planned = run(etcd_guard, cluster, member=leader, move_leader=True, _ansible_check_mode=True)
    assert planned["changed"]
    assert planned["leader"] != leader
    assert run(etcd_info, cluster)["leader"] == leader

    moved = run(etcd_guard, cluster, member=leader, move_leader=True)
    assert moved["changed"], moved
    assert run(etcd_info, cluster)["leader"] == moved["leader"] != leader
    assert not run(etcd_guard, cluster, member=leader, move_leader=True)["changed"]


def test_a_dead_follower_and_its_return(run: Run, cluster: Cluster) -> None:
    info = run(etcd_info, cluster)
    dead, other, leader = info["order"]
    cluster.named(dead).kill()

    sick = run(etcd_info, cluster)
    assert (sick["healthy"], sick["has_quorum"], sick["leader"]) == (False, True, leader)
    assert seen(sick)[dead] == (False, False, True)
    for operation in ("restart", "upgrade", "defragment", "remove"):
        refused = run(etcd_guard, cluster, member=other, operation=operation, move_leader=True)
        assert refused["failed"]
        assert f"{dead} ({cluster.named(dead).peer}) is not healthy" in refused["msg"]
    assert not run(etcd_guard, cluster, member=dead, operation="restart").get("failed")
    late = run(etcd_guard, cluster, member=dead, state="caught_up", wait_timeout=1)
    assert late["failed"]
    assert f"{dead} has not caught up within 1 seconds: it is not healthy" in late["msg"]

    for number in range(30):
        cluster.ctl("put", f"/k/{number}", "x")
    cluster.named(dead).start(cluster.initial)
    back = run(etcd_guard, cluster, member=dead, state="caught_up", wait_timeout=60, max_lag=0)
    assert not back.get("failed"), back
    assert back["lag"] == 0
    assert not run(etcd_guard, cluster, member=other).get("failed")


def test_a_dead_leader_is_removed_and_replaced(run: Run, cluster: Cluster) -> None:
    old = cluster.named(run(etcd_info, cluster)["leader"])
    old.kill()
    others = [member.name for member in cluster.members if member is not old]
    cluster.wait(lambda: run(etcd_info, cluster)["leader"] in others)

    refused = run(etcd_member, cluster, name=others[0], state="absent")
    assert refused["failed"]
    assert len(run(etcd_info, cluster)["members"]) == 3
    planned = run(etcd_member, cluster, name=old.name, state="absent", _ansible_check_mode=True, _ansible_diff=True)
    assert planned["actions"] == ["removed"]
    assert f"{old.name} {old.peer} voting" not in planned["diff"][0]["after"]
    assert len(run(etcd_info, cluster)["members"]) == 3

    removed = run(etcd_member, cluster, name=old.name, state="absent")
    assert removed["changed"], removed
    assert not run(etcd_member, cluster, name=old.name, state="absent")["changed"]
    assert len(run(etcd_info, cluster)["members"]) == 2

    cluster.members.remove(old)
    (cluster.folder / "new").mkdir()
    new = Member(cluster.folder / "new", old.name)
    joined(run, cluster, new)
    assert run(etcd_info, cluster)["healthy"]
    assert "kept" in cluster.ctl("get", "/before").stdout


def joined(run: Run, cluster: Cluster, new: Member) -> None:
    """Add a member as a learner, start it with what the module returned, and promote it."""
    cluster.ctl("put", "/before", "kept")
    options = {"name": new.name, "peer_urls": [new.peer]}
    planned = run(etcd_member, cluster, **options, _ansible_check_mode=True)
    assert planned["actions"] == ["added"]
    assert len(run(etcd_info, cluster)["members"]) == len(cluster.members)

    added = run(etcd_member, cluster, **options)
    assert added.get("changed"), added
    assert added["initial_cluster"] == planned["initial_cluster"]
    assert added["member"]["learner"]
    again = run(etcd_member, cluster, **options)
    assert (again["changed"], again["pending"]) == (False, "it has not started")
    refused = run(etcd_guard, cluster, member=cluster.members[0].name)
    assert f"the member at {new.peer} was added but has never started" in refused["msg"]
    third = run(etcd_member, cluster, name="other", peer_urls=["http://127.0.0.1:1"])
    assert "has never started: start it or remove it before a member is added" in third["msg"]

    cluster.members.append(new)
    new.start(added["initial_cluster"], f"--initial-cluster-state={added['initial_cluster_state']}")
    promoted = run(etcd_member, cluster, **options, promote_timeout=60)
    assert promoted.get("actions") == ["promoted"], promoted["msg"]
    assert not promoted["member"]["learner"]
    last = run(etcd_member, cluster, **options, promote_timeout=60)
    assert (last["changed"], last["pending"], last["diff"]) == (False, "", [])


def test_a_member_is_added_and_the_leader_removed(run: Run, cluster: Cluster) -> None:
    leader = run(etcd_info, cluster)["leader"]
    joined(run, cluster, Member(cluster.folder, "m3"))

    info = run(etcd_info, cluster)
    assert (info["voters"], info["quorum"]) == (4, 3)
    elsewhere = run(etcd_member, cluster, name="m3", peer_urls=["http://127.0.0.1:1"])
    assert "m3 (" in elsewhere["msg"]
    assert "Remove the old one first" in elsewhere["msg"]
    taken = run(etcd_member, cluster, name="m9", peer_urls=[cluster.named("m3").peer])
    assert "belongs to m3" in taken["msg"]

    leader = run(etcd_info, cluster)["leader"]
    removed = run(etcd_member, cluster, name=leader, state="absent")
    assert removed["actions"] == ["moved_leader", "removed"], removed
    info = run(etcd_info, cluster)
    assert leader not in seen(info)
    assert info["healthy"], info


def test_a_learner_that_never_started_is_removed(run: Run, cluster: Cluster) -> None:
    peer = f"http://127.0.0.1:{free_port()}"
    assert run(etcd_member, cluster, name="m3", peer_urls=[peer])["changed"]
    late = run(etcd_member, cluster, name="m3", peer_urls=[peer], promote_timeout=1)
    assert "m3 cannot be promoted after 1 seconds: it has not started" in late["msg"]

    removed = run(etcd_member, cluster, name="m3", peer_urls=[peer], state="absent")

    assert removed.get("actions") == ["removed"], removed
    assert run(etcd_info, cluster)["healthy"]


def test_without_the_quorum_everything_is_refused(run: Run, cluster: Cluster) -> None:
    names = run(etcd_info, cluster)["order"]
    for name in names[1:]:
        cluster.named(name).kill()
    time.sleep(2)
    last = cluster.named(names[0])
    assert last.process
    before = {path: path.stat().st_size for path in (cluster.folder / last.name / "member" / "snap").iterdir()}

    info = run(etcd_info, cluster)
    assert not info.get("failed"), info
    assert (info["healthy"], info["has_quorum"]) == (False, False)
    assert sum(one["started"] for one in info["members"]) == 3
    for name in names:
        for operation in ("restart", "upgrade", "defragment", "remove"):
            refused = run(etcd_guard, cluster, member=name, operation=operation, move_leader=True, timeout=1)
            assert refused["failed"]
            assert "the cluster has no quorum" in refused["msg"]
            assert not refused["changed"]
    for options in (
        {"name": names[1], "state": "absent"},
        {"name": names[1], "state": "absent", "force": True},
        {"name": "m3", "peer_urls": ["http://127.0.0.1:1"]},
    ):
        refused = run(etcd_member, cluster, **options)
        assert refused["failed"]
        assert "the cluster has no quorum" in refused["msg"]
    assert last.process.poll() is None
    assert before == {path: path.stat().st_size for path in (cluster.folder / last.name / "member" / "snap").iterdir()}

    for name in names[1:]:
        cluster.named(name).start(cluster.initial)
    cluster.wait(lambda: run(etcd_info, cluster)["healthy"])
    assert set(seen(run(etcd_info, cluster))) == set(names)


def test_nospace(run: Run, tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, 3, "--quota-backend-bytes=400000")
    try:
        cluster.wait(lambda: cluster.ctl("put", f"/k/{time.monotonic()}", "x" * 90_000, check=False).returncode != 0)
        cluster.wait(lambda: bool(run(etcd_info, cluster)["alarms"]))
        info = run(etcd_info, cluster)
        assert (info["alarms"], info["healthy"], info["has_quorum"]) == (["NOSPACE"], False, True)
        assert all(one["healthy"] for one in info["members"])
        refused = run(etcd_guard, cluster, member="m0", operation="restart")
        assert "has raised the alarm NOSPACE" in refused["msg"]
        assert not run(etcd_guard, cluster, member="m0", operation="defragment").get("failed")
    finally:
        cluster.stop()


def test_a_single_member(run: Run, tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, 1)
    try:
        refused = run(etcd_guard, cluster, member="m0")
        assert "while m0 (" in refused["msg"]
        assert not run(etcd_guard, cluster, member="127.0.0.1", allow_downtime=True, move_leader=True)["changed"]
        assert "is the only voting member" in run(etcd_member, cluster, name="m0", state="absent")["msg"]
        joined(run, cluster, Member(tmp_path, "m1"))
        assert run(etcd_info, cluster)["quorum"] == 2
    finally:
        cluster.stop()
