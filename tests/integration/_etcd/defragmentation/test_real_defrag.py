"""Defragmenting real etcd clusters of three processes on loopback.

GROUNDWORK_ETCD_DIR names the folder with the binaries: etcd and etcdctl.
"""

# ruff: noqa: D102, D103

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.modules import etcd_defrag, etcd_info
from real_etcd import BINARIES, COLLECTIONS, Cluster, Run, needs_etcd, run_by_timer

pytestmark = needs_etcd
VALUE = "x" * 50_000
NAMES = ["m0", "m1", "m2"]
RUNNER = f"""
import json, sys
sys.path.insert(0, {str(COLLECTIONS)!r})
from ansible.module_utils.testing import patch_module_args
from ansible_collections.groundwork.kubernetes.plugins.modules import etcd_defrag
with patch_module_args(json.load(sys.stdin)):
    etcd_defrag.main()
"""
WASTE = {"threshold": 30, "min_unused": 1_000_000}


class Wasteful(Cluster):
    """A cluster whose databases can be filled and emptied."""

    def file_size(self, name: str) -> int:
        return (self.named(name).data / "member" / "snap" / "db").stat().st_size

    def write(self, keys: int) -> None:
        for number in range(keys):
            self.ctl("put", f"/k/{number}", VALUE)

    def status(self) -> list[dict[str, Any]]:
        return [one["Status"] for one in json.loads(self.ctl("endpoint", "status", "--write-out=json").stdout)]

    def compact(self) -> None:
        """Forget all but the newest revision."""
        revision = str(max(one["header"]["revision"] for one in self.status()))
        self.ctl("compact", revision, "--physical")

    def is_half_empty(self) -> bool:
        # Pages that are freed count as unused from a later commit on.
        self.ctl("put", "/kept", "kept")
        return all(one["dbSizeInUse"] < one["dbSize"] / 2 for one in self.status())

    def waste(self, keys: int = 200) -> None:
        """Write keys, delete them, and forget that they were there."""
        self.write(keys)
        self.ctl("del", "--prefix", "/k/")
        self.compact()
        self.wait(self.is_half_empty)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Wasteful]:
    found = Wasteful(tmp_path)
    yield found
    found.stop()


@pytest.fixture
def run(run: Run) -> Run:
    """Run a module against a cluster: run(module, cluster, option=value, ...)."""
    return lambda module, cluster, **options: run(
        module, **{"bin_dir": str(BINARIES), "endpoints": cluster.endpoints, **options}
    )


def test_the_leader_comes_last_and_a_second_run_does_nothing(run: Run, cluster: Wasteful) -> None:
    assert not run(etcd_defrag, cluster, **WASTE)["changed"]
    cluster.waste()
    info = run(etcd_info, cluster)
    sizes = {name: cluster.file_size(name) for name in NAMES}

    planned = run(etcd_defrag, cluster, **WASTE, _ansible_check_mode=True, _ansible_diff=True)
    assert (planned["changed"], planned["defragmented"]) == (True, info["order"])
    assert planned["won"] > 20_000_000
    assert sizes == {name: cluster.file_size(name) for name in NAMES}
    assert run(etcd_info, cluster)["leader"] == info["leader"]

    done = run(etcd_defrag, cluster, **WASTE, _ansible_diff=True)
    assert done.get("defragmented") == info["order"], done
    assert info["order"][-1] == info["leader"] != done["leader"]
    assert done["leader"] == run(etcd_info, cluster)["leader"]
    for member in done["members"]:
        assert member["size_before"] == sizes[member["name"]]
        assert member["size_after"] < 1_000_000
        assert cluster.file_size(member["name"]) < 1_000_000
        assert member["seconds"] > 0
    assert done["won"] == sum(sizes.values()) - sum(one["size_after"] for one in done["members"])
    assert "etcd databases" in json.dumps(done["diff"])
    assert "kept" in cluster.ctl("get", "/kept").stdout

    again = run(etcd_defrag, cluster, **WASTE)
    assert (again["changed"], again["defragmented"], again["diff"]) == (False, [], [])
    forced = run(etcd_defrag, cluster, force=True)
    assert len(forced["defragmented"]) == 3


def test_one_member(run: Run, cluster: Wasteful) -> None:
    cluster.waste()
    follower, _other, leader = run(etcd_info, cluster)["order"]
    own = {"member": follower, "endpoints": [cluster.named(follower).client]}

    done = run(etcd_defrag, cluster, **own, **WASTE)
    assert done.get("defragmented") == [follower], done
    assert done["leader"] == leader
    assert not run(etcd_defrag, cluster, **own, **WASTE)["changed"]
    url = cluster.named(leader).client
    led = run(etcd_defrag, cluster, member=url, endpoints=[url], **WASTE)
    assert led.get("defragmented") == [leader], led
    assert led["leader"] != leader
    assert "m9 is not a member" in run(etcd_defrag, cluster, member="m9")["msg"]


def test_one_member_by_a_timer(cluster: Wasteful, tmp_path: Path) -> None:
    cluster.waste()
    url = cluster.named("m1").client
    options = {"bin_dir": str(BINARIES), "member": url, "endpoints": [url], **WASTE}
    assert run_by_timer(tmp_path, "etcd_defrag", **options).get("defragmented") == ["m1"]
    assert not run_by_timer(tmp_path, "etcd_defrag", **options)["changed"]
    assert cluster.file_size("m1") < 1_000_000


