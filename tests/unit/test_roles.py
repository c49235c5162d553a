"""Every role says the same in its defaults, its argument_specs and its README."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if (path / "tasks" / "main.yml").exists())
SHARED = ROOT / "roles" / "kubernetes" / "defaults" / "main.yml"


def load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text()) or {}


def own_defaults(role: str) -> dict[str, Any]:
    if role == "kubernetes":
        return load(SHARED)
    paths = (ROOT / "roles" / role / "defaults" / "main").glob("*.yml")
    return {name: value for path in sorted(paths) if not path.is_symlink() for name, value in load(path).items()}


def options(role: str) -> dict[str, dict[str, Any]]:
    specs = load(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]
    return {name: option for spec in specs.values() for name, option in spec.get("options", {}).items()}


@pytest.mark.parametrize("role", ROLES)
def test_argument_specs_have_the_same_names_and_defaults(role: str) -> None:
    specified = {name: option["default"] for name, option in options(role).items() if "default" in option}
    assert specified == own_defaults(role)


@pytest.mark.parametrize("role", ROLES)
def test_each_option_has_a_type_a_description_and_a_default_or_is_required(role: str) -> None:
    for name, option in options(role).items():
        assert option["type"], name
        assert option["description"], name
        assert ("default" in option) != option.get("required", False), name
        assert option["type"] != "list" or option["elements"], name


@pytest.mark.parametrize("role", ROLES)
def test_defaults_pass_the_roles_own_argument_specs(role: str) -> None:
    """What Ansible does before the role's first task, with all that is no expression."""
    plain = {name: value for name, value in own_defaults(role).items() if "{{" not in str(value)}
    specified = {name: option for name, option in options(role).items() if name in plain}
    assert ArgumentSpecValidator(specified).validate(plain).error_messages == []


@pytest.mark.parametrize("role", ROLES)
def test_variables_carry_the_prefix_of_their_role(role: str) -> None:
    assert [name for name in own_defaults(role) if not name.startswith(f"{role}_")] == []


@pytest.mark.parametrize("role", ROLES)
def test_internal_variables_carry_the_internal_prefix(role: str) -> None:
    folder = ROOT / "roles" / role / "vars"
    paths = [*folder.glob("main.yml"), *folder.glob("main/*.yml")]
    names = [name for path in paths for name in load(path)]
    assert [name for name in names if not name.startswith(f"__{role}_")] == []


@pytest.mark.parametrize("role", [role for role in ROLES if role != "kubernetes"])
def test_shared_variables_come_from_one_file(role: str) -> None:
    link = ROOT / "roles" / role / "defaults" / "main" / "kubernetes.yml"
    assert link.is_symlink()
    assert link.resolve() == SHARED


@pytest.mark.parametrize("role", ROLES)
def test_readme_has_a_table_row_for_each_variable(role: str) -> None:
    readme = (ROOT / "roles" / role / "README.md").read_text()
    cells = " ".join(line.split("|")[1] for line in readme.splitlines() if line.startswith("|"))
    assert [name for name in options(role) if f"`{name}`" not in cells] == []


@pytest.mark.parametrize("role", ROLES)
def test_readme_names_no_variable_that_does_not_exist(role: str) -> None:
    readme = (ROOT / "roles" / role / "README.md").read_text()
    cells = " ".join(line.split("|")[1] for line in readme.splitlines() if line.startswith("|"))
    named = re.findall(rf"`({role}_\w+)`", cells)
    assert [name for name in named if name not in options(role)] == []


def needs(role: str) -> dict[str, str]:
    """What the README says the role needs: of hosts, facts, groups and other roles."""
    readme = (ROOT / "roles" / role / "README.md").read_text()
    section = re.search(
        r"^## What it needs\n\| of \| what \|\n\|---\|---\|\n(.*?)\n\n", readme, re.MULTILINE | re.DOTALL
    )
    assert section, f"{role} has no such section"
    return dict(re.findall(r"^\| ([a-z ]+) \| (.+) \|$", section[1], re.MULTILINE))


def code_of(role: str) -> str:
    """A role's own tasks, variables and templates."""
    paths = [
        path
        for part in ("tasks", "vars", "templates", "defaults")
        for path in (ROOT / "roles" / role / part).rglob("*")
    ]
    return "\n".join(path.read_text() for path in paths if path.is_file() and path.resolve() != SHARED)


@pytest.mark.parametrize("role", ROLES)
def test_readme_says_which_groups_are_read(role: str) -> None:
    shared = load(SHARED)
    read = {shared[name] for name in set(re.findall(r"\bkubernetes_\w+_group\b", code_of(role)))}
    # What preflight judges hosts by is found by an action plugin.
    read |= {"kube_node"} if role == "preflight" else set()
    assert set(re.findall(r"`(kube_(?:control_plane|node|load_balancer)|etcd)`", needs(role)["groups"])) == read


