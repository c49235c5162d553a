"""Backups of a real etcd cluster: hosts that take turns, and leaders, members and hosts that are lost meanwhile.

GROUNDWORK_ETCD_DIR names the folder with the binaries: etcd, etcdctl and, from 3.5 on, etcdutl.
"""

# ruff: noqa: D102, D103

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from real_etcd import BINARIES, COLLECTIONS, Cluster, needs_etcd

pytestmark = needs_etcd
LEASE = 5
RUNNER = f"""
import json, sys
sys.path.insert(0, {str(COLLECTIONS)!r})
from ansible.module_utils.testing import patch_module_args
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd import lock
from ansible_collections.groundwork.kubernetes.plugins.modules import backup
lock.LEASE = {LEASE}
with patch_module_args(json.load(sys.stdin)):
    backup.main()
"""


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.005)
    raise AssertionError("it did not come to that in time")


def leader(cluster: Cluster) -> int:
    """The number of the leader."""
    statuses = json.loads(cluster.ctl("endpoint", "status", "--write-out=json", check=False).stdout)
    leaders = [one["Endpoint"] for one in statuses if one["Status"]["leader"] == one["Status"]["header"]["member_id"]]
    return cluster.endpoints.index(leaders[0])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    running = Cluster(tmp_path_factory.mktemp("etcd"))
    running.members[0].fill(3000, size=3000)
    running.members[0].identify("1f0c6a52-7f3e-4f0e-9a53-0d5f3f6a2b11")
    yield running
    running.stop()


