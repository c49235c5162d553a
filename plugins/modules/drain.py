# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module drain: take the pods off nodes by evictions, and give nodes back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: drain
short_description: Drains nodes by evictions, and gives them back
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - With O(state=drained), cordons nodes, and evicts their pods in parallel, each by its UID, so that no pod of the same
    name is evicted in its place. Budgets (PodDisruptionBudget) are kept. It waits until the pods are gone.
  - Static pods, those of DaemonSets, and pods that have ended stay.
  - Before anything changes, the server is asked for a dry run of each eviction, and budgets, emptyDir, grace periods,
    webhooks and room on other nodes are judged. What waiting cannot cure is refused, all of it in one message.
    Everything else is waited for until O(timeout) is over; the message then says what each pod waits for.
  - Its cordons carry the annotation C(groundwork.kubernetes/cordoned) with their O(purpose). A later run goes on with
    them. A node that somebody else has cordoned, or that is cordoned for another purpose, keeps that cordon.
  - If a drain fails, nodes that it cordoned and from which no pod was evicted are given back. Others stay cordoned,
    with the reason in the annotation.
  - Runs on a host with C(kubectl) and an administrator's kubeconfig.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.full
  - groundwork.kubernetes.kubeconfig
attributes:
  check_mode:
    details:
      - Refuses what would be refused.
      - Where there is no cluster to ask, it fails, as the run would.
options:
  name:
    description:
      - The nodes, by the names that C(kubectl get nodes) shows. Several are cordoned first, and then drained at once.
      - An empty or unknown name is refused.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(drained) means that the nodes take no new pods, and have none but those that stay.
      - V(uncordoned) lifts the cordons of this module.
    type: str
    choices: [drained, uncordoned]
    default: drained
  purpose:
    description:
      - What the nodes are cordoned for, in one word. V(drain), unless it is given.
      - With O(state=uncordoned), only cordons for this purpose are lifted. Those for any, unless it is given.
    type: str
  returning:
    description:
      - Nodes that are cordoned now, or whose kubelets do not report, and that take pods again before these are drained,
        so that pods have room there. For a preview of several drains, one after the other.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds that the drain may take in all. A pod whose grace period is longer is refused.
    type: int
    default: 900
  grace_period:
    description: Seconds that pods get at most to end. Without it each has its own C(terminationGracePeriodSeconds).
    type: int
  allow_bare_pods:
    description: Whether pods may be lost that no controller starts again.
    type: bool
    default: false
  allow_emptydir:
    description: Whether the data in emptyDir volumes of pods may be lost.
    type: bool
    default: false
  allow_past_budgets:
    description:
      - Whether pods may be deleted that their budgets do not let go, or that have more than one budget.
      - Pods that their budgets let go are evicted in any case.
    type: bool
    default: false
  wait_for_volumes:
    description: Whether to wait until the volumes of the pods that went are detached (VolumeAttachment).
    type: bool
    default: false
requirements:
  - kubectl 1.20 or later
seealso:
  - module: groundwork.kubernetes.node
  - name: API-initiated eviction
    description: The documentation of Kubernetes.
    link: https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
"""

EXAMPLES = r"""
- name: Drain a worker before its machine is opened
  groundwork.kubernetes.drain:
    name: worker-1
    timeout: 600
    wait_for_volumes: true

- name: See what a drain of two nodes would do, and whether it could
  groundwork.kubernetes.drain:
    name: [worker-1, worker-2]
  check_mode: true
  register: preview

- name: Show it
  groundwork.kubernetes.show:
    plan: '{{ preview.plan }}'

- name: Give a worker back
  groundwork.kubernetes.drain:
    name: worker-1
    state: uncordoned
"""

RETURN = r"""
plan:
  description:
    - What was to be done, or would be, in the form that M(groundwork.kubernetes.show) takes. Nodes on
      which nothing is to be done are not in it. The host is the node's name.
  returned: always, where the cluster was asked
  type: list
  elements: dict
  sample:
    - host: worker-1
      subject: drain
      before: schedulable, 1 pod to go
      after: cordoned, drained
      evicts: [default/web-7c5ddbdf54-x2x4k]
      restarts: []
      disrupts: "PodDisruptionBudget default/web allows it: 1 may go, 1 go"
