# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All hosts' variables for an action that runs once, each host's with role defaults and play variables.

hostvars knows neither role defaults nor the play's variables. The variable manager does, and it answers for any host as
it does when a task runs there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.template import Templar


def raw_variables(task: Task, task_vars: Mapping[str, Any], host: str, of_play: bool = True) -> dict[str, Any]:
    """A host's variables as a task would get them on that host, before templating.

    Args:
        task: the task that asks.
        task_vars: its own variables.
        host: the host's name.
        of_play: whether the variables that the play sets count for that host.
    """
    # The task knows the variable manager; the inventory's host objects are found through hostvars only.
    host_object = task_vars["hostvars"]._inventory.get_host(host)
    play = task.get_play()
    if not of_play:
        # Role defaults are only found through a play.
        play = play.copy()
        play.vars, play.vars_files = {}, []
    variables: dict[str, Any] = task.get_variable_manager().get_vars(play=play, host=host_object, task=task)
    return variables


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
