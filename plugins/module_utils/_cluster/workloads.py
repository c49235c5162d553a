# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether Deployments, DaemonSets and StatefulSets are ready, on which nodes they are not, and why."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Sequence, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import Kubectl, KubectlError

Object = Dict[str, Any]

# Where each kind's status counts all pods, those that are updated, and those that are ready.
WORKLOADS = {
    "Deployment": ("replicas", "updatedReplicas", "availableReplicas"),
    "DaemonSet": ("currentNumberScheduled", "updatedNumberScheduled", "numberAvailable"),
    "StatefulSet": ("replicas", "updatedReplicas", "readyReplicas"),
}


def is_workload(item: Object) -> bool:
    """Whether an object is one of these kinds."""
    return item["kind"] in WORKLOADS and item["apiVersion"].startswith("apps/")


def name_of(item: Object) -> str:
    """A workload as a person names it."""
    return f"{item['kind']} {item['metadata'].get('namespace', '')}/{item['metadata']['name']}"


def unready_workload(item: Object, excused: int = 0) -> str:
    """What a workload still lacks; empty when it is ready, and for other kinds.

    Args:
        item: the object with its status.
        excused: how many of its pods need not be ready.
    """
    if not is_workload(item):
        return ""
    spec, status, kind = item["spec"], item.get("status") or {}, item["kind"]
    if status.get("observedGeneration", 0) < item["metadata"].get("generation", 0):
        return "is not seen by its controller yet"
    wanted = status.get("desiredNumberScheduled", 0) if kind == "DaemonSet" else spec.get("replicas", 1)
    every, updated, ready = (status.get(key, 0) for key in WORKLOADS[kind])
    on_delete = (spec.get("updateStrategy") or {}).get("type") == "OnDelete"
    if updated + excused < wanted and not on_delete:
        return f"has {updated} of {wanted} pods updated"
    if kind == "Deployment" and every - excused > updated:
        return f"has {every - updated} old pods to end"
    return f"has {ready} of {wanted} pods ready" if ready + excused < wanted else ""


def held_up(item: Object, excused: int) -> bool:
    """Whether only excused pods are not ready, so that a rollout which has not ended can only wait for them.

    A DaemonSet replaces so many pods at a time; those of a node that is off can take all the room.
    """
    status, kind = item.get("status") or {}, item["kind"]
    if status.get("observedGeneration", 0) < item["metadata"].get("generation", 0):
        return False
    wanted = status.get("desiredNumberScheduled", 0) if kind == "DaemonSet" else item["spec"].get("replicas", 1)
    return excused > 0 and int(status.get(WORKLOADS[kind][2], 0)) + excused >= int(wanted)


def selects(workload: Object, pod: Object) -> bool:
    """Whether a pod belongs to a workload, by the labels that the workload selects."""
    labels = pod["metadata"].get("labels") or {}
    wanted = (workload["spec"].get("selector") or {}).get("matchLabels") or {}
    return bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())


def pod_fault(pod: Object) -> str:
    """Why a pod is not ready, as its conditions and containers say; empty when it is ready."""
    status = pod.get("status") or {}
    conditions = {one["type"]: one for one in status.get("conditions") or []}
    if conditions.get("Ready", {}).get("status") == "True":
        return ""
    reasons: List[str] = []
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        reasons.append(f"{scheduled.get('reason', 'not scheduled')}: {scheduled.get('message', '')}")
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        for state in ("waiting", "terminated"):
            detail = (container.get("state") or {}).get(state) or {}
            ended_well = state == "terminated" and detail.get("exitCode") == 0
            if detail and not ended_well and detail.get("reason") not in ("PodInitializing", "ContainerCreating"):
                message = detail.get("message") or f"exit code {detail.get('exitCode', 'unknown')}"
                reasons.append(f"container {container['name']}: {detail.get('reason', state)}: {message}")
    return "; ".join(reasons) or f"phase {status.get('phase', 'unknown')}"


def pods_elsewhere(workload: Object, pods: Iterable[Object], nodes: Sequence[str]) -> List[str]:
    """The other nodes on which a workload has pods that are not ready; none where no nodes are given."""
    if not nodes:
        return []
    places = [pod["spec"].get("nodeName", "") for pod in pods if selects(workload, pod) and pod_fault(pod)]
    return sorted(place for place in places if place and place not in nodes)


def why(workload: Object, pods: Iterable[Object], events: Iterable[Object]) -> str:
    """What the pods of a workload say about its not being ready, and their last warnings."""
    warnings: Dict[Tuple[str, str], str] = {}
    for one in events:
        about = one.get("involvedObject") or {}
        warnings[about.get("kind", ""), about.get("name", "")] = (
            f"{one.get('reason', '')}: {one.get('message', '')}".strip()
        )
    lines: List[str] = []
    own = warnings.get((workload["kind"], workload["metadata"]["name"]))
    if own:
        lines.append(f"  last warning: {own}")
    for pod in pods:
        fault = pod_fault(pod) if selects(workload, pod) else ""
        if fault:
            name, node = pod["metadata"]["name"], pod["spec"].get("nodeName")
            warning = warnings.get(("Pod", name))
            place = f" on {node}" if node else ""
            event = f" (last warning: {warning})" if warning else ""
            lines.append(f"  pod {name}{place}: {fault}{event}")
    return "\n".join(lines)


def lacking(kubectl: Kubectl, item: Object, nodes: Sequence[str]) -> Tuple[str, List[str]]:
    """What a workload still lacks on some nodes, and the node of each pod elsewhere that is not ready.

    Args:
        kubectl: asks for the pods, where that matters.
        item: the workload with its status.
        nodes: the nodes that count; all of them where none is named.
    """
    fault = unready_workload(item)
    if not fault or not nodes or not is_workload(item):
        return fault, []
    pods = kubectl.get("pods", f"--namespace={item['metadata'].get('namespace', '')}")["items"]
    elsewhere = pods_elsewhere(item, pods, nodes)
    return unready_workload(item, len(elsewhere)), elsewhere


def explain(kubectl: Kubectl, item: Object, fault: str) -> str:
    """What a workload lacks, with what its pods and events say about it."""
    line = f"{name_of(item)} {fault}"
    scope = f"--namespace={item['metadata'].get('namespace', '')}"
    try:
        pods = kubectl.get("pods", scope)["items"]
        events = kubectl.get("events", scope, "--field-selector=type=Warning", "--sort-by=.metadata.creationTimestamp")[
            "items"
        ]
    except KubectlError as error:
        return f"{line} (its pods can't be read: {error})"
    return "\n".join(filter(None, [line, why(item, pods, events)]))
