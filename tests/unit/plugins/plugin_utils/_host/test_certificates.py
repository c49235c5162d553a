"""What speaks against a certificate, and which authority signs: with real certificates."""

from __future__ import annotations

import datetime
import ipaddress
import re
from dataclasses import dataclass
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.certificate_faults import certificate_faults
from ansible_collections.groundwork.kubernetes.plugins.filter.etcd_authority import etcd_authority
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

USES = {"serverAuth": ExtendedKeyUsageOID.SERVER_AUTH, "clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH}
BOTH = ["serverAuth", "clientAuth"]
NAMES = ["h1", "10.0.0.1"]


@dataclass
class Signed:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return self.key.private_bytes(*form).decode()


def sign(
    name: str,
    by: Signed | None = None,
    days: float = 1000,
    *,
    names: list[str] = (),  # type: ignore[assignment]
    uses: list[str] = (),  # type: ignore[assignment]
    key: Any = None,
    since: float = -2000,
) -> Signed:
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days, minutes=1)
    builder = x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=by.certificate.subject if by else subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=min(datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=since), end),
        not_valid_after=end,
    )
    if names:
        parts = [
            x509.IPAddress(ipaddress.ip_address(one)) if "." in one or ":" in one else x509.DNSName(one)
            for one in names
        ]
        builder = builder.add_extension(x509.SubjectAlternativeName(parts), critical=False)
    if uses:
        builder = builder.add_extension(x509.ExtendedKeyUsage([USES[one] for one in uses]), critical=False)
    return Signed(builder.sign(by.key if by else key, hashes.SHA256()), key)


EARLY = f"is valid from {datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=2):%Y-%m-%d}"
CA, OTHER = sign("ca"), sign("ca")
NEXT = sign("ca", days=9000, since=2)
MEMBER = sign("h1", CA, names=NAMES, uses=BOTH)


def judge(certificate: str, **options: Any) -> list[str]:
    given = {
        "authority": CA.pem,
        "names": NAMES,
        "renew_days": 30,
        "usages": BOTH,
        "exact": True,
        "key": "ok",
        **options,
    }
    return certificate_faults(certificate, **given)


@pytest.mark.parametrize(
    ("certificate", "options", "faults"),
    [
        (MEMBER.pem, {}, []),
        ("", {}, ["there is no certificate"]),
        ("nonsense", {}, ["the text holds no certificate in PEM form"]),
        (MEMBER.pem, {"key": "absent"}, ["its key is missing"]),
        (MEMBER.pem, {"key": "mismatch"}, ["its key belongs to another certificate"]),
        (sign("h1", CA, 20, names=NAMES, uses=BOTH).pem, {}, ["it ends in 20 days"]),
        (sign("h1", CA, 20, names=NAMES, uses=BOTH).pem, {"renew_days": 10}, []),
        (sign("h1", CA, -3, names=NAMES, uses=BOTH).pem, {}, ["it ended 3 days ago"]),
        (sign("h1", CA, names=NAMES, uses=BOTH, since=2).pem, {}, [f"it {EARLY}"]),
        (sign("h1", CA, 20, names=NAMES, uses=BOTH, since=2).pem, {}, ["it ends in 20 days", f"it {EARLY}"]),
        (MEMBER.pem, {"names": ["h1", "10.0.0.2"]}, ["it is not for 10.0.0.2", "it is also for 10.0.0.1"]),
        (MEMBER.pem, {"names": ["h1"], "exact": False}, []),
        (sign("h1", CA, names=["2001:db8::1"], uses=BOTH).pem, {"names": ["2001:0db8:0::1"]}, []),
        (sign("h1", CA, names=["::ffff:192.0.2.9"], uses=BOTH).pem, {"names": ["::FFFF:192.0.2.9"], "exact": True}, []),
        (sign("h1", CA, names=["192.0.2.9"], uses=BOTH).pem, {"names": ["::FFFF:192.0.2.9"], "exact": True}, []),
        (sign("h1", CA, names=NAMES, uses=["serverAuth"]).pem, {}, ["it is not good for clientAuth"]),
        (sign("h1", CA, names=NAMES).pem, {}, []),
        (sign("h1", CA, uses=BOTH).pem, {"names": []}, []),
        # Of the same name, but another key.
        (sign("h1", OTHER, names=NAMES, uses=BOTH).pem, {}, ["it is signed by another authority"]),
        (sign("h1", OTHER, names=NAMES, uses=BOTH).pem, {"authority": CA.pem + OTHER.pem}, []),
        (sign("h1", OTHER, names=NAMES, uses=BOTH).pem, {"authority": ""}, []),
    ],
)  # fmt: skip
def test_certificate(certificate: str, options: dict[str, Any], faults: list[str]) -> None:
    assert [re.sub(r" \d\d:\d\d UTC on only$", "", fault) for fault in judge(certificate, **options)] == faults


