# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What speaks against a certificate, and where the authority that signs certificates comes from."""

from __future__ import annotations

import contextlib
import datetime
from dataclasses import dataclass, field
from typing import Any, Collection, Dict, Iterable, List, Mapping, Optional, Set

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import normal

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

    mode is own (the role made it), given (the user gives certificate and key), provided (there is no key: the user
    brings all certificates) or shared (peers use the authority of the clients). maker is the host that makes the
    certificate because of reason, holder one that has the key and the certificate, lacking those without the
    certificate, keyless those that are to have the key and do not, surplus those that have it and are not to. reads are
    the files that others are given, each with the host that has it.
    """

    mode: str
    certificate: str = ""
    issuer: str = ""
    maker: str = ""
    reason: str = ""
    holder: str = ""
    lacking: List[str] = field(default_factory=list)
    keyless: List[str] = field(default_factory=list)
    surplus: List[str] = field(default_factory=list)
    reads: List[Dict[str, str]] = field(default_factory=list)
    faults: List[str] = field(default_factory=list)

    @property
    def signer(self) -> str:
        """The host that signs; none where the user's key does, or nobody."""
        return self.maker or self.holder

    def describe(self) -> Dict[str, Any]:
        """As a filter returns it."""
        return {name: getattr(self, name) for name in (*self.__dataclass_fields__, "signer")}


@dataclass(frozen=True)
class Request:
    """What is asked of an authority.

    Attributes:
        certificate: the user's, PEM, or empty.
        key: the user's, PEM, or empty.
        renew_days: how many days it must still be good.
        complete: whether all members' hosts are known.
        holders: the hosts that keep its key.
        peers: whether it is that of the members among themselves, not that of the clients.
    """

    certificate: str = ""
    key: str = ""
    renew_days: float = 0
    complete: bool = True
    holders: Collection[str] = ()
    peers: bool = False

    @property
    def variable(self) -> str:
        """The beginning of the names of its variables."""
        return "etcd_peer_ca" if self.peers else "etcd_ca"

    @property
    def file(self) -> str:
        """The beginning of the names of its files."""
        return "peer-ca" if self.peers else "ca"

    @property
    def title(self) -> str:
        """What it is called."""
        return "the CA of etcd's peers" if self.peers else "the CA of etcd"


Hosts = Mapping[str, Mapping[str, Any]]


def plan_authority(hosts: Hosts, request: Request) -> Authority:
    """Which authority signs, and which hosts lack it.

    Args:
        hosts: what etcd_host_info returned of each member's host.
        request: what is asked.
    """
    try:
        if request.certificate.strip():
            return _given(hosts, request)
        if request.key.strip():
            fault = f"{request.variable}_key is set without {request.variable}_certificate; set both or neither"
            return Authority("given", faults=[fault])
        texts = [info["ca_certificate"] for info in hosts.values() if info.get("ca_certificate", "").strip()]
        if not _having_key(hosts) and texts:
            return _provided(hosts, texts[0])
        return _own(hosts, request)
    except CertificateError as error:
        return Authority("own", faults=[f"{request.title}: {error}"])


def plan_peers(hosts: Hosts, request: Request, clients: Authority) -> Authority:
    """Which authority signs the peers' certificates: one of their own, unless the cluster was begun with one for both.

    The hosts tell: a member that has begun without the peers' files uses the clients'. To change that while it runs
    would take several restarts of each member.

    Args:
        hosts: what etcd_host_info returned of each member's host.
        request: what is asked.
        clients: the authority of the clients.
    """
    names = ("certificate", "key", "ca_certificate", "ca_key")
    peers = {host: {**info, **{name: info.get(f"peer_{name}", "") for name in names}} for host, info in hosts.items()}
    there = _having_key(peers) or any(info["certificate"] or info["ca_certificate"] for info in peers.values())
    begun = [host for host, info in hosts.items() if info.get("data")]
    if not there and begun:
        fault = (
            f"{request.variable}_certificate: the members {', '.join(begun)} have begun with one CA for clients and "
            "peers, and that stays. Leave the variable empty"
        )
        return Authority("shared", faults=[fault] if request.certificate.strip() else [])
    if not there and not request.certificate.strip() and clients.mode != "own":
        return Authority("shared")
    return plan_authority(peers, request)


def _having_key(hosts: Hosts) -> List[str]:
    return [host for host, info in hosts.items() if info.get("ca_key", "absent") not in ("", "absent")]


