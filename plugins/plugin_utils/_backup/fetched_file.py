# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies a file from a host to the controller in pieces.

ansible.builtin.fetch holds a file in memory as a whole, several times in base64, where the connection becomes another
user; an archive is larger than that bears.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.copies import last_words

MIB = 1024 * 1024
PIECE = 16  # MiB a round trip
Call = Callable[[str], tuple[int, str, str]]


class FetchError(Exception):
    """Why the archive cannot be brought: all that is known to be wrong."""

    def __init__(self, *faults: str) -> None:
        self.faults = list(faults)
        super().__init__("; ".join(faults))


@dataclass(frozen=True)
class Source:
    """A file that is to come.

    Attributes:
        name: what it is called in messages.
        size: its bytes.
        piece: MiB that are read at once.
        command: the command that prints so many of these MiB from there on.
        signature: the file with the signature beside it, if there is one.
    """

    name: str
    size: int
    piece: int
    command: Callable[[int, int], str]
    signature: Source | None = None


def file_on_host(path: str, size: int, signature: Source | None = None) -> Source:
    """A file of the host, which dd reads in pieces.

    Args:
        path: the file.
        size: its bytes.
        signature: the file with the signature beside it, if there is one.
    """

    def piece(start: int, count: int) -> str:
        return f"dd if={shlex.quote(path)} bs={MIB} skip={start} count={count} status=none | base64"

    return Source(path, size, PIECE, piece, signature)


def fetch(call: Call, source: Source, target: str, sha256: str = "") -> None:
    """Copy one file; it gets its name when it is whole.

    Args:
        call: runs a command on the host, and returns its exit code, output and messages.
        source: the file.
        target: its path on the controller.
        sha256: what its bytes must have; empty where that is not known.

    Raises:
        FetchError: if something else came; nothing of it stays.
    """
    draft, digest, size, messages = target + ".part", hashlib.sha256(), 0, ""
    with open(draft, "wb", opener=new_private_file) as stream:
        for start in range(0, -(-source.size // MIB), source.piece):
            rc, out, messages = call(source.command(start, source.piece))
            try:
                piece = base64.b64decode(out)
            except binascii.Error as error:
                raise FetchError(f"what came of {source.name} is not in base64: {error}") from error
            digest.update(piece)
            size += len(piece)
            stream.write(piece)
            if rc or len(piece) != min(source.piece * MIB, source.size - start * MIB):
                break
        stream.flush()
        os.fsync(stream.fileno())
    if size != source.size:
        os.unlink(draft)
        raise FetchError(f"of {source.name} only {size} of {source.size} bytes came: {last_words(messages)}")
    if sha256 and digest.hexdigest() != sha256:
        os.unlink(draft)
        raise FetchError(
            f"{source.name} came with SHA-256 {digest.hexdigest()}, not {sha256}: it was not kept on the controller"
        )
    os.replace(draft, target)


def new_private_file(path: str, flags: int) -> int:
    """Open a file that was not there before, for its owner alone; what lay there is removed."""
    if os.path.lexists(path):
        os.unlink(path)
    return os.open(path, flags | os.O_EXCL | os.O_NOFOLLOW, 0o600)
