# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup: one tar archive with etcd's snapshot, files of the host, and at its end a manifest of it all.

The manifest comes last, so that everything is read once and hashed while it is written. It is followed by its own
SHA-256 in the form of sha256sum. All members are regular files with relative names; whatever else an archive holds,
it is none of ours. An archive is not compressed: it can be read from the middle, and wrapped whole, for example for
encryption, without a change of what is inside. An encrypted one is described by a file beside it (age.py).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import tarfile
from dataclasses import dataclass
from typing import IO, Any, BinaryIO, Dict, Optional, Sequence, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.errors import BackupError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import (
    Manifest,
    Part,
    manifest_text,
    parse_manifest,
    parse_time,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.snapshot import SnapshotError, check_stream

MANIFEST = "manifest.json"
CHECKSUM = "manifest.json.sha256"
DATABASE = "etcd.db"
FILES = "files"
CHUNK = 1024 * 1024
MANIFEST_LIMIT = 4 * 1024 * 1024
HEADER_LIMIT = 64 * 1024
MEMBER_LIMIT = 10_000


class _Hashing:
    """A file that is hashed while it is read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream, self.digest = stream, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """As of any file."""
        data = self.stream.read(size)
        self.digest.update(data)
        return data


def write_archive(
    path: str,
    manifest: Manifest,
    database: str,
    files: Sequence[str],
    extra: Sequence[Tuple[str, bytes]] = (),
    *,
    sha256: str = "",
) -> Manifest:
    """Write an archive with the parts, and return the manifest with them.

    Args:
        path: the archive.
        manifest: all but the parts.
        database: the snapshot file.
        files: absolute paths of the files of the host.
        extra: paths and contents of files that are not on the host.
        sha256: of the snapshot file, where it was read before. It is not hashed again then: what is read back from the
            archive must have it.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w+b") as stream:
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
            tar.copybufsize = CHUNK  # type: ignore[attr-defined]  # typeshed lacks it
            parts = [_add_file(tar, database, DATABASE, sha256)]
            parts += [_add_file(tar, source, FILES + source) for source in files]
            parts += [_add_text(tar, FILES + name, content, manifest) for name, content in extra]
            whole = Manifest(**{**manifest.__dict__, "parts": parts})
            text = manifest_text(whole)
            _add_text(tar, MANIFEST, text, manifest)
            _add_text(tar, CHECKSUM, f"{hashlib.sha256(text).hexdigest()}  {MANIFEST}\n".encode(), manifest)
        stream.flush()
        os.fsync(stream.fileno())
        # What is read back next shall come from the disk.
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return whole


def _add_file(tar: tarfile.TarFile, source: str, name: str, sha256: str = "") -> Part:
    with open(source, "rb") as stream:
        info = tar.gettarinfo(arcname=name, fileobj=stream)
        if info.islnk():  # tarfile makes a link of a second name for the same file
            info.type, info.linkname = tarfile.REGTYPE, ""
            info.size = os.fstat(stream.fileno()).st_size
        info.mtime = int(info.mtime)
        if sha256:
            tar.addfile(info, stream)
            return Part(name, info.size, sha256)
        hashing = _Hashing(stream)
        tar.addfile(info, hashing)
        return Part(name, info.size, hashing.digest.hexdigest())


def _add_text(tar: tarfile.TarFile, name: str, text: bytes, manifest: Manifest) -> Part:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(text), 0o600
    info.mtime = int(parse_time(manifest.created).timestamp())
    tar.addfile(info, io.BytesIO(text))
    return Part(name, len(text), hashlib.sha256(text).hexdigest())


def archive_size(sizes: Sequence[int]) -> int:
    """About how many bytes an archive of such parts has, never less than it will have."""
    members = sum(-(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE + 4 * tarfile.BLOCKSIZE for size in sizes)
    return members + 512 * len(sizes) + 64 * 1024


@dataclass(frozen=True)
class Examined:
    """A manifest, and the SHA-256 of its text, by which an archive is signed."""

    manifest: Manifest
    sha256: str


def examine(path: str, cluster: str = "", quick: bool = False, database: str = "") -> Examined:
    """Prove that an archive is whole, and is what its manifest says.

    Args:
        path: the archive.
        cluster: whose it must be; empty for anybody's.
        quick: do not read the parts' bytes, but look at their sizes and the manifest's own hash.
        database: a file that the snapshot is written to while it is read. The caller proves it there: of the snapshot
            only what the manifest says is compared.

    Raises:
        BackupError: with the fault that was found. The file is there then, and must not be used.
    """
    with _open(path) as stream:
        reader = _Reader(path, stream, quick, database)
        manifest = reader.read(cluster)
        return Examined(manifest, hashlib.sha256(reader.text[MANIFEST]).hexdigest())


def read_archive(path: str, cluster: str = "") -> Manifest:
    """The manifest of an archive that is whole."""
    return examine(path, cluster).manifest


def read_manifest(path: str, cluster: str = "") -> Manifest:
    """The manifest of an archive whose bytes are not read."""
    return examine(path, cluster, quick=True).manifest


def extract_part(path: str, part: Part, out: BinaryIO) -> None:
    """Write a part of an archive to a stream, and compare once more what its manifest says: it may have changed since.

    Raises:
        BackupError: if it is another one.
    """
    digest, size = hashlib.sha256(), 0
    with _open(path) as stream, tarfile.open(fileobj=stream, mode="r:", tarinfo=_Header) as tar:
        info = next((info for info in iter(tar.next, None) if info.name == part.name), None)
        content = tar.extractfile(info) if info and not unsafe(info) and info.size == part.size else None
        for chunk in iter(lambda: content.read(CHUNK) if content else b"", b""):
            digest.update(chunk)
            size += len(chunk)
            out.write(chunk)
    if (size, digest.hexdigest()) != (part.size, part.sha256):
        raise BackupError("damaged", f"{path} was changed while it was read: {part.name} is another one now")


def extract_database(path: str, manifest: Manifest, target: str) -> None:
    """Write the snapshot of an archive to a file of its own."""
    part = next(part for part in manifest.parts if part.name == DATABASE)
    with new_file(target) as out:
        extract_part(path, part, out)


def new_file(path: str) -> BinaryIO:
    """A file that was not there before, for root alone."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def copy_hashed(content: IO[bytes], out: Optional[BinaryIO]) -> str:
    """The SHA-256 of what is left of a file, which is written to another one meanwhile, if there is one."""
    digest = hashlib.sha256()
    for chunk in iter(lambda: content.read(CHUNK), b""):
        digest.update(chunk)
        if out:
            out.write(chunk)
    return digest.hexdigest()


def _open(path: str) -> BinaryIO:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise BackupError("missing", f"{path} does not exist") from error
    stream = os.fdopen(handle, "rb") if stat.S_ISREG(os.fstat(handle).st_mode) else None
    if stream is None:
        os.close(handle)
        raise BackupError("not_an_archive", f"{path} is not a file")
    return stream


def unsafe(info: tarfile.TarInfo) -> str:
    """Why a member has no place in a backup, or nothing."""
    reasons = {
        "is a link": info.issym() or info.islnk(),
        "is not a regular file": not info.isreg() or info.sparse is not None,
        "has a negative size": info.size < 0,
        "has an absolute path": info.name.startswith("/"),
        "leads out of the archive": ".." in info.name.split("/"),
        "has an unusual path": os.path.normpath(info.name) != info.name or "\0" in info.name,
    }
    return next((reason for reason, applies in reasons.items() if applies), "")


class _Header(tarfile.TarInfo):
    """A member whose header cannot be larger than any that is needed: tarfile holds it in memory."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> _Header:
        """A member from the block that begins it."""
        found = super().frombuf(buf, encoding, errors)
        if found.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) and found.size > HEADER_LIMIT:
            raise tarfile.ReadError(f"a header of {found.size} bytes")
        return found


class _Reader:
    """One pass over an archive."""

    def __init__(self, path: str, stream: BinaryIO, quick: bool, database: str) -> None:
        self.path, self.stream, self.quick, self.database = path, stream, quick, database
        self.size = os.fstat(stream.fileno()).st_size
        self.found: Dict[str, Tuple[int, str]] = {}
        self.text: Dict[str, bytes] = {}
        self.database_fault = ""
        self.end = 0

    def fail(self, fault: str, message: str) -> BackupError:
        return BackupError(fault, f"{self.path} {message}")

    def read(self, cluster: str) -> Manifest:
        if self.size == 0:
            raise self.fail("empty", "is empty")
        try:
            tar = tarfile.open(fileobj=self.stream, mode="r:", errorlevel=2, tarinfo=_Header)  # noqa: SIM115
        except (tarfile.TarError, EOFError, ValueError, RecursionError) as error:
            raise self.fail("not_an_archive", f"is not a tar archive: {error}") from error
        with tar:
            try:
                self.members(tar)
            except (tarfile.TarError, EOFError, ValueError, RecursionError) as error:
                raise self.fail("truncated", f"is truncated or damaged after byte {self.end}: {error}") from error
        manifest = self.manifest()
        if cluster and manifest.cluster != cluster:
            raise self.fail("wrong_cluster", f"is a backup of the cluster {manifest.cluster}, not of {cluster}")
        self.compare(manifest)
        return manifest

    def members(self, tar: tarfile.TarFile) -> None:
        for number, info in enumerate(iter(tar.next, None)):
            reason = unsafe(info)
            if reason:
                raise self.fail("unsafe_member", f"must not be unpacked: its member {info.name!r} {reason}")
            if number >= MEMBER_LIMIT:
                raise self.fail("unsafe_member", f"has more than {MEMBER_LIMIT} members")
            if info.name in self.found:
                raise self.fail("unsafe_member", f"must not be unpacked: it has {info.name!r} twice")
            self.end = info.offset_data + -(-info.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
            if self.end > self.size:
                raise self.fail(
                    "truncated", f"is truncated: {info.name} ends at byte {self.end}, the file at {self.size}"
                )
            self.found[info.name] = (info.size, self.digest(tar, info))

    def digest(self, tar: tarfile.TarFile, info: tarfile.TarInfo) -> str:
        content = tar.extractfile(info)
        if content is None:
            raise self.fail("unsafe_member", f"must not be unpacked: {info.name!r} has no content")
        if info.name in (MANIFEST, CHECKSUM):
            if info.size > MANIFEST_LIMIT:
                raise self.fail("manifest", f"has a {info.name} of {info.size} bytes")
            self.text[info.name] = content.read()
            return hashlib.sha256(self.text[info.name]).hexdigest()
        if self.quick:
            return ""
        if info.name == DATABASE and self.database:
            with new_file(self.database) as out:
                return copy_hashed(content, out)
        if info.name == DATABASE:
            try:
                return check_stream(content, info.size).file_sha256  # type: ignore[arg-type]
            except SnapshotError as error:
                self.database_fault = str(error)
                content.seek(0)
        return copy_hashed(content, None)

    def manifest(self) -> Manifest:
        record = tarfile.RECORDSIZE
        whole = -(-(self.end + 2 * tarfile.BLOCKSIZE) // record) * record
        if self.size < self.end + 2 * tarfile.BLOCKSIZE:
            raise self.fail("truncated", f"is truncated: it has no end after byte {self.end}")
        self.stream.seek(self.end)
        if self.size > whole or self.stream.read(record * 2).strip(b"\0"):
            raise self.fail("damaged", f"is damaged: nothing after byte {self.end} of {self.size} can be read")
        if MANIFEST not in self.text:
            raise self.fail("no_manifest", f"is a tar archive, but not a backup: it has no {MANIFEST}")
        text = self.text[MANIFEST]
        recorded = self.text.get(CHECKSUM, b"").split()[:1]
        if recorded != [hashlib.sha256(text).hexdigest().encode()]:
            raise self.fail("damaged", f"is damaged: {MANIFEST} does not have the SHA-256 in {CHECKSUM}")
        try:
            return parse_manifest(json.loads(text.decode()))
        except BackupError as error:
            raise self.fail(error.fault, str(error)) from error
        except (ValueError, RecursionError) as error:
            raise self.fail("manifest", f"has a {MANIFEST} that cannot be read: {error}") from error

    def compare(self, manifest: Manifest) -> None:
        listed = {part.name: part for part in manifest.parts}
        others = sorted(set(self.found) - set(listed) - {MANIFEST, CHECKSUM})
        if others:
            raise self.fail("unlisted_part", f"holds {', '.join(map(repr, others))}, which its manifest does not list")
        for part in manifest.parts:
            if part.name not in self.found:
                raise self.fail("missing_part", f"lacks {part.name}, which its manifest lists")
            size, sha256 = self.found[part.name]
            if size != part.size:
                raise self.fail(
                    "wrong_size", f"has {size} bytes of {part.name}, but its manifest says {part.size}: do not trust it"
                )
            if not self.quick and sha256 != part.sha256:
                raise self.fail(
                    "damaged", f"is damaged: {part.name} has SHA-256 {sha256}, its manifest says {part.sha256}"
                )
        if DATABASE not in listed:
            raise self.fail("missing_part", f"lists no {DATABASE}")
        if self.database_fault:
            raise self.fail("damaged", f"is damaged: {DATABASE} {self.database_fault}")
