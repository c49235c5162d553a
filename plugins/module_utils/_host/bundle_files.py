# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle as those read it who get it: the checksums of all its files, and the signature of OpenSSH on them."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Dict, List, Mapping, Optional, Tuple

SUMS, SIGNATURE = "SHA256SUMS", "SHA256SUMS.sig"
# What a signature is for, so that one of something else does not count.
NAMESPACE = "groundwork-bundle"
SIGNER = "bundle"
CHUNK = 1024 * 1024
WORKERS = 4
LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
PUBLIC_KEY = re.compile(r"(ssh-|ecdsa-sha2-|sk-)[a-z0-9@.-]+ [A-Za-z0-9+/=]+( .*)?")


class NoBundleError(Exception):
    """Why a folder is no bundle that can be used."""


def read_sums(text: str) -> Dict[str, str]:
    """The checksums of files by their paths, of what sha256sum writes.

    Raises:
        NoBundleError: naming the first line that is none, or that leads out of the folder.
    """
    found: Dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        match = LINE.fullmatch(line)
        path = match[2] if match else ""
        if not match or posixpath.isabs(path) or posixpath.normpath(path) != path or path.startswith(".."):
            raise NoBundleError(f"line {number} of {SUMS} is no checksum of a file in the folder")
        found[path] = match[1]
    return found


def sha256_of(path: str) -> str:
    """The checksum of a file; empty where there is none."""
    summary = hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            for chunk in iter(lambda: stream.read(CHUNK), b""):
                summary.update(chunk)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""
    return summary.hexdigest()


def load_sums(folder: str) -> Dict[str, str]:
    """What a bundle says that it has.

    Raises:
        NoBundleError: where it does not say so.
    """
    path = os.path.join(folder, SUMS)
    try:
        with open(path, encoding="utf-8") as stream:
            sums = read_sums(stream.read())
    except (FileNotFoundError, NotADirectoryError):
        raise NoBundleError(f"{folder} has no {SUMS}, so it is no whole bundle") from None
    except UnicodeDecodeError:
        raise NoBundleError(f"{path} is no text") from None
    if not sums:
        raise NoBundleError(f"{path} names no file")
    return sums


def examine(folder: str, sums: Mapping[str, str]) -> Tuple[List[str], List[str]]:
    """The files that are missing, and those with other bytes. Every byte is read."""
    paths = sorted(sums)
    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(lambda path: sha256_of(os.path.join(folder, path)), paths))
    pairs = list(zip(paths, found))
    missing = [path for path, digest in pairs if not digest]
    return missing, [path for path, digest in pairs if digest and digest != sums[path]]


def allowed_signers(keys: List[str]) -> str:
    """The file by which ssh-keygen knows whose signatures count.

    Raises:
        NoBundleError: naming the first key that is none.
    """
    for number, key in enumerate(keys):
        if not PUBLIC_KEY.fullmatch(key.strip()):
            raise NoBundleError(f"allowed_signers[{number}] is no public key of OpenSSH, such as 'ssh-ed25519 AAAA...'")
    return "".join(f'{SIGNER} namespaces="{NAMESPACE}" {key.strip()}\n' for key in keys)


def verify_command(program: str, signers: str, folder: str) -> List[str]:
    """How a signature is verified; the checksums go to standard input."""
    signature = os.path.join(folder, SIGNATURE)
    return [program, "-Y", "verify", "-f", signers, "-I", SIGNER, "-n", NAMESPACE, "-s", signature]


def report(missing: List[str], altered: List[str], where: str = "") -> Optional[str]:
    """All that is wrong, a line for each file; nothing where nothing is."""
    lines = [f"missing{where}: {path}" for path in missing] + [f"altered{where}: {path}" for path in altered]
    return "\n".join(lines) or None
