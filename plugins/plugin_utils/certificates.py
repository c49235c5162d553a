# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What speaks against a certificate, and where the authority that signs certificates comes from."""

from __future__ import annotations

import contextlib
import datetime
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Mapping, Optional, Set

from ansible_collections.groundwork.kubernetes.plugins.module_utils._addresses import normal

# ansible-core needs it itself; only where ansible-test imports plugins one by one it is missing.
with contextlib.suppress(ImportError):
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

# Extended key usages by name (RFC 5280, 4.2.1.12).
USAGES = {"serverAuth": "1.3.6.1.5.5.7.3.1", "clientAuth": "1.3.6.1.5.5.7.3.2"}
END = "-----END CERTIFICATE-----"
KEY_FAULTS = {
    "absent": "its key is missing",
    "mismatch": "its key belongs to another certificate",
    "exposed": "its key belongs to another user, or others may read it",
}


class CertificateError(ValueError):
    """A text that is no certificate or no key."""


def load(text: str) -> List[x509.Certificate]:
    """The certificates in a text.

    Raises:
        CertificateError: if there is one that cannot be read.
    """
    found = []
    for part in text.split(END)[:-1]:
        try:
            found.append(x509.load_pem_x509_certificate((part.strip() + f"\n{END}\n").encode()))
        except ValueError as error:  # noqa: PERF203  a bundle holds a few
            raise CertificateError(f"a certificate cannot be read: {error}") from error
    if text.strip() and not found:
        raise CertificateError("the text holds no certificate in PEM form")
    return found


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def _moment(certificate: x509.Certificate, name: str) -> datetime.datetime:
    """A moment of a certificate; cryptography has the one with a time zone since version 42."""
    found: Optional[datetime.datetime] = getattr(certificate, f"{name}_utc", None)
    return found or getattr(certificate, name).replace(tzinfo=datetime.timezone.utc)


def days_left(certificate: x509.Certificate) -> float:
    """How long a certificate is still good."""
    return (_moment(certificate, "not_valid_after") - _now()).total_seconds() / 86400


def has_begun(certificate: x509.Certificate) -> bool:
    """Whether a certificate is not one of the future."""
    return _moment(certificate, "not_valid_before") <= _now()


def _early(certificate: x509.Certificate) -> str:
    return f"is valid from {_moment(certificate, 'not_valid_before'):%Y-%m-%d %H:%M} UTC on only"


def signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether an authority signed a certificate."""
    key, signature = authority.public_key(), certificate.signature
    body, algorithm = certificate.tbs_certificate_bytes, certificate.signature_hash_algorithm
    try:
        if isinstance(key, ec.EllipticCurvePublicKey) and algorithm is not None:
            key.verify(signature, body, ec.ECDSA(algorithm))
        elif isinstance(key, rsa.RSAPublicKey) and algorithm is not None:
            key.verify(signature, body, padding.PKCS1v15(), algorithm)
        else:
            key.verify(signature, body)  # type: ignore[union-attr,call-arg]  # Ed25519 and Ed448
    except (InvalidSignature, TypeError, AttributeError, ValueError):
        return False
    return certificate.issuer == authority.subject


def alternative_names(certificate: x509.Certificate) -> Set[str]:
    """The names and addresses that a certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    addresses = names.get_values_for_type(x509.IPAddress)
    return {*names.get_values_for_type(x509.DNSName), *(normal(str(address)) for address in addresses)}


