"""What the role migrate_runtime makes of what it has seen."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.tests.unit.rendering import render

INVENTORY: dict[str, Any] = {
    "children": {
        "all_hosts": {
            "children": {
                "kube_control_plane": {"hosts": {"cp-1": {}}},
                "kube_node": {"hosts": {"w-1": {"kubernetes_node_name": "worker-1"}}},
            },
            "vars": {
                "kubernetes_version": "1.20.2",
                "container_runtime_containerd_version": "1.7.24",
                "migrate_runtime_images_excluded": ["r.example.com/secret:1"],
            },
        }
    },
}
NAMES = {"cp-1": "cp-1", "w-1": "worker-1"}
OWN = {
    "kubernetes_control_plane_group": "kube_control_plane",
    "kubernetes_etcd_group": "etcd",
    "migrate_runtime_drain_timeout": 900,
    "migrate_runtime_settle_timeout": 600,
    **{f"migrate_runtime_allow_{what}": False for what in ("bare_pods", "emptydir", "past_budgets", "downtime")},
}
FACTS: dict[str, Any] = {
    "__migrate_runtime_inventory": {
        "hosts": {host: {**OWN, "kubernetes_node_name": name} for host, name in NAMES.items()}
    },
    "__migrate_runtime_states": {"results": [{"item": "cp-1", "api_ready": True}]},
    "__migrate_runtime_host": {
        "socket": "/var/run/dockershim.sock",
        "runtime": "docker",
        "keeps_containers": True,
    },
    "__migrate_runtime_nodes": {
        "nodes": [
            {
                "name": name,
                "ready": True,
                "ready_message": "",
                "container_runtime": "docker://20.10.24",
                "images": ["r.example.com/web:1", "r.example.com/secret:1"],
            }
            for name in ("cp-1", "worker-1")
        ]
    },
    "__migrate_runtime_etcd": {"voters": 1, "members": [{"name": "cp-1"}]},
    "__migrate_runtime_wanted": {
        "runtime": "containerd",
        "version": "1.7.24",
        "socket": "unix:///run/containerd/containerd.sock",
    },
    "__migrate_runtime_preview": {"plan": [], "purposes": {}},
    "__migrate_runtime_guarded": {"changed": False},
    "__migrate_runtime_facts": {
        "host": {
            "missing_images": [
                {"image": "r.example.com/web:1", "errors": [{"url": "https://r.example.com/v2", "error": "refused"}]}
            ]
        }
    },
}
SHOWN = {
    name: f"{{{{ __migrate_runtime_{name} }}}}"
    for name in (
        "target",
        "ready",
        "helper",
        "is_member",
        "others",
        "moves",
        "images",
        "drain",
        "guard",
        "plan",
        "exchanges",
    )
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return render(tmp_path_factory.mktemp("migrate"), "migrate_runtime", INVENTORY, FACTS, SHOWN)


def test_the_runtime_that_the_inventory_names(shown: dict[str, dict[str, Any]]) -> None:
    assert shown["w-1"]["target"] == FACTS["__migrate_runtime_wanted"]
    assert (shown["w-1"]["moves"], shown["w-1"]["exchanges"]) == (True, True)


def test_who_helps_and_what_a_host_is(shown: dict[str, dict[str, Any]]) -> None:
    assert (set(shown["w-1"]["ready"]), shown["w-1"]["helper"], shown["w-1"]["others"]) == ({"cp-1"}, "cp-1", ["cp-1"])
    assert (shown["cp-1"]["is_member"], shown["w-1"]["is_member"]) == (True, False)


def test_images_of_its_pods(shown: dict[str, dict[str, Any]]) -> None:
    assert shown["w-1"]["images"] == ["r.example.com/web:1", "registry.k8s.io/pause:3.2"]


def test_options_of_modules(shown: dict[str, dict[str, Any]]) -> None:
    assert shown["w-1"]["drain"] == {
        "name": ["worker-1"],
        "purpose": "runtime",
        "timeout": 900,
        "allow_bare_pods": False,
        "allow_emptydir": False,
        "allow_past_budgets": False,
        "wait_for_volumes": True,
    }
    assert shown["cp-1"]["guard"]["member"] == "cp-1"


def test_the_plan(shown: dict[str, dict[str, Any]]) -> None:
    plan = shown["cp-1"]["plan"]
    assert plan["due"] == plan["exchange"] == ["cp-1", "w-1"]
    assert {(item["before"], item["after"]) for item in plan["plan"]} == {("docker 20.10.24", "containerd 1.7.24")}
    assert plan["faults"] == [
        f"{host}: r.example.com/web:1 cannot be pulled: https://r.example.com/v2 says refused; correct "
        "container_runtime_registry_mirrors, its certificate or account, or put what is missing there"
        for host in ("cp-1", "w-1")
    ]
    assert {row["result"] for row in plan["rows"]} == {"not reached"}
