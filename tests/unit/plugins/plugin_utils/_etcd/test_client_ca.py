"""Whom a client of etcd asks for the CA, and what it makes of the answers."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.filter.etcd_client_ca import etcd_client_ca

SEEN = {"etcd": {"data": True}}


def answer(item: str, certificate: str = "", key: str = "absent") -> dict[str, Any]:
    return {"item": item, "ca_certificate": certificate, "ca_key": key}


def silent(item: str) -> dict[str, Any]:
    return {"item": item, "unreachable": True}


def asked(*answers: dict[str, Any]) -> dict[str, Any]:
    return {"answers": {"results": list(answers)}}


@pytest.mark.parametrize(
    ("hosts", "hostvars", "expected"),
    [
        # One that the run has just looked at is enough, the first; of others nobody knows whether they answer.
        (["h1", "h2", "h1"], {"h1": {}, "h2": {}}, {"candidates": ["h1", "h2"]}),
        (["h1", "h2", "h3"], {"h1": {}, "h2": SEEN, "h3": SEEN}, {"candidates": ["h2"]}),
        (["gone", "h2"], {"h2": SEEN}, {"candidates": ["h2"]}),
        (["gone"], {"c": {}}, {"candidates": ["gone"]}),
        # The first with the certificate gives it, the first with the key signs.
        (
            ["h1", "h2"],
            {"c": asked(answer("h1", "CA"), answer("h2", "CA", "ok"))},
            {"candidates": ["h1", "h2"], "certificate": "CA", "signer": "h2", "answered": ["h1", "h2"]},
        ),
        (
            ["h1", "h2"],
            {"c": asked(silent("h1"), answer("h2", "", "exposed"))},
            {"candidates": ["h1", "h2"], "signer": "h2", "answered": ["h2"]},
        ),
        # One host asks, and the others registered that they skipped it.
        (
            ["h1"],
            {"b": {"answers": {"skipped": True}}, "c": asked(), "d": asked(answer("h1", "CA", "ok"))},
            {"candidates": ["h1"], "certificate": "CA", "signer": "h1", "answered": ["h1"]},
        ),
        # Who takes no part in the run has no say.
        (["h1"], {"other": asked(answer("h1", "CA", "ok"))}, {"candidates": ["h1"]}),
    ],
)
def test_whom_to_ask(hosts: list[str], hostvars: dict[str, Any], expected: dict[str, Any]) -> None:
    found = etcd_client_ca(hosts, hostvars, register="etcd", asked="answers", play_hosts=["b", "c", "d"])
    assert found == {"candidates": [], "certificate": "", "signer": "", "answered": [], **expected}
