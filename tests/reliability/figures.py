"""What a probe's calls amount to: nothing is called here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figures:
    """How the API was to its clients while something was wrong."""

    calls: int
    failed_reads: int
    failed_writes: int
    read_gap: float  # longest time without a successful read, in seconds
    write_gap: float
    writes: int  # acknowledged ones
    lost: int  # acknowledged and not there later
    errors: dict[str, int]  # what failed calls said, and how often


def summarize(lines: Iterable[dict[str, Any]]) -> Figures:
    """The figures of all lines that a probe printed.

    Raises:
        ValueError: if the probe did not come to its end, so that nothing is known of lost writes.
    """
    calls: dict[str, list[dict[str, Any]]] = {"read": [], "write": [], "end": []}
    for line in lines:
        calls[line["call"]].append(line)
    if not calls["end"]:
        raise ValueError("the probe did not come to its end")
    both = calls["read"] + calls["write"]
    failed = {name: [call for call in calls[name] if not call["ok"]] for name in ("read", "write")}
    return Figures(
        calls=len(both),
        failed_reads=len(failed["read"]),
        failed_writes=len(failed["write"]),
        read_gap=longest_gap(calls["read"]),
        write_gap=longest_gap(calls["write"]),
        writes=len(calls["write"]) - len(failed["write"]),
        lost=max(call.get("lost", 0) for call in both + calls["end"]),
        errors=dict(Counter(kind(call["error"]) for name in failed for call in failed[name]).most_common()),
    )


def longest_gap(calls: list[dict[str, Any]]) -> float:
    """Seconds between the ends of two successful calls, the probe's own begin and end counted as such."""
    if not calls:
        return 0.0
    ends = [call["at"] + call["seconds"] for call in calls]
    times = [calls[0]["at"], *(end for end, call in zip(ends, calls, strict=True) if call["ok"]), ends[-1]]
    return max(later - earlier for earlier, later in zip(times, times[1:], strict=False))


def kind(error: str) -> str:
    """An error without what differs from call to call."""
    text = re.sub(r"^\[(?:Errno|SSL)[^\]]*\] |^_ssl\.c:\d+: ", "", error)
    text = re.sub(r"\d+\.\d+\.\d+\.\d+(:\d+)?", "ADDRESS", text)
    return re.sub(r" \(_ssl\.c:\d+\)", "", text)[:90]
