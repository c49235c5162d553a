"""What a host is, from real files: any trace of a control plane counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import traces
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import (
    COMPONENTS,
    INIT_MARKER,
    JOIN_MARKER,
    NodeState,
    node_state,
)

CONFS = ("kubelet.conf", "admin.conf", "controller-manager.conf", "scheduler.conf")
PODS = tuple(f"manifests/{name}.yaml" for name in COMPONENTS)
ETCD, DATA = "manifests/etcd.yaml", "etcd/member"
APPLIED = ("kubeadm.yaml", "kubeadm.json")
WHOLE = (*CONFS, *PODS, ETCD, DATA, *APPLIED)
API, ASIDE = PODS[0], "manifests.stopped/kube-apiserver.yaml"


def state(folder: Path, files: tuple[str, ...], stacked: bool = True) -> NodeState:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    applied = tuple(str(folder / name) for name in APPLIED)
    return node_state(str(folder), str(folder / "etcd") if stacked else "", applied=applied)


def without(*names: str) -> tuple[str, ...]:
    return tuple(name for name in WHOLE if name not in names)


@pytest.mark.parametrize(
    ("files", "stacked", "role", "interrupted"),
    [
        ((), True, "none", ""),
        (("pki/ca.crt", "pki/ca.key"), True, "none", ""),  # authorities that were handed over before a join
        (("manifests/kube-vip.yaml",), True, "none", ""),
        (("kubelet.conf",), True, "worker", ""),
        (("kubelet.conf", "admin.conf"), True, "worker", ""),  # people copy it to workers
        (("admin.conf",), True, "none", ""),
        (("kubelet.conf", DATA), False, "worker", ""),  # the data of external etcd
        (("kubelet.conf", ETCD), False, "worker", ""),
        (WHOLE, True, "control_plane", ""),
        (without(API), True, "control_plane", ""),
        (without("admin.conf"), True, "control_plane", ""),
        (without("admin.conf", *PODS, ETCD, DATA), False, "control_plane", ""),
        (("kubelet.conf", DATA), True, "control_plane", ""),
        (("kubelet.conf", "super-admin.conf"), True, "control_plane", ""),
        (("kubelet.conf", ASIDE), True, "control_plane", ""),
        (PODS[:1], True, "control_plane", ""),
        ((INIT_MARKER,), True, "none", "init"),
        ((INIT_MARKER, DATA), True, "control_plane", "init"),
        ((INIT_MARKER, *WHOLE), True, "control_plane", "init"),
        ((JOIN_MARKER,), True, "none", "join"),
        # A join that others began.
        (("bootstrap-kubelet.conf", "pki/ca.crt"), True, "none", "join"),
        (("bootstrap-kubelet.conf", "kubelet.conf"), True, "worker", ""),
        (("bootstrap-kubelet.conf", *WHOLE), True, "control_plane", ""),
        ((JOIN_MARKER, "kubelet.conf"), True, "worker", "join"),
    ],
)
def test_role(tmp_path: Path, files: tuple[str, ...], stacked: bool, role: str, interrupted: str) -> None:
    found = state(tmp_path, files, stacked)
    assert (found.role, found.interrupted) == (role, interrupted)
    if interrupted or role != "control_plane" or files == WHOLE:
        assert (found.missing, found.faults) == ((), ())


@pytest.mark.parametrize(
    ("files", "role"),
    [
        (("pki/ca.crt",), "worker"),
        (("pki/ca.crt", "admin.conf"), "worker"),
        (("pki/ca.crt", "bootstrap-kubelet.conf"), "worker"),
        ((), "none"),  # a cluster that nobody knows any more
        ((JOIN_MARKER, "pki/ca.crt"), "none"),
    ],
)
def test_a_worker_without_its_kubeconfig(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: tuple[str, ...], role: str
) -> None:
    """A kubelet that has joined has a certificate, by which its kubeconfig can be written again."""
    monkeypatch.setattr(traces, "KUBELET_CERTIFICATE", str(tmp_path / "kubelet.pem"))
    found = state(tmp_path, (*files, "kubelet.pem"))
    assert found.role == role
    assert found.missing == ((str(tmp_path / "kubelet.conf"),) if role == "worker" else ())


def test_without_the_folder(tmp_path: Path) -> None:
    assert node_state(str(tmp_path / "missing")) == NodeState("none")


@pytest.mark.parametrize(
    "gone", [(API,), PODS, ("admin.conf",), ("scheduler.conf", PODS[2]), ("kubelet.conf",), (ETCD,), (ETCD, *PODS)]
)
def test_what_can_be_written_again(tmp_path: Path, gone: tuple[str, ...]) -> None:
    found = state(tmp_path, (*without(*gone), "pki/ca.key"))
    assert set(found.missing) == {str(tmp_path / name) for name in gone}
    assert (found.faults, found.signs) == ((), True)
    assert traces.unsigned(found.missing, found.signs) == ""


@pytest.mark.parametrize(("gone", "names"), [((API,), []), (("admin.conf", API, "kubelet.conf"), ["kubelet", "admin"])])
def test_what_takes_the_authoritys_key(tmp_path: Path, gone: tuple[str, ...], names: list[str]) -> None:
    found = state(tmp_path, without(*gone))
    assert (found.faults, found.signs) == ((), False)
    assert traces.unsigned(found.missing, found.signs) == ", ".join(f"{tmp_path}/{name}.conf" for name in names)


@pytest.mark.parametrize(
    ("files", "faults"),
    [
        (without(ETCD, DATA), ["/manifests/etcd.yaml is missing, and so is the member's data in "]),
        (without(API, "kubeadm.yaml"), ["kubeadm.yaml, which would tell how, is not there"]),
        ((*without(API), ASIDE), ["run the playbook restore again to end it, or with restore_rollback=true"]),
        (
            (*without(*PODS, ETCD), *(name.replace("manifests", "manifests.stopped") for name in (*PODS, ETCD))),
            ["kube-apiserver.yaml, "],
        ),
        (
            (*without(*PODS, ETCD, DATA), ASIDE),
            ["manifests.stopped/kube-apiserver.yaml is stopped", "etcd.yaml is missing"],
        ),
        ((DATA,), ["/etcd holds data of etcd, and nothing else of a control plane is there"]),
        (("kubelet.conf", "super-admin.conf"), ["etcd.yaml is missing", "which would tell how, are not there"]),
    ],
)
def test_what_people_have_to_put_right(tmp_path: Path, files: tuple[str, ...], faults: list[str]) -> None:
    found = state(tmp_path, files)
    assert len(found.faults) == len(faults)
    assert all(part in fault for part, fault in zip(faults, found.faults))
    assert "kubeadm reset" not in " ".join(found.faults)
