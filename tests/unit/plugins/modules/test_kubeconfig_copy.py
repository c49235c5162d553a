"""kubeconfig_copy: which copies follow, and what of them stays."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.modules import kubeconfig_copy

sys.path.insert(0, str(Path(__file__).parents[1]))

import pki
from control_plane_files import kubeconfig, signed

Run = Callable[..., dict[str, Any]]
CA, OTHER = pki.issue("kubernetes"), pki.issue("other")
LOAD_BALANCER = "https://api.example.com:6443"


def admin(days: float, user: str = "kubernetes-admin", group: str = "system:masters", **more: Any) -> str:
    authority = more.pop("authority", CA)
    return kubeconfig(signed(user, group, authority=authority, days=days), authority.crt, **more)


ORIGINAL = admin(365, key="NEW")


def test_it_follows_once(tmp_path: Path, run_module: Run) -> None:
    path = tmp_path / "config"
    path.write_text(admin(10, server=LOAD_BALANCER))
    path.chmod(0o600)
    options = {"path": str(path), "content": ORIGINAL}
    before = path.read_text()
    assert run_module(kubeconfig_copy, **options, _ansible_check_mode=True)["changed"]
    assert path.read_text() == before
    done = run_module(kubeconfig_copy, **options)
    assert (done["changed"], path.stat().st_mode & 0o777) == (True, 0o600)
    assert path.read_text() == ORIGINAL.replace("https://192.0.2.1:6443", LOAD_BALANCER)
    assert "client-key-data" not in str(done)
    for check in (True, False):
        assert not run_module(kubeconfig_copy, **options, _ansible_check_mode=check)["changed"]


@pytest.mark.parametrize(
    "copy",
    [
        admin(100),
        admin(10, "somebody"),
        admin(10, group="developers"),
        admin(10, authority=OTHER),
    ],
)
def test_it_stays_as_it_is(tmp_path: Path, run_module: Run, copy: str) -> None:
    path = tmp_path / "config"
    path.write_text(copy)
    for check in (True, False):
        result = run_module(kubeconfig_copy, path=str(path), content=ORIGINAL, _ansible_check_mode=check)
        assert result["changed"] is False
    assert path.read_text() == copy


def test_one_that_is_not_there_is_not_made(tmp_path: Path, run_module: Run) -> None:
    path = tmp_path / "config"
    assert run_module(kubeconfig_copy, path=str(path), content=ORIGINAL)["changed"] is False
    assert not path.exists()


def test_one_that_cannot_be_read_is_left(tmp_path: Path, run_module: Run) -> None:
    path = tmp_path / "config"
    path.write_text("kind: Config\n")
    assert run_module(kubeconfig_copy, path=str(path), content=ORIGINAL)["msg"].endswith("It was left as it is")
    assert path.read_text() == "kind: Config\n"
