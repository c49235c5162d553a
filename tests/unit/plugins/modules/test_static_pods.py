"""static_pods: real files, a process folder of its own, and a real HTTP server as a pod."""

from __future__ import annotations

import http.server
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import flags, probe
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import static_pods as static_pods_utils
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.static_pods import processes
from ansible_collections.groundwork.kubernetes.plugins.modules import static_pods

Run = Callable[..., dict[str, Any]]
MANIFEST = """apiVersion: v1
kind: Pod
spec:
  containers:
  - command:
    - kube-apiserver
    - --secure-port=6443
    - --etcd-servers=https://127.0.0.1:2379
    image: registry.k8s.io/kube-apiserver:v1.36.5
    livenessProbe:
      failureThreshold: 8
      httpGet:
        host: 127.0.0.1
        path: /livez
        port: 1
        scheme: HTTP
      timeoutSeconds: 15
    name: kube-apiserver
    readinessProbe:
      httpGet:
        host: 127.0.0.1
        path: /readyz
        port: PORT
        scheme: HTTP
      periodSeconds: 1
"""
NAMED = """
    ports:
    - containerPort: 2381
      name: probe-port
      protocol: TCP
    startupProbe:
      httpGet:
        host: 192.0.2.1
        path: /readyz
        port: probe-port
        scheme: HTTPS
"""


class Answer(http.server.BaseHTTPRequestHandler):
    """Says what the test wants."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    Answer.status = 200
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Processes; the kubelet is played by the test."""
    folder = tmp_path / "proc"
    folder.mkdir()
    (folder / "self").mkdir()
    monkeypatch.setattr(static_pods, "processes", lambda name: processes(name, str(folder)))
    monkeypatch.setattr(static_pods, "PAUSE", 0.01)
    return folder


def make_process(proc: Path, number: int, program: str, cgroup: str = "0::/kubepods.slice/x\n") -> None:
    (proc / str(number)).mkdir()
    (proc / str(number) / "cmdline").write_bytes(f"{program}\0--flag\0".encode())
    (proc / str(number) / "cgroup").write_text(cgroup)


@pytest.fixture
def options(tmp_path: Path, port: int) -> dict[str, Any]:
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    (manifests / "kube-apiserver.yaml").write_text(MANIFEST.replace("PORT", str(port)))
    (manifests / "other.yaml").write_text("kind: Pod\n")
    return {
        "names": ["kube-apiserver", "etcd"], "manifests": str(manifests),
        "aside": str(tmp_path / "stopped"), "timeout": 1,
    }  # fmt: skip


def where(options: dict[str, Any]) -> tuple[list[str], list[str]]:
    folders = (options["manifests"], options["aside"])
    first, second = (sorted(os.listdir(folder)) if os.path.isdir(folder) else [] for folder in folders)
    return first, second


def test_stop_and_start(run_module: Run, options: dict[str, Any], proc: Path) -> None:
    make_process(proc, 7, "/usr/local/bin/kube-apiserver", "0::/system.slice/other.service\n")
    before = Path(options["manifests"], "kube-apiserver.yaml").read_bytes()

    stopped = run_module(static_pods, **options, state="stopped", _ansible_diff=True)
    assert (stopped["changed"], stopped["moved"], stopped["pods"]) == (True, ["kube-apiserver"], ["kube-apiserver"])
    assert stopped["diff"] == {"before": {"kube-apiserver": "started"}, "after": {"kube-apiserver": "stopped"}}
    assert where(options) == (["other.yaml"], ["kube-apiserver.yaml"])
    assert not run_module(static_pods, **options, state="stopped")["changed"]

    make_process(proc, 9, "kube-apiserver")
    started = run_module(static_pods, **options, state="started")
    assert (started["changed"], started["moved"]) == (True, ["kube-apiserver"])
    assert where(options) == (["kube-apiserver.yaml", "other.yaml"], [])
    assert not os.path.exists(options["aside"])
    assert Path(options["manifests"], "kube-apiserver.yaml").read_bytes() == before
    assert not run_module(static_pods, **options, state="started")["changed"]


