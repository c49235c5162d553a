# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kubeconfig with a client certificate, as kubeadm writes it: whose, of which cluster, how long it holds.

The certificate is read here, as nothing else on a host can be relied on to read it: hosts need neither openssl nor a
library of Python, Python's own ssl has only a private function for it, and kubeadm certs check-expiration knows only
its own files. The controller does not read it, since the kubeconfig holds a key, which stays on its host. What cannot
be read counts as no certificate, so that another one is issued.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Iterator, List, Sequence, Tuple

UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
COMMON_NAME, ORGANIZATION = b"\x55\x04\x03", b"\x55\x04\x0a"  # 2.5.4.3 and 2.5.4.10 (RFC 5280, appendix A)
AUTHORITIES, CLIENTS = "certificate-authority-data", "client-certificate-data"
VERSION = 0xA0
PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\s*(.*?)-----END CERTIFICATE-----", re.DOTALL)
# A certificate is renewed when less than this part of the time that it holds is left.
RENEWED_AT = 1 / 3


class KubeconfigError(Exception):
    """It is no kubeconfig with a client certificate."""


@dataclass(frozen=True)
class ClientCertificate:
    """What a client certificate says.

    Attributes:
        user: the user's name.
        groups: the user's groups.
        begins: since when it holds, in seconds since 1970.
        ends: until when.
    """

    user: str
    groups: Tuple[str, ...]
    begins: float
    ends: float

    def due(self, now: float) -> bool:
        """Whether it has to be renewed."""
        return self.ends - now < (self.ends - self.begins) * RENEWED_AT


@dataclass(frozen=True)
class ClientKubeconfig:
    """A kubeconfig.

    Attributes:
        server: the API's URL.
        authorities: the certificates of the authorities that it trusts, in DER.
        certificate: the client's certificate, in DER.
        client: what that certificate says.
    """

    server: str
    authorities: Tuple[bytes, ...]
    certificate: bytes
    client: ClientCertificate

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the client's certificate, in hexadecimal digits."""
        return hashlib.sha256(self.certificate).hexdigest()

    def usable(self, authorities: Sequence[bytes], now: float) -> bool:
        """Whether a cluster of these authorities takes it, and it takes the cluster."""
        return bool(authorities) and authorities[0] in self.authorities and now < self.client.ends

    def unfit(self, user: str, server: str, authorities: Sequence[bytes], now: float) -> str:
        """Why it has to be issued anew; nothing if it has not.

        Args:
            user: whose it is to be, without a group.
            server: the API's URL; empty if any will do.
            authorities: the certificates of the cluster's authority, in DER. The first is the one that signs.
            now: the time, in seconds since 1970.
        """
        if self.client.user != user or self.client.groups:
            return f"it is not that of {user} alone"
        if server and self.server != server:
            return f"it leads to {self.server} and not to {server}"
        if not authorities or authorities[0] not in self.authorities:
            return "the cluster's authority is another one"
        return "less than a third of the time that its certificate holds is left" if self.client.due(now) else ""


def certificates(pem: bytes) -> List[bytes]:
    """The certificates in PEM, in DER."""
    try:
        return [base64.b64decode(b"".join(found.split()), validate=True) for found in PEM.findall(pem)]
    except binascii.Error:
        raise KubeconfigError("its certificates are not in PEM") from None


def server_of(text: str) -> str:
    """The URL that a kubeconfig of kubeadm leads to; empty if it has none or several."""
    found = set(re.findall(r"^\s*(?:-\s+)?server:\s*(\S+)\s*$", text, re.MULTILINE))
    return found.pop() if len(found) == 1 else ""


def parse_kubeconfig(text: str) -> ClientKubeconfig:
    """Read a kubeconfig as kubeadm writes it.

    Raises:
        KubeconfigError: if it is another file.
    """
    data = {}
    for name in (AUTHORITIES, CLIENTS):
        found = re.findall(rf"^\s*{name}:\s*(\S+)\s*$", text, re.MULTILINE)
        if len(found) != 1:
            raise KubeconfigError(f"it has {name} {len(found)} times")
        try:
            data[name] = certificates(base64.b64decode(found[0], validate=True))
        except binascii.Error:
            raise KubeconfigError(f"its {name} is not in base64") from None
    if not re.search(r"^\s*client-key-data:\s*\S+\s*$", text, re.MULTILINE):
        raise KubeconfigError("it has no client-key-data")
    authorities, clients = data[AUTHORITIES], data[CLIENTS]
    if not server_of(text) or not clients:
        raise KubeconfigError("it has no server or no certificate")
    return ClientKubeconfig(server_of(text), tuple(authorities), clients[0], parse_certificate(clients[0]))


def parse_certificate(certificate: bytes) -> ClientCertificate:
    """Read a certificate in DER (RFC 5280, 4.1).

    Raises:
        KubeconfigError: if it is none.
    """
    try:
        _tag, start, _end = der(certificate, 0)
        _tag, start, _end = der(certificate, start)
        # Skipped: a version, serial number, signature, issuer.
        for _field in range(4 if certificate[start] == VERSION else 3):
            _tag, _begin, start = der(certificate, start)
        validity, subject = list(_fields(certificate, start, len(certificate)))[:2]
        begins, ends = (
            _time(tag, certificate[begin:end]) for tag, begin, end in _fields(certificate, validity[1], validity[2])
        )
        names = list(_names(certificate, subject[1], subject[2]))
    except (KeyError, IndexError, ValueError):
        raise KubeconfigError("its certificate cannot be read") from None
    users = [text for kind, text in names if kind == COMMON_NAME]
    groups = tuple(text for kind, text in names if kind == ORGANIZATION)
    return ClientCertificate(users[0] if users else "", groups, begins, ends)


def der(data: bytes, start: int) -> Tuple[int, int, int]:
    """The tag of the DER value at an offset, where its content begins and where it ends (X.690, 8.1)."""
    tag, length, begin = data[start], data[start + 1], start + 2
    if length & 0x80:
        size = length & 0x7F
        length, begin = int.from_bytes(data[begin : begin + size], "big"), begin + size
    if begin + length > len(data):
        raise IndexError
    return tag, begin, begin + length


def _fields(data: bytes, start: int, stop: int) -> Iterator[Tuple[int, int, int]]:
    """The DER values one after the other: the tag, where the content begins and where it ends."""
    while start < stop:
        field = der(data, start)
        yield field
        start = field[2]


def _names(data: bytes, start: int, stop: int) -> Iterator[Tuple[bytes, str]]:
    """The attributes of a distinguished name: the type's OID and the text."""
    for _set, begin, end in _fields(data, start, stop):
        for _sequence, first, last in _fields(data, begin, end):
            (_oid, at, to), (_string, text, after) = _fields(data, first, last)
            yield data[at:to], data[text:after].decode("utf-8")


def _time(tag: int, text: bytes) -> float:
    """Seconds since 1970."""
    form = {UTC_TIME: "%y%m%d%H%M%SZ", GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}[tag]
    return datetime.strptime(text.decode("ascii"), form).replace(tzinfo=timezone.utc).timestamp()
