"""A control plane whose authority is rotated by the modules, while its real API server runs."""

# ruff: noqa: D103

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import ca_rotation as rotation
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.certificates import Places
from ansible_collections.groundwork.kubernetes.plugins.modules import ca_rotation, ca_rotation_info

sys.path.insert(0, str(Path(__file__).parent))

from real_control_plane import Host

MANAGER = "spec:\n  containers:\n  - command:\n    - kube-controller-manager\n    - --cluster-signing-cert-file={ca}\n"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    made = Host(tmp_path)
    (tmp_path / "proc").mkdir()
    shutil.copy(tmp_path / "admin.conf", tmp_path / "kubelet.conf")
    manager = tmp_path / "manifests" / "kube-controller-manager.yaml"
    manager.write_text(MANAGER.format(ca=tmp_path / "pki" / "ca.crt"))
    places = Places(str(tmp_path), str(tmp_path / "kubelet"), str(tmp_path / "etcd"), str(tmp_path / "proc"))
    for module in (ca_rotation, ca_rotation_info):
        monkeypatch.setattr(module, "PLACES", places)
    for module in (ca_rotation, rotation):  # no controller manager runs here
        monkeypatch.setattr(module, "signing_running", lambda _proc: rotation.SIGNING.findall(manager.read_text()))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    yield made
    made.stop()
