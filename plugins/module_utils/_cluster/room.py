# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether other nodes have room for pods, by what the scheduler looks at first.

An estimate: requests, selectors, required node affinity and taints count; affinity between pods, their spread and the
zones of volumes do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Sequence, Set

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.objects import is_true
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.selectors import fulfils

Object = Dict[str, Any]

SUFFIXES = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip
ENDED = ("Succeeded", "Failed")
REPELLING = ("NoSchedule", "NoExecute")


def quantity(text: Any) -> float:
    """A quantity of the API as a number; 0 for what is none."""
    word = str(text)
    digits = word.rstrip("numkKMGTPEi")
    try:
        return float(digits) * SUFFIXES[word[len(digits) :]]
    except (KeyError, ValueError):
        pass
    try:
        return float(word)
    except ValueError:
        return 0.0


def _sum(every: Sequence[Mapping[str, float]]) -> Dict[str, float]:
    total: Dict[str, float] = {}
    for one in every:
        for key, value in one.items():
            total[key] = total.get(key, 0.0) + value
    return total


def requests(pod: Object) -> Dict[str, float]:
    """What a pod asks for, itself included as one of the pods that a node may have."""

    def of(container: Object) -> Dict[str, float]:
        found = (container.get("resources") or {}).get("requests") or {}
        return {key: quantity(value) for key, value in found.items()}

    spec = pod["spec"]
    initial = spec.get("initContainers") or []
    lasting = [of(one) for one in initial if one.get("restartPolicy") == "Always"]
    total = _sum([of(one) for one in spec.get("containers") or []] + lasting)
    for one in initial:
        for key, value in of(one).items():
            total[key] = max(total.get(key, 0.0), value)
    total.update(of(spec))
    overhead = {key: quantity(value) for key, value in (spec.get("overhead") or {}).items()}
    return {**_sum([total, overhead]), "pods": 1.0}


def tolerates(pod: Object, taint: Mapping[str, str]) -> bool:
    """Whether a pod bears a taint."""
    return any(
        one.get("effect") in (None, "", taint["effect"])
        and (
            (not one.get("key") or one["key"] == taint["key"])
            if one.get("operator") == "Exists"
            else one.get("key") == taint["key"] and (one.get("value") or "") == (taint.get("value") or "")
        )
        for one in pod["spec"].get("tolerations") or []
    )


def wanted_there(pod: Object, node: Object) -> bool:
    """Whether a pod's selector and required affinity name a node."""
    labels, spec = node["metadata"].get("labels") or {}, pod["spec"]
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    fields = {"metadata.name": node["metadata"]["name"]}
    return not required or any(
        all(fulfils(one, labels) for one in term.get("matchExpressions") or [])
        and all(fulfils(one, fields) for one in term.get("matchFields") or [])
        for term in required.get("nodeSelectorTerms") or []
    )


def takes_pods(node: Object) -> bool:
    """Whether the scheduler gives pods to a node."""
    return is_true(node, "Ready") and not (node.get("spec") or {}).get("unschedulable")


@dataclass
class _Place:
    node: Object
    free: Dict[str, float]

    def fits(self, pod: Object, wanted: Mapping[str, float]) -> bool:
        taints = (self.node.get("spec") or {}).get("taints") or []
        return (
            wanted_there(pod, self.node)
            and all(tolerates(pod, taint) for taint in taints if taint["effect"] in REPELLING)
            and all(self.free.get(key, 0.0) >= value for key, value in wanted.items() if value)
        )


def with_room(pods: Sequence[Object], nodes: Sequence[Object], every: Sequence[Object]) -> Set[str]:
    """The uids of those pods for which some node has room, when they are placed one after the other, large ones first.

    Args:
        pods: that have to go elsewhere.
        nodes: where they may go.
        every: all pods of the cluster, which need their own room.
    """
    places: List[_Place] = []
    for node in nodes:
        if takes_pods(node):
            name = node["metadata"]["name"]
            there = [pod for pod in every if pod["spec"].get("nodeName") == name]
            used = _sum([requests(pod) for pod in there if (pod.get("status") or {}).get("phase") not in ENDED])
            allocatable = (node.get("status") or {}).get("allocatable") or {}
            places.append(
                _Place(node, {key: quantity(value) - used.get(key, 0.0) for key, value in allocatable.items()})
            )
    found: Set[str] = set()
    for pod in sorted(pods, key=lambda pod: sorted(requests(pod).items()), reverse=True):
        wanted = requests(pod)
        place = next((one for one in places if one.fits(pod, wanted)), None)
        if place:
            place.free = {key: value - wanted.get(key, 0.0) for key, value in place.free.items()}
            found.add(pod["metadata"]["uid"])
    return found
