"""The filter step_rows."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.step_rows import step_rows

PLAN = [
    {"host": "cp1", "subject": "backup", "before": "", "after": "proven"},
    {"host": "cp1", "subject": "control plane", "before": "1", "after": "2"},
    {"host": "w1", "subject": "kubelet", "before": "1", "after": "2"},
]
DONE = {"host": "cp1", "subject": "control plane", "before": "1", "after": "2", "seconds": 3.0, "result": "changed"}


def test_rows() -> None:
    missing = {"host": "w1", "subject": "kubelet", "before": "1", "after": "", "seconds": 0.0, "result": "not reached"}
    assert step_rows(PLAN, [DONE]) == [DONE, missing]


def test_rows_of_steps_that_were_done_together() -> None:
    done = step_rows(PLAN, [], "changed", 2.5)
    assert [(row["after"], row["seconds"], row["result"]) for row in done] == [("2", 2.5, "changed")] * 2
    assert {row["after"] for row in step_rows(PLAN, [], "failed")} == {""}


def test_what_is_no_plan() -> None:
    with pytest.raises(AnsibleFilterError, match="step_rows needs steps and rows"):
        step_rows([{}], [])
