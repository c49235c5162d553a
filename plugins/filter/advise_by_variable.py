# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter advise_by_variable."""

from __future__ import annotations

from typing import Callable, Dict

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import faults

DOCUMENTATION = r"""
name: advise_by_variable
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: What a module says of its options, with the variables of a role
description:
  - Puts a role's variables in the place of the options of M(groundwork.kubernetes.drain) and
    M(groundwork.kubernetes.etcd_guard) that a message says to set.
options:
  _input:
    description: The message.
    type: str
    required: true
  role:
    description: The role, with which the names of its variables begin.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse what the module refuses
  ansible.builtin.fail:
    msg: "{{ preview.msg | groundwork.kubernetes.advise_by_variable('drain') }}"
"""

RETURN = r"""
_value:
  description: The message.
  type: str
"""


def advise_by_variable(text: object, role: str) -> str:
    """The message with the role's variables."""
    return faults.advise_by_variable(str(text), role)


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., str]]:
        """The filter by its name."""
        return {"advise_by_variable": advise_by_variable}
