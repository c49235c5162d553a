"""The module kubeadm_init on a host that is a folder: real files, and kubeadm and kubectl are played."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import (
    container_exits,
    control_plane,
    kube_proxy,
    kubelet_configuration,
    rollback,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import kubeadm as kubeadm_utils
from ansible_collections.groundwork.kubernetes.plugins.modules import kubeadm_init

CONTENT = "kind: ClusterConfiguration\n"
DOCUMENTS: list[dict[str, Any]] = [
    {"kind": "InitConfiguration", "nodeRegistration": {"name": "cp1"}},
    {"kind": "ClusterConfiguration", "kubernetesVersion": "v1.36.5", "networking": {"podSubnet": "10.244.0.0/16"}},
    {"kind": "KubeletConfiguration", "cgroupDriver": "systemd"},
    {"kind": "KubeProxyConfiguration", "mode": "iptables"},
]
TIMEOUT = ["/bin/timeout", "--kill-after=30", "900", "/bin/kubeadm"]
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
KUBECONFIGS = ("admin", "controller-manager", "scheduler")
OWN = "--server=https://192.0.2.11:6443"
ADDRESS = "    - --advertise-address=192.0.2.11\n"
Result = dict[str, Any]
RESTARTED = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}
PROXY_CONFIGURATION = {"data": {"config.conf": "mode: iptables"}}
PROXY_SET = {"spec": {"template": RESTARTED}}


@dataclass
class Host:
    """A folder in the place of /etc/kubernetes and its like, and the programs of a control plane."""

    root: Path
    run_module: Callable[..., Result]
    ran: list[str] = field(default_factory=list)
    failing: dict[str, tuple[int, str]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    version: str = "v1.36.5"
    # The ClusterConfiguration in the cluster.
    stored: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(DOCUMENTS[1]))
    seen_marker: bool = False
    review: dict[str, Any] = field(default_factory=dict)
    reviewed: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    proxies: dict[str, Any] = field(default_factory=lambda: {"items": []})

    @property
    def kubernetes(self) -> Path:
        return self.root / "kubernetes"

    @property
    def marker(self) -> Path:
        return self.kubernetes / kubeadm_utils.INIT_MARKER

    @property
    def config(self) -> Path:
        return self.kubernetes / "kubeadm.yaml"

    @property
    def stamp(self) -> Path:
        return self.root / "groundwork" / "kubeadm.json"

    def write(self, *names: str, content: str = "x") -> None:
        for name in names:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    def joined(self, content: str) -> None:
        """What kubeadm writes on a control plane."""
        self.write(*(f"kubernetes/{name}.conf" for name in ("kubelet", *KUBECONFIGS)), content=content)
        self.write(*(f"kubernetes/manifests/{name}.yaml" for name in (*COMPONENTS, "etcd")), content=content)

    def initialized(self) -> None:
        self.joined("before")
        self.write("kubelet/config.yaml", content="before")
        self.write("kubernetes/pki/apiserver.crt", "kubernetes/pki/apiserver.key", content="before")
        self.write("kubernetes/kubeadm.yaml", content=CONTENT)
        self.write("groundwork/kubeadm.json", content=json.dumps(DOCUMENTS, indent=1, sort_keys=True))

    def kubeadm(self, arguments: list[str]) -> tuple[int, str, str]:
        line = " ".join(arguments).replace(str(self.root), "")
        self.ran.append(line)
        self.seen_marker = self.seen_marker or self.marker.exists()
        for part, (rc, err) in self.failing.items():
            if part in line:
                return rc, "", err
        if line.startswith("init --config"):
            self.joined("x")
            self.write("kubelet/config.yaml", content="before")
        for name in COMPONENTS:
            if f"control-plane {name[len('kube-') :]}" in line:
                self.write(f"kubernetes/manifests/{name}.yaml", content=ADDRESS)
        for name in KUBECONFIGS:
            if f"kubeconfig {name}" in line:
                self.write(f"kubernetes/{name}.conf", content="again")
        if "control-plane all" in line:
            self.write("kubernetes/manifests/kube-apiserver.yaml", content="after")
        if "certs apiserver" in line:
            self.write("kubernetes/pki/apiserver.crt", "kubernetes/pki/apiserver.key", content="after")
        if "kubelet-start" in line:
            self.write("kubelet/config.yaml", content="after")
        return 0, "", ""

    def kubectl(self, arguments: list[str]) -> tuple[int, str, str]:
        line = " ".join(arguments)
        if "--local" in arguments:
            kubelet = self.root / "kubelet/config.yaml"
            text = json.dumps(self.stored) if "--filename=-" in arguments else kubelet.read_text()
            return 0, text if text.startswith("{") else json.dumps({"cgroupDriver": "systemd", "maxPods": 9}), ""
        api_broken = "kube-apiserver" in self.broken and self.manifest("kube-apiserver") == "after"
        if api_broken or "api" in self.broken:
            return 1, "", "connection refused"
        texts = {
            "get --raw=/readyz": "ok",
            "get configmap kubeadm-config": json.dumps(
                {"data": {"ClusterConfiguration": "kind: ClusterConfiguration"}}
            ),
            "get --raw=/version": json.dumps({"gitVersion": self.version}),
            "logs kube-proxy-x": "E1127 unknown proxy mode\nusage\n",
        }
        for start, text in texts.items():
            if line.startswith(start):
                return 0, text, ""
        if line.startswith("get "):
            return 0, json.dumps(self.state_of(line)), ""
        self.ran.append(f"kubectl {line}")
        return (1, "", "timed out") if "rollout status" in line and "rollout" in self.broken else (0, "", "")

    def state_of(self, line: str) -> dict[str, Any]:
        """What the API server has of kube-proxy, a pod, the node or the node's lease."""
        if "kube-proxy" in line:
            kinds = {"configmap": PROXY_CONFIGURATION, "pods": self.proxies, "daemonset/kube-proxy": PROXY_SET}
            return kinds[line.split()[1]]
        if "get lease " in line:
            broken = "kubelet" in self.broken and (self.root / "kubelet/config.yaml").read_text() == "after"
            return {"spec": {"renewTime": "2020" if broken else "2999"}}
        found: dict[str, Any] = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        if "get pod " in line:
            name = next(name for name in COMPONENTS if f"{name}-cp1" in line)
            found["metadata"] = {"annotations": {control_plane.HASH: self.manifest(name)}}
        return found

    def manifest(self, name: str) -> str:
        return (self.kubernetes / "manifests" / f"{name}.yaml").read_text()

    def run_command(self, arguments: list[str], **options: Any) -> tuple[int, str, str]:
        if arguments[3:4] == ["create"]:
            self.reviewed.append(json.loads(options["data"])["spec"]["token"])
            return 0, json.dumps({"status": self.review}), ""
        if arguments[: len(TIMEOUT)] == TIMEOUT:
            return self.kubeadm(arguments[len(TIMEOUT) :])
        if arguments[0] == "/bin/kubectl":
            return self.kubectl(arguments[3:])
        if arguments[1] == "show":
            return 0, "0\n", ""
        self.ran.append(" ".join(arguments))
        return 0, "why the kubelet stopped\n" if "journalctl" in arguments[0] else "", ""

    def __call__(self, **options: Any) -> Result:
        self.ran.clear()
        self.seen_marker = False
        return self.run_module(
            kubeadm_init, **{"content": CONTENT, "documents": DOCUMENTS, "config": str(self.config), **options}
        )