def usages(certificate: x509.Certificate) -> Set[str]:
    """What a certificate may be used for; nothing stands for everything."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        return {usage.dotted_string for usage in extension.value}
    except x509.ExtensionNotFound:
        return set(USAGES.values())


def certificate_faults(
    text: str, *, authority: str, names: Iterable[str], key: str, renew_days: float, needed: Iterable[str], exact: bool
) -> List[str]:
    """Everything that speaks against a certificate.

    Args:
        text: the certificate, PEM; empty where there is none.
        authority: the certificates of which one must have signed it, PEM.
        names: names and addresses that it must be for.
        key: the state of its key, as the module etcd_host_info tells it.
        renew_days: how many days it must still be good.
        needed: what it must be good for: serverAuth, clientAuth.
        exact: whether further names are a fault.
    """
    if not text.strip():
        return ["there is no certificate"]
    try:
        certificate = load(text)[0]
    except CertificateError as error:
        return [str(error)]
    faults = [KEY_FAULTS[key]] if key in KEY_FAULTS else []
    left = days_left(certificate)
    if left < renew_days:
        faults.append(f"it ends in {left:.0f} days" if left > 0 else f"it ended {-left:.0f} days ago")
    if not has_begun(certificate):
        faults.append(f"it {_early(certificate)}")
    wanted, has = {normal(name) for name in names}, alternative_names(certificate)
    if wanted - has:
        faults.append(f"it is not for {', '.join(sorted(wanted - has))}")
    if exact and has - wanted:
        faults.append(f"it is also for {', '.join(sorted(has - wanted))}")
    lacking = [name for name in needed if USAGES[name] not in usages(certificate)]
    if lacking:
        faults.append(f"it is not good for {' and '.join(lacking)}")
    if authority.strip() and not any(signed_by(certificate, one) for one in load(authority)):
        faults.append("it is signed by another authority")
    return faults


@dataclass(frozen=True)
class Authority:
    """Where certificates are signed.

    mode is own (the role made it), given (the user gives certificate and key) or provided (there is no key: the user
    brings all certificates). maker is the host that makes the certificate because of reason, holder one that has the
    key and the certificate, lacking those that have not.
    """

    mode: str
    certificate: str = ""
    issuer: str = ""
    maker: str = ""
    reason: str = ""
    holder: str = ""
    lacking: List[str] = field(default_factory=list)
    faults: List[str] = field(default_factory=list)

    def describe(self) -> Dict[str, Any]:
        """As a filter returns it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def plan_authority(
    hosts: Mapping[str, Mapping[str, Any]], *, certificate: str, key: str, renew_days: float, complete: bool
) -> Authority:
    """Which authority signs, and which hosts lack it.

    Args:
        hosts: what etcd_host_info told of each member's host.
        certificate: the user's, PEM, or empty.
        key: the user's, PEM, or empty.
        renew_days: how many days an authority must still be good.
        complete: whether these are all members' hosts.
    """
    try:
        if certificate.strip():
            return _given(hosts, certificate, key)
        if key.strip():
            return Authority("given", faults=["etcd_ca_key is set without etcd_ca_certificate; set both or neither"])
        keys = [host for host, info in hosts.items() if info.get("ca_key", "absent") not in ("", "absent")]
        texts = [info["ca_certificate"] for info in hosts.values() if info.get("ca_certificate", "").strip()]
        if not keys and texts:
            return _provided(hosts, texts[0])
        return _own(hosts, renew_days, complete=complete)
    except CertificateError as error:
        return Authority("own", faults=[f"the CA of etcd: {error}"])


def _given(hosts: Mapping[str, Mapping[str, Any]], certificate: str, key: str) -> Authority:
    bundle = load(certificate)
    faults = [f"etcd_ca_certificate: {one.subject.rfc4514_string()} has ended" for one in bundle if days_left(one) <= 0]
    # The next CA may stand beside the present one before it begins, but neither alone nor as the one that signs.
    if not any(has_begun(one) for one in bundle):
        faults.append(f"etcd_ca_certificate: {bundle[0].subject.rfc4514_string()} {_early(bundle[0])}")
    for host, info in hosts.items():
        member = load(info.get("certificate", ""))[:1]
        # A member that trusts nobody who knows its peers would be cut off.
        if info.get("data") and member and not any(signed_by(member[0], one) for one in bundle):
            faults.append(
                f"etcd_ca_certificate: the certificate of the member {host} is signed by none of these; to change the "
                "CA of a cluster that runs, give the old and the new certificate first, one below the other"
            )
    lacking = [host for host, info in hosts.items() if not same(info.get("ca_certificate", ""), certificate)]
    if not key.strip():
        return Authority("provided", certificate, lacking=lacking, faults=faults)
    issuer = _issuer(bundle, key)
    if issuer is None:
        faults.append("etcd_ca_key: it is the key of none of the certificates in etcd_ca_certificate")
    elif not has_begun(issuer) and any(has_begun(one) for one in bundle):
        faults.append(f"etcd_ca_key: its certificate {_early(issuer)}; give the key of the present CA until then")
    text = issuer.public_bytes(serialization.Encoding.PEM).decode() if issuer else ""
    return Authority("given", certificate, issuer=text, lacking=lacking, faults=faults)


