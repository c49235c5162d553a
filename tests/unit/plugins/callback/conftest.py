"""What the tests of the callback share: small playbooks that a real ansible-playbook runs on this machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

COLLECTIONS = Path(__file__).resolve().parents[4] / ".build" / "collections"
CALLBACK = "groundwork.kubernetes.report"
HOSTS = """
[all:vars]
ansible_connection=local
ansible_python_interpreter={python}

[some]
a
b
c

[away]
d ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1 ansible_ssh_common_args='-F none'
"""


class Reported(NamedTuple):
    """What came of a run: the exit code, what was printed with all times 0:00, and the file."""

    rc: int
    output: str
    errors: str
    file: dict[str, Any]


@pytest.fixture
def report(tmp_path: Path) -> Callable[..., Reported]:
    """report(text of a playbook, option, ..., NAME=value of the environment): a run in the test's folder."""

    def run(playbook: str, *options: str, **environment: str) -> Reported:
        (tmp_path / "play.yml").write_text(playbook)
        (tmp_path / "hosts").write_text(HOSTS.format(python=sys.executable))
        done = subprocess.run(
            [sys.executable, "-m", "ansible", "playbook", "-i", "hosts", "play.yml", *options],
            cwd=tmp_path,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(tmp_path / "none.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": f"{COLLECTIONS}:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}",
                "ANSIBLE_STDOUT_CALLBACK": CALLBACK,
                "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"),
                "GROUNDWORK_REPORT_FILE": str(tmp_path / "report.json"),
                "ANSIBLE_FORKS": "1",  # results come in the hosts' order
                "GROUNDWORK_REPORT_WAIT": "0",
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        path = tmp_path / "report.json"
        file = json.loads(path.read_text()) if path.exists() else {}
        output = re.sub(r"^ +\d+:\d\d(?= )", "  0:00", done.stdout, flags=re.MULTILINE)
        return Reported(done.returncode, output, done.stderr, file)

    return run
