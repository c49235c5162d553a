# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges certificates and keys: those that host_facts found on a host, and a CA that the user supplies.

Which certificate is signed by which CA: https://kubernetes.io/docs/setup/best-practices/certificates/
"""

from __future__ import annotations

import contextlib
import hashlib
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import ERROR, WARNING, Fault

# ansible-core needs it itself; only where ansible-test imports plugins one by one it is missing.
with contextlib.suppress(ImportError):
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.utils import CryptographyDeprecationWarning

KUBERNETES_FOLDER, ETCD_FOLDER = "/etc/kubernetes/pki", "/etc/etcd/pki"
KUBERNETES_CA = f"{KUBERNETES_FOLDER}/ca.crt"
FRONT_PROXY_CA = f"{KUBERNETES_FOLDER}/front-proxy-ca.crt"
STACKED_ETCD_CA = f"{KUBERNETES_FOLDER}/etcd/ca.crt"
ETCD_CA = f"{ETCD_FOLDER}/ca.crt"
ETCD_CA_KEY = f"{ETCD_FOLDER}/ca.key"
ETCD_PEER_CA = f"{ETCD_FOLDER}/peer-ca.crt"
ETCD_PEER = f"{ETCD_FOLDER}/peer.crt"
ETCD_CLIENT = f"{KUBERNETES_FOLDER}/apiserver-etcd-client.crt"
SERVICE_ACCOUNT_KEY = f"{KUBERNETES_FOLDER}/sa.pub"
AUTHORITIES = (KUBERNETES_CA, FRONT_PROXY_CA, STACKED_ETCD_CA, ETCD_CA, ETCD_PEER_CA)
# kubeadm's certificates: who signs each, and its name for "kubeadm certs renew".
KUBEADM_CERTIFICATES = {
    f"{KUBERNETES_FOLDER}/apiserver.crt": (KUBERNETES_CA, "apiserver"),
    f"{KUBERNETES_FOLDER}/apiserver-kubelet-client.crt": (KUBERNETES_CA, "apiserver-kubelet-client"),
    f"{KUBERNETES_FOLDER}/front-proxy-client.crt": (FRONT_PROXY_CA, "front-proxy-client"),
    ETCD_CLIENT: (STACKED_ETCD_CA, "apiserver-etcd-client"),
    f"{KUBERNETES_FOLDER}/etcd/server.crt": (STACKED_ETCD_CA, "etcd-server"),
    f"{KUBERNETES_FOLDER}/etcd/peer.crt": (STACKED_ETCD_CA, "etcd-peer"),
    f"{KUBERNETES_FOLDER}/etcd/healthcheck-client.crt": (STACKED_ETCD_CA, "etcd-healthcheck-client"),
}
READABLE_BY_OTHERS = 0o004
REPLACE_CA = "replace the CA: all that it signed is refused without it"


@dataclass(frozen=True)
class Certificate:
    """What is judged of a certificate.

    Attributes:
        begins: when it begins to be valid.
        ends: when it ceases to be.
        signs: whether it is a CA's.
        key: SHA-256 of its public key. A CA that is renewed keeps its key, and so remains the same CA.
        parsed: the certificate itself.
    """

    begins: datetime
    ends: datetime
    signs: bool
    key: str
    parsed: x509.Certificate

    def issued(self, other: Certificate) -> bool:
        """Whether it signed another certificate."""
        try:
            other.parsed.verify_directly_issued_by(self.parsed)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            return False
        return True


def _moment(certificate: x509.Certificate, name: str) -> datetime:
    """A moment of a certificate; cryptography has the one with a time zone since version 42."""
    found = getattr(certificate, f"{name}_utc", None)
    return found if found else getattr(certificate, name).replace(tzinfo=timezone.utc)


def _signs(certificate: x509.Certificate) -> bool:
    """Whether it is a CA's, as Go and so Kubernetes sees it."""
    try:
        if not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound as missing:
        return missing.oid == x509.KeyUsage.oid