@pytest.fixture
def host(tmp_path: Path, run_module: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path, run_module)
    host.kubernetes.mkdir()
    monkeypatch.setattr(kubeadm_utils, "FOLDER", str(host.kubernetes))
    monkeypatch.setattr(kubeadm_utils, "PROCESSES", str(host.kubernetes))
    monkeypatch.setattr(kubeadm_utils, "STAMP", str(host.stamp))
    monkeypatch.setattr(rollback, "KUBELET_FOLDER", str(tmp_path / "kubelet"))
    monkeypatch.setattr(kube_proxy, "ROLLOUT_SECONDS", 0.05)
    monkeypatch.setattr(container_exits, "POD_LOGS", str(tmp_path / "pods"))
    monkeypatch.setattr(rollback, "HEALTH_TIMEOUT", 0.05)
    monkeypatch.setattr(rollback, "PAUSE", 0.01)
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda _self, name, *_args, **_options: f"/bin/{name}")
    monkeypatch.setattr(
        AnsibleModule, "run_command", lambda _self, *args, **options: host.run_command(*args, **options)
    )
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text, **_options: host.warnings.append(text))
    return host


TOKEN = "eyJ-a-token-of-the-provider"  # noqa: S105  it is for these tests
CONFIG = "--config=/kubernetes/kubeadm.yaml"
PREFLIGHT = f"init phase preflight {CONFIG}"
INIT = f"init {CONFIG} --skip-phases=preflight --skip-token-print"


