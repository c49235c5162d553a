# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods of nodes that are drained: which of them go, which stay, and which nobody may take without being told so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.objects import parse_time
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.room import ENDED, tolerates

Object = Dict[str, Any]

MIRROR = "kubernetes.io/config.mirror"
CORDON_TAINT = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
DEFAULT_GRACE = 30
EVICT, DELETE, WAIT, IGNORE, REFUSE = "evict", "delete", "wait", "ignore", "refuse"


@dataclass(frozen=True)
class Allowed:
    """What a drain may do beyond moving pods that start again elsewhere, and how long it may take."""

    bare_pods: bool = False
    emptydir: bool = False
    past_budgets: bool = False
    grace_period: Optional[int] = None
    timeout: int = 900


@dataclass(frozen=True)
class PodStep:
    """What happens to one pod, and why."""

    namespace: str
    name: str
    uid: str
    node: str
    owner: str
    action: str
    reason: str = ""

    @property
    def label(self) -> str:
        """As kubectl's users write it."""
        return f"{self.namespace}/{self.name}"


def name_of(pod: Object) -> str:
    """Namespace and name of a pod."""
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def controller(pod: Object) -> Object:
    """The owner that makes a pod again; empty where there is none."""
    owners = pod["metadata"].get("ownerReferences") or []
    return dict(next((owner for owner in owners if owner.get("controller")), {}))


def owner_of(pod: Object) -> str:
    """The workload behind a pod as a person knows it; empty for a bare pod."""
    owner, namespace = controller(pod), pod["metadata"]["namespace"]
    if not owner:
        return ""
    mark = (pod["metadata"].get("labels") or {}).get("pod-template-hash")
    if owner["kind"] == "ReplicaSet" and mark and owner["name"].endswith(f"-{mark}"):
        return f"Deployment {namespace}/{owner['name'][: -len(mark) - 1]}"
    return f"{owner['kind']} {namespace}/{owner['name']}"


def is_ready(pod: Object) -> bool:
    """Whether a pod counts as healthy for a budget."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def grace(pod: Object, allowed: Allowed) -> int:
    """The seconds that a pod gets to end."""
    own = pod["spec"].get("terminationGracePeriodSeconds")
    own = DEFAULT_GRACE if own is None else int(own)
    return own if allowed.grace_period is None else min(own, allowed.grace_period)


def terminating(pod: Object) -> str:
    """Since when a pod is being ended, and what else holds it; empty where it is not."""
    metadata = pod["metadata"]
    ends = parse_time(metadata.get("deletionTimestamp"))
    if ends is None:
        return ""
    seconds = int(metadata.get("deletionGracePeriodSeconds") or 0)
    held = ", ".join(metadata.get("finalizers") or [])
    text = f"terminating, with {seconds} s to end by {ends:%Y-%m-%dT%H:%M:%SZ}"
    return text + (f", held by finalizers {held}" if held else "")


def stays(pod: Object) -> str:
    """Why a pod stays on a node that is drained; empty where it does not."""
    if MIRROR in (pod["metadata"].get("annotations") or {}):
        return "a static pod of the kubelet"
    if controller(pod).get("kind") == "DaemonSet":
        return f"of {owner_of(pod)}"
    phase = (pod.get("status") or {}).get("phase")
    return f"has ended ({phase})" if phase in ENDED else ""


def faults(pod: Object, allowed: Allowed) -> List[str]:
    """What forbids to take a pod off its node, however long one waits, and what to do about it."""
    found: List[str] = []
    if not controller(pod) and not allowed.bare_pods:
        found.append("no controller would start it again: remove it, or set allow_bare_pods to lose it")
    volumes = [one["name"] for one in pod["spec"].get("volumes") or [] if one.get("emptyDir") is not None]
    if volumes and not allowed.emptydir:
        found.append(f"its data in emptyDir would be lost (volume {', '.join(volumes)}): set allow_emptydir to lose it")
    if grace(pod, allowed) > allowed.timeout:
        found.append(
            f"it may take {grace(pod, allowed)} s to end (terminationGracePeriodSeconds), and timeout is "
            f"{allowed.timeout} s: raise timeout, or set grace_period to give it less"
        )
    return found


def returns(pod: Object) -> bool:
    """Whether a cordon does not keep the scheduler from starting a pod like this on the node again."""
    return tolerates(pod, CORDON_TAINT)


def step(pod: Object, allowed: Allowed) -> Tuple[PodStep, List[str]]:
    """What is to happen to a pod by itself, and what forbids that."""
    metadata = pod["metadata"]

    def of(action: str, reason: str = "") -> PodStep:
        place = pod["spec"].get("nodeName", "")
        return PodStep(metadata["namespace"], metadata["name"], metadata["uid"], place, owner_of(pod), action, reason)

    reason = stays(pod)
    if reason:
        return of(IGNORE, reason), []
    if metadata.get("deletionTimestamp"):
        return of(WAIT, terminating(pod)), []
    wrong = faults(pod, allowed)
    return of(REFUSE if wrong else EVICT, "; ".join(wrong)), wrong


def local_volumes(pod: Object, claims: Mapping[Tuple[str, str], str], volumes: Mapping[str, Object]) -> List[str]:
    """The claims of a pod whose data is on a node, so that it can run nowhere else.

    Args:
        pod: the pod.
        claims: the names of volumes, by namespace and name of the claim.
        volumes: persistent volumes by name.
    """
    found: List[str] = []
    for one in pod["spec"].get("volumes") or []:
        claim = (one.get("persistentVolumeClaim") or {}).get("claimName", "")
        spec = volumes.get(claims.get((pod["metadata"]["namespace"], claim), ""), {}).get("spec") or {}
        if spec.get("local") or spec.get("hostPath"):
            found.append(claim)
    return found


def host_paths(pod: Object) -> List[str]:
    """The folders of its node that a pod uses."""
    return [one["hostPath"]["path"] for one in pod["spec"].get("volumes") or [] if one.get("hostPath")]


def remaining_volumes(pods: Sequence[Object], claims: Mapping[Tuple[str, str], str]) -> List[str]:
    """The persistent volumes of pods that stay, which are not going to be detached."""
    return [
        claims.get((pod["metadata"]["namespace"], (one.get("persistentVolumeClaim") or {}).get("claimName", "")), "")
        for pod in pods
        if stays(pod) and (pod.get("status") or {}).get("phase") not in ENDED
        for one in pod["spec"].get("volumes") or []
    ]
