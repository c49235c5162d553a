"""Whether a check knows what is in the cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import api

REFUSED = "The connection to the server 192.0.2.10:6443 was refused - did you specify the right host or port?"


class Module:
    """What is needed of an AnsibleModule."""

    def __init__(self, check_mode: bool, kubectl: bool, rc: int, may: str = "yes") -> None:
        self.check_mode, self.rc, self.may = check_mode, rc, may
        self.kubectl = "/usr/bin/kubectl" if kubectl else None
        self.warnings: list[str] = []

    def get_bin_path(self, _name: str, **_options: object) -> str | None:
        return self.kubectl

    def run_command(self, argv: list[str], **_options: object) -> tuple[int, str, str]:
        if self.rc:
            return self.rc, "", REFUSED
        if argv[-2:] == ["get", "--raw=/version"]:
            return 0, "{}", ""
        assert argv[-5:] == ["auth", "can-i", "*", "*", "--all-namespaces"]
        return self.may != "yes", f"{self.may}\n", "Warning: of no interest"

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.mark.parametrize(
    ("files", "kubectl", "rc", "expected"),
    [
        ([], False, 0, ""),
        ([], True, 0, ""),
        (["admin.conf", "kubelet.conf"], True, 0, ""),
        # A control plane of which a file was taken away, and a worker.
        (["kubelet.conf"], True, 0, "there is no kubeconfig at"),
        (["admin.conf", "kubelet.conf"], False, 0, "kubectl is not installed"),
        (["admin.conf", "kubelet.conf"], True, 1, REFUSED),
        (["admin.conf"], True, 1, REFUSED),
    ],
)
def test_a_cluster_that_cannot_be_asked_is_not_known(
    tmp_path: Path, files: list[str], kubectl: bool, rc: int, expected: str
) -> None:
    for name in files:
        (tmp_path / name).touch()
    module = Module(True, kubectl, rc)
    assert api.not_known(module, str(tmp_path / "admin.conf")) is bool(expected)  # type: ignore[arg-type]
    assert len(module.warnings) == bool(expected)
    assert all(expected in text for text in module.warnings)


@pytest.mark.parametrize("said", ["no", 'no - RBAC: clusterrole.rbac.authorization.k8s.io "cluster-admin" not found'])
def test_without_the_administrators_rights_a_check_does_not_know(tmp_path: Path, said: str) -> None:
    for name in ("admin.conf", "other.conf"):
        (tmp_path / name).touch()
    module = Module(True, True, 0, said)
    assert api.not_known(module, str(tmp_path / "admin.conf")) is True  # type: ignore[arg-type]
    assert "may not do everything; the playbook site gives the rights again" in module.warnings[0]
    # Another user may be restricted by right.
    assert api.not_known(module, str(tmp_path / "other.conf")) is False  # type: ignore[arg-type]


def test_a_run_finds_out_for_itself(tmp_path: Path) -> None:
    (tmp_path / "kubelet.conf").touch()
    module = Module(False, False, 1)
    assert api.not_known(module, str(tmp_path / "admin.conf")) is False  # type: ignore[arg-type]
    assert module.warnings == []
