"""The action files in a play of real Ansible: what is for some only is in no output, however verbose."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.action.files import private

TEXT = "first hidden line\nsecond hidden line\n"
OPEN = "line for everyone\n"
REFUSES = "#!/bin/sh\ncat $1 >&2; exit 1\n"


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("0644", False), ("0755", False), ("0444", False), ("0600", True), ("0640", True), ("0000", True), ("u=rw", True)],
)
def test_private(mode: str, expected: bool) -> None:
    assert private(mode) is expected


def seen(output: str) -> list[str]:
    """The parts of the secret that an output has, as they are or in base64."""
    forms = [*TEXT.splitlines(), base64.b64encode(TEXT.encode()).decode()]
    return [form for form in forms if form in output]


def test_what_is_for_some_only_is_not_told(play: Callable[..., Any], tmp_path: Path) -> None:
    entries = [
        {"path": str(tmp_path / "open"), "content": OPEN},
        {"path": str(tmp_path / "key"), "content": TEXT, "mode": "0600"},
        {"path": str(tmp_path / "shared"), "content": TEXT, "mode": "0640"},
    ]
    again = [entries[0], {**entries[1], "content": TEXT + "third\n"}]
    tasks = [
        {"name": "write", "groundwork.kubernetes.files": {"files": entries}},
        {"name": "again", "groundwork.kubernetes.files": {"files": entries}},
        {"name": "other", "groundwork.kubernetes.files": {"files": again}},
    ]
    played = play(tmp_path, {"tasks": tasks}, "-vvv", "--diff")
    assert played.rc == 0, played.output
    assert [played.tasks[name]["localhost"]["changed"] for name in ("write", "again", "other")] == [True, False, True]
    assert (tmp_path / "key").read_text() == TEXT + "third\n"
    assert (tmp_path / "shared").read_text() == TEXT
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert OPEN.strip() in played.output
    assert seen(played.output) == []


def test_a_program_that_quotes_is_not_quoted(play: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "refuse").write_text(REFUSES)
    (tmp_path / "bin" / "refuse").chmod(0o755)
    entry = {"path": str(tmp_path / "key"), "content": TEXT, "mode": "0600", "validate": "refuse %s"}
    played = play(tmp_path, {"tasks": [{"name": "write", "groundwork.kubernetes.files": {"files": [entry]}}]}, "-vvv")
    assert played.rc != 0
    assert "'refuse %s' refuses it, so nothing was changed: (not shown" in played.output
    assert seen(played.output) == []
    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "missing required arguments: files"),
        ({"files": "text"}, "files"),
        ({"files": [{"content": TEXT, "mode": "0600"}]}, "missing required arguments: path"),
        ({"files": [{"path": "/x/y", "content": TEXT, "mode": "secret"}]}, "/x/y: mode"),
        ({"files": [{"path": "/x/y", "mode": "0600"}]}, "has no content"),
    ],
)
def test_bad_entries_are_the_modules_to_refuse(
    play: Callable[..., Any], tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    played = play(tmp_path, {"tasks": [{"name": "write", "groundwork.kubernetes.files": arguments}]}, "-vvv")
    assert played.rc != 0
    assert message in played.output
    assert seen(played.output) == []
