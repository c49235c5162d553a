"""Requests for serving certificates: what is approved and what is not, with requests that a library has written."""

from __future__ import annotations

import base64
import ipaddress
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.certificate_requests import (
    Node,
    RequestError,
    approved,
    is_pending,
    judge,
    node_faults,
    parse_request,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

KEY = ec.generate_private_key(ec.SECP256R1())
NODES = {"w1": Node("w1", ["w1", "w1.example.com"], ["192.0.2.21", "2001:DB8:0::21"]), "w2": Node("w2", ["w2"], [])}
OWN = ["w1", "192.0.2.21"]


def general(name: Any) -> x509.GeneralName:
    if not isinstance(name, str):
        return name
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def pem(
    names: list[Any],
    *,
    common_names: tuple[str, ...] = ("system:node:w1",),
    organizations: tuple[str, ...] = ("system:nodes",),
    more: tuple[x509.NameAttribute, ...] = (),
    extensions: tuple[Any, ...] = (),
    critical: bool = False,
) -> str:
    subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, text) for text in organizations]
    subject += [x509.NameAttribute(NameOID.COMMON_NAME, text) for text in common_names]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([*subject, *more]))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([general(name) for name in names]), critical)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def item(text: str = "", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "csr-1", "uid": "u", "resourceVersion": "7", "managedFields": []},
        "spec": {
            "signerName": "kubernetes.io/kubelet-serving",
            "username": "system:node:w1",
            "groups": ["system:nodes", "system:authenticated"],
            "usages": ["digital signature", "server auth"],
            "request": base64.b64encode((text or pem(OWN)).encode()).decode(),
            **spec,
        },
        "status": {},
    }


@pytest.mark.parametrize(
    "good",
    [
        item(),
        item(usages=["server auth", "key encipherment", "digital signature"]),
        item(pem(["w1", "w1.example.com", "192.0.2.21", "2001:db8::21"])),
        item(pem(["192.0.2.21"], critical=True)),
        item(pem(["w1"])),
    ],
)
def test_what_may_be_approved(good: dict[str, Any]) -> None:
    assert judge(good, NODES) == []


COUNTRY = x509.NameAttribute(NameOID.COUNTRY_NAME, "XX")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (item(username="system:node:w9"), ["'system:node:w9', who asks for it, is no node that is known"]),
        (item(username="w1"), ["'w1', who asks for it, is no node that is known"]),
        (item(username="kubernetes-admin"), ["'kubernetes-admin', who asks for it, is no node that is known"]),
        (item(groups=["system:authenticated"]), ["who asks for it is not in the group system:nodes"]),
        (
            item(username="system:node:w2"),
            ["its common name is 'system:node:w1' and not 'system:node:w2'", "'w1', '19"],
        ),
        (item(usages=["server auth", "client auth", "digital signature"]), ["it is for 'server auth', 'client auth'"]),
        (item(usages=["server auth"]), ["it is for 'server auth'"]),
        (item(usages=["server auth", "digital signature", "server auth"]), ["it is for "]),
        (item(usages=[]), ["it is for nothing"]),
        (item(pem(OWN, common_names=())), ["its common name is nothing"]),
        (item(pem(OWN, common_names=("system:node:w1", "admin"))), ["its common name is 'system:node:w1', 'admin'"]),
        (
            item(pem(OWN, organizations=("system:nodes", "system:masters"))),
            ["its organization is 'system:nodes', 'sys"],
        ),
        (item(pem(OWN, organizations=())), ["its organization is nothing"]),
        (item(pem(OWN, more=(COUNTRY,))), ["it holds 2.5.4.6 in its subject"]),
        (item(pem([])), ["it names no address"]),
        (item(pem([*OWN, "w2"])), ["'w2' is not known to belong to w1"]),
        (item(pem([*OWN, "*.example.com"])), ["'*.example.com' is not known to belong to w1"]),
        (item(pem(["W1"])), ["'W1' is not known"]),
        (item(pem(["w1", "192.0.2.1"])), ["'192.0.2.1' is not known to belong to w1"]),
        (item(pem(["w1", "10.96.0.1", "kubernetes.default"])), ["'kubernetes.default', '10.96.0.1' is not known"]),
        (item(pem([*OWN, x509.UniformResourceIdentifier("spiffe://x")])), ["it holds a name that is neither"]),
        (item(pem([*OWN, x509.RFC822Name("a@example.com")])), ["it holds a name that is neither"]),
        (item(pem(OWN, extensions=(x509.BasicConstraints(True, None),))), ["it holds the extension 2.5.29.19"]),
        (item("no request"), ["it cannot be read: it is no PEM"]),
        (item(request="%%%"), ["it cannot be read: it is no PEM"]),
        (item(pem([f"n{number}" for number in range(9)])), ["'n0', 'n1', 'n2', 'n3', 'n4', ... is not known"]),
    ],
)
def test_what_is_left_pending(bad: dict[str, Any], message: list[str]) -> None:
    reasons = judge(bad, NODES)
    assert len(reasons) == len(message)
    for reason, text in zip(reasons, message):
        assert reason.startswith(text)


