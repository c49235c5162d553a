# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the variables of all hosts on the controller, once, before anything is touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import faults
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.host_variables import (
    given_names,
    raw_variables,
    template_variables,
    without_facts,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.preloaded import load_filters
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import (
    argument_specs,
    host_settings,
    inputs,
    inventory,
    kubespray,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    GROUP_VARIABLES,
    IDENTITY,
    HostInput,
    Inputs,
    Specs,
)

ROLES = Path(__file__).resolve().parents[2] / "roles"
OPTIONS: dict[str, Any] = {
    "ignore": {"type": "raw", "default": []},
    "names_only": {"type": "bool", "default": False},
}
ENDING = "Nothing was touched. Correct the variables and run again."
# What the role preflight registers of this action.
BY_PREFLIGHT = "__preflight_inputs"
# Variables that are in scope here whatever the play's other roles are, so that they must be possible to evaluate.
OWN_PREFIXES = ("kubernetes_", "preflight_")

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
        hosts, early = [], faults.check_ignore(options["ignore"])
        for name in played:
            host, missing = self._host(name, variables, specs)
            hosts.append(host)
            early += missing
        folders = [*self._task.get_search_path(), self._loader.get_basedir()]
        given = Inputs([*hosts, *self._others(variables, hosts)], variables["groups"], specs, folders)
        found = [*early, *inputs.find_faults(given)]
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
        if BY_PREFLIGHT in raw:
            return {"changed": False, "skipped": True, "skip_reason": "The role preflight has judged them"}
        ignore = template_variables(self._loader, raw, ["preflight_ignore"])[0].get("preflight_ignore") or []
        hosts = [HostInput(name, {}, names=given_names(self._task, task_vars, name)) for name in played]
        given = Inputs(hosts, {}, argument_specs.load_specs(ROLES))
        found = [fault for host in hosts for fault in argument_specs.names(host, given)]
        if not faults.check_ignore(ignore):  # else preflight says so
            found = faults.apply_ignore(found, ignore)
        printed = faults.show_errors(found, played, "Inputs")
        return faults.as_result(found, played, "Inputs", ENDING, printed)

    def _host(self, name: str, task_vars: dict[str, Any], specs: Specs) -> tuple[HostInput, list[faults.Fault]]:
        """A host's variables; a fault where its facts are missing and something needs them."""
        raw, names = raw_variables(self._task, task_vars, name), given_names(self._task, task_vars, name)
        known = argument_specs.defaults(specs)
        values, problems = template_variables(self._loader, {**known, **raw}, known.keys() - names)
        # Roles' own defaults may refer to what exists only inside the role; those judge for themselves. What is set may
        # refer to the variable of any role, but with what is a role's alone nothing can be said of it here, either.
        problems = {variable: why for variable, why in problems.items() if variable.startswith(OWN_PREFIXES)}
        others = {**argument_specs.written_defaults(specs), **raw}
        own_values, undefined = template_variables(self._loader, others, known.keys() & names)
        values.update(own_values)
        problems.update({variable: why for variable, why in undefined.items() if "'__" not in why})
        values = {variable: value for variable, value in values.items() if variable in raw or value is not None}
        values = {**argument_specs.following(specs, values.get("kubernetes_version")), **values}
        facts = raw.get("ansible_facts", {})
        missing = []
        of_facts = sorted(variable for variable, why in problems.items() if "' is undefined" not in why)
        if of_facts and not {"default_ipv4", "architecture"} <= facts.keys():
            text = (
                f"facts were not gathered, and {', '.join(of_facts)} need them; run with gather_facts: true "
                "(subsets platform, distribution and default_ipv4 at least)"
            )
            missing = [faults.Fault("facts-missing", text, name)]
            problems = {variable: why for variable, why in problems.items() if variable not in of_facts}
        own, _unknown = template_variables(self._loader, without_facts(raw), IDENTITY)
        foreign, _unreadable = template_variables(
            self._loader, raw, names & kubespray.load().lost.keys() - known.keys()
        )
        return HostInput(name, {**foreign, **values}, problems, names, inventory=own), missing

    def _others(self, task_vars: dict[str, Any], hosts: list[HostInput]) -> list[HostInput]:
        """The cluster's hosts that this play leaves out, as far as they are known."""
        played = Inputs(hosts, task_vars["groups"], {})
        members = {name for role in GROUP_VARIABLES for name in played.members(role)}
        others = []
        for name in sorted(members - {host.name for host in hosts}):
            raw = raw_variables(self._task, task_vars, name)
            values, _problems = template_variables(self._loader, raw, inventory.OF_OTHERS)
            others.append(HostInput(name, values, limited=True))
        return others
