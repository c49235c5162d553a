"""Restores of real etcd clusters: every key compared, interrupted anywhere, undone, and refused where it must be.

GROUNDWORK_ETCD_DIR names the folder with the binaries: etcd, etcdctl and, from 3.5 on, etcdutl.
"""

# ruff: noqa: D102, D103

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
from types import ModuleType
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup import restore_steps
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import staging
from ansible_collections.groundwork.kubernetes.plugins.modules import backup, restore, restore_info
from real_etcd import BINARIES, COLLECTIONS, Cluster, Member, Run, needs_etcd

pytestmark = needs_etcd
KEYS = 20_000
CLUSTER = "test"
ID = "20261122T081500Z"
BUMP = 1_000_000_000
# A module in a process of its own that is killed at the n-th call of one of the system's functions.
RUNNER = f"""
import json, os, signal, sys
sys.path.insert(0, {str(COLLECTIONS)!r})
from ansible.module_utils.testing import patch_module_args
from ansible_collections.groundwork.kubernetes.plugins.modules import restore
name, number, options = sys.argv[1], int(sys.argv[2]), json.load(sys.stdin)
real, calls = getattr(os, name), 0
def counted(*arguments, **more):
    global calls
    calls += 1
    if calls == number:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **more)
setattr(os, name, counted)
with patch_module_args(options):
    restore.main()
"""


class Scene:
    """A cluster, a backup of it, and changes since then."""

    def __init__(self, cluster: Cluster, archive: Path, before: dict[str, str], signer: str) -> None:
        self.cluster, self.archive, self.before, self.signer = cluster, archive, before, signer

    def options(self, member: Member, state: str, **more: Any) -> dict[str, Any]:
        return {
            "state": state, "id": ID, "path": str(self.archive), "cluster": CLUSTER, "bin_dir": str(BINARIES),
            "data_dir": str(member.data), "name": member.name,
            "initial_cluster": {one.name: [one.peer] for one in self.cluster.members}, "endpoints": [member.client],
            "journal": str(self.cluster.folder / f"{member.name}.json"), "trusted_signers": [self.signer], **more,
        }  # fmt: skip

    def all(self, run: Run, state: str, **more: Any) -> list[dict[str, Any]]:
        results = [run(restore, **self.options(member, state, **more)) for member in self.cluster.members]
        assert not [result for result in results if result.get("failed")], results
        return results

    def journal(self, member: Member) -> dict[str, Any]:
        result: dict[str, Any] = json.loads((self.cluster.folder / f"{member.name}.json").read_text())
        return result


def make_scene(folder: Path, run: Run, count: int, keys: int = KEYS) -> Scene:
    cluster = Cluster(folder, count, "--initial-cluster-token=first")
    first = cluster.members[0]
    first.fill(keys)
    first.ctl("put", "/registry/pods/000001", "changed")
    first.ctl("del", "/registry/pods/000002")
    before = first.records()
    made = run(
        backup, bin_dir=str(BINARIES), endpoints=[first.client], directory=str(folder / "backups"), cluster=CLUSTER,
        include=[], signing_key=str(folder / "signing" / "key"),
    )  # fmt: skip
    assert made.get("changed"), made
    first.ctl("put", "/registry/pods/000003", "after the backup")
    first.ctl("put", "/registry/late", "after the backup")
    first.ctl("del", "/registry/pods/000005")
    return Scene(cluster, Path(made["path"]), before, made["signer"])


@pytest.fixture
def small(tmp_path: Path, run: Run) -> Iterator[Scene]:
    """One member with a few keys, for what has nothing to do with their number."""
    scene = make_scene(tmp_path, run, 1, keys=500)
    yield scene
    scene.cluster.stop()


@pytest.fixture(params=[1, 3], ids=["1-member", "3-members"])
def scene(request: pytest.FixtureRequest, tmp_path: Path, run: Run) -> Iterator[Scene]:
    made = make_scene(tmp_path, run, request.param)
    yield made
    made.cluster.stop()


def can_bump() -> bool:
    return (BINARIES / "etcdutl").exists()


