# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run, or a check, says of each host: the record behind the callback report, its tables and its file."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.plan import columns
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import listed
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.interruptions import (
    Interruption,
    grouped,
    interruptions,
)

# The version of the file's form. It is raised when a field is renamed, removed or means something else.
SCHEMA = 1
WIDTH = 100
COUNTS = ("ok", "changed", "skipped", "failed", "unreachable", "rescued", "ignored")
# Columns that every table of hosts has; the others where a host has something in them.
ALWAYS = ("ok", "changed", "failed")

Counts = Mapping[str, int]


@dataclass(frozen=True)
class Change:
    """A task that changed something on a host, or would."""

    host: str
    play: str
    role: str
    task: str
    module: str
    effects: dict[str, list[str]]


@dataclass(frozen=True)
class Failure:
    """A task that failed on a host, or did not reach it."""

    host: str
    play: str
    role: str
    task: str
    message: str


@dataclass
class RunRecord:
    """A run of playbooks.

    Attributes:
        check: whether it is one in check mode.
        hosts: those of the plays, in the order of the plays and the inventory.
        steps: the records of plans that were shown, as plain values.
        results: the same of what came of them.
    """

    check: bool = False
    playbooks: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)

    def saw(self, hosts: Sequence[str]) -> None:
        """Note hosts of a play."""
        self.hosts += [host for host in hosts if host not in self.hosts]

    def result(self, counts: Mapping[str, Counts]) -> str:
        """What came of all, by the counts of hosts. Where no host was looked at nothing is known, so it is refused."""
        if not counts or any(count["failed"] or count["unreachable"] for count in counts.values()):
            return "refused" if self.check else "failed"
        changed = any(count["changed"] for count in counts.values())
        # A plan that is shown in check mode need not have tasks that say the same.
        planned = self.steps if self.check else [row for row in self.results if row.get("result") == "changed"]
        return "changes" if changed or planned else "unchanged"

    def ordered(self, counts: Mapping[str, Counts]) -> list[str]:
        """The hosts that have counts in their order, those of no play last."""
        return [host for host in self.hosts if host in counts] + sorted(set(counts) - set(self.hosts))

    def document(self, counts: Mapping[str, Counts], seconds: float) -> dict[str, Any]:
        """The content of the file: docs/plan-and-report.md describes it."""
        return {
            "schema": SCHEMA,
            "check": self.check,
            "playbooks": self.playbooks,
            "result": self.result(counts),
            "seconds": round(seconds, 1),
            "hosts": [{"host": host, "result": outcome(counts[host]), **counts[host]} for host in self.ordered(counts)],
            "changes": [asdict(change) for change in sorted(self.changes, key=lambda one: self._place(one.host))],
            "interruptions": [asdict(one) for one in self.interruptions()],
            "steps": self.steps,
            "results": self.results,
            "failures": [asdict(failure) for failure in self.failures],
        }

    def _place(self, host: str) -> int:
        return self.hosts.index(host) if host in self.hosts else len(self.hosts)

    def change_lines(self) -> list[str]:
        """All changes as a table, host by host; hosts with the same stand in one row."""
        alike: dict[tuple[tuple[str, str, str], ...], list[str]] = {}
        for host in sorted({change.host for change in self.changes}, key=lambda name: (self._place(name), name)):
            alike.setdefault(tuple(self._cells(host)), []).append(host)
        rows: list[tuple[str, str, str, str]] = []
        for cells, hosts in alike.items():
            names = [*hosts, *[""] * len(cells)]
            for number, (role, kind, what) in enumerate(cells):
                first, *rest = textwrap.wrap(what, WIDTH, break_long_words=False, break_on_hyphens=False) or [""]
                rows.append((names[number], role, kind, first))
                rows += [("", "", "", line) for line in rest]
            rows += [(name, "", "", "") for name in hosts[len(cells) :]]
        return columns([("HOST", "ROLE", "CHANGE", "WHAT"), *rows]) if rows else []

    def interruptions(self) -> list[Interruption]:
        """What the changes stop for a while, each once."""
        changes = sorted(self.changes, key=lambda change: self._place(change.host))
        found = (one for change in changes for one in interruptions(change.host, change.module, change.effects))
        return list(dict.fromkeys(found))

    def interruption_lines(self) -> list[str]:
        """The same as a table; hosts with the same stand in one row."""
        rows = [(listed(hosts), what, meanwhile) for hosts, what, meanwhile in grouped(self.interruptions())]
        return columns([("HOST", "RESTARTS", "MEANWHILE"), *rows]) if rows else []

    def _cells(self, host: str) -> list[tuple[str, str, str]]:
        """Role, kind and names of a host's changes; those of one kind in a role belong together."""
        found: dict[tuple[str, str], list[str]] = {}
        for change in self.changes:
            if change.host == host:
                for kind, names in (change.effects or {"task": [change.task]}).items():
                    found.setdefault((change.role, kind), []).extend(names)
        return [(role or "-", kind, ", ".join(dict.fromkeys(names))) for (role, kind), names in found.items()]

    def host_lines(self, counts: Mapping[str, Counts]) -> list[str]:
        """The hosts as a table."""
        shown = [name for name in COUNTS if name in ALWAYS or any(count[name] for count in counts.values())]
        return columns(
            [("HOST", *(name.upper() for name in shown), "RESULT")]
            + [
                (host, *(str(counts[host][name]) for name in shown), outcome(counts[host]))
                for host in self.ordered(counts)
            ]
        )


def outcome(counts: Counts) -> str:
    """What came of a host."""
    for name in ("unreachable", "failed", "changed"):
        if counts[name]:
            return name
    return "unchanged"


def message_lines(result: Mapping[str, Any]) -> list[str]:
    """The text of a failure, one fault per line; of a program also what it printed."""
    if "censored" in result:
        return [str(result["censored"])]
    message = result.get("msg", "")
    lines = [str(line) for line in message] if isinstance(message, list) else str(message).strip().splitlines()
    if result.get("assertion") and lines in ([], ["Assertion failed"]):
        lines = [f"Assertion failed: {result['assertion']}"]
    if "rc" in result and result.get("cmd"):
        command = result["cmd"]
        shown = " ".join(map(str, command)) if isinstance(command, list) else str(command)
        lines.append(f"command: {shown} (exit code {result['rc']})")
    for name in ("stderr", "stdout", "module_stderr", "module_stdout"):
        printed = [line for line in str(result.get(name) or "").strip().splitlines() if line not in lines]
        lines += [f"{name}:", *(f"  {line}" for line in printed)] if printed else []
    return lines or ["It failed without a message."]
