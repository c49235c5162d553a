# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which archives stay: the rule of the option keep, on the host and for copies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import List, Sequence

RULES = ("last", "hourly", "daily", "weekly", "monthly")
PERIODS = {"hourly": "%Y%m%d%H", "daily": "%Y%m%d", "weekly": "%G-%V", "monthly": "%Y%m"}


@dataclass(frozen=True)
class Keep:
    """How many archives stay: the newest ones, and the newest of each of so many hours, days, weeks and months."""

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0


def surplus(times: Sequence[datetime], keep: Keep) -> List[datetime]:
    """Which of the good archives no rule keeps, newest first; the newest one always stays."""
    newest_first = sorted(set(times), reverse=True)
    kept = set(newest_first[: max(keep.last, 1)])
    for rule, form in PERIODS.items():
        newest_of = {moment.strftime(form): moment for moment in reversed(newest_first)}
        kept.update(sorted(newest_of.values(), reverse=True)[: max(getattr(keep, rule), 0)])
    return [moment for moment in newest_first if moment not in kept]
