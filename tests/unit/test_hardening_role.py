"""What the hardened profile means for kubeadm, the API server's files and what verify expects, by version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.hardening import Found, judge
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.hardening_items import ITEMS
from ansible_collections.groundwork.kubernetes.plugins.modules.hardening_info import wanted_of
from ansible_collections.groundwork.kubernetes.plugins.modules.unused_files import NAMED_BY_CONTENT
from ansible_collections.groundwork.kubernetes.tests.unit.rendering import render

SHOWN = {
    "arguments": "{{ __control_plane_hardening }}",
    "files": "{{ __control_plane_api_server_files }}",
    "promises": "{{ __control_plane_promises }}",
}
HARDENED: dict[str, Any] = {"kubernetes_hardened": True}
LEFT_OUT: dict[str, Any] = {
    "control_plane_event_rate_limits": [],
    "control_plane_admission_plugins": [],
    "control_plane_pod_security": {},
    "control_plane_authentication_configuration": {},
    "control_plane_request_timeout": "",
    "control_plane_terminated_pods": "0",
    "kubernetes_private_files": "false",
}
OPEN = {
    "apiServer": {"extraArgs": [{"name": "anonymous-auth", "value": "true"}, {"name": "profiling", "value": "true"}]}
}
ROOTLESS = {"featureGates": {"RootlessControlPlane": True}}
TWO = ["NodeRestriction", "AlwaysPullImages"]
PROVIDER: dict[str, Any] = {
    "issuer": {"url": "https://id.example.com", "audiences": ["kubernetes"], "certificateAuthority": "PEM"},
    "claimMappings": {
        "username": {"claim": "email", "prefix": ""},
        "groups": {"claim": "groups", "prefix": "oidc:"},
    },
    "claimValidationRules": [{"claim": "hd", "requiredValue": "example.com"}],
}
PEOPLE = {"control_plane_authentication_configuration": {"jwt": [PROVIDER]}}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("1.36.5", {}),
    "1.20": ("1.20.2", HARDENED),
    "1.22": ("1.22.3", HARDENED),
    "1.31": ("1.31.3", HARDENED),
    "1.34": ("1.34.3", HARDENED),
    "1.35": ("1.35.1", HARDENED),
    "left out": ("1.36.5", {**HARDENED, **LEFT_OUT}),
    "plugins": ("1.36.5", {"control_plane_admission_plugins": TWO}),
    "pod security": ("1.36.5", {"control_plane_pod_security": {"enforce": "restricted"}}),
    "overridden": ("1.36.5", {**HARDENED, "control_plane_cluster_configuration": OPEN}),
    "people": ("1.30.2", PEOPLE),
    "people before": ("1.29.3", {**HARDENED, **PEOPLE}),
    "rootless": ("1.36.5", {**HARDENED, "control_plane_cluster_configuration": ROOTLESS}),
}


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """All of them in one run, each as a host."""
    hosts = {
        name: {
            "kubernetes_version": version,
            "kubernetes_node_ip": "192.0.2.1",
            # Keys come from hosts. In verify there are none either.
            "__control_plane_encryption_path": "",
            **variables,
        }
        for name, (version, variables) in CASES.items()
    }
    inventory = {"children": {"kube_control_plane": {"hosts": hosts}}}
    return render(tmp_path_factory.mktemp("role"), "control_plane", inventory, {"hostname": "h"}, SHOWN)


def arguments(found: dict[str, Any], component: str) -> dict[str, Any]:
    return {item["name"]: item["value"] for item in found["arguments"][component]["extraArgs"]}


def content(found: dict[str, Any], folder: str) -> Any:
    """The file in a folder, which must be the one that the API server is told of."""
    files = [item for item in found["files"] if f"/{folder}/" in item["path"]]
    if not files:
        return None
    (file,) = files
    assert file["path"] in arguments(found, "apiServer").values()
    assert file["mode"] == "0600"
    volumes = {item["hostPath"] for item in found["arguments"]["apiServer"]["extraVolumes"]}
    assert str(Path(file["path"]).parent) in volumes
    return yaml.safe_load(file["content"])


EVENTS = ("NodeRestriction,EventRateLimit", ["EventRateLimit"], None)
NO_EXTERNAL = ("NodeRestriction,EventRateLimit,DenyServiceExternalIPs", ["EventRateLimit"], None)
POD_SECURITY = (NO_EXTERNAL[0], ["PodSecurity", "EventRateLimit"], None)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("plain", (None, None, None)),
        ("1.20", EVENTS),
        ("1.22", NO_EXTERNAL),
        ("1.31", POD_SECURITY),
        ("1.34", (*POD_SECURITY[:2], "apiserver.config.k8s.io/v1beta1")),
        ("1.35", (*POD_SECURITY[:2], "apiserver.config.k8s.io/v1")),
        ("left out", (None, None, None)),
        ("plugins", ("NodeRestriction,AlwaysPullImages", None, None)),
        ("pod security", (None, ["PodSecurity"], None)),
        # It would not start with both.
        ("overridden", POD_SECURITY),
    ],
)
def test_admission_and_authentication(
    cases: dict[str, Any], case: str, expected: tuple[str | None, list[str] | None, str | None]
) -> None:
    plugins, admission, authentication = expected
    found = cases[case]
    assert arguments(found, "apiServer").get("enable-admission-plugins") == plugins
    configuration = content(found, "admission")
    assert (configuration and [plugin["name"] for plugin in configuration["plugins"]]) == admission
    configuration = content(found, "authentication")
    assert (configuration and configuration["apiVersion"]) == authentication
    if configuration:
        paths = [condition["path"] for condition in configuration["anonymous"]["conditions"]]
        assert configuration["anonymous"]["enabled"] is True
        # What the kubelet's probes and load balancers ask, and what kubeadm asks before it joins.
        assert paths == ["/livez", "/readyz", "/healthz", "/api/v1/namespaces/kube-public/configmaps/cluster-info"]


def test_people_of_a_provider(cases: dict[str, Any]) -> None:
    """A file from 1.30 on, arguments and the authority's file before."""
    assert content(cases["people"], "authentication") == {
        "apiVersion": "apiserver.config.k8s.io/v1beta1",
        "kind": "AuthenticationConfiguration",
        "jwt": [PROVIDER],
    }
    before = cases["people before"]
    found = {name: text for name, text in arguments(before, "apiServer").items() if name.startswith("oidc-")}
    authority = found.pop("oidc-ca-file")
    assert found == {
        "oidc-issuer-url": "https://id.example.com",
        "oidc-client-id": "kubernetes",
        "oidc-signing-algs": "RS256,RS384,RS512,ES256,ES384,ES512,PS256,PS384,PS512",
        "oidc-username-claim": "email",
        "oidc-username-prefix": "-",
        "oidc-groups-claim": "groups",
        "oidc-groups-prefix": "oidc:",
        "oidc-required-claim": "hd=example.com",
    }
    assert content(before, "authentication") == "PEM"
    assert NAMED_BY_CONTENT.fullmatch(Path(authority).name)
    assert "authentication-config" not in arguments(before, "apiServer")
    assert not any(name.startswith("oidc-") for name in arguments(cases["people"], "apiServer"))


