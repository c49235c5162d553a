"""The journal of a restore."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.restore_journal import (
    Journal,
    RestoreError,
    read_journal,
    write_journal,
)

ID = "20261122T081500Z"
JOURNAL = Journal(ID, "example", "abc", "/x.tar", "2026-11-22T02:00:00Z", "staged", "/var/lib/etcd", keys=3)


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