class Host:
    """One of the hosts whose timers fire together."""

    def __init__(self, cluster: Cluster, folder: Path, number: int, **options: Any) -> None:
        self.cluster, self.number, self.folder = cluster, number, folder / f"cp-{number}"
        self.folder.mkdir(exist_ok=True)
        (self.folder / "ca.key").write_text("key")
        self.archives, self.metrics = self.folder / "backups", self.folder / "backup.prom"
        own = cluster.members[number].client
        endpoints = [own, *(url for url in cluster.endpoints if url != own)]
        self.options = {
            "bin_dir": str(BINARIES), "endpoints": endpoints, "directory": str(self.archives), "cluster": folder.name,
            "include": [str(self.folder / "ca.key")], "host": f"cp-{number}", "metrics_file": str(self.metrics),
            "take_turns": True, "unless_newer": 60, **options,
        }  # fmt: skip

    def start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", RUNNER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdin
        process.stdin.write(json.dumps(self.options))
        process.stdin.close()
        return process

    @staticmethod
    def result(process: subprocess.Popen[str]) -> dict[str, Any]:
        assert process.stdout
        lines = process.stdout.read().strip().splitlines()
        process.wait()
        found: dict[str, Any] = json.loads(lines[-1])
        return found

    def names(self) -> list[str]:
        return sorted(path.name for path in self.archives.iterdir()) if self.archives.exists() else []

    def saving(self) -> int:
        """The process that writes the snapshot, once it does."""
        for path in Path("/proc").glob("[0-9]*"):
            try:
                words = (path / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"save" in words and any(str(self.archives).encode() in word for word in words):
                return int(path.name)
        return 0


@pytest.fixture
def hosts(cluster: Cluster, tmp_path: Path) -> list[Host]:
    cluster.wait(cluster.healthy)
    return [Host(cluster, tmp_path, number) for number in range(3)]


def test_one_of_all_hosts_makes_the_backup(hosts: list[Host]) -> None:
    results = [Host.result(process) for process in [host.start() for host in hosts]]

    assert [result.get("msg") for result in results] == [None, None, None]
    made = [result for result in results if result["made"]]
    assert len(made) == 1
    assert sum(len(host.names()) for host in hosts) == 1
    for host, result in zip(hosts, results):
        text = host.metrics.read_text()
        assert f'last_run_success{{cluster="{host.options["cluster"]}"}} 1' in text
        assert f'last_run_skipped{{cluster="{host.options["cluster"]}"}} {int(not result["made"])}' in text
        assert "newest_on_any_host_timestamp_seconds" in text
        if not result["made"]:
            assert result["reason"] == f"{made[0]['manifest']['host']} made a proven backup 0 minutes ago"
    # A little later: nobody does. When it is older than the limit, one does.
    assert not Host.result(hosts[0].start())["made"]
    for host in hosts:
        host.options["unless_newer"] = 0
    assert Host.result(hosts[1].start())["made"]


def test_another_host_takes_over_from_one_that_dies(cluster: Cluster, hosts: list[Host]) -> None:
    first, second, _third = hosts
    doomed = first.start()
    saving = until(first.saving)
    os.kill(saving, signal.SIGSTOP)
    waiting = second.start()
    time.sleep(1)
    assert waiting.poll() is None
    assert second.names() == []

    # The host loses its power: the run, what it started, and its member.
    doomed.send_signal(signal.SIGKILL)
    os.kill(saving, signal.SIGKILL)
    cluster.members[0].kill()
    started = time.monotonic()
    result = Host.result(waiting)

    assert result.get("made"), result
    assert time.monotonic() - started < LEASE + 20
    assert result["manifest"]["host"] == "cp-1"
    cluster.members[0].start(cluster.initial)
    cluster.wait(cluster.healthy)
    # It comes back, has made nothing that counts, and has nothing to do.
    assert [name for name in first.names() if not name.startswith(".")] == []
    again = Host.result(first.start())
    assert (again["made"], again["reason"][:26]) == (False, "cp-1 made a proven backup ")
    first.options["unless_newer"] = 0
    assert Host.result(first.start())["made"]
    assert [name for name in first.names() if name.startswith(".")] == []


@pytest.mark.parametrize("target", [1, 0], ids=["away", "to the member that gives it"])
def test_a_leader_that_changes_during_a_save(cluster: Cluster, hosts: list[Host], target: int) -> None:
    host = hosts[0]
    old = leader(cluster)
    wanted = target if old != target else 2
    process = host.start()
    saving = until(host.saving)
    os.kill(saving, signal.SIGSTOP)
    [status] = json.loads(cluster.members[wanted].ctl("endpoint", "status", "--write-out=json").stdout)
    cluster.members[old].ctl("move-leader", f"{status['Status']['header']['member_id']:x}")
    until(lambda: leader(cluster) == wanted)
    os.kill(saving, signal.SIGCONT)
    result = Host.result(process)
    assert result.get("made"), result
    assert result["proof"]["passed"]


def test_a_member_that_dies_during_a_save(cluster: Cluster, hosts: list[Host]) -> None:
    """The next healthy one gives the snapshot, and nothing of the first attempt stays."""
    host = hosts[2]
    host.options["save_timeout"] = 15  # etcdctl goes on trying to reach a member that is gone
    process = host.start()
    saving = until(host.saving)
    os.kill(saving, signal.SIGSTOP)
    cluster.members[2].kill()
    os.kill(saving, signal.SIGCONT)
    result = Host.result(process)
    cluster.members[2].start(cluster.initial)

    # Where the whole snapshot was on its way already, it is good; else it came from another member.
    assert result.get("made"), result
    assert result["proof"]["passed"]
    if result["manifest"]["etcd"]["endpoint"] == cluster.members[2].client:
        assert "warnings" not in result
    else:
        assert "did not give a snapshot" in json.dumps(result["warnings"])
    assert len(host.names()) == 1


def test_without_a_quorum_it_fails_and_says_so(cluster: Cluster, hosts: list[Host]) -> None:
    cluster.members[1].kill()
    cluster.members[2].kill()
    try:
        result = Host.result(hosts[0].start())
    finally:
        cluster.members[1].start(cluster.initial)
        cluster.members[2].start(cluster.initial)
    assert "no endpoint is healthy" in result["msg"]
    assert f'last_run_success{{cluster="{hosts[0].options["cluster"]}"}} 0' in hosts[0].metrics.read_text()
    cluster.wait(cluster.healthy)


def test_a_turn_that_does_not_come(hosts: list[Host]) -> None:
    first, second = hosts[0], Host(hosts[0].cluster, hosts[0].folder.parent, 1, turn_timeout=1)
    holder = first.start()
    saving = until(first.saving)
    os.kill(saving, signal.SIGSTOP)
    result = Host.result(second.start())
    os.kill(saving, signal.SIGCONT)
    assert "another host has been making a backup for 1 seconds" in result["msg"]
    assert Host.result(holder)["made"]