def test_an_rsa_authority() -> None:
    ca = sign("rsa", key=rsa.generate_private_key(65537, 2048))
    assert judge(sign("h1", ca, names=NAMES, uses=BOTH).pem, authority=ca.pem) == []


def test_a_renewed_authority_with_the_same_key_still_fits() -> None:
    assert judge(MEMBER.pem, authority=sign("ca", days=9000, key=CA.key).pem) == []


def test_wrong_usage() -> None:
    with pytest.raises(AnsibleFilterError, match="not codeSigning"):
        judge(MEMBER.pem, usages=["codeSigning"])


# Where certificates are signed


def host(ca: str = "", key: str = "absent", **changes: Any) -> dict[str, Any]:
    return {"ca_certificate": ca, "ca_key": key, "certificate": "", "data": False, **changes}


WITH = host(CA.pem, "ok")
BARE = host()


def authority(seen: dict[str, dict[str, Any]], unseen: list[str] = (), **options: Any) -> dict[str, Any]:  # type: ignore[assignment]
    hostvars = {name: {"info": info} for name, info in seen.items()} | {name: {} for name in unseen}
    return etcd_authority(list(hostvars), hostvars, register="info", play_hosts=list(seen), **options)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        # Nothing yet, and the leftover of an interrupted run: a key without a certificate.
        (
            {"a": BARE, "b": BARE},
            {
                "maker": "a",
                "reason": "there is none",
                "lacking": ["a", "b"],
                "keyless": ["b"],
                "reads": [{"file": "ca.crt", "host": "a"}, {"file": "ca.key", "host": "a"}],
            },
        ),
        ({"a": BARE, "b": host(key="ok")}, {"maker": "b", "holder": "b", "lacking": ["a", "b"], "keyless": ["a"]}),
        # Everybody has it; a new host lacks it; a host lost its key.
        ({"a": WITH, "b": WITH}, {"holder": "a", "signer": "a", "lacking": [], "keyless": [], "reads": []}),
        ({"a": BARE, "b": WITH}, {"holder": "b", "lacking": ["a"], "reads": [{"file": "ca.key", "host": "b"}]}),
        ({"a": host(CA.pem), "b": WITH}, {"holder": "b", "lacking": [], "keyless": ["a"]}),
    ],
)
def test_own(seen: dict[str, dict[str, Any]], expected: dict[str, Any]) -> None:
    found = authority(seen, holders=["a", "b"])
    assert (found["mode"], found["faults"], found["surplus"]) == ("own", [], [])
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("seen", "holders", "expected"),
    [
        # Only the host that keeps the key makes it, and nobody is given it.
        (
            {"a": BARE, "b": BARE},
            ["b"],
            {"maker": "b", "lacking": ["a", "b"], "keyless": [], "reads": [{"file": "ca.crt", "host": "b"}]},
        ),
        # A key goes where another host, which is to keep it, has it; it moves first.
        ({"a": WITH, "b": WITH}, ["b"], {"holder": "a", "keyless": [], "surplus": ["a"]}),
        ({"a": WITH, "b": host(CA.pem)}, ["b"], {"holder": "a", "keyless": ["b"], "surplus": []}),
        ({"a": WITH, "b": host(CA.pem, "exposed")}, ["b"], {"keyless": [], "surplus": []}),
        ({"a": WITH, "b": WITH}, ["elsewhere"], {"holder": "a", "surplus": []}),
        # The host that keeps it is lost: what there is stays, and nobody can sign.
        ({"a": host(CA.pem), "b": BARE}, ["b"], {"mode": "provided", "lacking": ["b"], "surplus": []}),
    ],
)
def test_who_keeps_the_key(seen: dict[str, dict[str, Any]], holders: list[str], expected: dict[str, Any]) -> None:
    found = authority(seen, holders=holders)
    assert {key: found[key] for key in expected} == expected
    assert found["faults"] == []


