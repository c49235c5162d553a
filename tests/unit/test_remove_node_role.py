"""What the role remove_node makes of what it has seen, and what its playbook does in which order."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.groundwork.kubernetes.tests.unit.rendering import ROOT, render

INVENTORY: dict[str, Any] = {
    "children": {
        "kube_control_plane": {"hosts": {"cp-1": {}, "cp-2": {}, "cp-3": {}}},
        "kube_node": {"hosts": {"w-1": {}, "w-2": {"kubernetes_node_name": "worker-2"}}},
        "remove_node_leader": {"hosts": {"cp-2": {}}},
    },
}
OWN = {
    "kubernetes_control_plane_group": "kube_control_plane",
    "kubernetes_etcd_group": "etcd",
    "kubernetes_node_group": "kube_node",
    "kubernetes_load_balancer_group": "kube_load_balancer",
    "kubernetes_api_load_balancer": "local",
    "kubernetes_api_endpoint": "127.0.0.1:8443",
    "cni_plugin": "bridge",
    "remove_node_names": "cp-1, w-2",
    "remove_node_powered_off": ["cp-1"],
    "remove_node_drain_timeout": 900,
    "remove_node_allow_bare_pods": False,
    "remove_node_allow_emptydir": True,
    "remove_node_allow_past_budgets": False,
}
NODES = ["cp-1", "cp-2", "cp-3", "w-1", "worker-2"]
STEP = {"host": "cp-1", "subject": "etcd member", "before": "one of 3", "after": "removed"}
FACTS: dict[str, Any] = {
    "__remove_node_inventory": {"hosts": dict.fromkeys(["cp-1", "cp-2", "cp-3", "w-1", "w-2"], OWN)},
    "__remove_node_kubeadm": {"api_ready": True, "api_version": "v1.36.5", "etcd_endpoints": []},
    "__remove_node_reached": {"unreachable": True},
    "__reset_found": {"plan": [{}], "faults": [], "node": True, "member": False, "addresses": []},
    "__remove_node_nodes": {
        "nodes": [
            {"name": name, "labels": {}, "internal_ips": [], "pod_cidrs": [], "ready": True, "reports": True}
            for name in NODES
        ]
    },
    "__remove_node_etcd": {
        "error": "",
        "members": [
            {
                "id": f"{number}",
                "name": f"cp-{number}",
                "peer_urls": [],
                "client_urls": ["u"],
                "learner": False,
                "healthy": number > 1,
                "leader": number == 2,
                "error": "",
            }
            for number in (1, 2, 3)
        ],
    },
    "__remove_node_began": 0,
    "__remove_node_steps": [STEP],
    "__remove_node_result": "changed",
}
SHOWN = {name: f"{{{{ __remove_node_{name} }}}}" for name in ("ready", "view", "drain", "out_of_service", "more")}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    inventory = {**INVENTORY, "children": {"all_hosts": {"children": INVENTORY["children"], "vars": {}}}}
    return render(tmp_path_factory.mktemp("remove_node"), "remove_node", inventory, FACTS, SHOWN)["cp-2"]


def test_the_view(shown: dict[str, Any]) -> None:
    view = shown["view"]
    assert view["faults"] == []
    assert (view["hosts"], view["live"], view["drain"], view["lost"]) == (
        ["cp-1", "w-2"],
        ["w-2"],
        ["worker-2"],
        ["cp-1"],
    )
    assert (view["leader"], view["endpoint"], view["routes"]) == ("cp-2", True, True)
    assert view["stay"] == {"control_plane": ["cp-2", "cp-3"], "node": ["w-1"], "load_balancer": []}
    assert [one["name"] for one in view["members"]] == ["cp-1"]


def test_options_of_modules(shown: dict[str, Any]) -> None:
    assert shown["drain"] == {
        "purpose": "removal",
        "timeout": 900,
        "allow_bare_pods": False,
        "allow_emptydir": True,
        "allow_past_budgets": False,
        "wait_for_volumes": True,
    }
    assert shown["out_of_service"] == {"timeout": 900, "allow_bare_pods": False}


def test_a_step_is_noted_with_its_row(shown: dict[str, Any]) -> None:
    (row,) = shown["more"]
    assert {**row, "seconds": 0} == {**STEP, "seconds": 0, "result": "changed"}


def test_the_order_of_the_playbook() -> None:
    """Pods and volumes, callers of the API, the member, the host, and the Node last, by which a run goes on."""
    plays = yaml.safe_load((ROOT / "playbooks" / "remove_node.yml").read_text())
    parts = [
        options.get("tasks_from", "main")
        for play in plays[1:]
        for task in play.get("tasks", [{"role": {}}])
        for key, options in task.items()
        if key.endswith("role")
    ]
    assert parts == [
        "look",
        "main",
        "before",
        "leave",
        "balancing",
        "endpoint",
        "serving",
        "etcd_servers",
        "members",
        "host",
        "routes",
        "forget",
    ]
    assert modules_of("leave") == ["drain", "out_of_service"]
    assert modules_of("balancing") == ["service"]
    assert modules_of("serving") == ["service", "static_pods"]
    assert modules_of("etcd_servers") == ["set_fact", "set_fact", "slurp", "kubeadm_init", "set_fact"]
    assert modules_of("members") == ["include_tasks"]


def modules_of(part: str) -> list[str]:
    tasks = yaml.safe_load((ROOT / "roles" / "remove_node" / "tasks" / f"{part}.yml").read_text())
    tasks = tasks[0].get("block", tasks)
    return [next(key for key in task if "." in key).rpartition(".")[2] for task in tasks]
