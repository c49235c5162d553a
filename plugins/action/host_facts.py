# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module host_facts and compares the host's clock with the controller's."""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.host_machine import clock_offset


class ActionModule(ActionBase):
    """host_facts with a clock on both sides of the round trip."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module; add clock.offset and clock.tolerance."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        sent = time.time()
        result.update(self._execute_module(task_vars=task_vars))
        received = time.time()
        clock = result.get("host", {}).get("clock")
        if clock:
            clock["offset"], clock["tolerance"] = clock_offset(sent, received, clock["epoch"], clock["duration"])
        return result
