# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cordons: ours carry an annotation with their purpose, and only those are lifted by us."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, Optional

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api_calls import (
    MERGE_PATCH,
    TRIES,
    Api,
    ApiError,
)

Object = Dict[str, Any]

ANNOTATION = "groundwork.kubernetes/cordoned"
DRAIN = "drain"
OURS, FOREIGN, NONE = "ours", "foreign", "none"
LONGEST = 1000


def cordon_of(node: Object) -> str:
    """Whose cordon a node has."""
    if not (node.get("spec") or {}).get("unschedulable"):
        return NONE
    return OURS if ANNOTATION in (node["metadata"].get("annotations") or {}) else FOREIGN


def purpose_of(node: Object) -> str:
    """What a cordon of ours is for; empty where there is none."""
    text = (node["metadata"].get("annotations") or {}).get(ANNOTATION) or DRAIN
    return str(text).split()[0] if cordon_of(node) == OURS else ""


def described(node: Object) -> str:
    """The same for people."""
    texts = {OURS: f"cordoned for {purpose_of(node)}", FOREIGN: "cordoned by somebody else", NONE: "schedulable"}
    return texts[cordon_of(node)]


def cordon_patch(node: Object, purpose: str, failure: str = "") -> Optional[Object]:
    """What makes a node's cordon ours; None where it is, or is somebody else's, or for another purpose.

    It holds the version it was made for, so that a cordon which somebody sets in between is not taken for ours.

    Args:
        node: as it is.
        purpose: what the node is cordoned for.
        failure: why that failed.
    """
    reason = (f"{purpose} failed: {failure}" if failure else purpose)[:LONGEST]
    annotations = node["metadata"].get("annotations") or {}
    other = cordon_of(node) != NONE and purpose_of(node) != purpose
    if other or (cordon_of(node) == OURS and annotations[ANNOTATION] == reason):
        return None
    return {
        "metadata": {"resourceVersion": node["metadata"]["resourceVersion"], "annotations": {ANNOTATION: reason}},
        "spec": {"unschedulable": True},
    }


def uncordon_patch(node: Object) -> Optional[Object]:
    """What lifts our cordon, or removes what is left of it; None where there is nothing of ours."""
    if ANNOTATION not in (node["metadata"].get("annotations") or {}):
        return None
    return {
        "metadata": {"resourceVersion": node["metadata"]["resourceVersion"], "annotations": {ANNOTATION: None}},
        "spec": {"unschedulable": None},
    }


def _patch(api: Api, name: str, make: Callable[[Object], Optional[Object]]) -> bool:
    for attempt in range(1, TRIES + 1):
        node = api.get(f"/api/v1/nodes/{name}")
        if node is None:
            raise ApiError(f"node {name} is not registered in the cluster any more")
        patch = make(node)
        if patch is None:
            return False
        answer = api.call("PATCH", f"/api/v1/nodes/{name}?fieldManager=groundwork", patch, MERGE_PATCH)
        if answer.good:
            return True
        if attempt == TRIES or not (answer.code == 409 or answer.passing):
            raise ApiError(f"node {name} cannot be changed: {answer.message}")
        time.sleep(1)
    return False


def set_cordon(api: Api, name: str, purpose: str, failure: str = "") -> bool:
    """Cordon a node, and say for what; whether that changed it.

    Raises:
        ApiError: if it cannot be changed.
    """
    return _patch(api, name, lambda node: cordon_patch(node, purpose, failure))


def lift_cordon(api: Api, name: str) -> bool:
    """Lift our cordon, and leave somebody else's; whether that changed the node.

    Raises:
        ApiError: if it cannot be changed.
    """
    return _patch(api, name, uncordon_patch)
