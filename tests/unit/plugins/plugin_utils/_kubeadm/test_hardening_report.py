"""The table of all hosts, and what is missing."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.hardening_report import hardening_report


def item(number: str, result: str, detail: str = "d", *, promised: bool = True) -> dict[str, Any]:
    return {"number": number, "title": "x", "by": "x", "result": result, "promised": promised, "detail": detail}


RESULTS = {
    "w2": [item("4.2.10", "passed"), item("4.2.4", "failed", "port=1"), item("9.9", "failed"), item("1.1.9", "none")],
    "w1": [item("4.2.10", "passed"), item("4.2.4", "passed", "port=0"), item("1.1.9", "none")],
    "cp1": [
        item("1.1.9", "none"),
        item("1.2.11", "failed", promised=False),
        item("1.2.2", "unknown", "no process x"),
    ],
}


def test_table() -> None:
    found = hardening_report(RESULTS)
    assert found["table"].splitlines() == [
        "ITEM    RESULT   BY       WHAT                                     DETAIL",
        "1.1.9   -        default  CNI configuration: mode 600              d",
        "1.2.2   UNKNOWN  default  API server: no file of tokens            no process x (cp1)",
        "1.2.11  differs  choice   API server: admission: AlwaysPullImages  d",
        "4.2.4   FAILED   profile  kubelet: no port without authentication  port=1 (w2)",
        "4.2.10  passed   default  kubelet: its certificate rotates         d",
    ]
    assert found["missing"] == [
        "1.2.2 API server: no file of tokens: no process x (cp1)",
        "4.2.4 kubelet: no port without authentication: port=1 (w2)",
    ]
    assert found["summary"] == "1 of 5 items are fulfilled, 2 of the promised are not"


def test_what_cannot_be_told_is_not_missing_where_that_does_not_count() -> None:
    assert hardening_report(RESULTS, strict=False)["missing"] == [
        "4.2.4 kubelet: no port without authentication: port=1 (w2)"
    ]


@pytest.mark.parametrize(
    ("results", "row", "missing"),
    [
        # A promise of one host is told, though another that promised nothing fails, too.
        (
            {"a": [item("2.2", "failed", "x", promised=False)], "b": [item("2.2", "failed", "y")]},
            "2.2   FAILED  default  etcd: clients need a certificate  y (b)",
            1,
        ),
        (
            {"a": [item("2.2", "failed", "x", promised=False)], "b": [item("2.2", "passed", "y")]},
            "2.2   differs  default  etcd: clients need a certificate  x (a)",
            0,
        ),
        (
            {name: [item("2.2", "failed", f"is {name}")] for name in "abcd"},
            "2.2   FAILED  default  etcd: clients need a certificate  a: is a; b: is b; c: is c; and 1 more",
            1,
        ),
    ],
)
def test_hosts_that_differ(results: dict[str, Any], row: str, missing: int) -> None:
    found = hardening_report(results)
    assert found["table"].splitlines()[1] == row
    assert len(found["missing"]) == missing


@pytest.mark.parametrize("wrong", [None, {"a": [{"number": "2.2"}]}, {"a": [1]}])
def test_other_input_is_refused(wrong: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="hardening_report needs"):
        hardening_report(wrong)
