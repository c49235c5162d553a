"""Whether a node is back after work on it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.settled import Wanted, pending

READY = {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Running"}


def node(ready: str = "True", version: str = "v1.20.3") -> dict[str, Any]:
    status = {"conditions": [{"type": "Ready", "status": ready}], "nodeInfo": {"kubeletVersion": version}}
    return {"metadata": {"name": "w1"}, "status": status}


def pod(status: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": "cart", **metadata}, "spec": {}, "status": status}


def deployment(ready: int) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": "shop", "name": "cart"},
        "spec": {"replicas": 2},
        "status": {"replicas": 2, "updatedReplicas": 2, "availableReplicas": ready},
    }


def daemon_set() -> dict[str, Any]:
    """Of five nodes one is away."""
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"namespace": "shop", "name": "cart"},
        "spec": {"selector": {"matchLabels": {"app": "cart"}}},
        "status": {"desiredNumberScheduled": 5, "updatedNumberScheduled": 5, "numberAvailable": 4, "numberReady": 4},
    }


MISSING = "DaemonSet shop/cart has 4 of 5 pods ready"
CART = {"labels": {"app": "cart"}}
JOB = [{"kind": "Job", "name": "j"}]


@pytest.mark.parametrize(
    ("found", "pods", "workloads", "excused", "expected"),
    [
        (node(), [pod(READY)], [deployment(2)], [], []),
        (node("False"), [], [], [], ["node w1 is not ready: its kubelet has not reported yet"]),
        (node(version="v1.20.2"), [], [], [], ["the kubelet of node w1 reports 1.20.2, not 1.20.3"]),
        (node(), [pod({"phase": "Pending"})], [], [], ["pod shop/cart: phase Pending"]),
        (node(), [pod({"phase": "Succeeded"})], [], [], []),
        (node(), [pod({"phase": "Pending"}, deletionTimestamp="t")], [], [], []),
        (node(), [pod({"phase": "Pending"}, ownerReferences=JOB)], [], [], []),
        (node(), [], [deployment(1)], [], ["Deployment shop/cart has 1 of 2 pods ready"]),
        (node(), [], [deployment(1)], ["Deployment shop/cart"], []),
        (node(), [pod(READY, **CART)], [daemon_set()], [], []),
        (node(), [pod(READY, **CART, deletionTimestamp="t")], [daemon_set()], [], [MISSING]),
        (node(), [pod(READY)], [daemon_set()], [], [MISSING]),
        (node(), [pod({"phase": "Pending"}, **CART)], [daemon_set()], [], [MISSING, "pod shop/cart: phase Pending"]),
    ],
)
def test_pending(
    found: dict[str, Any],
    pods: list[dict[str, Any]],
    workloads: list[dict[str, Any]],
    excused: list[str],
    expected: list[str],
) -> None:
    assert pending(found, Wanted("1.20.3"), pods, workloads, excused) == expected


def running(started: str) -> dict[str, Any]:
    return {**READY, "containerStatuses": [{"name": "it", "state": {"running": {"startedAt": started}}}]}


@pytest.mark.parametrize(
    ("heartbeat", "started", "expected"),
    [
        ("2026-11-27T22:00:30Z", "2026-11-27T22:00:30Z", []),
        (
            "2026-11-27T22:00:29Z",
            "2026-11-27T22:00:40Z",
            ["the kubelet of node w1 has not reported since the restart"],
        ),
        (None, "2026-11-27T22:00:40Z", ["the kubelet of node w1 has not reported since the restart"]),
        (
            "2026-11-27T22:00:40Z",
            "2026-11-27T21:00:00Z",
            ["pod shop/cart: container it has not been started again"],
        ),
    ],
)
def test_what_was_reported_before_a_restart_does_not_count(
    heartbeat: str | None, started: str, expected: list[str]
) -> None:
    found = node()
    found["status"]["conditions"][0]["lastHeartbeatTime"] = heartbeat
    since = datetime(2026, 11, 27, 22, 0, 30, 500000, tzinfo=timezone.utc).timestamp()
    assert pending(found, Wanted(), [pod(running(started))], [], [], since=since) == expected
    assert pending(found, Wanted(), [pod(running(started))], [], []) == []
