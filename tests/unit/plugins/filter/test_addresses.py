"""The filter addresses."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.addresses import addresses
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
    ],
)
def test_address(variables: dict[str, Any], address: str) -> None:
    assert addresses(["a"], {"a": variables}) == [address]


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