def _key_hash(key: Any) -> str:
    """SHA-256 of a public key's DER form."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(serialization.Encoding.DER, form)).hexdigest()


@lru_cache(maxsize=1024)
def load_certificates(pem: str) -> tuple[Certificate, ...]:
    """The certificates of a PEM text, at least one.

    Raises:
        ValueError: where there is none or one cannot be read.
    """
    try:
        with warnings.catch_warnings():
            # kubeadm gave its CAs the serial number 0, of which cryptography warns.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            parsed = x509.load_pem_x509_certificates(pem.encode())
        return tuple(
            Certificate(
                _moment(one, "not_valid_before"),
                _moment(one, "not_valid_after"),
                _signs(one),
                _key_hash(one.public_key()),
                one,
            )
            for one in parsed
        )
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise ValueError("it holds no certificate that can be read") from error


def public_keys(pem: str) -> list[str]:
    """SHA-256 of the public key of each certificate of a PEM text; none where it cannot be read."""
    try:
        return [one.key for one in load_certificates(pem)] if pem else []
    except ValueError:
        return []


@lru_cache(maxsize=4)
def load_private_key(pem: str) -> str:
    """SHA-256 of a private key's public half.

    Raises:
        ValueError: saying why the key cannot be read, and nothing of the key.
    """
    try:
        return _key_hash(serialization.load_pem_private_key(pem.encode(), None).public_key())
    except TypeError:
        raise ValueError("it is encrypted, and there is no place for a passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("it holds no private key that can be read") from None


def _date(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def validity(
    name: str, found: Sequence[Certificate], advice: str, now: datetime, days: float, *, severity: str = ERROR
) -> Iterator[Fault]:
    """Whether the best certificate of a file is valid, and for how long.

    Args:
        name: what the file or variable is called.
        found: its certificates. A CA's file may hold the next CA beside the present one.
        advice: how the certificate is renewed.
        now: the present moment.
        days: how many days before its end a certificate is reported.
        severity: of a certificate that is not valid.
    """
    begun = [certificate for certificate in found if certificate.begins <= now]
    if not begun:
        begins = min(certificate.begins for certificate in found)
        # What a run would issue anew is left, because the clock may be what is wrong.
        remedy = f"remove it, and {advice}" if severity == WARNING else advice
        text = f"{name} is valid from {_date(begins)} on only; set the clock right, or {remedy}"
        yield Fault("certificate-early", text)
        return
    ends = max(certificate.ends for certificate in begun)
    if ends <= now:
        yield Fault("certificate-expired", f"{name} expired on {_date(ends)}; {advice}", severity=severity)
    elif ends - now < timedelta(days=days):
        text = f"{name} expires on {_date(ends)} (reported {days:g} days before, preflight_certificate_days); {advice}"
        yield Fault("certificate-expiring", text, severity=WARNING)


def no_authority(name: str, found: Sequence[Certificate]) -> Iterator[Fault]:
    """Whether a file or variable that is to hold a CA holds something else."""
    if not all(one.signs for one in found):
        yield Fault("ca-invalid", f"{name} is no CA's certificate; put the CA's there")


def supplied_authority(
    certificate: tuple[str, str], key: tuple[str, str], now: datetime, days: float
) -> Iterator[Fault]:
    """Judges a CA that variables hold.

    Args:
        certificate: the variable of the certificate, and its value.
        key: the variable of the private key, and its value.
        now: the present moment.
        days: how many days before its end a certificate is reported.
    """
    if not certificate[1] and not key[1]:
        return
    # A certificate alone is right where the certificates that it signed are supplied too.
    if not certificate[1]:
        yield Fault("value-invalid", f"{key[0]} is set, but {certificate[0]} is empty; set both or neither")
    belongs: list[set[str]] = []
    try:
        found = load_certificates(certificate[1]) if certificate[1] else ()
    except ValueError as error:
        yield Fault("pem-unreadable", f"{certificate[0]}: {error}; give the certificate as PEM text")
        found = ()
    if found:
        belongs.append({one.key for one in found})
        yield from no_authority(certificate[0], found)
        yield from validity(certificate[0], found, REPLACE_CA, now, days)
    if key[1]:
        try:
            belongs.append({load_private_key(key[1])})
        except ValueError as error:
            yield Fault("pem-unreadable", f"{key[0]}: {error}; give the key as PEM text, not encrypted")
    if len(belongs) == 2 and not belongs[0] & belongs[1]:
        yield Fault("key-mismatch", f"{key[0]} does not belong to {certificate[0]}; give the key of that certificate")


class HostPki:
    """A host's certificates and keys."""

    def __init__(self, facts: Sequence[Mapping[str, Any]], managed: Collection[str] = (), mended: bool = False) -> None:
        """Take what host_facts returned as pki.

        Args:
            facts: the files.
            managed: certificates that a role issues anew by itself where they are of no use.
            mended: whether a certificate of kubeadm is issued anew that cannot be read or does not belong to its key.
        """
        self.managed, self.mended = managed, mended
        self.facts = {str(fact["path"]): fact for fact in facts}
        self.certificates: dict[str, tuple[Certificate, ...]] = {}
        self.errors: dict[str, str] = {path: fact["error"] for path, fact in self.facts.items() if fact["error"]}
        for path, fact in self.facts.items():
            if fact["certificates"] and _issuer(path):
                try:
                    self.certificates[path] = load_certificates(fact["certificates"])
                except ValueError as error:
                    self.errors[path] = str(error)

    def identities(self, path: str) -> frozenset[str]:
        """What tells a CA or public key from another one; empty where there is none that can be read."""
        if path in self.certificates:
            return frozenset(certificate.key for certificate in self.certificates[path])
        return frozenset(self.facts.get(path, {}).get("public_keys", ()))

    def faults(self, now: datetime, days: float) -> Iterator[Fault]:
        """Everything that is wrong with them on this host."""
        for path in self.facts:
            if _known(path):
                yield from self._file(path)
        for path, found in self.certificates.items():
            judged, issuer = found[:1], _issuer(path)
            if path in AUTHORITIES:
                judged = found
                yield from no_authority(path, found)
            elif issuer in self.certificates and not chained(found, self.certificates[issuer]):
                advice = self._renewal(path)
                if path not in self.managed:
                    advice = f"put the CA back that signed it, or {advice}"
                text = f"{path} was not signed by {issuer}; {advice}"
                yield Fault("certificate-foreign", text, severity=self._severity(path))
            # What is renewed in time anyhow need not be announced.
            ahead = 0 if path in self.managed else days
            yield from validity(path, judged, self._renewal(path), now, ahead, severity=self._severity(path))
        yield from self._keys()

    def _severity(self, path: str) -> str:
        """How bad a certificate of no use is."""
        return WARNING if path in self.managed else ERROR

    def _renewal(self, path: str) -> str:
        """How a certificate is issued anew."""
        if path in self.managed:
            return "this run issues it anew"
        if path in AUTHORITIES:
            return REPLACE_CA
        name = KUBEADM_CERTIFICATES.get(path, ("", ""))[1]
        return f"renew it with kubeadm certs renew {name}" if name else "have it issued anew"

    def _repaired(self, path: str) -> bool:
        """Whether a certificate that is no CA's, or its key, is issued anew by itself."""
        certificate = f"{path.rpartition('.')[0]}.crt"
        if certificate in AUTHORITIES:
            return False
        authority = KUBEADM_CERTIFICATES.get(certificate, ("", ""))[0].rpartition(".")[0]
        signs = f"{authority}.key" in self.facts and f"{authority}.key" not in self.errors
        return certificate in self.managed or (self.mended and signs)

    def _file(self, path: str) -> Iterator[Fault]:
        """Whether a file can be read, by those who may."""
        fact = self.facts[path]
        if path in self.errors:
            repaired = self._repaired(path)
            advice = "this run issues it anew" if repaired else "restore it from a backup"
            text = f"{path} cannot be used: {self.errors[path]}; {advice}"
            yield Fault("pem-unreadable", text, severity=WARNING if repaired else ERROR)
        elif path.endswith(".key") and int(fact["mode"], 8) & READABLE_BY_OTHERS:
            text = f"{path} can be read by every user (mode {fact['mode']}); chmod 0600 {path}, and replace the key"
            yield Fault("key-exposed", text, severity=WARNING)

    def _keys(self) -> Iterator[Fault]:
        """Whether each key belongs to its certificate or public key."""
        unchecked = False
        for path, fact in self.facts.items():
            if not path.endswith(".key") or not _known(path) or path in self.errors:
                continue
            if not fact["public_keys"]:
                unchecked = True
                continue
            stem = path[: -len(".key")]
            for half in (f"{stem}.crt", f"{stem}.pub"):
                expected = {one.key for one in self.certificates.get(half, ())}
                expected |= set(self.facts[half]["public_keys"]) if half in self.facts else set()
                if expected and not expected & set(fact["public_keys"]):
                    repaired = self._repaired(path)
                    advice = "this run issues both anew" if repaired else f"put back the key that {half} was made with"
                    text = f"{path} does not belong to {half}; {advice}"
                    yield Fault("key-mismatch", text, severity=WARNING if repaired else ERROR)
        if unchecked:
            text = "openssl is missing, so it is not known whether keys belong to their certificates; install it"
            yield Fault("key-unchecked", text, severity=WARNING)


