"""One API server for all tests, and a way to run a task against it with real Ansible."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from api_server import ApiServer, Task, running
from real_play import Played, run_play


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One API server for all tests."""
    with running(tmp_path_factory.mktemp("api")) as api:
        yield api


@pytest.fixture
def task(server: ApiServer, tmp_path: Path) -> Task:
    """task(module, options, check=False, diff=False): one task in a play of real Ansible, and its result."""

    def run(module: str, options: dict[str, Any], check: bool = False, diff: bool = False) -> dict[str, Any]:
        full = {"kubeconfig": str(server.kubeconfig), **options}
        tasks = [{"name": "it", f"groundwork.kubernetes.{module}": full}]
        play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
        played = Played(run_play(server, tmp_path, play, {}, *["--check"] * check, *["--diff"] * diff))
        assert played.tasks, played.output
        return played.tasks[0][1]

    return run
