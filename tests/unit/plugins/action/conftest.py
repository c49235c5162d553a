"""What the tests of actions share: plays of real Ansible on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

COLLECTIONS = Path(__file__).resolve().parents[4] / ".build" / "collections"
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
HERE = {"all": {"vars": LOCAL, "hosts": {"localhost": {}}}}


class Played(NamedTuple):
    """What came of a run: the exit code, the results in JSON, and all that was said."""

    rc: int
    stdout: str
    output: str

    @property
    def tasks(self) -> dict[str, Any]:
        """The first play's results by task and host."""
        start = self.stdout.find("{")
        assert start >= 0, self.output
        tasks = json.loads(self.stdout[start:])["plays"][0]["tasks"]
        return {task["task"]["name"]: task["hosts"] for task in tasks}


@pytest.fixture(scope="session")
def play() -> Callable[..., Played]:
    """play(folder, play or path of a playbook, option, ..., inventory=None): a run in a folder, its bin in PATH."""

    def run(
        folder: Path, what: dict[str, Any] | Path, *options: str, inventory: dict[str, Any] | None = None
    ) -> Played:
        if isinstance(what, dict):
            content = [{"hosts": "all", "gather_facts": False, **what}]
            (folder / "play.yml").write_text(yaml.safe_dump(content, sort_keys=False))
            what = folder / "play.yml"
        (folder / "inventory.yml").write_text(yaml.safe_dump(inventory or HERE))
        environment = {
            **os.environ,
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(folder / "none.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": f"{COLLECTIONS}:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        }
        command = [sys.executable, "-m", "ansible", "playbook", "-i", "inventory.yml", str(what), *options]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        return Played(done.returncode, done.stdout, done.stdout + done.stderr)

    return run
