"""The modules runtime_end and runtime_info; what a host runs is played."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.reset_runtime import Pod
from ansible_collections.groundwork.kubernetes.plugins.modules import runtime_end, runtime_info

Result = dict[str, Any]
SHIM, CONTAINERD = "/var/run/dockershim.sock", "unix:///run/containerd/containerd.sock"
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

    def run_command(self, command: list[str], **_options: Any) -> tuple[int, str, str]:
        if command[0] == "/bin/docker":
            return 0, {"ps": self.docker, "info": "true\n"}[command[1]], ""
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
    monkeypatch.setattr(runtime_end, "runtime_of", lambda _module, _socket: host)
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


def test_docker_goes_on_where_it_has_other_containers(host: Host) -> None:
    host.docker = "k8s_web_1\nregistry\n"
    assert host()["services"] == []


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
    assert {name: result[name] for name in ("socket", "runtime", "dockershim", "foreign", "keeps_containers")} == {
        "socket": SHIM,
        "runtime": "docker",
        "dockershim": True,
        "foreign": ["registry"],
        "keeps_containers": True,
    }
    assert result["services"] == ["containerd", "docker"]
