"""Webhooks that a drain would take the ground from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.webhooks import (
    asked_for,
    concerns,
    fallen,
    needed,
)

sys.path.insert(0, str(Path(__file__).parent))

from eviction_objects import pod

GUARD = pod("guard-1")
SERVICE = ("default", "guard")


def webhook(*resources: str, **more: Any) -> dict[str, Any]:
    rule = {"apiGroups": [""], "operations": more.pop("operations", ["CREATE"]), "resources": list(resources)}
    return {
        "name": "guard.example.org",
        "clientConfig": {"service": {"namespace": "default", "name": "guard"}},
        "rules": [rule],
        **more,
    }


def endpoints(*pods: str) -> dict[str, Any]:
    addresses = [{"targetRef": {"kind": "Pod", "namespace": "default", "name": name}} for name in pods]
    return {"subsets": [{"addresses": addresses}]} if pods else {}


@pytest.mark.parametrize(
    ("patterns", "operations", "pods", "evictions"),
    [
        (["pods"], ["CREATE"], True, False),
        (["*"], ["*"], True, False),
        (["*/*"], ["CREATE"], True, True),
        (["pods/*"], ["CREATE"], True, True),
        (["pods/eviction"], ["CREATE"], False, True),
        (["pods", "pods/eviction"], ["UPDATE"], False, False),
        (["configmaps"], ["CREATE"], False, False),
    ],
)
def test_what_a_webhook_is_asked_about(patterns: list[str], operations: list[str], pods: bool, evictions: bool) -> None:
    one = webhook(*patterns, operations=operations)
    assert (asked_for(one, "pods"), asked_for(one, "pods/eviction")) == (pods, evictions)


def test_which_are_needed() -> None:
    ignored = webhook("pods", failurePolicy="Ignore")
    outside = {**webhook("pods"), "clientConfig": {"url": "https://192.0.2.1/"}}
    assert len(needed([{"webhooks": [webhook("pods"), ignored, outside]}, {}])) == 1


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, True),
        ({"objectSelector": {"matchLabels": {"app": "guard"}}}, True),
        ({"objectSelector": {"matchLabels": {"app": "other"}}}, False),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}, True),
        ({"namespaceSelector": {"matchExpressions": [{"key": "skip", "operator": "DoesNotExist"}]}}, False),
    ],
)
def test_whom_a_webhook_concerns(more: dict[str, Any], expected: bool) -> None:
    assert concerns(webhook("pods", **more), GUARD, {"default": {"metadata": {"labels": {"skip": "yes"}}}}) is expected


@pytest.mark.parametrize(
    ("one", "found", "room", "note", "refused"),
    [
        (webhook("pods"), ("guard-1",), True, "", "so they would never start again"),
        (webhook("pods", objectSelector={"matchLabels": {"a": "b"}}), ("guard-1",), True, "fails until they run", ""),
        (webhook("pods/eviction"), ("guard-1",), True, "fails until they run elsewhere", ""),
        (webhook("pods/eviction"), ("guard-1",), False, "", "no other node has room for them"),
        (webhook("pods", matchConditions=[{}]), ("guard-1",), True, "unless its matchConditions except them", ""),
        (webhook("pods"), ("guard-1", "guard-2"), True, None, None),
        (webhook("pods"), (), True, None, None),
    ],
)
def test_a_webhook_whose_pods_go(
    one: dict[str, Any], found: tuple[str, ...], room: bool, note: str | None, refused: str | None
) -> None:
    result = fallen([one], {SERVICE: endpoints(*found)}, {}, [GUARD], {"uid-guard-1"} if room else set())
    if note is None or refused is None:
        assert result == []
        return
    (only,) = result
    assert (note in only.note, refused in only.refused, bool(only.refused)) == (True, True, bool(refused))
