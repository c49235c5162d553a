"""The state of backups for Prometheus."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_folder import ArchiveFolder
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_names import Listed
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import EtcdState, Manifest, Proof
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.metrics import (
    LastRun,
    known_uid,
    metrics,
    write_metrics,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.owner import Owner

START = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
OWNER = Owner("test", "1f0c6a52-7f3e-4f0e-9a53-0d5f3f6a2b11")
STATE = EtcdState("3.5.30", "", 6, 11)


def values(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if line[0] != "#"]
    return {line.rsplit(" ", 1)[0].removeprefix("groundwork_backup_"): line.rsplit(" ", 1)[1] for line in lines}


def test_a_folder_with_archives(tmp_path: Path) -> None:
    path = tmp_path / "test-20261122T120000Z.tar"
    path.write_bytes(b"x" * 4096)
    folder = ArchiveFolder(str(tmp_path / "none"), OWNER)
    good = Manifest("test", "cp-1", "2026-11-22T12:00:00Z", "", STATE, Proof("restore", passed=True, seconds=1.5))
    folder.good = [(Listed(str(path), "test", START, bad=False), good)]
    folder.unidentified = ["/x.tar"]
    folder.newest = Manifest("test", "cp-1", "2026-11-22T13:00:00Z", "", STATE, Proof("restore", False, seconds=2.5))
    copies = {"b": {"ok": False, "time": 0}, "a": {"ok": True, "time": 7}}

    text = metrics(OWNER, folder, LastRun(False, False, 1.23456, 99, 50), copies)

    assert values(text) == {
        'last_run_success{cluster="test"}': "0",
        'last_run_skipped{cluster="test"}': "0",
        'last_run_timestamp_seconds{cluster="test"}': "99",
        'last_run_duration_seconds{cluster="test"}': "1.235",
        'archives{cluster="test"}': "1",
        'bad_archives{cluster="test"}': "0",
        'unidentified_archives{cluster="test"}': "1",
        f'cluster_info{{cluster="test",cluster_uid="{OWNER.uid}"}}': "1",
        'newest_on_any_host_timestamp_seconds{cluster="test"}': "50",
        'last_proof_success{cluster="test"}': "0",
        'last_proof_duration_seconds{cluster="test"}': "2.5",
        'last_success_timestamp_seconds{cluster="test"}': str(int(START.timestamp())),
        'last_success_size_bytes{cluster="test"}': "4096",
        'last_success_revision{cluster="test"}': "6",
        'copy_success{cluster="test",copy="a"}': "1",
        'copy_success{cluster="test",copy="b"}': "0",
        'copy_last_success_timestamp_seconds{cluster="test",copy="a"}': "7",
        'copy_last_success_timestamp_seconds{cluster="test",copy="b"}': "0",
    }
    # Each metric is described once, before its first value.
    assert text.count("# HELP") == text.count("# TYPE") == 16


def test_a_host_that_never_made_one(tmp_path: Path) -> None:
    text = metrics(OWNER, ArchiveFolder(str(tmp_path / "none"), OWNER), LastRun(True, True, 0.1, 99), {})
    found = values(text)
    assert (found['last_run_success{cluster="test"}'], found['last_run_skipped{cluster="test"}']) == ("1", "1")
    assert "last_success" not in text
    assert "any_host" not in text


def test_the_identity_is_known_to_a_run_that_did_not_ask(tmp_path: Path) -> None:
    path = tmp_path / "x.prom"
    assert known_uid(str(path), "test") == ""
    path.write_text(metrics(OWNER, ArchiveFolder(str(tmp_path), OWNER), LastRun(True, True, 0.1, 99), {}))
    assert (known_uid(str(path), "test"), known_uid(str(path), "tes.")) == (OWNER.uid, "")


def test_they_appear_in_one_step(tmp_path: Path) -> None:
    target = tmp_path / "backup.prom"
    write_metrics(str(target), "a 1\n")
    write_metrics(str(target), "a 2\n")
    assert target.read_text() == "a 2\n"
    assert target.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["backup.prom"]