def changed(kind: str, **fields: Any) -> list[dict[str, Any]]:
    """The documents with other fields in one of them."""
    return [{**document, **fields} if document["kind"] == kind else document for document in DOCUMENTS]


@pytest.mark.parametrize(
    ("options", "commands"),
    [
        ({}, [PREFLIGHT, INIT]),
        (
            {"skip_phases": ["addon/coredns"], "ignore_preflight_errors": ["NumCPU", "Mem"]},
            [
                f"{PREFLIGHT} --ignore-preflight-errors=NumCPU,Mem",
                f"init {CONFIG} --skip-phases=addon/coredns,preflight --skip-token-print",
            ],
        ),
        ({"skip_phases": ["preflight"]}, [INIT]),
    ],
)
def test_initialize(host: Host, options: dict[str, Any], commands: list[str]) -> None:
    result = host(**options)
    assert (result["changed"], result["action"]) == (True, "initialize")
    assert host.ran == commands
    assert host.seen_marker
    assert not host.marker.exists()
    assert host.config.read_text() == CONTENT
    assert host.config.stat().st_mode & 0o777 == 0o600
    assert json.loads(host.stamp.read_text()) == DOCUMENTS
    assert host.stamp.stat().st_mode & 0o777 == 0o600

    again = host(**options)
    assert (again["changed"], again["action"], host.ran) == (False, "none", [])


def test_check_mode_on_an_empty_host(host: Host) -> None:
    result = host(_ansible_check_mode=True, _ansible_diff=True)
    assert (result["changed"], result["action"]) == (True, "initialize")
    assert result["diff"][0]["after"] == CONTENT
    assert host.ran == []
    assert list(host.kubernetes.iterdir()) == []


def test_preflight_refuses(host: Host) -> None:
    host.failing["preflight"] = (1, "\t[ERROR NumCPU]: too few\n")
    result = host()
    assert result["failed"]
    assert "- NumCPU: too few" in result["msg"]
    assert host.ran == [PREFLIGHT]
    assert not host.marker.exists()


def test_resume(host: Host) -> None:
    host.failing["init --config"] = (1, "error execution phase wait-control-plane: no\n")
    assert host()["failed"]
    assert host.marker.exists()
    assert not host.stamp.exists()

    host.failing.clear()
    host.write("kubernetes/pki/ca.crt", "kubernetes/pki/ca.key", "kubernetes/pki/apiserver.crt", "etcd/member")
    host.write("kubernetes/pki/sa.key")
    assert host(_ansible_check_mode=True)["action"] == "resume"
    assert host.marker.exists()
    result = host()
    assert (result["changed"], result["action"], host.ran) == (True, "resume", [INIT])
    assert not host.marker.exists()
    assert sorted(path.name for path in (host.kubernetes / "pki").iterdir()) == ["ca.crt", "ca.key"]
    assert (host.root / "etcd/member").exists()
    assert host()["changed"] is False


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["kubernetes/kubelet.conf"], "This host is a node of a cluster already"),
        (["kubernetes/kubelet.conf", "kubernetes/admin.conf"], "put back what was moved away"),
        ([f"kubernetes/{kubeadm_utils.JOIN_MARKER}"], "This host began to join a cluster"),
    ],
)
def test_host_of_a_cluster(host: Host, files: list[str], message: str) -> None:
    host.write(*files)
    result = host()
    assert result["failed"]
    assert message in result["msg"]
    assert "kubeadm reset" not in result["msg"]
    assert host.ran == []
    assert not host.config.exists()


def of(*names: str) -> list[str]:
    """Files of kubeadm's folder."""
    return [f"kubernetes/{name}" for name in names]


