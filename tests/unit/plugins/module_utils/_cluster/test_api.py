"""Whether a check knows what is in the cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import api

REFUSED = "The connection to the server 192.0.2.10:6443 was refused - did you specify the right host or port?"


class Module:
    """What is needed of an AnsibleModule."""

    def __init__(self, check_mode: bool, kubectl: bool, rc: int) -> None:
        self.check_mode, self.rc = check_mode, rc
        self.kubectl = "/usr/bin/kubectl" if kubectl else None
        self.warnings: list[str] = []

    def get_bin_path(self, _name: str, **_options: object) -> str | None:
        return self.kubectl

    def run_command(self, argv: list[str], **_options: object) -> tuple[int, str, str]:
        assert argv[-2:] == ["get", "--raw=/version"]
        return self.rc, "{}", REFUSED if self.rc else ""

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


def test_a_run_finds_out_for_itself(tmp_path: Path) -> None:
    (tmp_path / "kubelet.conf").touch()
    module = Module(False, False, 1)
    assert api.not_known(module, str(tmp_path / "admin.conf")) is False  # type: ignore[arg-type]
    assert module.warnings == []
