"""A plan that is shown: never "Nothing is to be done" where the input is refused below it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
STEP = {"host": "w1", "subject": "drain", "before": "", "after": "drained"}
NOTHING = "Nothing is to be done."
# Where its module fails before the plan is shown, there is nothing to leave out.
FAIL_BEFORE = ("roles/drain/tasks/uncordon.yml", "roles/upgrade/tasks/main.yml")


def plan_tasks() -> dict[str, dict[str, Any]]:
    """The tasks that show a plan, by their files."""
    found = {}
    for path in sorted([*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/*.yml")]):
        pending = yaml.safe_load(path.read_text()) or []
        while pending:
            item = pending.pop()
            if "plan" in (item.get("groundwork.kubernetes.show") or {}):
                found[str(path.relative_to(ROOT))] = item
            for part in ("tasks", "block", "always", "rescue"):
                pending += item.get(part, [])
    return found


TASKS = plan_tasks()


def variables(plan: list[dict[str, Any]], faults: list[str]) -> dict[str, Any]:
    preview = {"plan": plan, **({"reasons": faults} if faults else {})}
    judged = {"plan": plan, "faults": faults, "notes": []}
    return {
        "__certificates_plan": {"items": plan, "faults": faults, "notes": [], "table": ["CERTIFICATE"]},
        "__certificates_rotation_plan": {"items": plan, "faults": faults, "text": ["HOST"]},
        "certificates_rotation": "trust",
        "__drain_preview": preview,
        "__migrate_runtime_plan": judged,
        "__reboot_plan": judged,
        "__user_preview": preview,
        "__remove_node_judged": judged,
        "__reset_plan": plan,
        "__reset_faults": faults,
        "__reset_summary": "cluster kubernetes",
    }


@pytest.mark.parametrize("path", sorted(TASKS.keys() - set(FAIL_BEFORE)))
def test_a_refusal_is_not_called_nothing(tmp_path: Path, path: str) -> None:
    cases = {
        "refused": variables([], ["worker-9 is no node"]),
        "refused in part": variables([STEP], ["worker-9 is no node"]),
        "nothing": variables([], []),
    }
    tasks = [{**TASKS[path], "name": name, "vars": given} for name, given in cases.items()]
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "play.yml"],
        cwd=tmp_path,
        env={**os.environ, "ANSIBLE_CONFIG": str(tmp_path / "none.cfg"), "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = dict(zip(cases, done.stdout.split("TASK [")[1:], strict=True))
    assert NOTHING not in said["refused"]
    assert (NOTHING in said["refused in part"], "w1" in said["refused in part"]) == (False, True)
    assert NOTHING in said["nothing"]
