"""Which certificates a member's host needs: tables of what it has and where authorities come from."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.etcd_certificates import etcd_certificates
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._etcd import member_certificates
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.certificates import Authority
from ansible_collections.groundwork.kubernetes.tests.unit.plugins.pki import issue

GOOD, ENDED = "good", "ended"
CA, PEER_CA = "the clients' CA", "the peers' CA"
NAMES = ["h1", "192.0.2.1", "localhost", "127.0.0.1", "h1", "2001:db8::1"]
ASKED = {
    "common_name": "h1",
    "issuer": "",
    "names": ["DNS:h1", "DNS:localhost", "IP:192.0.2.1", "IP:127.0.0.1", "IP:2001:db8::1"],
    "usages": ["serverAuth", "clientAuth"],
}
MEMBER = {"name": "member", "authority": "ca", "signer": "h2", **ASKED}
PEER = {"name": "peer", "authority": "peer-ca", "signer": "h3", **ASKED}
NOTHING: dict[str, Any] = {
    "due": False, "requests": [], "exposed": [], "changes": [], "trusted": [], "refused": [],
    "faults": {"member": [], "peer": []},
}  # fmt: skip


def own(certificate: str, holder: str, **more: Any) -> dict[str, Any]:
    return Authority("own", certificate, holder=holder, **more).describe()


BOTH = {"ca": own(CA, "h2"), "peer-ca": own(PEER_CA, "h3")}
SHARED = {"ca": own(CA, "h2"), "peer-ca": Authority("shared").describe()}
GIVEN = {
    "ca": Authority("given", CA, issuer="its issuer").describe(),
    "peer-ca": Authority("provided", PEER_CA).describe(),
}
PROVIDED = {"ca": Authority("provided", CA).describe(), "peer-ca": Authority("provided", PEER_CA).describe()}


def info(certificate: str = GOOD, peer: str = GOOD, key: str = "ok", peer_key: str = "ok") -> dict[str, Any]:
    return {"certificate": certificate, "key": key, "peer_certificate": peer, "peer_key": peer_key}


def decide(have: dict[str, Any], authorities: dict[str, Any], host: str = "h1") -> dict[str, Any]:
    return etcd_certificates(
        have, host, authorities, common_name="h1", names=NAMES, addresses=["192.0.2.1"], folder="/pki", renew_days=9
    )


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """How certificates are judged; one is good, or has ended, or is not there."""
    found: list[dict[str, Any]] = []

    def judge(text: str, **options: Any) -> list[str]:
        found.append(options)
        faults = {GOOD: [], ENDED: ["it ended 3 days ago"], "": ["there is no certificate"]}[text]
        return [*faults, *(["its key is exposed"] if options["key"] == "exposed" else [])]

    monkeypatch.setattr(member_certificates, "certificate_faults", judge)
    return found


@pytest.mark.parametrize(
    ("have", "authorities", "expected"),
    [
        (info(), BOTH, {}),
        (info(), PROVIDED, {}),
        (
            info("", ENDED),
            BOTH,
            {
                "requests": [MEMBER, PEER],
                "faults": {"member": ["there is no certificate"], "peer": ["it ended 3 days ago"]},
                "changes": [
                    "the certificate member: there is no certificate",
                    "the certificate peer: it ended 3 days ago",
                ],
            },
        ),
        # A key that others may read is no longer the member's alone: a new one is made, except for the user's.
        (
            info(key="exposed"),
            BOTH,
            {
                "requests": [MEMBER],
                "faults": {"member": ["its key is exposed"], "peer": []},
                "changes": ["the certificate member: its key is exposed"],
            },
        ),
        (
            info(key="exposed", peer_key="exposed"),
            PROVIDED,
            {
                "exposed": ["member", "peer"],
                "changes": ["the mode and owner of member.key", "the mode and owner of peer.key"],
            },
        ),
        # With one authority for both there is one certificate.
        (
            info("", ""),
            SHARED,
            {
                "requests": [MEMBER],
                "faults": {"member": ["there is no certificate"], "peer": []},
                "changes": ["the certificate member: there is no certificate"],
            },
        ),
        # The user's key signs where no host does. Without a key the user has to act.
        (
            info("", ""),
            GIVEN,
            {
                "requests": [{**MEMBER, "signer": "", "issuer": "its issuer"}],
                "faults": {"member": ["there is no certificate"], "peer": ["there is no certificate"]},
                "changes": ["the certificate member: there is no certificate"],
                "refused": [
                    "There is no key of the CA of peers to issue a certificate with, and of /pki/peer.crt this is "
                    "known: there is no certificate. Put a good one with its key there, bring the CA's key back from "
                    "a backup, or set etcd_peer_ca_key with the certificate"
                ],
            },
        ),
        # What becomes of the authorities' own files.
        (
            info(),
            {
                "ca": own(CA, "h1", maker="h1", reason="it ends in 3 days", lacking=["h1", "h2"]),
                "peer-ca": own(PEER_CA, "h2", keyless=["h1"]),
            },
            {
                "trusted": ["/pki/ca.crt"],
                "changes": [
                    "the CA, because it ends in 3 days",
                    "the CA, handed to this host",
                    "the CA of peers: its key, handed to this host",
                ],
            },
        ),
        (
            info(),
            {"ca": own(CA, "h2", surplus=["h1"]), "peer-ca": own(PEER_CA, "h2", lacking=["h1"])},
            {
                "trusted": ["/pki/peer-ca.crt"],
                "changes": ["the CA: its key, removed from this host", "the CA of peers, handed to this host"],
            },
        ),
        (info(), {"ca": own(CA, "h2", lacking=["h2"]), "peer-ca": own(PEER_CA, "h2", surplus=["h3"])}, {}),
    ],
)
@pytest.mark.usefixtures("judged")
def test_what_is_done(have: dict[str, Any], authorities: dict[str, Any], expected: dict[str, Any]) -> None:
    assert decide(have, authorities) == {**NOTHING, "due": bool(expected), **expected}


def test_how_a_certificate_is_judged(judged: list[dict[str, Any]]) -> None:
    decide(info(key="exposed"), {"ca": GIVEN["ca"], "peer-ca": own(PEER_CA, "h2")})
    usual = {"renew_days": 9.0, "needed": ["serverAuth", "clientAuth"], "names": NAMES, "exact": True}
    assert judged == [
        {**usual, "authority": "its issuer", "key": "exposed"},
        {**usual, "authority": PEER_CA, "key": "ok"},
    ]
    judged.clear()
    decide(info(key="exposed", peer_key="absent"), PROVIDED)
    of_the_user = {**usual, "names": ["192.0.2.1"], "exact": False}
    assert judged == [
        {**of_the_user, "authority": CA, "key": ""},
        {**of_the_user, "authority": PEER_CA, "key": "absent"},
    ]


def test_with_a_real_certificate() -> None:
    ca = issue("etcd-ca")
    found = decide(info(issue("h1", ca).crt), {**SHARED, "ca": own(ca.crt, "h2")})
    assert [one["name"] for one in found["requests"]] == ["member"]
    assert found["faults"]["member"][0].startswith("it is not for ")


def test_an_authority_that_cannot_be_read() -> None:
    with pytest.raises(AnsibleFilterError, match="etcd_certificates: the text holds no certificate"):
        decide(info(issue("h1").crt), {**SHARED, "ca": own("nonsense", "h2")})
