"""What the role restore asks of filters: what hosts registered, and whether the revision goes back."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.filter.registered import registered
from ansible_collections.groundwork.kubernetes.plugins.filter.revision_goes_back import revision_goes_back

HOSTVARS = {"a": {"found": {"time": 1}}, "b": {"found": {"failed": True}}, "c": {}, "d": {"found": {"time": 4}}}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [{"time": 4}, {"failed": True}, {"time": 1}]),
        ({"having": "time"}, [{"time": 4}, {"time": 1}]),
        ({"having": "time", "by_host": True}, {"d": {"time": 4}, "a": {"time": 1}}),
        ({"having": "never", "by_host": True}, {}),
    ],
)
def test_registered(options: dict[str, Any], expected: Any) -> None:
    assert registered(["d", "unknown", "c", "b", "a"], HOSTVARS, "found", **options) == expected


@pytest.mark.parametrize(
    ("bumps", "bump_revision", "goes_back"),
    [
        ([True, True], -1, False),
        ([True, True], "1000", False),
        ([True, False], -1, True),
        ([True], 0, True),
        ([], -1, False),
        ([], "0", True),
    ],
)
def test_whether_the_revision_goes_back(bumps: list[bool], bump_revision: Any, goes_back: bool) -> None:
    assert revision_goes_back([{"bumps_revision": one} for one in bumps], bump_revision) is goes_back
