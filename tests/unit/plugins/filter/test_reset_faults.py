"""What stands against a reset."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.reset_faults import reset_faults

INVENTORY = {"cp-1": {"kubernetes_node_name": "cp-1"}, "w-1": {"kubernetes_node_name": "node-1"}}
PART = {"plan": [{"subject": "path"}], "faults": [], "node": True, "member": False, "addresses": ["192.0.2.21"]}
NONE = {"plan": [], "faults": [], "node": False, "member": False, "addresses": []}
MEMBER = {**PART, "node": False, "member": True}


def faults(found: dict[str, Any], confirm: str = "shop", **options: Any) -> list[str]:
    return reset_faults(found, INVENTORY, cluster="shop", confirm=confirm, **options)


@pytest.mark.parametrize(
    ("confirm", "message"),
    [
        ("shop", []),
        ("", ["reset_confirm is empty and not the cluster's name"]),
        ("shoq", ["reset_confirm is 'shoq', which is not the cluster's name"]),
    ],
)
def test_the_clusters_name_confirms(confirm: str, message: list[str]) -> None:
    """Without a plan there is nothing to confirm, and in check mode neither."""
    found = faults({"w-1": PART}, confirm)
    assert [fault.partition(" (")[0] for fault in found] == message
    assert faults({"w-1": NONE}, confirm) == []
    assert faults({"w-1": PART}, confirm, confirmed=True) == []


@pytest.mark.parametrize(
    ("result", "nodes", "members", "message"),
    [
        (PART, [{"name": "node-1", "internal_ips": []}], [], "w-1: node-1 is a Node of a cluster that lives on"),
        (
            MEMBER,
            [],
            [{"name": "node-1", "peer_urls": []}],
            "w-1: node-1 is a member of etcd of a cluster that lives on",
        ),
        (
            PART,
            [{"name": "old", "internal_ips": ["192.0.2.21"]}],
            [],
            "w-1: node-1 is a Node of a cluster that lives on",
        ),
        (
            MEMBER,
            [],
            [{"name": "old", "peer_urls": ["https://192.0.2.21:2380"]}],
            "w-1: node-1 is a member of etcd of a cluster that lives on",
        ),
        (
            PART,
            [{"name": "w-1", "internal_ips": ["192.0.2.22"]}],
            [{"name": "w-1", "peer_urls": ["https://192.0.2.22:2380"]}],
            "",
        ),
        (NONE, [{"name": "node-1", "internal_ips": []}], [], ""),
        (NONE, None, None, ""),
        (PART, None, None, "w-1: it has joined a cluster, and nodes and members of etcd of that cannot be asked for"),
        (PART, [], None, "w-1: it has joined a cluster, and members of etcd of that cannot be asked for"),
    ],
)
def test_a_host_of_a_cluster_that_lives_on_is_refused(
    result: dict[str, Any], nodes: Any, members: Any, message: str
) -> None:
    """What cannot be asked is not known, and refused too."""
    found = faults({"w-1": result}, lives=["cp-1"], nodes=nodes, members=members)
    assert [fault.partition(",")[0] for fault in found] == [message.partition(",")[0]] * bool(message)
    assert faults({"w-1": result}, lives=[], nodes=nodes, members=members) == []


def test_all_faults_are_told_at_once() -> None:
    """Those of hosts with their names."""
    found = faults({"w-1": {**PART, "faults": ["/x is a mount"]}, "cp-1": {**PART, "faults": ["y"]}}, "")
    assert found[:2] == ["w-1: /x is a mount", "cp-1: y"]
    assert found[2].startswith("reset_confirm")
    with pytest.raises(AnsibleFilterError):
        reset_faults({"w-1": {}}, INVENTORY, cluster="shop")