PEER = sign("h1", OTHER, names=NAMES, uses=BOTH)
WITH_PEERS = {
    **WITH,
    "peer_certificate": PEER.pem,
    "peer_key": "ok",
    "peer_ca_certificate": OTHER.pem,
    "peer_ca_key": "ok",
}


@pytest.mark.parametrize(
    ("seen", "options", "expected"),
    [
        # A new cluster has two; also where an earlier version made one, and no member has begun.
        ({"a": BARE, "b": BARE}, {}, {"mode": "own", "maker": "a", "lacking": ["a", "b"]}),
        ({"a": WITH, "b": BARE}, {}, {"mode": "own", "maker": "a"}),
        # One that was begun with one stays with it, whatever joins.
        ({"a": {**WITH, "data": True}, "b": BARE}, {}, {"mode": "shared", "lacking": [], "signer": ""}),
        # One that was begun with two knows it by any host that is left.
        ({"a": BARE, "b": {**WITH_PEERS, "data": True}}, {}, {"mode": "own", "holder": "b", "lacking": ["a"]}),
        # Your own CA is for both, unless there is another one.
        ({"a": BARE, "b": BARE}, {"certificate": CA.pem, "key": CA.key_pem}, {"mode": "shared"}),
        ({"a": host(CA.pem), "b": BARE}, {}, {"mode": "shared"}),
        (
            {"a": BARE, "b": BARE},
            {"certificate": CA.pem, "key": CA.key_pem, "peers": {"certificate": OTHER.pem, "key": OTHER.key_pem}},
            {"mode": "given", "issuer": OTHER.pem, "lacking": ["a", "b"]},
        ),
        ({"a": BARE}, {"certificate": CA.pem, "peers": {"certificate": OTHER.pem}}, {"mode": "provided"}),
    ],
)
def test_peers(seen: dict[str, dict[str, Any]], options: dict[str, Any], expected: dict[str, Any]) -> None:
    found = authority(seen, holders=["a", "b"], **{"peers": {}, **options})
    assert {key: found[key] for key in expected} == expected
    assert found["faults"] == []


@pytest.mark.parametrize(
    ("seen", "options", "message"),
    [
        (
            {"a": {**WITH, "data": True}},
            {"certificate": OTHER.pem},
            "etcd_peer_ca_certificate: the members a have begun with one CA for clients and peers, and that stays",
        ),
        (
            {"a": {**WITH_PEERS, "data": True, "peer_ca_certificate": "", "peer_ca_key": "absent"}},
            {},
            "the CA of etcd's peers is gone from all hosts: restore peer-ca.crt and peer-ca.key from a backup",
        ),
        ({"a": {**WITH_PEERS, "peer_ca_key": "mismatch"}}, {}, "peer-ca.key is not the key of peer-ca.crt on a"),
        (
            {"a": {**WITH_PEERS, "data": True}},
            {"certificate": CA.pem},
            "etcd_peer_ca_certificate: the certificate of the member a is signed by none of these",
        ),
        ({"a": BARE}, {"key": OTHER.key_pem}, "etcd_peer_ca_key is set without etcd_peer_ca_certificate"),
    ],
)
def test_peers_refused(seen: dict[str, dict[str, Any]], options: dict[str, str], message: str) -> None:
    assert [message in fault for fault in authority(seen, holders=["a"], peers=options)["faults"]] == [True]


def test_nobody_keeps_the_key() -> None:
    assert "etcd_ca_hosts names none of etcd_hosts" in authority({"a": BARE}, holders=["b"])["faults"][0]


def test_own_is_renewed_with_its_key() -> None:
    old = sign("ca", days=100)
    seen = {"a": host(old.pem, "ok"), "b": host(old.pem, "ok")}
    found = authority(seen, renew_days=365)
    assert (found["maker"], found["reason"], found["lacking"]) == ("a", "it ends in 100 days", ["a", "b"])
    # Interrupted after the first host.
    new = sign("ca", days=3650, key=old.key)
    found = authority({"a": host(old.pem, "ok"), "b": host(new.pem, "ok")}, renew_days=365)
    assert (found["maker"], found["holder"], found["lacking"], found["certificate"]) == ("", "b", ["a"], new.pem)


def test_own_that_is_not_valid_yet_is_renewed_unless_another_host_has_a_valid_one() -> None:
    early, valid = (sign("ca", days=days, key=CA.key, since=since) for days, since in ((9000, 2), (1000, -1)))
    found = authority({"a": host(early.pem, "ok"), "b": host(valid.pem, "ok")})
    assert (found["certificate"], found["reason"], found["holder"], found["lacking"]) == (valid.pem, "", "b", ["a"])
    found = authority({"a": host(early.pem, "ok")})
    assert (found["maker"], found["reason"].startswith(f"it {EARLY}")) == ("a", True)


