# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ignored_faults."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import faults

DOCUMENTATION = r"""
name: ignored_faults
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The faults that the user lets pass
description:
  - Reads the variable C(preflight_ignore) in both of its forms, a list for all hosts, or lists by host.
options:
  _input:
    description: The variable.
    type: raw
    required: true
  host:
    description: The host whose faults are meant. Empty for those of the cluster, which no single host lets pass.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Say whether an even number of etcd members is let pass
  ansible.builtin.debug:
    msg: "{{ 'members-even' in (preflight_ignore | groundwork.kubernetes.ignored_faults) }}"
"""

RETURN = r"""
_value:
  description: Names of faults, as preflight shows them in brackets.
  type: list
  elements: str
  sample: [members-even]
"""


def ignored_faults(value: Any, host: str = "") -> List[str]:
    """The names."""
    try:
        return faults.ignored_faults(value, str(host))
    except ValueError as error:
        raise AnsibleFilterError(f"preflight_ignore: {error}") from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name and function of each."""
        return {"ignored_faults": ignored_faults}
