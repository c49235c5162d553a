"""What a control plane has lost, found and written again by a real kubeadm; nothing runs by its manifests."""

# ruff: noqa: D102, D103

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import own_api_server
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import (
    control_plane,
    kubeadm,
    node_losses,
    rollback,
)
from ansible_collections.groundwork.kubernetes.plugins.modules import kubeadm_info, kubeadm_repair

KUBERNETES = Path(os.environ.get("GROUNDWORK_KUBERNETES_DIR", ""))
pytestmark = pytest.mark.skipif(
    not (KUBERNETES / "kubeadm").is_file(), reason="GROUNDWORK_KUBERNETES_DIR names no folder with kubeadm"
)
CONFIG = """apiVersion: kubeadm.k8s.io/v1beta2
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 192.0.2.2}
nodeRegistration: {name: cp-2}
---
apiVersion: kubeadm.k8s.io/v1beta2
kind: ClusterConfiguration
kubernetesVersion: v1.20.2
scheduler: {extraArgs: {v: "2"}}
"""
APPLIED = [{"kind": "InitConfiguration", "nodeRegistration": {"name": "cp-2"}}, {"kind": "ClusterConfiguration"}]
ALONE = "--initial-cluster=cp-2=https://192.0.2.2:2380"
JOINED = f"{ALONE},cp-1=https://192.0.2.1:2380\n    - --initial-cluster-state=existing"
# kubeadm knows one place for manifests and kubeconfigs, so that is the test's folder in a mount namespace of its own.
PROGRAM = """#!/bin/sh
exec unshare --mount sh -c 'mount -t tmpfs none /etc && mkdir /etc/kubernetes && mount --rbind {folder} \
/etc/kubernetes && mkdir -p /var/lib && mount -t tmpfs none /var/lib && exec {kubeadm} "$@"' sh "$@"
"""
Run = Callable[..., dict[str, Any]]


class Host:
    """A control plane's folder."""

    def __init__(self, root: Path, run: Run) -> None:
        self.folder, self.run, self.etcd = root / "kubernetes", run, root / "etcd"
        for path in (self.folder / "manifests", self.etcd / "member", root / "kubelet", root / "bin"):
            path.mkdir(parents=True)
        program = root / "bin" / "kubeadm"
        program.write_text(PROGRAM.format(folder=self.folder, kubeadm=KUBERNETES / "kubeadm"))
        program.chmod(0o755)
        (self.folder / "kubeadm.yaml").write_text(CONFIG)
        for phase in ("certs all", "kubeconfig all", "control-plane all", "etcd local"):
            command = [program, "init", "phase", *phase.split(), "--config=/etc/kubernetes/kubeadm.yaml"]
            subprocess.run(command, check=True, capture_output=True)
        text = self.manifest("etcd").read_text()
        # As kubeadm join writes it.
        self.manifest("etcd").write_text(text.replace(ALONE, JOINED))
        (root / "kubeadm.json").write_text(json.dumps(APPLIED))
        (root / "kubelet" / "config.yaml").write_text("kind: KubeletConfiguration\n")
        (root / "kubelet" / "kubeadm-flags.env").write_text('KUBELET_KUBEADM_ARGS=""\n')

    def manifest(self, name: str) -> Path:
        return self.folder / "manifests" / f"{name}.yaml"

    def losses(self) -> list[tuple[str, str, str]]:
        found = self.run(kubeadm_info, losses=True, etcd_data_dir=str(self.etcd))
        assert not found.get("failed"), found
        return [(loss["path"].replace(f"{self.folder}/", ""), loss["kind"], loss["by"]) for loss in found["losses"]]


@pytest.fixture
def host(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path, run)
    monkeypatch.setattr(kubeadm, "FOLDER", str(made.folder))
    monkeypatch.setattr(kubeadm, "STAMP", str(tmp_path / "kubeadm.json"))
    monkeypatch.setattr(rollback, "KUBELET_FOLDER", str(tmp_path / "kubelet"))
    # Its programs do not run. An API server that is not ready counts as one that an edit may have ended.
    for module in (node_losses, control_plane):
        monkeypatch.setattr(module, "answer", lambda _probe: "")
    monkeypatch.setattr(own_api_server.OwnApi, "ready", lambda _self: False)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{KUBERNETES}:{os.environ['PATH']}")
    return made


