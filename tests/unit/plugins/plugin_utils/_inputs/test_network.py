"""The judgement of networks, node names and node addresses, as tables."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster import endpoint
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.networks import right_spelling
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import inputs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import nodes as node_inputs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

GROUP_NAMES = {
    "kubernetes_control_plane_group": "kube_control_plane",
    "kubernetes_node_group": "kube_node",
    "kubernetes_etcd_group": "etcd",
    "kubernetes_load_balancer_group": "kube_load_balancer",
}
VALUES: dict[str, Any] = {
    **GROUP_NAMES,
    "kubernetes_version": "1.36.5",
    "kubernetes_pod_cidr": "10.244.0.0/16",
    "kubernetes_service_cidr": "10.96.0.0/12",
    "kubernetes_node_name": "cp1",
    "kubernetes_node_ip": "192.0.2.11",
}
V4_PODS, V6_PODS, V4_SERVICES, V6_SERVICES = "10.244.0.0/16", "fd00::/56", "10.96.0.0/12", "fd01::/112"
BOTH = {
    "kubernetes_pod_cidr": f"{V4_PODS},{V6_PODS}",
    "kubernetes_service_cidr": f"{V4_SERVICES},{V6_SERVICES}",
    "kubernetes_node_ip": "192.0.2.11,2001:db8::11",
}
ONLY_V6 = {
    "kubernetes_pod_cidr": "fd00::/48",
    "kubernetes_service_cidr": V6_SERVICES,
    "kubernetes_node_ip": "2001:db8::11",
}
GATE = {"control_plane_cluster_configuration": {"featureGates": {"IPv6DualStack": True}}}


def judged(values: dict[str, Any], nodes: int = 1, roles: str = "kube_control_plane") -> list[Fault]:
    """The faults of one host; the inventory has further nodes that are not part of the run."""
    groups = {"kube_control_plane": ["cp1"], "kube_node": [f"w{at}" for at in range(1, nodes)]}
    if roles not in groups:
        groups = {"kube_control_plane": ["cp9"], roles: ["cp1"]}
    found = inputs.find_faults(Inputs([HostInput("cp1", {**VALUES, **values})], groups, {}))
    # Whether kubeadm takes arguments in this form is another question.
    return [fault for fault in found if fault.id != "kubeadm-field"]


FAMILIES = [
    ("one of each", {}, "", ()),
    ("both", BOTH, "", ()),
    ("both, IPv6 first", {name: ",".join(reversed(value.split(","))) for name, value in BOTH.items()}, "", ()),
    ("IPv6", ONLY_V6, "", ()),
    ("one address of a cluster with both", {**BOTH, "kubernetes_node_ip": "192.0.2.11"}, "", ()),
    ("two addresses of a cluster with one", {"kubernetes_node_ip": "192.0.2.11, 2001:DB8::11"}, "", ()),
    (
        "an IPv6 node with IPv4 services",
        {"kubernetes_node_ip": "2001:db8::11"},
        "family-clash",
        ("kubernetes_node_ip 2001:db8::11", "kubernetes_service_cidr 10.96.0.0/12"),
    ),
    (
        "a node in another order than services",
        {**BOTH, "kubernetes_node_ip": "2001:DB8::11, 192.0.2.11"},
        "family-clash",
        ("kubernetes_node_ip", "kubernetes_service_cidr", "write 192.0.2.11,2001:db8::11"),
    ),
    (
        "a node with both, in the wrong order for services of one",
        {"kubernetes_node_ip": "2001:db8::11,192.0.2.11"},
        "family-clash",
        ("write 192.0.2.11,2001:db8::11",),
    ),
    (
        "pods in another order than services",
        {**BOTH, "kubernetes_pod_cidr": f"{V6_PODS},{V4_PODS}"},
        "cidr-clash",
        ("kubernetes_pod_cidr", "kubernetes_service_cidr", "IPv6, IPv4 and IPv4, IPv6"),
    ),
    ("two IPv4 addresses", {"kubernetes_node_ip": "192.0.2.11,192.0.2.12"}, "family-clash", ("kubernetes_node_ip",)),
    (
        "three addresses",
        {**BOTH, "kubernetes_node_ip": "192.0.2.11,2001:db8::11,192.0.2.12"},
        "family-clash",
        ("has 3 addresses",),
    ),
    (
        "both before there is dual stack",
        {**BOTH, "kubernetes_version": "1.20.15"},
        "family-clash",
        ("kubernetes_pod_cidr", "kubernetes_service_cidr", "kubernetes_node_ip", "kubernetes_version 1.20.15"),
    ),
    (
        "a node with both before there is dual stack",
        {"kubernetes_node_ip": "192.0.2.11,2001:db8::11", "kubernetes_version": "1.20.15"},
        "family-clash",
        ("kubernetes_node_ip", "kubernetes_version 1.20.15"),
    ),
    ("both before there is dual stack, by its gate", {**BOTH, **GATE, "kubernetes_version": "1.20.15"}, "", ()),
    ("both since there is dual stack", {**BOTH, "kubernetes_version": "1.21.14"}, "", ()),
    (
        "both with the gate off",
        {
            **BOTH,
            "kubernetes_version": "1.22.17",
            "control_plane_cluster_configuration": {"featureGates": {"IPv6DualStack": False}},
        },
        "family-clash",
        ("kubernetes_version 1.22.17",),
    ),
]


@pytest.mark.parametrize(("values", "expected", "message"), [c[1:] for c in FAMILIES], ids=[c[0] for c in FAMILIES])
def test_families(values: dict[str, Any], expected: str, message: tuple[str, ...]) -> None:
    faults = judged(values)
    assert [(fault.id, fault.severity) for fault in faults] == ([(expected, "error")] if expected else [])
    for fault in faults:
        assert all(part in fault.text for part in message), fault.text
        assert "; " in fault.text


def test_a_host_without_a_kubelet_may_have_any_address() -> None:
    assert not judged({"kubernetes_node_ip": "2001:db8::11"}, roles="etcd")


# Masks


def with_arguments(arguments: Any) -> dict[str, Any]:
    """Extra arguments of the controller manager."""
    return {"control_plane_cluster_configuration": {"controllerManager": {"extraArgs": arguments}}}


def listed(**arguments: Any) -> dict[str, Any]:
    """The same as a list, as kubeadm's newest API has it."""
    return with_arguments([{"name": name.replace("_", "-"), "value": value} for name, value in arguments.items()])


