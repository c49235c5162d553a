# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter unit_path."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.text import path_fault

DOCUMENTATION = r"""
name: unit_path
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: A path as one word of a systemd unit
description:
  - A path with spaces is put in quotes, so that systemd reads it as one word.
  - A path with a line break, a control character, a quote, C(\), C($), C(%) or C(`) is refused, since a unit or a shell
    would read something else. So is one that is not absolute.
options:
  _input:
    description: The path.
    type: str
    required: true
seealso:
  - name: systemd.syntax(7)
    description: How units are read.
    link: https://www.freedesktop.org/software/systemd/man/latest/systemd.syntax.html
"""

EXAMPLES = r"""
- name: Show a line of a unit
  ansible.builtin.debug:
    msg: "ExecStart={{ '/opt/my tools/etcd' | groundwork.kubernetes.unit_path }}"
"""

RETURN = r"""
_value:
  description: The word.
  type: str
  sample: '"/opt/my tools/etcd"'
"""


def unit_path(path: Any) -> str:
    """The word."""
    text = str(path)
    fault = path_fault(text)
    if fault:
        raise AnsibleFilterError(f"{text!r} cannot be used: {fault}")
    return f'"{text}"' if len(text.split()) > 1 or text != text.strip() else text


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"unit_path": unit_path}
