"""Hosts that take turns: the record in etcd, and the lock, held by an etcdctl that is played by a script."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.backup_lock import (
    BackupLock,
    Record,
    parse_record,
    recent,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd import lock
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import EtcdError

RECORD = Record("cp-2", "test-20261122T120000Z.tar", 1000)


@pytest.mark.parametrize(
    ("text", "record"),
    [
        ("", None),
        ("{", None),
        ("[]", None),
        ("{}", None),
        ('{"host": "cp-2", "archive": "test-20261122T120000Z.tar", "time": "x"}', None),
        ('{"host": "cp-2", "archive": "test-20261122T120000Z.tar", "time": 1000, "later": 1}', RECORD),
    ],
)
def test_a_record(text: str, record: Record | None) -> None:
    assert parse_record(text) == record


@pytest.mark.parametrize(
    ("record", "seconds", "now", "expected"),
    [
        (None, 60, 1000, False),
        (RECORD, 60, 1059, True),
        (RECORD, 60, 1060, False),
        (RECORD, 0, 1000, False),
        (RECORD, 0, 999, False),
        # A clock that is a little ahead is common, one that was far ahead must not stop backups for years.
        (RECORD, 60, 900, True),
        (RECORD, 60, 100, False),
    ],
)
def test_whether_a_backup_is_recent(record: Record | None, seconds: int, now: int, expected: bool) -> None:
    assert recent(record, seconds, now) is expected


class Store:
    """An etcd that holds keys, and whose lock is held by a script."""

    def __init__(self, script: str) -> None:
        self.script = script
        self.keys: dict[str, str] = {}

    def read_key(self, _endpoints: list[str], key: str) -> str:
        return self.keys.get(key, "")

    def write_key(self, _endpoints: list[str], key: str, value: str) -> None:
        self.keys[key] = value

    def lock_command(self, _endpoints: list[str], name: str, ttl: int) -> list[str]:
        return ["sh", "-c", self.script, name, str(ttl)]


def backup_lock(script: str = "") -> BackupLock:
    return BackupLock(Store(script), "test", ["https://127.0.0.1:2379"])  # type: ignore[arg-type]


def test_the_record_of_a_cluster() -> None:
    mine = backup_lock()
    assert mine.newest() is None
    mine.record(RECORD)
    assert mine.newest() == RECORD
    assert json.loads(mine.etcd.read_key([], "/groundwork/backup/test/newest"))["host"] == "cp-2"


def test_the_lock_is_held_and_given_back(tmp_path: Path) -> None:
    note = tmp_path / "note"
    script = (
        f'trap "echo released >> {note}; exit 0" TERM; echo "$0 $1" > {note}; echo key; while :; do sleep 0.05; done'
    )
    with backup_lock(script).hold(patience=20):
        assert note.read_text() == "/groundwork/backup/test/turn 60\n"
    assert note.read_text().endswith("released\n")


def test_the_lock_is_given_back_after_a_failure(tmp_path: Path) -> None:
    note = tmp_path / "note"

    def work() -> None:
        script = f'trap "echo released > {note}; exit 0" TERM; echo key; while :; do sleep 0.05; done'
        with backup_lock(script).hold(20):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()
    assert note.read_text() == "released\n"


@pytest.mark.parametrize(
    ("script", "patience", "message"),
    [
        ("exec sleep 20", 0, "has been making a backup for 0 seconds"),
        ("echo 'Error: no quorum' >&2; exit 1", 20, "ended without the lock: Error: no quorum"),
    ],
)
def test_a_lock_that_does_not_come(
    script: str, patience: int, message: str, monkeypatch: pytest.MonkeyPatch, refuse: Callable[..., str]
) -> None:
    monkeypatch.setattr(lock, "LEASE", 5)
    assert message in refuse(backup_lock(script), patience)


@pytest.fixture
def refuse() -> Callable[..., str]:
    def call(mine: BackupLock, patience: int) -> str:
        with pytest.raises(EtcdError) as error, mine.hold(patience):
            pytest.fail("it was not to be had")
        return str(error.value)

    return call
