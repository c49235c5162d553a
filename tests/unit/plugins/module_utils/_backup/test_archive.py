"""Archives: what is in them, which are refused, and which are kept."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive import (
    archive_size,
    extract_part,
    read_archive,
    read_manifest,
    write_archive,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.errors import BackupError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.included_files import collect
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import (
    TOOL_VERSION,
    EtcdState,
    Manifest,
    Proof,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.snapshot_proof import disagreement

ROOT = Path(__file__).resolve().parents[5]
MANIFEST = Manifest(
    cluster="test",
    host="cp-1",
    created="2026-11-22T12:00:00Z",
    kubernetes_version="1.36.5",
    etcd=EtcdState("3.5.30", "https://127.0.0.1:2379", 6, 11, keys=9),
    proof=Proof("restore", passed=True, keys=9),
)


def test_the_version_is_the_collections() -> None:
    assert yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"] == TOOL_VERSION


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "kubernetes"
    (folder / "pki" / "etcd").mkdir(parents=True)
    (folder / "pki" / "ca.key").write_text("key")
    (folder / "pki" / "etcd" / "ca.crt").write_text("crt")
    (folder / "admin.conf").write_text("conf")
    return folder


@pytest.mark.parametrize(
    ("include", "files", "fault"),
    [
        (["{}/pki", "{}/*.conf", "{}/*.yaml"], ["admin.conf", "pki/ca.key", "pki/etcd/ca.crt"], ""),
        (["{}/pki/", "{}/pki/ca.key"], ["pki/ca.key", "pki/etcd/ca.crt"], ""),
        (["{}/none"], [], "include: {}/none does not exist"),
        (["etc/x"], [], "include: etc/x is not an absolute path"),
        (["{}/fifo"], [], "include: {}/fifo is neither a file nor a folder"),
        (["{}/dangling"], [], "include: {}/dangling is neither a file nor a folder"),
        (["{}/linked"], [], "include: {}/linked/inner is a link to a folder: name what it leads to instead"),
    ],
)
def test_what_is_collected(tree: Path, include: list[str], files: list[str], fault: str) -> None:
    os.mkfifo(tree / "fifo")
    (tree / "dangling").symlink_to("nowhere")
    (tree / "linked").mkdir()
    (tree / "linked" / "inner").symlink_to(tree / "pki")
    faults: list[str] = []
    found = collect([item.format(tree) for item in include], faults)
    assert found == [str(tree / name) for name in files]
    assert faults == ([fault.format(tree)] if fault else [])


@pytest.fixture
def database(tmp_path: Path, make_snapshot: Callable[..., bytes]) -> Path:
    path = tmp_path / "snapshot"
    path.write_bytes(make_snapshot())
    return path


@pytest.fixture
def archive(tmp_path: Path, tree: Path, database: Path) -> Path:
    path = tmp_path / "test-20261122T120000Z.tar"
    os.link(tree / "admin.conf", tree / "second name")
    files = collect([str(tree)], [])
    manifest = write_archive(str(path), MANIFEST, str(database), files)
    assert read_archive(str(path), "test") == read_manifest(str(path), "test") == manifest
    assert [part.size for part in manifest.parts] == [20512, 4, 3, 3, 4]
    assert path.stat().st_size <= archive_size([part.size for part in manifest.parts])
    assert path.stat().st_mode & 0o777 == 0o600
    return path


def test_long_and_foreign_names_survive(tmp_path: Path, database: Path) -> None:
    folder = tmp_path / ("x" * 120) / "ümläut"
    folder.mkdir(parents=True)
    (folder / "a key").write_text("key")
    path = tmp_path / "a.tar"
    manifest = write_archive(str(path), MANIFEST, str(database), collect([str(folder)], []))
    assert read_archive(str(path)) == manifest


def test_a_snapshot_that_was_read_before_is_the_one_in_the_archive(
    tmp_path: Path, database: Path, make_snapshot: Callable[..., bytes]
) -> None:
    path, checked = tmp_path / "a.tar", hashlib.sha256(database.read_bytes()).hexdigest()
    manifest = write_archive(str(path), MANIFEST, str(database), [], sha256=checked)
    assert read_archive(str(path)) == manifest == write_archive(f"{path}2", MANIFEST, str(database), [])

    database.write_bytes(make_snapshot(filler=b"o"))
    write_archive(f"{path}3", MANIFEST, str(database), [], sha256=checked)
    with pytest.raises(BackupError, match=f"etcd.db has SHA-256 [0-9a-f]*, its manifest says {checked}"):
        read_archive(f"{path}3")


def member(name: str, data: bytes = b"", **more: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def write(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))


def with_manifest(data: Any, *others: tuple[tarfile.TarInfo, bytes]) -> list[tuple[tarfile.TarInfo, bytes]]:
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    checksum = hashlib.sha256(text).hexdigest().encode()
    return [*others, member("manifest.json", text), member("manifest.json.sha256", checksum)]


FOREIGN = {
    "absolute": ([member("/etc/passwd", b"x")], "unsafe_member", "its member '/etc/passwd' has an absolute path"),
    "parent": ([member("a/../../b")], "unsafe_member", "'a/../../b' leads out of the archive"),
    "dot": ([member("./etcd.db")], "unsafe_member", "has an unusual path"),
    "symlink": (
        [member("a", type=tarfile.SYMTYPE, linkname="/etc/passwd")], "unsafe_member", "its member 'a' is a link",
    ),
    "hardlink": ([member("a", type=tarfile.LNKTYPE, linkname="b")], "unsafe_member", "is a link"),
    "device": ([member("a", type=tarfile.CHRTYPE)], "unsafe_member", "is not a regular file"),
    "folder": ([member("a", type=tarfile.DIRTYPE)], "unsafe_member", "is not a regular file"),
    "fifo": ([member("a", type=tarfile.FIFOTYPE)], "unsafe_member", "is not a regular file"),
    "twice": ([member("a"), member("a")], "unsafe_member", "has 'a' twice"),
    "huge manifest": ([member("manifest.json", b" " * 5_000_000)], "manifest", "of 5000000 bytes"),
    "foreign": ([member("README", b"hello")], "no_manifest", "is a tar archive, but not a backup"),
    "nothing": ([], "no_manifest", "is a tar archive, but not a backup"),
    "no checksum": ([member("manifest.json", b"{}")], "damaged", "does not have the SHA-256"),
    "no JSON": (with_manifest(b"{"), "manifest", "cannot be read"),
    "no text": (with_manifest(b"\xff"), "manifest", "cannot be read"),
    "deep": (with_manifest(b"[" * 200_000), "manifest", "cannot be read"),
    "a list": (with_manifest([]), "unknown_format", "of format None"),
    "newer": (with_manifest({"format": 2}), "unknown_format", "of format 2; this release reads 1"),
    "lacks": (with_manifest({"format": 1}), "manifest", "cannot be read: 'etcd'"),
    "types": (with_manifest({**MANIFEST.as_dict(), "cluster": 1}), "manifest", "wrong types: cluster"),
    "time": (with_manifest({**MANIFEST.as_dict(), "created": "now"}), "manifest", "cannot be read"),
    "no database": (with_manifest(MANIFEST.as_dict()), "missing_part", "lists no etcd.db"),
    "no snapshot": (
        with_manifest(
            {
                **MANIFEST.as_dict(),
                "parts": [{"name": "etcd.db", "size": 1, "sha256": hashlib.sha256(b"x").hexdigest()}],
            },
            member("etcd.db", b"x"),
        ),
        "damaged",
        "etcd.db is not an etcd snapshot",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FOREIGN)
def test_archives_that_are_refused(tmp_path: Path, case: str) -> None:
    members, fault, message = FOREIGN[case]
    path = tmp_path / "a.tar"
    write(path, *members)
    with pytest.raises(BackupError) as caught:
        read_archive(str(path))
    assert caught.value.fault == fault, caught.value
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def header(kind: bytes, size: int) -> bytes:
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_headers_that_would_fill_the_memory(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(header(kind, 2**33))
    os.truncate(path, 2**33 + 4096)  # a hole: it takes no room on the disk
    with pytest.raises(BackupError, match="a header of 8589934592 bytes") as caught:
        read_archive(str(path))
    assert caught.value.fault == "not_an_archive"


def test_headers_in_headers_without_end(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(header(tarfile.XHDTYPE, 0) * 20_000)
    with pytest.raises(BackupError, match="is not a tar archive"):
        read_archive(str(path))


def test_too_many_members(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(b"".join(tarfile.TarInfo(f"f{number}").tobuf() for number in range(10_002)))
    with pytest.raises(BackupError, match="has more than 10000 members"):
        read_archive(str(path))


def test_a_part_that_is_another_one_now(archive: Path) -> None:
    """Between two looks at it somebody may exchange the archive, where it lies in a folder of others."""
    [part] = [part for part in read_archive(str(archive)).parts if part.name.endswith("ca.key")]
    out = io.BytesIO()
    extract_part(str(archive), part, out)
    assert out.getvalue() == b"key"
    for other in (replace(part, sha256="0"), replace(part, size=2), replace(part, name="files/none")):
        with pytest.raises(BackupError, match="was changed while it was read"):
            extract_part(str(archive), other, io.BytesIO())


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "empty"),
        (b"hello", "not_an_archive"),
        (b"x" * 20_000, "not_an_archive"),
        (b"\x1f\x8b" * 900, "not_an_archive"),
    ],
)
def test_files_that_are_no_archives(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    with pytest.raises(BackupError) as caught:
        read_archive(str(path))
    assert caught.value.fault == fault


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name, fault in {"none": "missing", "fifo": "not_an_archive", ".": "not_an_archive"}.items():
        with pytest.raises(BackupError) as caught:
            read_archive(str(tmp_path / name))
        assert caught.value.fault == fault


def test_another_clusters_archive(archive: Path) -> None:
    with pytest.raises(BackupError, match=r"is a backup of the cluster test, not of other"):
        read_archive(str(archive), "other")


def test_any_flipped_byte_is_found_or_harmless(archive: Path) -> None:
    """Every 7th byte: either the archive is refused, or what is in it is the same as before."""
    good, want = archive.read_bytes(), read_archive(str(archive))
    missed = []
    for place in range(0, len(good), 7):
        archive.write_bytes(good[:place] + bytes([good[place] ^ 0x10]) + good[place + 1 :])
        try:
            assert read_archive(str(archive)) == want
        except BackupError:
            continue
        missed.append(place)
    with tarfile.open(fileobj=io.BytesIO(good)) as tar:
        covered = [range(info.offset_data, info.offset_data + info.size) for info in tar if "sha256" not in info.name]
    assert not [place for place in missed if any(place in part for part in covered)]


def test_every_shorter_archive_is_refused(archive: Path) -> None:
    good = archive.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(good)) as tar:
        end = max(-(-(info.offset_data + info.size) // 512) * 512 for info in tar)
    for length in [*range(0, end + 1024, 511), *range(0, end + 1024, 512)]:
        archive.write_bytes(good[:length])
        with pytest.raises(BackupError) as caught:
            read_archive(str(archive))
        assert caught.value.fault in ("empty", "not_an_archive", "truncated"), (length, caught.value)


@pytest.mark.parametrize(
    ("revision", "keys", "sample", "message"),
    [
        (6, 9, (3, "a"), ""),
        (5, 9, (3, "a"), "came up at revision 5, but the snapshot has 6"),
        (6, 8, (3, "a"), "came up with 8 keys, but the member that gave it had 9 at revision 6"),
        (6, 9, (3, "b"), "came up with other records below /registry/ than the member that gave it"),
        # Leases that end in it let it go on; what counts is what it had before.
        (7, 9, (3, "a"), ""),
        (6, 9, (2, "a"), "came up with other records below /registry/ than the member that gave it"),
    ],
)
def test_disagreement(revision: int, keys: int, sample: tuple[int, str], message: str) -> None:
    state = EtcdState("3.5.30", "", 6, 11, keys=9, sample_prefix="/registry/", sample_keys=3, sample_sha256="a")
    found = disagreement(state, revision, keys, *sample)
    assert found.startswith(message)
    assert bool(found) == bool(message)


def test_without_the_members_word_only_the_snapshot_counts() -> None:
    state = EtcdState("3.5.30", "", 6, 11)
    assert disagreement(state, 6, 11, 0, "x") == ""
    assert disagreement(state, 6, 12, 0, "x") == "came up with 12 keys, but the snapshot has 11"
