# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host has of etcd: data, folders, certificates. Nothing here changes the host, and no key is ever read."""

from __future__ import annotations

import glob
import os
import pwd
import shlex
import ssl
import stat
from dataclasses import dataclass
from typing import Dict, List, Optional

KEY_STATES = ("", "ok", "absent", "mismatch", "exposed")


@dataclass(frozen=True)
class KeyPair:
    """A certificate with the state of its key: '' where no key was asked for, else one of KEY_STATES."""

    certificate: str
    key: str


def read_text(path: Optional[str]) -> str:
    """A text file's content, or nothing where there is none."""
    try:
        with open(path or os.devnull, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def user_id(name: str) -> Optional[int]:
    """A user's number, or None."""
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def wal_folder(data_dir: str, wal_dir: str) -> str:
    """Where a member keeps its write-ahead log."""
    return wal_dir or os.path.join(data_dir, "member", "wal")


def has_data(data_dir: str, wal_dir: str) -> bool:
    """Whether a member has begun here: etcd itself goes by the files of the write-ahead log."""
    return bool(glob.glob(os.path.join(glob.escape(wal_folder(data_dir, wal_dir)), "*.wal")))


def unfit_folders(paths: List[str], owner: Optional[int]) -> List[str]:
    """Folders that are missing, are not the user's, or that others may enter."""
    found = []
    for path in paths:
        try:
            state = os.stat(path)
        except FileNotFoundError:
            found.append(path)
            continue
        if not stat.S_ISDIR(state.st_mode) or stat.S_IMODE(state.st_mode) != 0o700 or state.st_uid != owner:
            found.append(path)
    return found


def read_bootstrap(path: Optional[str]) -> Dict[str, str]:
    """What a member begins with: the variables of an environment file."""
    values = {}
    for line in read_text(path).splitlines():
        name, equals, value = line.partition("=")
        if equals and not name.lstrip().startswith("#"):
            values[name.strip()] = "".join(shlex.split(value))
    return values


def read_pair(certificate: Optional[str], key: Optional[str], owner: Optional[int]) -> KeyPair:
    """A certificate, and whether its key is there, fits, and is its owner's alone.

    Args:
        certificate: the file, PEM.
        key: the file, PEM; only OpenSSL looks into it.
        owner: the user who must own the key.
    """
    text = read_text(certificate)
    if not key:
        return KeyPair(text, "")
    try:
        state = os.stat(key)
    except (FileNotFoundError, NotADirectoryError):
        return KeyPair(text, "absent")
    if text and not belong_together(str(certificate), key):
        return KeyPair(text, "mismatch")
    if stat.S_IMODE(state.st_mode) & 0o077 or state.st_uid != owner:
        return KeyPair(text, "exposed")
    return KeyPair(text, "ok")


def belong_together(certificate: str, key: str) -> bool:
    """Whether a key is that of a certificate; a key with a passphrase is not, as no service could use it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, ValueError):
        return False
    return True
