"""Jobs and Pods that run once."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import ManifestError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.run_to_end import (
    comes_to_an_end,
    not_succeeded,
)


def job(*conditions: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j", "namespace": "n"},
        "status": {"conditions": list(conditions)},
    }


def pod(**status: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"}, "status": status}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (job(), "is not complete"),
        (job({"type": "Failed", "status": "False"}), "is not complete"),
        (job({"type": "Complete", "status": "True"}), ""),
        (pod(), "is Unknown"),
        (pod(phase="Running"), "is Running"),
        (pod(phase="Succeeded"), ""),
    ],
)
def test_what_they_lack(item: dict[str, Any], expected: str) -> None:
    assert comes_to_an_end(item)
    assert not_succeeded(item) == expected


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            job({"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too often"}),
            "Job n/j has failed: BackoffLimitExceeded: too often; the logs",
        ),
        (pod(phase="Failed", reason="Evicted"), "Pod n/p has failed: Evicted; kubectl logs"),
        (pod(phase="Failed"), "Pod n/p has failed: no reason is given; kubectl logs"),
    ],
)
def test_failures(item: dict[str, Any], expected: str) -> None:
    with pytest.raises(ManifestError, match=expected):
        not_succeeded(item)


def test_what_does_not_end() -> None:
    assert not comes_to_an_end({"apiVersion": "apps/v1", "kind": "Deployment"})
