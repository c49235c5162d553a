# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the inventory's groups and variables on the controller, once, before any play chooses its hosts by them."""

from __future__ import annotations

from typing import Any

from ansible import context
from ansible.plugins.action import ActionBase
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import faults
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.host_variables import (
    raw_variables,
    template_variables,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.preloaded import load_filters
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import argument_specs, groups, inputs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.input_reader import ROLES, InputReader
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import GROUP_VARIABLES

IGNORE = "preflight_ignore"
OPTIONS: dict[str, Any] = {"variables": {"type": "str", "choices": ["forms", "all"], "default": "forms"}}

load_filters()


class ActionModule(ActionBase):
    """Finds every fault that can be told from the inventory, and fails with one message."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Judge, and fail with one message."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(OPTIONS)
        variables = task_vars or {}
        everyone = variables["groups"].get("all") or []
        # Plays see what the command line gives, and nothing of the inventory.
        extra = self._task.get_variable_manager().extra_vars
        mirror, usual = groups.MIRROR
        given, _problems = template_variables(self._loader, dict(extra), [*GROUP_VARIABLES.values(), IGNORE, mirror])
        names = {role: str(given.get(variable) or groups.USUAL[role]) for role, variable in GROUP_VARIABLES.items()}
        elsewhere: dict[str, dict[str, list[str]]] = {}
        ignore = given.get(IGNORE)
        for host in everyone:
            raw = raw_variables(self._task, variables, host)
            values, _problems = template_variables(self._loader, raw, [*GROUP_VARIABLES.values(), IGNORE])
            ignore = ignore or values.pop(IGNORE, None)
            for variable in values.keys() & set(GROUP_VARIABLES.values()):
                elsewhere.setdefault(variable, {}).setdefault(str(values[variable]), []).append(host)
        run = variables["ansible_play_hosts_all"]
        beside = variables["groups"].get(str(given.get(mirror) or usual)) or []
        found = groups.judge(groups.Inventory(variables["groups"], names, run, elsewhere, beside))
        asked, left_out = (tuple(context.CLIARGS.get(option) or ()) for option in ("tags", "skip_tags"))
        found += groups.judge_tags(asked, left_out, self._task.tags)
        everything = options["variables"] == "all"
        of_hosts = self._inputs(variables, set(names.values()), everything=everything)
        if not faults.check_ignore(ignore):  # else the roles say so
            found, of_hosts = faults.apply_ignore(found, ignore), faults.apply_ignore(of_hosts, ignore)
        # Where all are judged, preflight tells the warnings, too.
        found += [fault for fault in of_hosts if fault.severity == faults.ERROR or not everything]
        printed = faults.show_errors(found, everyone, "Inventory")
        ending = "Nothing was touched. Correct the inventory and run again."
        result.update(faults.as_result(found, everyone, "Inventory", ending, printed))
        return result

    def _inputs(self, variables: dict[str, Any], names: set[str], everything: bool) -> list[faults.Fault]:
        """What can be told of the variables of the cluster's hosts before any is reached."""
        members = {host for name in names for host in variables["groups"].get(name) or []}
        reader = InputReader(self._task, self._loader, variables, argument_specs.load_specs(ROLES))
        hosts = [reader.host(name)[0] for name in variables["ansible_play_hosts"] if name in members]
        return inputs.early_faults(reader.inputs(hosts), everything) if hosts else []
