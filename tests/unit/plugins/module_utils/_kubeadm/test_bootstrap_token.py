"""Bootstrap tokens, and the pins of certificates as OpenSSL computes them."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.bootstrap_token import (
    Token,
    TokenError,
    ca_hashes,
    new_token,
    parse_ttl,
    public_key_hash,
    read_cluster,
    token_manifest,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

KEYS: list[CertificateIssuerPrivateKeyTypes] = [
    rsa.generate_private_key(public_exponent=65537, key_size=2048),
    ec.generate_private_key(ec.SECP256R1()),
]


def authority(key: CertificateIssuerPrivateKeyTypes) -> tuple[x509.Certificate, str]:
    """A self-signed certificate and its pin."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubernetes")])
    start = datetime(2026, 11, 22, tzinfo=timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(2**150 + 1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return certificate, "sha256:" + hashlib.sha256(spki).hexdigest()


@pytest.mark.parametrize("key", KEYS, ids=["rsa", "ecdsa"])
def test_public_key_hash(key: CertificateIssuerPrivateKeyTypes) -> None:
    certificate, pin = authority(key)
    assert public_key_hash(certificate.public_bytes(serialization.Encoding.DER)) == pin


def test_ca_hashes_of_a_bundle() -> None:
    certificates, pins = zip(*(authority(key) for key in KEYS), strict=True)
    bundle = b"# comment\n" + b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)
    assert ca_hashes(bundle) == list(pins)


@pytest.mark.parametrize("certificate", [b"", b"\x30", b"\x30\x03\x02\x01\x01", b"\x30\x84\xff\xff\xff\xff", b"junk"])
def test_no_certificate(certificate: bytes) -> None:
    with pytest.raises(TokenError, match=r"no X\.509 certificate"):
        public_key_hash(certificate)


def test_no_pem() -> None:
    with pytest.raises(TokenError, match="holds no certificate"):
        ca_hashes(b"")


def test_new_token() -> None:
    tokens = {str(new_token()) for _number in range(50)}
    assert len(tokens) == 50
    assert all(re.fullmatch("[a-z0-9]{6}[.][a-z0-9]{16}", token) for token in tokens)


@pytest.mark.parametrize(("ttl", "seconds"), [("30m", 1800), ("1h30m", 5400), ("90s", 90), ("24h0m0s", 86400)])
def test_parse_ttl(ttl: str, seconds: int) -> None:
    assert parse_ttl(ttl) == timedelta(seconds=seconds)


@pytest.mark.parametrize("ttl", ["", "0s", "30", "half an hour", "1d", "-5m", "5m "])
def test_no_ttl(ttl: str) -> None:
    with pytest.raises(TokenError, match="write a time above zero"):
        parse_ttl(ttl)


def test_token_manifest() -> None:
    manifest = token_manifest(Token("abcdef", "0123456789abcdef"), datetime(2026, 11, 22, 5, 20, 1), "why")
    assert manifest["metadata"] == {"name": "bootstrap-token-abcdef", "namespace": "kube-system"}
    assert manifest["type"] == "bootstrap.kubernetes.io/token"
    assert manifest["stringData"] == {
        "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
        "description": "why",
        "expiration": "2026-11-22T05:20:01Z",
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
        "usage-bootstrap-authentication": "true",
        "usage-bootstrap-signing": "true",
    }


def test_read_cluster() -> None:
    certificate, pin = authority(KEYS[1])
    data = base64.b64encode(certificate.public_bytes(serialization.Encoding.PEM)).decode()
    kubeconfig = {"clusters": [{"cluster": {"server": "https://[::1]:6443/", "certificate-authority-data": data}}]}
    assert read_cluster(kubeconfig) == ("[::1]:6443", [pin])


@pytest.mark.parametrize("kubeconfig", [{}, {"clusters": None}, {"clusters": []}, {"clusters": [{"cluster": {}}]}])
def test_cluster_info_is_missing(kubeconfig: dict[str, Any]) -> None:
    with pytest.raises(TokenError, match="kubeadm init phase bootstrap-token"):
        read_cluster(kubeconfig)