def mapped(**arguments: Any) -> dict[str, Any]:
    """The same as a mapping, as kubeadm's older API has it."""
    return with_arguments({name.replace("_", "-"): value for name, value in arguments.items()})


IPV4, IPV6, PLAIN = "node_cidr_mask_size_ipv4", "node_cidr_mask_size_ipv6", "node_cidr_mask_size"
OLD = {"kubernetes_version": "1.20.15"}
MASKS = [
    ("256 nodes of /24", {}, 256, ""),
    ("257 nodes of /24", {}, 257, "room for 256 nodes of /24 each, but there are 257"),
    ("64 nodes of /22", listed(**{IPV4: "22"}), 64, ""),
    ("100 nodes of /22", listed(**{IPV4: "22"}), 100, "room for 64 nodes of /22 each, but there are 100"),
    ("100 nodes of /22, a number", listed(**{IPV4: 22}), 100, "room for 64 nodes"),
    ("100 nodes of /22, a mapping", mapped(**{IPV4: "22"}), 100, "room for 64 nodes"),
    ("100 nodes of /22, a number in a mapping", mapped(**{IPV4: 22}), 100, "room for 64 nodes"),
    ("a few small ones", {"kubernetes_pod_cidr": "10.244.0.0/25", **listed(**{IPV4: 27})}, 2, ""),
    ("too many small ones", {"kubernetes_pod_cidr": "10.244.0.0/25", **listed(**{IPV4: 27})}, 5, "room for 4 nodes"),
    ("16 bits", {"kubernetes_pod_cidr": "11.0.0.0/8"}, 2, ""),
    (
        "20 bits",
        {"kubernetes_pod_cidr": "11.0.0.0/8", **listed(**{IPV4: 28})},
        2,
        "larger than kubeadm allows with nodes of /28; use a prefix of /12 or longer",
    ),
    ("a larger network with larger parts", {"kubernetes_pod_cidr": "12.0.0.0/6", **listed(**{IPV4: 22})}, 2, ""),
    ("IPv6 of a larger part", {**ONLY_V6, "kubernetes_pod_cidr": "fd00::/44", **listed(**{IPV6: 60})}, 2, ""),
    ("IPv6 of a smaller part", {**ONLY_V6, **listed(**{IPV6: 80})}, 2, "fd00::/48 is larger than kubeadm allows"),
    ("both, each by its own", {**BOTH, **listed(**{IPV4: 22, IPV6: 60})}, 10, ""),
    ("both, one too small", {**BOTH, **listed(**{IPV4: 24, IPV6: 58})}, 10, "fd00::/56 has room for 4 nodes of /58"),
    ("the plain mask", listed(**{PLAIN: "22"}), 100, "room for 64 nodes of /22"),
    (
        "the plain mask, which kubeadm overlooks",
        {"kubernetes_pod_cidr": "10.244.0.0/25", **listed(**{PLAIN: 27})},
        2,
        IPV4,
    ),
    ("the plain mask, once", {**OLD, "kubernetes_pod_cidr": "10.244.0.0/25", **listed(**{PLAIN: 27})}, 2, ""),
    ("no parts at all", {"kubernetes_pod_cidr": "10.244.0.0/25", **listed(allocate_node_cidrs="false")}, 100, ""),
    (
        "no parts at all, a truth value",
        {"kubernetes_pod_cidr": "10.244.0.0/25", **mapped(allocate_node_cidrs=False)},
        9,
        "",
    ),
    ("no number", listed(**{IPV4: "/24"}), 2, f"{IPV4} '/24' is no prefix"),
    ("no prefix", listed(**{IPV4: 33}), 2, "give a number from 1 to 32"),
    ("the plain mask with both", {**BOTH, **listed(**{PLAIN: 24})}, 2, f"does not start with {PLAIN} where"),
    ("the mask of the other IP version", listed(**{IPV6: 64}), 2, f"does not start with {IPV6} where"),
    ("a mask of an IP version, once", {**OLD, **listed(**{IPV4: 24})}, 2, f"use {PLAIN}"),
    ("both kinds of masks", listed(**{IPV4: 24, PLAIN: 24}), 2, f"does not start with {PLAIN} where"),
]


