"""Plays of real Ansible on this machine, with the API server of these tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from api_server import KUBERNETES, ApiServer

COLLECTIONS = Path(__file__).resolve().parents[4] / ".build" / "collections"


class Played:
    """What came of a play: its output, and the tasks with the results of localhost."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.output, self.rc = done.stdout + done.stderr, done.returncode
        start = done.stdout.find("{")
        tasks = json.loads(done.stdout[start:])["plays"][0]["tasks"] if start >= 0 else []
        self.tasks = [(task["task"]["name"], task["hosts"].get("localhost", {})) for task in tasks]


def run_play(
    server: ApiServer, folder: Path, play: dict[str, Any], variables: dict[str, Any], *options: str
) -> subprocess.CompletedProcess[str]:
    """Run a play in a folder, with more options; localhost is the one control plane."""
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    (folder / "vars.json").write_text(json.dumps({"ansible_python_interpreter": sys.executable, **variables}))
    (folder / "inventory").write_text("[kube_control_plane]\nlocalhost ansible_connection=local\n")
    environment = {
        **os.environ,
        "PATH": f"{KUBERNETES}:{os.environ['PATH']}",
        "HOME": str(server.folder),
        "ANSIBLE_CONFIG": str(folder / "none.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": f"{COLLECTIONS}:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
    }
    command = [sys.executable, "-m", "ansible", "playbook", "--inventory=inventory", "play.yml"]
    command += ["--extra-vars", "@vars.json", *options]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
