"""Whether other nodes have room for pods."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.room import (
    quantity,
    requests,
    tolerates,
    with_room,
)

sys.path.insert(0, str(Path(__file__).parent))

from eviction_objects import node, pod

GIB = 1024**3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100m", 0.1),
        ("2", 2),
        (3, 3),
        ("1Gi", GIB),
        ("500M", 5e8),
        ("1e3", 1000),
        ("2E", 2e18),
        ("12Ei", 12 * 1024**6),
        ("100n", 1e-7),
        ("0.5", 0.5),
        ("", 0),
        ("many", 0),
    ],
)
def test_quantities(text: Any, expected: float) -> None:
    assert quantity(text) == pytest.approx(expected)


def needs(cpu: str, **more: str) -> dict[str, Any]:
    return {"resources": {"requests": {"cpu": cpu, **more}}}


def test_what_a_pod_asks_for() -> None:
    one = pod(
        "web-1",
        container=needs("1", memory="1Gi"),
        initContainers=[needs("3"), {**needs("500m"), "restartPolicy": "Always"}],
        overhead={"memory": "1Gi"},
    )
    assert requests(one) == {"cpu": 3.0, "memory": 2.0 * GIB, "pods": 1.0}
    assert requests(pod("web-1", resources={"requests": {"cpu": "7"}})) == {"cpu": 7.0, "pods": 1.0}


TAINT = {"key": "k", "value": "v", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("toleration", "expected"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "k", "operator": "Exists"}, True),
        ({"key": "k", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "k", "value": "v"}, True),
        ({"key": "k", "value": "v", "effect": "NoSchedule"}, True),
        ({"key": "k", "value": "w"}, False),
        ({"key": "other", "operator": "Exists"}, False),
    ],
)
def test_tolerations(toleration: dict[str, str], expected: bool) -> None:
    assert tolerates(pod("web-1", tolerations=[toleration]), TAINT) is expected


def affinity(*terms: dict[str, Any]) -> dict[str, Any]:
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}}


HERE = {"matchExpressions": [{"key": "host", "operator": "In", "values": ["w2"]}]}
BY_NAME = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["w3"]}]}


@pytest.mark.parametrize(
    ("one", "place", "expected"),
    [
        (pod("web-1"), node("w2"), True),
        (pod("web-1"), node("w2", unschedulable=True), False),
        (pod("web-1"), node("w2", "Unknown"), False),
        (pod("web-1"), node("w2", taints=[TAINT]), False),
        (pod("web-1"), node("w2", taints=[{**TAINT, "effect": "PreferNoSchedule"}]), True),
        (pod("web-1", tolerations=[{"operator": "Exists"}]), node("w2", taints=[TAINT]), True),
        (pod("web-1", nodeSelector={"host": "w1"}), node("w2"), False),
        (pod("web-1", nodeSelector={"host": "w2"}), node("w2"), True),
        (pod("web-1", affinity=affinity(HERE)), node("w2"), True),
        (pod("web-1", affinity=affinity(BY_NAME)), node("w2"), False),
        (pod("web-1", affinity=affinity(BY_NAME, HERE)), node("w2"), True),
        (pod("web-1", container=needs("5")), node("w2"), False),
        (pod("web-1", container=needs("1", **{"example.org/gpu": "1"})), node("w2"), False),
    ],
)
def test_where_one_pod_may_go(one: dict[str, Any], place: dict[str, Any], expected: bool) -> None:
    assert bool(with_room([one], [place], [])) is expected


def test_pods_take_room_from_each_other() -> None:
    there = [pod("old-1", "w2", container=needs("1")), pod("old-2", "w2", container=needs("4"), phase="Succeeded")]
    going = [pod(f"web-{number}", container=needs("1500m")) for number in range(3)]
    assert with_room(going, [node("w2")], [*there, *going]) == {"uid-web-0", "uid-web-1"}
    assert len(with_room(going, [node("w2"), node("w3")], [*there, *going])) == 3
