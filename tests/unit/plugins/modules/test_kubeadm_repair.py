"""The modules kubeadm_info and kubeadm_repair on a node that is a folder; kubeadm, kubectl and systemd are played."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import traces
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import (
    container_exits,
    control_plane,
    kubeadm,
    node_losses,
    repair,
    rollback,
)
from ansible_collections.groundwork.kubernetes.plugins.modules import kubeadm_info, kubeadm_repair

sys.path.insert(0, str(Path(__file__).parents[1]))

import pki
from control_plane_files import KEY, ControlPlane, kubeconfig, signed

Result = dict[str, Any]
COMPONENTS = traces.COMPONENTS
USERS = {
    "admin": ("kubernetes-admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager",),
    "scheduler": ("system:kube-scheduler",),
    "kubelet": ("system:node:cp-1", "system:nodes"),
}
APPLIED = [
    {
        "kind": "InitConfiguration",
        "nodeRegistration": {"name": "cp-1", "kubeletExtraArgs": [{"name": "node-ip", "value": "192.0.2.1"}]},
    },
    {"kind": "ClusterConfiguration", "kubernetesVersion": "v1.36.5"},
    {"kind": "KubeletConfiguration", "maxPods": 9},
]
WORKER = [{**APPLIED[0], "kind": "JoinConfiguration"}, APPLIED[2]]
FLAGS = 'KUBELET_KUBEADM_ARGS="--node-ip=192.0.2.1"\n'
KUBELET = json.dumps({"maxPods": 9})


def pod(name: str, version: str = "v1.36.5") -> str:
    """A manifest as kubeadm writes it here."""
    return (
        f"    - {name}\n    - --advertise-address=192.0.2.1\n    - --client-ca-file=ROOT/kubernetes/pki/ca.crt\n"
        f"    - --service-account-key-file=ROOT/kubernetes/pki/sa.pub\n    image: k/{name}:{version}\n"
    )


class Host:
    """The folders, and the programs."""

    def __init__(self, root: Path, run_module: Callable[..., Result]) -> None:
        self.root, self.run_module = root, run_module
        self.plane = ControlPlane(root)
        self.kubernetes, self.pki = self.plane.kubernetes, self.plane.pki
        self.ran: list[str] = []
        self.drift = "-edited\n"
        self.may = "yes"
        self.kubeadm_version = "v1.36.5"
        self.ready = True
        self.stored = KUBELET
        self.write("kubernetes/pki/sa.key", pki.private(KEY))
        self.write("kubernetes/pki/sa.pub", "public")
        self.write("kubernetes/kubeadm.yaml", "kind: ClusterConfiguration\n")
        self.write("kubernetes/kubelet.conf", self.kubeconfig("kubelet"))
        for name in ("admin", "controller-manager", "scheduler"):
            self.write(f"kubernetes/{name}.conf", self.kubeconfig(name))
        for name in (*COMPONENTS, "etcd"):
            self.write(f"kubernetes/manifests/{name}.yaml", self.pod(name))
        self.write("etcd/member/wal", "x")
        self.write("kubelet/config.yaml", KUBELET)
        self.write("kubelet/kubeadm-flags.env", FLAGS)
        self.write("groundwork/kubeadm.json", json.dumps(APPLIED))

    def kubeconfig(self, name: str) -> str:
        authority = self.plane.authorities["ca"]
        user, *groups = USERS[name]
        return kubeconfig(signed(user, *groups, authority=authority), authority.crt)

    def pod(self, name: str, version: str = "v1.36.5") -> str:
        return pod(name, version).replace("ROOT", str(self.root))

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def read(self, name: str) -> str:
        return (self.root / name).read_text()

    def kubeadm(self, arguments: list[str]) -> tuple[int, str, str]:
        line = " ".join(arguments).replace(str(self.root), "")
        self.ran.append(line)
        for name in USERS:
            if f"phase kubeconfig {name} " in line:
                self.write(f"kubernetes/{name}.conf", self.kubeconfig(name))
        for name in COMPONENTS:
            if "control-plane all" in line or f"control-plane {name[len('kube-') :]} " in line:
                self.write(f"kubernetes/manifests/{name}.yaml", self.pod(name))
        if "etcd local" in line:
            self.write("kubernetes/manifests/etcd.yaml", self.pod("etcd"))
        if "certs apiserver " in line:
            self.plane.write_leaf("apiserver", 300)
        if "kubelet-start" in line or "kubelet-config" in line:
            self.write("kubelet/config.yaml", KUBELET)
        if "kubelet-start" in line:
            self.write("kubelet/kubeadm-flags.env", FLAGS)
        if "kubeconfig user" in line:
            return 0, self.kubeconfig("admin"), ""
        if "upgrade diff" in line:
            return (0, self.drift, "") if self.may == "yes" else (1, "", "Forbidden")
        return 0, self.kubeadm_version if line.startswith("version") else "", ""

    def kubectl(self, arguments: list[str]) -> tuple[int, str, str]:
        line = " ".join(arguments)
        if "--local" in arguments:
            return 0, self.stored if "--filename=-" in arguments else self.read("kubelet/config.yaml"), ""
        if not self.ready:
            return 1, "", "connection refused"
        if line.startswith("auth can-i"):
            return (0, "yes\n", "") if self.may == "yes" else (1, "no\n", "")
        if line.startswith("auth reconcile"):
            self.may = "yes"
            self.ran.append("kubectl auth reconcile")
            return 0, "", ""
        if "--raw=/readyz" in line:
            return 0, "ok", ""
        found: dict[str, Any] = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        found["spec"] = {"renewTime": "2999"}  # of the node's lease
        if line.startswith("get configmap kubelet-config --namespace=kube-system"):
            found["data"] = {"kubelet": self.stored}
        if "get pod " in line:
            name = next(name for name in COMPONENTS if f"{name}-cp-1" in line)
            found["metadata"] = {"annotations": {control_plane.HASH: self.read(f"kubernetes/manifests/{name}.yaml")}}
        return 0, json.dumps(found), ""

    def run_command(self, arguments: list[str], **_options: Any) -> tuple[int, str, str]:
        if arguments[0] == "unshare":
            folder, phase = Path(arguments[6]), " ".join(arguments[8:])
            for name in COMPONENTS if "control-plane all" in phase else ["etcd"]:
                (folder / f"{name}.yaml").write_text(self.pod(name))
            return 0, "", ""
        if arguments[:1] == ["/bin/timeout"]:
            return self.kubeadm(arguments[4:])
        if arguments[0] == "/bin/kubeadm":
            return self.kubeadm(arguments[1:])
        if arguments[0] == "/bin/kubectl":
            return self.kubectl(arguments[3:])
        if arguments[1] == "show":
            return 0, "0\n", ""
        self.ran.append(" ".join(arguments[1:]))
        return 0, "", ""

    def __call__(self, **options: Any) -> Result:
        self.ran.clear()
        return self.run_module(kubeadm_repair, etcd_data_dir=str(self.root / "etcd"), **options)

    def losses(self) -> list[tuple[str, str, str]]:
        """Path, kind, and who makes it good."""
        found = self.run_module(kubeadm_info, etcd_data_dir=str(self.root / "etcd"), losses=True)
        assert not found.get("failed"), found
        return [(loss["path"].replace(f"{self.root}/", ""), loss["kind"], loss["by"]) for loss in found["losses"]]


@pytest.fixture
def host(tmp_path: Path, run_module: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path, run_module)
    certificate = tmp_path / "kubelet/pki/kubelet-client-current.pem"
    certificate.write_text(signed(*USERS["kubelet"], authority=host.plane.authorities["ca"]) + pki.private(KEY))
    for module in (traces, repair, control_plane):
        monkeypatch.setattr(module, "KUBELET_CERTIFICATE", str(certificate))
    monkeypatch.setattr(kubeadm, "FOLDER", str(host.kubernetes))
    monkeypatch.setattr(kubeadm, "STAMP", str(tmp_path / "groundwork/kubeadm.json"))
    monkeypatch.setattr(kubeadm, "PROCESSES", str(host.kubernetes))
    monkeypatch.setattr(rollback, "KUBELET_FOLDER", str(tmp_path / "kubelet"))
    monkeypatch.setattr(rollback, "HEALTH_TIMEOUT", 0.05)
    monkeypatch.setattr(rollback, "PAUSE", 0.01)
    monkeypatch.setattr(container_exits, "POD_LOGS", str(tmp_path / "pods"))
    monkeypatch.setattr(node_losses, "answer", lambda _probe: "")
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda _self, name, *_args, **_options: f"/bin/{name}")
    monkeypatch.setattr(
        AnsibleModule, "run_command", lambda _self, *args, **options: host.run_command(*args, **options)
    )
    return host


RESTART = ["reset-failed kubelet", "restart kubelet"]
CONFIG = "--config=/kubernetes/kubeadm.yaml"
K = "kubernetes"


def lose(*names: str) -> Callable[[Host], None]:
    return lambda host: [(host.root / name).unlink() for name in names] and None


def spoil(name: str, text: str) -> Callable[[Host], None]:
    return lambda host: host.write(name, text)


def edit(name: str) -> Callable[[Host], None]:
    return lambda host: host.write(f"{K}/manifests/{name}.yaml", host.pod(name) + "edited\n")


def swap(first: str, second: str) -> Callable[[Host], None]:
    return lambda host: host.write(first, host.read(second))


def powerless(host: Host) -> None:
    host.may = "no"


@pytest.mark.parametrize(
    ("do", "lost", "commands", "restart"),
    [
        (
            lose(f"{K}/manifests/kube-scheduler.yaml"),
            (f"{K}/manifests/kube-scheduler.yaml", "missing"),
            [f"init phase control-plane scheduler {CONFIG}"],
            [],
        ),
        (
            lose(f"{K}/manifests/etcd.yaml"),
            (f"{K}/manifests/etcd.yaml", "missing"),
            [f"init phase etcd local {CONFIG}"],
            [],
        ),
        (
            edit("kube-apiserver"),
            (f"{K}/manifests/kube-apiserver.yaml", "altered"),
            [f"init phase control-plane all {CONFIG}"],
            [],
        ),
        (lose(f"{K}/admin.conf"), (f"{K}/admin.conf", "missing"), [f"init phase kubeconfig admin {CONFIG}"], []),
        (
            swap(f"{K}/scheduler.conf", f"{K}/admin.conf"),
            (f"{K}/scheduler.conf", "unusable"),
            [f"init phase kubeconfig scheduler {CONFIG}"],
            ["kube-scheduler"],
        ),
        (
            lose(f"{K}/kubelet.conf"),
            (f"{K}/kubelet.conf", "missing"),
            [f"init phase kubeconfig kubelet {CONFIG}", *RESTART, f"init phase kubelet-finalize all {CONFIG}"],
            [],
        ),
        (
            lose(f"{K}/pki/apiserver.key"),
            (f"{K}/pki/apiserver.key", "missing"),
            [f"init phase certs apiserver {CONFIG}"],
            [],
        ),
        (
            swap(f"{K}/pki/apiserver.key", f"{K}/pki/ca.key"),
            (f"{K}/pki/apiserver.crt", "unusable"),
            [f"init phase certs apiserver {CONFIG}"],
            [],
        ),
        (
            lose("kubelet/config.yaml"),
            ("kubelet/config.yaml", "missing"),
            [f"init phase kubelet-start {CONFIG}", *RESTART],
            [],
        ),
        (
            spoil("kubelet/kubeadm-flags.env", 'KUBELET_KUBEADM_ARGS="--v=9"\n'),
            ("kubelet/kubeadm-flags.env", "altered"),
            [f"init phase kubelet-start {CONFIG}", *RESTART],
            [],
        ),
        (
            powerless,
            ("administrators' rights", "rights"),
            [f"kubeconfig user --client-name={repair.HELPER} --org=system:masters {CONFIG}", "kubectl auth reconcile"],
            [],
        ),
    ],
)
def test_what_is_lost_is_made_good(
    host: Host, do: Callable[[Host], None], lost: tuple[str, str], commands: list[str], restart: list[str]
) -> None:
    path, kind = lost
    assert host.losses() == []
    do(host)
    assert host.losses() == [(path, kind, "site")]
    checked = host(_ansible_check_mode=True, _ansible_diff=True)
    assert (checked["changed"], [name.replace(f"{host.root}/", "") for name in checked["mended"]]) == (True, [path])
    assert path in checked["diff"]["prepared"]
    seen = ("version", "upgrade diff")
    assert [line for line in host.ran if not line.startswith(seen)] == []
    result = host()
    assert (result["changed"], result["restart"]) == (True, restart), result
    assert [line for line in host.ran if not line.startswith(seen)] == commands
    assert host.losses() == []
    assert host()["changed"] is False


def test_what_cannot_be_read_without_rights_is_made_good_after_them(host: Host) -> None:
    powerless(host)
    edit("kube-scheduler")(host)
    assert host.losses() == [("administrators' rights", "rights", "site")]
    assert host()["mended"] == ["administrators' rights", f"{host.root}/{K}/manifests/kube-scheduler.yaml"]
    assert host.losses() == []


@pytest.mark.parametrize(
    ("do", "expected"),
    [
        (edit("etcd"), [(f"{K}/manifests/etcd.yaml", "altered", "")]),
        (lose(f"{K}/pki/ca.key", f"{K}/pki/apiserver.crt"), [(f"{K}/pki/apiserver.crt", "missing", "")]),
        (lose(f"{K}/manifests/etcd.yaml", "etcd/member/wal"), [(f"{K}/manifests/etcd.yaml", "missing", "")]),
        (spoil(f"{K}/{traces.JOIN_MARKER}", "x"), [("kubeadm join", "unfinished", "site")]),
        (
            lambda host: host.write(f"{K}/manifests/kube-scheduler.yaml", host.pod("kube-scheduler", "v1.36.6")),
            [("kubeadm upgrade", "unfinished", "upgrade")],
        ),
        (lambda host: host.plane.write_leaf("apiserver", -1), [(f"{K}/pki/apiserver.crt", "ended", "certificates")]),
        (
            lambda host: host.write(f"{K}/kubelet.conf", host.kubeconfig("kubelet").replace("users:", "")),
            [(f"{K}/kubelet.conf", "unusable", "site")],
        ),
    ],
)
def test_what_others_make_good(host: Host, do: Callable[[Host], None], expected: list[tuple[str, str, str]]) -> None:
    do(host)
    if not (host.root / "etcd/member/wal").exists():
        (host.root / "etcd/member").rmdir()
    assert host.losses() == expected
    if not any(by == "site" and kind != "unfinished" for _path, kind, by in expected):
        assert host()["changed"] is False


@pytest.mark.parametrize(("drift", "ready", "count"), [("", True, 0), ("-edited\n", True, 1), ("", False, 1)])
def test_an_edit_is_one_only_if_the_cluster_says_so_too(host: Host, drift: str, ready: bool, count: int) -> None:
    """A cluster that was made by other means may have been made by another configuration than is given here."""
    edit("kube-scheduler")(host)
    host.drift, host.ready = drift, ready
    assert len(host.losses()) == count


def test_a_kubeadm_of_another_minor_release_does_not_tell_what_was_edited(host: Host) -> None:
    """An upgrade has brought it, and has not begun with the components yet."""
    edit("kube-scheduler")(host)
    edit("etcd")(host)
    host.kubeadm_version = "v1.37.1"
    assert host.losses() == []


def test_a_manifest_is_not_compared_while_a_key_is_away_that_it_names(host: Host) -> None:
    """kubeadm would write the controller manager's without the key of an authority that is not there."""
    edit("kube-scheduler")(host)
    lose(f"{K}/pki/sa.pub")(host)
    assert host.losses() == []