def test_a_request_is_read_as_the_library_reads_it() -> None:
    request = parse_request(pem(["w1", "2001:db8::1", "192.0.2.1"]))
    assert (request.common_names, request.organizations) == (["system:node:w1"], ["system:nodes"])
    assert (request.names, request.addresses, request.others) == (["w1"], ["2001:db8::1", "192.0.2.1"], [])


def test_a_damaged_request_is_never_approved() -> None:
    """Every cut and every changed byte is refused, or is still exactly this node's."""
    head, *body, foot = pem(OWN).strip().split("\n")
    data = base64.b64decode("".join(body))
    signed = 200  # what follows is the key and the signature, which are not looked at
    variants = [data[:end] for end in range(len(data))] + [data + b"\0"]
    variants += [
        data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :] for at in range(signed) for flip in (1, 0x80, 0xFF)
    ]
    for variant in variants:
        text = "\n".join([head, base64.b64encode(variant).decode(), foot])
        try:
            request = parse_request(text)
        except RequestError:
            continue
        if judge(item(text), NODES) == []:
            assert request.common_names == ["system:node:w1"]
            assert {*request.names, *request.addresses} <= {"w1", "192.0.2.21"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        pem(OWN) + pem(OWN),
        "before\n" + pem(OWN),
        pem(OWN).replace("CERTIFICATE REQUEST", "CERTIFICATE"),
        pem(OWN).replace("-----BEGIN CERTIFICATE REQUEST-----\n", "-----BEGIN CERTIFICATE REQUEST-----\nA: b\n\n"),
    ],
)
def test_only_one_request_in_plain_pem_is_read(text: str) -> None:
    with pytest.raises(RequestError):
        parse_request(text)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"status": {"conditions": [{"type": "Approved"}]}}, False),
        ({"status": {"conditions": [{"type": "Denied"}]}}, False),
        ({"status": {"certificate": "x"}}, False),
        ({"spec": {"signerName": "kubernetes.io/kube-apiserver-client-kubelet"}}, False),
        ({"status": None}, True),
    ],
)
def test_which_are_looked_at(change: dict[str, Any], expected: bool) -> None:
    assert is_pending({**item(), **change}) == expected


def test_an_approval_holds_for_what_was_judged_only() -> None:
    body = approved(item(), "2026-11-22T00:00:00Z", "known")
    assert body["metadata"] == {"name": "csr-1", "uid": "u", "resourceVersion": "7"}
    assert [condition["type"] for condition in body["status"]["conditions"]] == ["Approved"]


RESERVED = ["10.96.0.0/12", "2001:DB8:1::/112", "192.0.2.100", "api.example.com", "not/a network"]


@pytest.mark.parametrize(
    ("nodes", "faults"),
    [
        ([("w1", [], ["192.0.2.1", "2001:db8::1"]), ("w2", ["w2.example.com"], ["192.0.2.2"])], []),
        ([("w1", [], [])], ["node w1 has no addresses"]),
        ([("w1", [], ["192.0.2.1"]), ("w1", [], ["192.0.2.2"])], ["nodes names w1 more than once"]),
        ([("w1", [], ["127.0.0.1"])], ["127.0.0.1 of node w1 is no single host's"]),
        ([("w1", [], ["::ffff:127.0.0.1"])], ["127.0.0.1 of node w1 is no single host's"]),
        ([("w1", [], ["::"])], [":: of node w1 is no single host's"]),
        ([("w1", [], ["169.254.1.1"])], ["169.254.1.1 of node w1 is no single host's"]),
        ([("localhost", [], ["192.0.2.1"])], ["localhost of node localhost is no single host's"]),
        ([("w1", [], ["10.96.0.1"])], ["10.96.0.1 of node w1 is reserved, as it is no node's"]),
        ([("w1", [], ["2001:db8:1:0::a"])], ["2001:db8:1::a of node w1 is reserved, as it is no node's"]),
        ([("w1", [], ["192.0.2.100"])], ["192.0.2.100 of node w1 is reserved, as it is no node's"]),
        ([("w1", ["api.example.com"], ["192.0.2.1"])], ["api.example.com of node w1 is reserved, as it is no node's"]),
        ([("w1", [], ["w1.example.com"])], ["'w1.example.com' of node w1 is no IP address"]),
        (
            [("w1", [], ["2001:db8::1"]), ("w2", ["w1"], ["2001:DB8:0::1"])],
            ["nodes w1 and w2 share 2001:db8::1", "nodes w1 and w2 share w1"],
        ),
    ],
)
def test_a_name_or_address_is_one_nodes(nodes: list[tuple[str, list[str], list[str]]], faults: list[str]) -> None:
    known = [Node(name, [name, *names], addresses) for name, names, addresses in nodes]
    assert node_faults(known, RESERVED) == faults
