"""Folders, journal and versions of a restore; real folders, no etcd."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.restore import (
    Folders,
    Journal,
    RestoreError,
    in_use,
    read_journal,
    settings,
    version_fault,
    write_journal,
)

ID = "20261122T081500Z"
JOURNAL = Journal(ID, "example", "abc", "/x.tar", "2026-11-22T02:00:00Z", "staged", "/var/lib/etcd", keys=3)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    found = Folders(str(tmp_path), ID)
    new = tmp_path / f"restore-{ID}" / "member"
    new.mkdir(parents=True)
    (new / "data").write_text("new")
    found.write_stamp(str(new), "/x.tar")
    (tmp_path / "member").mkdir()
    (tmp_path / "member" / "data").write_text("old")
    return found


def content(folders: Folders) -> str:
    return Path(folders.member, "data").read_text()


def test_there_and_back(folders: Folders) -> None:
    assert folders.state == "staged"
    folders.switch()
    folders.switch()
    assert (folders.state, content(folders)) == ("switched", "new")
    assert sorted(os.listdir(folders.data_dir)) == [f"before-restore-{ID}", "member"]
    assert folders.leftovers() == [folders.old]
    folders.back()
    folders.back()
    assert (folders.state, content(folders), os.listdir(folders.data_dir)) == ("", "old", ["member"])


def test_drafts_are_dropped(folders: Folders) -> None:
    folders.back()
    assert (content(folders), os.listdir(folders.data_dir)) == ("old", ["member"])


def test_data_of_unknown_origin_stops_it(folders: Folders) -> None:
    os.makedirs(os.path.join(folders.old, "member"))
    with pytest.raises(RestoreError, match="etcd was started in between"):
        folders.switch()
    assert content(folders) == "old"


def test_a_lock_on_the_database_is_seen(tmp_path: Path) -> None:
    assert not in_use(str(tmp_path))
    (tmp_path / "member" / "snap").mkdir(parents=True)
    with (tmp_path / "member" / "snap" / "db").open("wb") as stream:
        assert not in_use(str(tmp_path))
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert in_use(str(tmp_path))
    assert not in_use(str(tmp_path))


def test_the_journal_is_private_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "groundwork" / "restore.json"
    assert read_journal(str(path)) is None
    write_journal(str(path), JOURNAL)
    assert read_journal(str(path)) == JOURNAL
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == ["restore.json"]
    for text in ("", "{", json.dumps({"id": ID}), "[]"):
        path.write_text(text)
        with pytest.raises(RestoreError, match="cannot be read"):
            read_journal(str(path))


@pytest.mark.parametrize(
    ("archive", "member", "tool", "message"),
    [
        ("3.4.23", "3.4.13", "3.4.23", ""),
        ("3.4.23", "3.5.16", "3.5.30", ""),
        ("3.5.16", "3.6.8", "3.6.15", ""),
        ("3.6.8", "3.7.0", "3.6.15", ""),
        ("3.7.1", "", "3.7.1", ""),
        ("3.3.1", "3.4.1", "3.4.1", "3.4 to 3.7 can be restored"),
        ("3.8.0", "3.8.0", "3.8.0", "3.4 to 3.7 can be restored"),
        ("4.0.0", "3.7.0", "3.7.0", "3.4 to 3.7 can be restored"),
        ("3.6.0", "3.5.0", "3.5.0", "the older etcd 3.5.0 of this host cannot read"),
        ("3.4.0", "3.6.0", "3.6.0", "restore it with an etcd in between"),
        ("3.5.0", "3.5.0", "3.6.0", "the tool on this host is of 3.6.0"),
        ("", "3.5.0", "3.6.0", "cannot be compared"),
    ],
)
def test_versions(archive: str, member: str, tool: str, message: str) -> None:
    fault = version_fault(archive, member, tool)
    assert message in fault
    assert bool(fault) == bool(message)


def test_settings_of_a_service() -> None:
    text = "# comment\nETCD_NAME=cp-1\nETCD_DATA_DIR='/data'\nETCD_WAL_DIR=\"/wal\"\nOTHER=x\n"
    assert settings(text) == {"NAME": "cp-1", "DATA_DIR": "/data", "WAL_DIR": "/wal"}
