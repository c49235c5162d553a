"""certificates_info: what it returns, and how loudly it fails by a timer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.certificates import (
    Found,
    HostCertificates,
    Places,
)
from ansible_collections.groundwork.kubernetes.plugins.modules import certificates_info
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.timer_program import build

sys.path.insert(0, str(Path(__file__).parents[1]))

from control_plane_files import ControlPlane

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def plane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ControlPlane:
    made = ControlPlane(tmp_path)
    made.write_kubelet()
    places = Places(str(made.kubernetes), str(made.kubelet), str(tmp_path / "etcd"), str(made.proc))

    def ask(found: Found, _address: tuple[str, int], _pair: tuple[str, str] = ("", "")) -> Found:
        return Found(**{**vars(found), "served": found.serial})

    monkeypatch.setattr(certificates_info, "PLACES", places)
    monkeypatch.setattr(certificates_info, "HostCertificates", lambda where: HostCertificates(where, ask))
    return made


def test_all_are_returned(plane: ControlPlane, run_module: Run) -> None:
    copy = plane.kubernetes / "admin.conf"
    found = run_module(certificates_info, copies=[str(copy), "/none"])
    assert (found["changed"], found["authorities"]) == (False, ["ca", "front-proxy-ca", "etcd/ca"])
    assert (len(found["certificates"]), found["certificates"][-1]["kind"]) == (16, "copy")
    only = run_module(certificates_info, copies=[str(copy)], only_copies=True)
    assert [one["name"] for one in only["certificates"]] == [str(copy)]
    assert "PRIVATE KEY" not in str(found)


def test_a_timer_fails_with_everything_that_is_wrong(plane: ControlPlane, run_module: Run) -> None:
    assert not run_module(certificates_info, min_days=14).get("failed")
    plane.write_leaf("apiserver", 13)
    plane.write_leaf("etcd/peer", -1)
    (plane.pki / "front-proxy-client.crt").write_text("")
    failed = run_module(certificates_info, min_days=14)
    assert failed["failed"]
    lines = failed["msg"].splitlines()
    assert [line.split(" at ")[0].split(" (")[0] for line in lines] == [
        "apiserver ends",
        "front-proxy-client",
        "etcd-peer ended",
    ]


def test_it_can_be_run_by_a_timer() -> None:
    assert build("certificates_info")