@pytest.mark.parametrize(
    ("gone", "commands"),
    [
        (of("manifests/kube-apiserver.yaml"), [f"init phase control-plane apiserver {CONFIG}"]),
        (of("admin.conf"), [f"init phase kubeconfig admin {CONFIG}"]),
        (
            of("manifests/kube-scheduler.yaml", "manifests/kube-controller-manager.yaml", "scheduler.conf"),
            [
                f"init phase kubeconfig scheduler {CONFIG}",
                f"init phase control-plane controller-manager {CONFIG}",
                f"init phase control-plane scheduler {CONFIG}",
            ],
        ),
    ],
)
def test_what_is_missing_is_written_again(host: Host, gone: list[str], commands: list[str]) -> None:
    host.initialized()
    host.write("kubernetes/pki/ca.key")
    for name in gone:
        (host.root / name).unlink()
    paths = sorted(str(host.root / name) for name in gone)
    checked = host(_ansible_check_mode=True, _ansible_diff=True)
    assert (checked["changed"], checked["action"], sorted(checked["mended"])) == (True, "mend", paths)
    assert sorted(part["after_header"] for part in checked["diff"] if "written again" in part["after"]) == paths
    assert host.ran == []
    result = host(content=None, documents=None)
    assert (result["changed"], result["action"], sorted(result["mended"])) == (True, "mend", paths)
    assert host.ran == commands
    assert all((host.root / name).exists() for name in gone)
    again = host()
    assert (again["changed"], again["mended"]) == (False, [])


def test_what_is_missing_is_written_by_the_configuration_that_was_applied(host: Host) -> None:
    host.initialized()
    (host.kubernetes / "manifests/kube-apiserver.yaml").unlink()
    seen: list[str] = []
    kubeadm = host.kubeadm

    def watch(arguments: list[str]) -> tuple[int, str, str]:
        seen.append(host.config.read_text())
        return kubeadm(arguments)

    host.kubeadm = watch  # type: ignore[method-assign]
    documents = changed("ClusterConfiguration", apiServer={"extraArgs": [{"name": "v", "value": "4"}]})
    result = host(documents=documents, content="other\n")
    assert (result["action"], len(result["mended"])) == ("reconcile", 1)
    assert host.ran[0] == f"init phase control-plane apiserver {CONFIG}"
    assert seen[:2] == [CONTENT, "other\n"]


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        (of("kubelet.conf"), "/kubelet.conf cannot be issued again, as"),
        (of("admin.conf", "scheduler.conf"), "cannot be issued again, as"),
        ([*of("manifests/kube-scheduler.yaml"), "groundwork/kubeadm.json"], "which would tell how, is not there"),
    ],
)
def test_what_cannot_be_written_again_is_named(host: Host, gone: list[str], message: str) -> None:
    host.initialized()
    for name in gone:
        (host.root / name).unlink()
    result = host(documents=changed("KubeletConfiguration", maxPods=200), content="other\n")
    assert result["failed"]
    assert result["msg"].startswith("This control plane lacks something. Nothing was changed.\n- ")
    assert message in result["msg"]
    assert "kubeadm reset" not in result["msg"]
    assert host.ran == []
    assert host.config.read_text() == CONTENT


def test_what_is_written_again_is_proven_healthy(host: Host) -> None:
    host.initialized()
    host.broken.add("api")
    host.write("pods/kube-system_kube-apiserver-cp1_uid/kube-apiserver/1.log", content="cannot reach etcd\n")
    (host.kubernetes / "manifests/kube-apiserver.yaml").unlink()
    result = host()
    assert result["failed"]
    assert "kube-apiserver was written again, and is not healthy" in result["msg"]
    assert "cannot reach etcd" in result["msg"]


def test_the_hosts_own_api_server_is_asked(host: Host) -> None:
    host.initialized()
    host.write("kubernetes/manifests/kube-apiserver.yaml", content=ADDRESS)
    asked: list[str] = []
    kubectl = host.kubectl

    def watch(arguments: list[str]) -> tuple[int, str, str]:
        asked.append(" ".join(arguments))
        # Behind the endpoint another one is ready, and this host's is not.
        return (1, "", "connection refused") if OWN in arguments else kubectl(arguments)

    host.kubectl = watch  # type: ignore[method-assign]
    result = host(documents=changed("KubeletConfiguration", maxPods=200))
    assert "The API server of this host is not ready" in result["msg"]
    assert asked == [f"get --raw=/readyz {OWN}"]
    assert host.ran == []


def test_configuration_that_is_not_there(host: Host) -> None:
    result = host(content=None)
    assert result["failed"]
    assert "There is no file" in result["msg"]
    host.write("kubernetes/kubeadm.yaml")
    assert host(content=None)["action"] == "initialize"


