"""The action backup_fetch in a play of real Ansible, from this machine to itself."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

COLLECTIONS = Path(__file__).resolve().parents[4] / ".build" / "collections"
CONTENT = bytes(range(256)) * (17 * 4096) + b"end"  # more than one piece
SUM = hashlib.sha256(CONTENT).hexdigest()
NAME = "test-20261122T120000Z.tar"
Fetch = Callable[..., dict[str, Any]]


@pytest.fixture
def fetch(tmp_path: Path) -> Fetch:
    for suffix in ("", ".age"):
        (tmp_path / (NAME + suffix)).write_bytes(CONTENT)
    (tmp_path / f"{NAME}.age.json").write_text("{}")

    def run(*flags: str, **options: Any) -> dict[str, Any]:
        given = {"path": str(tmp_path / NAME), "sha256": SUM, "directory": str(tmp_path / "to"), **options}
        play = {"hosts": "localhost", "gather_facts": False, "tasks": [{"groundwork.kubernetes.backup_fetch": given}]}
        (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(tmp_path / "none.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": f"{COLLECTIONS}:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        }
        command = [
            f"{Path(sys.executable).parent}/ansible-playbook",
            "-i",
            "localhost,",
            "-c",
            "local",
            *flags,
            "play.yml",
        ]
        done = subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
        result: dict[str, Any] = json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["localhost"]
        return result

    return run


def test_an_archive_comes_whole_and_once(fetch: Fetch, tmp_path: Path) -> None:
    assert fetch("--check")["changed"]
    assert not (tmp_path / "to").exists()

    result = fetch()

    assert (result["changed"], result["dest"], result["removed"]) == (True, str(tmp_path / "to" / NAME), [])
    assert (tmp_path / "to" / NAME).read_bytes() == CONTENT
    assert (tmp_path / "to").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "to" / NAME).stat().st_mode & 0o777 == 0o600
    assert not fetch()["changed"]
    assert [path.name for path in (tmp_path / "to").iterdir()] == [NAME]


def test_the_rule_holds_on_the_controller(fetch: Fetch, tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    old = [f"test-2026112{day}T000000Z.tar" for day in (0, 1)]
    for name in [*old, "other-20261101T000000Z.tar", f"{old[0]}.age", f"{old[0]}.age.json"]:
        (tmp_path / "to" / name).touch()

    result = fetch(path=str(tmp_path / f"{NAME}.age"), keep={"last": 2})

    assert result["removed"] == [str(tmp_path / "to" / name) for name in (old[0], f"{old[0]}.age")]
    left = {old[1], "other-20261101T000000Z.tar", f"{NAME}.age", f"{NAME}.age.json"}
    assert {path.name for path in (tmp_path / "to").iterdir()} == left


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sha256": "0" * 64}, f"came with SHA-256 {SUM}, not 000"),
        ({"path": "/tmp/x.tar"}, "does not have the name of an archive"),
        ({"path": "/nowhere/test-20261122T120000Z.tar"}, "failed with exit code 1"),
        ({"directory": "/proc/x"}, "directory: /proc/x: No such file"),
    ],
)
def test_what_is_refused(fetch: Fetch, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    result = fetch(**options)
    assert message in result["msg"], result
    assert not list(tmp_path.glob("to/*"))
