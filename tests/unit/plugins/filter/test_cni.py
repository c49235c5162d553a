"""The filters that make a host's CNI configuration and its routes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.cni_bridge_config import cni_bridge_config
from ansible_collections.groundwork.kubernetes.plugins.filter.pod_routes import pod_routes


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