def test_between_the_stages_of_a_rotation_nothing_is_called_edited(host: Host) -> None:
    """The controller manager signs with another certificate then."""
    edit("kube-controller-manager")(host)
    (host.pki / "rotation").mkdir()
    assert host.losses() == []


def test_without_what_was_applied_nothing_is_called_edited(host: Host) -> None:
    edit("kube-scheduler")(host)
    lose("groundwork/kubeadm.json")(host)
    spoil("kubelet/config.yaml", "{}")(host)
    assert host.losses() == []


@pytest.mark.parametrize("of_worker", [False, True])
def test_what_a_cluster_was_never_given_is_not_lost(host: Host, of_worker: bool) -> None:
    """A cluster that was made by other means lacks what the inventory has."""
    if of_worker:
        worker(host)
    spoil("kubelet/config.yaml", "{}")(host)
    host.stored = json.dumps({"kind": "KubeletConfiguration", "cgroupDriver": "systemd"})
    assert host.losses() == []
    host.stored = KUBELET
    assert host.losses() == [("kubelet/config.yaml", "altered", "site")]
    # Where the cluster cannot be asked, what was applied counts.
    host.stored = ""
    assert host.losses() == [("kubelet/config.yaml", "altered", "site")]


def test_a_component_that_does_not_come_up_gets_back_what_it_had(host: Host) -> None:
    edit("kube-scheduler")(host)
    before = host.read(f"{K}/manifests/kube-scheduler.yaml")
    host.kubectl_was, host.kubectl = (
        host.kubectl,
        lambda arguments: (  # type: ignore[attr-defined, method-assign]
            (1, "", "refused") if "get" in arguments and "pod" in arguments else host.kubectl_was(arguments)  # type: ignore[attr-defined]
        ),
    )
    result = host()
    assert "kube-scheduler is not ready with its new settings" in result["msg"]
    assert host.read(f"{K}/manifests/kube-scheduler.yaml") == before


