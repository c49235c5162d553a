# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives that are read within limits: a small download can unpack to more than a host has of disk and memory."""

from __future__ import annotations

import contextlib
import importlib
import tarfile
import zlib
from typing import Any, BinaryIO, Iterator

# containerd's archive, the largest, has about 40 files and 150 MiB.
MAX_MEMBERS = 10_000
MAX_UNPACKED = 2 * 1024**3
# A tar archive's own records (long names, extended headers) are read at once; files are read in smaller pieces.
MAX_READ = 16 * 1024**2
COMPRESSIONS = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ": "lzma"}


class ArtifactError(Exception):
    """What is wrong with one artifact."""


class _Bounded:
    """A stream that is not read beyond the limit."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_READ:
            raise ArtifactError(
                f"the archive has a record of more than {MAX_READ} bytes, too long for what it should be"
            )
        refuse_too_much(self.stream.tell() + size)
        return self.stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        # An archive is only ever sought from its beginning.
        refuse_too_much(offset)
        return self.stream.seek(offset, whence)

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.stream.tell()


def refuse_too_much(size: int) -> None:
    """Make sure that what is unpacked stays within the limit.

    Raises:
        ArtifactError: where it does not.
    """
    if size > MAX_UNPACKED:
        raise ArtifactError(f"the archive unpacks to more than {MAX_UNPACKED} bytes, which is too much")


@contextlib.contextmanager
def open_archive(path: str) -> Iterator[tarfile.TarFile]:
    """A tar archive, compressed or not, whose list of files is read and within the limits.

    Raises:
        ArtifactError: where it is too large, or no archive.
    """
    name = _compression(path)
    try:
        # Not every host's Python has all of these modules.
        module = importlib.import_module(name)
    except ImportError:
        raise ArtifactError(f"this host's Python has no module {name} to read the archive with") from None
    damages: Any = (tarfile.TarError, EOFError, zlib.error, RecursionError, getattr(module, "LZMAError", EOFError))
    try:
        with module.open(path, "rb") as stream:
            bounded: Any = _Bounded(stream)
            archive = tarfile.open(fileobj=bounded, mode="r:")  # noqa: SIM115 (the stream is what must be closed)
            total = 0
            for number, info in enumerate(archive, 1):
                total += info.size
                refuse_too_much(total)
                if number > MAX_MEMBERS:
                    raise ArtifactError(
                        f"the archive holds more than {MAX_MEMBERS} files, too many for what it should be"
                    )
            yield archive
    except damages as error:
        raise ArtifactError(_unreadable(error)) from None
    except OSError as error:
        # Decompressors raise it for damaged content, too, and then without a number.
        if error.errno is not None:
            raise
        raise ArtifactError(_unreadable(error)) from None


def _compression(path: str) -> str:
    """The module that opens a file."""
    with open(path, "rb") as stream:
        head = stream.read(8)
    return next((name for magic, name in COMPRESSIONS.items() if head.startswith(magic)), "io")


def _unreadable(error: BaseException) -> str:
    reason = str(error).partition("\n")[0]
    return f"the download is no archive that can be read: {reason}"
