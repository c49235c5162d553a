"""Archives encrypted by a real age, and copied to a real sshd and a real S3-compatible store, which break in between.

No etcd is needed: the archives are made by the module's own functions. test_real_backup.py has all of it together.
"""

# ruff: noqa: D102, D103

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup import copies
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive import write_archive
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_folder import ArchiveFolder
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_names import (
    Listed,
    archive_name,
    list_archives,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.copies import Copied, Rclone
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import EtcdState, Manifest, Proof
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.owner import Owner
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.retention import Keep
from object_store import ObjectStore
from ssh_server import SshServer

START = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
KEEP = Keep(last=3)
OWNER = Owner("test", "1f0c6a52-7f3e-4f0e-9a53-0d5f3f6a2b11")
OTHER = Owner("test", "2ab4c9d0-11aa-4bbb-8ccc-d0d1d2d3d4d5")


class Host:
    """A folder of archives, and rclone's configuration."""

    def __init__(self, folder: Path, tools: Path, **remotes: dict[str, str]) -> None:
        self.archives, self.config = folder / "archives", folder / "rclone.conf"
        self.archives.mkdir()
        self.config.touch(0o600)
        self.tools = tools
        self.remotes = remotes
        self.configure(**remotes)

    def configure(self, **remotes: dict[str, str]) -> None:
        lines = []
        for name, settings in remotes.items():
            lines += [f"[{name}]", *(f"{key} = {value}" for key, value in settings.items())]
        self.config.write_text("\n".join(lines) + "\n")

    def archive(self, days: int, content: bytes = b"x" * 5000, owner: Owner = OWNER) -> Listed:
        moment, name = START - timedelta(days=days), owner.cluster
        database = self.archives.parent / "database"
        database.write_bytes(content)
        manifest = Manifest(
            name, "cp-1", moment.strftime("%Y-%m-%dT%H:%M:%SZ"), "", EtcdState("", "", 1, 1), Proof("", True),
            cluster_uid=owner.uid,
        )  # fmt: skip
        path = self.archives / archive_name(name, moment, owner.uid)
        write_archive(str(path), manifest, str(database), [])
        return next(item for item in list_archives(str(self.archives)) if item.path == str(path))

    def copy(self, target: str, keep: Keep = KEEP, owner: Owner = OWNER) -> Copied:
        """What the module does with one place."""
        os.environ["PATH"] = f"{self.tools}/usr/bin:{os.environ['PATH']}"
        with patch_module_args({}):
            rclone = Rclone(AnsibleModule(argument_spec={}), str(self.config))
        assert rclone.faults() == []
        local = [item for item, _manifest in ArchiveFolder(str(self.archives), owner).good]
        return rclone.bring(target, local, owner, keep)

    def rclone(self, *command: str) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        program = [f"{self.tools}/usr/bin/rclone", f"--config={self.config}", *command]
        return subprocess.run(program, check=True, capture_output=True, text=True, env=environment).stdout

    def there(self, target: str) -> dict[str, str]:
        """The names at the other end with their hashes."""
        lines = self.rclone("hashsum", "sha256", "--download", target).splitlines()
        return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}

    def here(self) -> dict[str, str]:
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in self.archives.iterdir()}


@pytest.fixture(params=["ssh", "s3"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, tools: Path, open_folder: Path
) -> tuple[Host, str, Callable[[], None], Callable[[], None]]:
    """A host, the place it copies to, and how that place breaks and is repaired."""
    if request.param == "ssh":
        server: SshServer = request.getfixturevalue("ssh")
        host = Host(tmp_path, tools, offsite=server.settings())
        return host, f"offsite:{server.store}/clusters", server.stop, server.start
    store: ObjectStore = request.getfixturevalue("store")
    host = Host(tmp_path, tools, offsite=store.settings)
    bucket = "b" + hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]

    def repair() -> None:
        for kind in ("account", "container", "object", "proxy"):
            store.start(kind)
        store.await_start()

    return host, f"offsite:{bucket}/clusters", store.stop, repair