rows:
  description: What came of it, in the form that M(groundwork.kubernetes.show) takes.
  returned: always, where the cluster was asked
  type: list
  elements: dict
  sample:
    - host: worker-1
      subject: drain
      before: schedulable, 1 pod to go
      after: drained
      seconds: 32.5
      result: changed
pods:
  description: The pods of the nodes.
  returned: with O(state=drained)
  type: list
  elements: dict
  contains:
    namespace:
      description: Its namespace.
      type: str
    name:
      description: Its name.
      type: str
    uid:
      description: Its UID.
      type: str
    node:
      description: The node's name.
      type: str
    owner:
      description: The workload behind it, empty for a bare pod.
      type: str
    action:
      description:
        - C(ignore) where it stays, C(refuse) where it must not be touched, C(evict) and C(delete) where it is to go,
          C(wait) where it is already ending, C(gone) where it went.
      type: str
    reason:
      description: Why, and what it waits for.
      type: str
  sample:
    - namespace: default
      name: web-7c5ddbdf54-x2x4k
      uid: 0e1f8f2f-1d1c-4a6e-9a35-0d4f6dbb5a1d
      node: worker-1
      owner: Deployment default/web
      action: evict
      reason: "waits for PodDisruptionBudget default/web: it needs 1 healthy pods of 2 and has 1"
evicted:
  description: The pods that were evicted or deleted, by namespace and name.
  returned: with O(state=drained), except in check mode
  type: list
  elements: str
  sample: [default/web-7c5ddbdf54-x2x4k]
reasons:
  description: Everything that forbids the drain, or what each pod still waited for when the time was over.
  returned: failure
  type: list
  elements: str
  sample: ["default/web-7c5ddbdf54-x2x4k on worker-1: terminating, with 30 s to end by 2026-11-27T11:00:00Z"]
purposes:
  description: What the cordons of this module were for before, by the node's name.
  returned: always, where the cluster was asked
  type: dict
  sample: {}
cordons:
  description: Whose cordon each node had before, C(ours), C(foreign) or C(none), by the node's name.
  returned: always, where the cluster was asked
  type: dict
  sample: {worker-1: none}
