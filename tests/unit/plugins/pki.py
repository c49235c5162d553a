"""Certificates and keys of every kind for the tests, made on the spot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = datetime.now(timezone.utc)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def crt(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def pem(self) -> str:
        return private(self.key)

    @property
    def pub(self) -> str:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def private(key: ec.EllipticCurvePrivateKey, passphrase: bytes = b"") -> str:
    """A private key as PEM."""
    hidden = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8 if passphrase else serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, hidden).decode()


@lru_cache
def new_key(name: str) -> ec.EllipticCurvePrivateKey:
    """A key of that name, the same each time."""
    assert name
    return ec.generate_private_key(ec.SECP256R1())


def issue(
    name: str,
    issuer: Pair | None = None,
    *,
    ca: bool | None = None,
    days: float = 365,
    since: float = -1,
    key: str = "",
    signs: bool = True,
) -> Pair:
    """A certificate, self-signed unless an issuer is given.

    Args:
        name: its common name.
        issuer: who signs it.
        ca: whether it is a CA's; by default one without an issuer is.
        days: how long from now on it is valid.
        since: days from now to its beginning.
        key: the name of its key; by default its own.
        signs: whether a CA may sign certificates.
    """
    own = new_key(key or name)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    authority = ca if ca is not None else issuer is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=since))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key((issuer.key if issuer else own).public_key()),
            critical=False,
        )
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_encipherment=True,
                key_cert_sign=authority and signs,
                crl_sign=False,
                content_commitment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    return Pair(builder.sign(issuer.key if issuer else own, hashes.SHA256()), own)
