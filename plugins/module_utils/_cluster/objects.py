# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes and pods as kubectl get prints them, reduced to what tells whether a cluster works."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, Iterable, List, Optional, Tuple

ROLE_LABEL = "node-role.kubernetes.io/"
# kubeadm gave control planes this role too until 1.24.
OLD_CONTROL_PLANE_ROLE = "master"
# Effects of a taint that keeps pods without a toleration away.
REPELLING_EFFECTS = ("NoSchedule", "NoExecute")
# Taints that only say again that a node is cordoned or not ready.
IMPLIED_TAINTS = (
    "node.kubernetes.io/unschedulable",
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
)


@dataclass(frozen=True)
class Node:
    """One node."""

    name: str
    ready: bool
    trouble: str
    takes_pods: bool
    repels_pods: str
    roles: Tuple[str, ...]
    version: str
    runtime: str
    os_image: str
    internal_ips: Tuple[str, ...]

    @property
    def address(self) -> str:
        """The first internal address, empty where the node has none."""
        return self.internal_ips[0] if self.internal_ips else ""


@dataclass(frozen=True)
class Pod:
    """One pod; trouble says why it is not healthy and is empty where it is."""

    name: str
    namespace: str
    node: str
    ip: str
    phase: str
    ready: bool
    trouble: str
    replaced: bool
    leaving: bool


def items(document: Optional[Dict[str, Any]], kind: str = "") -> List[Dict[str, Any]]:
    """The objects of a list that kubectl printed, of one kind if it is given."""
    return [item for item in (document or {}).get("items") or [] if not kind or item.get("kind") == kind]


def listed(names: Iterable[str], limit: int = 10) -> str:
    """Names in one line, with only a number for those past the limit."""
    every = list(names)
    rest = f" and {len(every) - limit} more" if len(every) > limit else ""
    return ", ".join(every[:limit]) + rest


def one_line(text: str, limit: int = 300) -> str:
    """A message of any number of lines in one line of bounded length."""
    short = " ".join(text.split())
    return short if len(short) <= limit else short[: limit - 3] + "..."


def parse_time(text: Optional[str]) -> Optional[datetime]:
    """A time of the API (metav1.Time or MicroTime), None where there is none."""
    if not text:
        return None
    form = "%Y-%m-%dT%H:%M:%S.%fZ" if "." in text else "%Y-%m-%dT%H:%M:%SZ"
    return datetime.strptime(text, form).replace(tzinfo=timezone.utc)


def condition(item: Dict[str, Any], name: str) -> Dict[str, Any]:
    """One of an object's conditions, empty where it has none of that name."""
    for found in (item.get("status") or {}).get("conditions") or []:
        if found.get("type") == name:
            return dict(found)
    return {}


def is_true(item: Dict[str, Any], name: str) -> bool:
    """Whether one of an object's conditions is True."""
    return condition(item, name).get("status") == "True"


def parse_node(item: Dict[str, Any]) -> Node:
    """One node of kubectl's JSON."""
    spec, status = item.get("spec") or {}, item.get("status") or {}
    labels = item["metadata"].get("labels") or {}
    info = status.get("nodeInfo") or {}
    roles = {label[len(ROLE_LABEL) :] for label in labels if label.startswith(ROLE_LABEL)} - {""}
    if OLD_CONTROL_PLANE_ROLE in roles:
        roles = roles - {OLD_CONTROL_PLANE_ROLE} | {"control-plane"}
    ready = condition(item, "Ready")
    state = "NotReady" if ready else "the kubelet has not reported yet"
    why = one_line(": ".join(text for text in (ready.get("reason"), ready.get("message")) if text))
    linux = labels.get("kubernetes.io/os", info.get("operatingSystem", "linux")) == "linux"
    taints = [taint["key"] for taint in spec.get("taints") or [] if taint.get("effect") in REPELLING_EFFECTS]
    # A cordon, and a kubelet that is away, come as taints too.
    reasons = ["" if is_true(item, "Ready") else "not ready", "cordoned" if spec.get("unschedulable") else ""]
    reasons += [f"tainted {key}" for key in taints if key not in IMPLIED_TAINTS] + ["" if linux else "not Linux"]
    repels = ", ".join(filter(None, reasons)) or (f"tainted {listed(taints)}" if taints else "")
    return Node(
        name=item["metadata"]["name"],
        ready=is_true(item, "Ready"),
        trouble="" if is_true(item, "Ready") else f"{state} ({why})" if why else state,
        takes_pods=not repels,
        repels_pods=repels,
        roles=tuple(sorted(roles)),
        version=info.get("kubeletVersion", ""),
        runtime=info.get("containerRuntimeVersion", ""),
        os_image=info.get("osImage", ""),
        internal_ips=tuple(a["address"] for a in status.get("addresses") or [] if a.get("type") == "InternalIP"),
    )


