# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bootstrap tokens: what a joining host needs to find the cluster and to trust it."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import string
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Dict, List, Tuple

ALPHABET = string.ascii_lowercase + string.digits
GROUP = "system:bootstrappers:kubeadm:default-node-token"
SEQUENCE, VERSION = 0x30, 0xA0
UNITS = {"h": 3600, "m": 60, "s": 1}


class TokenError(Exception):
    """The cluster does not say what a joining host needs; the message says what is missing."""


@dataclass(frozen=True)
class Token:
    """A bootstrap token (https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/)."""

    token_id: str
    secret: str

    def __str__(self) -> str:
        return f"{self.token_id}.{self.secret}"

    @property
    def secret_name(self) -> str:
        """The name of the Secret that holds it."""
        return f"bootstrap-token-{self.token_id}"


def new_token() -> Token:
    """A token that nobody can guess."""
    return Token(*("".join(secrets.choice(ALPHABET) for _letter in range(length)) for length in (6, 16)))


def parse_ttl(ttl: str) -> timedelta:
    """How long a token holds, from text such as 30m, 1h30m or 90s.

    Raises:
        TokenError: if it is no duration, or none above zero.
    """
    parts = re.findall(r"(\d+)([hms])", ttl)
    seconds = sum(int(number) * UNITS[unit] for number, unit in parts)
    if seconds == 0 or "".join(number + unit for number, unit in parts) != ttl:
        raise TokenError(f"ttl is '{ttl}'; write a time above zero, such as 30m or 1h30m")
    return timedelta(seconds=seconds)


def token_manifest(token: Token, expires: datetime, description: str) -> Dict[str, Any]:
    """The Secret that makes a token valid.

    Args:
        token: the token.
        expires: when the cluster removes it, in UTC.
        description: for people.
    """
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "bootstrap.kubernetes.io/token",
        "metadata": {"name": token.secret_name, "namespace": "kube-system"},
        "stringData": {
            "auth-extra-groups": GROUP,
            "description": description,
            "expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "token-id": token.token_id,
            "token-secret": token.secret,
            "usage-bootstrap-authentication": "true",
            "usage-bootstrap-signing": "true",
        },
    }


def der(data: bytes, start: int) -> Tuple[int, int, int]:
    """The tag of the DER value at an offset, where its content begins and where it ends (X.690, 8.1)."""
    tag, length, begin = data[start], data[start + 1], start + 2
    if length & 0x80:
        size = length & 0x7F
        length, begin = int.from_bytes(data[begin : begin + size], "big"), begin + size
    if begin + length > len(data):
        raise IndexError
    return tag, begin, begin + length


def public_key_hash(certificate: bytes) -> str:
    """kubeadm's pin of a certificate in DER: the SHA-256 of its subjectPublicKeyInfo (RFC 7469, RFC 5280, 4.1).

    Raises:
        TokenError: if it is no certificate.
    """
    try:
        tag, start, _end = der(certificate, 0)
        inner, start, _end = der(certificate, start)
        if (tag, inner) != (SEQUENCE, SEQUENCE):
            raise IndexError
        # Skipped: a version (X.509 version 1 has none), serial number, signature, issuer, validity, subject.
        for _field in range(6 if certificate[start] == VERSION else 5):
            _tag, _begin, start = der(certificate, start)
        tag, _begin, end = der(certificate, start)
    except IndexError:
        tag = 0
    if tag != SEQUENCE:
        raise TokenError("The cluster's CA is no X.509 certificate.")
    return "sha256:" + hashlib.sha256(certificate[start:end]).hexdigest()


def ca_hashes(pem: bytes) -> List[str]:
    """The pins of all certificates in a PEM file.

    Raises:
        TokenError: if there is none.
    """
    found = re.findall(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", pem, re.DOTALL)
    if not found:
        raise TokenError("The cluster's CA data holds no certificate.")
    return [public_key_hash(base64.b64decode(body)) for body in found]


def read_cluster(kubeconfig: Dict[str, Any]) -> Tuple[str, List[str]]:
    """The endpoint, host:port, and the pins of the CA in a kubeconfig.

    Raises:
        TokenError: if they are not there.
    """
    try:
        cluster = kubeconfig["clusters"][0]["cluster"]
        server, data = cluster["server"], cluster["certificate-authority-data"]
    except (KeyError, IndexError, TypeError):
        raise TokenError(
            "The ConfigMap kube-public/cluster-info names no server or CA. Create it with "
            "'kubeadm init phase bootstrap-token' on a control plane."
        ) from None
    return str(server).split("://", maxsplit=1)[-1].rstrip("/"), ca_hashes(base64.b64decode(data))
