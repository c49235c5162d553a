"""The filter hosts_without_address."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.filter.hosts_without_address import hosts_without_address
from jinja2.exceptions import UndefinedError


class OfFacts(dict[str, Any]):
    """Variables of a host of which no facts were gathered, with an address that is made of them."""

    def get(self, name: str, default: Any = None) -> Any:
        raise UndefinedError(name)


GROUPS = {"kube_control_plane": ["cp-3", "cp-1", "cp-2"], "etcd": ["cp-1", "etcd-1"]}
HOSTVARS = {
    "cp-1": {},
    "cp-2": {"kubernetes_node_ip": "192.0.2.12"},
    "cp-3": OfFacts(),
    "etcd-1": {"kubernetes_node_ip": "{{ ansible_facts.default_ipv4.address }}"},
}


@pytest.mark.parametrize(
    ("names", "play_hosts", "hosts"),
    [
        (["kube_control_plane", "etcd", "kube_load_balancer"], [], ["cp-1", "cp-3", "etcd-1"]),
        (["kube_control_plane", "etcd"], ["cp-1", "etcd-1"], ["cp-3"]),
        (["etcd"], ["cp-2"], ["cp-1", "etcd-1"]),
        (["kube_control_plane", "etcd"], list(HOSTVARS), []),
        ([], [], []),
    ],
)
def test_hosts(names: list[str], play_hosts: list[str], hosts: list[str]) -> None:
    assert hosts_without_address(names, GROUPS, HOSTVARS, play_hosts) == hosts
