"""Results as a table, and into the page that shows them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .faults import Outcome

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
HEADER = (
    "| fault | host | calls | failed reads | failed writes | longest without a read | without a write | "
    "acknowledged writes lost | healthy again after |\n|---|---|---|---|---|---|---|---|---|"
)


def row(outcome: Outcome) -> str:
    """One line of the table."""
    figures = outcome.figures
    if figures is None:
        measured = ["", "", "", "", "", ""]
    else:
        measured = [
            str(figures.calls),
            str(figures.failed_reads),
            str(figures.failed_writes),
            f"{figures.read_gap:.1f} s",
            f"{figures.write_gap:.1f} s",
            f"{figures.lost} of {figures.writes}",
        ]
    recovered = "" if outcome.recovered is None else f"{outcome.recovered:.0f} s"
    cells = [f"`{outcome.name}`: {outcome.title}", outcome.target, *measured, recovered]
    return "| " + " | ".join(cells) + " |"


def table(outcomes: Iterable[Outcome]) -> str:
    """The table of all outcomes."""
    return "\n".join([HEADER, *map(row, outcomes)])


def notes(outcomes: Iterable[Outcome]) -> str:
    """What else was seen, as a list."""
    return "\n".join(f"- `{outcome.name}`: {note}" for outcome in outcomes for note in outcome.notes)


def page(text: str, measured: str) -> str:
    """A page with what was measured between its two marks.

    Raises:
        ValueError: if it does not have the marks.
    """
    head, _, rest = text.partition(BEGIN)
    _, mark, tail = rest.partition(END)
    if not mark:
        raise ValueError(f"the page does not have {BEGIN} and {END}")
    return f"{head}{BEGIN}\n{measured}\n{END}{tail}"


def write(path: Path, measured: str) -> None:
    """Put what was measured into a page."""
    path.write_text(page(path.read_text(), measured))
