"""The modules that talk to a cluster: only etcdctl, with the answers of its versions, and systemctl are played."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd import members
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import restart_due
from ansible_collections.groundwork.kubernetes.plugins.modules import etcd_guard, etcd_info, etcd_member, etcd_service

Result = dict[str, Any]
Answer = tuple[int, str, str]
ID = 10618452829079870490  # beyond what a double holds


def client(number: int) -> str:
    return f"https://10.0.0.{number}:2379"


def peer(number: int) -> str:
    return f"https://10.0.0.{number}:2380"


def url_list(*numbers: int) -> str:
    return ",".join(client(number) for number in numbers)


@dataclass
class Cluster:
    """Members 1 to size that answer as etcdctl of a version prints it."""

    root: Path
    run_module: Callable[..., Result]
    version: str = "3.5.30"
    size: int = 3
    leader: int = 1
    dead: set[int] = field(default_factory=set)
    learners: set[int] = field(default_factory=set)
    unstarted: set[int] = field(default_factory=set)
    alarms: dict[int, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    changes: list[list[str]] = field(default_factory=list)
    ran: list[list[str]] = field(default_factory=list)

    def run(self, module: Any, **options: Any) -> Result:
        (self.root / "etcdctl").touch(0o755)
        endpoints = options.pop("endpoints", [client(number) for number in (1, 2, 3)])
        return self.run_module(module, bin_dir=str(self.root), endpoints=endpoints, **options)

    @property
    def quorum(self) -> bool:
        voters = [number for number in self.numbers if number not in self.learners]
        down = [number for number in voters if number in self.dead | self.unstarted]
        return len(voters) - len(down) > len(voters) / 2

    @property
    def numbers(self) -> range:
        return range(1, self.size + 1)

    def command(self, command: list[str]) -> Answer:  # noqa: PLR0911
        if command[1:] == ["version"]:
            return 0, f"etcdctl version: {self.version}\n", ""
        self.ran.append([os.path.basename(command[0]), *command[1:]])
        asked = [int(url.split(".")[3].split(":")[0]) for url in command[1].partition("=")[2].split(",")]
        words = [word for word in command[2:] if not word.startswith(("--dial", "--command", "--cacert", "--write"))]
        if words[:2] == ["endpoint", "health"]:
            return self.health(asked)
        if words[:2] == ["endpoint", "status"]:
            found = [self.status(number) for number in asked if number not in self.dead]
            return int(len(found) < len(asked)), json.dumps(found), ""
        local = words == ["member", "list"] and self.version.startswith("3.4") and not self.dead.issuperset(asked)
        if self.dead.issuperset(asked) or not (self.quorum or local):
            return 1, "", "Error: context deadline exceeded"
        if words == ["member", "list"]:
            return 0, json.dumps({"header": {}, "members": [self.record(number) for number in self.numbers]}), ""
        if words == ["alarm", "list"]:
            found = [{"memberID": ID + number, "alarm": kind} for number, kind in self.alarms.items()]
            return 0, json.dumps({"alarms": found} if found else {}), ""
        return self.change(command[1], words)

    def change(self, endpoints: str, words: list[str]) -> Answer:
        if self.failures:
            return 1, "", f"Error: {self.failures.pop(0)}"
        self.changes.append([endpoints, *words])
        if words[0] == "move-leader":
            self.leader = int(words[1], 16) - ID
        elif words[1] == "add":
            self.size += 1
            self.unstarted.add(self.size)
            self.learners |= {self.size} if "--learner" in words else set()
        elif words[1] == "promote":
            self.learners.discard(int(words[2], 16) - ID)
        elif words[1] == "remove":
            assert int(words[2], 16) - ID == self.size
            self.size -= 1
        return 0, "done", ""

    def health(self, asked: list[int]) -> Answer:
        found = []
        for number in asked:
            error = "context deadline exceeded" if number in self.dead or not self.quorum else ""
            if number in self.learners:
                error = error or "etcdserver: rpc not supported for learner"
            if self.alarms and not self.version.startswith("3.4"):
                error = error or "Active Alarm(s): NOSPACE "
            found.append({"endpoint": client(number), "health": not error, **({"error": error} if error else {})})
        return int(any("error" in one for one in found)), json.dumps(found), "Error: unhealthy cluster"

    def status(self, number: int) -> dict[str, Any]:
        status: dict[str, Any] = {
            "header": {"member_id": ID + number, "revision": 9}, "version": self.version, "dbSize": 300,
            "dbSizeInUse": 200, "raftIndex": 50, "raftAppliedIndex": 50, "raftTerm": 2,
        }  # fmt: skip
        if self.quorum:
            status["leader"] = ID + self.leader
        else:
            status["errors"] = ["etcdserver: no leader"]
        if self.alarms:
            status["errors"] = [f"memberID:{ID + one} alarm:NOSPACE " for one in self.alarms]
        if number in self.learners:
            status["isLearner"] = True
        if self.version >= "3.6":
            status.update(storageVersion="3.6.0", dbSizeQuota=2147483648)
        return {"Endpoint": client(number), "Status": status}

    def record(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = {"ID": ID + number, "peerURLs": [peer(number)]}
        if number not in self.unstarted:
            found.update(name=f"m{number}", clientURLs=[client(number)])
        if number in self.learners:
            found["isLearner"] = True
        return found


@pytest.fixture
def etcd(tmp_path: Path, run_module: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> Cluster:
    found = Cluster(tmp_path, run_module)
    monkeypatch.setattr(AnsibleModule, "run_command", lambda module, command, **options: found.command(command))
    for module in (members, etcd_member):
        monkeypatch.setattr(module, "PAUSE", 0)
    return found


def call(endpoints: str, *words: str) -> list[str]:
    return [
        "etcdctl", f"--endpoints={endpoints}", "--dial-timeout=2s", "--command-timeout=5s", *words, "--write-out=json"
    ]  # fmt: skip


VERSIONS = pytest.mark.parametrize("version", ["3.4.23", "3.5.30", "3.6.15"])


@VERSIONS
def test_info(etcd: Cluster, version: str) -> None:
    etcd.version = version
    result = etcd.run(etcd_info)

    assert etcd.ran == [
        call(url_list(1, 2, 3), "endpoint", "health"),
        call(url_list(1, 2, 3), "member", "list"),
        call(url_list(1, 2, 3), "endpoint", "health"),
        call(url_list(1, 2, 3), "endpoint", "status"),
        call(url_list(1, 2, 3), "alarm", "list"),
    ]
    assert {key: result[key] for key in result if key not in ("members", "invocation")} == {
        "changed": False, "healthy": True, "has_quorum": True, "quorum": 2, "voters": 3, "leader": "m1", "alarms": [],
        "order": ["m2", "m3", "m1"], "error": "", "faults": [],
    }  # fmt: skip
    assert result["members"][0] == {
        "id": f"{ID + 1:x}", "name": "m1", "peer_urls": [peer(1)], "client_urls": [client(1)], "learner": False,
        "started": True, "healthy": True, "leader": True, "error": "", "version": version, "db_size": 300,
        "db_in_use": 200, "db_quota": 2147483648 if version == "3.6.15" else None, "raft_term": 2, "raft_index": 50,
        "raft_applied_index": 50, "alarms": [],
    }  # fmt: skip


@VERSIONS
def test_info_of_a_cluster_without_quorum(etcd: Cluster, version: str) -> None:
    etcd.version, etcd.dead = version, {2, 3}
    result = etcd.run(etcd_info)

    assert (result["healthy"], result["has_quorum"], result["leader"]) == (False, False, "")
    assert [one["healthy"] for one in result["members"]] == [False, False, False]
    assert result["error"] == ("" if version == "3.4.23" else "Error: context deadline exceeded")
    assert [one["client_urls"] for one in result["members"]] == [[client(1)], [client(2)], [client(3)]]
    assert result["members"][0]["error"] == "etcdserver: no leader"


@VERSIONS
def test_info_with_an_alarm(etcd: Cluster, version: str) -> None:
    etcd.version, etcd.alarms = version, {2: 1, 9: 2}
    result = etcd.run(etcd_info)

    assert (result["healthy"], result["has_quorum"], result["alarms"]) == (False, True, ["CORRUPT", "NOSPACE"])
    assert [fault.partition(" the alarm ")[2].partition(":")[0] for fault in result["faults"]] == [
        "NOSPACE", "CORRUPT",
    ]  # fmt: skip
    assert [(one["healthy"], one["alarms"]) for one in result["members"]] == [
        (True, []), (True, ["NOSPACE"]), (True, []),
    ]  # fmt: skip


def test_one_endpoint_leads_to_all_members(etcd: Cluster) -> None:
    etcd.dead = {3}
    result = etcd.run(etcd_info, endpoints=[client(2)])
    assert [(one["name"], one["healthy"]) for one in result["members"]] == [("m1", True), ("m2", True), ("m3", False)]


def test_guard_moves_leadership(etcd: Cluster) -> None:
    planned = etcd.run(etcd_guard, member="m1", move_leader=True, _ansible_check_mode=True)
    assert (planned["changed"], planned["leader"], etcd.changes) == (True, "m2", [])

    moved = etcd.run(etcd_guard, member="m1", move_leader=True)
    again = etcd.run(etcd_guard, member="m1", move_leader=True)

    assert (moved["changed"], moved["leader"], again["changed"]) == (True, "m2", False)
    assert moved["diff"][0]["before"] == "m1\n"
    assert etcd.changes == [[f"--endpoints={client(1)}", "move-leader", f"{ID + 2:x}"]]
    assert "--write-out=json" not in next(command for command in etcd.ran if "move-leader" in command)


@pytest.mark.parametrize("operation", ["restart", "upgrade", "defragment", "remove"])
def test_guard_refuses_and_touches_nothing(etcd: Cluster, operation: str) -> None:
    etcd.dead = {3}
    result = etcd.run(etcd_guard, member="m1", operation=operation, move_leader=True)

    assert result["failed"]
    assert result["msg"].startswith(f"It is not safe to {operation} m1: m3 ({peer(3)}) is not healthy")
    assert result["msg"].endswith("Nothing was changed.")
    assert len(result["reasons"]) == 1
    assert result["order"] == ["m3", "m2", "m1"]
    assert etcd.changes == []


def test_guard_knows_its_members(etcd: Cluster) -> None:
    result = etcd.run(etcd_guard, member="m7")
    assert "m7 is not a member of the cluster. Its members are m1 (" in result["msg"]


def test_guard_waits(etcd: Cluster) -> None:
    etcd.dead = {2}
    late = etcd.run(etcd_guard, member="m2", state="caught_up", wait_timeout=0)
    assert late["msg"] == "m2 has not caught up within 0 seconds: it is not healthy (context deadline exceeded)"
    assert not etcd.run(etcd_guard, member="m2", state="caught_up", _ansible_check_mode=True).get("failed")
    etcd.dead = set()
    assert etcd.run(etcd_guard, member="m2", state="caught_up")["lag"] == 0


def test_member_from_added_to_promoted(etcd: Cluster) -> None:
    options = {"name": "m4", "peer_urls": [peer(4)]}
    planned = etcd.run(etcd_member, **options, _ansible_check_mode=True)
    assert (planned["changed"], planned["actions"], etcd.changes) == (True, ["added"], [])

    etcd.failures = ["etcdserver: unhealthy cluster"]  # too early, so it is tried again
    added = etcd.run(etcd_member, **options)
    assert etcd.changes == [
        [f"--endpoints={url_list(1, 2, 3)}", "member", "add", "m4", f"--peer-urls={peer(4)}", "--learner"]
    ]
    assert added["initial_cluster"] == ",".join(f"m{number}={peer(number)}" for number in (1, 2, 3, 4))
    assert added["initial_cluster"] == planned["initial_cluster"]
    assert (added["initial_cluster_state"], added["pending"]) == ("existing", "it has not started")
    assert added["diff"][0]["after"].splitlines()[-1] == f"not started {peer(4)} learner"

    again = etcd.run(etcd_member, **options)
    assert (again["changed"], again["pending"]) == (False, "it has not started")

    etcd.unstarted = set()
    would = etcd.run(etcd_member, **options, _ansible_check_mode=True)
    promoted = etcd.run(etcd_member, **options)
    last = etcd.run(etcd_member, **options)
    assert (would["actions"], promoted["actions"], last["actions"]) == (["promoted"], ["promoted"], [])
    assert promoted["diff"] == would["diff"]
    assert promoted["diff"][0]["after"].splitlines()[-1] == f"m4 {peer(4)} voting"
    assert etcd.changes[1:] == [[f"--endpoints={url_list(1, 2, 3)}", "member", "promote", f"{ID + 4:x}"]]


def test_a_member_is_there_however_its_address_is_written(etcd: Cluster) -> None:
    etcd.size, etcd.learners = 4, {4}
    spelled = [peer(4).replace("10.0.0.4", "[::FFFF:10.0.0.4]") + "/"]
    would = etcd.run(etcd_member, name="m4", peer_urls=spelled, _ansible_check_mode=True)
    assert (would["actions"], would["diff"][0]["after"].splitlines()[-1]) == (["promoted"], f"m4 {peer(4)} voting")
    etcd.learners = set()
    assert not etcd.run(etcd_member, name="m4", peer_urls=spelled)["changed"]
    other = etcd.run(etcd_member, name="m9", peer_urls=spelled)
    assert "belongs to m4 (" in other["msg"]
    assert etcd.changes == []


@pytest.mark.parametrize(("timeout", "failed"), [(0, False), (1, True)])
def test_etcd_says_that_the_learner_is_not_ready(etcd: Cluster, timeout: int, failed: bool) -> None:
    etcd.size, etcd.learners = 4, {4}
    etcd.failures = ["etcdserver: can only promote a learner member which is in sync with leader"] * 1_000_000
    result = etcd.run(etcd_member, name="m4", peer_urls=[peer(4)], promote_timeout=timeout)
    assert result.get("failed", False) is failed
    assert "in sync with leader" in result["msg" if failed else "pending"]


def test_member_is_removed_by_the_others(etcd: Cluster) -> None:
    etcd.leader = 3
    planned = etcd.run(etcd_member, name="m3", state="absent", _ansible_check_mode=True)
    removed = etcd.run(etcd_member, name="m3", state="absent")
    again = etcd.run(etcd_member, name="m3", state="absent")

    assert planned["actions"] == removed["actions"] == ["moved_leader", "removed"]
    assert (again["changed"], again["diff"]) == (False, [])
    assert removed["diff"][0]["after"] == f"m1 {peer(1)} voting\nm2 {peer(2)} voting\n"
    assert etcd.changes == [
        [f"--endpoints={client(3)}", "move-leader", f"{ID + 1:x}"],
        [f"--endpoints={url_list(1, 2)}", "member", "remove", f"{ID + 3:x}"],
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "m3", "peer_urls": [peer(9)]}, "Remove the old one first (state=absent"),
        ({"name": "m9", "peer_urls": [peer(3)]}, f"{peer(3)} in peer_urls belongs to m3 ("),
        ({"name": "m9"}, "state is present but all of the following are missing: peer_urls"),
    ],
)
def test_wrong_input_changes_nothing(etcd: Cluster, options: dict[str, Any], message: str) -> None:
    result = etcd.run(etcd_member, **options)
    assert result["failed"]
    assert message in result["msg"]
    assert etcd.changes == []


def test_force_goes_past_the_guard_but_not_without_quorum(etcd: Cluster) -> None:
    etcd.dead = {2}
    options = {"name": "m4", "peer_urls": [peer(4)]}
    refused = etcd.run(etcd_member, **options)
    assert f"m2 ({peer(2)}) is not healthy" in refused["msg"]
    assert refused["reasons"]
    assert etcd.run(etcd_member, **options, force=True)["actions"] == ["added"]

    etcd.dead, etcd.changes = {1, 2}, []
    refused = etcd.run(etcd_member, **options, force=True)
    assert "the cluster has no quorum" in refused["msg"]
    assert etcd.changes == []


# The module etcd_service


@dataclass
class Unit:
    """A unit of systemd, beside a cluster."""

    cluster: Cluster
    active: str = "active"
    file_state: str = "enabled"
    load: str = "loaded"
    reload: str = "no"
    age: int = 1000
    crashes: bool = False
    restarts: int = 0
    starts: int = 1
    calls: list[str] = field(default_factory=list)

    def command(self, command: list[str]) -> Answer:
        program, *words = command
        if os.path.basename(program) == "journalctl":
            return 0, '{"level":"info","msg":"fine"}\n{"level":"fatal","msg":"bad","error":"no"}\nended', ""
        if os.path.basename(program) != "systemctl":
            return self.cluster.command(command)
        if "--property=NRestarts" in words:
            self.restarts += self.crashes
            return 0, f"{self.restarts}\n", ""
        if words[0] == "show":
            started = int((time.monotonic() - self.age) * 1e6) if self.active != "inactive" else 0
            values = {
                "LoadState": self.load, "ActiveState": self.active, "UnitFileState": self.file_state,
                "FragmentPath": "/etc/systemd/system/etcd.service", "NeedDaemonReload": self.reload,
                "ExecMainStartTimestampMonotonic": started,
                "InvocationID": f"{self.starts:032x}" if self.active != "inactive" else "",
            }  # fmt: skip
            return 0, "".join(f"{name}={value}\n" for name, value in values.items()), ""
        self.calls.append(" ".join(words))
        if words[0] in ("start", "restart"):
            self.active, self.age, self.starts = "active", 0, self.starts + 1
        if words[0] == "enable":
            self.file_state = "enabled"
        if words[0] == "daemon-reload":
            self.reload, self.load = "no", "loaded"
        return 0, "", ""


@pytest.fixture
def unit(etcd: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Unit:
    found = Unit(etcd)
    monkeypatch.setattr(AnsibleModule, "run_command", lambda module, command, **options: found.command(command))
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda module, name, **options: f"/usr/bin/{name}")
    monkeypatch.setattr(etcd_service, "PAUSE", 0)
    monkeypatch.setattr(restart_due, "FOLDER", str(tmp_path / "services"))
    path = tmp_path / "etcd.env"
    path.touch()
    os.utime(path, (time.time() - 500, time.time() - 500))
    return found


def serve(unit: Unit, state: str, member: str = "m2", **options: Any) -> Result:
    files = [str(unit.cluster.root / "etcd.env")] if options.pop("newer", False) else []
    return unit.cluster.run(etcd_service, member=member, state=state, files=files, **options)


RESTART = "restart --no-block etcd.service"
CASES = [
    # unit, options, calls
    ({}, {"state": "started"}, []),
    ({}, {"state": "started", "newer": True}, []),
    (
        {"active": "inactive", "file_state": "disabled"}, {"state": "started"},
        ["enable etcd.service", "start --no-block etcd.service"],
    ),
    ({"active": "activating"}, {"state": "started"}, []),
    # One that does not serve is restarted without asking anybody.
    ({"active": "activating"}, {"state": "started", "newer": True}, [RESTART]),
    ({"active": "activating"}, {"state": "restarted", "newer": True}, [RESTART]),
    ({"reload": "yes"}, {"state": "started"}, ["daemon-reload"]),
    ({}, {"state": "restarted"}, []),
    ({}, {"state": "restarted", "newer": True}, [RESTART]),
    ({}, {"state": "restarted", "restart": True}, [RESTART]),
    ({"reload": "yes"}, {"state": "restarted"}, ["daemon-reload", RESTART]),
]  # fmt: skip


@pytest.mark.parametrize(("values", "options", "calls"), CASES)
def test_service(unit: Unit, values: dict[str, Any], options: dict[str, Any], calls: list[str]) -> None:
    for name, value in values.items():
        setattr(unit, name, value)
    planned = serve(unit, **options, _ansible_check_mode=True, _ansible_diff=True)
    assert (planned["changed"], unit.calls) == (bool(calls), [])
    assert ("diff" in planned) is bool(calls)
    done = serve(unit, **options)
    assert (done["changed"], unit.calls) == (bool(calls), calls)
    assert done["actions"] == planned["actions"] == [call.split()[0] for call in calls]
    if "restart" not in options:
        assert not serve(unit, **options)["changed"]


def test_a_start_that_leaves_a_running_member_alone_does_not_hide_its_restart(unit: Unit) -> None:
    assert serve(unit, "started", newer=True)["actions"] == []
    assert serve(unit, "started", newer=True)["actions"] == []
    assert serve(unit, "restarted", newer=True)["actions"] == ["restart"]
    assert serve(unit, "restarted", newer=True)["actions"] == []


def test_a_file_that_is_older_than_the_start_is_seen_to_have_changed(unit: Unit) -> None:
    unit.age = 100  # a paused machine's clock puts the start after the file
    assert serve(unit, "restarted", newer=True)["actions"] == []
    path = unit.cluster.root / "etcd.env"
    path.write_text("changed")
    os.utime(path, (time.time() - 400, time.time() - 400))
    assert serve(unit, "restarted", newer=True)["actions"] == ["restart"]


def test_a_new_unit_is_planned(unit: Unit) -> None:
    unit.load, unit.active, unit.file_state = "not-found", "inactive", ""
    planned = serve(unit, "started", _ansible_check_mode=True)
    assert (planned["actions"], unit.calls) == (["enable", "start"], [])
    assert serve(unit, "started")["actions"] == ["enable", "start"]
    assert unit.calls[0] == "daemon-reload"


def test_the_leader_hands_over_before_its_restart(unit: Unit) -> None:
    planned = serve(unit, "restarted", "m1", newer=True, _ansible_check_mode=True)
    done = serve(unit, "restarted", "m1", newer=True)
    assert planned["actions"] == done["actions"] == ["move-leader", "restart"]
    assert (unit.cluster.leader, unit.calls, done["lag"]) == (2, [RESTART], 0)
    assert unit.cluster.changes == [[f"--endpoints={client(1)}", "move-leader", f"{ID + 2:x}"]]


@pytest.mark.parametrize("operation", ["restart", "upgrade"])
def test_a_restart_that_could_cost_the_quorum_is_refused(unit: Unit, operation: str) -> None:
    unit.cluster.dead = {3}
    result = serve(unit, "restarted", newer=True, operation=operation)
    assert result["msg"].startswith(f"It is not safe to {operation} m2: m3 (")
    assert result["reasons"]
    assert unit.calls == []
    # Nothing is asked where nothing is due.
    assert not serve(unit, "restarted")["changed"]


def test_a_restart_with_downtime(unit: Unit) -> None:
    unit.cluster.size = 1
    assert "It is not safe to restart m1" in serve(unit, "restarted", "m1", newer=True)["msg"]
    assert serve(unit, "restarted", "m1", newer=True, allow_downtime=True)["actions"] == ["restart"]


def test_unknown_member(unit: Unit) -> None:
    assert "m9 is not a member of the cluster" in serve(unit, "restarted", "m9", newer=True)["msg"]
    assert unit.calls == []


def test_ready(unit: Unit) -> None:
    result = serve(unit, "ready")
    assert (result["changed"], result["lag"], unit.calls) == (False, 0, [])


@pytest.mark.parametrize(
    ("crashes", "message"),
    [
        (True, "m3 cannot catch up: its service has ended 3 times since"),
        (False, "m3 has not caught up within 0 seconds: it is not healthy"),
    ],
)
def test_a_member_that_does_not_come_up_says_why(unit: Unit, crashes: bool, message: str) -> None:
    unit.cluster.dead, unit.crashes = {3}, crashes
    result = serve(unit, "ready", "m3", wait_timeout=60 if crashes else 0)
    assert message in result["msg"]
    assert result["msg"].splitlines()[1:] == [
        "The last messages of etcd.service on this host:",
        '{"level":"fatal","msg":"bad","error":"no"}',
    ]
    assert not serve(unit, "ready", "m3", wait_timeout=60, _ansible_check_mode=True).get("failed")


def test_a_masked_unit(unit: Unit) -> None:
    unit.load = "masked"
    assert "systemctl unmask etcd.service" in serve(unit, "started")["msg"]


def test_info_waits_for_the_quorum(etcd: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    etcd.dead = {1, 2}
    monkeypatch.setattr(etcd_info, "PAUSE", 0)
    monkeypatch.setattr(etcd_info.time, "sleep", lambda seconds: etcd.dead.clear())
    assert etcd.run(etcd_info, quorum_timeout=30)["has_quorum"]
