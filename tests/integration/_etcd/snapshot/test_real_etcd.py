"""Snapshots of a real etcd: saved, broken in every way, restored, and read back key by key.

GROUNDWORK_ETCD_DIR names the folder with the binaries: etcd, etcdctl and, from 3.5 on, etcdutl.
"""

# ruff: noqa: D103

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd import snapshot_restore, snapshot_save
from ansible_collections.groundwork.kubernetes.plugins.modules import (
    etcd_snapshot,
    etcd_snapshot_info,
)
from real_etcd import BINARIES, Member, Run, free_port, needs_etcd

pytestmark = needs_etcd
BUMP = 1_000_000_000


def revision(member: Member) -> int:
    answer = json.loads(member.ctl("endpoint", "status", "--write-out=json").stdout)
    return int(answer[0]["Status"]["header"]["revision"])


@pytest.fixture(scope="module")
def member(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Member]:
    """A running member with 40 keys of several sizes, one of them changed and one deleted."""
    running = Member(tmp_path_factory.mktemp("etcd"))
    running.start()
    for number in range(40):
        running.ctl("put", f"/registry/pods/{number}", f"value {number} " + "x" * (number * 400))
    running.ctl("put", "/registry/pods/1", "changed")
    running.ctl("del", "/registry/pods/2")
    yield running
    running.kill()


@pytest.fixture
def run(run: Run) -> Run:
    return lambda module, **options: run(module, **{"bin_dir": str(BINARIES), **options})


@pytest.fixture
def saved(run: Run, member: Member, tmp_path: Path) -> Path:
    """A snapshot of the member."""
    folder = tmp_path / "backups"
    folder.mkdir()
    path = folder / "saved.db"
    result = run(etcd_snapshot, state="saved", path=str(path), endpoints=[member.client])
    assert result.get("changed"), result
    return path


@pytest.fixture
def full_disk(small_disk: Callable[[str], Path]) -> Path:
    """Less than any snapshot needs."""
    return small_disk("16k")


def restore_options(snapshot: Path, data_dir: Path, member: Member) -> dict[str, Any]:
    return {
        "state": "restored", "path": str(snapshot), "data_dir": str(data_dir), "name": member.name,
        "initial_cluster": {member.name: member.peer}, "initial_cluster_token": "restored",
    }  # fmt: skip


def raises_revision() -> bool:
    version = subprocess.run(
        [BINARIES / "etcdctl", "version"], check=True, capture_output=True, text=True, env={"ETCDCTL_API": "3"}
    ).stdout.split()[2]
    return tuple(int(part) for part in version.split(".")) >= (3, 4, 27)


def test_saved_is_verified_private_and_idempotent(run: Run, member: Member, saved: Path) -> None:
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert os.listdir(saved.parent) == ["saved.db"]
    before = saved.stat()

    again = run(etcd_snapshot, state="saved", path=str(saved), endpoints=[member.client])
    verified = run(etcd_snapshot, state="verified", path=str(saved))

    assert not again["changed"]
    assert not verified["changed"]
    assert again["snapshot"] == verified["snapshot"]
    assert saved.stat().st_mtime_ns == before.st_mtime_ns
    snapshot = verified["snapshot"]
    assert snapshot["size"] == before.st_size
    assert snapshot["revision"] == revision(member)
    assert snapshot["total_keys"] > 0
    digest = subprocess.run(["sha256sum", saved], check=True, capture_output=True, text=True).stdout.split()[0]
    assert snapshot["file_sha256"] == digest


