"""What the role reboot makes of what it has seen."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.groundwork.kubernetes.tests.unit.rendering import ROOT, render

INVENTORY: dict[str, Any] = {
    "children": {
        "kube_control_plane": {"hosts": {"cp-1": {}, "cp-2": {}, "cp-3": {}}},
        "kube_node": {"hosts": {"w-1": {"kubernetes_node_name": "worker-1"}}},
    },
}
HOSTS = ["cp-1", "cp-2", "cp-3", "w-1"]
NAMES = {**{host: host for host in HOSTS}, "w-1": "worker-1"}
OWN = {
    "kubernetes_control_plane_group": "kube_control_plane",
    "kubernetes_etcd_group": "etcd",
    "kubernetes_node_group": "kube_node",
    "reboot_drain_timeout": 900,
    "reboot_settle_timeout": 600,
}
FACTS: dict[str, Any] = {
    "__reboot_inventory": {
        "hosts": {
            host: {
                **OWN,
                "kubernetes_node_name": name,
                **{f"reboot_allow_{what}": False for what in ("bare_pods", "emptydir", "past_budgets", "downtime")},
            }
            for host, name in NAMES.items()
        }
    },
    "__reboot_states": {
        "results": [
            {"item": "cp-1", "unreachable": True},
            {"item": "cp-2", "api_ready": False},
            {"item": "cp-3", "api_ready": True},
            {"item": "w-1", "api_ready": True},
        ]
    },
    "__reboot_host": {"needed": False, "reasons": []},
    "__reboot_nodes": {
        "nodes": [
            {
                "name": name,
                "ready": True,
                "ready_message": "",
                "unschedulable": name == "cp-2",
                "cordoned_for": "reboot" if name == "cp-2" else "",
            }
            for name in ("cp-1", "cp-2", "cp-3", "worker-1")
        ]
    },
    "__reboot_etcd": {"voters": 3, "members": [{"name": name} for name in ("cp-1", "cp-2", "cp-3")]},
    "__reboot_preview": {"plan": [], "purposes": {"cp-2": "reboot"}},
    "__reboot_guarded": {"changed": False},
    "__reboot_row": {},
}
SHOWN = {
    name: f"{{{{ __reboot_{name} }}}}"
    for name in (
        "ready",
        "helper",
        "is_node",
        "is_cordoned",
        "is_member",
        "others",
        "returning",
        "may_be_due",
        "drain",
        "guard",
        "plan",
    )
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    facts = {name: value for name, value in FACTS.items() if name != "__reboot_row"}
    inventory = {**INVENTORY, "children": {"all_hosts": {"children": INVENTORY["children"], "vars": {}}}}
    return render(tmp_path_factory.mktemp("reboot"), "reboot", inventory, facts, SHOWN)


def test_who_helps(shown: dict[str, dict[str, Any]]) -> None:
    """A control plane whose API answers; a host outside of the group does not count, whatever it says."""
    assert set(shown["w-1"]["ready"]) == {"cp-3"}
    assert {host: values["helper"] for host, values in shown.items()} == dict.fromkeys(HOSTS, "cp-3")


def test_what_a_host_is(shown: dict[str, dict[str, Any]]) -> None:
    assert {host: values["is_member"] for host, values in shown.items()} == {
        "cp-1": True,
        "cp-2": True,
        "cp-3": True,
        "w-1": False,
    }
    assert [host for host, values in shown.items() if values["is_cordoned"]] == ["cp-2"]
    assert shown["w-1"]["others"] == ["cp-1", "cp-2", "cp-3"]
    assert (shown["w-1"]["is_node"], shown["w-1"]["may_be_due"]) == (True, True)


def test_what_was_cordoned_by_a_run_that_was_cut_off_has_room_for_those_after_it(
    shown: dict[str, dict[str, Any]],
) -> None:
    assert {host: values["returning"] for host, values in shown.items()} == {
        "cp-1": [],
        "cp-2": [],
        "cp-3": ["cp-2"],
        "w-1": ["cp-2"],
    }


def test_options_of_modules(shown: dict[str, dict[str, Any]]) -> None:
    assert shown["w-1"]["drain"] == {
        "name": ["worker-1"],
        "purpose": "reboot",
        "timeout": 900,
        "allow_bare_pods": False,
        "allow_emptydir": False,
        "allow_past_budgets": False,
        "wait_for_volumes": True,
    }
    assert shown["cp-1"]["guard"]["member"] == "cp-1"


def test_the_plan(shown: dict[str, dict[str, Any]]) -> None:
    plan = shown["cp-1"]["plan"]
    assert (plan["due"], plan["faults"]) == (HOSTS, [])
    assert {row["result"] for row in plan["rows"]} == {"not reached"}
    assert {item["host"]: item["before"] for item in plan["plan"]}[
        "cp-2"
    ] == "a reboot of it was begun and has not ended"


def test_a_host_without_logind_is_rebooted_too() -> None:
    """Ansible's own command is shutdown, which asks logind."""
    tasks = yaml.safe_load((ROOT / "roles" / "reboot" / "tasks" / "host.yml").read_text())
    inner = [task for outer in tasks for task in outer.get("block", [])]
    reboots = [task["ansible.builtin.reboot"] for task in inner if "ansible.builtin.reboot" in task]
    assert [options["reboot_command"] for options in reboots] == [
        "{{ 'systemctl stop kubelet; ' if __reboot_is_node and __reboot_has_others else '' }}systemctl reboot"
    ]
