# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter unit_confinement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.confinement import confinement

DOCUMENTATION = r"""
name: unit_confinement
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: What a service may not do, as lines of a systemd unit
description:
  - Gives the settings that confine every service of this collection, with those of one service besides or instead.
  - Written for the templates of this collection's roles.
options:
  _input:
    description:
      - The service's own settings by name. The address families and capabilities that it needs should be among them.
      - One without a value (null) is left out, so that what systemd or the distribution's unit says holds.
    type: dict
    required: true
seealso:
  - plugin: groundwork.kubernetes.unit_path
    plugin_type: filter
  - name: systemd.exec(5)
    description: What each setting means.
    link: https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html
"""

EXAMPLES = r"""
- name: Show how a service without capabilities is confined
  ansible.builtin.debug:
    msg: "{{ {'CapabilityBoundingSet': '', 'ProtectSystem': 'full'} | groundwork.kubernetes.unit_confinement }}"
"""

RETURN = r"""
_value:
  description: Lines for the section C(Service), sorted.
  type: str
  sample: "CapabilityBoundingSet=\nLockPersonality=true\n"
"""


def _text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def unit_confinement(own: Any) -> str:
    """The lines."""
    if not isinstance(own, Mapping):
        raise AnsibleFilterError("unit_confinement needs settings by name")
    return confinement({str(name): _text(value) for name, value in own.items()})


class FilterModule:
    """The filters of this file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name and function of each."""
        return {"unit_confinement": unit_confinement}