def start(**options: Any) -> subprocess.Popen[str]:
    """Begin a run as another host would."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdin
    process.stdin.write(json.dumps(options))
    process.stdin.close()
    process.stdin = None
    return process


def noted(folder: Path) -> Path:
    """A folder of programs whose etcdctl notes when a defragmentation begins and ends."""
    folder.mkdir()
    for path in BINARIES.iterdir():
        (folder / path.name).symlink_to(path)
    (folder / "etcdctl").unlink()
    (folder / "etcdctl").write_text(
        f"""#!/bin/sh
case " $* " in
    *" defrag "*)
        echo begin >> {folder}.log
        {BINARIES}/etcdctl "$@"
        rc=$?
        sleep 1
        echo end >> {folder}.log
        exit $rc ;;
    *) exec {BINARIES}/etcdctl "$@" ;;
esac
"""
    )
    (folder / "etcdctl").chmod(0o755)
    return folder


def test_hosts_whose_timers_go_off_together_take_turns(run: Run, cluster: Wasteful, tmp_path: Path) -> None:
    cluster.waste()
    own = {"bin_dir": str(noted(tmp_path / "noted")), **WASTE}
    runs = [start(member=one.name, endpoints=[one.client], **own) for one in cluster.members]
    done = [json.loads(one.communicate()[0]) for one in runs]
    assert [one.get("defragmented") for one in done] == [["m0"], ["m1"], ["m2"]], done
    assert (tmp_path / "noted.log").read_text().split() == ["begin", "end"] * 3
    assert run(etcd_defrag, cluster, force=True, turn_timeout=5)["changed"]


def test_the_lock_of_a_host_that_is_gone_passes_on(run: Run, cluster: Wasteful) -> None:
    cluster.waste()
    holder = subprocess.Popen(
        [f"{BINARIES}/etcdctl", f"--endpoints={cluster.members[1].client}", "lock", "--ttl=5", etcd_defrag.LOCK],
        env={"ETCDCTL_API": "3"}, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert holder.stdout
        assert holder.stdout.readline()
        own = {"member": "m0", "endpoints": [cluster.members[0].client], **WASTE}
        taken = run(etcd_defrag, cluster, **own, turn_timeout=1)
        assert "another host has been defragmenting for 1 seconds" in taken["msg"]
        assert (taken["failed"], taken["changed"]) == (True, False)
        waiting = start(bin_dir=str(BINARIES), **own)
        time.sleep(4)
        assert waiting.poll() is None
        holder.kill()
        assert json.loads(waiting.communicate()[0]).get("defragmented") == ["m0"]
    finally:
        holder.kill()
        holder.communicate()


def test_a_dead_member_stands_in_the_way(run: Run, cluster: Wasteful) -> None:
    cluster.waste()
    dead, other, leader = run(etcd_info, cluster)["order"]
    cluster.named(dead).kill()
    before = {name: cluster.file_size(name) for name in NAMES}
    for options in ({}, {"member": other}, {"force": True}, {"disarm": True}, {"_ansible_check_mode": True}):
        refused = run(etcd_defrag, cluster, **WASTE, **options, timeout=1)
        assert refused["failed"]
        assert f"{dead} ({cluster.named(dead).peer}) is not healthy" in refused["msg"]
        assert not refused["changed"]
    assert "as it is not healthy" in run(etcd_defrag, cluster, member=dead, timeout=1)["msg"]
    cluster.named(other).kill()
    lost = run(etcd_defrag, cluster, force=True, timeout=1)
    assert "the cluster has no quorum" in lost["msg"]
    assert before == {name: cluster.file_size(name) for name in NAMES}
    assert cluster.named(leader).process


def test_a_single_member(run: Run, tmp_path: Path) -> None:
    cluster = Wasteful(tmp_path, 1)
    try:
        cluster.waste()
        assert "while m0 (" in run(etcd_defrag, cluster, **WASTE)["msg"]
        assert run(etcd_defrag, cluster, **WASTE, allow_downtime=True).get("defragmented") == ["m0"]
    finally:
        cluster.stop()


def test_a_full_cluster_writes_again(run: Run, tmp_path: Path) -> None:
    cluster = Wasteful(tmp_path, 3, "--quota-backend-bytes=4000000")
    try:
        cluster.wait(lambda: cluster.ctl("put", "/k", VALUE, check=False).returncode != 0)
        cluster.wait(lambda: run(etcd_info, cluster)["alarms"] == ["NOSPACE"])
        cluster.ctl("defrag")
        if run(etcd_info, cluster)["members"][0]["db_quota"] is None:
            in_vain = run(etcd_defrag, cluster, disarm=True)
            assert "The alarm NOSPACE stays" in in_vain.get("msg", ""), in_vain
        assert run(etcd_info, cluster)["alarms"] == ["NOSPACE"]

        cluster.compact()
        assert not run(etcd_defrag, cluster)["changed"]
        assert "no lock while the alarm NOSPACE" in run(etcd_defrag, cluster, force=True)["msg"]
        planned = run(etcd_defrag, cluster, disarm=True, _ansible_check_mode=True)
        assert (planned["changed"], planned["disarmed"], planned["alarms"]) == (True, True, ["NOSPACE"])
        assert cluster.ctl("put", "/k", VALUE, check=False).returncode != 0

        done = run(etcd_defrag, cluster, disarm=True)
        assert done.get("disarmed"), done
        assert (len(done["defragmented"]), done["alarms"]) == (3, [])
        cluster.ctl("put", "/k", VALUE)
        again = run(etcd_defrag, cluster, disarm=True)
        assert (again["changed"], again["disarmed"]) == (False, False)
    finally:
        cluster.stop()
