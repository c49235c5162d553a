"""What tells that a static pod will never be ready: numbered logs and processes, in folders like those of a host."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import container_exits, kubeadm

USAGE = [f"      --flag-{number}   something" for number in range(400)]


@dataclass
class Host:
    root: Path

    def log(self, uid: str, number: int, text: str = "", name: str = "kube-apiserver") -> None:
        path = self.root / "pods" / f"kube-system_{name}-cp1_{uid}" / name / f"{number}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def process(self, pid: int, name: str = "kube-apiserver") -> None:
        path = self.root / "proc" / str(pid) / "comm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n")

    def end(self, pid: int) -> None:
        (self.root / "proc" / str(pid) / "comm").unlink()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(container_exits, "POD_LOGS", str(tmp_path / "pods"))
    monkeypatch.setattr(kubeadm, "PROCESSES", str(tmp_path / "proc"))
    host = Host(tmp_path)
    host.log("old", 2)
    host.process(10)
    return host


def test_a_pod_that_ends_at_once(host: Host) -> None:
    pod = container_exits.StaticPod("kube-apiserver", "cp1")
    assert pod.hopeless() == ""
    host.end(10)
    assert pod.hopeless() == ""
    for number in range(2):
        host.log("new", number)
        assert pod.hopeless() == ""
    host.log("new", 2)
    host.process(11)
    assert pod.hopeless() == "", "the third one is still alive"
    host.end(11)
    assert pod.hopeless() == "its container has ended 3 times"


def test_logs_of_an_earlier_failure_with_the_same_manifest_do_not_count(host: Host) -> None:
    host.log("new", 7)
    pod = container_exits.StaticPod("kube-apiserver", "cp1")
    host.end(10)
    for number in (8, 9):
        host.log("new", number)
        assert pod.hopeless() == ""
    host.log("new", 10)
    assert pod.hopeless() == "its container has ended 3 times"


def test_one_that_ends_because_the_former_has_its_port_is_waited_for(host: Host) -> None:
    pod = container_exits.StaticPod("kube-apiserver", "cp1")
    for number in range(4):
        host.log("new", number)
        assert pod.hopeless() == ""
    host.end(10)
    assert pod.hopeless() == ""
    host.log("new", 6)
    assert pod.hopeless() == "its container has ended 3 times"


def test_where_processes_cannot_be_seen_nothing_is_known(host: Host) -> None:
    host.end(10)
    pod = container_exits.StaticPod("kube-apiserver", "cp1")
    host.log("new", 9)
    assert pod.hopeless() == ""


def test_the_kernel_cuts_long_names(host: Host) -> None:
    host.process(12, "kube-controller")
    pod = container_exits.StaticPod("kube-controller-manager", "cp1")
    host.end(12)
    host.log("new", 3, name="kube-controller-manager")
    assert pod.hopeless() == "its container has ended 4 times"


@pytest.mark.parametrize(
    ("logs", "message"),
    [
        # The newest container has only just been started, and has said nothing yet.
        (["Error: unknown flag: --x\n", ""], ["Error: unknown flag: --x"]),
        (
            ["2026-11-27T00:00:00.1Z stderr F Error: unknown flag: --x\n", "I1127 starting\n"],
            ["Error: unknown flag: --x"],
        ),
        # What it knows comes after what it does not.
        (["\n".join(["Error: unknown flag: --x", "Usage:", *USAGE])], ["Error: unknown flag: --x"]),
        (
            [
                "\n".join(
                    [*USAGE, "F1127 00:00:00.1 1 main.go:1] unknown flag: --x", "goroutine 1 [running]:", "main()"]
                )
            ],
            ["F1127 00:00:00.1 1 main.go:1] unknown flag: --x"],
        ),
        (["a\nb\nc\nd\ne\nf\ng\n"], ["c", "d", "e", "f", "g"]),
        (["E1 " + "x" * 900], ["E1 " + "x" * 497]),
        ([], []),
    ],
)
def test_what_a_log_says(host: Host, logs: list[str], message: list[str]) -> None:
    for number, text in enumerate(logs):
        host.log("new", number, text, name="kube-scheduler")
    assert container_exits.StaticPod("kube-scheduler", "cp1").log() == message