def parse_nodes(document: Optional[Dict[str, Any]]) -> List[Node]:
    """The nodes of kubectl get nodes, by name."""
    return sorted((parse_node(item) for item in items(document)), key=lambda node: node.name)


def _container_trouble(state: Dict[str, Any]) -> str:
    """Why a container does not run, from its state."""
    waiting, ended = state.get("waiting"), state.get("terminated")
    if waiting:
        message = waiting.get("message") or ""
        return waiting.get("reason", "waiting") + (f": {message}" if message else "")
    if ended:
        return f"{ended.get('reason') or 'ended'}, exit code {ended.get('exitCode')}"
    return ""


def pod_trouble(item: Dict[str, Any]) -> str:
    """Why a pod is not healthy, in one line; empty where it runs and is ready, or has completed."""
    status = item.get("status") or {}
    phase = status.get("phase", "Unknown")
    if phase == "Succeeded" or (phase == "Running" and is_true(item, "Ready")):
        return ""
    reasons: List[str] = [text for text in (status.get("reason"), status.get("message")) if text]
    scheduled = condition(item, "PodScheduled")
    if scheduled.get("status") == "False":
        reasons.append(scheduled.get("message") or scheduled.get("reason") or "not scheduled")
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        state = container.get("state") or {}
        trouble = _container_trouble(state)
        completed = (state.get("terminated") or {}).get("exitCode") == 0
        if trouble and not completed and state.get("waiting", {}).get("reason") != "PodInitializing":
            reasons.append(f"container {container['name']}: {trouble}")
    if not reasons and condition(item, "Ready").get("message"):
        reasons.append(condition(item, "Ready")["message"])
    what = "not ready" if phase == "Running" else phase
    return one_line(f"{what} ({'; '.join(reasons)})" if reasons else what)


def parse_pod(item: Dict[str, Any]) -> Pod:
    """One pod of kubectl's JSON."""
    metadata, status = item["metadata"], item.get("status") or {}
    owners = [owner["kind"] for owner in metadata.get("ownerReferences") or [] if owner.get("controller")]
    leaving = bool(metadata.get("deletionTimestamp"))
    return Pod(
        name=metadata["name"],
        namespace=metadata.get("namespace", ""),
        node=(item.get("spec") or {}).get("nodeName", ""),
        ip=status.get("podIP", ""),
        phase=status.get("phase", "Unknown"),
        ready=is_true(item, "Ready") and not leaving,
        trouble=pod_trouble(item),
        replaced=any(kind != "Node" for kind in owners),
        leaving=leaving,
    )


def parse_pods(document: Optional[Dict[str, Any]]) -> List[Pod]:
    """The pods of a list of pods or of several kinds, by name."""
    pods = [parse_pod(item) for item in items(document) if item.get("kind", "Pod") == "Pod"]
    return sorted(pods, key=lambda pod: (pod.namespace, pod.name))


def recent_restarts(item: Dict[str, Any], now: datetime, window: timedelta) -> List[str]:
    """What to say about each container of a pod that was restarted within the window before now."""
    restarts = []
    for container in (item.get("status") or {}).get("containerStatuses") or []:
        ended = (container.get("lastState") or {}).get("terminated") or {}
        when = parse_time(ended.get("finishedAt"))
        if container.get("restartCount", 0) and when and when >= now - window:
            minutes = max(0, int((now - when).total_seconds() // 60))
            restarts.append(
                f"pod {item['metadata'].get('namespace', '')}/{item['metadata']['name']}: container"
                f" {container['name']} ended {minutes} min ago ({_container_trouble({'terminated': ended})})"
                f" and was restarted, {container['restartCount']} times in all"
            )
    return restarts


def columns(rows: List[List[str]]) -> List[str]:
    """Rows as aligned lines."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def summary(endpoint: str, version: str, nodes: List[Node], pods: Dict[str, int]) -> str:
    """What a cluster consists of, as text for people.

    Args:
        endpoint: the API server's URL.
        version: the API server's version.
        nodes: the cluster's nodes.
        pods: how many pods are in which phase.
    """
    rows = [["NODE", "ROLES", "STATUS", "VERSION", "ADDRESS", "RUNTIME", "SYSTEM"]]
    for node in nodes:
        status = "Ready" if node.ready else "NotReady"
        roles = ",".join(node.roles) or "worker"
        rows.append([node.name, roles, status, node.version, node.address, node.runtime, node.os_image])
    ready = len([node for node in nodes if node.ready])
    phases = ", ".join(f"{number} {phase}" for phase, number in sorted(pods.items())) or "none"
    lines = [f"Kubernetes {version} at {endpoint}", f"Nodes: {ready} of {len(nodes)} ready", f"Pods: {phases}"]
    why = [f"Not ready: {node.name}: {node.trouble}" for node in nodes if not node.ready]
    return "\n".join([*lines, "", *columns(rows), *([""] if why else []), *why])
