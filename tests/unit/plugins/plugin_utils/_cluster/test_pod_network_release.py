"""The shared inputs of pod networks as releases of charts, and objects that come after them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.cni_network import cni_network
from ansible_collections.groundwork.kubernetes.plugins.filter.cni_release import cni_release

V4, DUAL = "10.244.0.0/16", "10.244.0.0/16,fd00:10::/56"
NODES = [{"name": f"n{number}", "internal_ips": [f"192.0.2.{number}"]} for number in (1, 2)]
USUAL: dict[str, Any] = {
    "kubeProxyReplacement": False,
    "ipam": {"mode": "kubernetes"},
    "ipv4": {"enabled": True},
    "ipv6": {"enabled": False},
    "enableIPv4Masquerade": True,
    "enableIPv6Masquerade": False,
    "encryption": {"enabled": False, "type": "wireguard"},
    "bgpControlPlane": {"enabled": False},
    "hubble": {"tls": {"auto": {"method": "cronJob"}}},
    "routingMode": "tunnel",
    "tunnelProtocol": "vxlan",
}
NATIVE: dict[str, Any] = {
    **{name: value for name, value in USUAL.items() if name != "tunnelProtocol"},
    "routingMode": "native",
    "autoDirectNodeRoutes": True,
    "ipv4NativeRoutingCIDR": V4,
}


def release(plugin: str = "cilium", version: str = "1.20.1", around: Any = None, **network: Any) -> dict[str, Any]:
    given = {"plugin": plugin, "version": version, "pod_cidr": V4, **network}
    return cni_release(given, **{"nodes": NODES, **(around or {})})


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ({}, USUAL),
        ({"mtu": 1450}, {**USUAL, "MTU": 1500}),
        (
            {"mtu": 1370, "wireguard": True},
            {**USUAL, "MTU": 1500, "encryption": {"enabled": True, "type": "wireguard"}},
        ),
        ({"tunnel": "geneve"}, {**USUAL, "tunnelProtocol": "geneve"}),
        ({"encapsulation": "never", "mtu": 1500}, {**NATIVE, "MTU": 1500}),
        ({"interface": "eth1"}, {**USUAL, "devices": ["eth1"]}),
        ({"masquerade": False}, {**USUAL, "enableIPv4Masquerade": False}),
        (
            {"pod_cidr": DUAL, "encapsulation": "never"},
            {
                **NATIVE,
                "ipv6": {"enabled": True},
                "enableIPv6Masquerade": True,
                "ipv6NativeRoutingCIDR": "fd00:10::/56",
            },
        ),
        ({"bgp_peers": [{"address": "192.0.2.9", "as_number": 1}]}, {**USUAL, "bgpControlPlane": {"enabled": True}}),
    ],
)
def test_values_of_cilium(network: dict[str, Any], expected: dict[str, Any]) -> None:
    assert release(**network)["base_values"] == expected


@pytest.mark.parametrize(
    ("around", "expected"),
    [
        ({"endpoint": "api.example.com:8443"}, ("api.example.com", 8443)),
        ({"endpoint": "api.example.com"}, ("api.example.com", 6443)),
        ({"endpoint": "[fd00::1]:7443"}, ("fd00::1", 7443)),
        ({"control_plane": "n2", "port": 7000}, ("192.0.2.2", 7000)),
    ],
)
def test_cilium_in_the_place_of_kube_proxy(around: dict[str, Any], expected: tuple[str, int]) -> None:
    api = {"k8sServiceHost": expected[0], "k8sServicePort": expected[1]}
    values = release(around={"proxy_mode": "none", **around})["base_values"]
    assert values == {**USUAL, "kubeProxyReplacement": True, **api}
    assert release(around=around)["base_values"] == USUAL


def test_one_pod_of_ciliums_operator_on_one_node() -> None:
    assert release(around={"nodes": NODES[:1]})["base_values"] == {**USUAL, "operator": {"replicas": 1}}


def test_releases() -> None:
    cilium = release(around={"values": {"debug": {"enabled": True}}, "chart": {"checksum": "sha256:1"}})
    assert {key: value for key, value in cilium.items() if key != "base_values"} == {
        "name": "cilium",
        "namespace": "kube-system",
        "version": "1.20.1",
        "values": {"debug": {"enabled": True}},
        "skip_hooks": ["pre-delete", "post-delete"],
        "one_minor": True,
        "url": "https://helm.cilium.io/cilium-1.20.1.tgz",
        "checksum": "sha256:1",
    }
    flannel = release("flannel", "0.28.9", {"chart": {"chart": "flannel.tgz"}}, pod_cidr=DUAL)
    assert (flannel["chart"], "url" in flannel, flannel["one_minor"]) == ("flannel.tgz", False, False)
    assert flannel["base_values"] == {"podCidr": V4, "podCidrv6": "fd00:10::/56"}
    calico = release("calico", "3.32.1")
    assert (calico["namespace"], calico["base_values"]) == ("tigera-operator", {})
    assert calico["url"].endswith("/v3.32.1/tigera-operator-v3.32.1.tgz")


PEERS = [
    {"address": "192.0.2.9", "as_number": 64513},
    {"address": "FD00::9", "as_number": "64514", "nodes": {"rack": "b", "row": "1"}},
    {"address": "192.0.2.10", "as_number": 64513},
]


def later(plugin: str, version: str = "1.20.1", install: str = "manifest", **network: Any) -> list[dict[str, Any]]:
    given = {"plugin": plugin, "version": version, "pod_cidr": V4, **network}
    found: list[dict[str, Any]] = cni_network(given, install=install)["afterwards"]
    return found


def test_peers_of_calico() -> None:
    objects = later("calico", bgp_peers=PEERS, bgp_as_number=64500)
    assert {item["apiVersion"] for item in objects} == {"crd.projectcalico.org/v1"}
    assert [(item["kind"], item["metadata"]["name"], item["spec"]) for item in objects] == [
        ("BGPConfiguration", "default", {"asNumber": 64500}),
        ("BGPPeer", "peer-192-0-2-9", {"peerIP": "192.0.2.9", "asNumber": 64513, "nodeSelector": "all()"}),
        (
            "BGPPeer",
            "peer-fd00--9",
            {"peerIP": "FD00::9", "asNumber": 64514, "nodeSelector": "rack == 'b' && row == '1'"},
        ),
        ("BGPPeer", "peer-192-0-2-10", {"peerIP": "192.0.2.10", "asNumber": 64513, "nodeSelector": "all()"}),
    ]


def test_peers_of_cilium() -> None:
    objects = later("cilium", bgp_peers=PEERS, bgp_as_number=64500, pod_cidr=DUAL)
    kinds = {item["kind"]: item for item in objects}
    assert {item["apiVersion"] for item in objects} == {"cilium.io/v2"}
    advertised = kinds["CiliumBGPAdvertisement"]["metadata"]["labels"]
    families = kinds["CiliumBGPPeerConfig"]["spec"]["families"]
    assert [(one["afi"], one["advertisements"]["matchLabels"]) for one in families] == [
        ("ipv4", advertised),
        ("ipv6", advertised),
    ]
    configurations = [item["spec"] for item in objects if item["kind"] == "CiliumBGPClusterConfig"]
    assert [one.get("nodeSelector") for one in configurations] == [
        None,
        {"matchLabels": {"rack": "b", "row": "1"}},
    ]
    instances = [one["bgpInstances"][0] for one in configurations]
    assert [one["localASN"] for one in instances] == [64500, 64500]
    assert [[peer["peerAddress"] for peer in one["peers"]] for one in instances] == [
        ["192.0.2.9", "192.0.2.10"],
        ["FD00::9"],
    ]
    assert {item["apiVersion"] for item in later("cilium", "1.17.3", bgp_peers=PEERS)} == {"cilium.io/v2alpha1"}


def test_wireguard_by_calicos_operator_comes_when_it_runs() -> None:
    (felix,) = later("calico", "3.32.1", "chart", wireguard=True, pod_cidr=DUAL)
    assert (felix["kind"], felix["spec"]) == (
        "FelixConfiguration",
        {"wireguardEnabled": True, "wireguardEnabledV6": True},
    )
    assert (
        later("calico", "3.32.1", wireguard=True) == later("flannel", "0.28.9", wireguard=True) == later("none") == []
    )


@pytest.mark.parametrize("given", [{}, {"plugin": "canal"}, {"plugin": "cilium", "tunnel": "ipip"}])
def test_a_release_of_no_chart(given: dict[str, Any]) -> None:
    with pytest.raises(AnsibleFilterError):
        cni_release(given)
