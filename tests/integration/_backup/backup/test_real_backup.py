"""Backups of a real etcd: made, proven, broken in each part, interrupted, and refused where there is no room.

GROUNDWORK_ETCD_DIR names the folder with the binaries: etcd, etcdctl and, from 3.5 on, etcdutl.
"""

# ruff: noqa: D103

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup import archive_creation, snapshot_proof
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_folder import exclusive
from ansible_collections.groundwork.kubernetes.plugins.modules import backup, backup_info
from real_etcd import BINARIES, COLLECTIONS, Member, Run, needs_etcd, run_by_timer

pytestmark = needs_etcd
KEYS = 5000
CLUSTER = "test"
UID = "1f0c6a52-7f3e-4f0e-9a53-0d5f3f6a2b11"
RUNNER = f"""
import json, sys
sys.path.insert(0, {str(COLLECTIONS)!r})
from ansible.module_utils.testing import patch_module_args
from ansible_collections.groundwork.kubernetes.plugins.modules import backup
with patch_module_args(json.load(sys.stdin)):
    backup.main()
"""


@pytest.fixture(scope="module")
def member(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Member]:
    running = Member(tmp_path_factory.mktemp("etcd"))
    running.start()
    running.fill(KEYS)
    running.ctl("put", "/registry/pods/000001", "changed")
    running.ctl("del", "/registry/pods/000002")
    running.ctl("del", "/registry/pods/000003")
    running.identify(UID)
    running.ctl("put", "/other", "1")
    yield running
    running.kill()


@pytest.fixture
def options(member: Member, tmp_path: Path) -> dict[str, Any]:
    """What a save is told, and files of a host."""
    pki = tmp_path / "kubernetes" / "pki"
    (pki / "etcd").mkdir(parents=True)
    (pki / "ca.key").write_text("the authority's key\n")
    (pki / "ca.key").chmod(0o600)
    (pki / "etcd" / "ca.crt").write_text("a certificate\n")
    (pki / "current.pem").symlink_to(pki / "ca.key")
    (tmp_path / "kubernetes" / "kubeadm.yaml").write_text("kind: ClusterConfiguration\n")
    return {
        "bin_dir": str(BINARIES), "endpoints": [member.client], "directory": str(tmp_path / "backups"),
        "cluster": CLUSTER, "include": [str(pki), str(tmp_path / "kubernetes" / "*.yaml")],
    }  # fmt: skip


@pytest.fixture
def archive(run: Run, options: dict[str, Any]) -> Path:
    result = run(backup, **options)
    assert result.get("changed"), result
    return Path(result["path"])


def verified(path: Path, **more: Any) -> dict[str, Any]:
    return {"state": "verified", "path": str(path), "cluster": CLUSTER, "bin_dir": str(BINARIES), **more}


def working_folder(process: Path) -> str:
    try:
        return os.readlink(process / "cwd")
    except OSError:
        return ""


def trials(folder: Path) -> list[str]:
    """Processes that work below a folder."""
    return [process.name for process in Path("/proc").glob("[0-9]*") if str(folder) in working_folder(process)]


