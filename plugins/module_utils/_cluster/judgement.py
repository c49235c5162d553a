# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of a cluster conclude from what the cluster answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Dict, List, Optional, Set, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.objects import (
    Node,
    Pod,
    items,
    listed,
    one_line,
    parse_pods,
    recent_restarts,
)

# Where kubeadm's static pod says the address of its API server.
API_SERVER_ANNOTATION = "kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint"
PROXY_METRICS_PORT = 10249

# How many faults a verdict names: enough to find the cause, which is often the same everywhere.
MOST_FAULTS = 5


@dataclass(frozen=True)
class Verdict:
    """What a check concluded."""

    passed: bool
    detail: str
    skipped: bool = False
    warnings: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Lease:
    """Who leads a component of the control plane, and when it last renewed its lease."""

    holder: str
    renewed: str
    seconds: int


def skipped(reason: str) -> Verdict:
    """The verdict on what was not checked."""
    return Verdict(passed=False, detail=reason, skipped=True)


def first_faults(faults: Dict[str, str]) -> str:
    """What is wrong with whom; of many, the first few and how many more."""
    lines = [f"{name}: {faults[name]}" for name in sorted(faults)]
    rest = [f"and {len(lines) - MOST_FAULTS} more"] if len(lines) > MOST_FAULTS else []
    return "; ".join([*lines[:MOST_FAULTS], *rest])


# The control plane


def api_servers(pods: Optional[Dict[str, Any]]) -> Dict[str, str]:
    """The address (host:port) of each API server that kubeadm runs, by the name of its pod."""
    found = {}
    for item in items(pods):
        address = (item["metadata"].get("annotations") or {}).get(API_SERVER_ANNOTATION)
        if address:
            found[item["metadata"]["name"]] = address
    return found


def without_api_server(nodes: List[Node], pods: Optional[Dict[str, Any]]) -> Dict[str, str]:
    """What is wrong with nodes of the control plane on which no API server runs, where kubeadm runs them."""
    found = {item["metadata"]["name"] for item in items(pods)}
    planes = [node.name for node in nodes if {"control-plane", "master"} & set(node.roles)]
    lacking = [f"kube-apiserver-{name}" for name in planes if f"kube-apiserver-{name}" not in found]
    return dict.fromkeys(lacking, "it does not run, though its node is of the control plane") if found else {}


def failed_parts(text: str) -> List[str]:
    """The parts that /readyz?verbose says have failed; kubectl quotes the text where the whole is not ready."""
    return [one_line(part) for part in re.findall(r"\[-\]([^\n]+)", text.replace("\\n", "\n"))]


def judge_replies(replies: Dict[str, str], good: str) -> Verdict:
    """Whether each API server gave its consent: replies are errors by server, empty where it did."""
    errors = {server: text for server, text in replies.items() if text}
    if not errors:
        return Verdict(True, f"{good}: {listed(sorted(replies))}")
    return Verdict(False, first_faults(errors))


def parse_lease(document: Optional[Dict[str, Any]]) -> Optional[Lease]:
    """A lease of kubectl's JSON; None where there is none."""
    if document is None:
        return None
    spec = document.get("spec") or {}
    # The holder is HOST_UUID.
    holder = re.sub(r"_[0-9a-f-]{36}$", "", spec.get("holderIdentity") or "")
    return Lease(holder, spec.get("renewTime") or "", int(spec.get("leaseDurationSeconds") or 15))


def judge_lease(first: Optional[Lease], last: Optional[Lease], waited: float) -> Verdict:
    """Whether a lease is held and was renewed between two looks at it."""
    if first is None or last is None:
        return Verdict(False, "there is no lease in kube-system: the component has never led here")
    if not last.holder:
        return Verdict(False, "nobody holds the lease")
    if last.renewed == first.renewed:
        return Verdict(False, f"held by {last.holder}, which has not renewed it for {waited:.0f} s ({last.renewed})")
    return Verdict(True, f"led by {last.holder}")


