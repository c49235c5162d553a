# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what is judged of hosts' variables, as a task of Ansible sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.host_variables import (
    given_names,
    raw_variables,
    template_variables,
    without_facts,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import argument_specs, inventory, kubespray
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    GROUP_VARIABLES,
    IDENTITY,
    HostInput,
    Inputs,
    Specs,
)

ROLES = Path(__file__).resolve().parents[3] / "roles"
# Variables that are in scope wherever they are judged, so that they must be possible to evaluate.
OWN_PREFIXES = ("kubernetes_", "preflight_")


class InputReader:
    """Reads for one task.

    Args:
        task: the task that judges.
        loader: of files.
        task_vars: the task's variables.
        specs: the roles' argument specs.
    """

    def __init__(self, task: Task, loader: DataLoader, task_vars: Mapping[str, Any], specs: Specs) -> None:
        self.task, self.loader, self.task_vars, self.specs = task, loader, task_vars, specs

    def inputs(self, hosts: Sequence[HostInput]) -> Inputs:
        """Hosts with those beside them."""
        folders = [*self.task.get_search_path(), self.loader.get_basedir()]
        return Inputs([*hosts, *self._others(hosts)], self.task_vars["groups"], self.specs, folders)

    def host(self, name: str) -> tuple[HostInput, list[Fault]]:
        """A host's variables; a fault where its facts are missing and something needs them."""
        specs = self.specs
        raw, names = raw_variables(self.task, self.task_vars, name), given_names(self.task, self.task_vars, name)
        known = argument_specs.defaults(specs)
        values, problems = template_variables(self.loader, {**known, **raw}, known.keys() - names)
        # Roles' own defaults may refer to what exists only inside the role; those judge for themselves. What is set may
        # refer to the variable of any role, but with what is a role's alone nothing can be said of it here, either.
        problems = {variable: why for variable, why in problems.items() if variable.startswith(OWN_PREFIXES)}
        others = {**argument_specs.written_defaults(specs), **raw}
        own_values, undefined = template_variables(self.loader, others, known.keys() & names)
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
            missing = [Fault("facts-missing", text, name)]
            problems = {variable: why for variable, why in problems.items() if variable not in of_facts}
        own, _unknown = template_variables(self.loader, without_facts(raw), IDENTITY)
        foreign, _unreadable = template_variables(self.loader, raw, names & kubespray.load().lost.keys() - known.keys())
        return HostInput(name, {**foreign, **values}, problems, names, inventory=own), missing

    def complete(self, name: str) -> HostInput:
        """A host's variables with all defaults as their roles would evaluate them, as far as that can be told here."""
        host, _missing = self.host(name)
        raw = raw_variables(self.task, self.task_vars, name)
        written = argument_specs.written_defaults(self.specs)
        values, _problems = template_variables(self.loader, {**written, **raw}, written.keys() - host.values.keys())
        return replace(
            host, values={**{name: value for name, value in values.items() if value is not None}, **host.values}
        )

    def _others(self, hosts: Sequence[HostInput]) -> list[HostInput]:
        """The cluster's hosts that this play leaves out, as far as they are known."""
        played = Inputs(hosts, self.task_vars["groups"], {})
        members = {name for role in GROUP_VARIABLES for name in played.members(role)}
        others = []
        for name in sorted(members - {host.name for host in hosts}):
            raw = raw_variables(self.task, self.task_vars, name)
            values, _problems = template_variables(self.loader, raw, inventory.OF_OTHERS)
            others.append(HostInput(name, values, limited=True))
        return others
