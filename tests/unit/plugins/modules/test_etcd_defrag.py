"""The module etcd_defrag: only etcdctl is played, with the answers of its versions."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd import defragmentation, members
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.quorum import Cluster as Members
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.quorum import Member
from ansible_collections.groundwork.kubernetes.plugins.modules import etcd_defrag

Result = dict[str, Any]
Answer = tuple[int, str, str]
ID = 10618452829079870490  # beyond what a double holds
MIB = 1024 * 1024
# An etcdctl that holds a lock until it is told to end, then gives it back.
LOCK = """#!/bin/sh
echo "$1 $*" | sed 's/ .* / /' >> {root}/asked
touch {root}/held
trap 'rm {root}/held; exit 0' TERM
echo key
while :; do sleep 0.02; done
"""


def client(number: int) -> str:
    return f"https://10.0.0.{number}:2379"


def hex_id(number: int) -> str:
    return f"{ID + number:x}"


@dataclass
class Cluster:
    """Members m1 to m3: sizes and bytes in use in MiB, and what was done to them."""

    root: Path
    run_module: Callable[..., Result]
    version: str = "3.5.30"
    leader: int = 1
    sizes: dict[int, int] = field(default_factory=lambda: {1: 500, 2: 400, 3: 300})
    in_use: dict[int, int] = field(default_factory=lambda: {1: 100, 2: 100, 3: 100})
    kept: int = 0  # MiB that defragmenting does not win although they are not in use
    dead: set[int] = field(default_factory=set)
    learners: set[int] = field(default_factory=set)
    alarms: dict[int, int] = field(default_factory=dict)
    extra_urls: dict[int, str] = field(default_factory=dict)
    quota: int = 0
    fault: str = ""
    dies: dict[int, int] = field(default_factory=dict)  # who is dead once another one was defragmented
    changes: list[list[str]] = field(default_factory=list)
    ran: list[list[str]] = field(default_factory=list)
    lock: str = LOCK

    def run(self, **options: Any) -> Result:
        (self.root / "etcdctl").write_text(self.lock.format(root=self.root))
        (self.root / "etcdctl").chmod(0o755)
        endpoints = options.pop("endpoints", [client(number) for number in sorted(self.sizes)])
        return self.run_module(etcd_defrag, bin_dir=str(self.root), endpoints=endpoints, **options)

    @property
    def locks(self) -> list[str]:
        """The endpoints and the names of the locks that were asked for."""
        asked = self.root / "asked"
        return asked.read_text().splitlines() if asked.exists() else []

    @property
    def order(self) -> list[str]:
        """What was defragmented."""
        return [words[0].partition("=")[2] for words in self.changes if words[-1] == "defrag"]

    def command(self, command: list[str]) -> Answer:
        if command[1:] == ["version"]:
            return 0, f"etcdctl version: {self.version}\n", ""
        self.ran.append([os.path.basename(command[0]), *command[1:]])
        asked = command[1].partition("=")[2].split(",")
        words = [word for word in command[2:] if not word.startswith("--")]
        answers = {
            "endpoint health": self.health,
            "endpoint status": self.status,
            "member list": lambda _asked: {"members": [self.record(number) for number in sorted(self.sizes)]},
            "alarm list": lambda _asked: {
                "alarms": [{"memberID": ID + one, "alarm": k} for one, k in self.alarms.items()]
            },
        }
        if " ".join(words) in answers:
            return 0, json.dumps(answers[" ".join(words)](asked)), ""
        return self.change(command[1], words)

    def change(self, endpoints: str, words: list[str]) -> Answer:
        self.changes.append([endpoints, *words])
        if words[0] == "move-leader":
            self.leader = int(words[1], 16) - ID
        elif words == ["alarm", "disarm"]:
            self.alarms = {}
        else:
            assert words == ["defrag"]
            alone, full = len(set(self.sizes) - self.learners) == 1, 1 in self.alarms.values()
            assert (self.root / "held").exists() is not (alone or full)
            if self.fault:
                return 1, "", f"Error: {self.fault}"
            number = self.number(endpoints.partition("=")[2])
            self.sizes[number] = min(self.sizes[number], self.in_use[number] + self.kept)
            self.dead |= {self.dies[number]} if number in self.dies else set()
            self.leader = min(set(self.sizes) - self.dead) if self.leader in self.dead else self.leader
        return 0, "Finished defragmenting etcd member", ""

    def number(self, url: str) -> int:
        return int(url.rpartition(".")[2].partition(":")[0])

    def health(self, asked: list[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for url in asked:
            error = "context deadline exceeded" if self.number(url) in self.dead or len(self.dead) > 1 else ""
            if self.number(url) in self.learners:
                error = error or "etcdserver: rpc not supported for learner"
            if self.alarms and not self.version.startswith("3.4"):
                error = error or "Active Alarm(s): NOSPACE "
            found.append({"endpoint": url, "health": not error, **({"error": error} if error else {})})
        return found

    def status(self, asked: list[str]) -> list[dict[str, Any]]:
        found = []
        index = 50 + len(self.ran)  # it grows all the time
        for url in asked:
            number = self.number(url)
            status = {
                "header": {"member_id": ID + number, "revision": 9}, "version": self.version,
                "leader": ID + self.leader,
                "dbSize": self.sizes[number] * MIB, "dbSizeInUse": self.in_use[number] * MIB, "raftIndex": index,
                "raftAppliedIndex": index, "raftTerm": 2, **({"isLearner": True} if number in self.learners else {}),
                **({"dbSizeQuota": self.quota * MIB} if self.quota else {}),
            }  # fmt: skip
            if number not in self.dead and url not in self.extra_urls.values():
                found.append({"Endpoint": url, "Status": status})
        return found

    def record(self, number: int) -> dict[str, Any]:
        urls = [self.extra_urls[number]] if number in self.extra_urls else []
        found = {"ID": ID + number, "name": f"m{number}", "peerURLs": [f"https://10.0.0.{number}:2380"]}
        return {**found, "clientURLs": [*urls, client(number)], "isLearner": number in self.learners}


@pytest.fixture
def etcd(tmp_path: Path, run_module: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> Cluster:
    found = Cluster(tmp_path, run_module)
    monkeypatch.setattr(AnsibleModule, "run_command", lambda module, command, **options: found.command(command))
    monkeypatch.setattr(members, "PAUSE", 0)
    return found


def test_hosts_take_turns_by_a_lock_that_the_other_members_keep(etcd: Cluster) -> None:
    etcd.run(_ansible_check_mode=True)
    assert etcd.locks == []
    etcd.run()
    urls = [f"--endpoints={client(one)},{client(two)}" for one, two in ((1, 3), (1, 2), (2, 3))]
    assert etcd.locks == [f"{url} /groundwork/etcd/defrag" for url in urls]
    assert not (etcd.root / "held").exists()
    etcd.run()
    assert len(etcd.locks) == 3


@pytest.mark.parametrize(
    ("lock", "alarms", "message"),
    [
        ("#!/bin/sh\necho 'Error: no quorum' >&2; exit 1\n", {}, "ended without the lock: Error: no quorum. Defrag"),
        (
            "#!/bin/sh\nexec sleep 20\n",
            {},
            "as the lock was not free in time: another host has been defragmenting for 1 seconds",
        ),
        (LOCK, {3: 1}, "as etcd gives no lock while the alarm NOSPACE is raised: use disarm=true"),
    ],
    ids=["refused", "taken", "full"],
)
def test_without_the_lock_nothing_is_defragmented(
    etcd: Cluster, lock: str, alarms: dict[int, int], message: str
) -> None:
    etcd.lock, etcd.alarms = lock, alarms
    result = etcd.run(member="m2", turn_timeout=1)
    assert result["failed"]
    assert result["msg"].startswith("m2 (https://10.0.0.2:2380) is not defragmented, as ")
    assert message in result["msg"]
    assert result["msg"].endswith("Defragmented before: none.")
    assert (etcd.changes, result["changed"]) == ([], False)


@pytest.mark.parametrize(
    ("options", "state", "defragmented", "message"),
    [
        ({}, {"sizes": {1: 500, 2: 100, 3: 300}}, ["m3", "m1"], ""),
        ({"force": True}, {"sizes": {1: 500, 2: 100, 3: 300}}, ["m2", "m3", "m1"], ""),
        ({"member": "m2"}, {"dead": {3}}, [], "It is not safe to defragment m2"),
    ],
    ids=["another run was there", "forced", "the guard speaks"],
)
def test_what_has_changed_when_the_turn_comes(
    etcd: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    *,
    options: dict[str, Any],
    state: dict[str, Any],
    defragmented: list[str],
    message: str,
) -> None:
    waited = etcd_defrag.held

    @contextmanager
    def held(*arguments: Any) -> Iterator[None]:
        with waited(*arguments):
            if not etcd.order:
                for name, value in state.items():
                    setattr(etcd, name, value)
            yield

    monkeypatch.setattr(etcd_defrag, "held", held)
    result = etcd.run(**options)
    assert result["defragmented"] == defragmented
    assert message in result.get("msg", "")


VERSIONS = pytest.mark.parametrize("version", ["3.4.23", "3.5.30", "3.6.15"])


@VERSIONS
def test_all_members_the_leader_last(etcd: Cluster, version: str) -> None:
    etcd.version = version
    planned = etcd.run(_ansible_check_mode=True, _ansible_diff=True)
    assert (planned["changed"], planned["defragmented"], etcd.changes) == (True, ["m2", "m3", "m1"], [])
    assert planned["won"] == 900 * MIB

    done = etcd.run(_ansible_diff=True)
    assert etcd.changes == [
        [f"--endpoints={client(2)}", "defrag"],
        [f"--endpoints={client(3)}", "defrag"],
        [f"--endpoints={client(1)}", "move-leader", hex_id(2)],
        [f"--endpoints={client(1)}", "defrag"],
    ]
    assert (done["defragmented"], done["won"], done["leader"]) == (["m2", "m3", "m1"], 900 * MIB, "m2")
    assert [(one["name"], one["leader"], one["size_before"], one["size_after"]) for one in done["members"]] == [
        ("m1", True, 500 * MIB, 100 * MIB), ("m2", False, 400 * MIB, 100 * MIB), ("m3", False, 300 * MIB, 100 * MIB),
    ]  # fmt: skip
    assert done["diff"] == planned["diff"]
    assert done["diff"][0]["before"].startswith("m1 524288000 bytes, 80.0% unused\n")
    assert done["diff"][0]["after"].startswith("m1 104857600 bytes\n")

    again = etcd.run()
    assert (again["changed"], again["defragmented"], again["diff"], len(etcd.changes)) == (False, [], [], 4)


@pytest.mark.parametrize(
    ("options", "timeout"),
    [({}, 60 + 400 * MIB // 5_000_000), ({"defragment_timeout": 7}, 7)],
    ids=["by size", "given"],
)
def test_the_command(etcd: Cluster, options: dict[str, int], timeout: int) -> None:
    etcd.run(member="m2", cacert="/ca.crt", cert="/c.crt", key="/c.key", **options)
    assert next(words for words in etcd.ran if words[-1] == "defrag") == [
        "etcdctl", f"--endpoints={client(2)}", "--cacert=/ca.crt", "--cert=/c.crt", "--key=/c.key", "--dial-timeout=2s",
        f"--command-timeout={timeout}s", "defrag",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "order"),
    [
        ({}, [2, 3, 1]),
        ({"threshold": 70}, [2, 1]),
        ({"threshold": 75}, [1]),
        ({"min_unused": 200 * MIB}, [2, 1]),
        ({"threshold": 90}, []),
        ({"threshold": 90, "min_unused": 10**12, "force": True}, [2, 3, 1]),
        ({"member": "m3"}, [3]),
        ({"member": hex_id(1)}, [1]),
        ({"member": "10.0.0.2", "threshold": 90}, []),
        ({"member": "10.0.0.2", "force": True}, [2]),
    ],
)
def test_which_are_due(etcd: Cluster, options: dict[str, Any], order: list[int]) -> None:
    planned = etcd.run(**options, _ansible_check_mode=True)
    assert planned["defragmented"] == [f"m{number}" for number in order]
    assert not etcd.changes
    assert etcd.run(**options)["changed"] is bool(order)
    assert etcd.order == [client(number) for number in order]


def refusals() -> dict[str, tuple[dict[str, Any], dict[str, Any], str]]:
    """The cluster, options, and what is said."""
    sick = "m3 (https://10.0.0.3:2380) is not healthy"
    return {
        "a dead member": ({"dead": {3}}, {}, sick),
        "a dead member with force": ({"dead": {3}}, {"force": True}, sick),
        "a dead member for another": ({"dead": {3}}, {"member": "m1", "allow_downtime": True}, sick),
        "the dead member": ({"dead": {3}}, {"member": "m3"}, "cannot be defragmented, as it is not healthy"),
        "no quorum": ({"dead": {2, 3}}, {}, "It is not safe to defragment: the cluster has no quorum"),
        "a learner": ({"learners": {3}}, {}, "m3 (https://10.0.0.3:2380) is a learner"),
        "the learner": ({"learners": {3}}, {"member": "m3"}, "etcd defragments only voting members"),
        "corrupt": ({"alarms": {3: 2}}, {}, "has raised the alarm CORRUPT"),
        "nobody": ({}, {"member": "m9"}, "m9 is not a member of the cluster. Its members are m1 ("),
        "two at one address": ({}, {"member": "m1", "disarm": True}, "mutually exclusive: member|disarm"),
        "alone": ({"sizes": {1: 500}}, {}, "0 of 1 voting members answer, and 1 are needed"),
    }


@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
@pytest.mark.parametrize("case", list(refusals()))
def test_refused(etcd: Cluster, case: str, check: bool) -> None:
    state, options, message = refusals()[case]
    for name, value in state.items():
        setattr(etcd, name, value)
    result = etcd.run(**options, _ansible_check_mode=check)
    assert result["failed"]
    assert message in result["msg"]
    assert etcd.changes == []
    assert not result.get("changed")


def test_the_only_member_with_downtime_allowed(etcd: Cluster) -> None:
    etcd.sizes = {1: 500}
    assert etcd.run(allow_downtime=True)["defragmented"] == ["m1"]
    assert etcd.changes == [[f"--endpoints={client(1)}", "defrag"]]


@pytest.mark.parametrize("dying", [1, 3])
def test_it_stops_when_a_member_dies_meanwhile(etcd: Cluster, dying: int) -> None:
    etcd.dies = {2: dying}
    result = etcd.run(wait_timeout=0)
    assert result["failed"]
    assert result["changed"]
    assert (result["defragmented"], etcd.order) == (["m2"], [client(2)])
    assert result["msg"].startswith("It is no longer safe to defragment m3 (https://10.0.0.3:2380): ")
    assert f"m{dying} (https://10.0.0.{dying}:2380) is not healthy" in result["msg"]
    assert result["msg"].endswith("Defragmented before: m2.")
    assert len(result["reasons"]) == 1


def test_a_member_that_does_not_come_back(etcd: Cluster) -> None:
    etcd.dies = {2: 2}
    result = etcd.run(wait_timeout=0)
    assert result["msg"].startswith(f"{client(2)} has not caught up within 0 seconds: it is not healthy")
    assert result["changed"]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("context deadline exceeded", "is not defragmented after 143 seconds, and may still be at it"),
        ("rpc error: no space left on device", "failed with exit code 1: Error: rpc error: no space left on device"),
    ],
)
def test_a_fault_of_etcd(etcd: Cluster, fault: str, message: str) -> None:
    etcd.fault = fault
    result = etcd.run()
    assert result["failed"]
    assert result["changed"]
    assert message in result["msg"]
    assert etcd.order == [client(2)]


def test_a_member_with_several_urls_is_defragmented_once(etcd: Cluster) -> None:
    etcd.extra_urls = {2: "https://192.0.2.2:2379"}
    assert etcd.run(member="m2")["defragmented"] == ["m2"]
    assert etcd.order == [client(2)]


@pytest.mark.parametrize(
    ("version", "quota", "kept", "disarmed"),
    [
        ("3.4.23", 0, 0, True),
        ("3.5.30", 0, 0, True),
        ("3.5.30", 0, 380, False),
        ("3.6.15", 500, 0, True),
        ("3.6.15", 500, 340, True),
        ("3.6.15", 400, 280, False),
    ],
)
def test_the_alarm_is_taken_back_when_there_is_space(
    etcd: Cluster, version: str, quota: int, kept: int, disarmed: bool
) -> None:
    etcd.version, etcd.quota, etcd.kept, etcd.alarms = version, quota, kept, {1: 1, 3: 1}
    etcd.sizes = {1: 500, 2: 500, 3: 500}
    planned = etcd.run(disarm=True, threshold=90, _ansible_check_mode=True)
    assert (planned["disarmed"], planned["alarms"], etcd.changes) == (True, ["NOSPACE"], [])
    left_alone = etcd.run(threshold=90)
    assert (left_alone["changed"], left_alone["alarms"]) == (False, ["NOSPACE"])

    result = etcd.run(disarm=True, threshold=90, _ansible_diff=True)
    assert len(result["defragmented"]) == 3
    assert (result["disarmed"], result["alarms"]) == (disarmed, [] if disarmed else ["NOSPACE"])
    urls = ",".join(client(number) for number in (1, 2, 3))
    assert (etcd.changes[-1] == [f"--endpoints={urls}", "alarm", "disarm"]) is disarmed
    if disarmed:
        assert result["diff"][0]["before"].endswith("alarm NOSPACE\n")
    else:
        assert "The alarm NOSPACE stays, as defragmenting won too little on m1 (" in result["msg"]


def test_disarm_without_an_alarm_is_a_usual_run(etcd: Cluster) -> None:
    result = etcd.run(disarm=True, threshold=90)
    assert (result["changed"], result["disarmed"]) == (False, False)


@pytest.mark.parametrize(
    ("size", "in_use", "unused", "percent"),
    [(400, 100, 300, 75.0), (400, 0, 0, 0.0), (0, 0, 0, 0.0), (100, 120, 0, 0.0), (3, 2, 1, 33.3)],
)
def test_unused(size: int, in_use: int, unused: int, percent: float) -> None:
    member = Member(1, "m1", (), db_size=size, db_in_use=in_use)
    assert (defragmentation.unused(member), defragmentation.unused_percent(member)) == (unused, percent)


def test_learners_and_sick_members_are_not_due() -> None:
    sick = Member(1, "m1", (), healthy=False, db_size=9, db_in_use=1)
    learner = Member(2, "m2", (), healthy=True, learner=True, db_size=9, db_in_use=1)
    assert defragmentation.due(Members((sick, learner)), defragmentation.Limits(0, 0, waived=True), None) == []
