# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges when timers run, as far as systemd would not understand it (systemd.time(7), calendar events)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

CALENDARS = ("backup_timer_calendar", "etcd_defrag_calendar")
KEYWORDS = re.compile(r"minutely|hourly|daily|weekly|monthly|yearly|annually|quarterly|(semi|bi)-?annually")
DAYS = r"(mon(day)?|tue(sday)?|wed(nesday)?|thu(rsday)?|fri(day)?|sat(urday)?|sun(day)?)"
WEEKDAYS = re.compile(rf"{DAYS}((\.\.|-|,){DAYS})*,?")
ZONE = re.compile(r"UTC|[A-Za-z_]+(/[A-Za-z0-9_+-]+)+|[A-Z]{3,5}")
PART = re.compile(r"(\*|\d+(\.\d+)?(\.\.\d+(\.\d+)?)?)(/\d+(\.\d+)?)?")
YEARS, MONTHS, MONTH_DAYS, HOURS, MINUTES = (1970, 2199), (1, 12), (1, 31), (0, 23), (0, 59)
LATEST = 60  # of a second, which leap seconds have
DAY, WEEK = 24 * 60, 7 * 24 * 60  # in minutes
DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# The least and the most minutes between two times of a word.
WORDS = {
    "minutely": (1, 1),
    "hourly": (60, 60),
    "daily": (DAY, DAY),
    "weekly": (WEEK, WEEK),
    "monthly": (28 * DAY, 31 * DAY),
    "quarterly": (90 * DAY, 92 * DAY),
    "semiannually": (181 * DAY, 184 * DAY),
    "yearly": (365 * DAY, 366 * DAY),
    "annually": (365 * DAY, 366 * DAY),
}


def calendars(host: HostInput, _inputs: Inputs) -> Iterator[Fault]:
    """Calendars of timers."""
    for variable in CALENDARS:
        value = host.text(variable)
        if value and not is_calendar(value):
            text = (
                f"{variable} {value!r} is no calendar that systemd reads; write it like Sun *-*-* 03:00:00 or daily "
                "(systemd-analyze calendar tells what one means)"
            )
            yield host.fault("value-invalid", text)
        elif variable in host.values and not value.strip():
            yield host.fault("value-invalid", f"{variable} is empty; write it like *-*-* 02:00:00")


def between_events(text: str) -> tuple[int, int] | None:
    """The least and the most minutes between two events of a calendar; None where it names dates, or is none."""
    if not is_calendar(text):
        return None
    words = [word.lower() for word in _without_zone(text)]
    if len(words) == 1 and KEYWORDS.fullmatch(words[0]):
        return WORDS.get(words[0])
    days = _days(words.pop(0)) if WEEKDAYS.fullmatch(words[0]) else set(range(7))
    if words and not _is_time(words[0]) and words.pop(0) != "*-*-*":
        return None
    hours, minutes = (words[0] if words else "00:00").split(":")[:2]
    moments = sorted(
        day * DAY + hour * 60 + minute
        for day in days
        for hour in _values(hours, *HOURS)
        for minute in _values(minutes, *MINUTES)
    )
    gaps = [after - before for before, after in zip(moments, [*moments[1:], moments[0] + WEEK])]
    return min(gaps), max(gaps)


def _days(text: str) -> set[int]:
    """The days of the week that a list of days and ranges has; 0 is Monday."""
    found: set[int] = set()
    for item in text.strip(",").split(","):
        first, *last = (DAY_NAMES.index(name[:3]) for name in re.split(r"\.\.|-", item))
        length = (last[-1] - first) % 7 + 1 if last else 1
        found |= {(first + at) % 7 for at in range(length)}
    return found


def _values(text: str, lowest: int, highest: int) -> set[int]:
    """The values that a list of values, ranges and repetitions has."""
    found: set[int] = set()
    for item in text.split(","):
        base, _slash, step = item.partition("/")
        first, _dots, last = base.partition("..")
        begin = lowest if first == "*" else int(float(first))
        end = int(float(last)) if last else highest if step or first == "*" else begin
        found |= set(range(begin, end + 1, max(1, int(float(step or 1)))))
    return found


def _without_zone(text: str) -> list[str]:
    """The words of a calendar without the zone of its times."""
    words = text.split()
    if len(words) > 1 and ZONE.fullmatch(words[-1]) and not KEYWORDS.fullmatch(words[-1].lower()):
        words.pop()
    return words


def is_calendar(text: str) -> bool:
    """Whether systemd reads a text as an event in the calendar."""
    words = _without_zone(text)
    if len(words) == 1 and KEYWORDS.fullmatch(words[0].lower()):
        return True
    if words and WEEKDAYS.fullmatch(words[0].lower()):
        words = words[1:]
        if not words:
            return True
    if not words or len(words) > 2:
        return False
    if len(words) == 2:
        return _is_date(words[0]) and _is_time(words[1])
    return _is_date(words[0]) or _is_time(words[0])


def _is_date(text: str) -> bool:
    # A ~ counts the days from the end of the month.
    parts = re.split(r"[-~]", text)
    if text.count("~") > 1 or ("~" in text and "-" in text.partition("~")[2]):
        return False
    ranges = {3: (YEARS, MONTHS, MONTH_DAYS), 2: (MONTHS, MONTH_DAYS)}.get(len(parts), ())
    return bool(ranges) and all(_are_parts(part, *limits) for part, limits in zip(parts, ranges))


def _is_time(text: str) -> bool:
    parts = text.split(":")
    ranges = (HOURS, MINUTES, (0, LATEST))
    return len(parts) in (2, 3) and all(_are_parts(part, *limits) for part, limits in zip(parts, ranges))


def _are_parts(text: str, lowest: int, highest: int) -> bool:
    """Whether a text is a list of values, ranges and repetitions."""
    for part in text.split(","):
        if not PART.fullmatch(part):
            return False
        numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", part.partition("/")[0].replace("..", " "))]
        # A year of two digits is one of this century.
        limit = 0 if lowest == YEARS[0] else lowest
        if any(not limit <= number <= highest for number in numbers):
            return False
    return True
