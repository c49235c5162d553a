# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters plan_lines and result_lines, and the records that they show."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.plan_lines import plan_lines
from ansible_collections.groundwork.kubernetes.plugins.filter.result_lines import result_lines
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.plan import PlanItem

KUBELET: Dict[str, Any] = {"host": "worker-1", "subject": "kubelet", "before": "1.20.2", "after": "1.20.3"}
STEPS: List[Dict[str, Any]] = [
    {
        **KUBELET,
        "host": "control-plane-1",
        "restarts": ["kubelet", "etcd"],
        "disrupts": "The API is away for a moment.",
    },
    {**KUBELET, "before": "", "evicts": ["default/web-1"]},
]
ROWS: List[Dict[str, Any]] = [
    {**KUBELET, "seconds": 12.4, "result": "changed"},
    {**KUBELET, "host": "b", "seconds": 0, "result": "not reached"},
]


@pytest.mark.parametrize(
    ("lines", "records", "expected"),
    [
        pytest.param(plan_lines, [], ["Nothing is to be done."], id="no steps"),
        pytest.param(
            plan_lines,
            STEPS,
            [
                "STEP  HOST             WHAT     BEFORE  AFTER",
                "1     control-plane-1  kubelet  1.20.2  1.20.3",
                "      restarts kubelet, etcd",
                "      The API is away for a moment.",
                "2     worker-1         kubelet  -       1.20.3",
                "      evicts default/web-1",
            ],
            id="steps",
        ),
        pytest.param(
            result_lines,
            ROWS,
            [
                "HOST      WHAT     BEFORE  AFTER   SECONDS  RESULT",
                "worker-1  kubelet  1.20.2  1.20.3  12       changed",
                "b         kubelet  1.20.2  1.20.3  0        not reached",
            ],
            id="results",
        ),
    ],
)
def test_lines(lines: Callable[[Any], List[str]], records: List[Dict[str, Any]], expected: List[str]) -> None:
    """Records become a table."""
    assert lines(records) == expected


@pytest.mark.parametrize(
    ("lines", "record", "message"),
    [
        pytest.param(plan_lines, {**KUBELET, "evict": []}, "PlanItem has no field evict", id="unknown field"),
        pytest.param(plan_lines, {"host": "worker-1"}, "missing 3 required", id="missing fields"),
        pytest.param(
            result_lines,
            {**ROWS[0], "result": "ok"},
            "'ok' is none of changed, unchanged, failed, not reached",
            id="result",
        ),
    ],
)
def test_a_wrong_record(lines: Callable[[Any], List[str]], record: Dict[str, Any], message: str) -> None:
    """What is not such a record is refused."""
    with pytest.raises(AnsibleFilterError, match=message):
        lines([record])


def test_a_record_travels_as_plain_values() -> None:
    """A module returns what a filter reads."""
    item = PlanItem.of(STEPS[0])
    assert PlanItem.of(item.describe()) == item
