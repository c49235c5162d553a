# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter step_rows."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: step_rows
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: What came of the steps of a plan
description:
  - Gives a row for each step of the plan, but for backups and kube-proxy. What was done has its own row, and a step
    that has none gets one with O(result).
options:
  _input:
    description: The plan. Of its steps C(host), C(subject) and C(before) count.
    type: list
    elements: dict
    required: true
  done:
    description: The rows of steps that were begun.
    type: list
    elements: dict
    required: true
  result:
    description: What came of the other steps.
    type: str
    choices: [changed, failed, not reached]
    default: not reached
  seconds:
    description: How long these took.
    type: float
    default: 0
"""

EXAMPLES = r"""
- name: Show what came of it
  groundwork.kubernetes.show:
    results: '{{ upgrade.plan | groundwork.kubernetes.step_rows(done) }}'
"""

RETURN = r"""
_value:
  description: The rows, in the plan's order.
  type: list
  elements: dict
  sample: [{host: worker-1, subject: kubelet, before: 1.36.4, after: 1.36.5, seconds: 31.0, result: changed}]
"""
# Steps that have no row of their own: they are a part of others.
PARTS = ("backup", "kube-proxy", "etcd")


def step_rows(plan: Any, done: Any, result: str = "not reached", seconds: float = 0.0) -> List[Dict[str, Any]]:
    """A row for each step."""
    try:
        rows = {(row["host"], row["subject"]): dict(row) for row in done}
        steps = [step for step in plan if step["subject"] not in PARTS]
        return [
            rows.get((step["host"], step["subject"]))
            or {
                **{key: step[key] for key in ("host", "subject", "before")},
                "after": step["after"] if result == "changed" else "",
                "seconds": seconds,
                "result": result,
            }
            for step in steps
        ]
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(f"step_rows needs steps and rows: {error!r}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"step_rows": step_rows}
