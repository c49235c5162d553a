"""The modules runtime_end and runtime_info; what a host runs is played."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import runtimes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.reset_runtime import Pod
from ansible_collections.groundwork.kubernetes.plugins.modules import runtime_end, runtime_info

Result = dict[str, Any]
SHIM, CONTAINERD = "/var/run/dockershim.sock", "unix:///run/containerd/containerd.sock"
CRIO = "unix:///var/run/crio/crio.sock"
WEB, API = Pod("web", "shop/web", True, False), Pod("api", "kube-system/kube-apiserver", True, True)


class Host:
    """Units by their states, and a runtime with pods."""

    def __init__(self, run_module: Callable[..., Result]) -> None:
        self.run_module = run_module
        self.there = True
        self.units = {"kubelet.service": "inactive", "docker.service": "active", "containerd.service": "active"}
        self.kept = [API, WEB]
        self.done: list[str] = []
        self.docker = ""
        self.docker_code = 0
        self.tasks: list[str] = []
        self.warnings: list[str] = []

    def run_command(self, command: list[str], **_options: Any) -> tuple[int, str, str]:
        if command[0] == "/bin/docker":
            return self.docker_code, {"ps": self.docker, "info": "true\n"}[command[1]], "no daemon\n"
        action, unit = command[1], command[-1] if command[1] != "show" else command[2]
        if action == "show":
            state = self.units.get(unit, "")
            load = "loaded" if state else "not-found"
            return 0, f"LoadState={load}\nActiveState={state or 'inactive'}\nUnitFileState=enabled\n", ""
        self.done.append(f"{action} {unit}")
        self.units[unit] = "inactive"
        return 0, "", ""

    # The runtime
    path = "/run/x.sock"

    def pods(self) -> list[Pod]:
        return list(self.kept)

    def stop(self, pods: list[Pod]) -> list[str]:
        self.done.append("stop " + " ".join(pod.identifier for pod in pods))
        return []

    def remove(self, pods: list[Pod]) -> list[str]:
        self.done.append("remove " + " ".join(pod.identifier for pod in pods))
        self.kept = [pod for pod in self.kept if pod not in pods]
        return []

    def __call__(self, socket: str = SHIM, successor: str = CONTAINERD, **options: Any) -> Result:
        self.done.clear()
        return self.run_module(runtime_end, socket=socket, successor=successor, **options)


@pytest.fixture
def host(run_module: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(run_module)
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda _self, name, *_args, **_options: f"/bin/{name}")
    monkeypatch.setattr(
        AnsibleModule, "run_command", lambda _self, *args, **options: host.run_command(*args, **options)
    )
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text: host.warnings.append(text))
    monkeypatch.setattr(runtime_end, "runtime_of", lambda _module, _socket: host)
    monkeypatch.setattr(runtimes, "foreign_tasks", lambda _module: host.tasks)
    monkeypatch.setattr(runtime_end, "pod_processes", lambda: [] if host.there else [42, 43])
    return host


def test_pods_then_services(host: Host) -> None:
    checked = host(_ansible_check_mode=True)
    assert (checked["changed"], host.done) == (True, [])
    result = host()
    assert host.done == [
        "stop web api",
        "remove web api",
        "disable docker.service",
        "stop docker.service",
    ]
    assert result["pods"] == ["shop/web", "kube-system/kube-apiserver"]
    assert result["services"] == ["docker.service"]


def test_a_socket_that_docker_has_left_behind(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was stopped by a run that was cut off."""
    place = str(tmp_path / "docker.sock")
    monkeypatch.setattr(host, "path", place)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(place)
        server.listen()
        assert host()["pods"] == ["shop/web", "kube-system/kube-apiserver"]
    host.kept = [API]
    monkeypatch.setattr(runtime_end, "pod_processes", lambda: [])
    assert host()["pods"] == []
    monkeypatch.setattr(runtime_end, "pod_processes", lambda: [7])
    assert f"nobody listens at {place}, so the runtime cannot be asked, and 1 processes of pods run" in host()["msg"]


def test_docker_goes_on_where_it_has_other_containers(host: Host) -> None:
    host.docker = "k8s_web_1\nregistry\n"
    assert host(successor=CRIO)["services"] == []
    assert [text.partition(",")[0] for text in host.warnings] == [
        "docker.socket goes on",
        "docker.service goes on",
        "containerd.service goes on",
    ]
    assert host.warnings[-1].endswith(": registry")


@pytest.mark.parametrize(
    ("runs", "tasks", "ended"),
    [
        # While Docker runs, its containers in containerd are those that it tells of itself.
        ("active", ["moby/0a1b"], ["docker.service", "containerd.service"]),
        ("active", ["default/builder"], ["docker.service"]),
        ("inactive", ["moby/0a1b"], []),
        ("inactive", [], ["docker.service", "containerd.service"]),
    ],
)
def test_containerd_goes_on_where_others_use_it(host: Host, runs: str, tasks: list[str], ended: list[str]) -> None:
    host.kept, host.tasks, host.units["docker.service"] = [], tasks, runs
    assert host(successor=CRIO)["services"] == ended


def test_docker_that_does_not_tell_is_not_taken_for_empty(host: Host) -> None:
    host.docker_code = 1
    assert "Docker does not tell which containers run: no daemon. Nothing was changed" in host()["msg"]
    assert host.done == []


def test_a_runtime_of_another_version_keeps_its_service(host: Host) -> None:
    assert host(CONTAINERD, CONTAINERD)["services"] == []
    assert not host(CONTAINERD, CONTAINERD)["changed"]


def test_a_kubelet_that_runs_would_start_them_again(host: Host) -> None:
    host.units["kubelet.service"] = "active"
    assert "The kubelet runs" in host()["msg"]
    assert host.done == []


def test_what_cannot_be_asked_is_not_taken_for_gone(host: Host) -> None:
    host.there = False
    assert "2 processes of pods run, such as 42" in host()["msg"]
    assert host.done == []


def test_a_runtime_that_has_gone_leaves_nothing_to_end(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.there = False
    monkeypatch.setattr(runtime_end, "pod_processes", list)
    assert (host()["pods"], host.done) == ([], ["disable docker.service", "stop docker.service"])


def test_a_pod_that_stays_is_a_failure(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "remove", lambda _pods: ["shop/web: device is busy"])
    assert "could not be removed:\nshop/web: device is busy" in host()["msg"]


def test_what_a_host_has(host: Host, run_module: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    flags = 'KUBELET_KUBEADM_ARGS="--network-plugin=cni"'
    monkeypatch.setattr(runtime_info, "text_of", lambda path: flags if path.endswith("flags.env") else "")
    host.docker = "k8s_web_1\nregistry\n"
    result = run_module(runtime_info)
    assert {name: value for name, value in result.items() if name not in ("changed", "invocation")} == {
        "socket": SHIM,
        "runtime": "docker",
        "foreign": ["registry"],
        "keeps_containers": True,
    }
    host.docker_code, host.units["docker.service"] = 1, "inactive"
    assert run_module(runtime_info)["foreign"] == []


def test_what_docker_does_not_tell(host: Host, run_module: Callable[..., Result]) -> None:
    host.docker_code = 1
    assert "Docker does not tell" in run_module(runtime_info)["msg"]


@pytest.mark.parametrize(("code", "says", "keeps"), [(0, "true", True), (0, "false", False), (1, "", False)])
def test_containers_that_outlive_docker(code: int, says: str, keeps: bool) -> None:
    module: Any = SimpleNamespace(get_bin_path=str, run_command=lambda *_words, **_options: (code, says, ""))
    assert runtimes.keeps_containers(module) is keeps
