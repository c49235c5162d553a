"""One API server for all tests, and a way to run a task against it with real Ansible."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from api_server import ETCD, KUBERNETES, ApiServer, Task

COLLECTIONS = Path(__file__).resolve().parents[4] / ".build" / "collections"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One API server for all tests."""
    for variable, folder, name in (
        ("GROUNDWORK_KUBERNETES_DIR", KUBERNETES, "kube-apiserver"),
        ("GROUNDWORK_KUBERNETES_DIR", KUBERNETES, "kubectl"),
        ("GROUNDWORK_ETCD_DIR", ETCD, "etcd"),
    ):
        if not (folder / name).is_file():
            pytest.skip(f"{variable} names no folder with {name}")
    api = ApiServer(tmp_path_factory.mktemp("api"))
    try:
        api.start()
        yield api
    finally:
        api.stop()


@pytest.fixture
def task(server: ApiServer, tmp_path: Path) -> Task:
    """task(module, options, check=False, diff=False): one task in a play of real Ansible, and its result."""

    def run(module: str, options: dict[str, Any], check: bool = False, diff: bool = False) -> dict[str, Any]:
        full = {"kubeconfig": str(server.kubeconfig), **options}
        play = {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "tasks": [{"name": "it", f"groundwork.kubernetes.{module}": full}],
        }
        (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
        environment = {
            **os.environ,
            "PATH": f"{KUBERNETES}:{os.environ['PATH']}",
            "HOME": str(server.folder),
            "ANSIBLE_CONFIG": str(tmp_path / "none.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": f"{COLLECTIONS}:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        }
        command = [sys.executable, "-m", "ansible", "playbook", "--inventory=localhost,", "play.yml"]
        command += ["--extra-vars", json.dumps({"ansible_python_interpreter": sys.executable})]
        command += ["--check"] * check + ["--diff"] * diff
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        start = done.stdout.find("{")
        assert start >= 0, done.stdout + done.stderr
        result: dict[str, Any] = json.loads(done.stdout[start:])["plays"][0]["tasks"][0]["hosts"]["localhost"]
        return result

    return run
