"""kubectl from several threads, with a program in its place that does what its first argument says."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import probe
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import KubectlError

SCRIPT = """#!/bin/sh
shift 2
case $1 in
  echo) cat; echo "$@" ;;
  fail|exec) echo out; echo "Error from server (NotFound): no" >&2; exit 1 ;;
  sleep) exec sleep 60 ;;
  port-forward)
    case $4 in
      pod/deaf) echo "error: pod not found" >&2; exit 1 ;;
      pod/slow) exec sleep 60 ;;
    esac
    echo "lost connection" >&2; echo "Forwarding from 127.0.0.1:43210 -> 8080"; exec sleep 60 ;;
esac
"""


class Module:
    def __init__(self, path: Path) -> None:
        self.path = path

    def get_bin_path(self, *_arguments: object, **_options: object) -> str:
        return str(self.path)


@pytest.fixture
def kubectl(tmp_path: Path) -> Iterator[probe.ConcurrentKubectl]:
    script = tmp_path / "kubectl"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    module: AnsibleModule = Module(script)
    runner = probe.ConcurrentKubectl(module, "/k.conf", seconds=20, call_seconds=2)
    yield runner
    runner.stop()


def test_run(kubectl: probe.ConcurrentKubectl) -> None:
    assert kubectl.base[1:] == ["--kubeconfig=/k.conf", "--request-timeout=2s"]
    assert kubectl.run("echo", "a", "b c") == "echo a b c\n"
    assert kubectl.run("echo", stdin="text\n") == "text\necho\n"


@pytest.mark.parametrize(
    ("command", "message"),
    [("fail", "Error from server (NotFound): no"), ("exec", "Error from server (NotFound): no\n\nout")],
)
def test_failure(kubectl: probe.ConcurrentKubectl, command: str, message: str) -> None:
    with pytest.raises(KubectlError) as caught:
        kubectl.run(command)
    assert (caught.value.rc, caught.value.stderr, caught.value.not_found) == (1, message, True)
    assert kubectl.run(command, ok=(0, 1)) == "out\n"


def test_a_call_that_hangs_is_ended(kubectl: probe.ConcurrentKubectl) -> None:
    kubectl.call_seconds = 0
    with pytest.raises(KubectlError, match="no answer within 0 s"):
        kubectl.run("sleep")


def test_nothing_starts_after_the_deadline(kubectl: probe.ConcurrentKubectl) -> None:
    kubectl.deadline = time.monotonic()
    with pytest.raises(KubectlError, match="the time of all checks is over"):
        kubectl.run("echo")
    assert not kubectl.pause(1)


def test_stop_ends_what_runs(kubectl: probe.ConcurrentKubectl) -> None:
    kubectl.call_seconds = 20
    started = time.monotonic()
    threading.Timer(0.2, kubectl.stop).start()
    with pytest.raises(KubectlError):
        kubectl.run("sleep")
    with pytest.raises(KubectlError, match="being stopped"):
        kubectl.run("echo")
    assert not kubectl.pause(10)
    assert time.monotonic() - started < 5


def test_forward(kubectl: probe.ConcurrentKubectl) -> None:
    with kubectl.forward("ns", "p", 8080) as port:
        assert port == 43210


@pytest.mark.parametrize(("pod", "message"), [("deaf", "error: pod not found"), ("slow", "no port was opened in time")])
def test_forward_fails(kubectl: probe.ConcurrentKubectl, pod: str, message: str) -> None:
    with pytest.raises(KubectlError, match=message), kubectl.forward("ns", pod, 8080):
        pass


def test_an_error_behind_a_forward_comes_with_what_kubectl_said(kubectl: probe.ConcurrentKubectl) -> None:
    with pytest.raises(probe.ProbeError) as caught, kubectl.forward("ns", "p", 8080):
        raise probe.ProbeError("refused")
    assert str(caught.value) == "refused; kubectl port-forward: lost connection"


def test_patiently(kubectl: probe.ConcurrentKubectl) -> None:
    tries = []

    def action() -> int:
        tries.append(1)
        if len(tries) < 2:
            raise probe.ProbeError("not yet")
        return len(tries)

    assert probe.patiently(kubectl, action, time.monotonic() + 10) == 2


def test_patience_ends(kubectl: probe.ConcurrentKubectl) -> None:
    tries = []

    def action() -> None:
        tries.append(1)
        raise probe.ProbeError(str(len(tries)))

    with pytest.raises(probe.ProbeError, match="1"):
        probe.patiently(kubectl, action, time.monotonic())


@pytest.mark.parametrize(
    ("count", "sample"), [(0, "abcdef"), (9, "abcdef"), (6, "abcdef"), (3, "ace"), (2, "ad"), (1, "a")]
)
def test_spread_sample(count: int, sample: str) -> None:
    assert "".join(probe.spread_sample(list("abcdef"), count)) == sample


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/" else 503)
        self.end_headers()
        self.wfile.write(b"body\n")

    def log_message(self, *_arguments: object) -> None:
        pass


def test_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server = HTTPServer(("127.0.0.1", 0), Handler)
    port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    assert probe.fetch("127.0.0.1", port, "/") == "body\n"
    with pytest.raises(probe.ProbeError, match="HTTP status 503"):
        probe.fetch("127.0.0.1", port, "/other")
    server.shutdown()
    server.server_close()
    with pytest.raises(probe.ProbeError, match="refused"):
        probe.fetch("127.0.0.1", port, "/")
