# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of a cluster as the module cluster_verify returns them, and as people read them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, List

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.objects import columns, one_line

TABLE_DETAIL = 160


@dataclass(frozen=True)
class Check:
    """One check as the module returns it."""

    name: str
    passed: bool
    skipped: bool
    detail: str
    seconds: float

    @property
    def failed(self) -> bool:
        """Whether the check was made and the cluster did not pass it."""
        return not self.passed and not self.skipped

    def as_dict(self) -> Dict[str, Any]:
        """The check in the module's result."""
        return asdict(self)


def table(checks: List[Check]) -> str:
    """The checks as aligned text."""
    rows = [["CHECK", "RESULT", "SECONDS", "DETAIL"]]
    for check in checks:
        result = "skipped" if check.skipped else "passed" if check.passed else "FAILED"
        rows.append([check.name, result, f"{check.seconds:.1f}", one_line(check.detail, TABLE_DETAIL)])
    return "\n".join(columns(rows))


def failure(checks: List[Check]) -> str:
    """The message that lists all failed checks, empty where none has."""
    failed = [check for check in checks if check.failed]
    if not failed:
        return ""
    made = len([check for check in checks if not check.skipped])
    lines = [f"- {check.name}: {check.detail}" for check in failed]
    return "\n".join([f"The cluster failed {len(failed)} of {made} checks:", *lines])
