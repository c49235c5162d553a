"""Which pods go, which stay, and which nobody takes without being told so."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.pods_to_go import (
    Allowed,
    grace,
    host_paths,
    local_volumes,
    owner_of,
    remaining_volumes,
    returns,
    step,
)

sys.path.insert(0, str(Path(__file__).parent))

from eviction_objects import pod

MIRROR = {"annotations": {"kubernetes.io/config.mirror": "0"}}
ENDING = {"deletionTimestamp": "2026-01-01T00:10:00Z", "deletionGracePeriodSeconds": 600}
EMPTY = {"volumes": [{"name": "data", "emptyDir": {}}, {"name": "more", "secret": {}}]}


@pytest.mark.parametrize(
    ("one", "action", "reason"),
    [
        (pod("web-1"), "evict", ""),
        (pod("web-1", owner="DaemonSet"), "ignore", "of DaemonSet default/web-5d5b"),
        (pod("web-1", owner="Node", metadata=MIRROR), "ignore", "a static pod of the kubelet"),
        (pod("web-1", owner="", phase="Succeeded"), "ignore", "has ended (Succeeded)"),
        (pod("web-1", owner="Job", phase="Failed"), "ignore", "has ended (Failed)"),
        (pod("web-1", metadata=ENDING), "wait", "terminating, with 600 s to end by 2026-01-01T00:10:00Z"),
        (
            pod("web-1", owner="", metadata={**ENDING, "finalizers": ["example.org/held"]}),
            "wait",
            "terminating, with 600 s to end by 2026-01-01T00:10:00Z, held by finalizers example.org/held",
        ),
        (
            pod("web-1", owner=""),
            "refuse",
            "no controller would start it again: remove it, or set allow_bare_pods to lose it",
        ),
        (
            pod("web-1", **EMPTY),
            "refuse",
            "its data in emptyDir would be lost (volume data): set allow_emptydir to lose it",
        ),
        (
            pod("web-1", terminationGracePeriodSeconds=901),
            "refuse",
            "it may take 901 s to end (terminationGracePeriodSeconds), and timeout is 900 s: raise timeout, or set "
            "grace_period to give it less",
        ),
        (pod("web-1", terminationGracePeriodSeconds=900), "evict", ""),
    ],
)
def test_one_pod(one: dict[str, Any], action: str, reason: str) -> None:
    found, faults = step(one, Allowed())
    assert (found.action, found.reason, bool(faults)) == (action, reason, action == "refuse")


@pytest.mark.parametrize(
    ("one", "allowed"),
    [
        (pod("web-1", owner=""), Allowed(bare_pods=True)),
        (pod("web-1", **EMPTY), Allowed(emptydir=True)),
        (pod("web-1", terminationGracePeriodSeconds=901), Allowed(grace_period=60)),
        (pod("web-1", terminationGracePeriodSeconds=901), Allowed(timeout=1000)),
    ],
)
def test_what_is_allowed(one: dict[str, Any], allowed: Allowed) -> None:
    assert step(one, allowed)[0].action == "evict"


def test_each_input_allows_one_thing() -> None:
    one = pod("web-1", owner="", **EMPTY)
    faults = [
        len(step(one, allowed)[1]) for allowed in (Allowed(), Allowed(True), Allowed(False, True), Allowed(True, True))
    ]
    assert faults == [2, 1, 1, 0]


@pytest.mark.parametrize(
    ("own", "limit", "expected"), [(None, None, 30), (0, None, 0), (600, None, 600), (600, 60, 60), (5, 60, 5)]
)
def test_the_time_that_a_pod_gets(own: int | None, limit: int | None, expected: int) -> None:
    one = pod("web-1") if own is None else pod("web-1", terminationGracePeriodSeconds=own)
    assert grace(one, Allowed(grace_period=limit)) == expected


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        ("", ""),
        ("ReplicaSet", "Deployment default/web"),
        ("StatefulSet", "StatefulSet default/web-5d5b"),
    ],
)
def test_whose_pod_it_is(owner: str, expected: str) -> None:
    assert owner_of(pod("web-1", owner=owner)) == expected


def test_volumes() -> None:
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "mine"}}
    one = pod("web-1", volumes=[claim, {"name": "logs", "hostPath": {"path": "/var/log"}}])
    claims = {("default", "mine"): "pv-1"}
    for spec, expected in (({"local": {"path": "/d"}}, ["mine"]), ({"hostPath": {"path": "/d"}}, ["mine"]), ({}, [])):
        assert local_volumes(one, claims, {"pv-1": {"spec": spec}}) == expected
    assert local_volumes(one, {}, {}) == []
    assert host_paths(one) == ["/var/log"]
    agent = pod("agent-1", owner="DaemonSet", volumes=[claim])
    assert "pv-1" in remaining_volumes([one, agent], claims)
    assert "pv-1" not in remaining_volumes([one], claims)


def test_a_pod_that_tolerates_the_cordon_returns() -> None:
    assert returns(pod("web-1", tolerations=[{"operator": "Exists"}]))
    assert not returns(pod("web-1"))