@pytest.mark.parametrize(("values", "nodes", "message"), [c[1:] for c in MASKS], ids=[c[0] for c in MASKS])
def test_masks(values: dict[str, Any], nodes: int, message: str) -> None:
    texts = [fault.text for fault in judged(values, nodes)]
    assert len(texts) == bool(message), texts
    assert not message or message.replace("_", "-") in texts[0].replace("_", "-"), texts
    assert all(fault.severity == "error" and "; " in fault.text for fault in judged(values, nodes))


def test_masks_are_those_of_the_control_planes() -> None:
    """Also where the run is for a worker, whose own variables know nothing of the control planes'."""
    plane = HostInput("cp1", {**VALUES, **listed(**{IPV4: 22})}, limited=True)
    worker = HostInput("w1", {**VALUES, "kubernetes_node_name": "w1", "kubernetes_node_ip": "192.0.2.21"})
    groups = {"kube_control_plane": ["cp1"], "kube_node": [f"w{at}" for at in range(1, 100)]}
    (fault,) = inputs.find_faults(Inputs([worker, plane], groups, {}))
    assert "room for 64 nodes" in fault.text


# Spelling

SPELLINGS = [
    ("10.244.0.0/16", ""),
    ("10.244.0.0/16,fd00::/56", ""),
    ("10.244.0.0/16,FD00:0::/56", ""),
    ("10.244.0.0/255.255.0.0", "write 10.244.0.0/16"),
    ("10.244.0.0/0.0.255.255", "write 10.244.0.0/16"),
    ("10.244.0.0/16, fd00::/56", "write 10.244.0.0/16,fd00::/56"),
    (" 10.244.0.0/16", "write 10.244.0.0/16"),
    ("10.244.0.0 /16", "write 10.244.0.0/16"),
    ("10.244.0.0/16,", "write 10.244.0.0/16"),
    (",10.244.0.0/16", "write 10.244.0.0/16"),
    ("10.244.0.0", "write 10.244.0.0/16"),
    ("10.0.0.0", "write 10.0.0.0/8"),
    ("10.244.0.0/016", "write 10.244.0.0/16"),
    ("10.244.1.0/16", "write 10.244.0.0/16"),
    ("10.244.0.0/16,fd00::", "write 10.244.0.0/16,fd00::/48"),
    ("10.244.0.0-10.244.255.255", "write it like 10.244.0.0/16"),
    ("10.244.0.0/33", "write it like 10.244.0.0/16"),
]


