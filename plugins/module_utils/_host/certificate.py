# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a certificate says (X.509, RFC 5280): whose it is, who signed it, its serial number, how long it holds."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import List, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.der import (
    BOOLEAN,
    COMMON_NAME,
    INTEGER,
    OCTETS,
    OID,
    ORGANIZATION,
    SEQUENCE,
    DerError,
    Reader,
    decoded,
    oid,
    read_name,
)

TIMES = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}
VERSION, EXTENSIONS, KEY_ID = 0xA0, 0xA3, 0x80
SUBJECT_KEY_ID, AUTHORITY_KEY_ID = "2.5.29.14", "2.5.29.35"
PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\s*(.*?)-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True)
class Certificate:
    """What a certificate says.

    Attributes:
        serial: its serial number, in hexadecimal digits.
        issuer: the common name of who signed it.
        user: its common name, the name of a client's user.
        groups: its organizations, the groups of that user.
        begins: since when it holds, in seconds since 1970.
        ends: until when.
        key_id: what an authority calls its key, in hexadecimal digits; empty if it does not say.
        issuer_key: what who signed it calls the key that it was signed with; empty if it does not say.
    """

    serial: str
    issuer: str
    user: str
    groups: Tuple[str, ...]
    begins: float
    ends: float
    key_id: str = ""
    issuer_key: str = ""


def certificates(pem: bytes) -> List[bytes]:
    """The certificates in PEM, in DER.

    Raises:
        DerError: if one cannot be read.
    """
    try:
        return [base64.b64decode(b"".join(found.split()), validate=True) for found in PEM.findall(pem)]
    except binascii.Error:
        raise DerError("its certificates are not in PEM") from None


def fingerprint(certificate: bytes) -> str:
    """The SHA-256 of a certificate in DER, in hexadecimal digits."""
    return hashlib.sha256(certificate).hexdigest()


def _common_name(names: List[Tuple[str, str]]) -> str:
    return next((text for kind, text in names if kind == COMMON_NAME), "")


def _time(tag: int, data: bytes) -> float:
    if tag not in TIMES:
        raise DerError("it has a time that is none")
    try:
        found = datetime.strptime(decoded(data, "ascii"), TIMES[tag])
    except ValueError:
        raise DerError("it has a time that is none") from None
    return found.replace(tzinfo=timezone.utc).timestamp()


def _key_ids(body: Reader) -> Tuple[str, str]:
    """The identifiers of the own key and of the issuer's, in what follows a subject (RFC 5280, 4.2.1.1 and 4.2.1.2)."""
    body.value(SEQUENCE)  # the public key
    own = issuer = ""
    while body:
        tag, data = body.any()
        if tag != EXTENSIONS:
            continue
        for extension in Reader(data).inner(SEQUENCE).each(SEQUENCE):
            kind = oid(extension.value(OID))
            if extension.follows(BOOLEAN):
                extension.value(BOOLEAN)
            value = Reader(extension.value(OCTETS))
            if kind == SUBJECT_KEY_ID:
                own = value.value(OCTETS).hex()
            elif kind == AUTHORITY_KEY_ID:
                names = value.inner(SEQUENCE)
                issuer = names.value(KEY_ID).hex() if names.follows(KEY_ID) else ""
    return own, issuer


def parse_certificate(certificate: bytes) -> Certificate:
    """Read a certificate in DER (RFC 5280, 4.1).

    Raises:
        DerError: if it is none.
    """
    body = Reader(certificate).inner(SEQUENCE).inner(SEQUENCE)
    if body.follows(VERSION):
        body.value(VERSION)
    serial = int.from_bytes(body.value(INTEGER), "big")
    body.value(SEQUENCE)  # the algorithm of the signature
    issuer = read_name(body.inner(SEQUENCE))
    validity = body.inner(SEQUENCE)
    begins, ends = _time(*validity.any()), _time(*validity.any())
    subject = read_name(body.inner(SEQUENCE))
    groups = tuple(text for kind, text in subject if kind == ORGANIZATION)
    names = _common_name(issuer), _common_name(subject)
    return Certificate(f"{serial:x}", *names, groups, begins, ends, *_key_ids(body))
