"""The harness of tests/reliability, as far as it needs no cluster."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))

from reliability.__main__ import FAULTS, chosen  # noqa: E402  it is no part of the collection
from reliability.cluster import Run, changes, kill_tree  # noqa: E402
from reliability.faults import Outcome, judge  # noqa: E402
from reliability.figures import Figures, kind, longest_gap, summarize  # noqa: E402
from reliability.interrupted import FIRST, JOIN, LAST, MEMBERS, PLANES, tasks  # noqa: E402
from reliability.phases import INIT, WATCHER, Phase  # noqa: E402
from reliability.phases import JOIN as JOIN_PHASES  # noqa: E402
from reliability.probe import Api, CallError, Plan, Probe, _left  # noqa: E402
from reliability.quorum import first_failure  # noqa: E402
from reliability.report import BEGIN, END, page, row  # noqa: E402
from reliability.walk import Clients, Members, is_worked_on, newer_kubelets, reported  # noqa: E402


def call(name: str, at: float, ok: bool = True, seconds: float = 0.1, **more: Any) -> dict[str, Any]:
    return {"call": name, "at": at, "seconds": seconds, "ok": ok, **({} if ok else {"error": "timed out"}), **more}


GOOD_END = {"call": "end", "counter": 3, "lost": 0}


@pytest.mark.parametrize(
    ("calls", "seconds"),
    [
        ([], 0.0),
        ([call("read", 10.0), call("read", 10.4), call("read", 10.8)], 0.4),
        # Between the ends of the two that succeeded.
        ([call("read", 10.0), call("read", 10.4, ok=False, seconds=2.0), call("read", 12.4)], 2.4),
        # It never came back: until the end of the last call.
        ([call("read", 10.0), call("read", 10.4, ok=False, seconds=2.0)], 2.3),
        # None ever succeeded.
        ([call("read", 10.0, ok=False, seconds=2.0), call("read", 12.0, ok=False, seconds=2.0)], 4.0),
    ],
)
def test_longest_gap(calls: list[dict[str, Any]], seconds: float) -> None:
    assert longest_gap(calls) == pytest.approx(seconds)


def test_figures() -> None:
    lines = [
        call("read", 1.0),
        call("write", 1.0),
        call("read", 1.4, ok=False),
        call("write", 1.4, ok=False),
        call("write", 1.8, ok=False),
        call("read", 1.8, lost=2),
        call("write", 2.2),
        GOOD_END,
    ]
    figures = summarize(lines)
    assert (figures.calls, figures.failed_reads, figures.failed_writes) == (7, 1, 2)
    assert (figures.writes, figures.lost, figures.errors) == (2, 2, {"timed out": 3})
    assert (figures.read_gap, figures.write_gap) == (pytest.approx(0.8), pytest.approx(1.2))


def test_a_probe_without_an_end_says_nothing_of_lost_writes() -> None:
    with pytest.raises(ValueError, match="did not come to its end"):
        summarize([call("read", 1.0)])


@pytest.mark.parametrize(
    ("error", "short"),
    [
        ("[Errno 111] Connection refused", "Connection refused"),
        ("500 dial tcp 192.0.2.1:2379: refused", "500 dial tcp ADDRESS: refused"),
        ("_ssl.c:989: The handshake operation timed out", "The handshake operation timed out"),
    ],
)
def test_kinds_of_errors(error: str, short: str) -> None:
    assert kind(error) == short


class Store:
    """A ConfigMap that can be written on condition, behind a network that fails when it is told to."""

    def __init__(self) -> None:
        self.object: dict[str, Any] = {}
        self.version = 0
        self.fail = ""

    def call(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        if self.fail == "before":
            raise CallError("timed out")
        if method == "GET" and not self.object:
            raise CallError("404 not found", 404)
        if method == "GET":
            return json.loads(json.dumps(self.object))
        assert body is not None
        if method == "POST" and self.object:
            raise CallError("409 exists", 409)
        if method == "PUT" and body["metadata"]["resourceVersion"] != str(self.version):
            raise CallError("409 conflict", 409)
        self.version += 1
        self.object = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}
        if self.fail == "after":
            raise CallError("timed out")
        return json.loads(json.dumps(self.object))


@pytest.fixture(name="store")
def _store() -> Store:
    return Store()


@pytest.fixture(name="probe")
def _probe(store: Store) -> Probe:
    made = Probe(store.call, Plan(interval=0.01), lambda _line: None)
    made.begin()
    return made


def test_each_write_raises_the_counter(probe: Probe) -> None:
    assert [probe.write()["counter"] for _time in range(3)] == [1, 2, 3]
    assert probe.read() == {"counter": 3, "lost": 0}


@pytest.mark.parametrize(("fail", "next_one"), [("before", 2), ("after", 3)])
def test_a_write_of_unknown_outcome_is_looked_up(probe: Probe, store: Store, fail: str, next_one: int) -> None:
    probe.write()
    store.fail = fail
    with pytest.raises(CallError):
        probe.write()
    assert probe.acknowledged == 1
    store.fail = ""
    assert probe.write() == {"counter": next_one, "lost": 0}


def test_a_lost_write_is_seen_by_reader_and_writer(probe: Probe, store: Store) -> None:
    for _time in range(3):
        probe.write()
    store.object["data"]["counter"] = "1"
    assert probe.read() == {"counter": 1, "lost": 2}
    probe.known = None
    assert probe.write() == {"counter": 2, "lost": 2}


def test_a_probe_goes_on_where_a_former_one_ended(store: Store) -> None:
    for end in (1, 2):
        made = Probe(store.call, Plan(), lambda _line: None)
        made.begin()
        assert made.write()["counter"] == end


def test_a_probe_from_begin_to_end(store: Store) -> None:
    lines: list[dict[str, Any]] = []
    made = Probe(store.call, Plan(interval=0.01), lines.append)
    made.run(lambda: time.sleep(0.2))
    figures = summarize(lines)
    assert figures.failed_reads == figures.failed_writes == figures.lost == 0
    assert lines[-1]["counter"] == figures.writes > 5


def test_no_time_left() -> None:
    with pytest.raises(TimeoutError):
        _left(time.monotonic() - 1)


def test_the_probe_is_one_file_for_any_host() -> None:
    source = (ROOT / "tests" / "reliability" / "probe.py").read_text()
    program = [sys.executable, "-I", "-c", source]
    done = subprocess.run(program, input="{}\n", capture_output=True, text=True, check=False)
    assert done.stderr.strip().endswith("KeyError: 'access'")


FIGURES = Figures(100, 2, 3, 4.25, 5.0, 47, 0, {})


@pytest.mark.parametrize(
    ("figures", "gap", "failures"),
    [
        (FIGURES, 5.0, []),
        (FIGURES, None, []),
        (FIGURES, 4.5, ["no write succeeded for 5.0 s, promised are 4 s"]),
        (Figures(9, 0, 0, 0.4, 0.4, 5, 2, {}), 5.0, ["2 acknowledged writes are lost"]),
        (Figures(9, 0, 9, 0.4, 0.4, 0, 0, {}), 5.0, ["no write succeeded at all"]),
    ],
)
def test_figures_are_held_against_promises(figures: Figures, gap: float | None, failures: list[str]) -> None:
    outcome = Outcome("name", "title", figures=figures)
    judge(outcome, gap)
    assert outcome.failures == failures


def test_rows() -> None:
    outcome = Outcome("kill-1", "A host", "control-plane-1", FIGURES, 12.3)
    assert row(outcome) == "| `kill-1`: A host | control-plane-1 | 100 | 2 | 3 | 4.2 s | 5.0 s | 0 of 47 | 12 s |"
    assert row(Outcome("kill-1", "A host")).count("|") == row(outcome).count("|")


def test_the_page_gets_what_was_measured() -> None:
    assert page(f"a\n{BEGIN}\nold\n{END}\nb", "new") == f"a\n{BEGIN}\nnew\n{END}\nb"
    with pytest.raises(ValueError, match="does not have"):
        page("a", "new")


def test_the_page_has_a_place_for_it_and_names_every_fault() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text()
    assert page(text, "")
    assert [fault.name for fault in FAULTS if f"`{fault.name}`" not in text.partition(BEGIN)[0]] == []


@pytest.mark.parametrize(
    ("topology", "endpoint"), [("stacked", "haproxy"), ("stacked", "local"), ("external", "first")]
)
def test_faults_have_names_of_their_own(topology: str, endpoint: str) -> None:
    names = [fault.name for fault in chosen(topology, endpoint, [])]
    assert len(names) == len(set(names)) > 5
    assert chosen(topology, endpoint, names[2:3])[0].name == names[2]


def test_a_fault_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="kill-endpoint, nonsense"):
        chosen("stacked", "local", ["kill-1", "kill-endpoint", "nonsense"])


LOG = """
PLAY [Find every fault] *******************