def test_restart(run_module: Run, options: dict[str, Any], proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_process(proc, 9, "kube-apiserver")
    ended: list[tuple[int, int]] = []

    def kill(number: int, kind: int) -> None:
        ended.append((number, kind))
        shutil.rmtree(proc / str(number))
        make_process(proc, 10, "kube-apiserver")

    monkeypatch.setattr(os, "kill", kill)
    result = run_module(static_pods, **options, state="restarted")
    assert (result["changed"], result["moved"], ended) == (True, ["kube-apiserver"], [(9, signal.SIGTERM)])
    checked = run_module(static_pods, **options, state="restarted", _ansible_check_mode=True)
    assert (checked["changed"], len(ended)) == (True, 1)


def test_end(run_module: Run, options: dict[str, Any], proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other in the order of the names; the kubelet may start another, which is not waited for."""
    Path(options["manifests"], "kube-vip.yaml").write_text("kind: Pod\n")
    make_process(proc, 9, "kube-apiserver")
    make_process(proc, 8, "kube-vip")
    ended: list[tuple[int, int]] = []

    def kill(number: int, kind: int) -> None:
        ended.append((number, kind))
        shutil.rmtree(proc / str(number))
        make_process(proc, number + 10, "kube-apiserver" if number == 9 else "kube-vip")

    monkeypatch.setattr(os, "kill", kill)
    asked = {**options, "names": ["kube-vip", "kube-apiserver", "etcd"], "state": "ended"}
    before = where(options)
    checked = run_module(static_pods, **asked, _ansible_check_mode=True)
    assert (checked["changed"], ended) == (True, [])
    result = run_module(static_pods, **asked)
    assert (result["changed"], result["moved"], result["left"]) == (True, ["kube-vip", "kube-apiserver"], [])
    assert ended == [(8, signal.SIGTERM), (9, signal.SIGTERM)]
    assert where(options) == before


def test_an_end_that_takes_too_long_is_told(
    run_module: Run, options: dict[str, Any], proc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not run_module(static_pods, **options, state="ended")["changed"]
    make_process(proc, 9, "kube-apiserver")
    monkeypatch.setattr(os, "kill", lambda *_arguments: None)
    result = run_module(static_pods, **{**options, "timeout": 0}, state="ended")
    assert (result["changed"], result["left"]) == (True, ["kube-apiserver still runs as process 9"])


def test_a_pod_that_does_not_restart_is_named(
    run_module: Run, options: dict[str, Any], proc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_process(proc, 9, "kube-apiserver")
    monkeypatch.setattr(os, "kill", lambda *_arguments: None)
    result = run_module(static_pods, **options, state="restarted")
    assert result["failed"]
    assert "kube-apiserver still runs as process 9" in result["msg"]


@pytest.mark.parametrize("state", ["stopped", "started"])
def test_check_mode_moves_nothing(run_module: Run, options: dict[str, Any], proc: Path, state: str) -> None:
    make_process(proc, 9, "kube-apiserver")
    if state == "started":
        Path(options["aside"]).mkdir()
        os.rename(f"{options['manifests']}/kube-apiserver.yaml", f"{options['aside']}/kube-apiserver.yaml")
    before = where(options)
    result = run_module(static_pods, **options, state=state, _ansible_check_mode=True)
    assert (result["changed"], where(options)) == (True, before)


def test_a_pod_that_does_not_end_is_named(run_module: Run, options: dict[str, Any], proc: Path) -> None:
    make_process(proc, 9, "kube-apiserver")
    result = run_module(static_pods, **{**options, "timeout": 0}, state="stopped")
    assert result["failed"]
    assert "kube-apiserver still runs as process 9" in result["msg"]
    assert "journalctl -u kubelet" in result["msg"]


def test_a_pod_that_does_not_start_is_named(run_module: Run, options: dict[str, Any], proc: Path) -> None:
    result = run_module(static_pods, **{**options, "timeout": 0}, state="started")
    assert "kube-apiserver does not run" in result["msg"]


def test_a_pod_that_is_not_healthy_is_named(run_module: Run, options: dict[str, Any], proc: Path) -> None:
    make_process(proc, 9, "kube-apiserver")
    Answer.status = 500
    result = run_module(static_pods, **{**options, "timeout": 0}, state="started")
    assert "/readyz answers with HTTP status 500" in result["msg"]
    assert not run_module(static_pods, **{**options, "timeout": 0}, state="started", healthy=False).get("failed")


def test_two_manifests_of_one_pod_are_refused(run_module: Run, options: dict[str, Any], proc: Path) -> None:
    Path(options["aside"]).mkdir()
    Path(options["aside"], "kube-apiserver.yaml").write_text("kind: Pod\n")
    before = where(options)
    for state in ("stopped", "started"):
        result = run_module(static_pods, **options, state=state)
        assert "there are both" in result["msg"]
    assert where(options) == before


def test_manifests_are_read() -> None:
    assert flags(MANIFEST) == {"secure-port": "6443", "etcd-servers": "https://127.0.0.1:2379"}
    assert str(probe(MANIFEST.replace("PORT", "6443"))) == "http://127.0.0.1:6443/readyz"
    assert str(probe(NAMED)) == "https://192.0.2.1:2381/readyz"
    assert probe("kind: Pod\n") is None
    assert probe("livenessProbe:\n  exec:\n    command: [x]\n") is None


def test_nobody_listens() -> None:
    assert "does not answer" in static_pods_utils.answer(static_pods_utils.Probe("127.0.0.1", 1, "/", True))