def parse_proxy_configuration(document: Optional[Dict[str, Any]]) -> Tuple[str, int]:
    """The mode (empty: the default one) and the metrics port in the ConfigMap that kubeadm writes for kube-proxy."""
    text = ((document or {}).get("data") or {}).get("config.conf", "")
    mode = re.search(r"^mode:[ \t]*[\"']?(\w*)", text, re.MULTILINE)
    port = re.search(r"^metricsBindAddress:.*?:(\d+)[\"']?[ \t]*$", text, re.MULTILINE)
    return (mode.group(1) if mode else "", int(port.group(1)) if port else PROXY_METRICS_PORT)


def judge_proxy_modes(wanted: str, modes: Dict[str, str], errors: Dict[str, str]) -> Verdict:
    """Whether kube-proxy runs in the mode that is configured, on every node that was asked.

    Args:
        wanted: the configured mode, empty for kube-proxy's default.
        modes: what kube-proxy answered, by node.
        errors: why there was no answer, by node.
    """
    faults = dict(errors)
    found = sorted(set(modes.values()))
    if wanted:
        faults.update({node: f"{mode} in place of {wanted}" for node, mode in modes.items() if mode != wanted})
    elif len(found) > 1:
        faults.update(
            {node: f"{mode}, and others {listed(sorted(set(found) - {mode}))}" for node, mode in modes.items()}
        )
    if faults:
        return Verdict(False, first_faults(faults))
    return Verdict(True, f"mode {listed(found)} on {listed(sorted(modes))}")


# Nodes and the system's pods


def judge_nodes(nodes: List[Node], expected: List[str]) -> Verdict:
    """Whether every node is ready and none of the expected ones is missing."""
    names = [node.name for node in nodes]
    faults = [f"{name}: not in the cluster" for name in sorted(set(expected) - set(names))]
    faults += [f"{node.name}: {node.trouble}" for node in nodes if not node.ready]
    if not nodes:
        faults.append("the cluster has no node")
    if faults:
        return Verdict(False, "; ".join(faults))
    more = sorted(set(names) - set(expected)) if expected else []
    note = f"; not in the list of expected nodes: {listed(more)}" if more else ""
    return Verdict(True, f"{len(nodes)} ready: {listed(names)}{note}")


def _controller_trouble(item: Dict[str, Any]) -> str:
    """What a DaemonSet or Deployment still lacks."""
    status = item.get("status") or {}
    if item["kind"] == "DaemonSet":
        wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
    else:
        wanted, ready = (item.get("spec") or {}).get("replicas", 1), status.get("availableReplicas", 0)
    return f"{ready} of {wanted} pods ready" if ready < wanted else ""


def judge_system(document: Optional[Dict[str, Any]], now: datetime, window: timedelta) -> Verdict:
    """Whether the system's pods are healthy and its DaemonSets and Deployments complete.

    A failed pod that its controller replaces (an evicted one, one from before a reboot) only warns:
    the controller is judged for it.
    """
    pods = [pod for pod in parse_pods(document) if not pod.leaving]
    faults: List[str] = []
    warnings: List[str] = []
    for pod in pods:
        if not pod.trouble:
            continue
        where = f"pod {pod.namespace}/{pod.name}" + (f" on {pod.node}" if pod.node else "")
        (warnings if pod.phase == "Failed" and pod.replaced else faults).append(f"{where}: {pod.trouble}")
    for item in items(document):
        if item.get("kind") in ("DaemonSet", "Deployment") and _controller_trouble(item):
            name = f"{item['kind']} {item['metadata'].get('namespace', '')}/{item['metadata']['name']}"
            faults.append(f"{name}: {_controller_trouble(item)}")
        elif item.get("kind") == "Pod":
            warnings += recent_restarts(item, now, window)
    if not pods:
        faults.append("there are no pods in the system's namespaces")
    note = f"; {len(warnings)} warnings" if warnings else ""
    detail = "; ".join(faults) or f"{len(pods)} pods are healthy{note}"
    return Verdict(not faults, detail, warnings=tuple(warnings))


# The workload


def available_replicas(document: Optional[Dict[str, Any]]) -> int:
    """How many pods the Deployment among the objects says are available."""
    return sum((item.get("status") or {}).get("availableReplicas") or 0 for item in items(document, "Deployment"))


