# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter backup_authority_hosts."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.backup_source import authority_hosts

DOCUMENTATION = r"""
name: backup_authority_hosts
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: Which hosts of external etcd are asked for the keys of its CAs
description:
  - Those that keep the keys come first. More than half of the members are asked, as many as a quorum needs.
options:
  _input:
    description: Names of the hosts of etcd.
    type: list
    elements: str
    required: true
  ca_hosts:
    description: Hosts that keep the keys.
    type: list
    elements: str
    required: true
  lost:
    description: Hosts that failed in this run or could not be reached.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show who is asked
  ansible.builtin.debug:
    msg: "{{ groups['etcd'] | groundwork.kubernetes.backup_authority_hosts(ca_hosts=['etcd-1'], lost=[]) }}"
"""

RETURN = r"""
_value:
  description: The hosts.
  type: list
  elements: str
  sample: [etcd-1, etcd-2]
"""


def backup_authority_hosts(etcd_hosts: Any, *, ca_hosts: Any, lost: Any) -> List[str]:
    """The hosts."""
    return authority_hosts(list(etcd_hosts), list(ca_hosts), list(lost))


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"backup_authority_hosts": backup_authority_hosts}
