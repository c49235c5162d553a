# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter result_lines."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import plan

DOCUMENTATION = r"""
name: result_lines
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: What came of the steps of a plan as lines of text
description:
  - Rows are records with the fields C(host), C(subject), C(before), C(after), C(seconds) and C(result).
  - The result is C(changed), C(unchanged), C(failed) or C(not reached).
options:
  _input:
    description: The records.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show them
  ansible.builtin.debug:
    msg: "{{ steps | groundwork.kubernetes.result_lines }}"
  vars:
    steps:
      - host: worker-1
        subject: kubelet
        before: 1.20.2
        after: 1.20.3
        seconds: 12.4
        result: changed
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
  sample:
    - "HOST      WHAT     BEFORE  AFTER   SECONDS  RESULT"
    - "worker-1  kubelet  1.20.2  1.20.3  12       changed"
"""


def result_lines(records: Any) -> List[str]:
    """The records as lines.

    Raises:
        AnsibleFilterError: if one has unknown fields or lacks one.
    """
    try:
        return plan.result_lines([plan.ResultRow.of(record) for record in records])
    except plan.PlanError as error:
        raise AnsibleFilterError(f"result_lines: {error}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"result_lines": result_lines}
