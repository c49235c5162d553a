# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter crio_handlers."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.containerd import crio_handlers

DOCUMENTATION = r"""
name: crio_handlers
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: OCI runtimes in the form of CRI-O's configuration
description:
  - Gives what stands below C(crio.runtime.runtimes) for the OCI runtimes of C(container_runtime_handlers).
options:
  _input:
    description: The runtimes, in the form of C(container_runtime_handlers).
    type: list
    elements: dict
    required: true
seealso:
  - plugin: groundwork.kubernetes.containerd_config
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show the handlers
  ansible.builtin.debug:
    msg: "{{ [{'name': 'crun', 'path': '/usr/bin/crun'}] | groundwork.kubernetes.crio_handlers }}"
"""

RETURN = r"""
_value:
  description: The runtimes by name.
  type: dict
  sample: {crun: {runtime_path: /usr/bin/crun, runtime_type: oci}}
"""


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"crio_handlers": crio_handlers}
