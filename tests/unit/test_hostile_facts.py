"""What is done on a host for another one is told by no variable that a fact of the other could set."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
# Roles whose plays have hosts that are trusted with nothing but themselves.
OF_NODES = ("cni", "endpoint", "preflight", "worker")
EXPRESSIONS = ("when", "that", "until", "failed_when", "changed_when", "break_when")


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text()) or {}


def tasks(items: list[dict[str, Any]], around: tuple[dict[str, Any], ...] = ()) -> Iterator[dict[str, Any]]:
    """All tasks, with the conditions and variables of the blocks around them."""
    for item in items:
        parts = [part for name in ("block", "rescue", "always") for part in item.get(name, [])]
        if parts:
            yield from tasks(parts, (*around, {"when": item.get("when", []), "vars": item.get("vars", {})}))
        else:
            yield {**item, "around": list(around)}


def all_tasks(role: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted((ROOT / "roles" / role / "tasks").glob("*.yml")):
        for task in tasks(load(path) or []):
            yield path, task


ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if (path / "tasks").is_dir())
PUBLIC = {
    name
    for path in (ROOT / "roles").glob("*/meta/argument_specs.yml")
    for point in load(path)["argument_specs"].values()
    for name in point.get("options") or {}
}


def expressions(value: Any, key: str = "") -> Iterator[str]:
    """What Ansible evaluates of a task."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from expressions(inner, name if key not in EXPRESSIONS else key)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner, key)
    elif isinstance(value, str):
        yield from [value] if key in EXPRESSIONS else re.findall(r"\{[{%](.*?)[%}]\}", value, re.DOTALL)
        for name in re.findall(r"'ansible.builtin.template', '([\w.-]+)'", value):
            for path in (ROOT / "roles").glob(f"*/templates/{name}"):
                yield from expressions(path.read_text())


def variables(text: str) -> set[str]:
    """The variables that an expression names; not attributes, filters and texts."""
    plain = re.sub(r"'[^']*'|\"[^\"]*\"", "''", text)
    return set(re.findall(r"(?<![\w.|])(?<!\| )(?:__)?[a-z]\w*", plain))


def reached(texts: list[str], internal: dict[str, Any], seen: set[str]) -> set[str]:
    """All variables that these expressions depend on, through the role's own ones."""
    for name in {name for text in texts for name in variables(text)} - seen:
        seen.add(name)
        reached(list(expressions(internal.get(name))), internal, seen)
    return seen


@pytest.mark.parametrize("role", ROLES)
def test_facts_of_a_delegated_task_stay_where_it_ran(role: str) -> None:
    found = []
    for path, task in all_tasks(role):
        include = task.get("ansible.builtin.include_tasks")
        for part in (task, include.get("apply", {}) if isinstance(include, dict) else {}):
            found += (
                [f"{path.name}: {task['name']}"] if "delegate_to" in part and not part.get("delegate_facts") else []
            )
    assert found == []


@pytest.mark.parametrize("role", ROLES)
def test_no_file_with_tasks_is_chosen_by_a_variable_alone(role: str) -> None:
    chosen = []
    for _path, task in all_tasks(role):
        include = task.get("ansible.builtin.include_tasks", "")
        file = include["file"] if isinstance(include, dict) else include
        literal = re.fullmatch(r"\{\{ \{('\w+': '\w+\.yml'(, )?)+\}\[\w+\] \}\}", file)
        steps = file == "{{ step }}.yml" and task["loop"] == "{{ __endpoint_preparations }}"
        chosen += [file] if "{{" in file and not literal and not steps else []
    assert chosen == []


@pytest.mark.parametrize("role", OF_NODES)
def test_other_hosts_get_nothing_that_a_fact_could_set(role: str) -> None:
    internal: dict[str, Any] = {}
    for path in (ROOT / "roles" / role / "vars").rglob("*.yml"):
        internal |= load(path)
    found = []
    for path, task in all_tasks(role):
        if not {"delegate_to", "run_once"} & task.keys():
            continue
        own = task.get("vars", {})
        names = reached(list(expressions(task)), {**internal, **own}, set())
        registered = {name for name in names if name.startswith("__")} - internal.keys() - own.keys()
        # What the task itself registers, and the items of includes.
        registered -= {task.get("register", ""), "__preflight_other", "__worker_batch"}
        found += [f"{path.name}: {task['name']}: {name}" for name in sorted((names & PUBLIC) | registered)]
    assert found == []


def test_what_an_expression_names() -> None:
    assert variables("a | b('c') + d.e[f] if not 'g' in h") >= {"a", "d", "f", "h"}
    assert not variables("a | b('c') + d.e[f]") & {"b", "c", "e"}
    assert reached(["x"], {"x": "{{ y.z }}", "y": {"k": "{{ cni_plugin }}"}}, set()) == {"x", "y", "cni_plugin"}