def test_every_key_is_back(scene: Scene, run: Run) -> None:
    cluster = scene.cluster
    lived = cluster.members[0].records()
    assert lived != scene.before
    [first, *_others] = scene.all(run, "staged")
    assert first["bumps_revision"] is can_bump()
    assert first["changed"]
    assert [result["changed"] for result in scene.all(run, "staged")] == [False] * len(cluster.members)
    assert cluster.members[0].records() == lived  # it still runs

    cluster.stop()
    assert all(result["changed"] for result in scene.all(run, "switched"))
    assert not any(result["changed"] for result in scene.all(run, "switched"))
    cluster.start()
    scene.all(run, "proven")
    scene.all(run, "finished")

    for member in cluster.members:
        assert member.records() == scene.before
        status = json.loads(member.ctl("endpoint", "status", "--write-out=json").stdout)[0]["Status"]
        assert status["header"]["revision"] > (BUMP if can_bump() else 0)
        old = member.data / f"before-restore-{ID}" / "member"
        assert (old / "snap" / "db").is_file()
        assert stat.S_IMODE(old.parent.stat().st_mode) == 0o700
        assert sorted(os.listdir(member.data)) == [f"before-restore-{ID}", "member"]
    if can_bump():
        # A watch from before is told that it missed something, and does not wait for ever.
        answer = cluster.members[0].ctl("get", "/registry/late", "--rev=100", check=False)
        assert "has been compacted" in answer.stderr

    cluster.stop()
    scene.all(run, "rolled_back")
    cluster.start()
    for member in cluster.members:
        assert member.records() == lived
        assert os.listdir(member.data) == ["member"]


def test_a_member_that_lost_its_data_is_restored(small: Scene, run: Run) -> None:
    small.cluster.stop()
    [member] = small.cluster.members
    shutil.rmtree(member.data)
    for state in ("staged", "switched"):
        small.all(run, state)
    small.cluster.start()
    small.all(run, "proven")
    assert member.records() == small.before
    small.cluster.stop()
    result = run(restore, **small.options(member, "rolled_back"))
    assert (result["failed"], result["fault"]) == (True, "nothing_to_go_back_to")
    small.cluster.start()
    small.all(run, "finished", keep_old=False)
    assert os.listdir(member.data) == ["member"]


def test_old_data_goes_when_it_is_not_to_stay(small: Scene, run: Run) -> None:
    small.all(run, "staged")
    small.cluster.stop()
    small.all(run, "switched")
    small.cluster.start()
    small.all(run, "proven")
    assert small.all(run, "finished", keep_old=False)[0]["changed"]
    assert not small.all(run, "finished", keep_old=False)[0]["changed"]
    assert os.listdir(small.cluster.members[0].data) == ["member"]


def test_data_that_is_open_is_not_touched(small: Scene, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restore_steps, "LOCK_SECONDS", 0.0)
    small.all(run, "staged")
    [member] = small.cluster.members
    result = run(restore, **small.options(member, "switched"))
    assert (result["failed"], result["fault"]) == (True, "in_use"), result
    assert member.records()["L3JlZ2lzdHJ5L2xhdGU="]
    assert small.journal(member)["stage"] == "staged"
    # What was only staged can be undone while it runs.
    assert run(restore, **small.options(member, "rolled_back"))["changed"]
    assert os.listdir(member.data) == ["member"]


def test_check_mode_changes_nothing(small: Scene, run: Run) -> None:
    [member] = small.cluster.members
    for state in ("staged", "switched", "proven", "finished"):
        result = run(restore, **small.options(member, state), _ansible_check_mode=True, _ansible_diff=True)
        assert result["changed"], result
        assert result["diff"]["after"]["stage"] == state
    assert os.listdir(member.data) == ["member"]
    assert not list(small.cluster.folder.glob("*.json"))


