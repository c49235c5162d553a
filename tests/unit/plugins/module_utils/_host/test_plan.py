# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of plans and results, and the lines that show them."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.plan import PlanError, PlanItem, shown

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
    ("kind", "records", "expected"),
    [
        pytest.param("plan", [], ["Nothing is to be done."], id="no steps"),
        pytest.param(
            "plan",
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
            "results",
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
def test_lines(kind: str, records: List[Dict[str, Any]], expected: List[str]) -> None:
    """Records become a table."""
    assert shown(None, **{"plan": None, "results": None, kind: records}) == expected


@pytest.mark.parametrize(
    ("kind", "record", "message"),
    [
        pytest.param("plan", {**KUBELET, "evict": []}, "PlanItem has no field evict", id="unknown field"),
        pytest.param("plan", {"host": "worker-1"}, "missing 3 required", id="missing fields"),
        pytest.param(
            "results",
            {**ROWS[0], "result": "ok"},
            "'ok' is none of changed, unchanged, failed, not reached",
            id="result",
        ),
    ],
)
def test_a_wrong_record(kind: str, record: Dict[str, Any], message: str) -> None:
    """What is not such a record is refused."""
    with pytest.raises(PlanError, match=message):
        shown(None, **{"plan": None, "results": None, kind: [record]})


def test_a_record_travels_as_plain_values() -> None:
    """A module returns what is read again."""
    item = PlanItem.of(STEPS[0])
    assert PlanItem.of(item.describe()) == item