def test_adopt(host: Host) -> None:
    host.initialized()
    host.stamp.unlink()
    assert host(_ansible_check_mode=True)["action"] == "adopt"
    assert not host.stamp.exists()
    result = host()
    assert (result["changed"], result["action"], host.ran) == (True, "adopt", [])
    assert host.warnings[-1:] == [
        "This control plane was initialized by other means. Its kubelet gets arguments that it lacks; else it is left "
        "as it is, and later changes are applied."
    ]
    assert host()["changed"] is False


def test_adopt_gives_the_kubelet_arguments(host: Host) -> None:
    """No manifest is written for it."""
    host.initialized()
    host.stamp.unlink()
    host.write("kubelet/kubeadm-flags.env", content='KUBELET_KUBEADM_ARGS="--pod-infra-container-image=x"\n')
    registered = {"kubeletExtraArgs": [{"name": "node-ip", "value": "192.0.2.11"}]}
    documents = changed("InitConfiguration", nodeRegistration={**DOCUMENTS[0]["nodeRegistration"], **registered})
    planned = host(documents=documents, _ansible_check_mode=True)
    result = host(documents=documents)
    assert [(one["action"], one["steps"]) for one in (planned, result)] == [("adopt", ["kubelet-arguments"])] * 2
    assert host.ran == [RESTART]
    flags = (host.root / "kubelet/kubeadm-flags.env").read_text()
    assert flags == 'KUBELET_KUBEADM_ARGS="--pod-infra-container-image=x --node-ip=192.0.2.11"\n'
    assert json.loads(host.stamp.read_text()) == documents
    assert host(documents=documents)["changed"] is False


def test_adopt_what_differs(host: Host) -> None:
    host.initialized()
    host.stamp.unlink()
    host.stored["apiServer"] = {"extraArgs": {"v": "4"}}
    result = host()
    assert (result["action"], result["changes"], host.ran) == (
        "adopt",
        ["ClusterConfiguration.apiServer.extraArgs.v"],
        [],
    )
    assert "become those that are given, too: ClusterConfiguration.apiServer.extraArgs.v." in host.warnings[0]


def test_adopt_what_cannot_become_so(host: Host) -> None:
    host.initialized()
    host.stamp.unlink()
    host.stored["networking"]["podSubnet"] = "10.245.0.0/16"
    result = host(_ansible_check_mode=True)
    assert result["failed"]
    assert (
        "- ClusterConfiguration.networking.podSubnet is '10.245.0.0/16' and should become '10.244.0.0/16'"
        in result["msg"]
    )
    assert host()["failed"]
    assert (host.stamp.exists(), host.ran) == (False, [])


def test_adopt_a_cluster_that_cannot_be_asked(host: Host) -> None:
    host.initialized()
    host.stamp.unlink()
    host.broken.add("api")
    assert "cannot be read" in host()["msg"]
    assert not host.stamp.exists()


def test_only_the_file_without_documents(host: Host) -> None:
    host.initialized()
    result = host(documents=None, content="other\n")
    assert (result["changed"], result["action"], host.ran) == (True, "write", [])
    assert host.config.read_text() == "other\n"


@pytest.mark.parametrize(
    ("documents", "steps", "commands"),
    [
        (
            changed("ClusterConfiguration", apiServer={"extraArgs": [{"name": "v", "value": "4"}]}),
            ["control-plane", "upload-config"],
            [f"init phase control-plane all {CONFIG}", f"init phase upload-config all {CONFIG}"],
        ),
        (
            changed("ClusterConfiguration", apiServer={"certSANs": ["api.example.org"]}),
            ["certificate", "upload-config"],
            [f"init phase certs apiserver {CONFIG}", f"init phase upload-config all {CONFIG}"],
        ),
        (
            changed("KubeletConfiguration", maxPods=200),
            ["kubelet", "upload-config"],
            [f"init phase kubelet-start {CONFIG}", f"init phase upload-config all {CONFIG}"],
        ),
        (
            changed("KubeProxyConfiguration", mode="nftables"),
            ["kube-proxy", "restart-kube-proxy"],
            [
                f"init phase addon kube-proxy {CONFIG}",
                "kubectl rollout restart daemonset/kube-proxy --namespace=kube-system",
                "kubectl rollout status daemonset/kube-proxy --namespace=kube-system --timeout=5s",
            ],
        ),
        (changed("InitConfiguration", timeouts={"discovery": "1m0s"}), [], []),
    ],
)
def test_reconcile(host: Host, documents: list[dict[str, Any]], steps: list[str], commands: list[str]) -> None:
    host.initialized()
    checked = host(documents=documents, content="other\n", _ansible_check_mode=True)
    assert (checked["changed"], checked["action"], checked["steps"]) == (True, "reconcile", steps)
    assert host.ran == []
    assert host.config.read_text() == CONTENT
    result = host(documents=documents, content="other\n")
    assert (result["changed"], result["action"], result["steps"]) == (True, "reconcile", steps)
    assert host.ran == commands
    assert host.config.read_text() == "other\n"
    assert json.loads(host.stamp.read_text()) == documents
    assert host(documents=documents, content="other\n")["changed"] is False


