"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.staging import (
    DraftFile,
    NoSpaceError,
    StagedFolder,
    abandoned_drafts,
    is_empty,
    require_space,
)
from ansible_collections.groundwork.kubernetes.tests.unit.plugins.labels import Labels

MODULE: Any = Labels()


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def fill(staged: StagedFolder) -> None:
    (Path(staged.content) / "member").mkdir(parents=True)
    (Path(staged.content) / "member" / "db").write_text("data")


@pytest.mark.parametrize(("free", "fits"), [(4096, True), (4095, False)])
def test_require_space(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, fits: bool) -> None:
    asked: list[str] = []

    def statvfs(folder: str) -> SimpleNamespace:
        asked.append(folder)
        return SimpleNamespace(f_bavail=free, f_frsize=1024)

    monkeypatch.setattr(os, "statvfs", statvfs)
    if fits:
        require_space(str(tmp_path / "not" / "yet"), 4 * 1024 * 1024, "the snapshot")
    else:
        with pytest.raises(NoSpaceError, match=r"has 4\.0 MiB free, but the snapshot needs 4\.0 MiB"):
            require_space(str(tmp_path / "not" / "yet"), 4 * 1024 * 1024, "the snapshot")
    assert asked == [str(tmp_path)]


@pytest.mark.parametrize(
    ("entries", "empty"),
    [([], True), (["lost+found"], True), ([".groundwork-stage", "lost+found"], True), (["member"], False)],
)
def test_is_empty(tmp_path: Path, entries: list[str], empty: bool) -> None:
    for entry in entries:
        (tmp_path / entry).mkdir()
    assert is_empty(str(tmp_path)) is empty
    assert is_empty(str(tmp_path / "absent"))


def test_a_draft_is_published(tmp_path: Path) -> None:
    final = tmp_path / "a.db"
    final.write_text("old")
    with DraftFile(MODULE, str(final)) as draft:
        Path(draft.path).write_text("new")
        assert final.read_text() == "old"
        draft.publish(0o600)
    assert final.read_text() == "new"
    assert stat.S_IMODE(final.stat().st_mode) == 0o600
    assert tree(tmp_path) == ["a.db"]


def test_a_draft_is_labelled_before_it_is_in_place(tmp_path: Path) -> None:
    final, module = tmp_path / "a.db", Labels()
    final.write_text("old")
    with DraftFile(module, str(final)) as draft:  # type: ignore[arg-type]
        Path(draft.path).write_text("new")
        draft.publish(0o600)
    assert module.noted == [(draft.path, str(final), "old")]


@pytest.mark.parametrize("final", ["", "/var/lib/etcd"])
def test_a_folder_is_labelled_before_it_is_in_place(tmp_path: Path, final: str) -> None:
    target, module = tmp_path / "data", Labels()
    with StagedFolder(module, str(target), 0o700, final=final) as staged:  # type: ignore[arg-type]
        fill(staged)
        assert module.noted == [(str(target), str(target), None)]
        StagedFolder.commit(staged)
    place = final or str(target)
    assert sorted(module.noted[1:]) == [
        (f"{staged.content}{name}", f"{place}{name}", None) for name in ("", "/member", "/member/db")
    ]


def test_a_draft_that_is_not_published_is_gone(tmp_path: Path) -> None:
    with DraftFile(MODULE, str(tmp_path / "a.db")) as draft:
        Path(draft.path + ".part").write_text("half")
    assert tree(tmp_path) == []


def test_abandoned_drafts(tmp_path: Path) -> None:
    for name, written in ((".groundwork-draft-old", 1000), (".groundwork-draft-new", 3000), ("other", 1000)):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "a.db.part"
        file.write_text("half")
        os.utime(file, (written, written))
        os.utime(tmp_path / name, (1000, 1000))
    assert list(abandoned_drafts(str(tmp_path), before=2000)) == [str(tmp_path / ".groundwork-draft-old")]


@pytest.mark.parametrize("exists", [False, True], ids=["absent", "existing"])
def test_a_folder_appears_filled(tmp_path: Path, exists: bool) -> None:
    target = tmp_path / "deep" / "data"
    if exists:
        (target / ".groundwork-stage" / "content" / "old").mkdir(parents=True)
    with StagedFolder(MODULE, str(target), 0o700) as staged:
        fill(staged)
        assert not (target / "member").exists()
        StagedFolder.commit(staged)
    assert tree(target) == ["member", "member/db"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o700


@pytest.mark.parametrize("exists", [False, True], ids=["absent", "existing"])
def test_a_folder_that_is_not_committed_is_as_it_was(tmp_path: Path, exists: bool) -> None:
    target = tmp_path / "deep" / "data"
    if exists:
        target.mkdir(parents=True)
    before = tree(tmp_path)
    with StagedFolder(MODULE, str(target), 0o700) as staged:
        fill(staged)
    assert tree(tmp_path) == before


def test_of_two_folders_both_appear_or_none(tmp_path: Path) -> None:
    wal, data = tmp_path / "wal", tmp_path / "data"
    (data / "member").mkdir(parents=True)
    (data / "member" / "kept").touch()
    with StagedFolder(MODULE, str(wal), 0o700) as log, StagedFolder(MODULE, str(data), 0o700) as staged:
        Path(log.content).mkdir()
        (Path(log.content) / "0.wal").touch()
        fill(staged)
        with pytest.raises(OSError, match="not empty"):
            StagedFolder.commit(log, staged)
    assert tree(tmp_path) == ["data", "data/member", "data/member/kept"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a folder to another account")
def test_a_link_in_a_folder_of_another_account_is_not_filled(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data" / "restore").symlink_to(tmp_path / "elsewhere")
    os.chown(tmp_path / "data", 65534, 65534)
    with pytest.raises(OSError, match="restore is a link, and others"):
        StagedFolder(MODULE, str(tmp_path / "data" / "restore"), 0o700)
    assert tree(tmp_path / "elsewhere") == []


def test_a_link_of_root_to_a_larger_disk_is_filled(tmp_path: Path) -> None:
    (tmp_path / "large").mkdir()
    (tmp_path / "data").symlink_to("large")
    with StagedFolder(MODULE, str(tmp_path / "data"), 0o700) as staged:
        fill(staged)
        StagedFolder.commit(staged)
    assert tree(tmp_path / "large") == ["member", "member/db"]
