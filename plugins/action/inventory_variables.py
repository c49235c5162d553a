# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluates variables on the controller as the inventory has them, whatever hosts say of themselves."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.host_variables import (
    raw_variables,
    template_variables,
    without_facts,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.preloaded import load_filters

# A host's name decides which object of the cluster is changed for it.
IDENTITY = "kubernetes_node_name"

load_filters()


class ActionModule(ActionBase):
    """Gives the variables of all hosts of the play."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Evaluate, and name all that cannot be evaluated."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(
            {"names": {"type": "list", "elements": "str", "required": True}}
        )
        variables = task_vars or {}
        hosts, faults = {}, []
        for host in variables["ansible_play_hosts"]:
            hosts[host], problems = self._values(raw_variables(self._task, variables, host), options["names"])
            faults += [f"{name} of {host} cannot be evaluated: {problem}" for name, problem in problems.items()]
        result.update(changed=False, hosts=hosts)
        if faults:
            result.update(failed=True, msg="; ".join(faults))
            if self._task.no_log:
                # It holds names and no values.
                Display().error(result["msg"])
        return result

    def _values(self, raw: dict[str, Any], names: list[str]) -> tuple[dict[str, Any], dict[str, str]]:
        values, problems = template_variables(self._loader, raw, [name for name in names if name != IDENTITY])
        if IDENTITY in names:
            own, wrong = template_variables(self._loader, without_facts(raw), [IDENTITY])
            values.update(own)
            problems.update({name: f"{why}; facts of the host do not count for it" for name, why in wrong.items()})
        return values, problems