def count_calls(scene: Scene, member: Member, state: str, name: str) -> int:
    """How often a state calls one of the system's functions that change something."""
    tracer = RUNNER.replace("restore.main()", "\n    try:\n        restore.main()\n    finally:\n        print(calls)")
    done = subprocess.run(
        [sys.executable, "-c", tracer, name, "0"], input=json.dumps(scene.options(member, state)), check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return int(done.stdout.splitlines()[-1])


def killed(scene: Scene, member: Member, state: str, name: str, number: int) -> bool:
    """Run a state that is killed on its way; whether it was."""
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, name, str(number)], input=json.dumps(scene.options(member, state)), check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("function", ["rename", "mkdir", "replace", "fsync"])
@pytest.mark.parametrize("undo", [False, True], ids=["goes-on", "goes-back"])
def test_killed_anywhere_it_goes_on_or_back(small: Scene, run: Run, function: str, undo: bool) -> None:
    """A kill before each call that changes the disk; then the same is run again to its end, or undone."""
    [member] = small.cluster.members
    lived = member.records()
    done = 0
    for state in ("staged", "switched"):
        number = 1
        while number < 20:
            if killed(small, member, state, function, number):
                done += 1
            else:
                break
            # Whatever it left, a second run puts right.
            if undo:
                small.cluster.stop()
                small.all(run, "rolled_back")
                assert os.listdir(member.data) == ["member"], (state, number)
                small.cluster.start()
                assert member.records() == lived, (state, number)
                if state == "switched":
                    small.all(run, "staged")
                    small.cluster.stop()
            number += 1
        small.all(run, state)
        small.cluster.stop()
    small.cluster.start()
    small.all(run, "proven")
    assert member.records() == small.before
    assert done > 0
    small.cluster.stop()
    while killed(small, member, "rolled_back", function, 1):
        small.all(run, "rolled_back")
    small.all(run, "rolled_back")
    small.cluster.start()
    assert member.records() == lived
    assert os.listdir(member.data) == ["member"]


@pytest.mark.parametrize("delay", [0.05, 0.15, 0.3, 0.6])
def test_killed_at_some_time_it_goes_on(scene_one: Scene, run: Run, delay: float) -> None:
    [member] = scene_one.cluster.members
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER, "rename", "0"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdin
    process.stdin.write(json.dumps(scene_one.options(member, "staged")).encode())
    process.stdin.close()
    while len(os.listdir(member.data)) == 1 and process.poll() is None:
        time.sleep(0.005)
    time.sleep(delay)
    process.kill()
    process.wait()
    scene_one.all(run, "staged")
    scene_one.cluster.stop()
    scene_one.all(run, "switched")
    scene_one.cluster.start()
    scene_one.all(run, "proven")
    assert member.records() == scene_one.before


@pytest.fixture
def scene_one(tmp_path: Path, run: Run) -> Iterator[Scene]:
    made = make_scene(tmp_path, run, 1)
    yield made
    made.cluster.stop()


