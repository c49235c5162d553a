"""The judgement of certificates and keys, on real ones: expired, of a foreign CA, with a wrong key, of no CA."""

from __future__ import annotations

import re
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.public_keys import key_hash
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import public_keys
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.public_keys import HostPki
from ansible_collections.groundwork.kubernetes.tests.unit.plugins.pki import NOW, Pair, issue, new_key, private

K, E = "/etc/kubernetes/pki", "/etc/etcd/pki"
CA, FRONT, ETCD = issue("kubernetes-ca"), issue("front-proxy-ca"), issue("etcd-ca")
STRANGER = issue("kubernetes-ca", key="stranger")
MEMBER = issue("member", ETCD)
BETWEEN = issue("between", ETCD, ca=True)


def crt(path: str, *pairs: Pair, mode: str = "0644", **more: Any) -> dict[str, Any]:
    """A certificate's file as host_facts tells it."""
    text = "".join(pair.crt for pair in pairs)
    return {"path": path, "mode": mode, "certificates": text, "public_keys": [], "error": "", **more}


def key(path: str, pair: Pair | None, mode: str = "0600", **more: Any) -> dict[str, Any]:
    """A key's file as host_facts tells it; without a pair, one that was not read."""
    keys = [key_hash(pair.pub)] if pair else []
    return {"path": path, "mode": mode, "certificates": "", "public_keys": keys, "error": "", **more}


def sound() -> list[dict[str, Any]]:
    """A control plane's files, and those of a member of etcd."""
    account = issue("sa")
    return [
        *(crt(f"{K}/ca.crt", CA), key(f"{K}/ca.key", CA)),
        *(crt(f"{K}/front-proxy-ca.crt", FRONT), key(f"{K}/front-proxy-ca.key", FRONT)),
        *(crt(f"{K}/etcd/ca.crt", ETCD), key(f"{K}/etcd/ca.key", ETCD)),
        *(key(f"{K}/sa.key", account), key(f"{K}/sa.pub", account, "0644")),
        crt(f"{K}/apiserver.crt", issue("kube-apiserver", CA)),
        key(f"{K}/apiserver.key", issue("kube-apiserver", CA)),
        crt(f"{K}/front-proxy-client.crt", issue("front-proxy-client", FRONT)),
        crt(f"{K}/apiserver-etcd-client.crt", issue("apiserver-etcd-client", ETCD)),
        crt(f"{K}/etcd/server.crt", issue("server", ETCD)),
        *(crt(f"{E}/ca.crt", ETCD), crt(f"{E}/member.crt", MEMBER), key(f"{E}/member.key", MEMBER)),
        *(crt(f"{E}/peer-ca.crt", CA), crt(f"{E}/peer.crt", issue("member", CA))),
    ]


