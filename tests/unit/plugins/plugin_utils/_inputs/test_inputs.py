"""The judgement of variables, as tables: what is set, which faults are found, what their texts say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.public_keys import key_hash
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import (
    argument_specs,
    host_settings,
    inputs,
    text,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs
from ansible_collections.groundwork.kubernetes.tests.unit.plugins.pki import issue

SPECS: dict[str, dict[str, Any]] = {
    "kubernetes": {
        "kubernetes_version": {"type": "str", "default": "1.36.5"},
        "kubernetes_api_endpoint": {"type": "str", "default": ""},
        "kubernetes_api_port": {"type": "int", "default": 6443},
        "kubernetes_pod_cidr": {"type": "str", "default": "10.244.0.0/16"},
        "kubernetes_service_cidr": {"type": "str"},
        "kubernetes_node_name": {"type": "str", "default": "{{ inventory_hostname }}"},
        "kubernetes_node_ip": {"type": "str"},
        "kubernetes_dns_domain": {"type": "str"},
        "kubernetes_proxy_mode": {"type": "str", "choices": ["iptables", "ipvs", "nftables"]},
        "kubernetes_proxy_configuration": {"type": "dict"},
        "kubernetes_container_runtime": {"type": "str"},
        "kubernetes_checksums": {"type": "dict"},
        "kubernetes_control_plane_group": {"type": "str", "default": "kube_control_plane"},
        "kubernetes_api_load_balancer": {"type": "str", "choices": ["external", "haproxy", "kube_vip", "local"]},
        "kubernetes_api_local_port": {"type": "int"},
    },
    "endpoint": {"endpoint_virtual_ip": {"type": "str"}, "endpoint_health_port": {"type": "int"}},
    "etcd": {"etcd_ca_certificate": {"type": "str"}, "etcd_ca_key": {"type": "str", "no_log": True}},
    "container_runtime": {
        "container_runtime_registry_mirrors": {
            "type": "list",
            "elements": "dict",
            "options": {"registry": {"type": "str", "required": True}},
        },
        "container_runtime_install_method": {"type": "str"},
        "container_runtime_containerd_version": {"type": "str"},
        "container_runtime_runc_checksum": {"type": "str"},
    },
    "backup": {"backup_schedule": {"type": "str"}, "backup_key": {"type": "dict", "no_log": True}},
}
GROUP_NAMES = {
    "kubernetes_control_plane_group": "kube_control_plane",
    "kubernetes_node_group": "kube_node",
    "kubernetes_etcd_group": "etcd",
    "kubernetes_load_balancer_group": "kube_load_balancer",
}
VALUES: dict[str, Any] = {
    **GROUP_NAMES,
    "kubernetes_version": "1.36.5",
    "kubernetes_api_endpoint": "",
    "kubernetes_api_port": 6443,
    "kubernetes_pod_cidr": "10.244.0.0/16",
    "kubernetes_service_cidr": "10.96.0.0/12",
    "kubernetes_dns_domain": "cluster.local",
    "kubernetes_proxy_mode": "iptables",
    "kubernetes_container_runtime": "containerd",
}
SHA = "a" * 64
GROUPS = {"kube_control_plane": ["cp1"], "kube_node": ["w1"], "etcd": []}
V6_SERVICES = "fd01::/112"
V6_NODE = {"kubernetes_node_ip": "2001:db8::1"}
CA, OTHER_CA = issue("etcd-ca"), issue("other-ca")


def host(name: str = "cp1", values: dict[str, Any] | None = None, **more: Any) -> HostInput:
    """A host with sound variables, except for what is given."""
    own = {"kubernetes_node_name": name, "kubernetes_node_ip": f"192.0.2.{sum(map(ord, name)) % 250}"}
    return HostInput(name, {**VALUES, **own, **(values or {})}, **more)


def found(hosts: list[HostInput], groups: dict[str, list[str]] | None = None) -> list[Any]:
    return inputs.find_faults(Inputs(hosts, GROUPS if groups is None else groups, SPECS))


VARIABLES = [
    ("sound", {}, []),
    # Types
    ("a choice that is none", {"kubernetes_proxy_mode": "iptable"}, ["error value-invalid"]),
    ("a word for a number", {"kubernetes_api_port": "https"}, ["error value-invalid"]),
    ("a number as text", {"kubernetes_api_port": "6443"}, []),
    ("set but empty", {"kubernetes_pod_cidr": None}, ["error value-invalid"]),
    ("an element without what it needs", {"container_runtime_registry_mirrors": [{}]}, ["error value-invalid"]),
    (
        "an element with what is unknown",
        {"container_runtime_registry_mirrors": [{"registry": "docker.io", "mirors": []}]},
        ["error value-invalid"],
    ),
    # Versions
    ("a version with v", {"kubernetes_version": "v1.36.5"}, ["error version-invalid"]),
    ("a minor only", {"kubernetes_version": "1.36"}, ["error version-invalid"]),
    ("a minor read as a number", {"kubernetes_version": 1.36}, ["error version-invalid"]),
    ("a version too old", {"kubernetes_version": "1.19.16"}, ["error version-invalid"]),
    ("no version", {"kubernetes_version": ""}, ["error version-invalid"]),
    ("a version too new", {"kubernetes_version": "1.99.0"}, ["error version-invalid"]),
    ("a release candidate", {"kubernetes_version": "1.37.0-rc.1"}, []),
    # Networks
    ("no prefix", {"kubernetes_pod_cidr": "10.244.0.0"}, ["error cidr-invalid"]),
    ("no network", {"kubernetes_pod_cidr": "10.244.0.0.0/16"}, ["error cidr-invalid"]),
    ("host bits", {"kubernetes_pod_cidr": "10.244.1.0/16"}, ["error cidr-invalid"]),
    ("overlap", {"kubernetes_pod_cidr": "10.100.0.0/16"}, ["error cidr-clash"]),
    ("two of a family", {"kubernetes_pod_cidr": "10.244.0.0/16,10.245.0.0/16"}, ["error cidr-invalid"]),
    ("room for one node of two", {"kubernetes_pod_cidr": "10.244.0.0/24"}, ["error cidr-invalid"]),
    ("room for two nodes of two", {"kubernetes_pod_cidr": "10.244.0.0/23"}, []),
    ("no room for a node", {"kubernetes_pod_cidr": "10.244.0.0/25"}, ["error cidr-invalid"]),
    ("too large for kubeadm", {"kubernetes_pod_cidr": "128.0.0.0/7"}, ["error cidr-invalid"]),
    ("too many services", {"kubernetes_service_cidr": "10.96.0.0/11"}, ["error cidr-invalid"]),
    ("too few services", {"kubernetes_service_cidr": "10.96.0.0/29"}, ["error cidr-invalid"]),
    ("different families", {"kubernetes_service_cidr": V6_SERVICES, **V6_NODE}, ["error cidr-clash"]),
    (
        "dual stack",
        {"kubernetes_pod_cidr": "10.244.0.0/16,fd00::/56", "kubernetes_service_cidr": f"10.96.0.0/12,{V6_SERVICES}"},
        [],
    ),
    ("IPv6", {"kubernetes_pod_cidr": "fd00::/48", "kubernetes_service_cidr": V6_SERVICES, **V6_NODE}, []),
    (
        "IPv6 too large for kubeadm",
        {"kubernetes_pod_cidr": "fd00::/47", "kubernetes_service_cidr": V6_SERVICES, **V6_NODE},
        ["error cidr-invalid"],
    ),
    # Endpoint
    ("a name", {"kubernetes_api_endpoint": "api.example.com"}, []),
    ("an address and port", {"kubernetes_api_endpoint": "192.0.2.1:8443"}, []),
    ("IPv6 in brackets", {"kubernetes_api_endpoint": "[2001:db8::1]:6443"}, []),
    ("IPv6 bare", {"kubernetes_api_endpoint": "2001:db8::1"}, ["error endpoint-invalid"]),
    ("a URL", {"kubernetes_api_endpoint": "https://api.example.com:6443"}, ["error endpoint-invalid"]),
    ("no port after the colon", {"kubernetes_api_endpoint": "api.example.com:"}, ["error endpoint-invalid"]),
    ("a port too high", {"kubernetes_api_endpoint": "api:70000"}, ["error endpoint-invalid"]),
    ("an address that is none", {"kubernetes_api_endpoint": "192.0.2.256:6443"}, ["error endpoint-invalid"]),
    ("upper case", {"kubernetes_api_endpoint": "API.example.com"}, ["error endpoint-invalid"]),
    ("an API port too high", {"kubernetes_api_port": 65536}, ["error value-invalid"]),
    ("a local port too high", {"kubernetes_api_local_port": 65536}, ["error value-invalid"]),
    # Ports
    ("the kubelet's port for the API", {"kubernetes_api_port": 10250}, ["error port-clash"]),
    ("etcd's port for the API", {"kubernetes_api_port": 2379}, ["error port-clash"]),
    ("the kubelet's health port for the API", {"kubernetes_api_port": 10248}, ["error port-clash"]),
    # What is supplied to etcd
    ("a CA", {"etcd_ca_certificate": CA.crt, "etcd_ca_key": CA.pem}, []),
    ("the key of another CA", {"etcd_ca_certificate": CA.crt, "etcd_ca_key": OTHER_CA.pem}, ["error key-mismatch"]),
    ("no CA", {"etcd_ca_certificate": "hunter2"}, ["error pem-unreadable"]),
    (
        "an expired CA",
        {"etcd_ca_certificate": issue("etcd-ca", since=-9, days=-1).crt},
        ["error certificate-expired"],
    ),
    # Names and addresses
    ("a name with an underscore", {"kubernetes_node_name": "Node_1"}, ["error name-invalid"]),
    ("a name with a long label", {"kubernetes_node_name": "n" * 64}, ["error name-invalid"]),
    ("a domain that is none", {"kubernetes_dns_domain": "Cluster.Local"}, ["error name-invalid"]),
    ("no address", {"kubernetes_node_ip": "eth0"}, ["error value-invalid"]),
    ("an empty address", {"kubernetes_node_ip": "192.0.2.1,"}, ["error value-invalid"]),
    ("two addresses", {"kubernetes_node_ip": "192.0.2.1,2001:db8::1"}, []),
    ("an address of the pods", {"kubernetes_node_ip": "10.244.0.5"}, ["error address-clash"]),
    # kube-proxy
    ("nftables", {"kubernetes_proxy_mode": "nftables"}, []),
    (
        "nftables too early",
        {"kubernetes_proxy_mode": "nftables", "kubernetes_version": "1.28.0"},
        ["error proxy-mode-unsupported"],
    ),
    (
        "nftables behind its gate",
        {"kubernetes_proxy_mode": "nftables", "kubernetes_version": "1.30.0"},
        ["error proxy-mode-unsupported"],
    ),
    (
        "nftables with its gate",
        {
            "kubernetes_proxy_mode": "nftables",
            "kubernetes_version": "1.30.0",
            "kubernetes_proxy_configuration": {"featureGates": {"NFTablesProxyMode": True}},
        },
        [],
    ),
    (
        "pod security and patches that this version lacks",
        {
            "kubernetes_version": "1.20.2",
            "control_plane_pod_security": {"enforce": "baseline"},
            "control_plane_patches": "patches",
        },
        ["error file-missing", "error value-invalid", "error value-invalid"],
    ),
    ("pod security", {"control_plane_pod_security": {"enforce": "baseline"}}, []),
    ("no audit rules", {"control_plane_audit_policy": {"kind": "Policy"}}, ["error value-invalid"]),
    (
        "an audit rule without a level",
        {"control_plane_audit_policy": {"rules": [{"level": "None"}, {"users": ["x"]}, {"level": "none"}]}},
        ["error value-invalid", "error value-invalid"],
    ),
    ("ipvs", {"kubernetes_proxy_mode": "ipvs"}, ["warning proxy-mode-unsupported"]),
    ("ipvs before", {"kubernetes_proxy_mode": "ipvs", "kubernetes_version": "1.34.0"}, []),
    # kubeadm's configuration
    (
        "time for the control plane before v1beta4",
        {
            "kubernetes_version": "1.30.5",
            "control_plane_init_configuration": {"timeouts": {"controlPlaneComponentHealthCheck": "6m0s"}},
        },
        [],
    ),
    (
        "old and misspelt names",
        {
            "control_plane_cluster_configuration": {"apiserver": {}, "dns": {"type": "CoreDNS"}},
            "control_plane_init_configuration": {"skipPhase": ["addon"]},
        },
        ["error kubeadm-field", "error kubeadm-field", "error kubeadm-field"],
    ),
    (
        "what an older kubeadm cannot express",
        {
            "kubernetes_version": "1.30.5",
            "control_plane_init_configuration": {"timeouts": {"kubeletHealthCheck": "6m0s"}},
        },
        ["error kubeadm-field"],
    ),
    (
        "arguments in an older form",
        {"control_plane_cluster_configuration": {"scheduler": {"extraArgs": {"v": "2"}}}},
        ["error kubeadm-field"],
    ),
    ("a worker's setting on a control plane", {"worker_join_configuration": {"discovery": {"timeout": "1m"}}}, []),
    # Checksums
    ("bare", {"container_runtime_runc_checksum": SHA}, []),
    ("with its kind", {"container_runtime_runc_checksum": f"sha256:{SHA}"}, []),
    ("of a URL", {"container_runtime_runc_checksum": "https://example.com/runc.sha256sum"}, []),
    ("none", {"container_runtime_runc_checksum": ""}, []),
    ("too short", {"container_runtime_runc_checksum": SHA[1:]}, ["error checksum-invalid"]),
    ("of another kind", {"kubernetes_checksums": {"kubeadm": f"md5:{SHA[:32]}"}}, ["error checksum-invalid"]),
    # Runtime
    (
        "CRI v1alpha2 with containerd 2",
        {
            "kubernetes_version": "1.20.2",
            "container_runtime_install_method": "archive",
            "container_runtime_containerd_version": "2.1.9",
            "container_runtime_containerd_checksum": SHA,
        },
        ["error runtime-unsupported"],
    ),
    (
        "CRI v1 without containerd 1.6",
        {
            "container_runtime_install_method": "archive",
            "container_runtime_containerd_version": "1.5.18",
            "container_runtime_containerd_checksum": SHA,
        },
        ["error runtime-unsupported"],
    ),
    (
        "a package of unknown version",
        {
            "kubernetes_version": "1.20.2",
            "container_runtime_install_method": "package",
            "container_runtime_containerd_version": "2.1.9",
        },
        [],
    ),
]


@pytest.mark.parametrize(("values", "expected"), [c[1:] for c in VARIABLES], ids=[c[0] for c in VARIABLES])
def test_variables(values: dict[str, Any], expected: list[str]) -> None:
    faults = found([host(values=values)])
    assert [f"{fault.severity} {fault.id}" for fault in faults] == expected
    for fault in faults:
        assert fault.host == ("" if fault.id == "file-missing" else "cp1")
        assert "; " in fault.text, "each fault says what to do"
        assert any(variable in fault.text for variable in values), "each fault names the variable"


def test_a_version_that_is_refused_is_told_once() -> None:
    problem = "The filter plugin 'groundwork.kubernetes.kubernetes_release' failed: Kubernetes 1.99.0 is not covered"
    problems = {"kubernetes_crictl_version": problem, "kubernetes_crictl_url": problem}
    faults = found([host(values={"kubernetes_version": "1.99.0"}, problems=problems)])
    assert [fault.id for fault in faults] == ["version-invalid"]


NAMES = [
    ("kubernetes_pod_cidr", ""),
    ("other_teams_variable", ""),
    ("kubernetes_pod_cdir", "error kubernetes_pod_cidr"),
    ("container_runtime_registry_mirors", "error container_runtime_registry_mirrors"),
    ("kubernetes_node_cidr", "warning kubernetes_"),
    ("kubernetes_dashboard_enabled_by_us", "warning "),
    ("backup_server_of_ours", ""),
    ("backup_schedul", "error backup_schedule"),
    ("worker_threads", ""),
    ("kube_pods_subnet", "error kubernetes_pod_cidr"),
    ("kubernets_pod_cidr", "error kubernetes_pod_cidr"),
    ("bacup_schedule", "error backup_schedule"),
    ("__kubernetes_pod_cdir", ""),
]


@pytest.mark.parametrize(
    ("planes", "worker", "faulty"),
    [
        ([{"bindAddress": "x"}, {"bindAddress": "x"}, {"bindAddress": "x"}], {"bindAddress": "x"}, []),
        # What is only set for the control planes holds for all nodes.
        ([{"bindAddress": "x"}, {"bindAddress": "x"}, {"bindAddress": "x"}], {}, []),
        ([{}, {}, {}], {"bindAddress": "x"}, ["w1"]),
        ([{"bindAddress": "x"}, {"bindAddress": "y"}, {"bindAddress": "x"}], {"bindAddress": "x"}, ["cp2"]),
        ([{"bindAddress": "x"}, {}, {"bindAddress": "x"}], {}, ["cp2"]),
    ],
)
def test_one_configuration_of_kube_proxy(
    planes: list[dict[str, Any]], worker: dict[str, Any], faulty: list[str]
) -> None:
    names = ["cp1", "cp2", "cp3"]
    endpoint = {"kubernetes_api_endpoint": "api.example.com"}
    hosts = [
        host(name, {**endpoint, "kubernetes_proxy_configuration": value})
        for name, value in zip([*names, "w1"], [*planes, worker], strict=True)
    ]
    faults = found(hosts, {"kube_control_plane": names, "kube_node": ["w1"], "etcd": []})
    assert [(fault.host, fault.id) for fault in faults] == [(name, "cluster-differs") for name in faulty]


def test_kubeadm_configuration_of_a_worker() -> None:
    values = {
        "worker_join_configuration": {"discovery": {"timeout": "1m0s"}},
        "control_plane_init_configuration": {"x": 1},
    }
    faults = found([host(), host("w1", values)])
    assert [(fault.host, fault.id) for fault in faults] == [("w1", "kubeadm-field")]
    assert "worker_join_configuration: JoinConfiguration.discovery.timeout" in faults[0].text
    assert "write JoinConfiguration.timeouts.discovery" in faults[0].text


@pytest.mark.parametrize(("name", "expected"), NAMES, ids=[case[0] for case in NAMES])
def test_names(name: str, expected: str) -> None:
    faults = found([host(names=frozenset({name}))])
    severity, _space, meant = expected.partition(" ")
    assert [fault.severity for fault in faults] == ([severity] if severity else [])
    assert all(name in fault.text and meant in fault.text for fault in faults)


def test_a_foreign_variable_beside_ours_is_no_fault() -> None:
    assert not found([host(names=frozenset({"kube_version", "kubernetes_version"}))])


def test_secrets_are_not_shown() -> None:
    (fault,) = found([host(values={"backup_key": "hunter2"})])
    assert "hunter2" not in fault.text
    assert "backup_key" in fault.text


def test_problems_of_templates() -> None:
    (fault,) = found([host(problems={"kubernetes_node_ip": "'x' is undefined"})])
    assert (fault.id, fault.severity) == ("value-undefined", "error")
    assert fault.text.startswith("kubernetes_node_ip cannot be evaluated: 'x' is undefined; ")


EXTERNAL = {"control_plane_cluster_configuration": {"etcd": {"external": {"endpoints": ["https://192.0.2.5:2379"]}}}}
LOST = "preflight_ignore: [members-even]"
API = {"kubernetes_api_endpoint": "api.example.com:6443"}


def etcd(number: int) -> dict[str, list[str]]:
    """The groups of a cluster with so many etcd hosts."""
    return {**GROUPS, "etcd": [f"e{at}" for at in range(number)]}


def planes(number: int, values: dict[str, Any] | None = None) -> tuple[list[HostInput], dict[str, list[str]]]:
    """A cluster with so many control planes, and its groups."""
    names = [f"cp{at}" for at in range(1, number + 1)]
    return [host(name, {**API, **(values or {})}) for name in names], {"kube_control_plane": names}


MEMBERS = [
    *[(f"{number} etcd hosts", ([host()], etcd(number)), []) for number in (1, 3, 5, 7)],
    *[(f"{number} etcd hosts", ([host()], etcd(number)), ["error members-even"]) for number in (2, 4, 6)],
    *[(f"{number} etcd hosts", ([host()], etcd(number)), ["error members-too-many"]) for number in (8, 9)],
    *[(f"{number} control planes", planes(number), []) for number in (1, 3, 5, 7)],
    ("2 control planes", planes(2), ["error members-even"]),
    *[(f"{number} control planes", planes(number), ["warning members-even"]) for number in (4, 6)],
    *[(f"{number} control planes", planes(number), ["error members-too-many"]) for number in (8, 9)],
    ("2 control planes with an etcd of the user's", planes(2, EXTERNAL), []),
    (
        "2 control planes with 3 etcd hosts",
        (planes(2)[0], {**planes(2)[1], "etcd": ["e0", "e1", "e2"]}),
        [],
    ),
]


@pytest.mark.parametrize(("cluster", "expected"), [c[1:] for c in MEMBERS], ids=[c[0] for c in MEMBERS])
def test_members(cluster: tuple[list[HostInput], dict[str, list[str]]], expected: list[str]) -> None:
    faults = found(*cluster)
    assert [f"{fault.severity} {fault.id}" for fault in faults] == expected
    assert all("; have " in fault.text and (fault.id != "members-even" or LOST in fault.text) for fault in faults)


def test_the_reason_against_an_even_count() -> None:
    (fault,) = found([host()], etcd(4))
    assert fault.text.startswith(
        "4 etcd members (group etcd) survive 1 loss, no more than 3 would, because 3 must agree; have 3 or 5"
    )


# What distributes the API's calls, in a cluster of the control planes cp1 to cp3 and the worker w1.
HAPROXY = {"kubernetes_api_load_balancer": "haproxy", "kubernetes_api_endpoint": "192.0.2.200:8443"}
KUBE_VIP = {
    "endpoint_kube_vip_image": f"kube-vip@sha256:{SHA}",
    "kubernetes_api_load_balancer": "kube_vip",
    "kubernetes_api_endpoint": "192.0.2.200:6443",
}
LOCAL = {"kubernetes_api_load_balancer": "local", "kubernetes_api_endpoint": "127.0.0.1:7443"}
NAMED = {"kubernetes_api_endpoint": "api.example.com:8443"}
BALANCERS = [
    ("external", API, [], []),
    ("external, no endpoint", {"kubernetes_api_endpoint": ""}, [], ["error endpoint-missing"]),
    ("external, a control plane", {"kubernetes_api_endpoint": "cp1"}, [], []),
    ("external, a control plane's address", {"kubernetes_api_endpoint": "CP1"}, [], ["warning endpoint-missing"]),
    ("external, loopback", {"kubernetes_api_endpoint": "127.0.0.1:6443"}, [], ["error endpoint-invalid"]),
    ("external, a service's address", {"kubernetes_api_endpoint": "10.96.0.9"}, [], ["error address-clash"]),
    ("external with hosts for HAProxy", API, ["lb1"], ["warning load-balancer-unused"]),
    ("haproxy", HAPROXY, [], []),
    ("haproxy on its own hosts", {**HAPROXY, "kubernetes_api_endpoint": "192.0.2.200"}, ["lb1", "lb2"], []),
    ("haproxy without an endpoint", {**HAPROXY, "kubernetes_api_endpoint": ""}, [], ["error endpoint-missing"]),
    ("haproxy at a name", {**HAPROXY, **NAMED}, [], ["error endpoint-invalid"]),
    ("haproxy at a name with its address", {**HAPROXY, **NAMED, "endpoint_virtual_ip": "192.0.2.200"}, [], []),
    (
        "haproxy at two addresses",
        {**HAPROXY, "endpoint_virtual_ip": "192.0.2.201"},
        [],
        ["error endpoint-invalid"],
    ),
    ("haproxy at no address", {**HAPROXY, **NAMED, "endpoint_virtual_ip": "eth0"}, [], ["error endpoint-invalid"]),
    ("haproxy at a host's address", {**HAPROXY, "kubernetes_api_endpoint": "W1:8443"}, [], ["error address-clash"]),
    (
        "haproxy at a pod's address",
        {**HAPROXY, "kubernetes_api_endpoint": "10.244.9.9:8443"},
        [],
        ["error address-clash"],
    ),
    (
        "haproxy on the API server's port",
        {**HAPROXY, "kubernetes_api_endpoint": "192.0.2.200"},
        [],
        ["error port-clash cp1", "error port-clash cp2", "error port-clash cp3"],
    ),
    (
        "haproxy on its own health port",
        {**HAPROXY, "kubernetes_api_port": 8404},
        [],
        ["error port-clash cp1", "error port-clash cp2", "error port-clash cp3"],
    ),
    (
        "haproxy at IPv6, hosts at IPv4",
        {**HAPROXY, "kubernetes_api_endpoint": "[2001:db8::9]:8443"},
        [],
        ["error endpoint-invalid"],
    ),
    ("kube-vip", KUBE_VIP, [], []),
    ("kube-vip on another port", {**KUBE_VIP, "kubernetes_api_port": 7000}, [], ["error endpoint-invalid"]),
    ("kube-vip with hosts for HAProxy", KUBE_VIP, ["lb1"], ["warning load-balancer-unused"]),
    ("local", LOCAL, [], []),
    ("local at IPv6", {**LOCAL, "kubernetes_api_endpoint": "[::1]:7443"}, [], []),
    ("local at a name", {**LOCAL, "kubernetes_api_endpoint": "api:7443"}, [], ["error endpoint-invalid"]),
    ("local on another port", {**LOCAL, "kubernetes_api_endpoint": "127.0.0.1:6443"}, [], ["error endpoint-invalid"]),
    (
        "local on the API server's port",
        {**LOCAL, "kubernetes_api_local_port": 6443, "kubernetes_api_endpoint": "127.0.0.1:6443"},
        [],
        ["error port-clash cp1", "error port-clash cp2", "error port-clash cp3"],
    ),
    (
        "local on a kubelet's port",
        {**LOCAL, "kubernetes_api_local_port": 10248, "kubernetes_api_endpoint": "127.0.0.1:10248"},
        [],
        [f"error port-clash {name}" for name in ("cp1", "cp2", "cp3", "w1")],
    ),
]


@pytest.mark.parametrize(("values", "balancers", "expected"), [c[1:] for c in BALANCERS], ids=[c[0] for c in BALANCERS])
def test_api_address(values: dict[str, Any], balancers: list[str], expected: list[str]) -> None:
    names = ["cp1", "cp2", "cp3", "w1", *balancers]
    # A name in capitals stands for that host's address.
    endpoint = re.sub(
        r"^[A-Z]+\d", lambda match: host(match[0].lower()).text("kubernetes_node_ip"), values["kubernetes_api_endpoint"]
    )
    hosts = [host(name, {**values, "kubernetes_api_endpoint": endpoint}) for name in names]
    groups = {"kube_control_plane": names[:3], "kube_node": ["w1"], "kube_load_balancer": balancers}
    faults = found(hosts, groups)
    assert [f"{fault.severity} {fault.id} {fault.host}".strip() for fault in faults] == expected
    assert all("; " in fault.text for fault in faults)


def test_the_api_is_judged_by_a_control_plane_that_the_run_leaves_out() -> None:
    hosts = [
        HostInput("w1", {**VALUES, **API}),
        HostInput("cp1", API, limited=True),
        HostInput("cp2", API, limited=True),
    ]
    groups = {"kube_control_plane": ["cp1", "cp2", "cp3"], "kube_node": ["w1"]}
    assert [fault.id for fault in found(hosts, groups)] == []


CLUSTERS = [
    ("one of each", [host(), host("w1")], GROUPS, []),
    ("no group at all", [host()], {}, []),
    ("no control plane", [host("w1")], {"kube_node": ["w1"]}, ["error group-missing "]),
    (
        "a shared name",
        [host(), host("w1", {"kubernetes_node_name": "cp1"})],
        GROUPS,
        ["error name-clash "],
    ),
    (
        "an address shared with a host that is left out",
        [host(), HostInput("w1", {"kubernetes_node_ip": host().text("kubernetes_node_ip")}, limited=True)],
        GROUPS,
        ["error address-clash "],
    ),
    (
        "different networks",
        [host(), host("w1", {"kubernetes_pod_cidr": "10.245.0.0/16"})],
        GROUPS,
        ["error cluster-differs "],
    ),
    (
        "different networks outside the cluster",
        [host(), host("nfs", {"kubernetes_pod_cidr": "10.245.0.0/16"})],
        GROUPS,
        [],
    ),
    ("a worker three minors older", [host(), host("w1", {"kubernetes_version": "1.33.1"})], GROUPS, []),
    (
        "a worker four minors older",
        [host(), host("w1", {"kubernetes_version": "1.32.1"})],
        GROUPS,
        ["error skew-unsupported w1"],
    ),
    (
        "a worker three minors older before 1.28",
        [host(values={"kubernetes_version": "1.27.1"}), host("w1", {"kubernetes_version": "1.24.1"})],
        GROUPS,
        ["error skew-unsupported w1"],
    ),
    (
        "a newer worker",
        [host(), host("w1", {"kubernetes_version": "1.37.0"})],
        GROUPS,
        ["error skew-unsupported w1"],
    ),
    (
        "a newer worker, without the control plane",
        [host(limited=True), host("w1", {"kubernetes_version": "1.37.0"})],
        GROUPS,
        ["error skew-unsupported w1"],
    ),
    (
        "a newer worker that is left out",
        [host(), host("w1", {"kubernetes_version": "1.37.0"}, limited=True)],
        GROUPS,
        [],
    ),
    (
        "different networks, without the control plane",
        [host(limited=True), host("w1", {"kubernetes_pod_cidr": "10.245.0.0/16"})],
        GROUPS,
        ["error cluster-differs "],
    ),
    (
        "control planes two minors apart",
        [host(values=API), host("cp2", {**API, "kubernetes_version": "1.34.1"}), host("cp3", API)],
        {"kube_control_plane": ["cp1", "cp2", "cp3"]},
        ["error skew-unsupported "],
    ),
]


@pytest.mark.parametrize(("hosts", "groups", "expected"), [c[1:] for c in CLUSTERS], ids=[c[0] for c in CLUSTERS])
def test_across_hosts(hosts: list[HostInput], groups: dict[str, list[str]], expected: list[str]) -> None:
    faults = found(hosts, groups)
    assert [f"{fault.severity} {fault.id} {fault.host}" for fault in faults] == expected
    assert all("; " in fault.text for fault in faults)


def test_a_misspelt_group_is_named() -> None:
    (fault,) = found([host("w1")], {"kube_node": ["w1"], "kube_control_planes": ["cp1"]})
    assert fault.text.endswith("did you mean kube_control_planes?")


@pytest.mark.parametrize(
    ("values", "groups", "expected"),
    [
        (
            {},
            GROUPS,
            {"roles": ["control_plane", "etcd"], "external_etcd": False, "api_endpoint": "", "fsync_folder": ""},
        ),
        ({}, {**GROUPS, "etcd": ["e1"]}, {"roles": ["control_plane"], "external_etcd": True}),
        ({"kubernetes_api_endpoint": "api"}, GROUPS, {"api_endpoint": "api:6443"}),
        ({"kubernetes_api_endpoint": "api:8443"}, GROUPS, {"api_endpoint": "api:8443"}),
        ({}, {**GROUPS, "kube_control_plane": ["cp9"], "etcd": ["cp1"]}, {"roles": ["etcd"], "runs_kubelet": False}),
        (
            {},
            {"kube_control_plane": ["cp9"], "kube_load_balancer": ["cp1"]},
            {"roles": ["load_balancer"], "runs_kubelet": False, "ports": [], "limited": True},
        ),
        (
            HAPROXY,
            {"kube_control_plane": ["cp9"], "kube_load_balancer": ["cp1"]},
            {
                "roles": ["load_balancer"],
                "ports": [8404, 8443],
                "virtual_ip": "192.0.2.200",
                "holds_virtual_ip": True,
            },
        ),
        (
            HAPROXY,
            GROUPS,
            {
                "roles": ["control_plane", "etcd", "load_balancer"],
                "ports": [2379, 2380, 6443, 8404, 8443, 10250, 10257, 10259],
                "holds_virtual_ip": True,
                "limited": False,
            },
        ),
        (LOCAL, {"kube_node": ["cp1"]}, {"ports": [7443, 10250, 10256], "api_endpoint": "", "virtual_ip": ""}),
        (KUBE_VIP, {"kube_node": ["cp1"]}, {"virtual_ip": "192.0.2.200", "holds_virtual_ip": False}),
        (EXTERNAL, GROUPS, {"roles": ["control_plane"], "external_etcd": True, "etcd_hosts": False}),
        (
            {"etcd_ca_certificate": CA.crt, "etcd_ca_key": CA.pem},
            GROUPS,
            {"etcd_ca": [key_hash(CA.pub)], "etcd_ca_key_elsewhere": True},
        ),
        ({"etcd_ca_certificate": "no certificate"}, GROUPS, {"etcd_ca": []}),
        ({"etcd_ca_hosts": ["cp1", "w1"]}, GROUPS, {"etcd_ca_key_elsewhere": False}),
        ({"etcd_ca_hosts": ["w1"]}, GROUPS, {"etcd_ca_key_elsewhere": True}),
        (
            {"kubernetes_api_endpoint": "[fd00::1]", "kubernetes_api_port": 7443},
            GROUPS,
            {"api_endpoint": "[fd00::1]:7443"},
        ),
        ({"preflight_etcd_fsync_ms": 10}, GROUPS, {"fsync_folder": "/var/lib/etcd", "preflight_etcd_fsync_ms": 10}),
        ({"etcd_data_dir": "/data/etcd", "preflight_etcd_fsync_ms": 10}, GROUPS, {"fsync_folder": "/data/etcd"}),
        ({"backup_key": {"a": "secret"}}, GROUPS, {}),
    ],
)
def test_settings(values: dict[str, Any], groups: dict[str, list[str]], expected: dict[str, Any]) -> None:
    one = host(values=values)
    settings = host_settings.host_settings(one, Inputs([one], groups, SPECS))
    assert {name: settings[name] for name in expected} == expected
    assert "backup_key" not in settings
    assert "PRIVATE" not in str(settings)


def test_specs_of_roles(tmp_path: Path) -> None:
    meta = tmp_path / "etcd" / "meta"
    meta.mkdir(parents=True)
    meta.joinpath("argument_specs.yml").write_text(
        "argument_specs: {main: {options: {etcd_version: {type: str, default: 3.6.8}, etcd_url: {default: '{{ x }}'}}}}"
    )
    (tmp_path / "worker").mkdir()
    specs = argument_specs.load_specs(tmp_path)
    assert list(specs) == ["etcd"]
    assert argument_specs.defaults(specs) == {"etcd_version": "3.6.8", "etcd_url": None}


@pytest.mark.parametrize(
    ("judged", "played", "expected"),
    [
        ("w1", ["w1"], {"cp1": "192.0.2.11:6443", "cp2": "[2001:db8::12]:7443", "cp3": ""}),
        ("w1", ["w1", "cp1", "cp2", "cp3"], {}),
        ("cp1", ["w1", "cp1", "cp2", "cp3"], {"cp1": "192.0.2.11:6443"}),
        ("cp1", ["cp1", "cp2"], {"cp1": "192.0.2.11:6443", "cp3": ""}),
    ],
)
def test_the_api_servers_that_a_host_asks(judged: str, played: list[str], expected: dict[str, str]) -> None:
    given = {
        "w1": {},
        "cp1": {"kubernetes_node_ip": "192.0.2.11,2001:db8::11"},
        "cp2": {"kubernetes_node_ip": "2001:DB8:0::12", "kubernetes_api_port": 7443},
        "cp3": {"kubernetes_node_ip": ""},
    }
    hosts = [host(name, values, limited=name not in played) for name, values in given.items()]
    groups = {"kube_control_plane": ["cp1", "cp2", "cp3"], "kube_node": ["w1"]}
    (one,) = [one for one in hosts if one.name == judged]
    assert host_settings.host_settings(one, Inputs(hosts, groups, SPECS))["api_servers"] == expected


SIGNED = {"kubernetes_kubelet_signed_certificates": True, "kubernetes_node_ip": "192.0.2.5"}


@pytest.mark.parametrize(
    ("values", "inventory", "names"),
    [
        pytest.param({}, {"kubernetes_node_name": "w1"}, [], id="without signed certificates"),
        pytest.param({}, {}, ["name-from-host"], id="a name made of facts"),
        pytest.param(SIGNED, {"kubernetes_node_name": "w1"}, ["address-from-host"], id="an address that facts tell"),
        pytest.param(
            {**SIGNED, "kubernetes_kubelet_signed_certificates": "yes"},
            {"kubernetes_node_name": "w1"},
            ["address-from-host"],
            id="from the command line",
        ),
        pytest.param(SIGNED, {"kubernetes_node_name": "w1", "kubernetes_node_ip": "192.0.2.5"}, [], id="set"),
        pytest.param(SIGNED, {"kubernetes_node_name": "w1", "ansible_host": "192.0.2.5"}, [], id="connected to"),
        pytest.param(
            SIGNED, {"kubernetes_node_name": "w1", "ansible_host": "192.0.2.6"}, ["address-from-host"], id="another one"
        ),
        pytest.param(
            SIGNED, {"kubernetes_node_name": "w1", "ansible_host": "w1.example.com"}, ["address-from-host"], id="a name"
        ),
        pytest.param(
            {**SIGNED, "kubernetes_node_ip": "192.0.2.5,2001:db8::5"},
            {"kubernetes_node_name": "w1", "ansible_host": "192.0.2.5"},
            ["address-from-host"],
            id="connected to one of two",
        ),
        pytest.param(SIGNED, None, [], id="not looked at"),
    ],
)
def test_others_know_a_node_by_what_the_inventory_says(
    values: dict[str, Any], inventory: dict[str, str] | None, names: list[str]
) -> None:
    no_node = host("e1", {"kubernetes_kubelet_signed_certificates": True}, inventory={})
    faults = found([host(), host("w1", values, inventory=inventory), no_node], {**GROUPS, "etcd": ["e1"]})
    faults = [fault for fault in faults if fault.id != "cluster-differs"]
    assert [(fault.id, fault.host) for fault in faults] == [(name, "w1") for name in names]


@pytest.mark.parametrize(
    ("image", "named"),
    [
        ("ghcr.io/kube-vip/kube-vip:v1.2.3", ["image-unpinned"]),
        (f"ghcr.io/kube-vip/kube-vip:v1.2.3@sha256:{SHA}", []),
        (f"mirror:5000/kube-vip@sha256:{SHA}", []),
    ],
)
def test_an_image_with_the_administrators_rights(image: str, named: list[str]) -> None:
    values = {"kubernetes_api_load_balancer": "kube_vip", "endpoint_kube_vip_image": image}
    given = Inputs([host(values=values)], GROUPS, SPECS)
    assert [fault.id for fault in text.pinned_images(given)] == named
    other = Inputs([host(values={"endpoint_kube_vip_image": image})], GROUPS, SPECS)
    assert list(text.pinned_images(other)) == []
