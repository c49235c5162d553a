"""What the role cni makes of the nodes that it has asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ansible_collections.groundwork.kubernetes.tests.unit.rendering import render

OWN = {"kubernetes_control_plane_group": "kube_control_plane", "cni_plugin": "bridge"}
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
    answer = {"item": "cp-1", "answered": bool(nodes), "known": bool(nodes), "nodes": nodes}
    facts = {
        "__cni_inventory": {"hosts": {host: {**OWN, "kubernetes_node_name": name} for host, name in HOSTS.items()}},
        "__cni_asked": {"results": [answer]},
        "__cni_old": old,
    }
    inventory = {"children": {"kube_control_plane": {"hosts": {"cp-1": {}}}, "kube_node": {"hosts": {"w-1": {}}}}}
    found = render(tmp_path, "cni", inventory, facts, {"unready": "{{ __cni_unready }}"})["cp-1"]
    assert sorted(found["unready"]) == unready


NODES = {"cp-1": "control-1", "cp-2": "control-2", "w-1": "worker-1", "w-2": "worker-2"}
FORGOTTEN = {"changed": True, "changed_nodes": ["control-1"], "item": "control-1"}


class Empty(NamedTuple):
    """Hosts that are nothing of the cluster yet, whose nodes may be registered, and what a check makes of that."""

    hosts: set[str]
    unregistered: set[str]
    removed: list[dict[str, Any]]
    unready: list[str]
    new: list[str]


@pytest.mark.parametrize("check", [True, False], ids=["check", "run"])
@pytest.mark.parametrize(
    "empty",
    [
        Empty(set(), set(), [], [], []),
        Empty({"cp-1"}, set(), [FORGOTTEN], ["control-1"], ["control-1"]),
        Empty({"cp-1"}, set(), [{"skipped": True}], ["control-1"], []),
        Empty({"w-2"}, set(), [], ["worker-2"], []),
        Empty({"w-2"}, {"worker-2"}, [], ["worker-2"], ["worker-2"]),
    ],
    ids=["none", "lost control plane", "its node stays", "replaced worker", "new worker"],
)
def test_a_check_foresees_nodes_of_empty_hosts(tmp_path: Path, empty: Empty, check: bool) -> None:
    """They may be ready for the API yet. The roles before register the same in a run, but then they have joined."""
    states = {host: {"role": "none" if host in empty.hosts else "other", "interrupted": ""} for host in NODES}
    nodes = [node(name) for name in NODES.values() if not check or name not in empty.unregistered]
    facts = {
        "__cni_inventory": {"hosts": {host: {**OWN, "kubernetes_node_name": name} for host, name in NODES.items()}},
        "__cni_asked": {"results": [{"item": "cp-2", "answered": True, "known": True, "nodes": nodes}]},
        "__cni_old": {},
        "__control_plane_node": f"{{{{ {states}[inventory_hostname] if inventory_hostname[0] == 'c' else {{}} }}}}",
        "__worker_node": f"{{{{ {states}[inventory_hostname] if inventory_hostname[0] == 'w' else {{}} }}}}",
        "__control_plane_forgotten": {"results": empty.removed},
    }
    groups = {"kube_control_plane": {"cp-1": {}, "cp-2": {}}, "kube_node": {"w-1": {}, "w-2": {}}}
    inventory = {"children": {name: {"hosts": hosts} for name, hosts in groups.items()}}
    shown = {"unready": "{{ __cni_unready }}", "new": "{{ __cni_new }}"}
    found = render(tmp_path, "cni", inventory, facts, shown, check=check)["w-1"]
    assert found == ({"unready": empty.unready, "new": empty.new} if check else {"unready": [], "new": []})