def judge_deployment(
    document: Optional[Dict[str, Any]], events: Optional[Dict[str, Any]], wanted: int, waited: float
) -> Verdict:
    """Whether the Deployment is available; where it is not, why: its conditions, its pods and its events.

    Args:
        document: the Deployment and its pods, in one list of kubectl's JSON.
        events: the events of their namespace.
        wanted: how many pods there should be.
        waited: for how many seconds they were waited for.
    """
    available = available_replicas(document)
    if available >= wanted:
        return Verdict(True, f"{available} pods available after {waited:.0f} s")
    reasons = [f"{available} of {wanted} pods available after {waited:.0f} s"]
    pods = parse_pods(document)
    reasons += [f"pod {pod.name}{f' on {pod.node}' if pod.node else ''}: {pod.trouble}" for pod in pods if pod.trouble]
    for item in items(document, "Deployment"):
        for state in (item.get("status") or {}).get("conditions") or []:
            if state.get("type") == "ReplicaFailure" and state.get("status") == "True":
                reasons.append(one_line(state.get("message", "")))
    reasons += warning_events(events)
    return Verdict(False, "; ".join(reasons))


def warning_events(document: Optional[Dict[str, Any]], limit: int = 5) -> List[str]:
    """The last different warnings among events, newest first."""
    warnings = [item for item in items(document) if item.get("type") == "Warning"]
    warnings.sort(
        key=lambda item: item.get("lastTimestamp") or item.get("eventTime") or item["metadata"]["creationTimestamp"],
        reverse=True,
    )
    lines: List[str] = []
    for item in warnings:
        about = item.get("involvedObject") or {}
        kind = str(about.get("kind", "object")).lower()
        line = f"{item.get('reason')} of {kind} {about.get('name')}: {one_line(item.get('message') or '', 200)}"
        if line not in lines:
            lines.append(line)
    return [f"event {line}" for line in lines[:limit]]


def judge_spread(pods: List[Pod], nodes: List[Node]) -> Verdict:
    """Whether a ready pod runs on every node that takes pods."""
    wanted = [node.name for node in nodes if node.takes_pods]
    missing = sorted(set(wanted) - {pod.node for pod in pods if pod.ready})
    if missing:
        return Verdict(False, f"no ready pod on {listed(missing)}")
    without = [node.name for node in nodes if not node.takes_pods]
    note = f"; not meant for pods: {listed(without)}" if without else ""
    return Verdict(True, f"a pod on each of {listed(wanted)}{note}")


def judge_answers(good: str, faults: Dict[str, str], asked: List[str], every: int) -> Verdict:
    """What to say about one question that was put to several nodes or pods.

    Args:
        good: what it means that none has a fault.
        faults: what went wrong, by whom it was asked.
        asked: all who were asked.
        every: how many could have been asked.
    """
    if faults:
        return Verdict(False, first_faults(faults))
    note = f" ({len(asked)} of {every})" if len(asked) < every else ""
    return Verdict(True, f"{good} {listed(asked)}{note}")


def _pods_identified(seen: Dict[str, Set[str]], pods: List[Pod]) -> bool:
    """Whether the answers tell which pods gave them: with the usual image their bodies are the pods' names."""
    names = {pod.name for pod in pods}
    return any(names & bodies for bodies in seen.values())


def unseen(node: Node, seen: Dict[str, Set[str]], pods: List[Pod]) -> str:
    """What a node's port lacks: an answer of a pod on another node; empty where nothing is missing.

    Args:
        node: the node that was asked.
        seen: the bodies of the answers, by node's name.
        pods: the pods that could answer.
    """
    others = {pod.name for pod in pods if pod.node != node.name}
    if others and _pods_identified(seen, pods) and not others & seen[node.name]:
        return "no pod on another node has answered"
    return ""


def judge_node_port(
    port: int, nodes: List[Node], faults: Dict[Node, str], seen: Dict[str, Set[str]], pods: List[Pod]
) -> Verdict:
    """Whether the service answers on every node, and through each one pods on other nodes do.

    Args:
        port: the service's port on the nodes.
        nodes: the nodes that were asked.
        faults: what went wrong, by node.
        seen: the bodies of the answers, by node's name.
        pods: the pods that could answer.
    """
    named = {f"{node.name} ({node.address}:{port})": fault for node, fault in faults.items()}
    note = "" if _pods_identified(seen, pods) else " (the answers do not tell which pods gave them)"
    return judge_answers(f"port {port} answers{note} on", named, [node.name for node in nodes], len(nodes))