@pytest.mark.parametrize(
    ("seen", "unseen", "message"),
    [
        ({"a": WITH, "b": host(OTHER.pem, "ok")}, [], "the hosts a, b have different CAs"),
        ({"a": BARE}, ["b"], "no host of this run has the CA of etcd, and others may"),
        ({"a": WITH, "b": host(CA.pem, "mismatch")}, [], "ca.key is not the key of ca.crt on b"),
        ({"a": BARE, "b": host(data=True, certificate=MEMBER.pem)}, [], "the CA of etcd is gone"),
        (
            {"a": host("-----BEGIN\nx\n-----END CERTIFICATE-----\n", "ok")},
            [],
            "the CA of etcd: a certificate cannot be read",
        ),
    ],
)
def test_own_refused(seen: dict[str, dict[str, Any]], unseen: list[str], message: str) -> None:
    assert [message in fault for fault in authority(seen, unseen)["faults"]] == [True]


def test_provided() -> None:
    found = authority({"a": host(CA.pem), "b": BARE})
    assert (found["mode"], found["certificate"], found["lacking"], found["maker"]) == ("provided", CA.pem, ["b"], "")
    found = authority({"a": BARE, "b": BARE}, certificate=CA.pem)
    assert (found["mode"], found["certificate"], found["lacking"]) == ("provided", CA.pem, ["a", "b"])


def test_given() -> None:
    bundle = OTHER.pem + CA.pem
    found = authority({"a": host(CA.pem), "b": BARE}, certificate=bundle, key=CA.key_pem)
    assert (found["mode"], found["issuer"], found["lacking"], found["faults"]) == ("given", CA.pem, ["a", "b"], [])
    assert authority({"a": host(bundle)}, certificate=bundle + "\n", key=OTHER.key_pem)["lacking"] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"certificate": CA.pem, "key": OTHER.key_pem}, "etcd_ca_key: it is the key of none of the certificates"),
        ({"certificate": CA.pem, "key": "nonsense"}, "etcd_ca_key cannot be read, or has a passphrase"),
        ({"key": CA.key_pem}, "etcd_ca_key is set without etcd_ca_certificate"),
        ({"certificate": "nonsense"}, "the text holds no certificate in PEM form"),
        ({"certificate": sign("ca", days=-1).pem}, "etcd_ca_certificate: CN=ca has ended"),
        ({"certificate": sign("ca", since=2).pem}, f"etcd_ca_certificate: CN=ca {EARLY}"),
        (
            {"certificate": CA.pem + NEXT.pem, "key": NEXT.key_pem},
            f"etcd_ca_key: its certificate {EARLY}",
        ),
        ({"certificate": OTHER.pem}, "the certificate of the member a is signed by none of these"),
    ],
)
def test_given_refused(options: dict[str, str], message: str) -> None:
    seen = {"a": host(CA.pem, data=True, certificate=MEMBER.pem)}
    faults = authority(seen, **options)["faults"]
    assert any(message in fault for fault in faults)
    assert CA.key_pem not in str(faults)


def test_a_running_cluster_changes_its_authority_in_steps() -> None:
    """Both are trusted, then the new one signs, then only the new one is trusted."""
    old = {"a": host(CA.pem, data=True, certificate=MEMBER.pem)}
    both = CA.pem + OTHER.pem
    assert authority(old, certificate=both, key=CA.key_pem)["faults"] == []
    found = authority({"a": host(both, data=True, certificate=MEMBER.pem)}, certificate=both, key=OTHER.key_pem)
    assert (found["faults"], found["issuer"]) == ([], OTHER.pem)
    # The new one may be trusted before it begins.
    assert authority(old, certificate=CA.pem + NEXT.pem, key=CA.key_pem)["faults"] == []
    assert judge(MEMBER.pem, authority=found["issuer"]) == ["it is signed by another authority"]
    moved = sign("h1", OTHER, names=NAMES, uses=BOTH)
    new = authority({"a": host(both, data=True, certificate=moved.pem)}, certificate=OTHER.pem, key=OTHER.key_pem)
    assert (new["faults"], new["lacking"]) == ([], ["a"])
