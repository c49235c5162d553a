"""The plan of a drain: everything that is known is judged before anything changes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api_calls import Answer
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.budgets import parse_budget
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.drain_plan import (
    DrainPlan,
    View,
    make_plan,
    silent,
    to_ask,
    unknown_names,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.pods_to_go import CORDON_TAINT, Allowed

sys.path.insert(0, str(Path(__file__).parent))

from eviction_objects import budget, node, pod

GOOD = Answer(201)
HELD = Answer(429, {"message": "Cannot evict pod as it would violate the pod's disruption budget."})
TWO = Answer(500, {"message": "This pod has more than one PodDisruptionBudget"})
DENIED = Answer(403, {"message": 'admission webhook "guard" denied the request: not now'})
DRY = Answer(400, {"message": 'admission webhook "guard" does not support dry run'})
DOWN = Answer(500, {"message": 'failed calling webhook "guard"'})
ONE = parse_budget(budget("one", "web", (0, 1, 1, 2)))
NEVER = parse_budget(budget("never", "web", (0, 2, 2, 2)))


def plan(pods: list[dict[str, Any]], answers: list[Answer], allowed: Allowed | None = None, **more: Any) -> DrainPlan:
    view = View(**{"names": ["w1"], "nodes": [node("w1"), node("w2")], "pods": pods, **more})
    asked = to_ask(view, allowed or Allowed())
    return make_plan(view, dict(zip((one["metadata"]["uid"] for one in asked), answers)), allowed or Allowed())


def test_a_drain() -> None:
    pods = [pod("web-2"), pod("web-1"), pod("agent-1", owner="DaemonSet"), pod("web-3", "w2")]
    found = plan(pods, [GOOD, GOOD])
    (item,) = found.items
    assert (item.before, item.after) == ("schedulable, 2 pods to go", "cordoned, drained")
    assert (item.evicts, item.disrupts, found.refused) == (("default/web-1", "default/web-2"), "", ())
    assert [one.action for one in found.steps] == ["ignore", "evict", "evict"]


@pytest.mark.parametrize(
    ("answer", "budgets", "action", "message"),
    [
        (GOOD, [], "evict", ""),
        (Answer(404), [], "evict", ""),
        (HELD, [ONE], "evict", "waits for PodDisruptionBudget default/one"),
        (HELD, [], "evict", "whether it may go is not known yet"),
        (DRY, [], "evict", "does not support dry run"),
        (DOWN, [], "evict", "failed calling webhook"),
        (Answer(0, {"message": "the API server does not answer"}), [], "evict", "the API server does not answer"),
        (DENIED, [], "refuse", "its eviction is refused: admission webhook"),
        (TWO, [ONE, NEVER], "refuse", "more than one PodDisruptionBudget (default/one and default/never)"),
    ],
)
def test_what_the_server_says_of_one_pod(answer: Answer, budgets: list[Any], action: str, message: str) -> None:
    found = plan([pod("web-1")], [answer], budgets=budgets)
    assert (found.steps[0].action, message in found.steps[0].reason) == (action, True)
    assert bool(found.refused) == (action == "refuse")


@pytest.mark.parametrize(("answer", "budgets"), [(HELD, [NEVER]), (TWO, [ONE, NEVER])])
def test_budgets_are_passed_where_that_is_allowed(answer: Answer, budgets: list[Any]) -> None:
    found = plan([pod("web-1")], [answer], Allowed(past_budgets=True), budgets=budgets)
    assert (found.steps[0].action, found.refused) == ("delete", ())
    assert found.items[0].evicts == ("default/web-1",)
    assert "deleted past default/" in found.items[0].disrupts


def test_a_budget_that_never_allows_is_refused() -> None:
    found = plan([pod("web-1"), pod("web-2")], [HELD, HELD], budgets=[NEVER])
    assert found.refused == (
        "default/web-1, default/web-2: PodDisruptionBudget default/never never lets a pod go: it needs 2 healthy pods "
        "of 2 and has 2. Scale Deployment default/web up, change the budget, or set allow_past_budgets",
    )


def test_everything_is_refused_at_once() -> None:
    pods = [
        pod("bare-1", owner="", volumes=[{"name": "data", "emptyDir": {}}]),
        pod("denied-1", terminationGracePeriodSeconds=1000),
        pod("web-1"),
    ]
    refused = plan(pods, [GOOD, DENIED, HELD], budgets=[NEVER]).refused
    assert len(refused) == 3
    assert "no controller" in refused[0]
    assert "emptyDir" in refused[0]
    assert "it may take 1000 s" in refused[1]
    assert "its eviction is refused" in refused[1]
    assert "never lets a pod go" in refused[2]


@pytest.mark.parametrize(("returning", "room"), [([], False), (["w2"], True)])
@pytest.mark.parametrize("reports", [True, False])
def test_nodes_that_take_pods_again_before_have_room(returning: list[str], room: bool, reports: bool) -> None:
    """Also where the run before was cut off while the kubelet was stopped."""
    cordoned = node("w2")
    silent = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
    cordoned["spec"] = {
        **cordoned.get("spec", {}),
        "unschedulable": True,
        "taints": [CORDON_TAINT] if reports else [CORDON_TAINT, silent],
    }
    if not reports:
        cordoned["status"] = {**cordoned["status"], "conditions": [{"type": "Ready", "status": "Unknown"}]}
    (item,) = plan([pod("web-1")], [GOOD], nodes=[node("w1"), cordoned], returning=returning).items
    assert ("no other node has room" in item.disrupts) is not room


def test_what_is_to_be_known_is_said() -> None:
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "mine"}}
    pods = [
        pod("big-1", container={"resources": {"requests": {"cpu": "5"}}}),
        pod("local-1", volumes=[claim]),
        pod("path-1", volumes=[{"name": "logs", "hostPath": {"path": "/srv"}}]),
        pod("stubborn-1", tolerations=[{"operator": "Exists"}], terminationGracePeriodSeconds=600),
    ]
    more = {"claims": {("default", "mine"): "pv-1"}, "volumes": {"pv-1": {"spec": {"local": {"path": "/d"}}}}}
    found = plan(pods, [GOOD] * 4, nodes=[node("w1", "Unknown"), node("w2")], **more)
    for text in (
        "default/big-1: no other node has room for it: it waits for one",
        "default/local-1: its volume mine is on this node: it starts again only here",
        "default/path-1: what it has in /srv stays on this node",
        "default/stubborn-1: it tolerates the cordon",
        "pods may take 600 s to end",
        "its kubelet is silent since 2026-01-01T00:00:00Z",
    ):
        assert text in found.items[0].disrupts


@pytest.mark.parametrize(
    ("nodes", "steps", "before"),
    [
        ([node("w1")], 0, "schedulable, no pods to go"),
        ([node("w1", unschedulable=True)], 0, None),
        ([node("w1", unschedulable=True)], 1, "cordoned by somebody else, 1 pod to go"),
        (
            [node("w1", unschedulable=True, annotations={"groundwork.kubernetes/cordoned": "drain"})],
            1,
            "cordoned for drain, 1 pod to go",
        ),
    ],
)
def test_what_a_node_was_before(nodes: list[dict[str, Any]], steps: int, before: str | None) -> None:
    found = plan([pod(f"web-{number}") for number in range(steps)], [GOOD] * steps, nodes=nodes)
    assert [item.before for item in found.items] == ([before] if before else [])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "No node is named"),
        ([""], "No node is named, or an empty name is"),
        (["w1", ""], "an empty name is"),
        (["w1", "w1"], "w1 is named more than once"),
        (["W1"], "W1 is no node of this cluster"),
    ],
)
def test_names_that_are_no_nodes(names: list[str], message: str) -> None:
    found = plan([pod("web-1")], [], names=names)
    assert message in found.refused[0]
    assert (found.items, found.steps) == ((), ())
    assert unknown_names(View(["w1"], [node("w1")])) == []


@pytest.mark.parametrize(("ready", "expected"), [("True", ""), ("False", ""), ("Unknown", "2026-01-01T00:00:00Z")])
def test_whether_a_kubelet_is_silent(ready: str, expected: str) -> None:
    assert silent(node("w1", ready)) == expected
    assert silent({"metadata": {"name": "w1"}}) == "it was registered"
