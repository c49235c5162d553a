# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter backup_report: a backup for people."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup import backup_report as reports

DOCUMENTATION = r"""
name: backup_report
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: What people need to know of a backup
description:
  - Says where the archive is, how large it is, how it was proven, who signed it, where it was copied, and what else is
    in the folder.
options:
  _input:
    description: What M(groundwork.kubernetes.backup) returned.
    type: dict
    required: true
  host:
    description: The host that made it.
    type: str
    required: true
  controller:
    description: Its path on the machine that runs Ansible, or nothing.
    type: str
    default: ''
  check:
    description: Whether it is check mode.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show the backup
  groundwork.kubernetes.show:
    text: "{{ made | groundwork.kubernetes.backup_report(host='cp-1') | join('\n') }}"
"""

RETURN = r"""
_value:
  description: Lines in two columns.
  type: list
  elements: str
"""


def backup_report(made: Any, host: str, controller: str = "", check: bool = False) -> List[str]:
    """The lines."""
    try:
        return reports.backup_report(made, host, controller, check=check)
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"backup_report needs what the module backup returned: {error!r}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"backup_report": backup_report}
