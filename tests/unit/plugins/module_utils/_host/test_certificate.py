"""What a certificate says, against the library that made it."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.certificate import (
    certificates,
    fingerprint,
    parse_certificate,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.der import DerError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

sys.path.insert(0, str(Path(__file__).parents[2]))

import pki

CA = pki.issue("kubernetes")


def made(user: str, *groups: str, ends: float = 365) -> x509.Certificate:
    pairs = [*((NameOID.ORGANIZATION_NAME, group) for group in groups), (NameOID.COMMON_NAME, user)]
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(kind, text) for kind, text in pairs]))
        .issuer_name(CA.certificate.subject)
        .public_key(pki.new_key("client").public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(pki.NOW - pki.timedelta(days=1))
        .not_valid_after(pki.NOW + pki.timedelta(days=ends))
        .sign(CA.key, hashes.SHA256())
    )


@pytest.mark.parametrize(
    ("user", "groups", "ends"),
    [
        ("kubernetes-admin", ("system:masters",), 365),
        ("system:node:w1", ("system:nodes", "other"), 1),
        ("küche", (), 36500),  # beyond 2050 a time has another form
        ("ended", (), -0.5),
    ],
)
def test_a_certificate_is_read_as_the_library_reads_it(user: str, groups: tuple[str, ...], ends: float) -> None:
    whole = made(user, *groups, ends=ends)
    der = whole.public_bytes(serialization.Encoding.DER)
    found = parse_certificate(der)
    assert (found.user, found.groups, found.issuer) == (user, groups, "kubernetes")
    assert found.serial == f"{whole.serial_number:x}"
    expected = pki.NOW.replace(microsecond=0).timestamp()
    assert (found.begins, found.ends) == (pytest.approx(expected - 86400, abs=1), int(expected + ends * 86400))
    assert fingerprint(der) == whole.fingerprint(hashes.SHA256()).hex()


def test_an_authority_is_read() -> None:
    found = parse_certificate(certificates(CA.crt.encode())[0])
    assert (found.user, found.issuer, found.groups) == ("kubernetes", "kubernetes", ())


def test_half_a_certificate_is_none() -> None:
    whole = certificates(CA.crt.encode())[0]
    for cut in range(200):
        with pytest.raises(DerError):
            parse_certificate(whole[:cut])


@pytest.mark.parametrize("flip", [1, 0x80, 0xFF])
def test_a_changed_byte_is_an_error_or_another_certificate(flip: int) -> None:
    whole = certificates(CA.crt.encode())[0]
    for at in range(200):
        with contextlib.suppress(DerError):
            parse_certificate(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :])


def test_several_certificates_in_one_file() -> None:
    assert len(certificates(f"a comment\n{CA.crt}{pki.issue('other').crt}".encode())) == 2
    assert certificates(b"no certificate") == []
    with pytest.raises(DerError, match="not in PEM"):
        certificates(b"-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n")
