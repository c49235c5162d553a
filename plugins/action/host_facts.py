# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module host_facts with the host's registries, and compares its clock with the controller's."""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.host_variables import (
    raw_variables,
    template_variables,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import images
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.host_machine import clock_offset


class ActionModule(ActionBase):
    """host_facts with what containerd is told of registries, and a clock on both sides of the round trip."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module; add clock.offset and clock.tolerance."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = {**self._registries(task_vars or {}), **self._task.args}
        sent = time.time()
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        received = time.time()
        clock = result.get("host", {}).get("clock")
        if clock:
            clock["offset"], clock["tolerance"] = clock_offset(sent, received, clock["epoch"], clock["duration"])
        return result

    def _registries(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Where containerd asks for the images; nothing that the host says of itself counts."""
        wanted = self._task.args.get("images")
        if not wanted:
            return {}
        raw = raw_variables(self._task, task_vars, task_vars["inventory_hostname"])
        values, _problems = template_variables(self._loader, raw, images.VARIABLES)
        proxies = images.proxies(values)
        return {
            "registries": images.registries(wanted, values),
            "registry_no_proxy": proxies.pop("no", ""),
            "registry_proxies": proxies,
        }
