# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One table of what all hosts fulfil of the CIS Kubernetes Benchmark, and what of it was promised and is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.objects import columns, listed, one_line
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.hardening_items import ITEMS

# What an item is, is not for a host to say.
KNOWN = {item.number: item for item in ITEMS}
DETAIL = 100
HOSTS = 3
# The result of several hosts is the first of these that one of them has.
ORDER = ("failed", "unknown", "passed", "none")
# How a table says it: where it was promised, and where it was not.
SHOWN = {
    "failed": ("FAILED", "differs"),
    "unknown": ("UNKNOWN", "unknown"),
    "passed": ("passed", "passed"),
    "none": ("-", "-"),
}


def _key(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in number.split("."))


def _details(found: Sequence[tuple[str, Mapping[str, Any]]], *, named: bool) -> str:
    """What hosts have, once where they have the same, with their names if those matter."""
    details = {item["detail"] for _host, item in found}
    if len(details) == 1:
        hosts = sorted(host for host, _item in found)
        return f"{details.pop()} ({listed(hosts, HOSTS)})" if named else details.pop()
    shown = [f"{host}: {item['detail']}" for host, item in sorted(found, key=lambda pair: pair[0])]
    return "; ".join(shown[:HOSTS]) + (f"; and {len(shown) - HOSTS} more" if len(shown) > HOSTS else "")


def report(results: Mapping[str, Iterable[Mapping[str, Any]]], *, strict: bool = True) -> dict[str, Any]:
    """The table, what of the promised is missing, and a line that sums up.

    Args:
        results: what the module hardening_info found, by host.
        strict: whether what is promised and cannot be checked is missing, too.
    """
    by_number: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for host, found in results.items():
        for item in (item for item in found if item["number"] in KNOWN):
            by_number.setdefault(item["number"], []).append((host, item))
    rows, missing, passed = [["ITEM", "RESULT", "BY", "WHAT", "DETAIL"]], [], 0
    wrong = ("failed", "unknown") if strict else ("failed",)
    for number in sorted(by_number, key=_key):
        pairs = by_number[number]
        broken = [pair for pair in pairs if pair[1]["promised"] and pair[1]["result"] in wrong]
        worst = min((item["result"] for _host, item in broken or pairs), key=ORDER.index)
        concerned = [pair for pair in broken or pairs if pair[1]["result"] == worst]
        known = KNOWN[number]
        shown = SHOWN[worst][0 if any(item["promised"] for _host, item in concerned) else 1]
        detail = _details(concerned, named=bool(broken) or len(concerned) < len(pairs))
        rows.append([number, shown, known.by, known.title, one_line(detail, DETAIL)])
        passed += worst == "passed"
        if broken:
            missing.append(f"{number} {known.title}: {detail}")
    summary = f"{passed} of {len(by_number)} items are fulfilled, {len(missing)} of the promised are not"
    return {"table": "\n".join(columns(rows)), "missing": missing, "summary": summary}