TASK [Note when this phase began] *********
ok: [control-plane-1 -> localhost]

TASK [groundwork.kubernetes.control_plane : Join the host, one after the other for etcd] ***
"""


def test_tasks_of_a_run() -> None:
    assert tasks(LOG) == ["Note when this phase began", "Join the host, one after the other for etcd"]


def test_changes_of_a_run() -> None:
    recap = (
        "control-plane-1 : ok=44   changed=2    unreachable=0    failed=0    skipped=9\n"
        "worker-1        : ok=23   changed=10   unreachable=0    failed=0    skipped=4\n"
    )
    assert changes(recap) == 12


def test_a_process_is_killed_with_what_it_started() -> None:
    script = (
        "import subprocess, time; print(subprocess.Popen(['sleep', '600'], start_new_session=True).pid, flush=True); "
    )
    process = subprocess.Popen([sys.executable, "-c", script + "time.sleep(600)"], stdout=subprocess.PIPE)
    assert process.stdout
    child = int(process.stdout.readline())
    kill_tree(process)
    time.sleep(0.2)
    status = Path(f"/proc/{child}/stat")
    assert not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] == "Z"


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (
            "[ERROR]: Preflight: 1 error, 1 warning\n\nall hosts\n  warning [clock] enable chrony\n\n"
            "cp-3\n  error [control-plane-incomplete] etcd.yaml is missing\n\n[ERROR]: Task failed: Preflight\n"
            "Origin: main.yml:31:3\n",
            "Preflight: 1 error, 1 warning: all hosts warning [clock] enable chrony cp-3 error "
            "[control-plane-incomplete] etcd.yaml is missing",
        ),
        ("fatal: [cp-1]: FAILED! => \n    changed: false\n    msg: no quorum\n", "fatal: [cp-1]: FAILED!: no quorum"),
        ("PLAY RECAP\n", "it ended with 2 and 0 changes"),
    ],
)
def test_what_the_first_failure_of_a_run_says(tmp_path: Path, output: str, message: str) -> None:
    (tmp_path / "log").write_text(output)
    assert first_failure(Run("site", 2, tmp_path / "log", 1.0)).endswith(message)


def test_the_tasks_to_kill_in_are_there() -> None:
    sources = "\n".join(path.read_text() for path in [*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/*.yml")])
    names = re.findall(r"- name: (.+)", sources)
    points = {point.task for point in (*FIRST, *PLANES, *MEMBERS, *LAST, *JOIN)}
    assert {task for task in points if not any(task in name for name in names)} == set()


def test_phases_to_kill_kubeadm_in() -> None:
    assert [fault.name for fault in chosen("small", "first", [])] == ["interrupted-phases"]
    phases = [*INIT, *JOIN_PHASES]
    assert len({str(phase) for phase in phases}) == len(phases)
    assert {phase.command for phase in phases} == {"init", "join"}
    assert {phase.everything for phase in phases} == {True, False}


def watch(path: Path, command: str) -> subprocess.Popen[bytes]:
    """The watcher, when it has begun; a command that is none of kubeadm's, of which others may run here."""
    point = json.dumps({"path": str(path), "command": command, "everything": False})
    arguments = [sys.executable, "-c", WATCHER, point, "60"]
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"watching\n"
    return process


