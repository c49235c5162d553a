# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Diffs of what is not a file: a host's running state as lines of text."""

from __future__ import annotations

from typing import Any, Dict, List


def diff_lines(title: str, before: List[str], after: List[str]) -> List[Dict[str, Any]]:
    """One entry for Ansible's diff mode, or none where the lines are the same."""
    if before == after:
        return []
    return [
        {
            "before_header": title,
            "after_header": title,
            "before": "".join(f"{line}\n" for line in before),
            "after": "".join(f"{line}\n" for line in after),
        }
    ]
