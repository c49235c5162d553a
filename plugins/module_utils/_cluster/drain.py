# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drain nodes: cordon, evict in parallel, wait until the pods are gone."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import webhooks as hooks
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api_calls import Answer, Api, ApiError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.budgets import (
    Budget,
    covering,
    parse_budget,
    waiting_for,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.cordon import (
    DRAIN,
    lift_cordon,
    set_cordon,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.drain_plan import (
    DrainPlan,
    View,
    make_plan,
    silent,
    to_ask,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.pods_to_go import (
    IGNORE,
    WAIT,
    Allowed,
    PodStep,
    grace,
    remaining_volumes,
    returns,
    stays,
    step,
)

Object = Dict[str, Any]

AT_ONCE = 10
PAUSE = 2.0
# What a pod may take beyond its grace period until its kubelet has told that it is gone.
MARGIN = 30.0


@dataclass
class Outcome:
    """What a drain did; reasons are empty when the nodes are drained."""

    steps: List[PodStep] = field(default_factory=list)
    evicted: List[str] = field(default_factory=list)
    cordoned: List[str] = field(default_factory=list)
    reasons: List[str] = field(default_factory=list)
    pods_left: Dict[str, int] = field(default_factory=dict)


def eviction_version(api: Api) -> str:
    """The version of policy in which this API server takes evictions.

    Raises:
        ApiError: if it takes none.
    """
    for resource in (api.get("/api/v1") or {}).get("resources") or []:
        if resource["name"] == "pods/eviction" and resource.get("group") == "policy":
            return f"policy/{resource['version']}"
    raise ApiError("the API server takes no evictions")


def read_budgets(api: Api) -> List[Budget]:
    """All budgets, in the newest version that the API server serves."""
    versions = [one["groupVersion"] for one in (api.get("/apis/policy") or {}).get("versions") or []]
    version = "policy/v1" if "policy/v1" in versions else "policy/v1beta1"
    found = api.items(f"/apis/{version}/poddisruptionbudgets")
    return [parse_budget({"apiVersion": version, **item}) for item in found]


def read_view(api: Api, names: Sequence[str]) -> View:
    """What the cluster says.

    Raises:
        ApiError: if something cannot be read; then nothing is known.
    """
    registration = "/apis/admissionregistration.k8s.io/v1"
    configurations = api.items(f"{registration}/validatingwebhookconfigurations")
    configurations += api.items(f"{registration}/mutatingwebhookconfigurations")
    needed = hooks.needed(configurations)
    services = sorted({hooks.service_of(webhook) for webhook in needed})
    endpoints = {
        service: api.get(f"/api/v1/namespaces/{service[0]}/endpoints/{service[1]}") or {} for service in services
    }
    return View(
        names=names,
        nodes=api.items("/api/v1/nodes"),
        pods=api.items("/api/v1/pods"),
        budgets=read_budgets(api),
        webhooks=needed,
        endpoints=endpoints,
        namespaces={item["metadata"]["name"]: item for item in api.items("/api/v1/namespaces")},
        claims={
            (item["metadata"]["namespace"], item["metadata"]["name"]): (item.get("spec") or {}).get("volumeName") or ""
            for item in api.items("/api/v1/persistentvolumeclaims")
        },
        volumes={item["metadata"]["name"]: item for item in api.items("/api/v1/persistentvolumes")},
    )


class Drain:
    """One drain of some nodes."""

    def __init__(
        self, api: Api, names: Sequence[str], allowed: Allowed, volumes: bool = False, purpose: str = DRAIN
    ) -> None:
        """Nothing is read yet.

        Args:
            api: is asked.
            names: of the nodes.
            allowed: what the drain may do, and how long it may take.
            volumes: whether to wait until no volume is attached for a pod that went.
            purpose: what the nodes are cordoned for.
        """
        self.api, self.names, self.allowed, self.volumes, self.purpose = api, names, allowed, volumes, purpose
        self.version = eviction_version(api)
        self.view = View(names)
        self.end = time.monotonic() + allowed.timeout
        self.outcome = Outcome()
        # Nodes that take pods again before these are drained.
        self.returning: Sequence[str] = ()
        self._said: Dict[str, str] = {}
        self._first: Set[str] = set()
        self._ending: Dict[str, float] = {}
        self._fatal: List[str] = []

    def plan(self) -> DrainPlan:
        """Ask for everything, and judge it.

        Raises:
            ApiError: if something cannot be read.
        """
        self.view = replace(read_view(self.api, self.names), returning=self.returning)
        pods = to_ask(self.view, self.allowed)
        answers = self._each(lambda pod: self._evict(pod, dry_run=True), pods)
        return make_plan(self.view, dict(zip((pod["metadata"]["uid"] for pod in pods), answers)), self.allowed)

    def run(self, plan: DrainPlan) -> Outcome:
        """Do it. A node to which nothing was done is given back if that fails."""
        self.outcome.steps = list(plan.steps)
        self._first = {one.uid for one in plan.steps}
        try:
            for name in self.names:
                if set_cordon(self.api, name, self.purpose):
                    self.outcome.cordoned.append(name)
            self.outcome.reasons = self._empty() or (self._detached() if self.volumes else [])
        except ApiError as error:
            self.outcome.reasons = [str(error)]
        if self.outcome.reasons:
            self._give_back({one.label: one.node for one in self.outcome.steps})
        return self.outcome

    def _empty(self) -> List[str]:
        """Evict until only what stays is left; what is still there when the time is over, or nothing helps."""
        while True:
            pods = self._pods()
            if pods is not None:
                left = self._left(pods)
                if not left:
                    return []
                todo = [pod for pod in left if not pod["metadata"].get("deletionTimestamp")]
                for pod, answer in zip(todo, self._each(self._evict, todo)):
                    self._note(pod, answer)
                if self._fatal or self._hopeless(left):
                    return self._reasons(left)
            if time.monotonic() >= self.end:
                return self._reasons(left) if pods is not None else ["the API server does not answer"]
            time.sleep(PAUSE)

    def _pods(self) -> Optional[List[Object]]:
        """All pods of the nodes; None where the API server does not answer now."""
        found: List[Object] = []
        for name in self.names:
            answer = self.api.call("GET", f"/api/v1/pods?fieldSelector=spec.nodeName%3D{name}")
            if not answer.good:
                return None
            found += answer.body.get("items") or []
        return found

    def _left(self, pods: Sequence[Object]) -> List[Object]:
        """Those that have to go, and what is known of all of them."""
        left: List[Object] = []
        known = {one.uid: one for one in self.outcome.steps}
        for pod in pods:
            one = step(pod, self.allowed)[0]
            if one.uid not in self._first and returns(pod) and one.action != IGNORE:
                one = replace(one, action=IGNORE, reason="started here again, since it tolerates the cordon")
            known[one.uid] = replace(known.get(one.uid, one), action=one.action, reason=one.reason)
            if one.action != IGNORE:
                left.append(pod)
            if one.action == WAIT:
                self._ending.setdefault(one.uid, time.monotonic())
        here = {pod["metadata"]["uid"] for pod in pods}
        self.outcome.steps = [
            one if one.uid in here else replace(one, action="gone", reason="") for one in known.values()
        ]
        self.outcome.pods_left = {
            name: len([pod for pod in left if pod["spec"].get("nodeName") == name]) for name in self.names
        }
        return left

    def _evict(self, pod: Object, dry_run: bool = False) -> Answer:
        """Ask for one eviction, or delete the pod where budgets forbid it and may be passed by."""
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        options: Object = {"preconditions": {"uid": metadata["uid"]}}
        if not dry_run and step(pod, self.allowed)[1]:
            return Answer(400, {"message": step(pod, self.allowed)[0].reason})
        if self.allowed.grace_period is not None:
            options["gracePeriodSeconds"] = grace(pod, self.allowed)
        if dry_run:
            options["dryRun"] = ["All"]
        eviction = {
            "apiVersion": self.version,
            "kind": "Eviction",
            "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
            "deleteOptions": options,
        }
        answer = self.api.call("POST", f"{path}/eviction{'?dryRun=All' if dry_run else ''}", eviction)
        several = len(covering(self.view.budgets, pod)) > 1 and answer.code == 500
        if (answer.code == 429 or several) and self.allowed.past_budgets and not dry_run:
            return self.api.call("DELETE", path, {"apiVersion": "v1", "kind": "DeleteOptions", **options})
        return answer

    def _note(self, pod: Object, answer: Answer) -> None:
        """Remember what came of one eviction."""
        metadata = pod["metadata"]
        uid, label = metadata["uid"], f"{metadata['namespace']}/{metadata['name']}"
        if answer.good:
            self.outcome.evicted.append(label)
            self._said[uid] = "is told to end"
            self._ending.setdefault(uid, time.monotonic())
        elif answer.code == 429:
            self._said[uid] = "" if covering(self.view.budgets, pod) else answer.message
        elif answer.code not in (404, 409):
            budgets = covering(self.view.budgets, pod)
            self._said[uid] = answer.message
            counting = (answer.body.get("details") or {}).get("kind") == "poddisruptionbudget"
            if not (answer.passing or counting) or (len(budgets) > 1 and answer.code == 500):
                self._fatal.append(uid)

    def _hopeless(self, left: Sequence[Object]) -> bool:
        """Whether all that is left should long have ended, on nodes whose kubelets are silent."""
        now = time.monotonic()
        for pod in left:
            began = self._ending.get(pod["metadata"]["uid"])
            seconds = pod["metadata"].get("deletionGracePeriodSeconds") or 0
            if began is None or now < began + seconds + MARGIN:
                return False
        return all(self._silent(pod["spec"]["nodeName"]) for pod in left)

    def _silent(self, name: str) -> str:
        """Since when a node's kubelet is silent, as far as that can be read."""
        answer = self.api.call("GET", f"/api/v1/nodes/{name}")
        return silent(answer.body) if answer.good else ""

    def _reasons(self, left: Sequence[Object]) -> List[str]:
        """Why each pod that is left is still there."""
        budgets = list(self.view.budgets)
        if any(text == "" for text in self._said.values()):
            with contextlib.suppress(ApiError):
                budgets = read_budgets(self.api)
        quiet = {name: self._silent(name) for name in self.names}
        reasons: Dict[str, str] = {}
        for pod in left:
            one, uid = step(pod, self.allowed)[0], pod["metadata"]["uid"]
            text = one.reason if one.action == WAIT else self._said.get(uid) or waiting_for(budgets, pod)
            since = quiet.get(one.node)
            if since and (one.action == WAIT or uid in self._ending):
                text += f"; the kubelet of {one.node} is silent since {since}, so nothing ends on it"
            owner = f" ({one.owner})" if one.owner else ""
            reasons[uid] = f"{one.label}{owner} on {one.node}: {text}"
            self.outcome.steps = [
                replace(known, reason=text) if known.uid == uid else known for known in self.outcome.steps
            ]
        return [reasons[uid] for uid in sorted(reasons, key=lambda uid: (uid not in self._fatal, reasons[uid]))]

    def _detached(self) -> List[str]:
        """Wait until the volumes of pods that went are detached; those that are not when the time is over."""
        while True:
            attached = attachments(
                self.api.items("/apis/storage.k8s.io/v1/volumeattachments"),
                self.names,
                remaining_volumes([pod for pod in self._pods() or [] if stays(pod)], self.view.claims),
            )
            if not attached:
                return []
            if time.monotonic() >= self.end:
                return [
                    f"volume {volume} is still attached to {node} (VolumeAttachment {name})"
                    for name, node, volume in attached
                ]
            time.sleep(PAUSE)

    def _give_back(self, places: Mapping[str, str]) -> None:
        """Lift this run's cordons from nodes to which nothing was done, and write on the others why it failed."""
        touched = {places.get(label, "") for label in self.outcome.evicted}
        reasons = list(self.outcome.reasons)
        for name in self.names:
            why = [text for text in reasons if f" on {name}: " in text or f" to {name} " in text] or reasons
            with contextlib.suppress(ApiError):
                if name in self.outcome.cordoned and name not in touched:
                    lift_cordon(self.api, name)
                    self.outcome.cordoned.remove(name)
                else:
                    set_cordon(self.api, name, self.purpose, "; ".join(why))

    @staticmethod
    def _each(action: Any, pods: Sequence[Object]) -> List[Answer]:
        if not pods:
            return []
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            return list(pool.map(action, pods))


def attachments(items: Sequence[Object], names: Sequence[str], remaining: Sequence[str]) -> List[Tuple[str, str, str]]:
    """Name, node and volume of what is attached to these nodes, but for volumes of pods that stay."""
    found: List[Tuple[str, str, str]] = []
    for item in items:
        volume = (item["spec"].get("source") or {}).get("persistentVolumeName") or "of its own"
        if item["spec"]["nodeName"] in names and volume not in remaining:
            found.append((item["metadata"]["name"], item["spec"]["nodeName"], volume))
    return sorted(found)
