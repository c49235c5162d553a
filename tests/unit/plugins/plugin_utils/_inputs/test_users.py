"""The judgement of accounts, bindings and identity providers, as a table."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.inputs import FORM_CHECKS
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.users import users

KEY = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
ALICE = {"name": "alice", "encrypt_to": [KEY]}
CAROL = {"name": "carol", "kind": "oidc"}
OIDC = {"issuer_url": "https://id.example.com", "client_id": "k"}
LOCAL = {"kubernetes_api_load_balancer": "local"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"user_accounts": [], "user_bindings": [], "user_oidc": {}, **LOCAL}, []),
        ({"user_accounts": [ALICE], "user_hours": 8784}, []),
        ({"user_hours": 0}, ["user_hours is 0; give a number from 1 to 8784"]),
        (
            {"user_accounts": [{"name": "system:x"}, {"name": "b", "encrypt_to": ["age1x", "AGE-SECRET-KEY-1X"]}]},
            [
                "user_accounts[0] (system:x): names that begin with system: are",
                "user_accounts[0] (system:x): give either request",
                "user_accounts[1] (b): encrypt_to 'age1x' is no public key of age; copy it whole",
                "user_accounts[1] (b): encrypt_to is a private key (not shown)",
            ],
        ),
        (
            {"user_bindings": [{"group": "system:masters", "role": "a", "cluster_role": "b", "namespaces": ["x"]}]},
            [
                "user_bindings[0] (system:masters): system:masters is refused",
                "user_bindings[0] (system:masters): give role or cluster_role, one of them",
            ],
        ),
        ({"user_accounts": [CAROL]}, ["user_oidc is empty, but user_accounts has some of the kind oidc"]),
        ({"user_accounts": [CAROL], "user_oidc": OIDC}, []),
        (
            {"user_oidc": {"issuer_url": "http://id"}},
            ["user_oidc.issuer_url 'http://id' is no https URL", "user_oidc.client_id is missing"],
        ),
        ({"user_endpoint": "api.example.com:6443"}, []),
        ({"user_endpoint": "https://api"}, ["user_endpoint 'https://api' is no host:port"]),
        ({"user_accounts": [ALICE], **LOCAL}, ["user_endpoint is empty, and with kubernetes_api_load_balancer local"]),
        ({"user_accounts": [ALICE], **LOCAL, "user_endpoint": "192.0.2.1:6443"}, []),
        # Another form is told by its type.
        ({"user_accounts": "alice", "user_bindings": {"group": "x"}, "user_hours": "x"}, []),
        ({"user_accounts": ["alice", {"name": "b", "kind": "x"}, {"name": "c", "hours": "x"}]}, []),
    ],
)
def test_accounts(values: dict[str, Any], expected: list[str]) -> None:
    host = HostInput("h1", values)
    found = [fault.text for fault in users(host, Inputs([host], {}, {}))]
    assert len(found) == len(expected), found
    assert all(text.startswith(start) for text, start in zip(found, expected, strict=True)), found


def test_it_is_among_the_checks() -> None:
    assert users in FORM_CHECKS[1]
