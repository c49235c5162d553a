"""The folders of a restore; real folders, no etcd."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.restore_folders import (
    RestoreFolders,
    in_use,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.restore_journal import RestoreError

ID = "20261122T081500Z"


@pytest.fixture
def folders(tmp_path: Path) -> RestoreFolders:
    found = RestoreFolders(str(tmp_path), ID)
    new = tmp_path / f"restore-{ID}" / "member"
    new.mkdir(parents=True)
    (new / "data").write_text("new")
    found.write_stamp(str(new), "/x.tar")
    (tmp_path / "member").mkdir()
    (tmp_path / "member" / "data").write_text("old")
    return found


def content(folders: RestoreFolders) -> str:
    return Path(folders.member, "data").read_text()


def test_there_and_back(folders: RestoreFolders) -> None:
    assert folders.state == "staged"
    folders.switch()
    folders.switch()
    assert (folders.state, content(folders)) == ("switched", "new")
    assert sorted(os.listdir(folders.data_dir)) == [f"before-restore-{ID}", "member"]
    assert folders.leftovers() == [folders.old]
    folders.back()
    folders.back()
    assert (folders.state, content(folders), os.listdir(folders.data_dir)) == ("", "old", ["member"])


def test_drafts_are_dropped(folders: RestoreFolders) -> None:
    folders.back()
    assert (content(folders), os.listdir(folders.data_dir)) == ("old", ["member"])


def test_data_of_unknown_origin_stops_it(folders: RestoreFolders) -> None:
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
