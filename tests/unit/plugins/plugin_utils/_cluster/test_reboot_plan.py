"""Which hosts are rebooted, and what forbids it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.named_hosts import named_hosts
from ansible_collections.groundwork.kubernetes.plugins.filter.reboot_plan import reboot_plan

NAMES = {"a": "node-a", "b": "node-b"}


def seen(*reasons: str) -> dict[str, Any]:
    return {"needed": bool(reasons), "reasons": list(reasons)}


def node(name: str, ready: bool = True) -> dict[str, Any]:
    return {"name": name, "ready": ready, "ready_message": "kubelet stopped"}


NODES = [node("node-a"), node("node-b"), node("node-c")]
PREVIEW = {
    "plan": [{"evicts": ["default/web-1"], "disrupts": "PodDisruptionBudget default/web allows it: 1 may go, 1 go"}],
    "purposes": {},
}


def plan(hosts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return reboot_plan(hosts, **{"names": NAMES, "nodes": NODES, **more})


@pytest.mark.parametrize(
    ("hosts", "only_if_needed", "purposes", "due"),
    [
        ({"a": seen(), "b": seen()}, False, {}, {"a": "asked for", "b": "asked for"}),
        ({"a": seen(), "b": seen("kernel 6.2 is installed")}, True, {}, {"b": "kernel 6.2 is installed"}),
        ({"a": seen(), "b": seen()}, True, {}, {}),
        ({"a": seen()}, True, {"node-a": "reboot"}, {"a": "a reboot of it was begun and has not ended"}),
        ({"a": seen()}, True, {"node-a": "drain"}, {}),
    ],
)
def test_which_hosts_are_due(
    hosts: dict[str, Any], only_if_needed: bool, purposes: dict[str, str], due: dict[str, str]
) -> None:
    previews = {host: {"plan": [], "purposes": purposes} for host in hosts}
    found = plan(hosts, previews=previews, only_if_needed=only_if_needed)
    assert {item["host"]: item["before"] for item in found["plan"]} == due
    assert (found["due"], found["faults"]) == (list(due), [])


def test_what_a_reboot_costs() -> None:
    (item,) = plan({"a": seen()}, previews={"a": PREVIEW})["plan"]
    assert (item["restarts"], item["evicts"]) == (["the host"], ["default/web-1"])
    assert item["disrupts"] == "PodDisruptionBudget default/web allows it: 1 may go, 1 go"


def test_everything_that_forbids_it_is_named_at_once() -> None:
    found = plan(
        {"a": seen(), "b": seen()},
        nodes=[node("node-a"), node("node-b"), node("node-c", False)],
        previews={
            "a": {
                **PREVIEW,
                "reasons": ["default/debug on node-a: no controller would start it again: set allow_bare_pods"],
            },
            "b": PREVIEW,
        },
        guards={"a": {"changed": False}, "b": {"reasons": ["allow the downtime (allow_downtime)"]}},
    )
    assert found["faults"] == [
        "a: default/debug on node-a: no controller would start it again: set reboot_allow_bare_pods",
        "b: allow the downtime (reboot_allow_downtime)",
        "these nodes are not ready, and no other one is taken away beside them: node-c (kubelet stopped)",
    ]


@pytest.mark.parametrize(
    ("more", "faults"),
    [
        pytest.param({"expected": ["a", "b"]}, [], id="nodes by their names"),
        pytest.param(
            {"expected": ["a", "b"], "nodes": [node("node-a"), node("a")]},
            ["b: there is no node node-b, so that nothing can be drained"],
            id="a node under another name",
        ),
        pytest.param(
            {"expected_members": ["a", "b"], "members": [{"name": "node-a"}]},
            ["b: etcd has no member node-b, so that its guard cannot be asked"],
            id="a member under another name",
        ),
    ],
)
def test_a_host_that_the_cluster_does_not_know_by_its_name(more: dict[str, Any], faults: list[str]) -> None:
    """It would be rebooted without a drain, or without the guard."""
    found = plan({"a": seen(), "b": seen()}, **more)["faults"]
    assert [text.partition(": compare")[0] for text in found] == faults


@pytest.mark.parametrize(
    ("down", "refused"), [(["node-a"], False), (["node-a", "node-b"], True), (["node-c"], True), ([], False)]
)
def test_nodes_that_are_not_ready(down: list[str], refused: bool) -> None:
    """A reboot may be the cure for one of its hosts."""
    nodes = [node(name, name not in down) for name in ("node-a", "node-b", "node-c")]
    assert bool(plan({"a": seen(), "b": seen()}, nodes=nodes)["faults"]) is refused


def test_nothing_is_refused_where_nothing_is_due() -> None:
    nodes = [node("node-c", False)]
    assert plan({"a": seen()}, nodes=nodes, only_if_needed=True)["faults"] == []


def test_what_came_of_it() -> None:
    row = {"host": "a", "subject": "reboot", "before": "asked for", "after": "rebooted", "seconds": 61.5}
    rows = plan({"a": seen(), "b": seen()}, done={"a": {**row, "result": "changed"}})["rows"]
    assert [(one["host"], one["after"], one["result"]) for one in rows] == [
        ("a", "rebooted", "changed"),
        ("b", "", "not reached"),
    ]
    with pytest.raises(AnsibleFilterError, match="reboot_plan needs"):
        plan({"a": seen()}, done={"a": row})


def test_results_of_something_else() -> None:
    with pytest.raises(AnsibleFilterError, match="reboot_plan needs"):
        plan({"a": seen()}, nodes=[{}])


GROUPS = {"all": ["a", "b", "c"], "workers": ["b", "c"], "empty": [], "ungrouped": []}


@pytest.mark.parametrize(
    ("names", "hosts"),
    [
        ("a", ["a"]),
        ("c, a", ["c", "a"]),
        (["workers", "a", "b"], ["b", "c", "a"]),
        ("all", ["a", "b", "c"]),
        # The playbook says that in a play of its own.
        ("", []),
        (None, []),
    ],
)
def test_hosts_by_their_names(names: Any, hosts: list[str]) -> None:
    assert named_hosts(names, GROUPS, "reboot_hosts") == hosts


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("a,", "reboot_hosts has an empty name"),
        ([""], "reboot_hosts has an empty name"),
        ("a,d,empty", "reboot_hosts names d, empty, which is no host of the inventory and no group with hosts"),
    ],
)
def test_names_that_mean_no_host(names: Any, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        named_hosts(names, GROUPS, "reboot_hosts")
