# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter newest_backup."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.newest_backup import newest_backup as newest

DOCUMENTATION = r"""
name: newest_backup
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The newest proven backup of a cluster, and who signed it
description:
  - Puts together what M(groundwork.kubernetes.backup_info) returned of several hosts.
positional: trusted_signers
options:
  _input:
    description: The results of a loop. Those of hosts that could not be asked do not count.
    type: list
    elements: dict
    required: true
  trusted_signers:
    description: Public keys of those who make the cluster's archives, in the form of OpenSSH.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Say who signed it
  ansible.builtin.debug:
    msg: '{{ (backups.results | groundwork.kubernetes.newest_backup(backup_trusted_signers)).signed }}'
"""

RETURN = r"""
_value:
  description:
    - C(found) says whether there is one, C(age) is its age in seconds, C(signed) says in words who signed it.
    - C(unidentified) are archives that carry no identity of a cluster, and do not count.
  type: dict
  sample: {found: true, age: 3600, signed: not signed, unidentified: []}
"""


def newest_backup(results: Any, trusted_signers: Any) -> Dict[str, Any]:
    """The newest one as a dictionary."""
    try:
        return newest(list(results), list(trusted_signers))
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"newest_backup needs results of backup_info: {error!r}") from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name and function of each."""
        return {"newest_backup": newest_backup}