def test_a_backup_is_saved_proven_and_private(run: Run, options: dict[str, Any], tmp_path: Path) -> None:
    metrics = tmp_path / "backup.prom"

    result = run(backup, **options, metrics_file=str(metrics), kubernetes_version="1.36.5", host="cp-1")

    path = Path(result["path"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert os.listdir(path.parent) == [path.name]
    assert result["proof"]["level"] == "restore"
    assert result["proof"]["keys"] == result["manifest"]["etcd"]["keys"] == KEYS
    assert result["manifest"]["etcd"]["sample_keys"] == KEYS - 1
    with tarfile.open(path) as tar:
        files = {member.name: member for member in tar}
        assert "kind: ClusterConfiguration\n" in [
            (tar.extractfile(member) or io.BytesIO()).read().decode(errors="replace") for member in files.values()
        ]
    prefix = f"files{tmp_path}/kubernetes"
    assert list(files) == [
        "etcd.db", f"{prefix}/kubeadm.yaml", f"{prefix}/pki/ca.key", f"{prefix}/pki/current.pem",
        f"{prefix}/pki/etcd/ca.crt", "manifest.json", "manifest.json.sha256",
    ]  # fmt: skip
    assert files[f"{prefix}/pki/ca.key"].mode == 0o600
    assert 'groundwork_backup_last_run_success{cluster="test"} 1' in metrics.read_text()
    assert trials(tmp_path) == []

    again = run(backup, **verified(path))
    assert (again["changed"], again["proof"]["passed"], again["proof"]["keys"]) == (False, True, KEYS)
    [listed] = run(backup_info, directory=str(path.parent))["backups"]
    assert (listed["valid"], listed["host"], listed["kubernetes_version"]) == (True, "cp-1", "1.36.5")
    assert 0 <= listed["age"] < 60
    # The archive can be unpacked and checked with nothing but tar and sha256sum.
    subprocess.run(["tar", "-xf", path, "-C", tmp_path, "--one-top-level=out"], check=True)
    subprocess.run(["sha256sum", "-c", "--quiet", "manifest.json.sha256"], check=True, cwd=tmp_path / "out")


def test_a_timer_makes_the_same_backup(run: Run, options: dict[str, Any], tmp_path: Path) -> None:
    result = run_by_timer(tmp_path, "backup", **options)
    assert result["changed"], result
    assert (result["proof"]["level"], result["proof"]["keys"]) == ("restore", KEYS)
    assert run(backup, **verified(Path(result["path"])))["proof"]["passed"]
    broken = run_by_timer(tmp_path, "backup", **{**options, "endpoints": ["http://127.0.0.1:1"]})
    assert broken["failed"]
    assert "127.0.0.1:1" in broken["msg"]


def test_check_mode_makes_nothing(run: Run, options: dict[str, Any], tmp_path: Path) -> None:
    result = run(backup, **options, _ansible_check_mode=True, _ansible_diff=True)
    assert result["changed"]
    assert result["diff"]["after"]["archives"] == [result["path"]]
    assert not (tmp_path / "backups").exists()


def test_status_needs_no_etcd(run: Run, options: dict[str, Any], tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("etcdctl", "etcdutl"):
        if (BINARIES / name).exists():
            (tools / name).symlink_to(BINARIES / name)
    options["bin_dir"] = str(tools)

    without = run(backup, **options)
    assert without["failed"]
    assert "a trial restore needs the program etcd, which is not on this host" in without["msg"]
    assert not (tmp_path / "backups").exists()

    assert run(backup, **options, prove="status")["proof"]["level"] == "status"


def parts(path: Path) -> dict[str, tuple[int, int]]:
    """Where the content of each part lies in the archive."""
    with tarfile.open(path) as tar:
        return {member.name: (member.offset_data, member.size) for member in tar}


def test_a_flipped_byte_in_any_part_is_found(run: Run, archive: Path) -> None:
    good = archive.read_bytes()
    for name, (offset, size) in parts(archive).items():
        for place in {offset, offset + size // 2, offset + size - 1}:
            if name == "manifest.json.sha256" and place != offset:
                continue  # its second word is a name for people
            archive.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
            for result in (run(backup, **verified(archive)), run(backup, **verified(archive, prove="status"))):
                assert result.get("failed"), (name, place)
                assert result["fault"] == "damaged", result
                assert ("manifest.json" if name.startswith("manifest") else name) in result["msg"]
            [listed] = run(backup_info, directory=str(archive.parent))["backups"]
            assert (listed["valid"], listed["fault"]) == (False, "damaged")
    assert os.listdir(archive.parent) == [archive.name]


def test_a_flipped_byte_in_any_header_is_found(run: Run, archive: Path) -> None:
    good = archive.read_bytes()
    for offset, _size in parts(archive).values():
        place = offset - 512 + 3
        archive.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        [listed] = run(backup_info, directory=str(archive.parent))["backups"]
        assert listed["fault"] in ("damaged", "not_an_archive"), listed


def test_an_archive_cut_anywhere_is_found(run: Run, archive: Path) -> None:
    good = archive.read_bytes()
    ends = [offset + size for offset, size in parts(archive).values()]
    for length in [100, 512, 513, len(good) // 2, *ends, len(good) - 9000]:
        archive.write_bytes(good[:length])
        result = run(backup, **verified(archive))
        assert result["failed"], length
        assert result["fault"] in ("truncated", "not_an_archive"), (length, result)
    archive.write_bytes(b"")
    assert run(backup, **verified(archive))["fault"] == "empty"


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest of an archive, with a right checksum."""
    with tarfile.open(path) as tar:
        content = {member.name: (tar.extractfile(member) or io.BytesIO()).read() for member in tar}
    manifest = json.loads(content["manifest.json"])
    change(manifest)
    content["manifest.json"] = json.dumps(manifest).encode()
    content["manifest.json.sha256"] = hashlib.sha256(content["manifest.json"]).hexdigest().encode()
    with tarfile.open(path, "w") as tar:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


LIES: dict[str, tuple[Callable[[dict[str, Any]], None], str, str]] = {
    "size": (lambda m: m["parts"][0].update(size=1), "wrong_size", "but its manifest says 1"),
    "hash": (lambda m: m["parts"][1].update(sha256="0"), "damaged", "its manifest says 0"),
    "missing": (lambda m: m["parts"].append({"name": "x", "size": 0, "sha256": ""}), "missing_part", "lacks x"),
    "unlisted": (lambda m: m["parts"].pop(1), "unlisted_part", "which its manifest does not list"),
    "cluster": (lambda m: m.update(cluster="other"), "wrong_cluster", "of the cluster other, not of test"),
    "format": (lambda m: m.update(format=2), "unknown_format", "format 2"),
    "revision": (lambda m: m["etcd"].update(revision=7), "untrue", "says revision 7, but it is"),
    "keys": (lambda m: m["etcd"].update(keys=7), "proof", f"came up with {KEYS} keys"),
    "sample": (lambda m: m["etcd"].update(sample_sha256="0"), "proof", "other records below /registry/"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_manifest_that_lies_is_found(run: Run, archive: Path, lie: str) -> None:
    change, fault, message = LIES[lie]
    rewrite(archive, change)
    result = run(backup, **verified(archive))
    assert (result["failed"], result["fault"]) == (True, fault), result
    assert message in result["msg"]
    assert os.listdir(archive.parent) == [archive.name]


def test_a_snapshot_that_fails_its_proof_is_set_aside(
    run: Run, options: dict[str, Any], archive: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(snapshot_proof, "disagreement", lambda *arguments: "came up wrong")
    metrics = tmp_path / "backup.prom"
    for _ in range(3):
        result = run(backup, **options, keep={"last": 1}, keep_bad=2, metrics_file=str(metrics))
        assert result["failed"]
        reason = "failed its proof: its snapshot came up wrong. It does not count as a backup"
        assert result["msg"] == f"{result['path']} {reason}"

    names = sorted(os.listdir(archive.parent))
    assert archive.name in names
    assert [name.endswith(".bad") for name in names].count(True) == 2
    assert len(names) == 3
    listed = run(backup_info, directory=str(archive.parent))["backups"]
    assert [item["valid"] for item in listed] == [False, False, True]
    assert 'groundwork_backup_last_run_success{cluster="test"} 0' in metrics.read_text()
    assert 'groundwork_backup_archives{cluster="test"} 1' in metrics.read_text()


def test_old_archives_are_removed_by_the_rule(run: Run, options: dict[str, Any], archive: Path) -> None:
    for day in range(1, 6):
        shutil.copy(archive, archive.with_name(f"{CLUSTER}-2026010{day}T000000Z-{UID[:8]}.tar"))
    other = archive.with_name("other-20260101T000000Z.tar")
    damaged = archive.with_name(f"{CLUSTER}-20251231T000000Z-{UID[:8]}.tar")
    shutil.copy(archive, other)
    damaged.write_bytes(b"")

    result = run(backup, **options, keep={"last": 2, "monthly": 2})

    left = sorted(os.listdir(archive.parent))
    assert result["damaged"] == [f"{damaged} is empty"]
    assert {Path(path).name for path in result["kept"]} == set(left) - {other.name, damaged.name}
    assert {
        "other-20260101T000000Z.tar",
        damaged.name,
        archive.name,
        f"{CLUSTER}-20260105T000000Z-{UID[:8]}.tar",
    } <= set(left)
    assert len(result["removed"]) == 4
    assert len(left) == 5


@pytest.mark.parametrize("delay", [0.15, 0.3, 0.5, 0.7, 0.9, 1.2])
def test_a_killed_run_leaves_no_archive_and_no_process(
    run: Run, options: dict[str, Any], tmp_path: Path, delay: float
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    process = subprocess.Popen([sys.executable, "-c", RUNNER], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stdin
    process.stdin.write(json.dumps(options).encode())
    process.stdin.close()
    while not os.listdir(folder) and process.poll() is None:
        time.sleep(0.005)
    time.sleep(delay - 0.15)
    process.send_signal(signal.SIGKILL)
    if process.wait() == 0:
        pytest.skip("it was faster than the signal")

    for _ in range(100):
        if not trials(folder):
            break
        time.sleep(0.1)
    assert trials(folder) == []
    assert all(item["valid"] for item in run(backup_info, directory=str(folder))["backups"])
    result = run(backup, **options)
    assert result["changed"], result
    assert [name for name in os.listdir(folder) if name.startswith(".")] == []


def test_two_runs_exclude_each_other(run: Run, options: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    with exclusive(str(tmp_path / "backups")):
        result = run(backup, **options)
    assert "another backup is being made" in result["msg"]


def test_a_full_disk_is_foreseen(run: Run, options: dict[str, Any], small_disk: Callable[[str], Path]) -> None:
    folder = small_disk("1m")
    result = run(backup, **{**options, "directory": str(folder)})
    assert result["failed"]
    assert f"{folder} has 1.0 MiB free, but a backup of" in result["msg"]
    assert os.listdir(folder) == []


# The database has some MB; a trial restore writes 128 MB of log beside it.
@pytest.mark.parametrize("disk", ["1m restore", "24m restore", "60m restore", "4m status"])
def test_a_disk_that_fills_up_leaves_nothing(
    run: Run,
    options: dict[str, Any],
    small_disk: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    disk: str,
) -> None:
    size, prove = disk.split()
    folder = small_disk(size)
    monkeypatch.setattr(archive_creation, "require_space", lambda *arguments: None)
    result = run(backup, **{**options, "directory": str(folder), "prove": prove})
    assert result.get("failed"), result["size"]
    assert "full" in result["msg"] or "No space left" in result["msg"], result["msg"]
    assert os.listdir(folder) == []
    assert trials(folder) == []
