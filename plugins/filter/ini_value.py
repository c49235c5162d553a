# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ini_value."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.text import ini_fault

DOCUMENTATION = r"""
name: ini_value
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: A value as it stands in rclone's configuration
description:
  - Booleans become C(true) and C(false), and numbers their digits.
  - A text that rclone would read as something else is refused, and not shown. It has a line break or a control
    character, begins or ends with a space, or has what rclone takes for quotes or for another value.
options:
  _input:
    description: The value.
    type: raw
    required: true
seealso:
  - name: rclone's configuration
    description: What its remotes are configured with.
    link: https://rclone.org/docs/#config-file
"""

EXAMPLES = r"""
- name: Show a line
  ansible.builtin.debug:
    msg: "no_check_bucket = {{ true | groundwork.kubernetes.ini_value }}"
"""

RETURN = r"""
_value:
  description: The text.
  type: str
  sample: 'true'
"""


def ini_value(value: Any) -> str:
    """The text."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    fault = ini_fault(text)
    if fault:
        raise AnsibleFilterError(f"a value of rclone's configuration (not shown) cannot be used: {fault}")
    return text


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"ini_value": ini_value}