def _given(hosts: Hosts, request: Request) -> Authority:
    certificate, variable = request.certificate, f"{request.variable}_certificate"
    bundle = load(certificate)
    faults = [f"{variable}: {one.subject.rfc4514_string()} has ended" for one in bundle if days_left(one) <= 0]
    # The next CA may stand beside the present one before it begins, but neither alone nor as the one that signs.
    if not any(has_begun(one) for one in bundle):
        faults.append(f"{variable}: {bundle[0].subject.rfc4514_string()} {_early(bundle[0])}")
    for host, info in hosts.items():
        member = load(info.get("certificate", ""))[:1]
        # A member that trusts nobody who knows its peers would be cut off.
        if info.get("data") and member and not any(signed_by(member[0], one) for one in bundle):
            faults.append(
                f"{variable}: the certificate of the member {host} is signed by none of these; to change the "
                "CA of a cluster that runs, give the old and the new certificate first, one below the other"
            )
    lacking = [host for host, info in hosts.items() if not same(info.get("ca_certificate", ""), certificate)]
    if not request.key.strip():
        return Authority("provided", certificate, lacking=lacking, faults=faults)
    issuer = _issuer(bundle, request)
    if issuer is None:
        faults.append(f"{request.variable}_key: it is the key of none of the certificates in {variable}")
    elif not has_begun(issuer) and any(has_begun(one) for one in bundle):
        faults.append(
            f"{request.variable}_key: its certificate {_early(issuer)}; give the key of the present CA until then"
        )
    text = issuer.public_bytes(serialization.Encoding.PEM).decode() if issuer else ""
    return Authority("given", certificate, issuer=text, lacking=lacking, faults=faults)


def _issuer(bundle: List[x509.Certificate], request: Request) -> Optional[x509.Certificate]:
    """The certificate of a private key."""
    try:
        public = serialization.load_pem_private_key(request.key.encode(), password=None).public_key()
    except (ValueError, TypeError) as error:
        fault = f"{request.variable}_key cannot be read, or has a passphrase ({type(error).__name__})"
        raise CertificateError(fault) from error
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return next((one for one in bundle if one.public_key().public_bytes(*form) == public.public_bytes(*form)), None)


def _provided(hosts: Hosts, certificate: str) -> Authority:
    lacking = [host for host, info in hosts.items() if not info.get("ca_certificate", "").strip()]
    return Authority("provided", certificate, lacking=lacking)


def _own(hosts: Hosts, request: Request) -> Authority:
    keys = _having_key(hosts)
    having = [host for host, info in hosts.items() if info.get("ca_certificate", "").strip()]
    certificates = {host: load(hosts[host]["ca_certificate"])[0] for host in having}
    publics = {
        one.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        for one in certificates.values()
    }
    pair = f"{request.file}.crt and {request.file}.key"
    if len(publics) > 1:
        fault = f"the hosts {', '.join(having)} have different CAs; keep one, and remove {pair} of the others"
        return Authority("own", faults=[fault])
    broken = [host for host in keys if hosts[host].get("ca_key") == "mismatch"]
    if broken:
        fault = f"{request.file}.key is not the key of {request.file}.crt on {', '.join(broken)}; remove both there"
        return Authority("own", faults=[fault])
    wanted = [host for host in hosts if host in request.holders]
    if not having and not keys:
        fault = _no_beginning(hosts, request, wanted, pair)
        if fault:
            return Authority("own", faults=[fault])
    # A key without a certificate is what an interrupted run left.
    holders = [host for host in keys if host in having] or keys
    newest = max(having, key=lambda host: (has_begun(certificates[host]), days_left(certificates[host])), default="")
    text = hosts[newest]["ca_certificate"] if newest else ""
    reason = "" if newest else "there is none"
    if newest and days_left(certificates[newest]) < request.renew_days:
        reason = f"it ends in {days_left(certificates[newest]):.0f} days"
    elif newest and not has_begun(certificates[newest]):
        reason = f"it {_early(certificates[newest])}"
    lacking = [host for host in hosts if not same(hosts[host].get("ca_certificate", ""), text)]
    holder = next((host for host in holders if host not in lacking), holders[0] if holders else "")
    # A key is removed only where another host, which is to keep it, has it already.
    proven = any(hosts[host].get("ca_key") == "ok" for host in wanted)
    maker = (holder or next(iter(wanted), "")) if reason else ""
    keyless = [host for host in wanted if host not in keys and host != maker]
    files = ([f"{request.file}.crt"] if reason else []) + ([f"{request.file}.key"] if keyless else [])
    return Authority(
        "own",
        text,
        maker=maker,
        reason=reason,
        holder=holder,
        lacking=list(hosts) if reason else lacking,
        keyless=keyless,
        surplus=[host for host in keys if host not in wanted and proven],
        reads=[{"file": name, "host": maker or holder} for name in files],
    )


def _no_beginning(hosts: Hosts, request: Request, wanted: List[str], pair: str) -> str:
    """Why no authority can be made where there is none."""
    if not request.complete:
        return f"no host of this run has {request.title}, and others may: run without --limit"
    if any(info.get("data") for info in hosts.values()):
        return (
            f"{request.title} is gone from all hosts: restore {pair} from a backup, or set "
            f"{request.variable}_certificate and {request.variable}_key"
        )
    return "" if wanted else f"etcd_ca_hosts names none of etcd_hosts, so no host keeps the key of {request.title}"


def same(one: str, other: str) -> bool:
    """Whether two texts hold the same certificates."""
    return one.split() == other.split()