def test_refused_changes_change_nothing(host: Host) -> None:
    host.initialized()
    documents = changed("ClusterConfiguration", networking={"podSubnet": "10.0.0.0/16"}, clusterName="x")
    result = host(documents=documents, content="other\n")
    assert result["failed"]
    assert "- ClusterConfiguration.clusterName is None" in result["msg"]
    assert "- ClusterConfiguration.networking.podSubnet is '10.244.0.0/16'" in result["msg"]
    assert host.config.read_text() == CONTENT
    assert host.ran == []


@pytest.mark.parametrize(("running", "failed"), [("v1.36.5", True), ("v1.36.6", False)])
def test_version_is_only_accepted_where_it_runs(host: Host, running: str, failed: bool) -> None:
    host.initialized()
    host.version = running
    result = host(documents=changed("ClusterConfiguration", kubernetesVersion="v1.36.6"))
    assert result.get("failed", False) is failed
    assert host.ran == []
    if failed:
        assert "this module upgrades no cluster" in result["msg"]


def test_nothing_is_applied_to_a_control_plane_that_is_not_ready(host: Host) -> None:
    host.initialized()
    host.broken.add("api")
    result = host(documents=changed("KubeletConfiguration", maxPods=200))
    assert result["failed"]
    assert "Repair the control plane first" in result["msg"]
    assert host.ran == []


def test_settings_that_break_the_api_server_are_put_back(host: Host) -> None:
    host.initialized()
    host.broken.add("kube-apiserver")
    host.write("pods/kube-system_kube-apiserver-cp1_uid/kube-apiserver/1.log", content="a\nunknown flag: --x\n")
    documents = changed("ClusterConfiguration", apiServer={"extraArgs": [{"name": "x", "value": "4"}]})
    result = host(documents=documents)
    assert result["failed"]
    assert "kube-apiserver is not ready with its new settings" in result["msg"]
    assert "Its log says:\nunknown flag: --x" in result["msg"]
    assert "The former settings have been put back." in result["msg"]
    assert host.manifest("kube-apiserver") == "before"
    assert json.loads(host.stamp.read_text()) == DOCUMENTS
    assert host.ran == [f"init phase control-plane all {CONFIG}"]
    assert sorted(path.name for path in (host.kubernetes / "manifests").iterdir()) == [
        f"{name}.yaml" for name in ("etcd", *COMPONENTS)
    ]

    host.broken.clear()
    assert host(documents=documents)["steps"] == ["control-plane", "upload-config"]


@pytest.mark.parametrize(
    ("review", "said"),
    [
        ({"authenticated": True, "user": {"username": "carol@example.com"}}, ""),
        (
            {"error": "[invalid bearer token, oidc: verify token: expected audience kubernetes got shop]"},
            "the token does not log in: [invalid bearer token, oidc: verify token: expected audience kubernetes got "
            "shop]",
        ),
        ({"error": f"odd {TOKEN}"}, "the token does not log in: odd (hidden)"),
        (
            {"authenticated": True, "user": {"username": "oidc:carol"}},
            "the token logs in as oidc:carol, not as carol@example.com",
        ),
    ],
)
def test_a_provider_at_which_nobody_logs_in(
    host: Host, monkeypatch: pytest.MonkeyPatch, review: dict[str, Any], said: str
) -> None:
    monkeypatch.setattr(control_plane, "LOGIN_SECONDS", 0)
    host.initialized()
    host.review = review
    documents = changed("ClusterConfiguration", apiServer={"extraArgs": [{"name": "x", "value": "4"}]})
    result = host(documents=documents, login_token=TOKEN, login_user="carol@example.com")
    assert host.reviewed == [TOKEN]
    assert result.get("failed", False) is bool(said)
    assert host.manifest("kube-apiserver") == ("before" if said else "after")
    if said:
        assert f"after the API server of this host was ready, {said}.\n" in result["msg"]
        assert "The former settings have been put back." in result["msg"]
    assert TOKEN not in json.dumps(result)
    assert [line for line in host.ran if TOKEN in line] == []


