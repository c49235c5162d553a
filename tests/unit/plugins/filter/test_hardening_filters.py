"""The filters kubeadm_merge and known_nodes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.known_nodes import known_nodes
from ansible_collections.groundwork.kubernetes.plugins.filter.kubeadm_merge import kubeadm_merge


def arguments(**values: str) -> dict[str, Any]:
    return {"apiServer": {"extraArgs": [{"name": name, "value": value} for name, value in values.items()]}}


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ([{"a": 1, "b": {"c": 1}}, {"b": {"d": 2}}], {"a": 1, "b": {"c": 1, "d": 2}}),
        ([arguments(a="1", b="1"), arguments(b="2", c="2")], arguments(a="1", b="2", c="2")),
        ([arguments(a="1"), {}], arguments(a="1")),
        ([{}, arguments(a="1"), arguments(a="2")], arguments(a="2")),
        ([{"kind": "x", "apiServer": {"extraArgs": [], "extraVolumes": []}}, {}], {"kind": "x"}),
        ([{"apiServer": {"certSANs": ["a"]}}, {"apiServer": {"certSANs": ["b"]}}], {"apiServer": {"certSANs": ["b"]}}),
        ([{"etcd": {}, "taints": [], "x": None, "y": 0}, {}], {"etcd": {}, "taints": [], "x": None, "y": 0}),
        # An argument that is given twice on purpose stays twice.
        (
            [
                arguments(i="1"),
                {"apiServer": {"extraArgs": [{"name": "i", "value": "2"}, {"name": "i", "value": "3"}]}},
            ],
            {"apiServer": {"extraArgs": [{"name": "i", "value": "2"}, {"name": "i", "value": "3"}]}},
        ),
    ],
)
def test_merge(documents: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    before = repr(documents)
    assert kubeadm_merge(*documents) == expected
    assert repr(documents) == before


@pytest.mark.parametrize("wrong", ["text", {"apiServer": {"extraArgs": {"a": "1"}}}, {"scheduler": {"extraArgs": [1]}}])
def test_merge_refuses(wrong: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="kubeadm_merge"):
        kubeadm_merge({}, wrong)


def test_nodes_of_the_inventory() -> None:
    hostvars: dict[str, dict[str, Any]] = {
        "a": {"kubernetes_node_ip": "192.0.2.1, 2001:db8::1", "kubernetes_node_name": "a.example.com"},
        "b": {"ansible_host": "192.0.2.2", "ansible_facts": {"default_ipv4": {"address": "192.0.2.1"}}},
        "198.51.100.9": {},
        # Its facts are what it says of itself.
        "unknown": {"ansible_host": "c.example.com", "ansible_facts": {"default_ipv4": {"address": "192.0.2.3"}}},
    }
    assert known_nodes(hostvars, hostvars, {"b": ["198.51.100.2", "b.example.net"]}) == [
        {"name": "a.example.com", "addresses": ["192.0.2.1", "2001:db8::1"], "names": []},
        {"name": "b", "addresses": ["192.0.2.2", "198.51.100.2"], "names": ["b.example.net"]},
        {"name": "198.51.100.9", "addresses": ["198.51.100.9"], "names": []},
    ]
    with pytest.raises(AnsibleFilterError):
        known_nodes(["b"], hostvars, ["b"])
