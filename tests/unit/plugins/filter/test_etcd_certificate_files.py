"""The filters etcd_issued and etcd_certificate_files: what is written on a member's host."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.etcd_certificate_files import etcd_certificate_files
from ansible_collections.groundwork.kubernetes.plugins.filter.etcd_issued import etcd_issued

PKI = "/etc/etcd/pki"
PRIVATE = {"mode": "0600", "owner": "etcd", "group": "etcd"}
NOTHING: dict[str, Any] = {"certificate": "given", "lacking": [], "keyless": [], "surplus": []}


def read(name: str, content: str) -> dict[str, Any]:
    return {"item": {"file": name, "host": "b"}, "content": base64.b64encode(content.encode()).decode()}


@pytest.mark.parametrize(
    ("authorities", "more", "expected"),
    [
        ({"ca": NOTHING, "peer-ca": NOTHING}, {}, []),
        # The CA's certificate is that of the host that keeps it, or the one that the user gave.
        (
            {"ca": {**NOTHING, "lacking": ["a"]}, "peer-ca": {**NOTHING, "lacking": ["a", "b"]}},
            {"read": [read("ca.crt", "of b"), {"item": {"file": "peer-ca.crt"}, "skipped": True}]},
            [{"path": f"{PKI}/ca.crt", "content": "of b"}, {"path": f"{PKI}/peer-ca.crt", "content": "given"}],
        ),
        (
            {"ca": {**NOTHING, "keyless": ["a"]}, "peer-ca": {**NOTHING, "surplus": ["a"], "lacking": ["b"]}},
            {"read": [read("ca.key", "key")]},
            [
                {"path": f"{PKI}/ca.key", "content": "key", "mode": "0600", "owner": "root"},
                {"path": f"{PKI}/peer-ca.key", "state": "absent"},
            ],
        ),
        (
            {"ca": NOTHING},
            {"issued": [{"name": "member", "key": "k", "certificate": "c"}], "exposed": ["peer"]},
            [
                {"path": f"{PKI}/member.key", "content": "k", **PRIVATE},
                {"path": f"{PKI}/member.crt", "content": "c"},
                {"path": f"{PKI}/peer.key", "source": f"{PKI}/peer.key", **PRIVATE},
            ],
        ),
    ],
)
def test_files(authorities: dict[str, Any], more: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    options = {"read": [], "issued": [], "exposed": [], "folder": PKI, "user": "etcd", **more}
    assert etcd_certificate_files(authorities, "a", **options) == expected


def test_a_key_that_was_not_read() -> None:
    with pytest.raises(AnsibleFilterError, match="was not read"):
        etcd_certificate_files(
            {"ca": {**NOTHING, "keyless": ["a"]}}, "a", read=[], issued=[], exposed=[], folder=PKI, user="etcd"
        )


def test_issued() -> None:
    keys = [{"item": "member", "privatekey": "k1"}, {"item": "peer", "privatekey": "k2"}]
    signed = [
        {"item": {"name": "peer"}, "certificate": "c2"},
        {"item": {"name": "member"}, "skipped": True},
        {"item": {"name": "member"}, "certificate": "c1"},
    ]
    assert etcd_issued(keys, signed) == [
        {"name": "peer", "key": "k2", "certificate": "c2"},
        {"name": "member", "key": "k1", "certificate": "c1"},
    ]
    assert etcd_issued(keys, []) == []
    with pytest.raises(AnsibleFilterError, match="etcd_issued"):
        etcd_issued([], signed)
