"""What the role reset tells where a host fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.groundwork.kubernetes.tests.unit.rendering import render

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = [
    Path(sys.executable).with_name("ansible-playbook"),
    ROOT / ".build" / "venv-newer" / "bin" / "ansible-playbook",
]


def test_a_line_for_each_host_comes_first(tmp_path: Path) -> None:
    inventory = {"hosts": {name: {"__reset_found": {"summary": f"{name}'s"}} for name in ("cp-1", "w-1")}}
    own = {"kubernetes_cluster_name": "example"}
    registered = {"__reset_inventory": {"hosts": {"cp-1": own, "w-1": own}}}
    shown = render(tmp_path, "reset", inventory, registered, {"text": "{{ __reset_summary }}"})
    assert shown["cp-1"]["text"] == "What goes of the cluster example:\n  cp-1: cp-1's\n  w-1: w-1's\n"


@pytest.mark.parametrize("program", PROGRAMS, ids=["older", "newer"])
def test_the_table_is_printed_if_a_host_fails(tmp_path: Path, program: Path) -> None:
    """With any_errors_fatal, as the play has it: no host goes on."""
    if not program.exists():
        pytest.skip("there is no newer ansible-core")
    tasks = yaml.safe_load((ROOT / "roles" / "reset" / "tasks" / "main.yml").read_text())[-1:]
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "main.yml").write_text(yaml.safe_dump(tasks))
    row = {"host": "{{ inventory_hostname }}", "subject": "parts of the cluster", "before": "3", "after": "0"}
    host = [
        {"ansible.builtin.debug": {"msg": "stops"}, "failed_when": "inventory_hostname == 'b'"},
        {"ansible.builtin.debug": {"msg": "removes"}},
    ]
    (tmp_path / "tasks" / "host.yml").write_text(yaml.safe_dump(host))
    variables = yaml.safe_load((ROOT / "roles" / "reset" / "vars" / "main.yml").read_text())
    plays = [
        {
            "hosts": "all",
            "gather_facts": False,
            "any_errors_fatal": True,
            "vars": {
                **{name: variables[name] for name in ("__reset_rows", "__reset_hosts")},
            },
            "tasks": [
                {"ansible.builtin.set_fact": {"__reset_found": {"row": row}}},
                {"ansible.builtin.import_tasks": "tasks/main.yml"},
            ],
        }
    ]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(plays))
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": {"a": here, "b": here}}}))
    done = subprocess.run(
        [program, "--inventory=inventory.yml", "play.yml"],
        cwd=tmp_path,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "removes" not in done.stdout
    rows = [line.split() for line in done.stdout.splitlines() if "parts of the cluster" in line]
    assert len(rows) == 2, done.stdout + done.stderr
    assert all("not reached" in " ".join(row) for row in rows)