Place = tuple[Host, str, Callable[[], None], Callable[[], None]]


def test_archives_are_copied_kept_and_removed(place: Place) -> None:
    host, target, _stop, _start = place
    for days in (3, 2, 1):
        host.archive(days)
    other = host.archive(9, owner=Owner("other", OWNER.uid))
    bad = host.archives / "test-20261120T000000Z-1f0c6a52.tar.bad"
    bad.write_bytes(b"bad")

    first = host.copy(target)
    assert (first.ok, first.error) == (True, "")
    assert first.copied == sorted(first.copied, reverse=True)
    expected = {name: digest for name, digest in host.here().items() if name not in (other.name, bad.name)}
    assert host.there(target) == expected
    assert len(expected) == 3
    again = host.copy(target)
    assert (again.ok, again.copied, again.removed) == (True, [], [])

    # One that is gone from the host stays as a copy as long as the rule keeps it; the oldest one goes.
    newest = host.archive(0)
    oldest = "test-20261119T120000Z-1f0c6a52.tar"
    os.unlink(host.archives / oldest)
    os.unlink(host.archives / "test-20261120T120000Z-1f0c6a52.tar")
    last = host.copy(target)
    assert (last.ok, last.copied, last.removed) == (True, [newest.name], [oldest])
    assert sorted(host.there(target)) == [
        "test-20261120T120000Z-1f0c6a52.tar",
        "test-20261121T120000Z-1f0c6a52.tar",
        newest.name,
    ]


def test_two_clusters_with_one_name_and_one_place(place: Place) -> None:
    """Their archives lie in one folder on the host and in one at the other end; each keeps its own, by its own rule."""
    host, target, _stop, _start = place
    nobody = Owner("test")
    for days in (5, 4, 3):
        host.archive(days)
        host.archive(days, content=b"y" * 7000, owner=OTHER)  # made in the same seconds
    old = host.archive(9, owner=nobody)
    assert host.copy(target).ok
    assert host.copy(target, owner=OTHER).ok
    host.rclone("copyto", old.path, f"{target}/{old.name}")
    part = f"test-20260101T000000Z-{OTHER.uid[:8]}.tar.part"
    stale = host.archives.parent / "stale"
    stale.write_text("half of it")
    os.utime(stale, (0, 0))
    host.rclone("copyto", str(stale), f"{target}/{part}")
    theirs = {name: digest for name, digest in host.there(target).items() if OTHER.uid[:8] in name}
    assert (len(theirs), len(host.there(target))) == (4, 8)

    host.archive(1)
    last = host.copy(target, Keep(last=1))

    mine = archive_name("test", START - timedelta(days=1), OWNER.uid)
    assert (last.ok, last.copied, len(last.removed), last.unidentified) == (True, [mine], 3, [old.name])
    left = host.there(target)
    assert set(left) == {*theirs, old.name, mine}
    assert {name: left[name] for name in theirs} == theirs
    # The second one is not disturbed by what the first one did, and goes by its own rule.
    assert (host.copy(target, owner=OTHER).copied, host.there(target).keys() >= {mine}) == ([], True)
    # What carries no identity is adopted only by one who is told.
    adopted = host.copy(target, Keep(last=1), owner=replace(OWNER, adopt=True))
    assert (adopted.removed, adopted.unidentified) == ([old.name], [])


def test_a_place_that_is_gone_is_an_error_and_is_caught_up_with(place: Place) -> None:
    host, target, stop, start = place
    host.archive(2)
    assert host.copy(target).ok
    stop()
    host.archive(1)
    before = host.here()
    failed = host.copy(target)
    start()

    assert not failed.ok
    assert "cannot be listed" in failed.error
    assert host.here() == before
    host.archive(0)
    assert host.copy(target).ok
    assert host.there(target) == host.here()


