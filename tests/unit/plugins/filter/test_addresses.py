"""The filter addresses."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.addresses import addresses
from ansible_collections.groundwork.kubernetes.plugins.filter.interface_of import interface_of
from ansible_collections.groundwork.kubernetes.plugins.filter.known_nodes import known_nodes
from ansible_collections.groundwork.kubernetes.plugins.filter.split_addresses import split_addresses
from jinja2.exceptions import UndefinedError

IPV4 = {"ansible_facts": {"default_ipv4": {"address": "192.0.2.1"}}}
IPV6 = {"ansible_facts": {"default_ipv4": {}, "default_ipv6": {"address": "2001:db8::1"}}}


@pytest.mark.parametrize(
    ("variables", "address"),
    [
        (IPV4, "192.0.2.1"),
        (IPV6, "2001:db8::1"),
        ({"kubernetes_node_ip": "192.0.2.9", **IPV4}, "192.0.2.9"),
        ({"kubernetes_node_ip": "192.0.2.9, 2001:db8::9"}, "192.0.2.9"),
        ({"kubernetes_node_ip": "2001:DB8:0::9,192.0.2.9"}, "2001:db8::9"),
        ({"kubernetes_node_ip": " ", **IPV4}, "192.0.2.1"),
    ],
)
def test_address(variables: dict[str, Any], address: str) -> None:
    assert addresses(["a"], {"a": variables}) == [address]


def test_every() -> None:
    both = {"kubernetes_node_ip": "192.0.2.9, 2001:DB8::9"}
    assert addresses(["a", "b"], {"a": both, "b": IPV6}, every=True) == ["192.0.2.9", "2001:db8::9", "2001:db8::1"]
    assert addresses(["a"], {"a": both}, port=2379, every=True)[1] == "https://[2001:db8::9]:2379"


@pytest.mark.parametrize(
    ("text", "found"), [("192.0.2.9, 2001:DB8:0::9", ["192.0.2.9", "2001:db8::9"]), ("", []), ("eth0", ["eth0"])]
)
def test_split(text: str, found: list[str]) -> None:
    assert split_addresses(text) == found


INTERFACES = {
    "eth0": {"device": "eth0", "ipv4": {"address": "192.0.2.1"}, "ipv6": [{"address": "2001:db8::1"}]},
    "eth1": {"device": "eth1", "ipv4_secondaries": [{"address": "192.0.2.2"}], "ipv6": [{"address": "2001:db8::2"}]},
}


@pytest.mark.parametrize(
    ("address", "found"),
    [("192.0.2.2", "eth1"), ("2001:db8::2", "eth1"), ("2001:DB8:0::2", "eth1"), ("2001:db8::3", ""), ("", "")],
)
def test_interface(address: str, found: str) -> None:
    assert interface_of(address, INTERFACES) == found


def test_nodes() -> None:
    nodes = {"a": {"kubernetes_node_ip": "192.0.2.9, 2001:DB8::9"}, "lost": {}, "b": IPV6}
    assert known_nodes(nodes, nodes, {"a": ["2001:DB8::10", "a.example.com"]}) == [
        {"name": "a", "addresses": ["192.0.2.9", "2001:db8::9", "2001:db8::10"], "names": ["a.example.com"]},
    ]


def test_order() -> None:
    assert addresses(["b", "a"], {"a": IPV4, "b": IPV6}) == ["2001:db8::1", "192.0.2.1"]


def test_urls() -> None:
    assert addresses(["b", "a"], {"a": IPV4, "b": IPV6}, port=2379) == [
        "https://[2001:db8::1]:2379",
        "https://192.0.2.1:2379",
    ]


@pytest.mark.parametrize("variables", [{}, {"ansible_facts": {}}, {"ansible_facts": {"default_ipv4": {}}}])
def test_unknown(variables: dict[str, Any]) -> None:
    with pytest.raises(AnsibleFilterError, match="The address of lost is not known"):
        addresses(["lost"], {"lost": variables})


class NoFacts(dict[str, Any]):
    """Variables with an address that is made of facts, of a host without any."""

    def get(self, key: str, default: Any = None) -> Any:
        raise UndefinedError(f"{key}: no attribute 'eth1'")


def test_unknown_ones_are_left_out() -> None:
    hosts = {"a": IPV4, "lost": {}, "half": NoFacts(), "b": IPV6}
    assert addresses(hosts, hosts, skip_unknown=True) == ["192.0.2.1", "2001:db8::1"]
    with pytest.raises(UndefinedError):
        addresses(["half"], hosts)
