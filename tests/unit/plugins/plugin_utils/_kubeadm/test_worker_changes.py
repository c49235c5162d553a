"""Which workers are changed, and in which batches."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.worker_changes import worker_changes

NOTHING: dict[str, Any] = {"losses": []}
DUE = {"action": "reconcile"}


def lost(kind: str, by: str = "site") -> dict[str, Any]:
    return {"losses": [{"kind": kind, "by": by}]}


@pytest.mark.parametrize(
    ("due", "batch", "expected"),
    [
        ([], "25%", []),
        ([1], "25%", [[1]]),
        ([1, 2, 3], "25%", [[1], [2, 3]]),
        ([1, 2, 3, 4, 5, 6, 7, 8], "25%", [[1], [2, 3], [4, 5], [6, 7], [8]]),
        ([3, 4, 5], "10", [[3], [4, 5]]),
        ([1, 2, 3], "1", [[1], [2], [3]]),
    ],
)
def test_the_first_is_alone(due: list[int], batch: str, expected: list[list[int]]) -> None:
    states = {f"w{number}": NOTHING for number in range(1, 9)}
    found = worker_changes(states, {f"w{number}": DUE for number in due}, {}, batch)
    assert found == {
        "ended": [],
        "lost": [],
        "settings": [],
        "batches": [[f"w{number}" for number in one] for one in expected],
    }


def test_what_calls_for_a_change() -> None:
    states = {
        "a": NOTHING,
        "b": lost("missing"),
        "c": lost("ended"),
        "d": lost("unfinished"),
        "e": lost("missing", ""),
        "f": NOTHING,
        "g": NOTHING,
    }
    due = {"a": {"action": "none"}, "f": DUE}
    settings = {"a": {"changed_nodes": []}, "g": {"changed_nodes": ["g"]}}
    found = worker_changes(states, due, settings, "100%")
    assert found == {"ended": ["c"], "lost": ["b"], "settings": ["g"], "batches": [["b"], ["f", "g"]]}


@pytest.mark.parametrize("batch", ["0", "some", "101%"])
def test_a_batch_that_is_none(batch: str) -> None:
    with pytest.raises(AnsibleFilterError, match="worker_batch is"):
        worker_changes({}, {}, {}, batch)


def test_bad_input() -> None:
    with pytest.raises(AnsibleFilterError, match="needs results of modules"):
        worker_changes({"a": {}}, {}, {}, "1")
