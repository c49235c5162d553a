"""The module private_files on real files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.modules import private_files

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files as kubeadm leaves them, of whoever runs the test."""
    monkeypatch.setattr(private_files, "OWNER", os.geteuid())
    for name, mode in (
        ("pki/ca.crt", 0o644),
        ("pki/ca.key", 0o600),
        ("pki/etcd/ca.crt", 0o644),
        ("admin.conf", 0o640),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
        (tmp_path / name).chmod(mode)
    (tmp_path / "notes").write_text("")
    (tmp_path / "notes").chmod(0o644)
    (tmp_path / "pki" / "link.crt").symlink_to(tmp_path / "notes")
    return tmp_path


def modes(host: Path) -> dict[str, int]:
    return {str(path.relative_to(host)): path.stat().st_mode & 0o777 for path in host.rglob("*") if path.is_file()}


def test_files_are_closed_once(run_module: Run, host: Path) -> None:
    options = {"paths": [f"{host}/*.conf", f"{host}/pki/**", f"{host}/none"]}
    before, wanted = (
        modes(host),
        [f"{host}/admin.conf", f"{host}/pki/ca.crt", f"{host}/pki/etcd/ca.crt"],
    )
    foreseen = run_module(private_files, **options, _ansible_check_mode=True, _ansible_diff=True)
    assert (foreseen["changed"], foreseen["changed_paths"]) == (True, wanted)
    assert modes(host) == before
    uid = os.geteuid()
    assert foreseen["diff"][0]["before"] == f"mode 0640 owner {uid} group {uid}\n"
    assert foreseen["diff"][0]["after"] == f"mode 0600 owner {uid} group {uid}\n"
    done = run_module(private_files, **options, _ansible_diff=True)
    assert (done["changed_paths"], done["diff"]) == (wanted, foreseen["diff"])
    closed = modes(host)
    # A link is not followed, and what no pattern names stays.
    assert closed == {
        **dict.fromkeys(closed, 0o600),
        "notes": 0o644,
        "pki/link.crt": 0o644,
    }
    assert (host / "pki" / "etcd").stat().st_mode & 0o777 == 0o755
    for check in (True, False):
        assert run_module(private_files, **options, _ansible_check_mode=check)["changed"] is False


def test_folders_are_closed_without_what_is_in_them(run_module: Run, host: Path) -> None:
    (host / "data").mkdir()
    (host / "data").chmod(0o755)
    (host / "data" / "wal").touch(0o644)
    (host / "link").symlink_to(host / "pki")
    options = {"paths": [], "folders": [str(host / name) for name in ("data", "none", "notes", "link")]}
    assert run_module(private_files, **options, _ansible_check_mode=True)["changed_paths"] == [str(host / "data")]
    assert run_module(private_files, **options)["changed_paths"] == [str(host / "data")]
    found = [(host / name).stat().st_mode & 0o777 for name in ("data", "data/wal", "pki")]
    assert found == [0o700, 0o644, 0o755]
    assert run_module(private_files, **options)["changed"] is False


def test_what_cannot_be_changed_is_told(run_module: Run, host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: Any) -> None:
        raise PermissionError(1, "Operation not permitted", f"{host}/admin.conf")

    monkeypatch.setattr(private_files.os, "fchmod", refuse)
    result = run_module(private_files, paths=[f"{host}/*.conf"])
    assert result["msg"] == f"{host}/admin.conf: Operation not permitted; nothing after it was changed"


def test_an_empty_host_has_none(run_module: Run, tmp_path: Path) -> None:
    options = {"paths": [f"{tmp_path}/none/**", f"{tmp_path}/*.conf"]}
    assert run_module(private_files, **options)["changed"] is False
    # kubeadm is to write them.
    foreseen = run_module(private_files, **options, _ansible_check_mode=True)
    assert (foreseen["changed"], foreseen["changed_paths"]) == (True, [])
