"""Pods, nodes and budgets as the API has them, for the tests of drains."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]


def pod(name: str, node: str = "w1", **more: Any) -> Object:
    """A pod of a Deployment of the same name that is ready; owner="" makes it a bare one."""
    owner = more.pop("owner", "ReplicaSet")
    labels = more.pop("labels", {"app": name.partition("-")[0]})
    ready, phase = more.pop("ready", True), more.pop("phase", "Running")
    owners = [{"kind": owner, "name": f"{name.partition('-')[0]}-5d5b", "controller": True}] if owner else []
    metadata = {
        "namespace": "default",
        "name": name,
        "uid": f"uid-{name}",
        "labels": {**labels, "pod-template-hash": "5d5b"},
        "ownerReferences": owners,
        **more.pop("metadata", {}),
    }
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    spec = {"nodeName": node, "containers": [{"name": "it", **more.pop("container", {})}], **more}
    return {"metadata": metadata, "spec": spec, "status": {"phase": phase, "conditions": conditions}}


def node(name: str, ready: str = "True", **more: Any) -> Object:
    """A node with room for ten pods."""
    allocatable = {"cpu": "4", "memory": "8Gi", "pods": "10", **more.pop("allocatable", {})}
    metadata = {"name": name, "resourceVersion": "7", "labels": {"host": name, **more.pop("labels", {})}}
    metadata["annotations"] = more.pop("annotations", {})
    condition = {"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:00Z"}
    return {"metadata": metadata, "spec": more, "status": {"allocatable": allocatable, "conditions": [condition]}}


def budget(name: str, app: str, counts: tuple[int, int, int, int], **more: Any) -> Object:
    """A budget whose controller has counted how many may go, are healthy, are needed, and are there."""
    allowed, healthy, desired, expected = counts
    return {
        "apiVersion": "policy/v1",
        "metadata": {"namespace": "default", "name": name, "generation": 1},
        "spec": {"selector": {"matchLabels": {"app": app}}, **more},
        "status": {
            "observedGeneration": 1,
            "disruptionsAllowed": allowed,
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": expected,
        },
    }