def _issuer(bundle: List[x509.Certificate], key: str) -> Optional[x509.Certificate]:
    """The certificate of a private key."""
    try:
        public = serialization.load_pem_private_key(key.encode(), password=None).public_key()
    except (ValueError, TypeError) as error:
        raise CertificateError(f"etcd_ca_key cannot be read, or has a passphrase ({type(error).__name__})") from error
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return next((one for one in bundle if one.public_key().public_bytes(*form) == public.public_bytes(*form)), None)


def _provided(hosts: Mapping[str, Mapping[str, Any]], certificate: str) -> Authority:
    lacking = [host for host, info in hosts.items() if not info.get("ca_certificate", "").strip()]
    return Authority("provided", certificate, lacking=lacking)


def _own(hosts: Mapping[str, Mapping[str, Any]], renew_days: float, *, complete: bool) -> Authority:
    keys = [host for host, info in hosts.items() if info.get("ca_key", "absent") not in ("", "absent")]
    having = [host for host, info in hosts.items() if info.get("ca_certificate", "").strip()]
    certificates = {host: load(hosts[host]["ca_certificate"])[0] for host in having}
    publics = {
        one.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        for one in certificates.values()
    }
    if len(publics) > 1:
        names = ", ".join(having)
        fault = f"the hosts {names} have different CAs; keep one, and remove ca.crt and ca.key of the others"
        return Authority("own", faults=[fault])
    broken = [host for host in keys if hosts[host].get("ca_key") == "mismatch"]
    if broken:
        names = ", ".join(broken)
        return Authority("own", faults=[f"ca.key is not the key of ca.crt on {names}; remove both files there"])
    if not having and not keys and not complete:
        return Authority("own", faults=["no host of this run has the CA of etcd, and others may: run without --limit"])
    if not having and not keys and any(info.get("data") for info in hosts.values()):
        return Authority(
            "own",
            faults=[
                "the CA of etcd is gone from all hosts: restore ca.crt and ca.key from a backup, or set "
                "etcd_ca_certificate and etcd_ca_key"
            ],
        )
    # A key without a certificate is what an interrupted run left.
    holders = [host for host in keys if host in having] or keys
    newest = max(having, key=lambda host: (has_begun(certificates[host]), days_left(certificates[host])), default="")
    text = hosts[newest]["ca_certificate"] if newest else ""
    reason = "" if newest else "there is none"
    if newest and days_left(certificates[newest]) < renew_days:
        reason = f"it ends in {days_left(certificates[newest]):.0f} days"
    elif newest and not has_begun(certificates[newest]):
        reason = f"it {_early(certificates[newest])}"
    lacking = [host for host in hosts if host not in keys or not same(hosts[host].get("ca_certificate", ""), text)]
    holder = next((host for host in holders if host not in lacking), holders[0] if holders else "")
    return Authority(
        "own",
        text,
        maker=(holder or next(iter(hosts), "")) if reason else "",
        reason=reason,
        holder=holder,
        lacking=list(hosts) if reason else lacking,
    )


def same(one: str, other: str) -> bool:
    """Whether two texts hold the same certificates."""
    return one.split() == other.split()