APISERVER, PEER = f"{K}/apiserver.crt", f"{K}/etcd/peer.crt"
FILES: list[tuple[str, list[dict[str, Any]], list[str]]] = [
    ("nothing wrong", [], []),
    (
        "expired",
        [crt(APISERVER, issue("kube-apiserver", CA, since=-9, days=-1))],
        [f"error certificate-expired {APISERVER} expired on .* UTC; renew it with kubeadm certs renew apiserver"],
    ),
    (
        "a CA that expired",
        [crt(f"{K}/front-proxy-ca.crt", issue("front-proxy-ca", since=-9, days=-1))],
        [f"error certificate-expired {K}/front-proxy-ca.crt expired on .*; replace the CA"],
    ),
    (
        "a CA that expired before the next one",
        [crt(f"{K}/ca.crt", issue("kubernetes-ca", since=-9, days=-1), CA)],
        [],
    ),
    (
        "not valid yet",
        [crt(PEER, issue("peer", ETCD, since=2, days=9))],
        [f"error certificate-early {PEER} is valid from .* on only; set the clock right"],
    ),
    (
        "expires soon",
        [crt(PEER, issue("peer", ETCD, days=29))],
        [f"warning certificate-expiring {PEER} expires on .* \\(reported 30 days before, .*renew etcd-peer"],
    ),
    ("expires later", [crt(PEER, issue("peer", ETCD, days=31))], []),
    (
        "of a foreign CA",
        [crt(APISERVER, issue("kube-apiserver", issue("other-ca")))],
        [f"error certificate-foreign {APISERVER} was not signed by {K}/ca.crt; put the CA back that signed it"],
    ),
    (
        "of a foreign CA of the same name",
        [crt(APISERVER, issue("kube-apiserver", STRANGER))],
        [f"error certificate-foreign {APISERVER} was not signed by"],
    ),
    ("of a CA renewed with its key", [crt(f"{K}/ca.crt", issue("kubernetes-ca", days=900))], []),
    ("of the next CA", [crt(f"{K}/ca.crt", STRANGER, CA)], []),
    ("of a CA between, beside it", [crt(PEER, issue("peer", BETWEEN), BETWEEN)], []),
    (
        "of a CA between, missing",
        [crt(PEER, issue("peer", BETWEEN))],
        [f"error certificate-foreign {PEER} was not signed by {K}/etcd/ca.crt"],
    ),
    (
        "no CA",
        [crt(f"{K}/front-proxy-ca.crt", issue("front-proxy-ca", ca=False))],
        [f"error ca-invalid {K}/front-proxy-ca.crt is no CA's certificate"],
    ),
    (
        "a CA that may not sign",
        [crt(f"{K}/front-proxy-ca.crt", issue("front-proxy-ca", signs=False))],
        [f"error ca-invalid {K}/front-proxy-ca.crt"],
    ),
    (
        "the wrong key",
        [key(f"{K}/apiserver.key", CA)],
        [f"error key-mismatch {K}/apiserver.key does not belong to {APISERVER}; put back the key"],
    ),
    (
        "a CA's wrong key",
        [key(f"{K}/ca.key", STRANGER)],
        [f"error key-mismatch {K}/ca.key does not belong to {K}/ca.crt"],
    ),
    (
        "the service accounts' wrong key",
        [key(f"{K}/sa.key", CA)],
        [f"error key-mismatch {K}/sa.key does not belong to {K}/sa.pub"],
    ),
    (
        "a member's wrong key",
        [key(f"{E}/member.key", CA)],
        [f"error key-mismatch {E}/member.key does not belong to {E}/member.crt"],
    ),
    (
        "damaged on the host",
        [crt(APISERVER, error="it is empty")],
        [f"error pem-unreadable {APISERVER} cannot be used: it is empty; restore it"],
    ),
    (
        "damaged inside",
        [{**crt(APISERVER), "certificates": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}],
        [f"error pem-unreadable {APISERVER} cannot be used: it holds no certificate that can be read"],
    ),
    (
        "a key that everybody can read",
        [key(f"{K}/ca.key", CA, "0644")],
        [f"warning key-exposed {K}/ca.key can be read by every user \\(mode 0644\\)"],
    ),
    ("a key that a group can read", [key(f"{E}/member.key", MEMBER, "0640")], []),
    (
        "keys that were not read",
        [key(f"{K}/ca.key", None), key(f"{K}/apiserver.key", None)],
        ["warning key-unchecked openssl is missing"],
    ),
    ("the user's own file", [crt(f"{K}/webhook.crt", issue("webhook", STRANGER, since=-9, days=-1))], []),
    ("the user's own damaged file", [crt(f"{K}/webhook.crt", error="it is empty")], []),
]


def shown(faults: Any) -> list[str]:
    return [f"{fault.severity} {fault.id} {fault.text}" for fault in faults]


@pytest.mark.parametrize(("files", "expected"), [case[1:] for case in FILES], ids=[case[0] for case in FILES])
def test_files(files: list[dict[str, Any]], expected: list[str]) -> None:
    changed = {file["path"]: file for file in files}
    facts = [changed.pop(file["path"], file) for file in sound()] + list(changed.values())
    faults = shown(HostPki(facts).faults(NOW, 30))
    assert len(faults) == len(expected), faults
    for fault, pattern in zip(faults, expected):
        assert re.match(pattern, fault)
        assert "; " in fault, "each fault says what to do"


MANAGED = [f"{E}/member.crt", f"{E}/ca.crt", f"{K}/apiserver-etcd-client.crt"]
REPAIRED: list[tuple[str, dict[str, Any], list[str]]] = [
    ("expired", crt(f"{E}/member.crt", issue("member", ETCD, since=-9, days=-1)), ["warning certificate-expired"]),
    ("expires soon", crt(f"{E}/member.crt", issue("member", ETCD, days=2)), []),
    ("of a foreign CA", crt(f"{E}/member.crt", issue("member", CA)), ["warning certificate-foreign"]),
    ("a wrong key", key(f"{E}/member.key", CA), ["warning key-mismatch"]),
    ("damaged", key(f"{E}/member.key", MEMBER, error="it is empty"), ["warning pem-unreadable"]),
    ("a CA that expired", crt(f"{E}/ca.crt", issue("etcd-ca", since=-9, days=-1)), ["warning certificate-expired"]),
    ("not valid yet", crt(f"{E}/member.crt", issue("member", ETCD, since=2, days=9)), ["error certificate-early"]),
    ("a CA's wrong key", key(f"{E}/ca.key", CA), ["error key-mismatch"]),
    ("a damaged CA", crt(f"{E}/ca.crt", error="it is empty"), ["error pem-unreadable"]),
]


