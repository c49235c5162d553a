"""Whether workloads are ready, where they are not, and why."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.workloads import (
    held_up,
    pods_elsewhere,
    unready_workload,
    why,
)


def thing(kind: str, name: str, api: str = "v1", **rest: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "n", **rest.pop("metadata", {})}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **rest}


def pod(name: str, **status: Any) -> dict[str, Any]:
    return thing("Pod", name, metadata={"labels": {"app": "x"}}, spec={"nodeName": "w1"}, status=status)


def test_why_a_workload_is_not_ready() -> None:
    item = thing("DaemonSet", "cni", "apps/v1", spec={"selector": {"matchLabels": {"app": "x"}}})
    pods = [
        pod("good", conditions=[{"type": "Ready", "status": "True"}]),
        pod(
            "image",
            containerStatuses=[
                {"name": "a", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no host"}}}
            ],
        ),
        pod(
            "crash", initContainerStatuses=[{"name": "i", "state": {"terminated": {"reason": "Error", "exitCode": 3}}}]
        ),
        pod(
            "done",
            initContainerStatuses=[{"name": "i", "state": {"terminated": {"reason": "Completed", "exitCode": 0}}}],
            phase="Pending",
        ),
        pod(
            "nowhere",
            conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "2 taints"}],
        ),
        pod(
            "creating",
            phase="Pending",
            containerStatuses=[{"name": "a", "state": {"waiting": {"reason": "ContainerCreating"}}}],
        ),
        {**pod("other"), "metadata": {"name": "other", "labels": {"app": "y"}}},
    ]
    events = [
        {"involvedObject": {"kind": "Pod", "name": "creating"}, "reason": "Old", "message": "first"},
        {
            "involvedObject": {"kind": "Pod", "name": "creating"},
            "reason": "FailedCreatePodSandBox",
            "message": "no plugin",
        },
        {"involvedObject": {"kind": "DaemonSet", "name": "cni"}, "reason": "FailedCreate", "message": "forbidden"},
    ]
    assert why(item, pods, events).splitlines() == [
        "  last warning: FailedCreate: forbidden",
        "  pod image on w1: container a: ImagePullBackOff: no host",
        "  pod crash on w1: container i: Error: exit code 3",
        "  pod done on w1: phase Pending",
        "  pod nowhere on w1: Unschedulable: 2 taints",
        "  pod creating on w1: phase Pending (last warning: FailedCreatePodSandBox: no plugin)",
    ]


READY = {"conditions": [{"type": "Ready", "status": "True"}]}
SELECTOR = {"selector": {"matchLabels": {"app": "x"}}}


def pod_on(node: str, *, ready: bool) -> dict[str, Any]:
    return {**pod(f"pod-{node}"), "spec": {"nodeName": node} if node else {}, "status": READY if ready else {}}


@pytest.mark.parametrize(
    ("nodes", "elsewhere"),
    [
        ([], []),
        (["w1", "w2", "w3"], []),
        (["w1"], ["w2"]),
        (["w1", "w2"], []),
        (["w3"], ["w2"]),
    ],
)
def test_nodes_that_nobody_waits_for(nodes: list[str], elsewhere: list[str]) -> None:
    pods = [
        pod_on("w1", ready=True),
        pod_on("w2", ready=False),
        pod_on("w3", ready=True),
        pod_on("", ready=False),
        {**pod_on("w4", ready=False), "metadata": {"name": "other", "labels": {"app": "y"}}},
    ]
    item = thing("DaemonSet", "cni", "apps/v1", spec=SELECTOR)
    assert pods_elsewhere(item, pods, nodes) == elsewhere


@pytest.mark.parametrize(
    ("kind", "status", "excused", "fault", "waits"),
    [
        ("DaemonSet", {"updatedNumberScheduled": 3, "numberAvailable": 2}, 0, "has 2 of 3 pods ready", False),
        ("DaemonSet", {"updatedNumberScheduled": 3, "numberAvailable": 2}, 1, "", True),
        ("DaemonSet", {"updatedNumberScheduled": 3, "numberAvailable": 1}, 1, "has 1 of 3 pods ready", False),
        ("DaemonSet", {"updatedNumberScheduled": 1, "numberAvailable": 2}, 1, "has 1 of 3 pods updated", True),
        ("Deployment", {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 2}, 1, "", True),
        (
            "Deployment",
            {"replicas": 4, "updatedReplicas": 3, "availableReplicas": 3},
            0,
            "has 1 old pods to end",
            False,
        ),
        ("Deployment", {"replicas": 4, "updatedReplicas": 3, "availableReplicas": 3}, 1, "", True),
        ("StatefulSet", {"replicas": 3, "updatedReplicas": 2, "readyReplicas": 2}, 1, "", True),
        ("ConfigMap", {}, 0, "", False),
    ],
)
def test_pods_that_are_excused(kind: str, status: dict[str, Any], excused: int, fault: str, waits: bool) -> None:
    counts = {"observedGeneration": 1, "desiredNumberScheduled": 3, **status}
    item = thing(kind, "x", "apps/v1", metadata={"generation": 1}, spec={"replicas": 3, **SELECTOR}, status=counts)
    assert unready_workload(item, excused) == fault
    assert (kind != "ConfigMap" and held_up(item, excused)) is waits
