"""How checks are shown."""

from __future__ import annotations

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import check_report
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.check_report import Check

CHECKS = [
    Check("nodes", True, False, "2 ready: n1, n2", 0.31),
    Check("exec", False, False, "n2: refused", 12.0),
    Check("dns", False, True, "DNS is not installed", 0.0),
]


def test_table() -> None:
    assert check_report.table(CHECKS).splitlines() == [
        "CHECK  RESULT   SECONDS  DETAIL",
        "nodes  passed   0.3      2 ready: n1, n2",
        "exec   FAILED   12.0     n2: refused",
        "dns    skipped  0.0      DNS is not installed",
    ]


def test_failure() -> None:
    assert check_report.failure(CHECKS) == "The cluster failed 1 of 2 checks:\n- exec: n2: refused"
    assert check_report.failure([check for check in CHECKS if not check.failed]) == ""
