"""The action show in a play of real Ansible, with callbacks that know nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Play = Callable[..., Any]
STEP = {"host": "worker-1", "subject": "kubelet", "before": "1.20.2", "after": "1.20.3", "restarts": ["kubelet"]}
ROW = {"host": "worker-1", "subject": "kubelet", "before": "1.20.2", "after": "", "seconds": 3.2, "result": "failed"}
PLAN = [
    "STEP  HOST      WHAT     BEFORE  AFTER",
    "1     worker-1  kubelet  1.20.2  1.20.3",
    "      restarts kubelet",
]
RESULTS = [
    "HOST      WHAT     BEFORE  AFTER  SECONDS  RESULT",
    "worker-1  kubelet  1.20.2  -      3        failed",
]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"plan": [STEP]}, PLAN),
        ({"plan": []}, ["Nothing is to be done."]),
        ({"results": [ROW]}, RESULTS),
        ({"text": "One\n  two\n", "plan": [STEP], "results": [ROW]}, ["One", "  two", "", *PLAN, "", *RESULTS]),
    ],
)
@pytest.mark.parametrize("check", [[], ["--check"]])
def test_lines(play: Play, tmp_path: Path, options: dict[str, Any], expected: list[str], check: list[str]) -> None:
    done = play(tmp_path, {"tasks": [{"name": "show", "groundwork.kubernetes.show": options}]}, *check)
    assert done.rc == 0, done.output
    result = done.tasks["show"]["localhost"]
    assert (result["msg"], result["changed"]) == (expected, False)
    arguments = result["invocation"]["module_args"]
    assert (arguments["plan"], arguments["results"]) == (options.get("plan"), options.get("results"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "one of the following is required: text, plan, results"),
        ({"plan": [{**STEP, "evict": []}]}, "PlanItem has no field evict"),
        ({"results": [{**ROW, "result": "odd"}]}, "the result 'odd' is none of"),
    ],
)
def test_refusals(play: Play, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    done = play(tmp_path, {"tasks": [{"name": "show", "groundwork.kubernetes.show": options}]})
    assert done.rc == 2
    assert message in done.tasks["show"]["localhost"]["msg"]
