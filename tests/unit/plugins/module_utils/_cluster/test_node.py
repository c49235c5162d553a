"""What is changed on a node, and what the network needs to know of it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.node import (
    DesiredNode,
    NodeError,
    faults,
    merge_patch,
    summary,
    wanted_state,
    words,
)

NODE: dict[str, Any] = {
    "metadata": {"name": "w1", "resourceVersion": "7", "labels": {"a": "1", "b": "2"}, "annotations": {"n": "x"}},
    "spec": {
        "podCIDR": "10.244.1.0/24",
        "podCIDRs": ["10.244.1.0/24", "fd00::/64"],
        "taints": [
            {"key": "k", "value": "v", "effect": "NoSchedule"},
            {"key": "down", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z"},
        ],
    },
    "status": {
        "addresses": [{"type": "Hostname", "address": "w1"}, {"type": "InternalIP", "address": "192.0.2.1"}],
        "conditions": [{"type": "Ready", "status": "True", "message": "kubelet is posting ready status"}],
        "nodeInfo": {"kubeletVersion": "v1.36.5"},
    },
}
DOWN = NODE["spec"]["taints"][1]


def wanted_node(**options: Any) -> DesiredNode:
    return DesiredNode.of({"name": "w1", **options})


@pytest.mark.parametrize(
    ("options", "patch"),
    [
        ({}, None),
        ({"labels": {"a": "1"}}, None),
        ({"labels": {"a": 1}}, None),
        ({"labels": {"gone": None}}, None),
        ({"labels": {"a": "9", "b": None, "c": True}}, {"metadata": {"labels": {"a": "9", "b": None, "c": "true"}}}),
        ({"labels": {"a": "1", "c": ""}}, {"metadata": {"labels": {"c": ""}}}),
        ({"annotations": {"n": None, "m": "y"}}, {"metadata": {"annotations": {"n": None, "m": "y"}}}),
        ({"taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]}, None),
        (
            {"taints": [{"key": "k", "value": "w", "effect": "NoSchedule"}]},
            {
                "metadata": {"resourceVersion": "7"},
                "spec": {"taints": [{"key": "k", "value": "w", "effect": "NoSchedule"}, DOWN]},
            },
        ),
        (
            {"taints": [{"key": "k", "value": 0, "effect": "NoSchedule"}]},
            {
                "metadata": {"resourceVersion": "7"},
                "spec": {"taints": [{"key": "k", "value": "0", "effect": "NoSchedule"}, DOWN]},
            },
        ),
        (
            {"taints": [{"key": "k", "value": False, "effect": "NoSchedule"}]},
            {
                "metadata": {"resourceVersion": "7"},
                "spec": {"taints": [{"key": "k", "value": "false", "effect": "NoSchedule"}, DOWN]},
            },
        ),
        (
            {"taints": [{"key": "k", "value": None, "effect": "NoExecute"}]},
            {
                "metadata": {"resourceVersion": "7"},
                "spec": {"taints": [*NODE["spec"]["taints"], {"key": "k", "effect": "NoExecute"}]},
            },
        ),
        ({"taints_absent": [{"key": "k", "effect": "NoExecute"}]}, None),
        (
            {"taints_absent": [{"key": "k", "effect": None}]},
            {"metadata": {"resourceVersion": "7"}, "spec": {"taints": [DOWN]}},
        ),
        (
            {"taints_absent": [{"key": "k"}, {"key": "down"}]},
            {"metadata": {"resourceVersion": "7"}, "spec": {"taints": None}},
        ),
        ({"unschedulable": False}, None),
        ({"unschedulable": True}, {"spec": {"unschedulable": True}}),
    ],
)
def test_patch(options: dict[str, Any], patch: dict[str, Any] | None) -> None:
    assert merge_patch(NODE, wanted_node(**options)) == patch


def test_uncordon() -> None:
    cordoned = {**NODE, "spec": {"unschedulable": True}}
    assert merge_patch(cordoned, wanted_node(unschedulable=False)) == {"spec": {"unschedulable": None}}
    assert merge_patch(cordoned, wanted_node(unschedulable=True)) is None


def test_only_what_is_asked_for_is_compared() -> None:
    assert wanted_state({"labels": {"a": "1"}}, wanted_node(labels={"a": None})) == {"labels": {}}


def test_a_taint_cannot_be_wanted_and_unwanted() -> None:
    with pytest.raises(NodeError, match="taint k:NoSchedule is in taints and in taints_absent"):
        wanted_node(taints=[{"key": "k", "effect": "NoSchedule"}], taints_absent=[{"key": "k"}])


def test_values_become_text() -> None:
    assert words({"a": True, "b": 1, "c": None, "d": "x"}) == {"a": "true", "b": "1", "c": None, "d": "x"}


@pytest.mark.parametrize(
    ("annotations", "unschedulable", "expected"),
    [
        ({}, True, ""),
        ({"groundwork.kubernetes/cordoned": "reboot failed: no room"}, True, "reboot"),
        ({"groundwork.kubernetes/cordoned": "runtime"}, False, ""),
    ],
)
def test_what_a_node_is_cordoned_for(annotations: dict[str, str], unschedulable: bool, expected: str) -> None:
    node = {"metadata": {"name": "w1", "annotations": annotations}, "spec": {"unschedulable": unschedulable}}
    assert summary(node)["cordoned_for"] == expected


def test_summary() -> None:
    assert summary(NODE) == {
        "name": "w1",
        "labels": {"a": "1", "b": "2"},
        "taints": NODE["spec"]["taints"],
        "unschedulable": False,
        "cordoned_for": "",
        "pod_cidrs": ["10.244.1.0/24", "fd00::/64"],
        "internal_ips": ["192.0.2.1"],
        "kubelet_version": "v1.36.5",
        "container_runtime": "",
        "cri_socket": "",
        "ready": True,
        "reports": True,
        "ready_message": "kubelet is posting ready status",
    }


@pytest.mark.parametrize(("spec", "expected"), [({"podCIDR": "10.1.0.0/24"}, ["10.1.0.0/24"]), ({}, [])])
def test_pod_subnets_of_an_old_or_a_new_node(spec: dict[str, Any], expected: list[str]) -> None:
    shown = summary({"metadata": {"name": "w1"}, "spec": spec})
    assert shown["pod_cidrs"] == expected
    assert shown["ready"] is False
    assert shown["ready_message"] == "its kubelet has not reported yet"


@pytest.mark.parametrize(
    ("conditions", "reports"),
    [
        ([], True),  # it has just registered
        ([{"type": "Ready", "status": "True"}], True),
        ([{"type": "Ready", "status": "False", "message": "cni plugin not initialized"}], True),
        ([{"type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting node status."}], False),
    ],
)
def test_a_kubelet_that_is_silent(conditions: list[dict[str, str]], reports: bool) -> None:
    assert summary({"metadata": {"name": "w1"}, "status": {"conditions": conditions}})["reports"] is reports


BARE = {"metadata": {"name": "w2"}, "spec": {}}


@pytest.mark.parametrize(
    ("names", "wait_for", "message"),
    [
        (["w1"], ["pod_cidr", "internal_ip", "ready"], []),
        (["w1", "w3"], [], ["node w3 is not registered"]),
        (["w2"], [], []),
        (["w2"], ["pod_cidr"], ["node w2 has no pod subnet"]),
        (["w2"], ["internal_ip", "ready"], ["node w2 has no InternalIP", "node w2 is not ready: its kubelet has not"]),
        ([], ["ready"], ["node w2 is not ready"]),
    ],
)
def test_faults(names: list[str], wait_for: list[str], message: list[str]) -> None:
    found = faults([summary(NODE), summary(BARE)], names, wait_for)
    assert len(found) == len(message)
    for text, fault in zip(message, found):
        assert text in fault
