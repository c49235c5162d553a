"""What the role restore tells at its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles" / "restore"
SAVED = "/var/backups/kubernetes/before-restore/example-20261122T081400Z.tar"
OLD = "/var/lib/etcd/before-restore-20261122T081500Z"


def end(folder: Path, *flags: str, **variables: Any) -> str:
    """What real Ansible prints for the last task of the role."""
    given = {
        "__restore_end": yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__restore_end"],
        "__restore_plan": {"action": "restore", "id": "20261122T081500Z"}, "kubernetes_cluster_name": "example",
        "__restore_saved": {"path": SAVED}, "__restore_finished": {"old_data": OLD}, "restore_rollback": False,
        **variables,
    }  # fmt: skip
    tasks = yaml.safe_load((ROLE / "tasks" / "finish.yml").read_text())[-1:]
    play = {"hosts": "cp-1", "gather_facts": False, "vars": given, "tasks": tasks}
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    program = Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run(
        [program, "--inventory=cp-1,", *flags, "play.yml"],
        cwd=folder,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_a_check_does_not_end_as_if_it_had_restored(tmp_path: Path) -> None:
    printed = end(tmp_path)
    assert "done: restore 20261122T081500Z of the cluster example" in printed
    assert f"saved in {SAVED}" in printed
    assert f"The old data is in {OLD}" in printed
    checked = end(tmp_path, "--check")
    assert [word for word in ("done:", SAVED, OLD, "Next:") if word in checked] == []


@pytest.mark.parametrize(
    ("variables", "lines"),
    [
        ({"restore_rollback": True}, ["The cluster is as it was before the restore."]),
        (
            {"__restore_saved": {"skipped": True}, "__restore_finished": {"old_data": ""}},
            ["Next: look at the workloads. To go back: the same playbook with restore_rollback=true."],
        ),
    ],
    ids=["rolled back", "nothing saved"],
)
def test_what_else_it_tells(tmp_path: Path, variables: dict[str, Any], lines: list[str]) -> None:
    printed = end(tmp_path, **variables)
    assert [line for line in lines if line not in printed] == []
    assert (OLD in printed) is False
