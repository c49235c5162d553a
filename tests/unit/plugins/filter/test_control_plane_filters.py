"""The filters of the role control_plane that make kubeadm's arguments, and choose a kubeconfig."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.administrator_kubeconfig import administrator_kubeconfig
from ansible_collections.groundwork.kubernetes.plugins.filter.hardening_faults import hardening_faults
from ansible_collections.groundwork.kubernetes.plugins.filter.kubeadm_arguments import kubeadm_arguments
from ansible_collections.groundwork.kubernetes.plugins.filter.oidc_arguments import oidc_arguments
from ansible_collections.groundwork.kubernetes.plugins.filter.reserved_addresses import reserved_addresses


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, []),
        ({"a": ""}, []),
        ({"b": "false", "a": 0}, [{"name": "b", "value": "false"}, {"name": "a", "value": 0}]),
    ],
)
def test_arguments(arguments: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    assert kubeadm_arguments(arguments) == expected


def test_no_arguments() -> None:
    with pytest.raises(AnsibleFilterError, match="by names"):
        kubeadm_arguments(["a"])


@pytest.mark.parametrize(
    ("version", "given", "faults"),
    [
        ("1.22.3", {}, []),
        ("1.22.3", {"pod_security": {"enforce": "baseline"}}, ["control_plane_pod_security needs Kubernetes 1.23 or"]),
        ("1.23.0", {"pod_security": {"enforce": "baseline"}}, []),
        ("1.29.3", {"authentication": {"jwt": [{"issuer": {"audiences": ["a"]}}]}}, []),
        (
            "1.29.3",
            {"authentication": {"anonymous": {"enabled": True}, "jwt": [{"userValidationRules": []}, {}]}},
            [
                "configuration.anonymous is not supported before Kubernetes 1.32; remove it.",
                "jwt.userValidationRules is not supported before Kubernetes 1.30; remove it.",
                "jwt has 2 issuers, and before Kubernetes 1.30 the API server takes one; leave one, or upgrade",
            ],
        ),
        ("1.30.0", {"authentication": {"jwt": []}}, []),
        ("1.36.5", {"patches": "/none"}, ["control_plane_patches: there is no file in /none on the machine"]),
        ("1.36.5", {"patches": "/some", "patch_files": ["/some/etcd.yaml"]}, []),
        (
            "1.20.2",
            {"pod_security": {"a": 1}, "authentication": {"jwtt": []}, "patches": "/none"},
            ["control_plane_pod_security", "jwtt is not supported; did you mean jwt?", "control_plane_patches"],
        ),
    ],
)
def test_hardening(version: str, given: dict[str, Any], faults: list[str]) -> None:
    options = {"pod_security": {}, "authentication": {}, "patches": "", "patch_files": [], **given}
    found = hardening_faults(version, **options)
    assert len(found) == len(faults), found
    assert all(text in fault for text, fault in zip(faults, found))


@pytest.mark.parametrize(
    ("providers", "expected"),
    [
        ([], {}),
        (
            [{"claimMappings": {"username": {"claim": "sub", "prefix": "oidc:"}}}],
            {"oidc-username-claim": "sub", "oidc-username-prefix": "oidc:"},
        ),
        ([{"claimMappings": {"username": {"prefix": ""}}}], {"oidc-username-prefix": "-"}),
        ([{"claimValidationRules": [{"claim": "hd"}]}], {"oidc-username-prefix": "-", "oidc-required-claim": "hd="}),
        # What has another form is told by its form.
        ([{"issuer": "x", "claimMappings": {"groups": []}}], {"oidc-username-prefix": "-"}),
        (["x"], {"oidc-username-prefix": "-"}),
        ("x", {}),
    ],
)
def test_oidc(providers: Any, expected: dict[str, str]) -> None:
    found = oidc_arguments({"jwt": providers})
    assert (found.pop("oidc-signing-algs", None) is None) is (expected == {})
    assert {name: text for name, text in found.items() if text} == expected


def test_oidc_of_what_is_none() -> None:
    with pytest.raises(AnsibleFilterError, match="needs an AuthenticationConfiguration"):
        oidc_arguments("x")


def test_hardening_of_an_unknown_version() -> None:
    with pytest.raises(AnsibleFilterError, match="is not covered"):
        hardening_faults("1.10.0", pod_security={}, authentication={}, patches="", patch_files=[])


HOSTVARS = {
    "cp-1": {"kubernetes_node_ip": "192.0.2.11,2001:db8::11"},
    "cp-2": {"kubernetes_node_ip": "192.0.2.12"},
    "w-1": {"kubernetes_node_ip": "192.0.2.21"},
    "lb-1": {"kubernetes_node_ip": "192.0.2.31"},
    "lb-2": {},
}
NETWORKS = ["10.96.0.0/12,fd00:96::/112", "10.244.0.0/16"]
SPLIT = ["10.96.0.0/12", "fd00:96::/112", "10.244.0.0/16"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"endpoint": ""}, []),
        ({"endpoint": "API.example.com:6443"}, ["api.example.com"]),
        ({"endpoint": "api:6443", "virtual_ip": "192.0.2.10"}, ["api", "192.0.2.10"]),
        ({"endpoint": "192.0.2.10:6443", "virtual_ip": " 192.0.2.10 "}, ["192.0.2.10"]),
        # The address of a control plane is a node's.
        ({"endpoint": "192.0.2.12:6443"}, []),
        ({"endpoint": "[2001:db8::11]:6443"}, []),
        # Of hosts of load balancers only those count that are no nodes, and whose address is known.
        ({"endpoint": "", "balancers": ["lb-1", "lb-2", "cp-2", "w-1"], "nodes": ["w-1"]}, ["192.0.2.31"]),
    ],
)
def test_reserved(given: dict[str, Any], expected: list[str]) -> None:
    assert reserved_addresses(["cp-1", "cp-2"], HOSTVARS, networks=NETWORKS, **given) == SPLIT + expected


def kubeconfig(server: str, name: str) -> str:
    return f"clusters:\n- cluster:\n    server: {server}\n  name: {name}\n"


ONE, TWO = kubeconfig("https://192.0.2.11:6443", "one"), kubeconfig("https://192.0.2.12:6443", "two")
URL = "https://api.example.com:6443"


@pytest.mark.parametrize(
    ("contents", "given", "expected"),
    [
        ([ONE, TWO], {"kept": ""}, ONE),
        ([ONE, TWO], {"kept": TWO}, TWO),
        ([ONE, TWO], {"kept": "of another cluster"}, ONE),
        ([ONE, TWO], {"kept": "", "server": URL}, kubeconfig(URL, "one")),
        ([ONE, TWO], {"kept": kubeconfig(URL, "two"), "server": URL}, kubeconfig(URL, "two")),
        # Its server is another one than is wanted.
        ([ONE, TWO], {"kept": TWO, "server": URL}, kubeconfig(URL, "one")),
        (["", TWO], {"kept": ""}, TWO),
        ([], {"kept": ""}, ""),
    ],
)
def test_kubeconfig(contents: list[str], given: dict[str, str], expected: str) -> None:
    assert administrator_kubeconfig(contents, **given) == expected
