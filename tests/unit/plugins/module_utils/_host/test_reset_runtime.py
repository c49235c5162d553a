"""What crictl and docker tell of a pod."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import reset_runtime
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.reset_paths import ResetError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.reset_runtime import (
    Pod,
    parse_pod,
    pod_processes,
    runtime_of,
)


def answer(state: str, network: str, path: str = "") -> str:
    """As crictl inspectp gives it."""
    spaces = [{"type": "pid"}, {"type": "network", "path": path}]
    status = {"metadata": {"name": "web", "namespace": "shop"}, "state": state}
    status["linux"] = {"namespaces": {"options": {"network": network}}}
    return json.dumps({"status": status, "info": {"runtimeSpec": {"linux": {"namespaces": spaces}}}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            answer("SANDBOX_READY", "POD", "/var/run/netns/cni-1"),
            Pod("abc", "shop/web", True, False, "/var/run/netns/cni-1"),
        ),
        (answer("SANDBOX_NOTREADY", "NODE", "/proc/1/ns/net"), Pod("abc", "shop/web", False, True)),
        ("{}", Pod("abc", "abc", True, False)),
        ("no JSON", Pod("abc", "abc", True, False)),
    ],
)
def test_a_pod_is_read(text: str, expected: Pod) -> None:
    """What is not told counts as a pod that runs in a network of its own."""
    assert parse_pod("abc", text) == expected


class DockerHost:
    """Answers as docker does, with one pod of two containers and a container of somebody else."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []

    def get_bin_path(self, name: str, **_options: Any) -> str:
        return f"/bin/{name}"

    def run_command(self, command: list[str], **_options: Any) -> tuple[int, str, str]:
        self.commands.append(command[1:])
        if command[1] == "ps":
            found = {"io.kubernetes.docker.type=podsandbox": "pod1", "io.kubernetes.sandbox.id=pod1": "one\ntwo"}
            return 0, found[command[-1].partition("label=")[2]] + "\n", ""
        labels = {"io.kubernetes.pod.namespace": "shop", "io.kubernetes.pod.name": "web"}
        told = {"State": {"Running": True}, "HostConfig": {"NetworkMode": "none"}, "Config": {"Labels": labels}}
        return 0, json.dumps([told]), ""


def test_docker_ends_the_pods_that_the_kubelet_made_without_the_cri(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "docker.sock"
    monkeypatch.setattr(reset_runtime, "DOCKER", str(path))
    monkeypatch.setattr(reset_runtime, "pod_processes", list)
    host: Any = DockerHost()
    runtime = runtime_of(host, "/var/run/dockershim.sock")
    assert runtime.pods() == []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        pods = runtime.pods()
        ends_them(host, runtime, pods)
    host.commands.clear()
    # The socket stays where Docker has ended.
    assert (path.exists(), runtime.pods(), host.commands) == (True, [], [])
    monkeypatch.setattr(reset_runtime, "pod_processes", lambda: [42, 43])
    with pytest.raises(ResetError, match="2 processes of pods run, such as 42: start Docker, or restart the host"):
        runtime.pods()


def ends_them(host: Any, runtime: reset_runtime.Runtime, pods: list[Pod]) -> None:
    assert pods == [Pod("pod1", "shop/web", True, False)]
    host.commands.clear()
    assert (runtime.stop(pods), runtime.remove(pods)) == ([], [])
    assert [command for command in host.commands if command[0] != "ps"] == [
        ["stop", "--time=10", "one", "two"],
        ["stop", "--time=10", "pod1"],
        ["rm", "--force", "--volumes", "one", "two"],
        ["rm", "--force", "--volumes", "pod1"],
    ]
    assert not runtime.has_namespace()


def test_processes_of_pods(tmp_path: Path) -> None:
    for number, group in (("12", "0::/kubepods.slice/pod1"), ("13", "0::/system.slice"), ("self", "0::/kubepods")):
        (tmp_path / number).mkdir()
        (tmp_path / number / "cgroup").write_text(f"{group}\n")
    (tmp_path / "14").mkdir()
    assert pod_processes(str(tmp_path)) == [12]