def test_kubeadm_is_killed_when_its_phase_has_come(tmp_path: Path) -> None:
    command, path = f"command-{tmp_path}", tmp_path / "ca.crt"
    path.write_text("of an earlier run")
    script = ["kubeadm", "-c", "import time; time.sleep(600)", command]
    kubeadm = subprocess.Popen(script, executable=sys.executable)
    with watch(path, command) as watcher:
        time.sleep(1)
        assert (kubeadm.poll(), watcher.poll()) == (None, None)
        path.unlink()
        path.write_text("new")
        assert kubeadm.wait(60) == -9
        assert watcher.communicate(timeout=60)[0] == b"1\n"


def test_a_watcher_that_nobody_waits_for_ends(tmp_path: Path) -> None:
    with watch(tmp_path / "never", "never") as watcher:
        assert watcher.communicate(timeout=60)[0] == b""


def test_phases_as_people_read_them() -> None:
    assert str(Phase("certs", "/pki/ca.crt")) == "init, certs: kubeadm and Ansible are killed when there is /pki/ca.crt"
    assert str(Phase("preflight", command="join", everything=False)) == "join, preflight: kubeadm is killed at once"


@pytest.mark.parametrize(
    ("kubelets", "servers", "expected"),
    [
        ({"w1": "v1.20.2"}, {"a": "v1.20.3", "b": "v1.20.2"}, []),
        ({"w1": "v1.20.3", "w2": "v1.20.2"}, {"a": "v1.20.3", "b": "v1.20.2"}, ["w1 v1.20.3, an API server v1.20.2"]),
        ({"w1": "v1.20.10"}, {"a": "v1.20.9"}, ["w1 v1.20.10, an API server v1.20.9"]),
        ({"w1": "v1.20.2"}, {}, []),
    ],
)
def test_kubelets_that_are_newer_than_an_api_server(
    kubelets: dict[str, str], servers: dict[str, str], expected: list[str]
) -> None:
    assert newer_kubelets(kubelets, servers) == expected