def worker(host: Host) -> None:
    """Leave only what a worker has."""
    for path in [*host.kubernetes.glob("*.conf"), *host.kubernetes.glob("manifests/*"), *host.pki.glob("*.key")]:
        if path.name != "kubelet.conf":
            path.unlink()
    host.write("groundwork/kubeadm.json", json.dumps(WORKER))
    (host.root / "etcd/member/wal").unlink()
    (host.root / "etcd/member").rmdir()


@pytest.mark.parametrize(
    ("gone", "commands"),
    [
        ([f"{K}/kubelet.conf"], RESTART),
        (
            ["kubelet/config.yaml"],
            ["upgrade node phase kubelet-config --kubeconfig=/kubernetes/kubelet.conf", *RESTART],
        ),
        (["kubelet/kubeadm-flags.env"], ["init phase kubelet-start --config=TMP", *RESTART]),
    ],
)
def test_a_worker(host: Host, gone: list[str], commands: list[str]) -> None:
    worker(host)
    assert host.losses() == []
    lose(*gone)(host)
    assert host.losses() == [(path, "missing", "site") for path in gone]
    result = host(server="https://192.0.2.9:6443", content="kind: InitConfiguration\n")
    assert result["changed"], result
    shown = [line.split("--config=")[0] + "--config=TMP" if "--config=" in line else line for line in host.ran]
    assert shown == commands
    assert host.losses() == []
    assert "server: https://192.0.2." in host.read(f"{K}/kubelet.conf")
    assert (host.read("kubelet/config.yaml"), host.read("kubelet/kubeadm-flags.env")) == (KUBELET, FLAGS)


def test_a_worker_whose_api_is_not_known(host: Host) -> None:
    worker(host)
    lose(f"{K}/kubelet.conf")(host)
    assert "cannot be written again without the API's address" in host()["msg"]
    assert not (host.kubernetes / "kubelet.conf").exists()


@pytest.mark.parametrize("text", ["", "[{"])
def test_what_was_applied_is_damaged(host: Host, text: str) -> None:
    host.write("groundwork/kubeadm.json", text)
    lose(f"{K}/kubelet.conf")(host)
    result = host()
    assert (result["failed"], "is damaged" in result["msg"], host.ran) == (True, True, [])
    assert not (host.kubernetes / "kubelet.conf").exists()