@pytest.mark.parametrize("authenticated", [True, False])
def test_a_provider_of_a_new_cluster(host: Host, monkeypatch: pytest.MonkeyPatch, authenticated: bool) -> None:
    monkeypatch.setattr(control_plane, "LOGIN_SECONDS", 0)
    host.review = {"authenticated": authenticated}
    result = host(login_token=TOKEN)
    assert host.reviewed == [TOKEN]
    assert result.get("failed", False) is not authenticated
    # The cluster is there, and a correction is a change of it.
    assert json.loads(host.stamp.read_text()) == DOCUMENTS
    assert not host(login_token=TOKEN)["changed"]
    assert host.reviewed == [TOKEN]


def test_nobody_logs_in_without_a_token_or_without_a_change(host: Host) -> None:
    host.initialized()
    assert host(documents=changed("ClusterConfiguration", apiServer={"certSANs": ["a"]}), login_token=TOKEN)["steps"]
    arguments = [{"name": "x", "value": "5"}]
    assert host(documents=changed("ClusterConfiguration", apiServer={"extraArgs": arguments}))["changed"]
    assert host.reviewed == []


def test_settings_that_break_the_kubelet_are_put_back(host: Host) -> None:
    host.initialized()
    host.broken.add("kubelet")
    result = host(documents=changed("KubeletConfiguration", maxPods=-1))
    assert result["failed"]
    assert "why the kubelet stopped" in result["msg"]
    assert (host.root / "kubelet/config.yaml").read_text() == "before"
    assert host.ran == [
        f"init phase kubelet-start {CONFIG}",
        "/bin/journalctl --unit=kubelet --lines=300 --output=cat --no-pager",
        "/bin/systemctl reset-failed kubelet",
        "/bin/systemctl restart kubelet",
    ]


def test_certificate_that_cannot_be_issued_is_put_back(host: Host) -> None:
    host.initialized()
    host.failing["certs apiserver"] = (1, "no CA key\n")
    result = host(documents=changed("ClusterConfiguration", apiServer={"certSANs": ["a"]}))
    assert result["failed"]
    assert "no CA key" in result["msg"]
    assert (host.kubernetes / "pki/apiserver.key").read_text() == "before"
    assert (host.kubernetes / "pki/apiserver.key").stat().st_mode & 0o777 == 0o600


def test_node_that_is_down_does_not_keep_kube_proxy_from_being_changed(host: Host) -> None:
    host.initialized()
    host.broken.add("rollout")
    assert host(documents=changed("KubeProxyConfiguration", mode="nftables"))["changed"]
    assert host.warnings == ["kube-proxy has not restarted on every node yet: timed out"]


PATCH = {"podsPerCore": 5, "maxPods": None}
REMEMBERED = {"kind": "KubeletPatch", "podsPerCore": 5, "maxPods": "(none)"}
PATCHED = {"cgroupDriver": "systemd", "podsPerCore": 5}
RESTART = "/bin/systemctl restart kubelet"


def kubelet_of(host: Host) -> Any:
    text = (host.root / "kubelet/config.yaml").read_text()
    return json.loads(text) if text.startswith("{") else text


def test_initialize_a_host_that_differs(host: Host) -> None:
    assert host(kubelet_patch=PATCH, _ansible_check_mode=True)["action"] == "initialize"
    assert host(kubelet_patch=PATCH)["action"] == "initialize"
    assert host.ran == [PREFLIGHT, INIT, RESTART]
    assert kubelet_of(host) == PATCHED
    assert json.loads(host.stamp.read_text()) == [*DOCUMENTS, REMEMBERED]
    assert (host(kubelet_patch=PATCH)["changed"], host.ran) == (False, [])


def test_initialize_a_host_that_differs_with_kubeadms_patches(host: Host) -> None:
    host.write(f"patches/{kubelet_configuration.PATCH_FILE}")
    documents = changed("InitConfiguration", patches={"directory": str(host.root / "patches")})
    assert host(documents=documents, kubelet_patch=PATCH)["action"] == "initialize"
    assert host.ran == [PREFLIGHT, INIT]
    assert json.loads(host.stamp.read_text()) == [*documents, REMEMBERED]
    assert host(documents=documents, kubelet_patch=PATCH)["changed"] is False