def test_what_kubelets_report() -> None:
    node = {"metadata": {"name": "w1"}, "status": {"nodeInfo": {"kubeletVersion": "v1.20.2"}}}
    assert reported([node]) == {"w1": "v1.20.2"}


def test_clients_that_get_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    clients = Clients(["127.0.0.1"], port)
    clients.ask()
    assert (clients.calls, len(clients.failed)) == (1, 1)
    assert "127.0.0.1: " in clients.failed[0]


def test_a_node_that_is_worked_on_need_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    clients = Clients(["127.0.0.1"], port, worked_on=lambda address: address == "127.0.0.1")
    clients.ask()
    assert (clients.calls, clients.failed) == (1, [])
    assert [is_worked_on({"spec": spec}) for spec in ({}, {"unschedulable": True})] == [False, True]


class Member(Api):
    """One that answers with these statuses; 0 is no answer."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The next one."""
        status = self.statuses.pop(0)
        if status != 200:
            raise CallError("no leader" if status else "timed out", status)
        return {"health": "true"}


def test_the_fewest_members_that_answered() -> None:
    members = Members([Member(200, 200, 200), Member(200, 0, 200), Member(200, 503, 200)])
    for _sample in range(3):
        members.ask()
    assert (members.samples, members.fewest) == (3, 2)
