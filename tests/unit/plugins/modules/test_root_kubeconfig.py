"""root_kubeconfig on real files: what is overwritten, what is kept, and what goes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.modules import root_kubeconfig

Run = Callable[..., dict[str, Any]]
TEXT = """apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {authority}
    server: https://{server}:6443
  name: kubernetes
contexts:
- context:
    cluster: kubernetes
    user: kubernetes-admin
  name: kubernetes-admin@kubernetes
current-context: kubernetes-admin@kubernetes
kind: Config
users:
- name: kubernetes-admin
  user:
    client-certificate-data: {certificate}
    client-key-data: {certificate}
"""
KEPT = "config.4711.2026-11-22@02:00:00~"


def kubeconfig(authority: str = "Y2E=", server: str = "192.0.2.1", certificate: str = "b25l") -> str:
    return TEXT.format(authority=authority, server=server, certificate=certificate)


MINE = kubeconfig() + "- name: somebody\n  user: {token: x}\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "admin.conf").write_text(kubeconfig(certificate="bmV3"))
    return tmp_path


@pytest.fixture
def give(run_module: Run, place: Path) -> Run:
    def run(**more: Any) -> dict[str, Any]:
        options = {"src": str(place / "admin.conf"), "dest": str(place / ".kube" / "config"), **more}
        return run_module(root_kubeconfig, **options)

    return run


def test_it_is_given_once(give: Run, place: Path) -> None:
    assert give(_ansible_check_mode=True)["changed"]
    assert not (place / ".kube").exists()
    given = give()
    assert (given["changed"], given["kept"], given["removed"]) == (True, "", [])
    assert not give()["changed"]
    dest = place / ".kube" / "config"
    assert dest.read_text() == (place / "admin.conf").read_text()
    assert (dest.stat().st_mode & 0o777, dest.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    dest.chmod(0o644)
    assert give()["changed"]
    dest.parent.chmod(0o755)
    assert give()["changed"]
    assert (dest.stat().st_mode & 0o777, dest.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize(
    ("before", "is_ours"),
    [
        (kubeconfig(), True),
        (kubeconfig(server="api.example.com"), True),
        (kubeconfig().replace("kind: Config\n", "kind: Config\npreferences: {}\n"), True),
        (kubeconfig(authority="b3RoZXI="), False),
        (MINE, False),
        (kubeconfig().replace("kubernetes-admin", "me"), False),
        ("# notes\n", False),
    ],
)
def test_what_was_there(give: Run, place: Path, before: str, is_ours: bool) -> None:
    (place / ".kube").mkdir()
    dest, old = place / ".kube" / "config", place / ".kube" / KEPT
    for path in (dest, old):
        path.write_text(before)
    foreseen = give(_ansible_check_mode=True)
    assert (bool(foreseen["kept"]), foreseen["removed"]) == (not is_ours, [str(old)] if is_ours else [])
    assert dest.read_text() == before

    result = give()
    assert (bool(result["kept"]), result["removed"]) == (not is_ours, [str(old)] if is_ours else [])
    assert old.exists() is not is_ours
    if not is_ours:
        kept = Path(result["kept"])
        assert (kept.read_text(), kept.stat().st_mode & 0o777) == (before, 0o600)
    assert not give()["changed"]


def test_other_names_and_links_are_left_alone(give: Run, place: Path) -> None:
    (place / ".kube").mkdir()
    names = ["config.bak", "config~", f"other{KEPT}", f"{KEPT}x"]
    for name in names:
        (place / ".kube" / name).write_text(kubeconfig())
    (place / ".kube" / KEPT).symlink_to(place / "admin.conf")
    assert give()["removed"] == []
    assert sorted(os.listdir(place / ".kube")) == sorted([*names, KEPT, "config"])


def test_what_it_holds(give: Run, place: Path) -> None:
    content = (place / "admin.conf").read_text()
    assert "content" not in give()
    assert give(return_content=True)["content"] == content
    (place / ".kube" / "config").unlink()
    result = give(dest="", return_content=True)
    assert (result["changed"], result["content"]) == (False, content)
    assert os.listdir(place / ".kube") == []


def test_nothing_is_known_without_the_administrators(give: Run, place: Path) -> None:
    for content in (None, ""):
        (place / "admin.conf").unlink() if content is None else (place / "admin.conf").write_text(content)
        result = give()
        assert "admin.conf does not exist or is empty. Nothing was changed" in result["msg"]
        # In check mode an earlier task would have written it.
        assert give(_ansible_check_mode=True)["changed"]
        assert "admin.conf does not exist" in give(_ansible_check_mode=True, dest="", return_content=True)["msg"]
    assert not (place / ".kube").exists()
