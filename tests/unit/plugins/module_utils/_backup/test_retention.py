"""Which archives a rule keeps."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.retention import Keep, surplus

START = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)  # a Sunday


def ago(*hours: int) -> list[datetime]:
    return [START - timedelta(hours=number) for number in hours]


DAY, WEEK = 24, 7 * 24


@pytest.mark.parametrize(
    ("hours", "keep", "gone"),
    [
        ([], Keep(), []),
        ([0], Keep(), []),
        ([0, 1, 2], Keep(), [1, 2]),
        ([0, 1, 2], Keep(last=-1), [1, 2]),
        ([0, 1, 2], Keep(last=2), [2]),
        ([2, 0, 1], Keep(last=2), [2]),
        ([0, 1, 2], Keep(last=9), []),
        ([0, 1, 2, 3], Keep(hourly=3), [3]),
        # The newest of each day stays, also where days are missing.
        ([0, 1, DAY, DAY + 1, 5 * DAY], Keep(daily=2), [1, DAY + 1, 5 * DAY]),
        ([0, 1, DAY, DAY + 1, 5 * DAY], Keep(daily=3), [1, DAY + 1]),
        # Weeks begin on Monday: six days before a Sunday is the same week.
        ([0, 6 * DAY, 7 * DAY, 13 * DAY, 14 * DAY], Keep(weekly=2), [6 * DAY, 13 * DAY, 14 * DAY]),
        ([0, 30 * DAY, 60 * DAY, 61 * DAY], Keep(monthly=2), [60 * DAY, 61 * DAY]),
        # One stays if any rule keeps it.
        ([0, 1, 2, DAY, 8 * DAY], Keep(last=2, daily=2), [2, 8 * DAY]),
        ([0, 1, 2, DAY, 8 * DAY], Keep(last=2, weekly=2), [2, DAY]),
        ([0, 0], Keep(last=1), []),
    ],
)
def test_what_is_kept(hours: list[int], keep: Keep, gone: list[int]) -> None:
    assert surplus(ago(*hours), keep) == ago(*gone)


def test_repeated_runs_keep_what_the_rule_says() -> None:
    """A year of archives, one an hour, tidied at each: the rule holds at the end, and the newest never goes."""
    keep, archives = Keep(last=3, hourly=24, daily=7, weekly=4, monthly=12), []
    for hour in range(400 * DAY, -1, -1):
        archives.append(START - timedelta(hours=hour))
        gone = set(surplus(archives, keep))
        assert archives[-1] not in gone
        archives = [moment for moment in archives if moment not in gone]
    assert len({moment.strftime("%Y%m") for moment in archives}) == 12
    assert len({moment.strftime("%Y%m%d") for moment in archives}) >= 7 + 11
    assert len(archives) < 24 + 7 + 4 + 12


def test_around_the_turn_of_the_year_a_week_is_one() -> None:
    monday, sunday = datetime(2026, 12, 28, tzinfo=timezone.utc), datetime(2027, 1, 3, tzinfo=timezone.utc)
    assert surplus([monday, sunday], Keep(weekly=2)) == [monday]