@pytest.mark.parametrize("role", ROLES)
def test_readme_says_whether_facts_are_needed(role: str) -> None:
    code = code_of(role)
    # By themselves, or through variables that are made of them.
    used = re.search(r"ansible_facts\[|\bkubernetes_(node_ip|architecture)\b|\baddresses\(hostvars", code)
    included = {name for name in ROLES if f"name: groundwork.kubernetes.{name}\n" in code}
    needed = bool(used) or "backup" in included
    gathers = "ansible.builtin.setup:" in code and not used
    assert needs(role)["facts"].startswith("none") == (gathers or not needed)


@pytest.mark.parametrize("role", ROLES)
def test_readme_names_the_roles_that_are_included(role: str) -> None:
    included = set(re.findall(r"^ +name: groundwork\.kubernetes\.(\w+)$", code_of(role), re.MULTILINE))
    assert {name for name in included if f"[{name}](../{name}/README.md)" not in needs(role)["other roles"]} == set()


# Their hosts and order depend on what they find, so that playbooks of the collection choose them.
WITHOUT_PLAYBOOK = {"remove_node", "upgrade"}
# Whose playbook of the README is not run alone; scenario addons runs its role alone.
# migrate_runtime has not been run yet.
NOT_RUN_ALONE = {"addons", "migrate_runtime", "mirror"}


def test_the_scenario_roles_runs_the_playbook_of_each_readme() -> None:
    (play,) = yaml.safe_load((ROOT / "molecule" / "roles" / "alone.yml").read_text())
    run = {case["role"] for case in play["vars"]["cases"] if "role" in case}
    texts = {role: (ROOT / "roles" / role / "README.md").read_text() for role in ROLES}
    with_playbook = {
        role for role, text in texts.items() if re.search(r"^```yaml\n- (name: .+\n  )?hosts: ", text, re.MULTILINE)
    }
    assert run | NOT_RUN_ALONE == with_playbook == set(ROLES) - WITHOUT_PLAYBOOK
    assert run & NOT_RUN_ALONE == set()


def booleans() -> set[str]:
    return {
        name
        for specs in ROOT.glob("roles/*/meta/argument_specs.yml")
        for point in yaml.safe_load(specs.read_text())["argument_specs"].values()
        for name, option in (point.get("options") or {}).items()
        if option.get("type") == "bool"
    }


def decides(line: str) -> list[str]:
    """The switches that a line decides by as they are; a module converts what is handed to it."""
    code = line.split("#", maxsplit=1)[0]
    if not re.search(r"\bwhen: |\bif \w|\band \w|\bor \w|\w (and|or|else)\b|^\s*- \w+$", code):
        return []
    return [name for name in sorted(BOOLEANS) if re.search(rf"\b{name}\b(?!\s*\||[=:]| to )", code)]


BOOLEANS = booleans()


def test_a_switch_from_the_command_line_is_read_as_a_boolean() -> None:
    """With --extra-vars name=false a variable is text, which counts as true wherever it is not converted."""
    found = [
        f"{path.relative_to(ROOT)}: {', '.join(names)}"
        for folder in ("tasks", "vars", "templates")
        for path in sorted((ROOT / "roles").glob(f"*/{folder}/**/*"))
        if path.is_file()
        for line in path.read_text().splitlines()
        if (names := decides(line))
    ]
    assert not found
    assert decides("  when: backup_timer") == ["backup_timer"]
    assert decides("  when: backup_timer | bool and other") == []
    assert decides("    - backup_timer") == ["backup_timer"]
    assert decides("    keep: '{{ backup_timer }}'") == []


def scalars(node: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from scalars(item)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from (*scalars(key), *scalars(value))


def escapes_that_stay(text: str) -> list[int]:
    """Lines of expressions with an escape such as that of a line's end, which only a text in double quotes resolves."""
    return [
        node.start_mark.line + 1
        for node in scalars(yaml.compose(text, yaml.SafeLoader))
        if node.style != '"' and re.search(r"{[{%].*\\[nt]", node.value, re.DOTALL)
    ]


def test_a_line_end_in_an_expression_is_one() -> None:
    paths = [path for name in ("roles", "playbooks") for path in sorted((ROOT / name).rglob("*.yml")) if path.is_file()]
    assert {str(path): lines for path in paths if (lines := escapes_that_stay(path.read_text()))} == {}
    assert escapes_that_stay("a: >-\n  {{ b | join('\\n') }}\n") == [1]
    assert escapes_that_stay("a: \"{{ b | join('\\n') }}\"\n") == []


def test_only_templates_know_what_ansible_manages() -> None:
    """The variable ansible_managed is made for a template as it is read; a task that names it fails."""
    files = [path for folder in ("tasks", "vars", "defaults") for path in ROOT.glob(f"roles/*/{folder}/**/*.yml")]
    assert files
    assert [str(path.relative_to(ROOT)) for path in files if "ansible_managed" in path.read_text()] == []
