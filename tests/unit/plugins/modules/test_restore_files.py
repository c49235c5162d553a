"""restore_files: a real archive, real files."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup import (
    EtcdState,
    Manifest,
    Proof,
    write_archive,
)
from ansible_collections.groundwork.kubernetes.plugins.modules import restore_files

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    pki = tmp_path / "pki"
    (pki / "etcd").mkdir(parents=True)
    found = {name: pki / name for name in ("ca.crt", "ca.key", "apiserver.crt", "etcd/ca.key")}
    for name, path in found.items():
        path.write_text(f"content of {name}")
        path.chmod(0o600 if name.endswith(".key") else 0o644)
    return found


@pytest.fixture
def archive(tmp_path: Path, files: dict[str, Path], make_snapshot: Callable[..., bytes]) -> Path:
    database = tmp_path / "db"
    database.write_bytes(make_snapshot())
    manifest = Manifest(
        "example", "cp-1", "2026-11-22T02:00:00Z", "1.36.5", EtcdState("3.6.8", "https://192.0.2.1:2379", 7, 3),
        Proof("status", passed=True),
    )  # fmt: skip
    path = tmp_path / "example-20261122T020000Z.tar"
    write_archive(str(path), manifest, str(database), sorted(map(str, files.values())))
    return path


def options(archive: Path, **more: Any) -> dict[str, Any]:
    return {"path": str(archive), "include": [f"{archive.parent}/pki/*"], "exclude": ["*/apiserver.*"], **more}


def test_files_come_back(run_module: Run, archive: Path, files: dict[str, Path]) -> None:
    for path in files.values():
        path.unlink()
    (archive.parent / "pki" / "etcd").rmdir()
    planned = run_module(restore_files, **options(archive), _ansible_check_mode=True, _ansible_diff=True)
    wanted = sorted(str(files[name]) for name in ("ca.crt", "ca.key", "etcd/ca.key"))
    assert (planned["changed"], planned["changed_paths"]) == (True, wanted)
    assert set(planned["diff"]["before"].values()) == {"absent"}
    assert not files["ca.crt"].exists()

    assert run_module(restore_files, **options(archive, cluster="example"))["changed_paths"] == wanted
    assert files["etcd/ca.key"].read_text() == "content of etcd/ca.key"
    assert stat.S_IMODE(files["ca.key"].stat().st_mode) == 0o600
    assert stat.S_IMODE(files["ca.crt"].stat().st_mode) == 0o644
    assert not files["apiserver.crt"].exists()
    assert not run_module(restore_files, **options(archive))["changed"]


def test_other_content_is_not_overwritten(run_module: Run, archive: Path, files: dict[str, Path]) -> None:
    files["ca.crt"].write_text("mine")
    files["ca.key"].unlink()
    result = run_module(restore_files, **options(archive))
    assert (result["failed"], result["fault"]) == (True, "conflict")
    assert f"{files['ca.crt']}: there already" in result["msg"]
    assert not files["ca.key"].exists()
    assert run_module(restore_files, **options(archive, force=True))["changed"]
    assert files["ca.crt"].read_text() == "content of ca.crt"


def test_a_bad_archive_writes_nothing(run_module: Run, archive: Path, files: dict[str, Path]) -> None:
    files["ca.key"].unlink()
    os.truncate(archive, 9000)
    assert run_module(restore_files, **options(archive))["fault"] == "truncated"
    assert run_module(restore_files, **options(archive.with_name("none")))["fault"] == "missing"
    assert not files["ca.key"].exists()


def test_another_clusters_archive_is_refused(run_module: Run, archive: Path) -> None:
    assert run_module(restore_files, **options(archive, cluster="other"))["fault"] == "wrong_cluster"