@pytest.mark.parametrize(("file", "expected"), [case[1:] for case in REPAIRED], ids=[case[0] for case in REPAIRED])
def test_what_the_run_issues_anew_does_not_stop_it(file: dict[str, Any], expected: list[str]) -> None:
    facts = [*(one for one in sound() if one["path"] != file["path"]), file]
    faults = list(HostPki(facts, MANAGED).faults(NOW, 30))
    assert [f"{fault.severity} {fault.id}" for fault in faults] == expected
    assert all("this run issues" in fault.text for fault in faults if fault.severity == "warning")


@pytest.mark.parametrize(
    ("file", "without", "severity"),
    [
        (key(f"{K}/apiserver.key", CA), "", "warning"),
        (crt(APISERVER, error="it is empty"), "", "warning"),
        (key(f"{K}/apiserver.key", CA), f"{K}/ca.key", "error"),
        (key(f"{K}/ca.key", STRANGER), "", "error"),
        (key(f"{K}/sa.key", CA), "", "error"),
    ],
)
def test_what_a_control_plane_lost_does_not_stop_the_run_that_mends_it(
    file: dict[str, Any], without: str, severity: str
) -> None:
    facts = [*(one for one in sound() if one["path"] not in (file["path"], without)), file]
    assert [fault.severity for fault in HostPki(facts, mended=True).faults(NOW, 30)] == [severity]


SUPPLIED: list[tuple[str, str, str, list[str]]] = [
    ("nothing", "", "", []),
    ("both", CA.crt, CA.pem, []),
    ("a certificate alone", CA.crt, "", []),
    ("two CAs, the key of the second", STRANGER.crt + CA.crt, CA.pem, []),
    ("a key alone", "", CA.pem, ["error value-invalid"]),
    ("the wrong key", CA.crt, ETCD.pem, ["error key-mismatch"]),
    ("no CA", MEMBER.crt, MEMBER.pem, ["error ca-invalid"]),
    ("expired", issue("ca", since=-9, days=-1).crt, "", ["error certificate-expired"]),
    ("expires soon", issue("ca", days=1).crt, "", ["warning certificate-expiring"]),
    ("not valid yet", issue("ca", since=1, days=9).crt, "", ["error certificate-early"]),
    ("the present CA and the next", CA.crt + issue("ca", since=1, days=900).crt, "", []),
    ("no certificate", "hunter2", "", ["error pem-unreadable"]),
    ("a path in place of a key", CA.crt, "/root/hunter2.key", ["error pem-unreadable"]),
    ("an encrypted key", CA.crt, private(new_key("kubernetes-ca"), b"hunter2"), ["error pem-unreadable"]),
]


@pytest.mark.parametrize(
    ("certificate", "pem", "expected"), [case[1:] for case in SUPPLIED], ids=[case[0] for case in SUPPLIED]
)
def test_supplied(certificate: str, pem: str, expected: list[str]) -> None:
    faults = list(public_keys.supplied_authority(("a_certificate", certificate), ("a_key", pem), NOW, 30))
    assert [f"{fault.severity} {fault.id}" for fault in faults] == expected
    assert all("; " in fault.text and re.search("a_certificate|a_key", fault.text) for fault in faults)
    assert not any("hunter2" in fault.text or "PRIVATE" in fault.text for fault in faults), "no secret is shown"


def test_a_ca_of_an_old_kubeadm_is_read_without_a_warning(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    """Its serial number is 0, which cryptography writes no more, so openssl makes one."""
    command = "openssl req -x509 -newkey rsa:2048 -noenc -set_serial 0 -subj /CN=kubernetes -keyout ca.key -out ca.crt"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    facts = {**crt(f"{K}/ca.crt"), "certificates": (tmp_path / "ca.crt").read_text()}
    assert [fault.id for fault in HostPki([facts]).faults(NOW + timedelta(hours=1), 0)] == []
    assert not recwarn.list


def test_public_keys_of_a_text() -> None:
    assert public_keys.public_keys(CA.crt + ETCD.crt) == [key_hash(CA.pub), key_hash(ETCD.pub)]
    assert public_keys.public_keys("") == public_keys.public_keys("no certificate") == []


@pytest.mark.parametrize(
    ("identities", "expected"),
    [
        ({}, []),
        ({"a": {"1"}, "b": {"1"}, "c": set()}, [["a", "b"]]),
        ({"a": {"1"}, "b": {"2"}, "c": {"1"}}, [["b"], ["a", "c"]]),
        ({"a": {"1"}, "b": {"2"}, "c": {"1", "2"}}, [["b", "a", "c"]]),
    ],
)
def test_differing(identities: dict[str, set[str]], expected: list[list[str]]) -> None:
    found = public_keys.differing({name: frozenset(values) for name, values in identities.items()})
    assert sorted(map(sorted, found)) == sorted(map(sorted, expected))
