"""The module kubeadm_join on a host that is a folder: real files, and kubeadm and systemctl are played."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.login import Login
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import (
    control_plane,
    join,
    join_run,
    kubeadm,
    kubelet_configuration,
    rollback,
)
from ansible_collections.groundwork.kubernetes.plugins.modules import kubeadm_info, kubeadm_join

TOKEN = "abcdef.0123456789abcdef"  # noqa: S105
CONFIG = f"kind: JoinConfiguration\ndiscovery: {{bootstrapToken: {{token: {TOKEN}}}}}\n"
DISCOVERY = '{"kind": "Config"}'
TIMEOUT = ["/bin/timeout", "--kill-after=30", "900", "/bin/kubeadm", "join"]
STOP = ["/bin/systemctl", "stop", "kubelet"]
UPGRADE = ["kubeadm", "upgrade", "node", "phase", "kubelet-config"]
RESTART = ["/bin/systemctl", "restart", "kubelet"]
STALE = 'error execution phase kubelet-start: a Node with name "w1" and status "Ready" already exists in the cluster.\n'
DOCUMENTS: list[dict[str, Any]] = [
    {
        "kind": "JoinConfiguration",
        "nodeRegistration": {"name": "w1", "kubeletExtraArgs": [{"name": "v", "value": "1"}], "taints": []},
    },
    {"kind": "KubeletConfiguration", "cgroupDriver": "systemd"},
]
# What kubectl reads in the kubelet's configuration as kubeadm writes it here.
SHARED: dict[str, Any] = {"kind": "KubeletConfiguration", "cgroupDriver": "systemd", "syncFrequency": "0s"}
CONTENTS: dict[str, dict[str, Any]] = {"before": SHARED, "after": {**SHARED, "maxPods": 9}}
FLAGS = 'KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix:///x --v=1"\n'
PLANE = (
    *("admin.conf", "controller-manager.conf", "scheduler.conf", "manifests/kube-controller-manager.yaml"),
    *("manifests/kube-scheduler.yaml", "manifests/kube-apiserver.yaml", "manifests/etcd.yaml"),
)
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
    known: str = DISCOVERY  # what lies in the discovery file while kubeadm runs
    api: tuple[int, str, str] = (0, "ok", "")
    stored: str = "after"
    broken: bool = False
    plane: bool = False
    joins: bool = False
    ready: str = "True"
    warnings: list[str] = field(default_factory=list)
    ended: Iterator[int] = field(default_factory=lambda: itertools.repeat(0))

    @property
    def marker(self) -> Path:
        return self.folder / kubeadm.JOIN_MARKER

    def write(self, *names: str) -> None:
        for name in names:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")

    @property
    def stamp(self) -> Path:
        return self.folder.parent / "groundwork" / "kubeadm.json"

    @property
    def kubelet(self) -> Path:
        return self.folder.parent / "kubelet"

    def joined(self) -> None:
        self.write("kubelet.conf")
        for path, text in (
            (self.stamp, json.dumps(DOCUMENTS, indent=1, sort_keys=True)),
            (self.kubelet / "config.yaml", "before"),
            (self.kubelet / "kubeadm-flags.env", FLAGS),
        ):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    def kubelet_is(self, config: str, flags: str) -> bool:
        found = [(self.kubelet / name).read_text() for name in ("config.yaml", "kubeadm-flags.env")]
        return found == [config, flags]

    @property
    def patches(self) -> Path:
        return self.folder.parent / "patches"

    def content(self) -> dict[str, Any]:
        text = (self.kubelet / "config.yaml").read_text()
        return CONTENTS[text] if text in CONTENTS else json.loads(text)

    def configure(self, option: str = "") -> None:
        """What kubeadm makes of what the cluster stores and, if it is told, of the patches."""
        self.kubelet.mkdir(exist_ok=True)
        text = self.stored
        if option:
            assert option == f"--patches={self.patches}"
            patch = json.loads((self.patches / kubelet_configuration.PATCH_FILE).read_text())
            text = json.dumps(kubelet_configuration.merge(CONTENTS[text], patch))
        (self.kubelet / "config.yaml").write_text(text)

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())

    def kubectl(self, arguments: list[str]) -> tuple[int, str, str]:
        if "--local" in arguments:
            assert "--patch={}" in arguments
            assert f"--filename={self.kubelet}/config.yaml" in arguments
            return 0, json.dumps(self.content()), ""
        assert arguments[1].startswith(f"--kubeconfig={self.folder}/")
        if "lease" in arguments:
            fine = self.kubelet_is("before", FLAGS) or (self.kubelet_is(self.stored, FLAGS) and self.joins)
            time = "2020" if self.broken and not fine else "2999"
            return 0, json.dumps({"spec": {"renewTime": time}}), ""
        if "node" in arguments:
            return 0, json.dumps({"status": {"conditions": [{"type": "Ready", "status": self.ready}]}}), ""
        return self.api

    def run_command(self, arguments: list[str], **_options: Any) -> tuple[int, str, str]:
        if arguments[0] == "/bin/kubectl":
            return self.kubectl(arguments)
        if arguments[4:9] == [*UPGRADE[1:], f"--kubeconfig={self.folder}/kubelet.conf"]:
            self.ran.append(UPGRADE)
            self.configure(*arguments[9:])
            return 0, "", ""
        if arguments[0] in ("/bin/journalctl", "/bin/systemctl") and arguments != STOP:
            output = {"/bin/journalctl": "why it stopped\n"}.get(arguments[0], "")
            if arguments[1] == "show":
                output = f"{next(self.ended)}\n"
            else:
                self.ran.append(arguments)
            return 0, output, ""
        if arguments[:2] == STOP[:2]:
            self.ran.append(arguments)
            return self.stop[0], "", self.stop[1]
        if arguments[4:5] == ["reset"]:
            self.ran.append(["kubeadm", *arguments[4:]])
            for name in ("admin.conf", "kubelet.conf", "manifests/kube-apiserver.yaml", "manifests/etcd.yaml"):
                (self.folder / name).unlink(missing_ok=True)
            return 0, "", ""
        assert arguments[: len(TIMEOUT)] == TIMEOUT
        assert TOKEN not in " ".join(arguments)
        assert self.marker.exists()
        config = Path(arguments[len(TIMEOUT)].partition("=")[2])
        assert config.read_text() == CONFIG
        assert config.stat().st_mode & 0o777 == 0o600
        self.temporary.append(config)
        discovery = self.folder / join_run.DISCOVERY_FILE
        assert discovery.read_text() == self.known
        if self.known == DISCOVERY:
            assert discovery.stat().st_mode & 0o777 == 0o600
            self.temporary.append(discovery)
        self.ran.append(["kubeadm", "join", *arguments[len(TIMEOUT) + 1 :]])
        rc, err = self.answers.pop(0) if self.answers else (0, "")
        if rc == 0:
            self.write("kubelet.conf", "pki/ca.crt", *(PLANE if self.plane else ()))
            if self.joins:
                known = (self.patches / kubelet_configuration.PATCH_FILE).exists()
                self.configure(*([f"--patches={self.patches}"] if known else []))
                (self.kubelet / "kubeadm-flags.env").write_text(FLAGS)
        return rc, "", err

    def __call__(self, **options: Any) -> Result:
        self.ran.clear()
        result = self.run_module(kubeadm_join, **{"config": CONFIG, "discovery_kubeconfig": DISCOVERY, **options})
        assert TOKEN not in str(result)
        assert not any(path.exists() for path in self.temporary)
        return result


@pytest.fixture
def host(tmp_path: Path, run_module: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path / "kubernetes", run_module)
    host.folder.mkdir()
    monkeypatch.setattr(kubeadm, "FOLDER", str(host.folder))
    monkeypatch.setattr(kubeadm, "PROCESSES", str(host.folder))
    monkeypatch.setattr(kubeadm, "STAMP", str(host.stamp))
    monkeypatch.setattr(rollback, "KUBELET_FOLDER", str(host.kubelet))
    monkeypatch.setattr(join, "PATCH_FOLDER", str(host.patches))
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text, **_options: host.warnings.append(text))
    monkeypatch.setattr(rollback, "HEALTH_TIMEOUT", 0.05)
    monkeypatch.setattr(rollback, "PAUSE", 0.01)
    monkeypatch.setattr(join_run, "STALE_NODE_PAUSE", 0)
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda _self, name, *_args, **_options: f"/bin/{name}")
    monkeypatch.setattr(
        AnsibleModule, "run_command", lambda _self, *args, **options: host.run_command(*args, **options)
    )
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
    assert stderr.rpartition(": ")[2].strip() in result["msg"]
    assert host.marker.exists() is marker


def test_resume(host: Host) -> None:
    host.write(kubeadm.JOIN_MARKER, "kubelet.conf", "bootstrap-kubelet.conf", "pki/ca.crt", "mine.txt")
    assert host(_ansible_check_mode=True)["action"] == "resume"
    assert host.ran == []
    host.answers = [(1, STALE), (1, STALE), (0, "")]
    result = host()
    join = ["kubeadm", "join"]
    assert (result["changed"], result["action"]) == (True, "resume")
    assert host.ran == [STOP, join, STOP, join, STOP, join]
    assert host.files() == ["kubelet.conf", "mine.txt", "pki/ca.crt"]
    assert host()["changed"] is False


SLOW = "error execution phase kubelet-start: error uploading crisocket: timed out waiting for the condition\n"


@pytest.mark.parametrize(("answers", "failed"), [([(1, SLOW), (1, STALE), (0, "")], False), ([(1, SLOW)] * 2, True)])
def test_a_slow_kubelet_gets_a_second_chance(host: Host, answers: list[tuple[int, str]], failed: bool) -> None:
    host.answers = list(answers)
    result = host()
    assert bool(result.get("failed")) is failed
    assert [command for command in host.ran if command != STOP] == [["kubeadm", "join"]] * len(answers)


def test_the_node_that_the_host_was_before_is_waited_for(host: Host) -> None:
    host.answers = [(1, STALE), (0, "")]
    assert host()["changed"]
    assert host.ran == [["kubeadm", "join"], STOP, ["kubeadm", "join"]]


def test_another_node_of_that_name_is_not_waited_for_without_end(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join_run, "STALE_NODE_WAIT", 0)
    host.answers = [(1, STALE)]
    result = host()
    assert result["failed"]
    assert "already exists in the cluster" in result["msg"]
    assert host.ran == [["kubeadm", "join"]]


def test_resume_needs_the_kubelet_stopped(host: Host) -> None:
    host.write(kubeadm.JOIN_MARKER, "kubelet.conf")
    host.stop = (1, "no such unit\n")
    result = host()
    assert result["failed"]
    assert result["msg"] == "The kubelet cannot be stopped before the join is resumed: no such unit"
    assert host.files() == [kubeadm.JOIN_MARKER, "kubelet.conf"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([kubeadm.INIT_MARKER], "An initialization was begun on this host"),
        (
            [kubeadm.JOIN_MARKER, "admin.conf", "manifests/kube-apiserver.yaml"],
            "The join of this host as a control plane was begun and never finished",
        ),
    ],
)
def test_refused(host: Host, files: list[str], message: str) -> None:
    host.write(*files)
    result = host()
    assert result["failed"]
    assert result["msg"].startswith(message)
    assert host.ran == []


@pytest.fixture
def plane(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a host gets that joins as a control plane."""
    monkeypatch.setattr(kubeadm, "CONFIG", str(host.folder / "kubeadm.yaml"))
    (tmp_path / "etcd").mkdir()
    host.plane = True
    documents = [
        {"kind": "InitConfiguration", "nodeRegistration": {"name": "cp2", "criSocket": "unix:///x"}},
        {"kind": "ClusterConfiguration", "etcd": {"local": {"dataDir": str(tmp_path / "etcd")}}},
    ]
    return {"control_plane_config": "kind: InitConfiguration\n", "documents": documents}