@pytest.mark.parametrize("stamped", [True, False])
def test_other_settings_of_a_host(host: Host, stamped: bool) -> None:
    host.initialized()
    if not stamped:
        host.stamp.unlink()
    action = "reconcile" if stamped else "adopt"
    assert host(kubelet_patch=PATCH, _ansible_check_mode=True)["action"] == action
    assert kubelet_of(host) == "before"
    assert host(kubelet_patch=PATCH)["action"] == action
    assert host.ran == [*([f"init phase kubelet-start {CONFIG}"] if stamped else []), RESTART]
    assert kubelet_of(host) == PATCHED
    assert host(kubelet_patch=PATCH)["changed"] is False
    assert host()["steps"] == ["kubelet"]
    assert kubelet_of(host) == "after"


def test_settings_of_a_host_that_were_not_applied_are_not_remembered(host: Host) -> None:
    host.failing["kubelet-start"] = (1, "no\n")
    host.initialized()
    assert host(kubelet_patch=PATCH)["failed"]
    assert json.loads(host.stamp.read_text()) == DOCUMENTS
    host.failing.clear()
    assert host(kubelet_patch=PATCH)["steps"] == ["kubelet"]


def test_configuration_with_which_kube_proxy_ends_is_put_back(host: Host) -> None:
    host.initialized()
    host.broken.add("rollout")
    status = {"ready": False, "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    pod = {"name": "kube-proxy-x", **RESTARTED["metadata"]}
    host.proxies["items"] = [
        {"metadata": pod, "spec": {"nodeName": "worker-1"}, "status": {"containerStatuses": [status]}}
    ]
    documents = changed("KubeProxyConfiguration", mode="no-such-mode")
    result = host(documents=documents)
    assert result["failed"]
    assert "kube-proxy does not run on node worker-1 with its new settings" in result["msg"]
    assert "Its log says:\nE1127 unknown proxy mode\nThe former settings have been put back." in result["msg"]
    assert host.ran[-2:] == [
        "kubectl patch configmap/kube-proxy --namespace=kube-system --type=merge "
        '--patch={"data": {"config.conf": "mode: iptables"}}',
        "kubectl rollout restart daemonset/kube-proxy --namespace=kube-system",
    ]
    assert json.loads(host.stamp.read_text()) == DOCUMENTS
    host.broken.clear()
    assert host(documents=changed("KubeProxyConfiguration", mode="nftables"))["steps"] == [
        "kube-proxy",
        "restart-kube-proxy",
    ]


def test_settings_that_broke_the_api_server_when_the_run_was_cut_off(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.initialized()
    host.broken.add("kube-apiserver")
    bad = changed("ClusterConfiguration", apiServer={"extraArgs": [{"name": "x", "value": "4"}]})
    with monkeypatch.context() as cut:
        cut.setattr(control_plane, "wait_for", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            host(documents=bad)
    attempt = host.stamp.parent / "kubeadm-attempt.json"
    assert attempt.stat().st_mode & 0o777 == 0o600
    assert json.loads(host.stamp.read_text()) == DOCUMENTS

    # The same settings again: what was there is put back first, and again when they fail.
    assert host(documents=bad)["failed"]
    assert host.manifest("kube-apiserver") == "before"
    # Settings as they were: the stamp has them, but what has been done since is not known.
    assert host(_ansible_check_mode=True)["steps"] == ["control-plane"]
    host.broken.clear()
    result = host()
    assert (result["changed"], host.ran) == (True, [f"init phase control-plane all {CONFIG}"])
    assert not attempt.exists()
    assert host()["changed"] is False


def test_what_was_done_before_a_later_step_failed_is_done_again(host: Host) -> None:
    host.initialized()
    host.failing["upload-config"] = (1, "no answer\n")
    documents = changed("ClusterConfiguration", apiServer={"extraArgs": [{"name": "v", "value": "4"}]})
    assert host(documents=documents, content="other\n")["failed"]
    assert host.config.read_text() == CONTENT
    host.failing.clear()
    # The API server has the settings, though the stamp does not: setting the variable back takes them out of it.
    assert host()["steps"] == ["control-plane", "upload-config"]
    assert host()["changed"] is False
