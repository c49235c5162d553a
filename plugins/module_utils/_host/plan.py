# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a playbook of a cluster's life is going to do, and what it did: the same two records in all of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

RESULTS = ("changed", "unchanged", "failed", "not reached")


class PlanError(Exception):
    """A record that cannot be read; the message names the field."""


def known_fields(kind: Any, value: Mapping[str, Any]) -> Dict[str, Any]:
    """The fields of a record, if it has no others and lacks none.

    Raises:
        PlanError: otherwise.
    """
    names = {field.name for field in fields(kind)}
    unknown = sorted(set(value) - names)
    if unknown:
        raise PlanError(f"{kind.__name__} has no field {', '.join(unknown)}")
    try:
        kind(**value)
    except TypeError as error:
        raise PlanError(str(error)) from error
    return dict(value)


@dataclass(frozen=True)
class PlanItem:
    """One step: what changes on which host, from what to what, and what that costs. The steps stand in their order."""

    host: str
    subject: str
    before: str
    after: str
    restarts: Tuple[str, ...] = ()
    evicts: Tuple[str, ...] = ()
    disrupts: str = ""

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> PlanItem:
        """From a dictionary.

        Raises:
            PlanError: if it has other fields.
        """
        known = known_fields(cls, value)
        return cls(**{**known, **{name: tuple(known.get(name) or ()) for name in ("restarts", "evicts")}})

    def describe(self) -> Dict[str, Any]:
        """As a dictionary of plain values."""
        return {**asdict(self), "restarts": list(self.restarts), "evicts": list(self.evicts)}


@dataclass(frozen=True)
class ResultRow:
    """What came of a step: what the host had before and has now, in how many seconds."""

    host: str
    subject: str
    before: str
    after: str
    seconds: float
    result: str

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> ResultRow:
        """From a dictionary.

        Raises:
            PlanError: if it has other fields, or the result is none that is known.
        """
        row = cls(**known_fields(cls, value))
        if row.result not in RESULTS:
            raise PlanError(f"the result {row.result!r} is none of {', '.join(RESULTS)}")
        return row


def columns(rows: Sequence[Sequence[str]]) -> List[str]:
    """Rows as lines whose columns stand below each other."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def plan_lines(items: Sequence[PlanItem]) -> List[str]:
    """The plan as text: a table, and below a step's line what it restarts, evicts and disrupts."""
    if not items:
        return ["Nothing is to be done."]
    rows = columns(
        [("STEP", "HOST", "WHAT", "BEFORE", "AFTER")]
        + [
            (str(number), item.host, item.subject, item.before or "-", item.after or "-")
            for number, item in enumerate(items, 1)
        ]
    )
    lines = [rows[0]]
    for row, item in zip(rows[1:], items):
        lines.append(row)
        lines += [f"      restarts {', '.join(item.restarts)}"] if item.restarts else []
        lines += [f"      evicts {', '.join(item.evicts)}"] if item.evicts else []
        lines += [f"      {item.disrupts}"] if item.disrupts else []
    return lines


def result_lines(rows: Sequence[ResultRow]) -> List[str]:
    """What was done as a table."""
    return columns(
        [("HOST", "WHAT", "BEFORE", "AFTER", "SECONDS", "RESULT")]
        + [
            (row.host, row.subject, row.before or "-", row.after or "-", f"{row.seconds:.0f}", row.result)
            for row in rows
        ]
    )


def shown(
    text: Optional[str], plan: Optional[Sequence[Mapping[str, Any]]], results: Optional[Sequence[Mapping[str, Any]]]
) -> List[str]:
    """The lines of a text, of a plan's records and of results' records, an empty line between them.

    Raises:
        PlanError: if a record cannot be read.
    """
    parts = [
        [] if text is None else text.rstrip().splitlines(),
        [] if plan is None else plan_lines([PlanItem.of(record) for record in plan]),
        [] if results is None else result_lines([ResultRow.of(record) for record in results]),
    ]
    lines = [line for part in parts if part for line in ["", *part]]
    return lines[1:]
