"""The table of all hosts, and what is missing."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.hardening_report import hardening_report


def item(number: str, result: str, detail: str = "d", *, promised: bool = True, by: str = "profile") -> dict[str, Any]:
    title = f"title {number}"
    return {"number": number, "title": title, "by": by, "result": result, "promised": promised, "detail": detail}


RESULTS = {
    "w2": [item("4.2.10", "passed"), item("4.2.4", "failed", "port=1")],
    "w1": [item("4.2.10", "passed"), item("4.2.4", "passed", "port=0")],
    "cp1": [
        item("1.1.9", "none", "there is none"),
        item("1.2.1", "failed", promised=False, by="choice"),
        item("1.2.2", "unknown", "no process x"),
    ],
}


def test_table() -> None:
    found = hardening_report(RESULTS)
    assert found["table"].splitlines() == [
        "ITEM    RESULT   BY       WHAT          DETAIL",
        "1.1.9   -        profile  title 1.1.9   there is none",
        "1.2.1   differs  choice   title 1.2.1   d",
        "1.2.2   UNKNOWN  profile  title 1.2.2   no process x (cp1)",
        "4.2.4   FAILED   profile  title 4.2.4   port=1 (w2)",
        "4.2.10  passed   profile  title 4.2.10  d",
    ]
    assert found["missing"] == ["1.2.2 title 1.2.2: no process x (cp1)", "4.2.4 title 4.2.4: port=1 (w2)"]
    assert found["summary"] == "1 of 5 items are fulfilled, 2 of the promised are not"


def test_what_cannot_be_told_is_not_missing_where_that_does_not_count() -> None:
    assert hardening_report(RESULTS, strict=False)["missing"] == ["4.2.4 title 4.2.4: port=1 (w2)"]


@pytest.mark.parametrize(
    ("results", "row", "missing"),
    [
        # A promise of one host is told, though another that promised nothing fails, too.
        (
            {"a": [item("1.1", "failed", "x", promised=False)], "b": [item("1.1", "failed", "y")]},
            "1.1   FAILED  profile  title 1.1  y (b)",
            1,
        ),
        (
            {"a": [item("1.1", "failed", "x", promised=False)], "b": [item("1.1", "passed", "y")]},
            "1.1   differs  profile  title 1.1  x (a)",
            0,
        ),
        (
            {name: [item("1.1", "failed", f"is {name}")] for name in "abcd"},
            "1.1   FAILED  profile  title 1.1  a: is a; b: is b; c: is c; and 1 more",
            1,
        ),
    ],
)
def test_hosts_that_differ(results: dict[str, Any], row: str, missing: int) -> None:
    found = hardening_report(results)
    assert found["table"].splitlines()[1] == row
    assert len(found["missing"]) == missing


@pytest.mark.parametrize("wrong", [None, {"a": [{"number": "x"}]}, {"a": [1]}])
def test_other_input_is_refused(wrong: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="hardening_report needs"):
        hardening_report(wrong)
