# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcd's snapshot file: a bbolt database followed by the SHA-256 of all that comes before it.

A database is whole pages, so a file ends in a hash if and only if its size is 32 above a multiple of 512
(etcd, etcdutl/snapshot/v3_snapshot.go). How large the database must be stands in its two meta pages
(bbolt, internal/common/meta.go), so that a file cut short differs from one whose bytes changed.
"""

from __future__ import annotations

import hashlib
import os
import struct
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO, Dict, List, Optional

HASH_SIZE = hashlib.sha256().digest_size
SECTOR = 512
CHUNK = 1024 * 1024
MAGIC = 0xED0CDAED
PAGE_SIZES = [1024 << power for power in range(7)]
# A page's header; then magic, version, page size, flags; root and its sequence, freelist, pages in use, transaction
# and the checksum of all from the magic on.
META = struct.Struct("<16x4I6Q")


class SnapshotError(Exception):
    """A file is no snapshot that can be relied on; fault is a word for programs, the message for people."""

    def __init__(self, fault: str, message: str) -> None:
        self.fault = fault
        super().__init__(message)


@dataclass(frozen=True)
class Meta:
    """The meta page of the latest transaction: the size of the database it belongs to."""

    page_size: int
    pages: int
    transaction: int

    @property
    def database_size(self) -> int:
        """Bytes from the first page to the last that is in use."""
        return self.page_size * self.pages


@dataclass(frozen=True)
class Content:
    """A file's bytes: its size, the hash it ends in, the hash of what precedes that, and the hash of the whole."""

    size: int
    recorded: str
    sha256: str
    file_sha256: str


@dataclass(frozen=True)
class Snapshot:
    """A verified snapshot."""

    path: str
    size: int
    sha256: str
    file_sha256: str
    hash: int
    revision: int
    total_keys: int
    etcd_version: str

    def as_dict(self) -> Dict[str, Any]:
        """The form in which modules return it."""
        return asdict(self)


def fnv1a(data: bytes) -> int:
    """The 64-bit FNV-1a checksum that closes a meta page."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def read_meta(stream: BinaryIO) -> Optional[Meta]:
    """The newest intact meta page, or None where magic is there but neither page is intact.

    Raises:
        SnapshotError: if the file is no bbolt database.
    """
    found: List[Meta] = []
    magic = False
    for offset in [0, *PAGE_SIZES]:
        stream.seek(offset)
        page = stream.read(META.size)
        if len(page) < META.size:
            break
        fields = META.unpack(page)
        if fields[0] != MAGIC:
            continue
        magic = True
        if fnv1a(page[16:-8]) == fields[9]:
            found.append(Meta(page_size=fields[2], pages=fields[7], transaction=fields[8]))
    if not magic:
        raise SnapshotError("not_a_snapshot", "is not an etcd snapshot: it holds no bbolt database")
    return max(found, key=lambda meta: meta.transaction, default=None)


def read_content(stream: BinaryIO, size: int) -> Content:
    """Hash a file in one pass, a chunk at a time."""
    digest = hashlib.sha256()
    left = size - HASH_SIZE
    stream.seek(0)
    while left > 0:
        chunk = stream.read(min(CHUNK, left))
        if not chunk:
            raise SnapshotError("truncated", "became shorter while it was read")
        digest.update(chunk)
        left -= len(chunk)
    recorded = stream.read(HASH_SIZE)
    sha256 = digest.hexdigest()
    digest.update(recorded)
    return Content(size, recorded.hex(), sha256, digest.hexdigest())


def check_file(path: str, shown_as: str = "") -> Content:
    """Prove that a file is a whole snapshot whose bytes are those that etcd sent.

    Args:
        path: the file.
        shown_as: the name that messages give it, where that is another.

    Raises:
        SnapshotError: with the fault missing, empty, not_a_snapshot, truncated, no_hash or damaged.
    """
    name = shown_as or path
    if not os.path.exists(path):
        raise SnapshotError("missing", f"{name} does not exist")
    if not os.path.isfile(path):
        raise SnapshotError("not_a_snapshot", f"{name} is not a file")
    try:
        with open(path, "rb") as stream:
            return check_stream(stream, os.fstat(stream.fileno()).st_size)
    except SnapshotError as error:
        raise SnapshotError(error.fault, f"{name} {error}") from error


def recorded_sha256(path: str) -> str:
    """The hash that a file ends in, not compared with its bytes; empty where the file is plainly no whole snapshot."""
    if not os.path.isfile(path):
        return ""
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if size % SECTOR != HASH_SIZE:
            return ""
        try:
            read_meta(stream)
        except SnapshotError:
            return ""
        stream.seek(size - HASH_SIZE)
        return stream.read(HASH_SIZE).hex()


def check_stream(stream: BinaryIO, size: int) -> Content:
    """As check_file, for an open file; messages go on from the file's name."""
    if size == 0:
        raise SnapshotError("empty", "is empty")
    meta = read_meta(stream)
    if size % SECTOR == HASH_SIZE:
        content = read_content(stream, size)
        if content.sha256 == content.recorded:
            return content
    wanted = meta.database_size + HASH_SIZE if meta else None
    if wanted is not None and size < wanted and size != wanted - HASH_SIZE:
        raise SnapshotError("truncated", f"is truncated: it has {size} of {wanted} bytes")
    if size % SECTOR == HASH_SIZE:
        raise SnapshotError(
            "damaged", f"is damaged: its bytes have SHA-256 {content.sha256}, but it was saved with {content.recorded}"
        )
    if size % SECTOR == 0:
        raise SnapshotError(
            "no_hash",
            "ends in no hash, so nothing proves its bytes: it is a copy of a member's db file, which can lack what is "
            "only in the write-ahead log, or a snapshot without its last 32 bytes. Save one with etcdctl snapshot save",
        )
    if wanted is not None and size > wanted:
        raise SnapshotError("damaged", f"is damaged: it has {size} bytes, {size - wanted} more than were saved")
    raise SnapshotError("truncated", f"is truncated: no whole snapshot has {size} bytes")


def describe(path: str, content: Content, status: Dict[str, Any], etcd_version: str = "") -> Snapshot:
    """A snapshot from its bytes and from what ``snapshot status`` says of it.

    Args:
        path: the file's name, or the one it will have.
        content: the result of check_file.
        status: the answer of snapshot status; etcd leaves out fields that are zero or empty.
        etcd_version: the version of the member it came from, where that is known.

    Raises:
        SnapshotError: with the fault inconsistent, if the two do not agree.
    """
    database = content.size - HASH_SIZE
    total_size = status.get("totalSize", 0)
    if total_size != database:
        raise SnapshotError(
            "inconsistent", f"{path} has a database of {database} bytes, but snapshot status says {total_size}"
        )
    return Snapshot(
        path=path,
        size=content.size,
        sha256=content.sha256,
        file_sha256=content.file_sha256,
        hash=status.get("hash", 0),
        revision=status.get("revision", 0),
        total_keys=status.get("totalKey", 0),
        etcd_version=status.get("version") or etcd_version,
    )
