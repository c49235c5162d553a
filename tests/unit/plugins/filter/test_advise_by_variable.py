"""The filter advise_by_variable, on what the module drain says, and in the role drain."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.groundwork.kubernetes.plugins.filter.advise_by_variable import advise_by_variable
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.pods_to_go import Allowed, faults

ROOT = Path(__file__).resolve().parents[4]
POD: dict[str, Any] = {
    "metadata": {"namespace": "default", "name": "web", "uid": "1"},
    "spec": {"terminationGracePeriodSeconds": 600, "volumes": [{"name": "data", "emptyDir": {}}]},
}
SAID = "\n".join(["w1 cannot be drained. Nothing was changed.", *faults(POD, Allowed(timeout=300))])


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("drain", "and drain_timeout is 300 s: raise drain_timeout, or set drain_grace_period to give it less"),
        ("upgrade", "and upgrade_drain_timeout is 300 s: raise upgrade_drain_timeout"),
    ],
)
def test_all_that_a_drain_says_of_options(role: str, expected: str) -> None:
    advice = advise_by_variable(SAID, role).splitlines()
    assert advice == [
        "w1 cannot be drained. Nothing was changed.",
        f"no controller would start it again: remove it, or set {role}_allow_bare_pods to lose it",
        f"its data in emptyDir would be lost (volume data): set {role}_allow_emptydir to lose it",
        f"it may take 600 s to end (terminationGracePeriodSeconds), {expected}",
    ]
    assert advise_by_variable("\n".join(advice), role).splitlines() == advice


def test_the_role_drain_refuses_by_its_variables(tmp_path: Path) -> None:
    tasks = yaml.safe_load((ROOT / "roles" / "drain" / "tasks" / "main.yml").read_text())
    refusal = next(task for task in tasks if task["name"] == "Refuse what speaks against it")
    preview = {"plan": [], "msg": SAID, "reasons": SAID.splitlines()[1:]}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [
            {**refusal, "vars": {"__drain_preview": {"plan": []}}},
            {**refusal, "vars": {"__drain_preview": preview}},
        ],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "play.yml"],
        cwd=tmp_path,
        env={**os.environ, "ANSIBLE_CONFIG": str(tmp_path / "none.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "drain_allow_emptydir" in done.stdout
    assert "skipped=1" in done.stdout
