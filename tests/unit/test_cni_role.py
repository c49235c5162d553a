"""What the role cni makes of the nodes that it has asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.tests.unit.rendering import render

HOSTS = {"cp-1": "cp-1", "w-1": "worker-1"}


def node(name: str, ready: bool = True) -> dict[str, Any]:
    return {"name": name, "ready": ready, "reports": True, "internal_ips": [], "pod_cidrs": []}


@pytest.mark.parametrize(
    ("nodes", "old", "unready"),
    [
        ([node("cp-1"), node("worker-1")], {}, []),
        ([node("cp-1"), node("worker-1", ready=False)], {}, ["worker-1"]),
        ([node("cp-1")], {}, ["worker-1"]),
        ([], {}, ["cp-1", "worker-1"]),
        ([node("cp-1"), node("worker-1")], {"flannel": []}, ["cp-1", "worker-1"]),
    ],
    ids=["all ready", "one not ready", "one not registered", "no answer", "another plugin goes"],
)
def test_nodes_are_waited_for_where_they_were_not_ready(
    tmp_path: Path, nodes: list[dict[str, Any]], old: dict[str, Any], unready: list[str]
) -> None:
    own = {"kubernetes_control_plane_group": "kube_control_plane", "cni_plugin": "bridge"}
    answer = {"item": "cp-1", "answered": bool(nodes), "known": bool(nodes), "nodes": nodes}
    facts = {
        "__cni_inventory": {"hosts": {host: {**own, "kubernetes_node_name": name} for host, name in HOSTS.items()}},
        "__cni_asked": {"results": [answer]},
        "__cni_old": old,
    }
    inventory = {"children": {"kube_control_plane": {"hosts": {"cp-1": {}}}, "kube_node": {"hosts": {"w-1": {}}}}}
    found = render(tmp_path, "cni", inventory, facts, {"unready": "{{ __cni_unready }}"})["cp-1"]
    assert sorted(found["unready"]) == unready
