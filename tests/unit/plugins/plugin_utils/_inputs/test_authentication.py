"""How the API server knows who asks, judged before one starts with it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import WARNING
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.authentication import authentication
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.components import component_settings
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.inputs import HOST_CHECKS
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

VARIABLE = "control_plane_authentication_configuration"
USERNAME: dict[str, Any] = {"claim": "email", "prefix": ""}
VERIFIED = {"expression": "claims.email_verified == true"}


def judged(configuration: Any, version: str = "1.36.5", **values: Any) -> list[str]:
    """What preflight says, without the variable's name; a warning begins with an exclamation mark."""
    given = {VARIABLE: configuration, "kubernetes_version": version, "kubernetes_dns_domain": "cluster.local"}
    host = HostInput("h1", {**given, **values})
    inputs = Inputs([host], {}, {})
    found = [*authentication(host, inputs), *component_settings(host, inputs)]
    return [("! " if fault.severity == WARNING else "") + fault.text.replace(f"{VARIABLE}.", "") for fault in found]


def provider(issuer: dict[str, Any] | None = None, mappings: dict[str, Any] | None = None, **more: Any) -> Any:
    base = {"username": USERNAME, "groups": {"claim": "groups", "prefix": "oidc:"}}
    return {
        "issuer": {"url": "https://id", "audiences": ["k"], **(issuer or {})},
        "claimMappings": {**base, **(mappings or {})},
        **more,
    }


def starts(found: list[str], expected: list[str]) -> None:
    assert len(found) == len(expected), found
    assert all(text.startswith(start) for text, start in zip(found, expected, strict=True)), found


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (provider(), []),
        (provider(mappings={"username": {"expression": "claims.sub"}}), []),
        (
            provider(issuer={"url": "http://id", "audiences": []}),
            ["issuer.url 'http://id' is no https URL", "issuer.audiences is empty"],
        ),
        (provider(issuer={"url": "https://[id"}), ["issuer.url 'https://[id' is no URL"]),
        (provider(issuer={"url": "https://me:secret@id"}), ["issuer.url has an account, a query or a fragment"]),
        (provider(issuer={"url": "https://id?a=b"}), ["issuer.url has an account, a query or a fragment"]),
        (
            provider(issuer={"url": "https://kubernetes.default.svc.cluster.local"}),
            ["issuer.url is the cluster's own, for service accounts"],
        ),
        (provider(issuer={"discoveryURL": "https://id/"}), ["issuer.discoveryURL is the same as issuer.url"]),
        (provider(issuer={"discoveryURL": "id"}), ["issuer.discoveryURL 'id' is no https URL"]),
        (provider(issuer={"audiences": ["a", "b"]}), ["issuer.audiences has several"]),
        (
            provider(issuer={"audiences": ["a", "a"], "audienceMatchPolicy": "MatchAny"}),
            ["issuer.audiences has one of"],
        ),
        (provider(issuer={"audiences": ["a", "b"], "audienceMatchPolicy": "MatchAny"}), []),
        (
            provider(issuer={"audienceMatchPolicy": "MatchAll"}),
            ["issuer.audienceMatchPolicy 'MatchAll' is not MatchAny"],
        ),
        (provider(issuer={"egressSelectorType": "cluster"}), []),
        (
            provider(issuer={"egressSelectorType": "etcd"}),
            ["issuer.egressSelectorType 'etcd' is none of controlplane,"],
        ),
        (provider(issuer={"certificateAuthority": "/etc/ca.crt"}), ["issuer.certificateAuthority has no certificate"]),
        (
            provider(issuer={"certificateAuthority": "-----BEGIN PRIVATE KEY-----"}),
            ["issuer.certificateAuthority has a private key"],
        ),
        (
            provider(issuer={"certificateAuthority": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}),
            ["issuer.certificateAuthority cannot be read"],
        ),
        (provider(mappings={"username": None}), ["claimMappings.username is missing"]),
        (provider(mappings={"username": {"claim": "a"}}), ["claimMappings.username.prefix is missing"]),
        (
            provider(mappings={"username": {"claim": "a", "expression": "b"}}),
            ["claimMappings.username takes claim or expression"],
        ),
        (
            provider(mappings={"username": {"expression": "claims.sub", "prefix": "a"}}),
            ["claimMappings.username.prefix is for a claim"],
        ),
        (
            provider(mappings={"username": {"claim": "a", "prefix": "system:"}, "groups": {}}),
            ["claimMappings.username.prefix 'system:' makes", "claimMappings.groups takes claim or expression"],
        ),
        (
            provider(mappings={"uid": {"claim": "a", "expression": "b"}}),
            ["claimMappings.uid takes claim or expression"],
        ),
        (
            provider(mappings={"username": {"expression": "claims.email"}}),
            ["claimMappings.username.expression uses claims.email, and nothing asks for claims.email_verified"],
        ),
        (provider(mappings={"username": {"expression": "claims.email"}}, claimValidationRules=[VERIFIED]), []),
        (
            provider(mappings={"extra": [{"key": "example.com/team", "valueExpression": "claims.team"}]}),
            [],
        ),
        (
            provider(
                mappings={
                    "extra": [
                        {"key": "Team", "valueExpression": "claims.team"},
                        {"key": "a.k8s.io/team", "valueExpression": "claims.team"},
                        {"key": "example.com/team", "valueExpression": "claims.team"},
                        {"key": "example.com/team"},
                    ]
                }
            ),
            [
                "claimMappings.extra[0].key 'Team' is none",
                "claimMappings.extra[1].key 'a.k8s.io/team' is of a domain of Kubernetes' own",
                "claimMappings.extra[3].key 'example.com/team' is there twice",
                "claimMappings.extra[3].valueExpression is missing",
            ],
        ),
        (
            provider(
                claimValidationRules=[
                    {},
                    {"claim": "a", "message": "m"},
                    {"expression": "b", "requiredValue": "c"},
                    {"claim": "hd", "requiredValue": "x"},
                    {"claim": "hd", "requiredValue": "y"},
                ],
                userValidationRules=[{"message": "m"}, {"expression": "a"}, {"expression": "a"}],
            ),
            [
                "claimValidationRules[0] takes claim or expression",
                "claimValidationRules[1].message is for an expression",
                "claimValidationRules[2].requiredValue is for a claim",
                "claimValidationRules[4] is there twice",
                "userValidationRules[0] has no expression",
                "userValidationRules[2] is there twice",
            ],
        ),
    ],
)
def test_a_provider(given: dict[str, Any], expected: list[str]) -> None:
    if given["claimMappings"]["username"] is None:
        del given["claimMappings"]["username"]
    starts(judged({"jwt": [given]}), [f"jwt[0]: {text}" for text in expected])


