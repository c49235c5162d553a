"""The judgement of accounts, bindings and identity providers, as a table."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.inputs import FORM_CHECKS, HOST_CHECKS
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.users import authentication, users

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


def provider(**more: Any) -> dict[str, Any]:
    mappings = {"username": {"claim": "email", "prefix": ""}, "groups": {"claim": "groups", "prefix": "oidc:"}}
    return {"issuer": {"url": "https://id", "audiences": ["k"]}, "claimMappings": mappings, **more}


@pytest.mark.parametrize(
    ("providers", "expected"),
    [
        (None, []),
        ([provider()], []),
        ([provider(claimMappings={"username": {"expression": "claims.sub"}})], []),
        (
            [provider(issuer={"url": "http://id", "audiences": []})],
            ["issuer.url 'http://id' is no https URL", "issuer.audiences is empty"],
        ),
        ([provider(issuer={"url": "https://id", "audiences": ["a", "b"]})], ["issuer.audiences has several"]),
        (
            [provider(issuer={"url": "https://id", "audiences": ["a", "b"], "audienceMatchPolicy": "MatchAny"})],
            [],
        ),
        ([provider(claimMappings={})], ["claimMappings.username is missing"]),
        ([provider(claimMappings={"username": {"claim": "a"}})], ["claimMappings.username.prefix is missing"]),
        (
            [provider(claimMappings={"username": {"claim": "a", "expression": "b"}})],
            ["claimMappings.username takes claim or expression"],
        ),
        (
            [provider(claimMappings={"username": {"claim": "a", "prefix": "system:"}, "groups": {}})],
            ["claimMappings.username.prefix 'system:' makes", "claimMappings.groups takes claim or expression"],
        ),
        (["x"], ["it is no map"]),
    ],
)
def test_providers(providers: Any, expected: list[str]) -> None:
    host = HostInput("h1", {"control_plane_authentication_configuration": {"jwt": providers}})
    found = [fault.text for fault in authentication(host, Inputs([host], {}, {}))]
    start = "control_plane_authentication_configuration.jwt[0]: "
    assert len(found) == len(expected), found
    assert all(text.startswith(start + part) for text, part in zip(found, expected, strict=True)), found


def test_a_provider_is_there_once() -> None:
    host = HostInput("h1", {"control_plane_authentication_configuration": {"jwt": [provider(), provider()]}})
    (fault,) = authentication(host, Inputs([host], {}, {}))
    assert "jwt[1]: issuer.url is that of jwt[0], too" in fault.text


def test_they_are_among_the_checks() -> None:
    assert users in FORM_CHECKS[1]
    assert authentication in HOST_CHECKS
