"""The filter upgrade_rows."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.upgrade_rows import upgrade_rows

PLAN = [
    {"host": "cp1", "subject": "backup", "before": "", "after": "proven"},
    {"host": "cp1", "subject": "control plane", "before": "1", "after": "2"},
    {"host": "w1", "subject": "kubelet", "before": "1", "after": "2"},
]
DONE = {"host": "cp1", "subject": "control plane", "before": "1", "after": "2", "seconds": 3.0, "result": "changed"}


def test_rows() -> None:
    missing = {"host": "w1", "subject": "kubelet", "before": "1", "after": "", "seconds": 0.0, "result": "not reached"}
    assert upgrade_rows(PLAN, [DONE]) == [DONE, missing]


def test_what_is_no_plan() -> None:
    with pytest.raises(AnsibleFilterError, match="upgrade_rows needs steps and rows"):
        upgrade_rows([{}], [])
