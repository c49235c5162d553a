"""The filters that make a host's CNI configuration and its routes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.cni_bridge_config import cni_bridge_config
from ansible_collections.groundwork.kubernetes.plugins.filter.cni_network import cni_network
from ansible_collections.groundwork.kubernetes.plugins.filter.pod_proof import pod_proof
from ansible_collections.groundwork.kubernetes.plugins.filter.pod_routes import pod_routes
from ansible_collections.groundwork.kubernetes.plugins.filter.pod_tunnel import pod_tunnel


def test_bridge() -> None:
    config = cni_bridge_config(["10.244.1.0/24"])
    assert (config["cniVersion"], config["name"]) == ("0.4.0", "kubernetes")
    assert cni_bridge_config(["10.244.1.0/24"], name="by-hand") == {**config, "name": "by-hand"}
    assert [plugin["type"] for plugin in config["plugins"]] == ["bridge", "portmap"]
    bridge = config["plugins"][0]
    assert bridge["ipam"] == {"type": "host-local", "ranges": [[{"subnet": "10.244.1.0/24"}]]}
    assert bridge["ipMasq"] is False
    assert "mtu" not in bridge


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"mtu": 1400}, {"mtu": 1400}),
        ({"settings": {"bridge": "br0", "ipMasq": True}}, {"bridge": "br0", "ipMasq": True}),
        ({"mtu": 1400, "settings": {"mtu": 9000}}, {"mtu": 9000}),
    ],
)
def test_bridge_settings(options: dict[str, Any], expected: dict[str, Any]) -> None:
    bridge = cni_bridge_config(["10.244.1.0/24"], **options)["plugins"][0]
    assert {key: bridge[key] for key in expected} == expected


def test_two_subnets_and_another_plugin() -> None:
    config = cni_bridge_config(["10.244.1.0/24", "fd00:1::/64"], plugins=[{"type": "tuning"}])
    assert config["plugins"][0]["ipam"]["ranges"] == [[{"subnet": "10.244.1.0/24"}], [{"subnet": "fd00:1::/64"}]]
    assert config["plugins"][-1] == {"type": "tuning"}


@pytest.mark.parametrize(
    ("given", "addresses", "smallest", "expected"),
    [
        ({"plugin": "flannel"}, [["192.0.2.1"]], 1500, (50, 1450, 1450)),
        ({"plugin": "flannel"}, [["192.0.2.1"], ["fd00::1"]], 1500, (70, 1430, 1430)),
        ({"plugin": "calico", "tunnel": "ipip", "mtu": "1400"}, [], 1500, (20, 1480, 1400)),
        ({"plugin": "flannel"}, [], 0, (50, 0, 0)),
        ({"plugin": "none"}, [], 1500, (0, 1500, 1500)),
    ],
)
def test_the_mtu_of_a_network(given: dict[str, Any], addresses: list[list[str]], smallest: int, expected: Any) -> None:
    found = cni_network(given, [node("x", [], own) for own in addresses], smallest)
    assert (found["overhead"], found["room"], found["mtu"]) == expected
    assert found["network"] == ({} if given["plugin"] == "none" else {**given, "mtu": expected[2]})


@pytest.mark.parametrize("given", [{}, {"plugin": "flannel", "tunnel": "x"}, {"plugin": "flannel", "mtu": "x"}])
def test_a_network_that_is_none(given: dict[str, Any]) -> None:
    with pytest.raises(AnsibleFilterError):
        cni_network(given)


@pytest.mark.parametrize("subnets", [[], None, "10.244.1.0/24"])
def test_bridge_without_subnet(subnets: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="a list with a node's pod subnets"):
        cni_bridge_config(subnets)


def node(name: str, subnets: list[str], addresses: list[str]) -> dict[str, Any]:
    return {"name": name, "pod_cidrs": subnets, "internal_ips": addresses}


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], []),
        ([node("b", ["10.244.2.0/24"], ["192.0.2.2"])], [{"cidr": "10.244.2.0/24", "via": "192.0.2.2"}]),
        ([node("b", ["10.244.2.0/24"], ["192.0.2.2", "192.0.2.3"])], [{"cidr": "10.244.2.0/24", "via": "192.0.2.2"}]),
        ([node("b", [], ["192.0.2.2"]), node("c", ["10.244.3.0/24"], [])], []),
        (
            [node("b", ["10.244.2.0/24", "fd00:2::/64"], ["fd01::2", "192.0.2.2"])],
            [{"cidr": "10.244.2.0/24", "via": "192.0.2.2"}, {"cidr": "fd00:2::/64", "via": "fd01::2"}],
        ),
        ([node("b", ["fd00:2::/64"], ["192.0.2.2"])], []),
    ],
)
def test_routes(others: list[dict[str, Any]], expected: list[dict[str, str]]) -> None:
    assert pod_routes([node("a", ["10.244.1.0/24"], ["192.0.2.1"]), *others], "a") == expected


@pytest.mark.parametrize("nodes", [None, [{"name": "b"}], [node("b", ["nonsense"], ["192.0.2.2"])]])
def test_routes_from_nonsense(nodes: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="the nodes that node_info returns"):
        pod_routes(nodes, "a")


BOTH = [
    node("a", ["10.244.1.0/24", "fd00:1::/64"], ["192.0.2.1", "fd01::1"]),
    node("b", ["10.244.2.0/24", "fd00:2::/64"], ["fd01::2", "192.0.2.2"]),
]
SIX = [node("c", ["fd00:3::/64"], ["fd01::3"])]


def test_routes_with_a_tunnel() -> None:
    assert pod_routes(BOTH, "a", "always") == [
        {"cidr": "10.244.2.0/24", "via": "192.0.2.2", "endpoint": "192.0.2.2"},
        {"cidr": "fd00:2::/64", "via": "fd01::2", "endpoint": "192.0.2.2"},
    ]
    # One node without IPv4, and all send by IPv6.
    assert {route["endpoint"] for route in pod_routes([*BOTH, *SIX], "a", "cross-subnet")} == {"fd01::2", "fd01::3"}


@pytest.mark.parametrize(
    ("nodes", "name", "expected"),
    [
        (BOTH, "b", {"local": "192.0.2.2", "cidrs": ["10.244.2.0/24", "fd00:2::/64"], "overhead": 50}),
        ([*BOTH, *SIX], "b", {"local": "fd01::2", "cidrs": ["10.244.2.0/24", "fd00:2::/64"], "overhead": 70}),
        ([*SIX, node("d", [], ["192.0.2.4"])], "d", {}),
        (BOTH, "x", {}),
        ([], "x", {}),
    ],
)
def test_ends_of_a_tunnel(nodes: list[dict[str, Any]], name: str, expected: dict[str, Any]) -> None:
    assert pod_tunnel(nodes, name) == expected


PROOF = {
    "port": 7777,
    "places": [
        {"node": "a", "uid": "1", "addresses": ["10.244.1.5"], "cluster_ips": ["10.96.0.5"]},
        {"node": "b", "uid": "2", "addresses": ["10.244.2.6", "fd00::6"], "cluster_ips": ["10.96.0.6"]},
        {"node": "c", "uid": "3", "addresses": ["10.244.3.7"], "cluster_ips": ["10.96.0.7"]},
    ],
}
NAMES = {"host-a": "a", "host-b": "b", "host-c": "c"}


def heard(*hosts: str, **more: Any) -> list[dict[str, Any]]:
    return [{"item": host, "mtu": 1450, "unheard": [], **more} for host in hosts]


def probed(host: str, closed: list[Any] | None = None, narrow: list[Any] | None = None) -> dict[str, Any]:
    return {"item": host, "closed": closed or [], "narrow": narrow or []}


def test_parts_in_the_proof() -> None:
    before = pod_proof(PROOF, NAMES)
    assert before["nodes"]["b"] == {
        "uid": "2",
        "places": [
            {"protocol": protocol, "address": address, "number": 7777}
            for address in ("10.244.2.6", "fd00::6")
            for protocol in ("tcp", "udp")
        ],
        "expected": ["a", "c"],
        "seconds": 135,
        "targets": [],
    }
    assert (before["faults"], before["tried"]) == ([], [])
    # The host of c cannot be reached: nobody tries its pod.
    parts = pod_proof(PROOF, NAMES, heard("host-a", "host-b"))["nodes"]
    targets = [(one["protocol"], one["address"], one["mtu"], one["listener"]) for one in parts["a"]["targets"]]
    assert targets == [
        ("tcp", "10.244.2.6", 1450, True),
        ("udp", "10.244.2.6", 1450, True),
        ("tcp", "10.96.0.6", 0, True),
        ("udp", "10.96.0.6", 0, True),
    ]
    assert parts["c"]["targets"] == []


def test_faults_in_the_proof() -> None:
    to_b = {"host": "b", "protocol": "udp", "number": 7777, "state": "timeout", "error": "no answer within 3 s"}
    closed = [{**to_b, "address": "10.244.2.6"}, {**to_b, "address": "10.96.0.6"}]
    narrow = [{"host": "c", "address": "10.244.3.7", "wanted": 1450, "mtu": 1400, "told": False}] * 2
    said = pod_proof(
        PROOF,
        NAMES,
        [*heard("host-a"), *heard("host-b", unheard=[{"address": "10.244.2.6", "error": "in use"}])],
        [probed("host-a", closed, narrow)],
    )
    assert said["faults"] == [
        "b: nothing can listen in its pod at 10.244.2.6: in use",
        "b: nothing was tried from its pod",
        "a to b: UDP to the pod 10.244.2.6: no answer within 3 s; "
        "UDP to the cluster IP 10.96.0.6: no answer within 3 s",
        "a to c: packets of 1450 bytes to 10.244.3.7 do not pass, those of 1400 do",
    ]
    assert said["tried"] == ["a"]


def test_a_proof_from_nonsense() -> None:
    with pytest.raises(AnsibleFilterError, match="what the modules return"):
        pod_proof({}, NAMES)