def test_what_a_killed_run_left_does_not_count(place: Place) -> None:
    host, target, _stop, _start = place
    item = host.archive(1)
    half = host.archives.parent / "half"
    half.write_bytes(Path(item.path).read_bytes()[:3000])
    os.utime(half, (0, 0))
    host.rclone("copyto", str(half), f"{target}/{item.name}.part")
    host.rclone("copyto", str(half), f"{target}/test-20260101T000000Z-1f0c6a52.tar.part")
    host.rclone("copyto", str(half), f"{target}/somebody-elses.part")

    assert host.copy(target).ok
    assert set(host.there(target)) == {item.name, "somebody-elses.part"}
    assert host.there(target)[item.name] == host.here()[item.name]


def test_a_copy_of_another_size_is_made_again(place: Place) -> None:
    host, target, _stop, _start = place
    item = host.archive(1)
    half = host.archives.parent / "half"
    half.write_bytes(b"short")
    host.rclone("copyto", str(half), f"{target}/{item.name}")
    assert host.copy(target).copied == [item.name]
    assert host.there(target) == host.here()


def test_a_copy_that_comes_back_different_does_not_get_its_name(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    host, target, _stop, _start = place
    item = host.archive(1)
    true = copies.file_sha256
    monkeypatch.setattr(copies, "file_sha256", lambda path: "0" * 64)

    failed = host.copy(target)

    assert not failed.ok
    assert "was sent: the copy does not count" in failed.error
    assert true(item.path) in failed.error
    assert list(host.there(target)) == [f"{item.name}.part"]


def test_a_large_archive(place: Place) -> None:
    """Larger than rclone sends to an object store in one piece."""
    host, target, _stop, _start = place
    item = host.archive(0, content=os.urandom(1024 * 1024) * 220)
    assert host.copy(target).copied == [item.name]
    assert host.there(target) == host.here()


def test_another_host_key_is_refused(tmp_path: Path, tools: Path, ssh: SshServer) -> None:
    host = Host(tmp_path, tools, offsite=ssh.settings(host_key="other_key"))
    host.archive(0)
    failed = host.copy(f"offsite:{ssh.store}")
    assert not failed.ok
    assert "key mismatch" in failed.error
    assert list(ssh.store.iterdir()) == []


def test_another_key_is_refused(tmp_path: Path, tools: Path, ssh: SshServer) -> None:
    host = Host(tmp_path, tools, offsite=ssh.settings(key="other_key"))
    host.archive(0)
    failed = host.copy(f"offsite:{ssh.store}")
    assert "unable to authenticate" in failed.error


def test_wrong_secrets_are_refused(tmp_path: Path, tools: Path, store: ObjectStore) -> None:
    host = Host(tmp_path, tools, offsite={**store.settings, "secret_access_key": "wrong"})
    host.archive(0)
    failed = host.copy("offsite:bucket/x")
    assert not failed.ok
    assert "SignatureDoesNotMatch" in failed.error
    assert "wrong" not in failed.error


def test_a_full_disk_at_the_other_end(
    tmp_path: Path, tools: Path, ssh: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=1777", "tmpfs", ssh.store], check=False).returncode:
        pytest.skip("mounting a tmpfs is not allowed here")
    ssh.stop()
    ssh.start()  # it has a mount namespace of its own
    try:
        host = Host(tmp_path, tools, offsite=ssh.settings())
        host.archive(0, content=os.urandom(3 * 1024 * 1024))
        foreseen = host.copy(f"offsite:{ssh.store}")
        monkeypatch.setattr(Rclone, "free", lambda *_arguments: None)
        failed = host.copy(f"offsite:{ssh.store}")
        left = [path.name for path in ssh.store.iterdir() if path.suffix == ".tar"]
    finally:
        ssh.stop()
        subprocess.run(["umount", ssh.store], check=True)
    assert (foreseen.ok, failed.ok, left) == (False, False, [])
    assert "MiB free, but" in foreseen.error, foreseen.error
    assert "failed with exit code" in failed.error


def test_secrets_are_not_for_everybody(tmp_path: Path, tools: Path) -> None:
    host = Host(tmp_path, tools)
    host.config.chmod(0o644)
    with patch_module_args({}):
        rclone = Rclone(AnsibleModule(argument_spec={}), str(host.config))
    assert any("can be read by others" in fault for fault in rclone.faults())