def test_control_plane(host: Host, plane: dict[str, Any], tmp_path: Path) -> None:
    assert host(**plane)["action"] == "join"
    assert host.ran == [["kubeadm", "join"]]
    config = host.folder / "kubeadm.yaml"
    assert config.read_text() == plane["control_plane_config"]
    assert config.stat().st_mode & 0o777 == 0o600
    assert json.loads(host.stamp.read_text()) == plane["documents"]
    assert host(**plane)["changed"] is False


def test_control_plane_whose_api_server_does_not_come_up(host: Host, plane: dict[str, Any]) -> None:
    host.api = (1, "", "connection refused")
    assert "The host has joined, and its API server is not ready" in host(**plane)["msg"]
    # It has joined all the same, so that no later run takes it back.
    assert not host.marker.exists()
    assert host(**plane)["changed"] is False


LOGIN = "of-a-provider"


@pytest.mark.parametrize("lacks", ["", "the token does not log in"])
def test_who_must_log_in_at_a_control_plane_that_joins(
    host: Host, plane: dict[str, Any], monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    asked: list[Login] = []
    monkeypatch.setattr(control_plane, "LOGIN_SECONDS", 0)
    monkeypatch.setattr(Login, "lacking", lambda self, _api: asked.append(self) or lacks)
    result = host(**plane, login_token=LOGIN, login_user="carol")
    assert asked == [Login(LOGIN, "carol")]
    assert result.get("failed", False) is bool(lacks)
    assert not lacks or lacks in result["msg"]
    assert LOGIN not in json.dumps(result)
    # It has joined all the same, and a correction is a change of what runs.
    assert json.loads(host.stamp.read_text()) == plane["documents"]
    assert host(**plane, login_token=LOGIN)["changed"] is False
    assert len(asked) == 1


def test_nobody_logs_in_at_a_worker(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Login, "lacking", lambda _self, _api: pytest.fail("it was asked"))
    assert host(login_token=LOGIN)["action"] == "join"


@pytest.mark.parametrize("files", [("kubelet.conf",), ("kubelet.conf", "admin.conf")])
def test_a_node_does_not_join_as_control_plane(host: Host, plane: dict[str, Any], files: tuple[str, ...]) -> None:
    host.write(*files)
    result = host(**plane)
    assert "put back what was moved away" in result["msg"]
    assert "kubeadm reset" not in result["msg"]
    assert host.ran == []


def test_a_control_plane_without_kubelet_conf_does_not_join_as_worker(host: Host) -> None:
    host.write(*PLANE)
    assert "is to be a worker, and has" in host(documents=DOCUMENTS)["msg"]
    assert host.ran == []


def test_a_member_that_works_is_not_reset(
    host: Host, plane: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.write(kubeadm.JOIN_MARKER, *PLANE)
    (tmp_path / "etcd" / "member").mkdir(parents=True)
    (host.folder / "manifests/etcd.yaml").write_text(
        "    livenessProbe:\n      httpGet:\n        host: 127.0.0.1\n        path: /health\n        port: 2381\n"
    )
    monkeypatch.setattr(join_run, "answer", lambda _probe: "")
    result = host(**plane)
    assert "its member of etcd still works (http://127.0.0.1:2381/health)" in result["msg"]
    assert host.ran == []
    assert (tmp_path / "etcd" / "member").exists()
    monkeypatch.setattr(join_run, "answer", lambda _probe: "connection refused")
    assert host(**plane)["action"] == "resume"


def test_control_plane_that_was_cut_off(host: Host, plane: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "etcd" / "member").mkdir(parents=True)
    host.write(kubeadm.JOIN_MARKER, "admin.conf", "manifests/kube-apiserver.yaml", "manifests/etcd.yaml")
    result = host(**plane)
    assert (result["action"], host.ran[0]) == (
        "resume",
        ["kubeadm", "reset", "--force", "--skip-phases=remove-etcd-member", "--cri-socket=unix:///x"],
    )
    assert host.ran[1:] == [["kubeadm", "join"]]
    assert not (tmp_path / "etcd" / "member").exists()
    assert not host.marker.exists()


def test_data_of_external_etcd_stays(host: Host, plane: dict[str, Any], tmp_path: Path) -> None:
    host.write(kubeadm.JOIN_MARKER)
    (tmp_path / "etcd" / "member").mkdir(parents=True)
    plane["documents"][1]["etcd"]["external"] = {"endpoints": ["https://192.0.2.1:2379"]}
    assert host(**plane)["action"] == "resume"
    assert (tmp_path / "etcd" / "member").exists()


def changed(number: int, **fields: Any) -> list[dict[str, Any]]:
    """The documents with other fields in one of them."""
    return [{**document, **(fields if place == number else {})} for place, document in enumerate(DOCUMENTS)]


def registration(**fields: Any) -> list[dict[str, Any]]:
    """The documents with another registration of the node."""
    return changed(0, nodeRegistration={**DOCUMENTS[0]["nodeRegistration"], **fields})


def test_what_was_applied_is_remembered(host: Host) -> None:
    assert host(documents=DOCUMENTS)["changed"]
    assert json.loads(host.stamp.read_text()) == DOCUMENTS
    assert host(documents=DOCUMENTS, config=None)["changed"] is False


def test_adopt(host: Host) -> None:
    host.write("kubelet.conf")
    assert host(documents=DOCUMENTS, _ansible_check_mode=True)["action"] == "adopt"
    assert not host.stamp.exists()
    result = host(documents=DOCUMENTS)
    assert (result["changed"], result["action"], host.ran) == (True, "adopt", [])
    assert host(documents=DOCUMENTS)["changed"] is False


def test_a_control_plane_is_none_of_its_business(host: Host) -> None:
    host.write("kubelet.conf", "admin.conf", "manifests/kube-apiserver.yaml")
    assert host(documents=DOCUMENTS)["changed"] is False


@pytest.mark.parametrize(
    ("documents", "changes", "ran", "flags"),
    [
        (changed(1, maxPods=9), ["KubeletConfiguration.maxPods"], [UPGRADE, RESTART], FLAGS),
        (
            registration(kubeletExtraArgs=[{"name": "v", "value": "4"}, {"name": "node-ip", "value": "::1"}]),
            ["JoinConfiguration.nodeRegistration.kubeletExtraArgs"],
            [RESTART],
            'KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix:///x --v=4 --node-ip=::1"\n',
        ),
        (
            registration(kubeletExtraArgs=[]),
            ["JoinConfiguration.nodeRegistration.kubeletExtraArgs"],
            [RESTART],
            'KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix:///x"\n',
        ),
        (registration(taints=[{"key": "a"}]), ["JoinConfiguration.nodeRegistration.taints"], [], FLAGS),
    ],
)
def test_reconcile(
    host: Host, documents: list[dict[str, Any]], changes: list[str], ran: list[list[str]], flags: str
) -> None:
    host.joined()
    checked = host(documents=documents, _ansible_check_mode=True)
    assert (checked["changed"], checked["action"], checked["changes"]) == (True, "reconcile", changes)
    assert host.ran == []
    assert host.kubelet_is("before", FLAGS)
    result = host(documents=documents, config=None)
    assert (result["changed"], result["action"], host.ran) == (True, "reconcile", ran)
    assert host.kubelet_is("after" if UPGRADE in ran else "before", flags)
    assert json.loads(host.stamp.read_text()) == documents
    assert sorted(path.name for path in host.stamp.parent.iterdir()) == ["kubeadm.json"]
    assert host(documents=documents)["changed"] is False


def test_kubelet_that_does_not_come_up_is_put_back(host: Host) -> None:
    host.joined()
    host.broken = True
    result = host(documents=changed(1, maxPods=9))
    assert result["failed"]
    assert "why it stopped" in result["msg"]
    assert "The former settings have been put back." in result["msg"]
    assert host.kubelet_is("before", FLAGS)
    assert host.ran[-2:] == [["/bin/systemctl", "reset-failed", "kubelet"], RESTART]
    assert json.loads(host.stamp.read_text()) == DOCUMENTS
    assert host(documents=DOCUMENTS)["changed"] is False


def test_kubelet_that_ends_again_and_again_is_given_up_early(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollback, "HEALTH_TIMEOUT", 60)
    host.joined()
    host.broken = True
    host.ended = itertools.count(4)
    result = host(documents=registration(kubeletExtraArgs=[{"name": "no-such-flag", "value": "1"}]))
    assert "has not made the node ready: its service has ended 3 times" in result["msg"]
    assert host.kubelet_is("before", FLAGS)


def test_what_was_cut_off_is_undone_before_something_else_is_tried(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.joined()
    bad = registration(kubeletExtraArgs=[{"name": "no-such-flag", "value": "1"}])
    with monkeypatch.context() as cut:
        cut.setattr(rollback, "wait_for", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            host(documents=bad)
    assert not host.kubelet_is("before", FLAGS)
    assert json.loads(host.stamp.read_text()) == DOCUMENTS
    # The variable is set back to what the stamp holds, so that only the attempt tells of the change.
    assert host(documents=DOCUMENTS, _ansible_check_mode=True)["changed"]
    assert host(documents=DOCUMENTS, config=None)["changed"]
    assert host.kubelet_is("before", FLAGS)
    assert sorted(path.name for path in host.stamp.parent.iterdir()) == ["kubeadm.json"]
    assert not host(documents=DOCUMENTS)["changed"]


def test_the_control_planes_come_first(host: Host) -> None:
    host.joined()
    host.stored = "before"
    for _run in range(2):
        result = host(documents=changed(1, maxPods=9))
        assert result["failed"]
        assert "Run the play of the control planes first." in result["msg"]
    assert json.loads(host.stamp.read_text()) == DOCUMENTS


def test_reconfiguration_that_was_cut_off_is_done_again(host: Host) -> None:
    host.joined()
    (host.kubelet / "config.yaml").write_text("after")
    (host.stamp.parent / "kubeadm-attempt.json").write_text('{"steps": ["kubelet"], "files": {}}')
    assert host(documents=changed(1, maxPods=9))["changed"]
    assert host.ran == [UPGRADE, RESTART]
    assert sorted(path.name for path in host.stamp.parent.iterdir()) == ["kubeadm.json"]


PATCH = {"maxPods": 5, "syncFrequency": None}
REMEMBERED = {"kind": "KubeletPatch", "maxPods": 5, "syncFrequency": "(none)"}
PATCHED = {"kind": "KubeletConfiguration", "cgroupDriver": "systemd", "maxPods": 5}


def with_folder(host: Host) -> list[dict[str, Any]]:
    """The documents where kubeadm knows patches of the kubelet's configuration."""
    return changed(0, patches={"directory": str(host.patches)})


@pytest.mark.parametrize("ready", ["True", "False"])
def test_join_of_a_host_that_differs(host: Host, ready: str) -> None:
    """Before Kubernetes 1.25 kubeadm knows no patches of the kubelet's configuration.

    A node that has just joined may have no network plugin yet, so that it is not ready.
    """
    host.joins, host.ready = True, ready
    given = {"documents": DOCUMENTS, "kubelet_patch": PATCH}
    assert host(**given, _ansible_check_mode=True)["action"] == "join"
    assert host(**given)["action"] == "join"
    assert host.ran == [["kubeadm", "join"], RESTART]
    assert host.content() == PATCHED
    assert json.loads(host.stamp.read_text()) == [*DOCUMENTS, REMEMBERED]
    assert (host(**given)["changed"], host.ran) == (False, [])


def test_join_of_a_host_that_differs_with_kubeadms_patches(host: Host) -> None:
    host.joins = True
    given = {"documents": with_folder(host), "kubelet_patch": PATCH}
    assert host(**given)["action"] == "join"
    assert host.ran == [["kubeadm", "join"]]
    assert host.content() == PATCHED
    assert json.loads(host.stamp.read_text()) == [*given["documents"], REMEMBERED]
    path = host.patches / kubelet_configuration.PATCH_FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert host(**given)["changed"] is False
    result = host(documents=DOCUMENTS)
    assert result["changes"] == [
        "JoinConfiguration.patches.directory",
        "KubeletPatch.maxPods",
        "KubeletPatch.syncFrequency",
    ]
    assert host.ran == [UPGRADE, RESTART]
    assert not path.exists()
    assert "maxPods" not in kubelet_configuration.merge(host.content(), {"maxPods": None})


def test_what_was_not_applied_is_not_remembered(host: Host) -> None:
    host.joins = host.broken = True
    given = {"documents": DOCUMENTS, "kubelet_patch": PATCH}
    result = host(**given)
    assert result["failed"]
    assert "The former settings have been put back." in result["msg"]
    assert not host.marker.exists()
    assert json.loads(host.stamp.read_text()) == DOCUMENTS
    host.broken = False
    assert host(**given)["action"] == "reconcile"
    assert host.ran == [UPGRADE, RESTART]
    assert host.content() == PATCHED
    assert json.loads(host.stamp.read_text()) == [*DOCUMENTS, REMEMBERED]


def test_join_to_a_cluster_that_stores_less(host: Host) -> None:
    host.joins, host.stored = True, "before"
    wanted = changed(1, maxPods=9)
    assert host(documents=wanted)["action"] == "join"
    assert "does not store the kubelet's configuration as it is wanted yet (maxPods)" in host.warnings[0]
    assert json.loads(host.stamp.read_text()) == DOCUMENTS
    host.stored = "after"
    assert host(documents=wanted)["changes"] == ["KubeletConfiguration.maxPods"]
    assert host.ran == [UPGRADE, RESTART]
    assert json.loads(host.stamp.read_text()) == wanted


def test_what_was_remembered_without_being_applied_is_applied(host: Host) -> None:
    """As a host's own settings were remembered once."""
    host.joined()
    host.stored = "before"
    host.stamp.write_text(json.dumps(changed(1, maxPods=5)))
    given = {"documents": DOCUMENTS, "kubelet_patch": PATCH}
    for check in (True, False):
        result = host(**given, _ansible_check_mode=check)
        assert (result["action"], result["changed"]) == ("reconcile", True)
    assert host.content() == PATCHED
    assert host(**given)["changed"] is False


@pytest.mark.parametrize("known", [False, True])
def test_other_settings_of_a_host(host: Host, known: bool) -> None:
    host.joined()
    host.stored = "before"
    documents = with_folder(host) if known else DOCUMENTS
    for patch in (PATCH, {"maxPods": 6}, {"evictionHard": {"memory.available": "5%"}}, {}):
        options = {"documents": documents if patch else DOCUMENTS, "kubelet_patch": patch}
        result = host(**options)
        assert result.get("action") == "reconcile", result["msg"]
        assert host.ran == [UPGRADE, RESTART]
        assert host.content() == kubelet_configuration.merge(SHARED, patch)
        assert host(**options)["changed"] is False


def test_the_kubelet_only_restarts_for_another_configuration(host: Host) -> None:
    host.joined()
    host.stored = "before"
    documents = changed(1, syncFrequency="0m")
    assert host(documents=documents)["changes"] == ["KubeletConfiguration.syncFrequency"]
    assert host.ran == [UPGRADE]
    assert json.loads(host.stamp.read_text()) == documents


def test_adopt_with_settings_of_the_host(host: Host) -> None:
    host.joined()
    host.stamp.unlink()
    given = {"documents": DOCUMENTS, "kubelet_patch": PATCH}
    assert host(**given, _ansible_check_mode=True)["action"] == "adopt"
    assert host.ran == []
    assert host(**given)["action"] == "adopt"
    assert (host.ran, host.content()) == ([RESTART], PATCHED)
    assert host(**given)["changed"] is False


def test_adopt_gives_arguments(host: Host) -> None:
    """What kubeadm and others have set stays."""
    host.joined()
    host.stamp.unlink()
    documents = registration(kubeletExtraArgs=[{"name": "node-ip", "value": "::1"}])
    planned = host(documents=documents, _ansible_check_mode=True)
    result = host(documents=documents)
    changes = ["nodeRegistration.kubeletExtraArgs"]
    assert [(one["action"], one["changes"]) for one in (planned, result)] == [("adopt", changes)] * 2
    assert host.ran == [RESTART]
    flags = 'KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix:///x --v=1 --node-ip=::1"\n'
    assert host.kubelet_is("before", flags)
    assert json.loads(host.stamp.read_text()) == documents
    assert host(documents=documents)["changed"] is False


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        (registration(name="w2"), "JoinConfiguration.nodeRegistration.name is 'w1' and should become 'w2'"),
        (changed(0, discovery={"bootstrapToken": {}}), "documents must not hold discovery"),
    ],
)
def test_refused_documents(host: Host, documents: list[dict[str, Any]], message: str) -> None:
    host.joined()
    result = host(documents=documents)
    assert result["failed"]
    assert message in result["msg"]
    assert host.ran == []


@pytest.mark.parametrize(("given", "stays"), [(None, True), (DISCOVERY, False)])
def test_a_discovery_file_of_the_users_stays(host: Host, given: str | None, stays: bool) -> None:
    path = host.folder / join_run.DISCOVERY_FILE
    path.write_text("mine")
    host.known = given or "mine"
    assert host(discovery_kubeconfig=given)["changed"]
    assert path.exists() is stays


def test_config_is_needed_to_join(host: Host) -> None:
    assert host(config=None)["msg"] == "This host has not joined yet; set config to join it."


@pytest.mark.parametrize(
    ("files", "options", "api", "expected"),
    [
        ([], {}, (0, "ok", ""), {"role": "none", "interrupted": "", "missing": [], "faults": []}),
        (["kubelet.conf"], {}, (0, "ok", ""), {"role": "worker", "interrupted": ""}),
        ([kubeadm.JOIN_MARKER], {}, (0, "ok", ""), {"role": "none", "interrupted": "join"}),
        (["kubelet.conf"], {"check_api": True}, (0, "ok", ""), {"role": "worker", "api_ready": False}),
        (
            ["kubelet.conf", *PLANE],
            {"check_api": True},
            (0, "ok", ""),
            {"role": "control_plane", "api_ready": True, "api_version": "", "missing": []},
        ),
        (
            ["kubelet.conf", *PLANE],
            {"check_api": True},
            (1, "", "connection refused"),
            {"role": "control_plane", "api_ready": False, "api_version": ""},
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


@pytest.mark.parametrize(
    ("remembered", "expected"),
    [
        ('[{"kind": "ClusterConfiguration", "etcd": {"external": {"endpoints": ["u1", "u2"]}}}]', ["u1", "u2"]),
        ('[{"kind": "ClusterConfiguration", "etcd": {"local": {}}}]', []),
        ("[{", []),
        ("", []),
        ("7", []),
    ],
    ids=["external", "stacked", "damaged", "empty", "not a list"],
)
def test_info_of_etcd_as_it_was_applied(host: Host, remembered: str, expected: list[str]) -> None:
    host.stamp.parent.mkdir(exist_ok=True)
    host.stamp.write_text(remembered)
    assert host.run_module(kubeadm_info)["etcd_endpoints"] == expected


def test_info_asks_the_hosts_own_api_server(host: Host) -> None:
    """Others behind the endpoint of admin.conf answer, and this host's API server is moved aside."""
    host.write("kubelet.conf", *PLANE)
    (host.folder / "manifests/kube-apiserver.yaml").unlink()
    result = host.run_module(kubeadm_info, check_api=True, etcd_data_dir=str(host.folder.parent / "etcd"))
    assert (result["role"], result["api_ready"]) == ("control_plane", False)
    assert result["missing"] == [str(host.folder / "manifests/kube-apiserver.yaml")]
