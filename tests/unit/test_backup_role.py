"""The role backup tells the module the same in a play and in the timer's program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible_collections.groundwork.kubernetes.plugins.modules import backup

ROLE = Path(__file__).resolve().parents[2] / "roles" / "backup"
MODULE = "groundwork.kubernetes.backup"
# What only a play knows, and what differs: a play makes one now or says itself how old the last one may be.
OF_A_PLAY = {"extra_files"}
DIFFERENT = {"host", "unless_newer", "take_turns"}


def load(path: str) -> Any:
    return yaml.safe_load((ROLE / path).read_text())


def test_a_play_and_the_timer_give_the_same_options() -> None:
    [task] = [task for task in load("tasks/make.yml") if MODULE in task]
    play, timer = task[MODULE], load("vars/main.yml")["__backup_parameters"]
    assert set(play) - OF_A_PLAY == set(timer)
    assert set(play) <= set(backup.ARGUMENTS)
    assert {name for name in timer if play[name] != timer[name]} == DIFFERENT


def test_what_can_fail_ends_the_play_for_all_hosts() -> None:
    """A change must not go on elsewhere when the backup before it failed."""
    tasks = [*load("tasks/make.yml"), *load("tasks/before.yml"), *load("tasks/main.yml")]
    failing = [task for task in tasks if MODULE in task or "ansible.builtin.assert" in task]
    assert failing
    assert [task["name"] for task in failing if task.get("run_once") is not True] == []
