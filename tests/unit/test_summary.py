"""The closing tables of site and verify are printed as lines, whichever format Ansible prints results in."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROW = f"control-plane-1  Ready  {'containerd://1.6.20  ' * 8}Debian GNU/Linux 12 (bookworm)"
SHOWN = {
    "__site_cluster": {"summary": f"Nodes: 1 of 1 ready\n\n{ROW}", "exists": True},
    "__verify_result": {"table": f"CHECK  RESULT\n{ROW}"},
}


def printing_task(path: str, name: str) -> dict[str, Any]:
    """A task by its name, wherever it stands in a file."""
    pending = yaml.safe_load((ROOT / path).read_text())
    while pending:
        item = pending.pop()
        if item.get("name") == name:
            return dict(item)
        for part in ("tasks", "block", "always"):
            pending += item.get(part, [])
    raise LookupError(name)


@pytest.mark.parametrize("check", [[], ["--check"]])
@pytest.mark.parametrize("form", ["yaml", "json"])
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("playbooks/site.yml", "Print the cluster and what to do next"),
        ("roles/verify/tasks/main.yml", "Print the checks"),
    ],
)
def test_no_line_is_broken(tmp_path: Path, path: str, name: str, form: str, check: list[str]) -> None:
    (tmp_path / "templates").symlink_to(ROOT / "playbooks" / "templates")
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": SHOWN,
        "vars_files": [str(ROOT / "roles" / "verify" / "vars" / "main.yml")],
        "tasks": [printing_task(path, name)],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    environment = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": form, "ANSIBLE_CONFIG": str(tmp_path / "none.cfg")}
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "play.yml", *check],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ROW in [line.strip().strip('",') for line in done.stdout.splitlines()]
    assert "\\n" not in done.stdout


@pytest.mark.parametrize("sources", [["hosts.yml"], ["my hosts", "more"], ["localhost,"]])
def test_the_next_commands_are_of_this_inventory(tmp_path: Path, sources: list[str]) -> None:
    """What is copied word by word reaches the same hosts."""
    (tmp_path / "templates").symlink_to(ROOT / "playbooks" / "templates")
    for source in [one for one in sources if not one.endswith(",")]:
        (tmp_path / source).write_text(yaml.safe_dump({"all": {"hosts": {"localhost": {}}}}))
    task = printing_task("playbooks/site.yml", "Print the cluster and what to do next")
    play = {"hosts": "localhost", "gather_facts": False, "vars": SHOWN, "tasks": [task]}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", *[part for one in sources for part in ("-i", one)], "play.yml"],
        cwd=tmp_path,
        env={**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml", "ANSIBLE_CONFIG": str(tmp_path / "none.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    named = [one if one.endswith(",") else str(tmp_path / one) for one in sources]
    commands = [shlex.split(line, comments=True) for line in done.stdout.splitlines() if "ansible-playbook" in line]
    assert commands == [
        ["ansible-playbook", *[part for one in named for part in ("-i", one)], f"groundwork.kubernetes.{name}"]
        for name in ("verify", "backup")
    ]
