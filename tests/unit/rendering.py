"""A role's variables as real Ansible renders them, host by host, without running the role."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


def render(
    folder: Path,
    role: str,
    inventory: dict[str, Any],
    facts: dict[str, Any],
    shown: dict[str, str],
    *,
    check: bool = False,
) -> dict[str, dict[str, Any]]:
    """For each host what the expressions give.

    Args:
        folder: where the play is put.
        role: whose defaults, internal variables and templates are used.
        inventory: groups with their hosts and variables, the hosts with their variables, as in a file of YAML.
        facts: what all hosts have as facts, named as in ansible_facts, and what tasks have registered.
        shown: expressions by name.
        check: whether in check mode.
    """
    source = ROOT / "roles" / role
    named = {name if name.startswith("__") else f"ansible_{name}": value for name, value in facts.items()}
    (folder / "templates").symlink_to(source / "templates")
    play = {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [
            {"ansible.builtin.set_fact": {**named, "cacheable": True}},
            {
                "ansible.builtin.copy": {
                    "content": "{{ shown | to_json }}",
                    "dest": f"{folder}/{{{{ inventory_hostname }}}}.json",
                    "mode": "0600",
                },
                "vars": {"shown": shown},
                "check_mode": False,
            },
        ],
    }
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    variables = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    for pattern in ("defaults/main.yml", "defaults/main/*.yml", "vars/main.yml", "vars/main/*.yml"):
        for path in source.glob(pattern):
            variables |= yaml.safe_load(path.read_text())
    # Variables of an outer group are weaker than those of the groups in it, as defaults are.
    (folder / "inventory.yml").write_text(yaml.safe_dump({"defaults": {**inventory, "vars": variables}}))
    program = Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run(
        [program, "--inventory", folder / "inventory.yml", folder / "play.yml", *(["--check"] if check else [])],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