def test_an_authority(tmp_path: Path) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj"]
    command += ["/CN=id", "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "crt")]
    subprocess.run(command, check=True, capture_output=True)
    text = (tmp_path / "crt").read_text()
    assert judged({"jwt": [provider(issuer={"certificateAuthority": text})]}) == []


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ({}, []),
        (None, []),
        ("x", []),
        ({"jwt": {}}, ["jwt (a map) is no list"]),
        ({"jwt": ["x"]}, ["jwt[0] 'x' is no map"]),
        (
            {"jwt": [provider(issuer={"audiences": "k", "url": 1}, claimValidationRules=[{"claim": True}])]},
            [
                "jwt[0].issuer.url 1 is no text; put it in quotes",
                "jwt[0].issuer.audiences 'k' is no list",
                "jwt[0].claimValidationRules[0].claim True is no text",
            ],
        ),
        ({"jwt": [provider(issuer={"audiences": [1]})]}, ["jwt[0].issuer.audiences[0] 1 is no text"]),
        ({"anonymous": {"enabled": "yes"}}, ["anonymous.enabled 'yes' is no boolean; give it true or false"]),
        ({"anonymous": {"enabled": True, "conditions": [{"path": "/livez"}]}}, []),
        ({"anonymous": {"enabled": False, "conditions": [{"path": "/livez"}]}}, ["anonymous has conditions, but"]),
        ({"jwt": [provider(), provider()]}, ["jwt[1]: issuer.url is that of jwt[0], too"]),
        (
            {"jwt": [provider(), provider(issuer={"url": "https://other", "discoveryURL": "https://a"})]},
            [],
        ),
        (
            {
                "jwt": [
                    provider(issuer={"url": f"https://id{number}", "discoveryURL": "https://a"}) for number in range(2)
                ]
            },
            ["jwt[1]: issuer.discoveryURL is that of jwt[0], too"],
        ),
        (
            {"jwt": [provider(issuer={"url": f"https://id{number}"}) for number in range(65)]},
            ["jwt has 65 issuers; the API server takes 64"],
        ),
        (
            {"jwt": [{**provider(), "claimMapping": {}}]},
            ["jwt.claimMapping is not supported; did you mean claimMappings?"],
        ),
        ({"jwts": []}, ["jwts is not supported; did you mean jwt?"]),
    ],
)
def test_the_whole(configuration: Any, expected: list[str]) -> None:
    starts(judged(configuration), expected)