@pytest.mark.parametrize(("text", "advice"), SPELLINGS)
@pytest.mark.parametrize("variable", ["kubernetes_pod_cidr", "kubernetes_service_cidr"])
def test_spelling(variable: str, text: str, advice: str) -> None:
    faults = [fault for fault in judged({variable: text}) if "notation" in fault.text]
    assert [fault.id for fault in faults] == (["cidr-invalid"] if advice else [])
    for fault in faults:
        assert fault.text.startswith(f"{variable} {text!r} ")
        assert fault.text.endswith(f"; {advice}")


@pytest.mark.parametrize(("text", "advice"), SPELLINGS)
def test_what_is_shown_is_right(text: str, advice: str) -> None:
    right = right_spelling(text)
    assert right_spelling(right) == right
    assert not [fault for fault in judged({"kubernetes_pod_cidr": right}) if "notation" in fault.text]


# Names

LABEL = "a" * 63
NAMES = [
    ("cp1", ""),
    ("cp1.example.com", ""),
    (LABEL, ""),
    ("10", ""),
    (f"{'b' * 31}.{'c' * 31}", ""),
    ("a" * 64, "is no DNS name"),
    (f"cp1.{'b' * 34}.{'c' * 33}", "has 72 characters"),
    (f"{'b' * 32}.{'c' * 31}", "has 64 characters"),
    ("Node_1", "set it, to node-1 for example"),
    ("node 1.Example.com", "set it, to node-1.example.com for example"),
    ("-cp1-", "set it, to cp1 for example"),
    ("cp1..example", "set it, to cp1.example for example"),
    ("cp1.-.example", "set it, to cp1.example for example"),
    ("___", "is no DNS name"),
    ("ä" * 80, "is no DNS name"),
    (f"{'b' * 56}-{'c' * 20}.example", "is no DNS name"),
]


@pytest.mark.parametrize(("name", "message"), NAMES)
def test_node_names(name: str, message: str) -> None:
    faults = judged({"kubernetes_node_name": name})
    assert [fault.id for fault in faults] == (["name-invalid"] if message else [])
    for fault in faults:
        assert fault.text.startswith(f"kubernetes_node_name {name!r} ")
        assert message in fault.text
        suggested = fault.text.split("set it, to ")[1].removesuffix(" for example")
        assert endpoint.is_dns_name(suggested)
        assert not judged({"kubernetes_node_name": suggested})


def test_shortened_names_differ() -> None:
    names = {node_inputs.better_name(f"{'n' * 70}-{number}") for number in range(20)}
    assert len(names) == 20


# Addresses

SPELLED_ALIKE = ["2001:db8::11", "2001:DB8::11", "2001:0db8:0:0:0:0:0:0011", " 2001:db8:0::11 "]


@pytest.mark.parametrize("spelling", SPELLED_ALIKE)
def test_an_address_is_shared_however_it_is_written(spelling: str) -> None:
    cluster = {**ONLY_V6, "kubernetes_api_endpoint": "api.example.com:6443"}
    first = HostInput("cp1", {**VALUES, **cluster})
    other = HostInput("w1", {**VALUES, **cluster, "kubernetes_node_name": "w1", "kubernetes_node_ip": spelling})
    groups = {"kube_control_plane": ["cp1"], "kube_node": ["w1"]}
    (fault,) = inputs.find_faults(Inputs([first, other], groups, {}))
    assert (fault.id, fault.text.split(";")[0]) == ("address-clash", "cp1, w1 share kubernetes_node_ip 2001:db8::11")


@pytest.mark.parametrize("address", ["10.244.0.5", "::ffff:10.244.0.5"])
def test_an_address_of_the_pods(address: str) -> None:
    (fault,) = judged({"kubernetes_node_ip": address})
    assert fault.id == "address-clash"


def test_hosts_agree_though_they_write_an_address_otherwise() -> None:
    first = HostInput("cp1", {**VALUES, **ONLY_V6, "kubernetes_api_endpoint": "[2001:db8::5]:6443"})
    own = {"kubernetes_node_name": "w1", "kubernetes_node_ip": "2001:db8::21", "kubernetes_pod_cidr": "FD00:0::/48"}
    other = HostInput("w1", {**VALUES, **ONLY_V6, **own, "kubernetes_api_endpoint": "[2001:DB8:0::5]:6443"})
    assert not inputs.find_faults(Inputs([first, other], {"kube_control_plane": ["cp1"], "kube_node": ["w1"]}, {}))
