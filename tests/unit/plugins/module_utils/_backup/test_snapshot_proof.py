"""The proof of a snapshot, whose trial restore begins at once; a trial with a real etcd is in tests/integration."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup import snapshot_proof, trial_restore
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.snapshot_proof import SnapshotProver
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.trial_restore import Outcome
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import (
    CommandError,
    EndpointStatus,
    Sample,
    Tool,
    Version,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.staging import NoSpaceError

SERVER = Tool("/usr/bin/etcd", Version(3, 5, 30))
SAMPLE = Sample(9, 6, "a")


class PlayedEtcd:
    """Tools of etcd whose restore goes on until the status is asked for."""

    def __init__(self, error: str = "") -> None:
        self.error, self.asked, self.folder = error, threading.Event(), ""

    def restore(self, _path: str, _arguments: list[str], _wrapper: list[str], cwd: str) -> None:
        self.folder = cwd
        assert Path(cwd).stat().st_mode & 0o777 == 0o700
        assert self.asked.wait(60)
        if self.error:
            raise CommandError(["etcdutl"], 1, self.error)

    def snapshot_status(self, _path: str) -> dict[str, Any]:
        self.asked.set()
        return {"hash": 7, "revision": 6, "totalKey": 11, "totalSize": 20480}

    def sample(self, *_arguments: Any, **_options: Any) -> Sample:
        return SAMPLE


@pytest.fixture
def prove(
    tmp_path: Path, make_snapshot: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., snapshot_proof.ProvenSnapshot]:
    """Prove a snapshot with tools that are played, and expect that nothing of the trial is left."""
    database = tmp_path / "etcd.db"
    database.write_bytes(make_snapshot())

    def run(self: trial_restore.TrialRestore, prefix: str, revision: int) -> Outcome:
        self.restored.result()
        return Outcome(9, revision, SAMPLE)

    monkeypatch.setattr(trial_restore.TrialRestore, "run", run)
    module: Any = SimpleNamespace(params={"prove": "restore", "sample_prefix": "/registry/", "prove_timeout": 9})

    def call(etcd: PlayedEtcd, damage: bool = False) -> snapshot_proof.ProvenSnapshot:
        if damage:
            etcd.asked.set()
            data = bytearray(database.read_bytes())
            data[9000:9004] = b"lost"
            database.write_bytes(data)
        source = EndpointStatus("https://127.0.0.1:2379", 1, 1, "3.5.30", 6, 20480, learner=False, errors=())
        try:
            return SnapshotProver(module, etcd).prove_new(str(database), str(tmp_path), source, SERVER)  # type: ignore[arg-type]
        finally:
            assert etcd.folder == f"{tmp_path}/trial"
            assert sorted(path.name for path in tmp_path.iterdir()) == ["etcd.db"]

    return call


def test_the_trials_data_is_made_while_the_bytes_are_proven(prove: Callable[..., Any]) -> None:
    found = prove(PlayedEtcd())
    assert (found.proof.passed, found.proof.keys, found.proof.tool) == (True, 9, "etcd 3.5.30")
    assert (found.state.revision, found.state.keys, len(found.sha256)) == (6, 9, 64)


def test_damaged_bytes_count_whatever_the_tool_made_of_them(prove: Callable[..., Any]) -> None:
    for error in ("", "Error: expected sha256 [1], got [2]"):
        found = prove(PlayedEtcd(error), damage=True)
        assert (found.proof.passed, found.sha256) == (False, "")
        assert "the snapshot in the new archive is damaged: its bytes have SHA-256" in found.proof.reason


def test_a_snapshot_that_the_tool_refuses_fails_its_proof(prove: Callable[..., Any]) -> None:
    found = prove(PlayedEtcd("Error: no"))
    assert found.proof.reason == "failed its proof: its snapshot cannot be restored: Error: no"


def test_a_full_disk_says_nothing_about_the_snapshot(prove: Callable[..., Any]) -> None:
    with pytest.raises(NoSpaceError, match="became full during the trial restore"):
        prove(PlayedEtcd("Error: write: no space left on device"))