def test_stray_data_is_not_overwritten(small: Scene, run: Run) -> None:
    """etcd started between the two steps of the switch, on an empty folder."""
    [member] = small.cluster.members
    small.all(run, "staged")
    small.cluster.stop()
    assert killed(small, member, "switched", "rename", 2)
    assert not (member.data / "member").exists()
    small.cluster.start()
    assert member.records() == {}
    small.cluster.stop()
    result = run(restore, **small.options(member, "switched"))
    assert (result["failed"], result["fault"]) == (True, "stray"), result
    shutil.rmtree(member.data / "member")
    small.all(run, "switched")
    small.cluster.start()
    assert member.records() == small.before


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest of an archive, with a right checksum."""
    with tarfile.open(path) as tar:
        content = {member.name: (tar.extractfile(member) or io.BytesIO()).read() for member in tar}
    manifest = json.loads(content["manifest.json"])
    change(manifest)
    content["manifest.json"] = json.dumps(manifest).encode()
    content["manifest.json.sha256"] = hashlib.sha256(content["manifest.json"]).hexdigest().encode()
    write_tar(path, content)


def write_tar(path: Path, content: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def flip(part: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with tarfile.open(path) as tar:
            info = tar.getmember(part)
        data = bytearray(path.read_bytes())
        data[info.offset_data + info.size // 2] ^= 1
        path.write_bytes(bytes(data))

    return change


def cut_the_last_byte(path: Path) -> None:
    """What follows the last file is padding, of a length that depends on the files before it."""
    with tarfile.open(path) as tar:
        last = tar.getmembers()[-1]
    os.truncate(path, last.offset_data + last.size - 1)


def say(**etcd: Any) -> Callable[[Path], None]:
    return lambda path: rewrite(path, lambda manifest: manifest["etcd"].update(etcd))


BAD_ARCHIVES: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "missing": (lambda path: path.unlink(), "missing", "does not exist"),
    "empty": (lambda path: path.write_bytes(b""), "empty", "is empty"),
    "noise": (lambda path: path.write_bytes(os.urandom(20_000)), "not_an_archive", "is not a tar archive"),
    "cut in the middle": (lambda path: os.truncate(path, path.stat().st_size // 2), "truncated", "is truncated"),
    "cut at the end": (cut_the_last_byte, "truncated", "is truncated"),
    "a byte of the snapshot": (flip("etcd.db"), "damaged", "etcd.db has SHA-256"),
    "a byte of the manifest": (flip("manifest.json"), "damaged", "does not have the SHA-256"),
    "a byte of the checksum": (
        lambda path: path.write_bytes(path.read_bytes().replace(b"  manifest.json\n", b"0 manifest.json\n")),
        "damaged", "does not have the SHA-256",
    ),
    "a header": (lambda path: path.write_bytes(b"X" * 9 + path.read_bytes()[9:]), "not_an_archive", "is not a tar"),
    "foreign, with ../": (
        lambda path: write_tar(path, {"../../etc/cron.d/x": b"evil"}), "unsafe_member", "leads out of the archive",
    ),
    "foreign, absolute": (lambda path: write_tar(path, {"/etc/x": b"evil"}), "unsafe_member", "absolute path"),
    "foreign": (lambda path: write_tar(path, {"some": b"file"}), "no_manifest", "not a backup"),
    "another cluster's": (
        lambda path: rewrite(path, lambda manifest: manifest.update(cluster="other")),
        "wrong_cluster", "of the cluster other, not of test",
    ),
    "sizes that lie": (
        lambda path: rewrite(path, lambda manifest: manifest["parts"][0].update(size=10**15)),
        "wrong_size", "but its manifest says 1000000000000000",
    ),
    "a format to come": (
        lambda path: rewrite(path, lambda manifest: manifest.update(format=9)), "unknown_format", "format 9",
    ),
    "failed its proof": (
        lambda path: rewrite(path, lambda manifest: manifest["proof"].update(passed=False, reason="failed its proof")),
        "proof", "failed its proof",
    ),
    "too old an etcd": (say(version="3.3.27"), "version", "made with etcd 3.3.27, but 3.4 to 3.7 can be restored"),
    "too new an etcd": (say(version="3.8.0"), "version", "made with etcd 3.8.0, but 3.4 to 3.7 can be restored"),
    "a newer etcd": (say(version="3.7.1"), "version", "which the older etcd"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_ARCHIVES)
@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_bad_archives_are_refused_and_nothing_changes(small_once: Scene, run: Run, case: str, check: bool) -> None:
    change, fault, message = BAD_ARCHIVES[case]
    [member] = small_once.cluster.members
    bad = small_once.archive.with_name("bad.tar")
    shutil.copy(small_once.archive, bad)
    change(bad)
    options = {**small_once.options(member, "staged"), "path": str(bad), "allow_unverified": True}
    result = run(restore, **options, _ansible_check_mode=check)
    bad.unlink(missing_ok=True)
    assert result.get("failed"), result
    assert result["fault"] == fault, result
    assert message in result["msg"]
    assert os.listdir(member.data) == ["member"]
    assert not list(small_once.cluster.folder.glob("*.json"))


def unsigned(archive: Path) -> Path:
    Path(f"{archive}.sig").unlink()
    return archive


def other_content(archive: Path) -> Path:
    rewrite(archive, lambda manifest: manifest.update(host="evil"))
    return archive


def renamed(archive: Path) -> Path:
    """Given out as a newer one."""
    newer = archive.with_name("test-20300101T000000Z.tar")
    archive.rename(newer)
    Path(f"{archive}.sig").rename(f"{newer}.sig")
    return newer


FORGED: dict[str, tuple[Callable[[Path], Path], dict[str, Any], str, str]] = {
    "not signed": (unsigned, {}, "unverified", "is not signed, so that it is not known who made it"),
    "by a key that nobody trusts": (
        lambda archive: archive, {"trusted_signers": []}, "unverified", "which is not among those that are trusted",
    ),
    "another content": (
        other_content, {"allow_unverified": True}, "signature", "has another manifest than the archive that was signed",
    ),
    "renamed": (renamed, {"allow_unverified": True}, "signature", "has the signature of another archive, test-2"),
}  # fmt: skip


@pytest.mark.parametrize("case", FORGED)
def test_forged_archives_are_refused_and_nothing_changes(
    small_once: Scene, run: Run, tmp_path: Path, case: str
) -> None:
    change, more, fault, message = FORGED[case]
    [member] = small_once.cluster.members
    for end in ("", ".sig"):
        shutil.copy(f"{small_once.archive}{end}", tmp_path)
    forged = change(tmp_path / small_once.archive.name)
    result = run(restore, **{**small_once.options(member, "staged"), "path": str(forged), **more})
    assert (result.get("failed"), result.get("fault")) == (True, fault), result
    assert message in result["msg"]
    assert os.listdir(member.data) == ["member"]
    assert not list(small_once.cluster.folder.glob("*.json"))


@pytest.fixture(scope="module")
def small_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    def own_run(module: ModuleType, **options: Any) -> dict[str, Any]:
        program = RUNNER.replace("modules import restore", "modules import backup").replace(
            "restore.main", "backup.main"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, "rename", "0"], input=json.dumps(options), check=False,
            capture_output=True, text=True,
        )  # fmt: skip
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result

    made = make_scene(tmp_path_factory.mktemp("small"), own_run, 1, keys=500)
    yield made
    made.cluster.stop()


def test_another_archive_than_the_one_meant_is_refused(small: Scene, run: Run) -> None:
    [member] = small.cluster.members
    result = run(restore, **small.options(member, "staged", identity="0" * 16))
    assert (result["failed"], result["fault"]) == (True, "identity")
    assert os.listdir(member.data) == ["member"]


@pytest.mark.parametrize("case", ["1m foreseen", "40m foreseen", "1m", "16m", "40m"])
def test_a_full_disk_touches_nothing(
    scene_one: Scene, run: Run, small_disk: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """The data directory is a mount point of its own, with data, and no room beside it."""
    size, _space, foreseen = case.partition(" ")
    if not foreseen:
        monkeypatch.setattr(restore_steps, "require_space", lambda *arguments: None)
    disk = small_disk(size)
    (disk / "member").mkdir()
    (disk / "member" / "marker").write_text("the old data")
    [member] = scene_one.cluster.members
    result = run(restore, **{**scene_one.options(member, "staged"), "data_dir": str(disk)})
    assert result.get("failed"), result
    assert (f"{disk} has" if foreseen else "became full") in result["msg"], result["msg"]
    assert os.listdir(disk) == ["member"]
    assert (disk / "member" / "marker").read_text() == "the old data"


def test_a_mount_point_is_restored(small: Scene, run: Run, small_disk: Callable[[str], Path]) -> None:
    disk = small_disk("400m")
    [member] = small.cluster.members
    small.cluster.stop()
    shutil.copytree(member.data / "member", disk / "member")
    member.data = disk
    small.cluster.start()
    small.all(run, "staged")
    small.cluster.stop()
    small.all(run, "switched")
    small.cluster.start()
    small.all(run, "proven")
    assert member.records() == small.before
    small.cluster.stop()


def test_info_tells_what_there_is(small: Scene, run: Run) -> None:
    [member] = small.cluster.members
    options = {
        "cluster": CLUSTER, "bin_dir": str(BINARIES), "data_dir": str(member.data), "name": member.name,
        "peer_urls": [member.peer], "endpoints": [member.client], "directories": [str(small.archive.parent)],
        "archive": str(small.archive), "manifests": str(small.cluster.folder),
        "aside": str(small.cluster.folder / "no"),
        "journal": str(small.cluster.folder / f"{member.name}.json"),
    }  # fmt: skip
    found = run(restore_info, **options)
    assert (found["member"]["kind"], found["data"]["in_use"], found["live"]["healthy"]) == ("external", True, True)
    [listed] = found["archives"]
    assert listed["path"] == found["archive"]["path"] == str(small.archive)
    assert found["live"]["revision"] > listed["etcd"]["revision"]
    assert found["journal"] == {}
    small.all(run, "staged")
    small.cluster.stop()
    found = run(restore_info, **options)
    assert (found["journal"]["stage"], found["journal"]["identity"]) == ("staged", listed["identity"])
    assert (found["live"]["healthy"], found["data"]["in_use"]) == (False, False)
    assert staging.is_empty("/nowhere")
