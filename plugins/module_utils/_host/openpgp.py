# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fingerprints of OpenPGP public keys (RFC 9580 and, for version 4, RFC 4880).

Why by hand: what could read them is not there when the first package is installed. Minimal hosts of Debian have no gpg,
no module of ansible-core compares a fingerprint for apt, and cryptography reads no OpenPGP. Only lengths of packets are
read, no signature is checked: apt and dnf do that, with the key that this has found to be the right one.

Strict where gpg is lenient: what this does not understand is refused, so that gpg cannot find a further key in it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Iterator, List, Tuple

BEGIN = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
END = "-----END PGP PUBLIC KEY BLOCK-----"
FINGERPRINT = re.compile(r"[0-9A-F]{40}|[0-9A-F]{64}")
HEADER = re.compile(r"[A-Za-z]+: .*")
CHECKSUM = re.compile(r"=[A-Za-z0-9+/]{4}")
SIGNATURE, KEY, USER_ID, SUBKEY, USER_ATTRIBUTE = 2, 6, 13, 14, 17
OF_KEYS = (SIGNATURE, KEY, USER_ID, SUBKEY, USER_ATTRIBUTE)


class KeyFileError(ValueError):
    """Why a text is no file of public keys that can be judged."""


def normalize(fingerprint: str) -> str:
    """A fingerprint in capitals and without blanks.

    Raises:
        KeyFileError: for anything else, such as a short key id, which others can have, too.
    """
    text = re.sub(r"\s", "", fingerprint).upper()
    if not FINGERPRINT.fullmatch(text):
        raise KeyFileError(f"{fingerprint!r} is no fingerprint of 40 or 64 hexadecimal digits")
    return text


def fingerprints(text: str) -> List[str]:
    """The fingerprints of the keys in an armored block; a subkey counts as its key's, by whose signature it is valid.

    Raises:
        KeyFileError: where it is something else.
    """
    found = [_fingerprint(body) for tag, body in _packets(_dearmor(text)) if tag == KEY]
    if not found:
        raise KeyFileError("it holds no key")
    return found


def _dearmor(text: str) -> bytes:
    lines = [line.rstrip() for line in text.strip().splitlines()]
    if len(lines) < 3 or (lines[0], lines[-1]) != (BEGIN, END):
        raise KeyFileError(f"it does not begin with {BEGIN} and end with {END}")
    body = lines[1:-1]
    while body and HEADER.fullmatch(body[0]):
        body.pop(0)
    if not body or body.pop(0):
        raise KeyFileError("it has no blank line between its headers and the key")
    if body and CHECKSUM.fullmatch(body[-1]):
        body.pop()
    try:
        return base64.b64decode("".join(body), validate=True)
    except binascii.Error as error:
        raise KeyFileError(f"it is no base64: {error}") from None


def _packets(data: bytes) -> Iterator[Tuple[int, bytes]]:
    """Type and content of each packet."""
    at = 0
    while at < len(data):
        head = data[at]
        if not head & 0x80:
            raise KeyFileError(f"there is no packet at byte {at}")
        tag = head & 0x3F if head & 0x40 else head >> 2 & 0x0F
        if tag not in OF_KEYS or (at == 0 and tag != KEY):
            raise KeyFileError(f"a packet of type {tag} belongs to no public key")
        start, length = _length(data, at)
        at = start + length
        if at > len(data):
            raise KeyFileError("it is cut off")
        yield tag, data[start:at]


def _length(data: bytes, at: int) -> Tuple[int, int]:
    """Where a packet's content begins, and how long it is."""
    head, rest = data[at], data[at + 1 : at + 6]
    if not head & 0x40:
        size = 1 << (head & 0x03)
        if size > 4:
            raise KeyFileError("a packet has no length")
        return at + 1 + size, int.from_bytes(rest[:size], "big")
    first = rest[0] if rest else 0
    if first < 192:
        return at + 2, first
    if first < 224:
        return at + 3, (first - 192 << 8) + 192 + int.from_bytes(rest[1:2], "big")
    if first < 255:
        raise KeyFileError("a packet comes in parts")
    return at + 6, int.from_bytes(rest[1:5], "big")


def _fingerprint(body: bytes) -> str:
    version = body[0] if body else 0
    if version == 4:
        return _sha1(b"\x99" + len(body).to_bytes(2, "big") + body).upper()
    if version == 6:
        return hashlib.sha256(b"\x9b" + len(body).to_bytes(4, "big") + body).hexdigest().upper()
    raise KeyFileError(f"a key of version {version} has no fingerprint that is known")


def _sha1(data: bytes) -> str:
    # What fingerprints of version 4 are made of; to find another key of the same one is out of reach.
    try:
        return hashlib.new("sha1", data, usedforsecurity=False).hexdigest()
    except TypeError:
        # Python 3.8 does not know the word.
        return hashlib.new("sha1", data).hexdigest()  # noqa: S324
