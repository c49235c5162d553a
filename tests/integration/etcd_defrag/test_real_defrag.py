"""Defragmenting real etcd clusters of three processes on loopback.

GROUNDWORK_ETCD_DIR names the folder with the binaries: etcd and etcdctl.
"""

# ruff: noqa: D102, D103

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / ".build" / "collections"))

from ansible_collections.groundwork.kubernetes.plugins.modules import etcd_defrag, etcd_info  # noqa: E402

BINARIES = Path(os.environ.get("GROUNDWORK_ETCD_DIR", ""))
pytestmark = pytest.mark.skipif(
    not (BINARIES / "etcd").is_file(), reason="GROUNDWORK_ETCD_DIR names no folder with the binaries of etcd"
)
Result = dict[str, Any]
Run = Callable[..., Result]
VALUE = "x" * 50_000
WASTE = {"threshold": 30, "min_unused": 1_000_000}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Cluster:
    """Members m0 to m2, and etcdctl on all of them."""

    def __init__(self, folder: Path, size: int = 3, *options: str) -> None:
        self.folder, self.options = folder, options
        self.client = {f"m{number}": f"http://127.0.0.1:{free_port()}" for number in range(size)}
        self.peer = {name: f"http://127.0.0.1:{free_port()}" for name in self.client}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        for name in self.client:
            self.start(name)
        self.wait(lambda: self.ctl("endpoint", "health").returncode == 0)

    def start(self, name: str) -> None:
        initial = ",".join(f"{one}={peer}" for one, peer in self.peer.items())
        command = [
            f"{BINARIES}/etcd", f"--name={name}", f"--data-dir={self.folder / name}", f"--initial-cluster={initial}",
            f"--listen-client-urls={self.client[name]}", f"--advertise-client-urls={self.client[name]}",
            f"--listen-peer-urls={self.peer[name]}", f"--initial-advertise-peer-urls={self.peer[name]}",
            "--unsafe-no-fsync", *self.options,
        ]  # fmt: skip
        with open(self.folder / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes.pop(name).wait(30)

    def stop(self) -> None:
        for name in list(self.processes):
            self.kill(name)

    def wait(self, ready: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not ready():
            assert time.monotonic() < end, [path.read_text()[-2000:] for path in self.folder.glob("*.log")]
            time.sleep(0.2)

    def ctl(self, *command: str) -> subprocess.CompletedProcess[str]:
        environment = {"ETCDCTL_API": "3", "PATH": os.environ["PATH"]}
        arguments = [f"{BINARIES}/etcdctl", f"--endpoints={','.join(self.client.values())}", *command]
        return subprocess.run(arguments, check=False, capture_output=True, text=True, env=environment)

    def file_size(self, name: str) -> int:
        return (self.folder / name / "member" / "snap" / "db").stat().st_size

    def write(self, keys: int) -> None:
        for number in range(keys):
            assert self.ctl("put", f"/k/{number}", VALUE).returncode == 0

    def status(self) -> list[dict[str, Any]]:
        return [one["Status"] for one in json.loads(self.ctl("endpoint", "status", "--write-out=json").stdout)]

    def compact(self) -> None:
        """Forget all but the newest revision."""
        revision = str(max(one["header"]["revision"] for one in self.status()))
        assert self.ctl("compact", revision, "--physical").returncode == 0

    def is_half_empty(self) -> bool:
        # Pages that are freed count as unused from a later commit on.
        self.ctl("put", "/kept", "kept")
        return all(one["dbSizeInUse"] < one["dbSize"] / 2 for one in self.status())

    def waste(self, keys: int = 200) -> None:
        """Write keys, delete them, and forget that they were there."""
        self.write(keys)
        assert self.ctl("del", "--prefix", "/k/").returncode == 0
        self.compact()
        self.wait(self.is_half_empty)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    found = Cluster(tmp_path)
    yield found
    found.stop()


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a module in this process: run(module, cluster, option=value, ...)."""

    def call(module: ModuleType, cluster: Cluster, **options: Any) -> Result:
        capfd.readouterr()
        endpoints = list(cluster.client.values())
        given = {"bin_dir": str(BINARIES), "endpoints": endpoints, **options}
        with patch_module_args(given), pytest.raises(SystemExit):
            module.main()
        result: Result = json.loads(capfd.readouterr().out.strip().splitlines()[-1])
        return result

    return call


def test_the_leader_comes_last_and_a_second_run_does_nothing(run: Run, cluster: Cluster) -> None:
    assert not run(etcd_defrag, cluster, **WASTE)["changed"]
    cluster.waste()
    info = run(etcd_info, cluster)
    sizes = {name: cluster.file_size(name) for name in cluster.client}

    planned = run(etcd_defrag, cluster, **WASTE, _ansible_check_mode=True, _ansible_diff=True)
    assert (planned["changed"], planned["defragmented"]) == (True, info["order"])
    assert planned["won"] > 20_000_000
    assert sizes == {name: cluster.file_size(name) for name in cluster.client}
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


def test_one_member(run: Run, cluster: Cluster) -> None:
    cluster.waste()
    follower, _other, leader = run(etcd_info, cluster)["order"]
    own = {"member": follower, "endpoints": [cluster.client[follower]]}

    done = run(etcd_defrag, cluster, **own, **WASTE)
    assert done.get("defragmented") == [follower], done
    assert done["leader"] == leader
    assert not run(etcd_defrag, cluster, **own, **WASTE)["changed"]
    led = run(etcd_defrag, cluster, member=cluster.client[leader], endpoints=[cluster.client[leader]], **WASTE)
    assert led.get("defragmented") == [leader], led
    assert led["leader"] != leader
    assert "m9 is not a member" in run(etcd_defrag, cluster, member="m9")["msg"]


def test_a_dead_member_stands_in_the_way(run: Run, cluster: Cluster) -> None:
    cluster.waste()
    dead, other, leader = run(etcd_info, cluster)["order"]
    cluster.kill(dead)
    before = {name: cluster.file_size(name) for name in cluster.client}
    for options in ({}, {"member": other}, {"force": True}, {"disarm": True}, {"_ansible_check_mode": True}):
        refused = run(etcd_defrag, cluster, **WASTE, **options, timeout=1)
        assert refused["failed"]
        assert f"{dead} ({cluster.peer[dead]}) is not healthy" in refused["msg"]
        assert not refused["changed"]
    assert "as it is not healthy" in run(etcd_defrag, cluster, member=dead, timeout=1)["msg"]
    cluster.kill(other)
    lost = run(etcd_defrag, cluster, force=True, timeout=1)
    assert "the cluster has no quorum" in lost["msg"]
    assert before == {name: cluster.file_size(name) for name in cluster.client}
    assert leader in cluster.processes


def test_a_single_member(run: Run, tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, 1)
    try:
        cluster.waste()
        assert "while m0 (" in run(etcd_defrag, cluster, **WASTE)["msg"]
        assert run(etcd_defrag, cluster, **WASTE, allow_downtime=True).get("defragmented") == ["m0"]
    finally:
        cluster.stop()


def test_a_full_cluster_writes_again(run: Run, tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, 3, "--quota-backend-bytes=4000000")
    try:
        cluster.wait(lambda: cluster.ctl("put", "/k", VALUE).returncode != 0)
        cluster.wait(lambda: run(etcd_info, cluster)["alarms"] == ["NOSPACE"])
        assert cluster.ctl("defrag").returncode == 0
        if run(etcd_info, cluster)["members"][0]["db_quota"] is None:
            in_vain = run(etcd_defrag, cluster, disarm=True)
            assert "The alarm NOSPACE stays" in in_vain.get("msg", ""), in_vain
        assert run(etcd_info, cluster)["alarms"] == ["NOSPACE"]

        cluster.compact()
        assert not run(etcd_defrag, cluster)["changed"]
        planned = run(etcd_defrag, cluster, disarm=True, _ansible_check_mode=True)
        assert (planned["changed"], planned["disarmed"], planned["alarms"]) == (True, True, ["NOSPACE"])
        assert cluster.ctl("put", "/k", VALUE).returncode != 0

        done = run(etcd_defrag, cluster, disarm=True)
        assert done.get("disarmed"), done
        assert (len(done["defragmented"]), done["alarms"]) == (3, [])
        assert cluster.ctl("put", "/k", VALUE).returncode == 0
        again = run(etcd_defrag, cluster, disarm=True)
        assert (again["changed"], again["disarmed"]) == (False, False)
    finally:
        cluster.stop()
