# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the variables of all hosts on the controller, once, before anything is touched."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import faults
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.host_variables import (
    given_names,
    raw_variables,
    template_variables,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.preloaded import load_filters
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import (
    argument_specs,
    host_settings,
    inputs,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.input_reader import ROLES, InputReader
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

OPTIONS: dict[str, Any] = {
    "ignore": {"type": "raw", "default": []},
    "names_only": {"type": "bool", "default": False},
    "switches": {"type": "bool", "default": True},
}
ENDING = "Nothing was touched. Correct the variables and run again."
# What the first play of every playbook and the role preflight register of their judgement.
JUDGED = {"__inventory_judged": "The playbook's first play", "__preflight_inputs": "The role preflight"}

load_filters()


class ActionModule(ActionBase):
    """Finds every fault of the inputs and returns what preflight needs of them."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Judge, and fail with one message."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(OPTIONS)
        variables = task_vars or {}
        if options["names_only"]:
            return {**result, **self._names(variables)}
        specs = argument_specs.load_specs(ROLES)
        played = variables["ansible_play_hosts"]
        reader = InputReader(self._task, self._loader, variables, specs)
        hosts, early = [], faults.check_ignore(options["ignore"])
        for name in played:
            host, missing = reader.host(name)
            hosts.append(host)
            early += missing
        given = reader.inputs(hosts)
        found = [*early, *inputs.find_faults(given, of_switches=options["switches"])]
        if not any(fault.text.startswith("preflight_ignore: it") for fault in early):
            found = faults.apply_ignore(found, options["ignore"])
        printed = faults.show_errors(found, played, "Inputs")
        result.update(faults.as_result(found, played, "Inputs", ENDING, printed))
        if not result.get("failed"):
            result["settings"] = {host.name: host_settings.host_settings(host, given) for host in hosts}
        return result

    def _names(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """What is wrong with the names of variables, as a result; nothing that a host says of itself counts."""
        played = task_vars["ansible_play_hosts"]
        raw = raw_variables(self._task, task_vars, played[0])
        judge = next((judge for name, judge in JUDGED.items() if name in raw), "")
        if judge:
            return {"changed": False, "skipped": True, "skip_reason": f"{judge} has judged them"}
        ignore = template_variables(self._loader, raw, ["preflight_ignore"])[0].get("preflight_ignore") or []
        hosts = [HostInput(name, {}, names=given_names(self._task, task_vars, name)) for name in played]
        given = Inputs(hosts, {}, argument_specs.load_specs(ROLES))
        found = [fault for host in hosts for fault in argument_specs.names(host, given)]
        if not faults.check_ignore(ignore):  # else preflight says so
            found = faults.apply_ignore(found, ignore)
        printed = faults.show_errors(found, played, "Inputs")
        return faults.as_result(found, played, "Inputs", ENDING, printed)