def test_save_in_check_mode_writes_nothing(run: Run, member: Member, tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    options = {"state": "saved", "path": str(path), "endpoints": [member.client]}

    result = run(etcd_snapshot, **options, _ansible_check_mode=True, _ansible_diff=True)

    assert result["changed"]
    assert result["endpoint"] == member.client
    assert result["diff"]["after"]["state"] == "a verified snapshot"
    assert not list(tmp_path.iterdir())


def test_force_takes_a_new_snapshot(run: Run, member: Member, saved: Path) -> None:
    old = run(etcd_snapshot, state="verified", path=str(saved))["snapshot"]["revision"]
    member.ctl("put", "/later", "1")

    result = run(etcd_snapshot, state="saved", path=str(saved), endpoints=[member.client], force=True)

    assert result["changed"]
    assert result["snapshot"]["revision"] == old + 1
    assert result["snapshot"]["etcd_version"].startswith("3.")


def test_the_healthy_one_of_several_endpoints_is_asked(run: Run, member: Member, tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    dead = f"http://127.0.0.1:{free_port()}"

    result = run(etcd_snapshot, state="saved", path=str(path), endpoints=[dead, member.client], timeout=2)

    assert result["changed"]
    assert result["endpoint"] == member.client
    assert path.exists()


def test_no_healthy_endpoint(run: Run, tmp_path: Path) -> None:
    dead = f"http://127.0.0.1:{free_port()}"

    result = run(etcd_snapshot, state="saved", path=str(tmp_path / "new.db"), endpoints=[dead], timeout=1)

    assert result["failed"]
    assert f"no endpoint is healthy ({dead}: context deadline exceeded)" in result["msg"]
    assert not list(tmp_path.iterdir())


def test_variables_of_the_environment_do_not_interfere(
    run: Run, member: Member, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETCDCTL_ENDPOINTS", "http://127.0.0.1:1")
    monkeypatch.setenv("ETCDCTL_WRITE_OUT", "table")

    result = run(etcd_snapshot, state="saved", path=str(tmp_path / "new.db"), endpoints=[member.client])

    assert result["changed"]


def flip(data: bytes) -> bytes:
    return data[:9000] + bytes([data[9000] ^ 0xFF]) + data[9001:]


BROKEN = {
    "empty": lambda data: b"",
    "not_a_snapshot": lambda data: b"not a snapshot\n" * 2000,
    "truncated": lambda data: data[: len(data) // 2 // 512 * 512],
    "damaged": flip,
    "no_hash": lambda data: data[:-32],
}


@pytest.mark.parametrize("fault", BROKEN)
@pytest.mark.parametrize("state", ["verified", "restored", "saved"])
def test_broken_snapshots_are_refused(run: Run, member: Member, saved: Path, fault: str, state: str) -> None:
    broken = saved.with_name("broken.db")
    broken.write_bytes(BROKEN[fault](saved.read_bytes()))
    content = broken.read_bytes()
    data_dir = saved.parent / "data"
    options = restore_options(broken, data_dir, member) if state == "restored" else {"path": str(broken)}

    result = run(etcd_snapshot, **{**options, "state": state, "endpoints": [member.client]})

    assert result["failed"]
    assert str(broken) in result["msg"]
    assert result.get("fault") == (None if state == "saved" else fault)
    assert broken.read_bytes() == content
    assert sorted(os.listdir(saved.parent)) == ["broken.db", "saved.db"]


def test_a_copied_member_database_is_no_snapshot(run: Run, member: Member, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    shutil.copy(member.data / "member" / "snap" / "db", copy)

    assert run(etcd_snapshot, state="verified", path=str(copy))["fault"] == "no_hash"


def test_info_lists_good_and_bad(run: Run, saved: Path) -> None:
    broken = saved.with_name("broken.db")
    broken.write_bytes(flip(saved.read_bytes()))
    os.utime(broken, (1_700_000_000, 1_700_000_000))

    result = run(etcd_snapshot_info, directory=str(saved.parent))

    assert [(item["path"], item["valid"], item["fault"]) for item in result["snapshots"]] == [
        (str(saved), True, ""),
        (str(broken), False, "damaged"),
    ]
    assert result["snapshots"][1]["modified"] == "2023-11-14T22:13:20Z"


@pytest.mark.parametrize("wal", [False, True], ids=["", "wal_dir"])
def test_a_restored_member_has_every_key(run: Run, member: Member, saved: Path, tmp_path: Path, wal: bool) -> None:
    expected, before = member.records(), revision(member)
    new, wal_dir = Member(tmp_path, "restored"), tmp_path / "wal"
    options = {**restore_options(saved, new.data, new), "wal_dir": str(wal_dir) if wal else None}

    planned = run(etcd_snapshot, **options, _ansible_check_mode=True)
    assert planned["changed"]
    assert not new.data.exists()

    result = run(etcd_snapshot, **options)
    assert result.get("changed"), result
    assert sorted(os.listdir(new.data)) == ["member"]
    assert stat.S_IMODE(new.data.stat().st_mode) == 0o700
    assert not wal or [path.suffix for path in wal_dir.iterdir()] == [".wal"]

    new.start("", *([f"--wal-dir={wal_dir}"] if wal else []))
    try:
        assert new.records() == expected
        new.ctl("put", "/after", "1")
        bump = BUMP if raises_revision() else 0
        assert result["bump_revision"] == bump
        assert revision(new) == before + bump + 1
    finally:
        new.kill()

    again = run(etcd_snapshot, **options)
    assert not again["changed"]
    other = run(etcd_snapshot, **{**options, "initial_cluster_token": "another"})
    assert other["failed"]
    assert "Nothing was changed" in other["msg"]
    assert sorted(os.listdir(new.data)) == ["member"]


def test_an_existing_empty_folder_keeps_its_owner(run: Run, member: Member, saved: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    data_dir = tmp_path / "mounted"
    (data_dir / "lost+found").mkdir(parents=True)
    (data_dir / ".groundwork-stage" / "content").mkdir(parents=True)
    os.chown(data_dir, 65534, 65534)

    result = run(etcd_snapshot, **restore_options(saved, data_dir, member))

    assert result["changed"], result
    assert sorted(os.listdir(data_dir)) == ["lost+found", "member"]
    owners = {path.stat().st_uid for path in (data_dir / "member").rglob("*")}
    assert owners == {65534}


def test_a_data_directory_in_use_is_left_alone(run: Run, member: Member, saved: Path) -> None:
    result = run(etcd_snapshot, **restore_options(saved, member.data, member))

    assert result["failed"]
    assert f"{member.data}: not empty" in result["msg"]


def test_a_failed_restore_leaves_nothing(run: Run, member: Member, saved: Path, tmp_path: Path) -> None:
    options = {**restore_options(saved, tmp_path / "deep" / "data", member), "wal_dir": str(tmp_path / "wal")}

    result = run(etcd_snapshot, **{**options, "initial_advertise_peer_urls": ["http://127.0.0.1:1"]})

    assert result["failed"]
    assert "snapshot restore" in result["msg"]
    assert sorted(os.listdir(tmp_path)) == ["backups"]


def test_a_full_disk_is_foreseen(run: Run, member: Member, saved: Path, full_disk: Path) -> None:
    save = run(etcd_snapshot, state="saved", path=str(full_disk / "new.db"), endpoints=[member.client])
    restore = run(etcd_snapshot, **restore_options(saved, full_disk, member))

    assert f"{full_disk} has 0.0 MiB free, but the snapshot of {member.client} needs" in save["msg"]
    assert f"{full_disk} has 0.0 MiB free, but the restore of {saved} needs" in restore["msg"]
    assert not list(full_disk.iterdir())


def test_a_disk_that_fills_up_leaves_nothing(
    run: Run, member: Member, saved: Path, full_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in (snapshot_save, snapshot_restore):
        monkeypatch.setattr(step, "require_space", lambda *arguments: None)

    save = run(etcd_snapshot, state="saved", path=str(full_disk / "new.db"), endpoints=[member.client])
    restore = run(etcd_snapshot, **restore_options(saved, full_disk, member))

    assert save["msg"].startswith(f"{full_disk} became full while the snapshot of {member.client} was written")
    assert restore["msg"].startswith(f"{full_disk} became full during the restore of {saved}")
    assert not list(full_disk.iterdir())
