"""The first play of every playbook, run by real Ansible: what it sees of the inventory, also under --limit."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[4]
FIRST = ROOT / "playbooks" / "plays" / "inventory.yml"
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
Play = Callable[..., Any]


def inventory(groups: dict[str, list[str]], **variables: Any) -> dict[str, Any]:
    children = {name: {"hosts": {host: {} for host in hosts}} for name, hosts in groups.items()}
    return {"all": {"vars": {**LOCAL, **variables}, "children": children}}


SOUND = {"kube_control_plane": ["cp1"], "kube_node": ["w1"], "web": ["a"]}
CASES: dict[str, tuple[dict[str, Any], list[str], int, str]] = {
    "sound, but for a host of others": (inventory(SOUND), [], 0, "[host-unplaced] a is in none"),
    "let pass": (inventory(SOUND, preflight_ignore=["host-unplaced"]), [], 0, ""),
    "misspelt": (inventory({"kube_control_plan": ["cp1"]}), [], 2, "error [group-similar] the group kube_control_plan"),
    "a limit to a host of others": (inventory(SOUND), ["--limit", "a"], 2, "error [run-empty] nothing would be done"),
    "a limit to a worker": (inventory(SOUND), ["--limit", "w1"], 0, ""),
    "no host": (
        {"all": {"children": {"kube_control_plane": {}}}},
        [],
        2,
        "error [group-missing] the inventory has no host",
    ),
    "a name in the inventory": (
        inventory({"masters": ["cp1"]}, kubernetes_control_plane_group="masters"),
        [],
        2,
        "error [group-variable] kubernetes_control_plane_group is masters on cp1",
    ),
    "a name on the command line": (
        inventory({"masters": ["cp1"]}),
        ["-e", "kubernetes_control_plane_group=masters"],
        0,
        "",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_first_play(play: Play, tmp_path: Path, name: str) -> None:
    hosts, options, rc, expected = CASES[name]
    done = play(tmp_path, FIRST, *options, inventory=hosts)
    assert done.rc == rc, done.output
    assert expected in done.output
    assert ("unplaced" in done.output) == ("unplaced" in expected or "limit to a worker" in name)


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_playbook_begins_with_it(path: Path) -> None:
    first = yaml.safe_load(path.read_text())[0]
    assert first == {"name": "Judge the inventory", "ansible.builtin.import_playbook": "plays/inventory.yml"}