def test_what_kubeadm_wrote_is_not_lost(host: Host) -> None:
    before = host.manifest("etcd").read_text()
    assert host.losses() == []
    assert host.manifest("etcd").read_text() == before


def test_what_takes_the_authoritys_key_is_written_again_with_it(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """As site does it, which brings the keys from another control plane before."""
    keys = {path: path.read_bytes() for path in (host.folder / "pki/ca.key", host.folder / "pki/etcd/ca.key")}
    manager = host.manifest("kube-controller-manager")
    wanted = manager.read_text()
    admin, kubelet = (host.folder / f"{name}.conf" for name in ("admin", "kubelet"))
    for path in (*keys, manager, admin, host.folder / "pki/etcd/server.crt", host.folder / "pki/apiserver.crt"):
        path.unlink()
    kubelet.write_text("spoilt")
    found = host.run(kubeadm_info, losses=True, etcd_data_dir=str(host.etcd))
    assert not found.get("failed"), found
    assert (found["faults"], found["signs"]) == ([], False)
    needing = {Path(loss["path"]).name: Path(loss["needs"]).parent.name for loss in found["losses"] if loss["needs"]}
    assert needing == {"apiserver.crt": "pki", "server.crt": "etcd", "admin.conf": "pki", "kubelet.conf": "pki"}
    monkeypatch.setattr(own_api_server.OwnApi, "ready", lambda _self: True)
    monkeypatch.setattr(control_plane, "recover_kubelet", lambda _module: None)
    options = {"etcd_data_dir": str(host.etcd)}
    checked = host.run(kubeadm_repair, **options, _ansible_check_mode=True)
    assert {Path(path).name for path in checked["mended"]} == {*needing, "kube-controller-manager.yaml"}
    for path, content in keys.items():
        path.write_bytes(content)
    done = host.run(kubeadm_repair, **options)
    assert done.get("mended") == checked["mended"], done
    monkeypatch.setattr(own_api_server.OwnApi, "ready", lambda _self: False)
    assert host.losses() == []
    # Without the key it would sign nothing.
    assert (manager.read_text(), "--cluster-signing-key-file=/etc/kubernetes/pki/ca.key" in wanted) == (wanted, True)


def test_what_was_lost_is_written_again(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler, manager, etcd = (host.manifest(name) for name in ("kube-scheduler", "kube-controller-manager", "etcd"))
    wanted = {path: path.read_text() for path in (scheduler, manager)}
    scheduler.write_text(wanted[scheduler].replace("- --v=2\n", "- --v=9\n"))
    assert host.losses() == [("manifests/kube-scheduler.yaml", "altered", "site")]
    scheduler.unlink()
    manager.unlink()
    etcd.unlink()
    (host.folder / "pki/apiserver.key").unlink()
    (host.folder / "pki/etcd/peer.key").write_bytes((host.folder / "pki/sa.key").read_bytes())
    (host.folder / "scheduler.conf").write_bytes((host.folder / "admin.conf").read_bytes())
    (host.folder / "controller-manager.conf").unlink()
    lost = [
        ("pki/apiserver.key", "missing", "site"),
        ("pki/etcd/peer.crt", "unusable", "site"),
        ("controller-manager.conf", "missing", "site"),
        ("manifests/kube-controller-manager.yaml", "missing", "site"),
        ("manifests/kube-scheduler.yaml", "missing", "site"),
        ("manifests/etcd.yaml", "missing", "site"),
        ("scheduler.conf", "unusable", "site"),
    ]
    assert host.losses() == lost
    monkeypatch.setattr(own_api_server.OwnApi, "ready", lambda _self: True)
    done = host.run(kubeadm_repair, etcd_data_dir=str(host.etcd))
    assert done.get("changed"), done
    monkeypatch.setattr(own_api_server.OwnApi, "ready", lambda _self: False)
    assert host.losses() == []
    assert {path: path.read_text() for path in wanted} == wanted
    assert "--initial-cluster=cp-2=" in etcd.read_text()