def _issuer(path: str) -> str:
    """The CA that a certificate's file must be signed by, itself for a CA; empty for a file that is not known."""
    if path in AUTHORITIES:
        return path
    if path == ETCD_PEER:
        return ETCD_PEER_CA
    if path.startswith(f"{ETCD_FOLDER}/") and path.endswith(".crt"):
        return ETCD_CA
    return KUBEADM_CERTIFICATES.get(path, ("", ""))[0]


def _known(path: str) -> bool:
    """Whether the cluster uses a file; others in the folders are the user's own."""
    stem = path.rpartition(".")[0]
    return bool(_issuer(f"{stem}.crt")) or f"{stem}.pub" == SERVICE_ACCOUNT_KEY


def chained(found: Sequence[Certificate], authorities: Sequence[Certificate]) -> bool:
    """Whether the first certificate leads to one of the CAs, directly or by the others that stand after it."""
    current, between = found[0], list(found[1:])
    while not any(one.issued(current) for one in authorities):
        step = next((one for one in between if one.issued(current)), None)
        if step is None:
            return False
        between.remove(step)
        current = step
    return True


def differing(identities: Mapping[str, frozenset[str]]) -> list[list[str]]:
    """Groups of holders that share no CA with each other; one group where all agree.

    A CA's file may hold the next CA beside the present one, so one that two files share is enough.
    """
    groups: list[tuple[set[str], list[str]]] = []
    for holder, found in identities.items():
        if not found:
            continue
        common, holders = set(found), [holder]
        for group in [group for group in groups if group[0] & found]:
            groups.remove(group)
            common |= group[0]
            holders = group[1] + holders
        groups.append((common, holders))
    return [holders for _common, holders in groups]
