"""Whose cordon a node has."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.cordon import (
    ANNOTATION,
    cordon_of,
    cordon_patch,
    purpose_of,
    uncordon_patch,
)

sys.path.insert(0, str(Path(__file__).parent))

from eviction_objects import node

FREE, FOREIGN = node("w1"), node("w1", unschedulable=True)
OURS = node("w1", unschedulable=True, annotations={ANNOTATION: "drain"})
LEFT = node("w1", annotations={ANNOTATION: "drain"})
CORDON = {
    "metadata": {"resourceVersion": "7", "annotations": {ANNOTATION: "drain"}},
    "spec": {"unschedulable": True},
}
LIFT = {"metadata": {"resourceVersion": "7", "annotations": {ANNOTATION: None}}, "spec": {"unschedulable": None}}


@pytest.mark.parametrize(
    ("one", "whose", "cordon", "lift"),
    [
        (FREE, "none", CORDON, None),
        (FOREIGN, "foreign", None, None),
        (OURS, "ours", None, LIFT),
        # Somebody has lifted it, and the annotation was left.
        (LEFT, "none", CORDON, LIFT),
    ],
)
def test_cordons(one: dict[str, Any], whose: str, cordon: dict[str, Any] | None, lift: dict[str, Any] | None) -> None:
    assert (cordon_of(one), cordon_patch(one, "drain"), uncordon_patch(one)) == (whose, cordon, lift)


def test_a_new_reason_is_written_on_ours_only() -> None:
    patch = cordon_patch(OURS, "drain", "it")
    assert patch is not None
    assert patch["metadata"]["annotations"] == {ANNOTATION: "drain failed: it"}
    assert cordon_patch(FOREIGN, "drain", "it") is None


def test_a_cordon_for_another_purpose_is_left() -> None:
    failed = node("w1", unschedulable=True, annotations={ANNOTATION: "reboot failed: it"})
    assert [purpose_of(one) for one in (OURS, failed, FOREIGN, FREE, LEFT)] == ["drain", "reboot", "", "", ""]
    assert (cordon_patch(OURS, "reboot"), cordon_patch(failed, "drain")) == (None, None)
    patch = cordon_patch(failed, "reboot")
    assert patch is not None
    assert patch["metadata"]["annotations"] == {ANNOTATION: "reboot"}
