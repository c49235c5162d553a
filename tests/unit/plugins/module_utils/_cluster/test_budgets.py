"""What budgets mean for a drain."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.budgets import (
    judge,
    judged,
    parse_budget,
    waiting_for,
)

sys.path.insert(0, str(Path(__file__).parent))

from eviction_objects import budget, pod

PODS = [pod("web-1"), pod("web-2"), pod("web-3")]


@pytest.mark.parametrize(
    ("counts", "pods", "note", "refused"),
    [
        # How many may go, are healthy, are needed, are there; how many are to go, are held now, have room elsewhere.
        ((3, 3, 0, 3), (3, 0, 0), "allows it: 3 may go, 3 go", ""),
        ((1, 3, 2, 3), (1, 0, 0), "allows it: 1 may go, 1 go", ""),
        ((1, 3, 2, 3), (3, 0, 3), "lets 1 of 3 pods go at a time", ""),
        ((1, 3, 2, 3), (3, 0, 2), "lets 1 of 3 pods go at a time", ""),
        ((1, 3, 2, 3), (3, 0, 1), "", "lets 1 of 3 pods go before others are ready, and other nodes have room for 1"),
        (
            (0, 3, 3, 3),
            (2, 2, 3),
            "",
            "default/web-1, default/web-2: PodDisruptionBudget default/it never lets a pod go",
        ),
        ((0, 3, 5, 3), (1, 1, 3), "", "never lets a pod go: it needs 5 healthy pods of 3 and has 3"),
        ((0, 2, 2, 3), (1, 1, 3), "lets none go now, it is waited for: it needs 2 healthy pods of 3 and has 2", ""),
    ],
)
def test_a_budget(counts: tuple[int, int, int, int], pods: tuple[int, int, int], note: str, refused: str) -> None:
    going, blocked, room = pods
    uids = [one["metadata"]["uid"] for one in PODS]
    verdict = judge(
        parse_budget(budget("it", "web", counts)),
        PODS[:going],
        set(uids[:blocked]),
        set(uids[:room]),
        "Deployment web",
    )
    assert (note in verdict.note, refused in verdict.refused) == (True, True)
    assert (bool(verdict.note), bool(verdict.refused)) == (bool(note), bool(refused))


def test_pods_that_are_not_ready_use_nothing_up() -> None:
    sick = [pod("web-1", ready=False), pod("web-2", phase="Pending")]
    assert judge(parse_budget(budget("it", "web", (0, 1, 1, 3))), sick, set(), set(), "").note == ""
    refused = judge(parse_budget(budget("it", "web", (0, 0, 1, 1))), sick[:1], {"uid-web-1"}, set(), "x").refused
    assert "set its unhealthyPodEvictionPolicy to AlwaysAllow" in refused


def test_a_budget_that_was_not_counted_yet_may_well_allow() -> None:
    item = budget("it", "web", (0, 0, 1, 1))
    item["status"]["observedGeneration"] = 0
    one = parse_budget(item)
    assert (one.never, one.count()) == (False, "its controller has not counted its pods yet")


@pytest.mark.parametrize(
    ("version", "selector", "expected"),
    [
        ("policy/v1", {}, True),
        ("policy/v1beta1", {}, False),
        ("policy/v1", None, False),
        ("policy/v1beta1", {"matchLabels": {"app": "web"}}, True),
        ("policy/v1", {"matchLabels": {"app": "api"}}, False),
    ],
)
def test_what_a_budget_covers(version: str, selector: dict[str, Any] | None, expected: bool) -> None:
    item = {**budget("it", "web", (1, 1, 0, 1)), "apiVersion": version}
    item["spec"] = {"selector": selector}
    assert parse_budget(item).covers(PODS[0]) is expected
    other = pod("web-1", metadata={"namespace": "other"})
    assert not parse_budget(item).covers(other)


def test_each_budget_is_judged_by_its_own_pods() -> None:
    budgets = [parse_budget(budget("a", "web", (1, 3, 2, 3))), parse_budget(budget("b", "api", (1, 1, 0, 1)))]
    twice = parse_budget(budget("c", "both", (1, 1, 0, 1))), parse_budget(budget("d", "both", (1, 1, 0, 1)))
    going = [*PODS, pod("api-1"), pod("both-1")]
    uids = {one["metadata"]["uid"]: one["metadata"]["name"] for one in going}
    verdicts = judged([*budgets, *twice], going, set(), set(uids), uids)
    assert [verdict.note.split()[1] for verdict in verdicts] == ["default/a", "default/b"]


@pytest.mark.parametrize(
    ("one", "policy", "message", "unsaid"),
    [
        (
            pod("web-1"),
            "",
            "waits for PodDisruptionBudget default/it: it needs 1 healthy pods of 2 and has 1",
            "itself",
        ),
        (pod("web-1", ready=False), "", "The pod itself is not ready", "nothing"),
        (pod("web-1", ready=False), "AlwaysAllow", "waits for PodDisruptionBudget default/it", "itself"),
        (pod("api-1"), "", "waits for the API server's consent", "itself"),
    ],
)
def test_what_a_pod_waits_for(one: dict[str, Any], policy: str, message: str, unsaid: str) -> None:
    item = budget("it", "web", (0, 1, 1, 2), **({"unhealthyPodEvictionPolicy": policy} if policy else {}))
    text = waiting_for([parse_budget(item)], one)
    assert (message in text, unsaid in text) == (True, False)