@pytest.mark.parametrize(
    ("version", "configuration", "expected"),
    [
        ("1.20.2", {"jwt": [provider(claimValidationRules=[{"claim": "hd", "requiredValue": "x"}])]}, []),
        (
            "1.29.1",
            {
                "jwt": [
                    provider(issuer={"audiences": ["a", "b"], "audienceMatchPolicy": "MatchAny"}),
                    provider(issuer={"url": "https://b"}, claimValidationRules=[{"claim": "a"}, {"claim": "b"}]),
                ]
            },
            [
                "jwt has 2 issuers, and before Kubernetes 1.30 the API server takes one; leave one, or upgrade",
                "jwt[0].issuer.audiences has 2 audiences, and before Kubernetes 1.30",
                "jwt[1].claimValidationRules has 2 rules, and before Kubernetes 1.30",
            ],
        ),
        (
            "1.29.1",
            {"jwt": [provider(mappings={"username": {"expression": "claims.sub"}}, userValidationRules=[])]},
            [
                "jwt.claimMappings.username.expression is not supported before Kubernetes 1.30; remove it",
                "jwt.userValidationRules is not supported before Kubernetes 1.30; remove it",
            ],
        ),
        ("1.30.1", {"jwt": [provider(), provider(issuer={"url": "https://b"})]}, []),
        (
            "1.31.1",
            {"anonymous": {"enabled": True}},
            ["anonymous is not supported before Kubernetes 1.32; remove it"],
        ),
        (
            "1.33.1",
            {"jwt": [provider(issuer={"egressSelectorType": "cluster"})]},
            ["jwt.issuer.egressSelectorType is not supported before Kubernetes 1.34; remove it"],
        ),
        ("1.37.1", {"jwts": []}, ["! jwts is not supported"]),
    ],
)
def test_what_a_version_has(version: str, configuration: Any, expected: list[str]) -> None:
    starts(judged(configuration, version), expected)


@pytest.mark.parametrize(
    ("version", "argument", "expected"),
    [
        ("1.36.5", "v", []),
        ("1.36.5", "oidc-issuer-url", ["oidc-issuer-url"]),
        ("1.36.5", "anonymous-auth", ["anonymous-auth"]),
        ("1.29.1", "oidc-signing-algs", ["oidc-signing-algs"]),
        ("1.29.1", "anonymous-auth", []),
    ],
)
def test_what_it_excludes(version: str, argument: str, expected: list[str]) -> None:
    arguments = {"apiServer": {"extraArgs": [{"name": argument, "value": "x"}]}}
    found = judged({"jwt": [provider()]}, version, control_plane_cluster_configuration=arguments)
    starts(found, [f"{VARIABLE} excludes the API server's argument {name} (control_plane_" for name in expected])
    assert judged({}, version, control_plane_cluster_configuration=arguments) == []


def test_another_issuer_of_service_accounts() -> None:
    arguments = {"apiServer": {"extraArgs": [{"name": "service-account-issuer", "value": "https://id"}]}}
    found = judged({"jwt": [provider()]}, control_plane_cluster_configuration=arguments)
    starts(found, ["jwt[0]: issuer.url is the cluster's own"])


@pytest.mark.parametrize(
    ("groups", "rules", "warned"),
    [
        ({"claim": "groups", "prefix": "oidc:"}, [], False),
        ({"claim": "groups", "prefix": ""}, [], True),
        ({"expression": "claims.groups"}, [], True),
        ({"claim": "groups", "prefix": ""}, [{"expression": "user.groups.all(g, !g.startsWith('system:'))"}], False),
    ],
)
def test_who_makes_administrators(groups: dict[str, Any], rules: list[Any], warned: bool) -> None:
    found = judged({"jwt": [provider(mappings={"groups": groups}, userValidationRules=rules)]})
    starts(found, ["! jwt[0]: claimMappings.groups has no prefix, so that the provider can put people into"] * warned)


def test_it_is_among_the_checks() -> None:
    assert authentication in HOST_CHECKS
