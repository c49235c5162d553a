# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PodDisruptionBudgets allow to a drain: the server judges each pod alone, here they are added up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Set

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.pods_to_go import is_ready, name_of
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.selectors import selects

Object = Dict[str, Any]

ALWAYS_ALLOW = "AlwaysAllow"


@dataclass(frozen=True)
class Budget:
    """One budget, as its controller has counted."""

    namespace: str
    name: str
    selector: Optional[Object]
    allowed: int
    healthy: int
    desired: int
    expected: int
    seen: bool
    unhealthy_policy: str

    @property
    def label(self) -> str:
        """As kubectl's users write it."""
        return f"{self.namespace}/{self.name}"

    @property
    def never(self) -> bool:
        """Whether it lets no pod go even when all are healthy."""
        return self.seen and 0 < self.expected <= self.desired

    def covers(self, pod: Object) -> bool:
        """Whether a pod counts for it."""
        metadata = pod["metadata"]
        return metadata["namespace"] == self.namespace and selects(self.selector, metadata.get("labels"))

    def count(self) -> str:
        """What it has counted."""
        if not self.seen:
            return "its controller has not counted its pods yet"
        return f"it needs {self.desired} healthy pods of {self.expected} and has {self.healthy}"


def parse_budget(item: Object) -> Budget:
    """A budget of the API."""
    metadata, spec, status = item["metadata"], item.get("spec") or {}, item.get("status") or {}
    selector = spec.get("selector")
    if item.get("apiVersion") == "policy/v1beta1" and not (selector or {}):
        selector = None
    return Budget(
        metadata["namespace"],
        metadata["name"],
        selector,
        int(status.get("disruptionsAllowed") or 0),
        int(status.get("currentHealthy") or 0),
        int(status.get("desiredHealthy") or 0),
        int(status.get("expectedPods") or 0),
        int(status.get("observedGeneration") or 0) >= int(metadata.get("generation") or 1),
        str(spec.get("unhealthyPodEvictionPolicy") or ""),
    )


def covering(budgets: Sequence[Budget], pod: Object) -> List[Budget]:
    """The budgets that a pod counts for."""
    return [budget for budget in budgets if budget.covers(pod)]


def waiting_for(budgets: Sequence[Budget], pod: Object) -> str:
    """What a pod waits for that budgets do not let go now."""
    found = covering(budgets, pod)
    if not found:
        return "waits for the API server's consent"
    text = "; ".join(f"waits for PodDisruptionBudget {budget.label}: {budget.count()}" for budget in found)
    if is_ready(pod) or all(budget.unhealthy_policy == ALWAYS_ALLOW for budget in found):
        return text
    return (
        f"{text}. The pod itself is not ready: it goes when it gets ready, or the others are, or with "
        "unhealthyPodEvictionPolicy AlwaysAllow in the budget (Kubernetes 1.27 and later)"
    )


def two_budgets(budgets: Sequence[Budget]) -> str:
    """Why a pod of several budgets is never evicted."""
    names = " and ".join(budget.label for budget in budgets)
    return (
        f"it has more than one PodDisruptionBudget ({names}), which Kubernetes does not evict: change their selectors, "
        "or set allow_past_budgets"
    )


def uses_up(pod: Object) -> bool:
    """Whether the eviction of a pod is counted by its budget."""
    return is_ready(pod) and (pod.get("status") or {}).get("phase") == "Running"


@dataclass(frozen=True)
class Verdict:
    """What one budget means for a drain."""

    note: str = ""
    refused: str = ""


def judge(budget: Budget, going: Sequence[Object], blocked: Set[str], room: Set[str], owners: str) -> Verdict:
    """What one budget means for the pods of it that are to go.

    Args:
        budget: the budget.
        going: its pods that are to go, at least one.
        blocked: the uids of those that the server would not let go now.
        room: the uids of those for which another node has room.
        owners: whose pods they are.
    """
    held = [pod for pod in going if pod["metadata"]["uid"] in blocked]
    counted = [pod for pod in going if uses_up(pod)]
    what = f"PodDisruptionBudget {budget.label}"
    if held and budget.never:
        names = ", ".join(name_of(pod) for pod in held)
        unready = "" if all(is_ready(pod) for pod in held) else "set its unhealthyPodEvictionPolicy to AlwaysAllow, "
        return Verdict(
            refused=f"{names}: {what} never lets a pod go: {budget.count()}. Scale {owners} up, change the budget, "
            f"{unready}or set allow_past_budgets"
        )
    if held and not budget.allowed:
        return Verdict(note=f"{what} lets none go now, it is waited for: {budget.count()}")
    if not counted:
        return Verdict()
    if len(counted) <= budget.allowed:
        return Verdict(note=f"{what} allows it: {budget.allowed} may go, {len(counted)} go")
    replaced = [pod for pod in counted if pod["metadata"]["uid"] in room]
    if len(replaced) < len(counted) - budget.allowed:
        return Verdict(
            refused=f"{what} lets {budget.allowed} of {len(counted)} pods go before others are ready, and other nodes "
            f"have room for {len(replaced)}: make room, change the budget, or set allow_past_budgets"
        )
    return Verdict(
        note=f"{what} lets {budget.allowed} of {len(counted)} pods go at a time, others when those are ready elsewhere"
    )


def judged(
    budgets: Sequence[Budget], going: Sequence[Object], blocked: Set[str], room: Set[str], owners: Mapping[str, str]
) -> List[Verdict]:
    """The same for all budgets that have pods to go.

    A pod of several budgets is refused for that, and counts for none.
    """
    single = [(found[0], pod) for pod in going for found in [covering(budgets, pod)] if len(found) == 1]
    verdicts: List[Verdict] = []
    for budget in budgets:
        own = [pod for one, pod in single if one == budget]
        if own:
            names = sorted({owners[pod["metadata"]["uid"]] for pod in own} - {""})
            verdicts.append(judge(budget, own, blocked, room, ", ".join(names) or "its pods"))
    return verdicts
