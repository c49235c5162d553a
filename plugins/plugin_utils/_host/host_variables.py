# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts' variables as inventory, plays and roles have them, whatever the hosts say of themselves.

Any module's result may hold facts. Where Ansible injects facts as variables, which is its default, a fact named like a
variable wins over the inventory and over role defaults
(https://docs.ansible.com/ansible/latest/playbook_guide/playbooks_variables.html#variable-precedence-where-should-i-put-a-variable).
So a host that was taken over could set variables that decide what is done on other hosts. Here only Ansible's own facts
count, whose names begin with C(ansible_): the inventory may refer to them, and they are no variables of a role.

hostvars knows neither role defaults nor the play's variables. The variable manager does, and it answers for any host as
it does when a task runs there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.template import Templar

PREFIX = "ansible_"
Anything = TypeVar("Anything")


class _OwnFacts:
    """A cache of facts that has Ansible's own only, or none."""

    def __init__(self, cache: Any) -> None:
        self.cache = cache

    def get(self, host: str, _default: Any = None) -> dict[str, Any]:
        """The facts of a host."""
        try:
            facts: Mapping[str, Any] = (self.cache.get(host) if self.cache else None) or {}
        except KeyError:
            facts = {}
        return {name: value for name, value in facts.items() if name.startswith(PREFIX)}

    __getitem__ = get


def _twin(original: Anything, **other: Any) -> Anything:
    """The same object with other attributes; the original stays as it is, and no constructor is run."""
    twin = object.__new__(type(original))
    twin.__dict__.update(original.__dict__, **other)
    return twin


def _manager(original: Any, facts: bool = True) -> Any:
    # Whether facts are injected is read once, when Ansible starts. What is injected is read from here each time.
    return _twin(original, _fact_cache=_OwnFacts(original._fact_cache if facts else None))


def inventory_of(hostvars: Any, facts: bool = True) -> Any:
    """The mapping hostvars as the inventory has it, with what tasks have registered.

    Args:
        hostvars: Ansible's.
        facts: whether Ansible's own facts are there for variables that refer to them.
    """
    original = getattr(hostvars, "_variable_manager", None)
    return hostvars if original is None else _twin(hostvars, _variable_manager=_manager(original, facts))


def raw_variables(task: Task, task_vars: Mapping[str, Any], host: str, of_play: bool = True) -> dict[str, Any]:
    """A host's variables as a task would get them on that host, before templating.

    Args:
        task: the task that asks.
        task_vars: its own variables.
        host: the host's name.
        of_play: whether the variables that the play sets count for that host.
    """
    # The task knows the variable manager; the inventory's host objects are found through hostvars only.
    hostvars = task_vars["hostvars"]
    host_object = hostvars._inventory.get_host(host)
    play = task.get_play()
    if not of_play:
        # Role defaults are only found through a play.
        play = play.copy()
        play.vars, play.vars_files = {}, []
    variables: dict[str, Any] = _manager(task.get_variable_manager()).get_vars(play=play, host=host_object, task=task)
    # Below this name facts override nothing.
    return {**variables, "ansible_facts": hostvars.raw_get(host).get("ansible_facts", {})}


def given_names(task: Task, task_vars: Mapping[str, Any], host: str) -> frozenset[str]:
    """The names of all variables that inventory, plays, tasks or the command line set for a host: no role's defaults.

    Args:
        task: the task that asks.
        task_vars: its own variables.
        host: the host's name.
    """
    play = task.get_play().copy()
    play.roles = []
    inventory_host = task_vars["hostvars"]._inventory.get_host(host)
    found: Mapping[str, Any] = _manager(task.get_variable_manager()).get_vars(play=play, host=inventory_host)
    given = {*found, *task.get_vars(), *task.get_include_params()}
    if task._role:
        given |= {*task._role.get_role_params(task.get_dep_chain()), *task._role.vars}
    return frozenset(given)


def without_facts(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The variables that are left where nothing that the host says of itself counts."""
    facts = variables.get("ansible_facts", {})
    own = {PREFIX + name for name in facts} | {"ansible_local"}
    return {**{name: value for name, value in variables.items() if name not in own}, "ansible_facts": {}}


def template_variables(
    loader: DataLoader, variables: dict[str, Any], names: Iterable[str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The values of those names that are set, and why a value could not be had."""
    templar = Templar(loader=loader, variables=variables)
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name in names:
        if name in variables:
            try:
                values[name] = templar.template(variables[name])
            except AnsibleError as error:
                problems[name] = str(error).splitlines()[0].rstrip(".: ")
    return values, problems
