# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a drain: what the cluster says and the dry run of each eviction, judged before anything changes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Dict, List, Mapping, Sequence, Set, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import webhooks as hooks
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api_calls import Answer
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.budgets import (
    Budget,
    covering,
    judged,
    two_budgets,
    waiting_for,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.cordon import NONE, cordon_of, described
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.pods_to_go import (
    CORDON_TAINT,
    DELETE,
    EVICT,
    IGNORE,
    REFUSE,
    WAIT,
    Allowed,
    PodStep,
    grace,
    host_paths,
    local_volumes,
    name_of,
    returns,
    step,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.room import with_room
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.plan import PlanItem

Object = Dict[str, Any]

NO_DRY_RUN = "does not support dry run"
# What a node has while it is cordoned, or its kubelet does not report.
PASSING_TAINTS = (CORDON_TAINT["key"], "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


@dataclass(frozen=True)
class View:
    """What the cluster says before a drain."""

    names: Sequence[str]
    nodes: Sequence[Object] = ()
    pods: Sequence[Object] = ()
    budgets: Sequence[Budget] = ()
    webhooks: Sequence[Object] = ()
    endpoints: Mapping[hooks.Service, Object] = field(default_factory=dict)
    namespaces: Mapping[str, Object] = field(default_factory=dict)
    claims: Mapping[Tuple[str, str], str] = field(default_factory=dict)
    volumes: Mapping[str, Object] = field(default_factory=dict)
    # Nodes that take pods again before these are drained.
    returning: Sequence[str] = ()

    @property
    def drained(self) -> List[Object]:
        """The nodes that are to be drained, in the order in which they were named."""
        by_name = {node["metadata"]["name"]: node for node in self.nodes}
        return [by_name[name] for name in self.names if name in by_name]

    def on(self, name: str) -> List[Object]:
        """The pods of a node."""
        return sorted((pod for pod in self.pods if pod["spec"].get("nodeName") == name), key=name_of)


@dataclass(frozen=True)
class DrainPlan:
    """What is to be done, and what forbids it."""

    items: Tuple[PlanItem, ...]
    steps: Tuple[PodStep, ...]
    refused: Tuple[str, ...]


def unknown_names(view: View) -> List[str]:
    """What is wrong with the names of the nodes."""
    if not view.names or not all(view.names):
        return ["No node is named, or an empty name is: name the nodes as kubectl get nodes shows them"]
    twice = sorted({name for name in view.names if view.names.count(name) > 1})
    known = {node["metadata"]["name"] for node in view.nodes}
    faults = [f"{name} is named more than once" for name in twice]
    faults += [
        f"{name} is no node of this cluster: compare with kubectl get nodes. A node's name is what its kubelet "
        "registered, in lower case"
        for name in view.names
        if name not in known
    ]
    return faults


def silent(node: Object) -> str:
    """Since when the kubelet of a node is silent; empty where it reports."""
    conditions = (node.get("status") or {}).get("conditions") or []
    ready: Object = next((one for one in conditions if one["type"] == "Ready"), {})
    return (
        "" if ready.get("status") in ("True", "False") else str(ready.get("lastTransitionTime") or "it was registered")
    )


def to_ask(view: View, allowed: Allowed) -> List[Object]:
    """The pods about whose eviction the server is asked."""
    every = [pod for name in view.names for pod in view.on(name)]
    return [pod for pod in every if step(pod, allowed)[0].action in (EVICT, REFUSE)]


def _judged_by_server(one: PodStep, answer: Answer, pod: Object, view: View, allowed: Allowed) -> PodStep:
    """A step, as the server's answer to the dry run has it."""
    found = covering(view.budgets, pod)
    if answer.good or answer.code in (404, 409):
        return one
    several = len(found) > 1 and answer.code == 500
    held = answer.code == 429 and bool(found)
    if (several or held) and allowed.past_budgets:
        return replace(one, action=DELETE, reason=f"deleted past {', '.join(budget.label for budget in found)}")
    if several:
        return replace(one, action=REFUSE, reason=two_budgets(found))
    if held:
        return replace(one, reason=waiting_for(view.budgets, pod))
    if answer.passing or NO_DRY_RUN in answer.message:
        return replace(one, reason=f"whether it may go is not known yet: {answer.message}")
    return replace(one, action=REFUSE, reason=f"its eviction is refused: {answer.message}")


def pods_left(number: int) -> str:
    """How many pods are to go."""
    return f"{number or 'no'} pod{'' if number == 1 else 's'} to go"


def notes(pod: Object, view: View, room: Set[str]) -> List[str]:
    """What else is to be known of a pod that goes."""
    found: List[str] = []
    local = local_volumes(pod, view.claims, view.volumes)
    if local:
        found.append(f"its volume {', '.join(local)} is on this node: it starts again only here")
    elif pod["metadata"]["uid"] not in room:
        found.append("no other node has room for it: it waits for one")
    if host_paths(pod):
        found.append(f"what it has in {', '.join(host_paths(pod))} stays on this node")
    if returns(pod):
        found.append("it tolerates the cordon, so one like it may start here again")
    return found


def returned(node: Object) -> Object:
    """A node as it is once its kubelet reports again and its cordon is lifted."""
    spec = {key: value for key, value in (node.get("spec") or {}).items() if key != "unschedulable"}
    spec["taints"] = [taint for taint in spec.get("taints") or [] if taint["key"] not in PASSING_TAINTS]
    conditions = [one for one in node["status"].get("conditions") or [] if one["type"] != "Ready"]
    status = {**node["status"], "conditions": [*conditions, {"type": "Ready", "status": "True"}]}
    return {**node, "spec": spec, "status": status}


def room_for(view: View, pods: Sequence[Object]) -> Set[str]:
    """The uids of the pods for which a node has room that is not drained itself."""
    others = [
        returned(node) if node["metadata"]["name"] in view.returning else node
        for node in view.nodes
        if node["metadata"]["name"] not in view.names
    ]
    free = [pod for pod in pods if not local_volumes(pod, view.claims, view.volumes)]
    return with_room(free, others, view.pods)


def make_plan(view: View, answers: Mapping[str, Answer], allowed: Allowed) -> DrainPlan:
    """Judge everything, and leave nothing out: all that forbids the drain is named at once.

    Args:
        view: what the cluster says.
        answers: the server's, to the dry run of each eviction, by uid.
        allowed: what the drain may do.
    """
    refused = unknown_names(view)
    if refused:
        return DrainPlan((), (), tuple(refused))
    going = {pod["metadata"]["uid"]: pod for pod in to_ask(view, allowed)}
    room = room_for(view, list(going.values()))
    steps: List[PodStep] = []
    for name in view.names:
        for pod in view.on(name):
            one, faults = step(pod, allowed)
            answer = answers.get(one.uid)
            if answer is not None:
                by_server = _judged_by_server(one, answer, pod, view, allowed)
                if faults and by_server.action == REFUSE and by_server.reason != one.reason:
                    faults.append(by_server.reason)
                one = replace(one, reason="; ".join(faults)) if faults else by_server
            if one.action == REFUSE:
                refused.append(f"{one.label} on {name}: {one.reason}")
            steps.append(one)
    blocked = {uid for uid, answer in answers.items() if answer.code == 429}
    kept = [going[one.uid] for one in steps if one.action == EVICT]
    verdicts = judged(view.budgets, kept, blocked, room, {one.uid: one.owner for one in steps})
    refused += [verdict.refused for verdict in verdicts if verdict.refused]
    down = hooks.fallen(view.webhooks, view.endpoints, view.namespaces, list(going.values()), room)
    refused += [one.refused for one in down if one.refused]
    said = [verdict.note for verdict in verdicts if verdict.note] + [one.note for one in down if not one.refused]
    steps = [
        replace(one, reason="; ".join(filter(None, [one.reason, *notes(going[one.uid], view, room)])))
        if one.action in (EVICT, DELETE)
        else one
        for one in steps
    ]
    own = [(node, [one for one in steps if one.node == node["metadata"]["name"]]) for node in view.drained]
    items = [
        _item(node, here, going, allowed)
        for node, here in own
        if cordon_of(node) == NONE or any(one.action != IGNORE for one in here)
    ]
    if items and said:
        items[-1] = replace(items[-1], disrupts="; ".join(filter(None, [items[-1].disrupts, *said])))
    return DrainPlan(tuple(items), tuple(steps), tuple(refused))


def _item(node: Object, steps: Sequence[PodStep], going: Mapping[str, Object], allowed: Allowed) -> PlanItem:
    """The line of the plan for one node."""
    moved = [one for one in steps if one.action in (EVICT, DELETE, REFUSE)]
    ending = [one for one in steps if one.action == WAIT]
    said = [f"{one.label}: {one.reason}" for one in moved if one.reason]
    said += [f"{one.label} is {one.reason}" for one in ending]
    slowest = max((grace(going[one.uid], allowed) for one in moved), default=0)
    if slowest > 30:
        said.append(f"pods may take {slowest} s to end")
    if silent(node):
        said.append(f"its kubelet is silent since {silent(node)}: pods do not end on it until it reports")
    return PlanItem(
        node["metadata"]["name"],
        "drain",
        f"{described(node)}, {pods_left(len(moved) + len(ending))}",
        "cordoned, drained",
        evicts=tuple(one.label for one in moved),
        disrupts="; ".join(said),
    )
