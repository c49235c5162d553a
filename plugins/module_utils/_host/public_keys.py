# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is public of a host's certificates and keys: nothing of a private key is returned but its public half's hash.

Only PEM blocks are told apart here, by the standard library, since hosts need no cryptography. Certificates are read by
cryptography on the controller, private keys by the host's openssl, so that they do not leave the host.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import stat
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\s+(.*?)-----END \1-----", re.DOTALL)
# What each kind of file must hold, by its suffix.
HELD = {".crt": "CERTIFICATE", ".key": "PRIVATE KEY", ".pub": "PUBLIC KEY"}
SIZE_LIMIT = 1 << 20
# Gives the public half of a private key's file as PEM; raises PkiError where it cannot be read.
PublicHalf = Callable[[str], str]


class PkiError(Exception):
    """A file that cannot be read as what its name says."""


def blocks(text: str, kind: str) -> List[str]:
    """The PEM blocks whose label ends with a kind."""
    return [match.group(0) for match in PEM.finditer(text) if match.group(1).endswith(kind)]


def key_hash(pem: str) -> str:
    """SHA-256 of a public key's DER form (SubjectPublicKeyInfo), as 64 hexadecimal digits.

    Raises:
        PkiError: where the block is damaged.
    """
    match = PEM.search(pem)
    try:
        return hashlib.sha256(base64.b64decode("".join(match.group(2).split()), validate=True)).hexdigest()  # type: ignore[union-attr]
    except (AttributeError, binascii.Error):
        raise PkiError("it holds no readable public key") from None


def _read(path: str) -> Tuple[str, str]:
    """A file's text and mode."""
    with open(path, encoding="utf-8", errors="replace") as stream:
        mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
        return stream.read(SIZE_LIMIT), f"{mode:04o}"


def read_file(path: str, public_half: Optional[PublicHalf]) -> Dict[str, Any]:
    """What is public of a certificate, key or public key.

    Args:
        path: the file.
        public_half: reads private keys; None leaves them unread.
    """
    fact: Dict[str, Any] = {"path": path, "mode": "", "certificates": "", "public_keys": [], "error": ""}
    kind = HELD[os.path.splitext(path)[1]]
    try:
        text, fact["mode"] = _read(path)
        held = blocks(text, kind)
        if not held:
            raise PkiError(f"it holds no PEM block {kind}" if text.strip() else "it is empty")
        if kind == "CERTIFICATE":
            fact["certificates"] = "\n".join(held) + "\n"
        elif kind == "PUBLIC KEY":
            fact["public_keys"] = [key_hash(block) for block in held]
        elif public_half:
            fact["public_keys"] = [key_hash(public_half(path))]
    except OSError as error:
        fact["error"] = error.strerror or str(error)
    except PkiError as error:
        fact["error"] = str(error)
    return fact


def find_files(folders: Sequence[str]) -> Iterator[str]:
    """The certificates and keys in folders, not in folders below them."""
    for folder in folders:
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        for name in names:
            path = os.path.join(folder, name)
            if os.path.splitext(name)[1] in HELD and not os.path.isdir(path):
                yield path


def read_folders(folders: Sequence[str], public_half: Optional[PublicHalf]) -> List[Dict[str, Any]]:
    """What is public of all certificates and keys in folders."""
    return [read_file(path, public_half) for path in find_files(folders)]
