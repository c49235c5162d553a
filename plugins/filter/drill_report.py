# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter drill_report: a drill for people."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup import backup_report as reports

DOCUMENTATION = r"""
name: drill_report
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: What a drill has found, for people
description:
  - Says which archive was tried, how it was proven, who signed it, how long a restore would take, and what it would
    lose.
options:
  _input:
    description: What the filter P(groundwork.kubernetes.restore_plan#filter) returned.
    type: dict
    required: true
  host:
    description: The host where the archive was tried.
    type: str
    required: true
  tried:
    description: What M(groundwork.kubernetes.backup) returned, or of a skipped task.
    type: dict
    required: true
  seconds:
    description: Seconds since the drill began.
    type: float
    required: true
"""

EXAMPLES = r"""
- name: Show the drill
  groundwork.kubernetes.show:
    text: "{{ plan | groundwork.kubernetes.drill_report(host='cp-1', tried=verified, seconds=12.5) | join('\n') }}"
"""

RETURN = r"""
_value:
  description: Lines in two columns.
  type: list
  elements: str
"""


def drill_report(plan: Any, host: str, *, tried: Any, seconds: float) -> List[str]:
    """The lines."""
    try:
        return reports.drill_report(plan, host, tried, float(seconds))
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"drill_report needs a plan of restore_plan: {error!r}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"drill_report": drill_report}