"""

import time
from dataclasses import asdict
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api import require_cluster
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api_calls import Api, ApiError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.cordon import (
    DRAIN,
    FOREIGN,
    NONE,
    cordon_of,
    described,
    lift_cordon,
    purpose_of,
    uncordon_patch,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.drain import Drain
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.drain_plan import (
    View,
    pods_left,
    unknown_names,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import KUBECONFIG_OPTION
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.pods_to_go import Allowed
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.diff import diff_lines
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.plan import PlanItem, ResultRow

ARGUMENTS: Dict[str, Any] = {
    "name": {"type": "list", "elements": "str", "required": True},
    "state": {"type": "str", "choices": ["drained", "uncordoned"], "default": "drained"},
    "purpose": {"type": "str"},
    "returning": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "int", "default": 900},
    "grace_period": {"type": "int"},
    "allow_bare_pods": {"type": "bool", "default": False},
    "allow_emptydir": {"type": "bool", "default": False},
    "allow_past_budgets": {"type": "bool", "default": False},
    "wait_for_volumes": {"type": "bool", "default": False},
    "kubeconfig": KUBECONFIG_OPTION,
}
# What reading and the dry runs may take beside the drain itself.
SPARE = 300


class DrainModule:
    """The module's states over one set of options."""

    def __init__(self, module: AnsibleModule, api: Api) -> None:
        self.module, self.api = module, api
        self.names: List[str] = [name.strip() for name in module.params["name"]]
        self.purpose: str = (module.params["purpose"] or "").strip()
        self.began = time.monotonic()
        self.result: Dict[str, Any] = {"changed": False}

    def fail(self, message: str, reasons: List[str]) -> None:
        """End with everything that is wrong."""
        self.module.fail_json(msg="\n".join([message, *reasons]), reasons=reasons, **self.result)

    def row(self, name: str, subject: str, before: str, after: str, result: str) -> Dict[str, Any]:
        """What came of one node."""
        return asdict(ResultRow(name, subject, before, after, round(time.monotonic() - self.began, 1), result))

    def drained(self) -> None:
        """Plan, refuse, or drain."""
        params = self.module.params
        allowed = Allowed(
            params["allow_bare_pods"],
            params["allow_emptydir"],
            params["allow_past_budgets"],
            params["grace_period"],
            params["timeout"],
        )
        drain = Drain(self.api, self.names, allowed, params["wait_for_volumes"], self.purpose or DRAIN)
        drain.returning = params["returning"]
        plan = drain.plan()
        cordons = {node["metadata"]["name"]: cordon_of(node) for node in drain.view.drained}
        purposes = {node["metadata"]["name"]: purpose_of(node) for node in drain.view.drained if purpose_of(node)}
        before = {node["metadata"]["name"]: described(node) for node in drain.view.drained}
        before.update({item.host: item.before for item in plan.items})
        self.result.update(
            plan=[item.describe() for item in plan.items],
            pods=[asdict(one) for one in plan.steps],
            rows=[],
            cordons=cordons,
            purposes=purposes,
        )
        if plan.refused:
            self.fail(f"{', '.join(self.names)} cannot be drained. Nothing was changed.", list(plan.refused))
        self.result["changed"] = bool(plan.items)
        self.result["diff"] = diff_lines(
            "nodes",
            [line for item in plan.items for line in [f"{item.host} {item.before}", *item.evicts]],
            [f"{item.host} {item.after}" for item in plan.items],
        )
        after = {item.host: "drained" for item in plan.items}
        reasons: List[str] = []
        made: List[str] = []
        if not self.module.check_mode:
            outcome = drain.run(plan)
            reasons = outcome.reasons
            left = outcome.pods_left
            if reasons:
                after = {name: pods_left(left.get(name, 0)) for name in self.names}
            made = outcome.cordoned
            self.result.update(
                changed=bool(outcome.evicted or outcome.cordoned or (plan.items and not reasons)),
                pods=[asdict(one) for one in outcome.steps],
                evicted=outcome.evicted,
            )
        self.result["rows"] = [
            self.row(
                name,
                "drain",
                before[name],
                after.get(name, before[name]),
                "failed" if reasons else "changed" if name in after else "unchanged",
            )
            for name in self.names
        ]
        if reasons:
            kept = [name for name in self.names if cordons[name] != NONE or name in made]
            back = [name for name in self.names if name not in kept]
            said = f" {', '.join(kept)} stays cordoned." if kept else ""
            said += f" {', '.join(back)} is given back, as nothing was evicted from it." if back else ""
            self.fail(f"{', '.join(self.names)} is not drained.{said}", reasons)

    def uncordoned(self) -> None:
        """Lift our cordons."""
        view = View(self.names, self.api.items("/api/v1/nodes"))
        faults = unknown_names(view)
        if faults:
            self.fail("Nothing was changed.", faults)
        changing = [
            node
            for node in view.drained
            if uncordon_patch(node) and self.purpose in ("", purpose_of(node) or self.purpose)
        ]
        names = [node["metadata"]["name"] for node in changing]
        before = {node["metadata"]["name"]: described(node) for node in view.drained}
        cordons = {node["metadata"]["name"]: cordon_of(node) for node in view.drained}
        purposes = {node["metadata"]["name"]: purpose_of(node) for node in view.drained if purpose_of(node)}
        for name in names:
            if not self.module.check_mode:
                lift_cordon(self.api, name)
        foreign = [name for name, cordon in cordons.items() if cordon == FOREIGN]
        if foreign:
            self.module.warn(
                f"{', '.join(foreign)} stays cordoned: the cordon is not this collection's. kubectl uncordon lifts it"
            )
        self.result.update(
            changed=bool(names),
            plan=[PlanItem(name, "uncordon", before[name], "schedulable").describe() for name in names],
            rows=[
                self.row(
                    name,
                    "uncordon",
                    before[name],
                    "schedulable" if name in names else before[name],
                    "changed" if name in names else "unchanged",
                )
                for name in self.names
            ],
            cordons=cordons,
            purposes=purposes,
            diff=diff_lines(
                "nodes", [f"{name} {before[name]}" for name in names], [f"{name} schedulable" for name in names]
            ),
        )


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    if len((params["purpose"] or "one").split()) != 1:
        module.fail_json(msg=f"purpose is {params['purpose']!r}: give one word")
    require_cluster(module, params["kubeconfig"])
    try:
        with Api(module, params["kubeconfig"], params["timeout"] + SPARE) as api:
            run = DrainModule(module, api)
            run.drained() if params["state"] == "drained" else run.uncordoned()
            module.exit_json(**run.result)
    except ApiError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
