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


NEXT = pki.issue("kubernetes", key="the next")
BOTH = kubeconfig(signed("kubernetes-admin", "system:masters", authority=CA), CA.crt + NEXT.crt, key="NEW")
ISSUED = kubeconfig(signed("kubernetes-admin", "system:masters", authority=NEXT), NEXT.crt + CA.crt, key="NEW")
DROPPED = kubeconfig(signed("kubernetes-admin", "system:masters", authority=NEXT), NEXT.crt, key="NEW")


@pytest.mark.parametrize(
    ("copy", "original", "follows"),
    [
        (admin(300, server=LOAD_BALANCER), BOTH, True),
        (admin(300, server=LOAD_BALANCER), ISSUED, True),
        (BOTH, ISSUED, True),
        (ISSUED, DROPPED, True),
        (ISSUED, ISSUED, False),
        # Another control plane's is as good.
        (admin(300), ORIGINAL, False),
        (admin(300, "somebody"), BOTH, False),
        # Nothing tells that it is of the same cluster.
        (admin(300), DROPPED, False),
    ],
)
def test_it_follows_a_rotation(tmp_path: Path, run_module: Run, copy: str, original: str, follows: bool) -> None:
    path = tmp_path / "config"
    path.write_text(copy)
    options = {"path": str(path), "content": original, "renew_days": 0}
    assert not run_module(kubeconfig_copy, **options)["changed"]
    for check in (True, False):
        done = run_module(kubeconfig_copy, **options, rotated=True, _ansible_check_mode=check)
        assert done["changed"] is follows
    if follows:
        wanted = original.replace("https://192.0.2.1:6443", LOAD_BALANCER) if LOAD_BALANCER in copy else original
        assert path.read_text() == wanted
    assert not run_module(kubeconfig_copy, **options, rotated=True)["changed"]
