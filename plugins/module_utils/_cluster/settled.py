# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a node is back after work on it: its kubelet, its own pods, and the workloads whose pods had to move."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, NamedTuple, Sequence

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.node import summary
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.objects import condition, parse_time
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.workloads import (
    name_of,
    pod_fault,
    selects,
    unready_workload,
)

Object = Dict[str, Any]
ENDED = ("Succeeded", "Failed")


class Wanted(NamedTuple):
    """What a node is to report: its kubelet's version, and its container runtime's beginning; empty for any."""

    kubelet: str = ""
    runtime: str = ""


def _belongs_to_job(pod: Object) -> bool:
    return any(owner["kind"] == "Job" for owner in pod["metadata"].get("ownerReferences") or [])


def _after(text: Any, since: float) -> bool:
    """Whether a time of the API is later; the API gives whole seconds."""
    time = parse_time(text)
    return time is not None and time.timestamp() >= int(since)


def _older_container(pod: Object, since: float) -> str:
    """A container that ran before: what the API has of the pod is what the kubelet told before it was restarted."""
    for one in (pod.get("status") or {}).get("containerStatuses") or []:
        running = (one.get("state") or {}).get("running")
        if running is not None and not _after(running.get("startedAt"), since):
            return f"container {one['name']} has not been started again"
    return ""


def unready_pods(pods: Iterable[Object], since: float = 0) -> List[str]:
    """The pods that are not ready. Those that have ended, or are about to, and those of Jobs are not meant."""
    found = []
    for pod in pods:
        ended = (pod.get("status") or {}).get("phase") in ENDED or pod["metadata"].get("deletionTimestamp")
        fault = "" if ended or _belongs_to_job(pod) else pod_fault(pod) or _older_container(pod, since)
        if fault:
            found.append(f"pod {pod['metadata']['namespace']}/{pod['metadata']['name']}: {fault}")
    return found


def _works_here(workload: Object, pods: Iterable[Object]) -> bool:
    """Whether it is a DaemonSet with a ready pod among these; its pods on other nodes say nothing of this one."""
    return workload["kind"] == "DaemonSet" and any(
        pod["metadata"]["namespace"] == workload["metadata"]["namespace"]
        and selects(workload, pod)
        and not unready_pods([pod])
        and not pod["metadata"].get("deletionTimestamp")
        for pod in pods
    )


def pending(
    node: Object,
    wanted: Wanted,
    pods: Iterable[Object],
    workloads: Iterable[Object],
    excused: Sequence[str],
    *,
    since: float = 0,
) -> List[str]:
    """What is not as it should be yet.

    Args:
        node: with its status.
        wanted: what it is to report.
        pods: those on the node.
        workloads: Deployments, DaemonSets and StatefulSets of the cluster, whose pods may have been evicted from it.
        excused: names of workloads that nobody waits for.
        since: when the node was restarted, in seconds since 1970; what was reported before does not count.
    """
    shown = summary(node)
    found = [] if shown["ready"] else [f"node {shown['name']} is not ready: {shown['ready_message']}"]
    if since and not _after(condition(node, "Ready").get("lastHeartbeatTime"), since):
        found.append(f"the kubelet of node {shown['name']} has not reported since the restart")
    reported = shown["kubelet_version"].lstrip("v")
    if wanted.kubelet and reported != wanted.kubelet:
        found.append(f"the kubelet of node {shown['name']} reports {reported or 'no version'}, not {wanted.kubelet}")
    runs = shown["container_runtime"]
    if not runs.startswith(wanted.runtime):
        found.append(f"the kubelet of node {shown['name']} reports the runtime {runs or '-'}, not {wanted.runtime}")
    pods = list(pods)
    faults = {name_of(item): unready_workload(item) for item in workloads if not _works_here(item, pods)}
    found += [f"{name} {fault}" for name, fault in faults.items() if fault and name not in excused]
    return found + unready_pods(pods, since)
