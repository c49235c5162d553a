"""The module kubeadm_join on a host that is a folder: real files, and kubeadm and systemctl are played."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils import _kubeadm
from ansible_collections.groundwork.kubernetes.plugins.modules import kubeadm_info, kubeadm_join

SECRET = "abcdef.0123456789abcdef"
CONFIG = f"kind: JoinConfiguration\ndiscovery: {{bootstrapToken: {{token: {SECRET}}}}}\n"
TIMEOUT = ["/bin/timeout", "--kill-after=30", "900", "/bin/kubeadm", "join"]
STOP = ["/bin/systemctl", "stop", "kubelet"]
STALE = 'error execution phase kubelet-start: a Node with name "w1" and status "Ready" already exists in the cluster.\n'
Result = dict[str, Any]


@dataclass
class Host:
    """A folder in the place of /etc/kubernetes, and the programs of a worker."""

    folder: Path
    run_module: Callable[..., Result]
    ran: list[list[str]] = field(default_factory=list)
    answers: list[tuple[int, str]] = field(default_factory=list)
    stop: tuple[int, str] = (0, "")
    temporary: list[Path] = field(default_factory=list)
    api: tuple[int, str, str] = (0, "ok", "")

    @property
    def marker(self) -> Path:
        return self.folder / _kubeadm.JOIN_MARKER

    def write(self, *names: str) -> None:
        for name in names:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())

    def run_command(self, arguments: list[str], **_options: Any) -> tuple[int, str, str]:
        if arguments[0] == "/bin/kubectl":
            self.ran.append(arguments)
            return self.api
        if arguments[:2] == STOP[:2]:
            self.ran.append(arguments)
            return self.stop[0], "", self.stop[1]
        assert arguments[: len(TIMEOUT)] == TIMEOUT
        assert SECRET not in " ".join(arguments)
        assert self.marker.exists()
        config = Path(arguments[len(TIMEOUT)].partition("=")[2])
        assert config.read_text() == CONFIG
        assert config.stat().st_mode & 0o777 == 0o600
        self.temporary.append(config)
        self.ran.append(["kubeadm", "join", *arguments[len(TIMEOUT) + 1 :]])
        rc, err = self.answers.pop(0) if self.answers else (0, "")
        if rc == 0:
            self.write("kubelet.conf", "pki/ca.crt")
        return rc, "", err

    def __call__(self, **options: Any) -> Result:
        self.ran.clear()
        result = self.run_module(kubeadm_join, **{"config": CONFIG, **options})
        assert SECRET not in str(result)
        assert not any(path.exists() for path in self.temporary)
        return result


@pytest.fixture
def host(tmp_path: Path, run_module: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path / "kubernetes", run_module)
    host.folder.mkdir()
    monkeypatch.setattr(_kubeadm, "FOLDER", str(host.folder))
    monkeypatch.setattr(kubeadm_join, "STALE_NODE_PAUSE", 0)
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda _self, name, *_args, **_options: f"/bin/{name}")
    monkeypatch.setattr(AnsibleModule, "run_command", lambda _self, *args, **options: host.run_command(*args, **options))
    return host


@pytest.mark.parametrize(
    ("options", "command"),
    [
        ({}, ["kubeadm", "join"]),
        (
            {"ignore_preflight_errors": ["NumCPU", "Swap"], "skip_phases": ["preflight"]},
            ["kubeadm", "join", "--ignore-preflight-errors=NumCPU,Swap", "--skip-phases=preflight"],
        ),
    ],
)
def test_join(host: Host, options: dict[str, Any], command: list[str]) -> None:
    result = host(**options)
    assert (result["changed"], result["action"], host.ran) == (True, "join", [command])
    assert host.files() == ["kubelet.conf", "pki/ca.crt"]
    again = host(**options)
    assert (again["changed"], again["action"], host.ran) == (False, "none", [])


def test_check_mode(host: Host) -> None:
    result = host(_ansible_check_mode=True)
    assert (result["changed"], result["action"], host.ran, host.files()) == (True, "join", [], [])


@pytest.mark.parametrize("files", [["kubelet.conf"], ["kubelet.conf", "admin.conf", "manifests/kube-apiserver.yaml"]])
def test_joined_already(host: Host, files: list[str]) -> None:
    host.write(*files)
    for check in (True, False):
        result = host(_ansible_check_mode=check)
        assert (result["changed"], result["action"], host.ran) == (False, "none", [])


@pytest.mark.parametrize(
    ("stderr", "marker"),
    [("\t[ERROR Port-10250]: Port 10250 is in use\n", False), ("error execution phase kubelet-start: no\n", True)],
)
def test_failure_leaves_the_marker_if_something_was_changed(host: Host, stderr: str, marker: bool) -> None:
    host.answers = [(1, stderr)]
    result = host()
    assert result["failed"]
    assert stderr.split(": ")[-1].strip() in result["msg"]
    assert host.marker.exists() is marker


def test_resume(host: Host) -> None:
    host.write(_kubeadm.JOIN_MARKER, "kubelet.conf", "bootstrap-kubelet.conf", "pki/ca.crt", "mine.txt")
    assert host(_ansible_check_mode=True)["action"] == "resume"
    assert host.ran == []
    host.answers = [(1, STALE), (1, STALE), (0, "")]
    result = host()
    join = ["kubeadm", "join"]
    assert (result["changed"], result["action"]) == (True, "resume")
    assert host.ran == [STOP, join, STOP, join, STOP, join]
    assert host.files() == ["kubelet.conf", "mine.txt", "pki/ca.crt"]
    assert host()["changed"] is False


def test_another_node_of_that_name_is_not_waited_for(host: Host) -> None:
    host.answers = [(1, STALE)]
    result = host()
    assert result["failed"]
    assert "already exists in the cluster" in result["msg"]
    assert host.ran == [["kubeadm", "join"]]


def test_resume_needs_the_kubelet_stopped(host: Host) -> None:
    host.write(_kubeadm.JOIN_MARKER, "kubelet.conf")
    host.stop = (1, "no such unit\n")
    result = host()
    assert result["failed"]
    assert result["msg"] == "The kubelet cannot be stopped before the join is resumed: no such unit"
    assert host.files() == [_kubeadm.JOIN_MARKER, "kubelet.conf"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([_kubeadm.INIT_MARKER], "An initialization was begun on this host"),
        (
            [_kubeadm.JOIN_MARKER, "admin.conf", "manifests/kube-apiserver.yaml"],
            "The join of this control plane was begun and never finished",
        ),
    ],
)
def test_refused(host: Host, files: list[str], message: str) -> None:
    host.write(*files)
    result = host()
    assert result["failed"]
    assert result["msg"].startswith(message)
    assert host.ran == []


@pytest.mark.parametrize(
    ("files", "options", "api", "expected"),
    [
        ([], {}, (0, "ok", ""), {"role": "none", "interrupted": ""}),
        (["kubelet.conf"], {}, (0, "ok", ""), {"role": "worker", "interrupted": ""}),
        ([_kubeadm.JOIN_MARKER], {}, (0, "ok", ""), {"role": "none", "interrupted": "join"}),
        (["kubelet.conf"], {"check_api": True}, (0, "ok", ""), {"role": "worker", "api_ready": False}),
        (
            ["admin.conf", "manifests/kube-apiserver.yaml"],
            {"check_api": True},
            (0, "ok", ""),
            {"role": "control_plane", "api_ready": True},
        ),
        (
            ["admin.conf", "manifests/kube-apiserver.yaml"],
            {"check_api": True},
            (1, "", "connection refused"),
            {"role": "control_plane", "api_ready": False},
        ),
    ],
)
def test_info(
    host: Host, files: list[str], options: dict[str, Any], api: tuple[int, str, str], expected: dict[str, Any]
) -> None:
    host.write(*files)
    host.api = api
    result = host.run_module(kubeadm_info, **options)
    assert result["changed"] is False
    assert {key: result[key] for key in expected} == expected