@pytest.mark.parametrize(
    ("case", "timeout", "pods", "private"),
    [
        ("plain", None, None, False),
        ("1.20", "1m0s", 1000, True),
        ("left out", None, None, False),
        ("rootless", "1m0s", 1000, False),
    ],
)
def test_time_pods_and_files(
    cases: dict[str, Any], case: str, timeout: str | None, pods: int | None, private: bool
) -> None:
    found = cases[case]
    assert arguments(found, "apiServer").get("request-timeout") == timeout
    assert arguments(found, "controllerManager").get("terminated-pod-gc-threshold") == pods
    assert found["promises"]["private_files"] is private


def promised(found: dict[str, Any]) -> set[str]:
    """The items of the control plane that the profile adds, and that verify then expects."""
    wanted = wanted_of(found["promises"])
    judged = [judge(item, Found(), wanted) for item in ITEMS if item.part == "control_plane"]
    return {item["number"] for item in judged if item["by"] != "default" and item["promised"]}


POD_ITEMS = {item.number for item in ITEMS if item.number.startswith("5.2.") and item.by == "profile"}
ALWAYS = {item.number for item in ITEMS if item.part == "control_plane" and item.by == "profile"} - POD_ITEMS


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("plain", set()),
        ("1.20", ALWAYS - {"1.2.1", "1.2.3"}),
        ("1.22", ALWAYS - {"1.2.1"}),
        ("1.31", ALWAYS - {"1.2.1"} | POD_ITEMS),
        ("1.35", ALWAYS | POD_ITEMS),
        ("left out", ALWAYS - {"1.1.20", "1.2.1", "1.2.3", "1.2.9", "1.2.20", "1.3.1"}),
        ("plugins", {"1.2.11"}),
        ("pod security", {item.number for item in ITEMS if item.number.startswith("5.2.")}),
        ("overridden", (ALWAYS | POD_ITEMS) - {"1.2.1", "1.2.15"}),
    ],
)
def test_verify_expects_what_the_variables_say(cases: dict[str, Any], case: str, expected: set[str]) -> None:
    assert promised(cases[case]) == expected
