"""The program of a schedule: what is in it, and that Python runs it without Ansible."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._schedule import settings_text
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils import _zipapp

COLLECTION = "ansible_collections/groundwork/kubernetes/plugins"


def test_the_same_bytes_again() -> None:
    assert _zipapp.build("files") == _zipapp.build("files")


def test_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "x.pyz"
    path.write_bytes(_zipapp.build("files"))
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert names == sorted(set(names))
    own = {name for name in names if name.startswith(COLLECTION) and not name.endswith("__init__.py")}
    modules = ("modules/files.py", *(f"module_utils/_{name}.py" for name in ("files", "install", "scheduled")))
    assert own == {f"{COLLECTION}/{name}" for name in modules}
    assert {"__main__.py", "ansible/__init__.py", "ansible/module_utils/basic.py"} < set(names)
    for name in names:
        for folder in Path(name).parents[:-1]:
            assert f"{folder}/__init__.py" in names


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a.b, c", {"a.b", "c"}),
        ("from a.b import c as d, e", {"a.b.c", "a.b.e"}),
        ("from . import x", {"p.q.x"}),
        ("from .r import x", {"p.q.r.x"}),
        ("from ..r import x", {"p.r.x"}),
        ("if a:\n  try:\n    import b\n  except E:\n    def f():\n      import c", {"b", "c"}),
        ("with a:\n  import b\nmatch = [lambda: 1]", {"b"}),
    ],
)
def test_imports(source: str, names: set[str]) -> None:
    assert set(_zipapp.imports(source.encode(), "p.q")) == names


@dataclass
class Program:
    """A program in a folder, its parameters and where it tells its state."""

    folder: Path

    @property
    def pyz(self) -> Path:
        return self.folder / "x.pyz"

    @property
    def settings(self) -> Path:
        return self.folder / "x.json"

    def build(self, module: str, state_file: str | None = None, **parameters: Any) -> None:
        self.pyz.write_bytes(_zipapp.build(module))
        self.settings.write_text(settings_text("x", f"groundwork.kubernetes.{module}", parameters, state_file))

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-I", str(self.pyz), str(self.settings)]

    def run(self) -> tuple[int, dict[str, Any], str]:
        done = subprocess.run(self.command, capture_output=True, text=True, check=False, env={}, cwd="/")
        lines = done.stdout.splitlines()
        assert len(lines) == 1, done
        return done.returncode, json.loads(lines[0]), done.stderr

    def write(self, content: str = "text", **options: Any) -> dict[str, Any]:
        return {"files": [{"path": str(self.folder / "written"), "content": content, **options}]}


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_it_runs(program: Program) -> None:
    program.build("files", **program.write())
    rc, result, err = program.run()
    assert (rc, err) == (0, "")
    assert result == {"changed": True, "changed_paths": [str(program.folder / "written")]}
    assert (program.folder / "written").read_text() == "text"
    assert program.run()[1]["changed"] is False


def test_a_failure_is_an_error_in_the_journal(program: Program) -> None:
    program.build("files", **program.write(mode="abc"))
    rc, result, err = program.run()
    assert (rc, result["failed"]) == (1, True)
    assert err == f"<3>failed: {result['msg']}\n"
    assert "mode 'abc' is no octal number" in err


def test_wrong_parameters_are_a_failure(program: Program) -> None:
    program.build("files", **program.write(), fils=[])
    rc, result, _err = program.run()
    assert rc == 1
    assert "Unsupported parameters for (groundwork.kubernetes.files) module: fils" in result["msg"]


def test_a_module_without_a_result_is_a_failure(program: Program) -> None:
    program.build("validate_inputs")
    rc, result, _err = program.run()
    assert (rc, result["msg"]) == (1, "the module gave no result: ''")


def test_a_crash_is_a_failure(program: Program) -> None:
    program.build("files")
    with zipfile.ZipFile(program.pyz) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files[f"{COLLECTION}/modules/files.py"] = b"raise KeyError('x')\n"
    with zipfile.ZipFile(program.pyz, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    rc, result, err = program.run()
    assert (rc, result) == (1, {"failed": True, "msg": "the module crashed: KeyError: 'x'"})
    assert "Traceback" in err


def test_the_state_of_the_last_run(program: Program) -> None:
    path = program.folder / "states" / "x.json"
    program.build("files", str(path), **program.write())
    before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    program.run()
    good = json.loads(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {key: good[key] for key in ("name", "module", "ok", "changed", "msg")} == {
        "name": "x", "module": "files", "ok": True, "changed": True, "msg": "",
    }  # fmt: skip
    assert before <= good["time"] == good["last_ok"]
    assert 0 < good["seconds"] < 60

    program.build("files", str(path), **program.write(mode="abc"))
    program.run()
    bad = json.loads(path.read_text())
    assert (bad["ok"], bad["changed"], bad["last_ok"]) == (False, False, good["time"])
    assert "no octal number" in bad["msg"]
    assert os.listdir(path.parent) == ["x.json"]


SLOW = """#!/bin/sh
touch {folder}/began
while [ ! -e {folder}/go ]; do sleep 0.1; done
exit 1
"""


def start_slow(program: Program, state_file: str | None = None) -> subprocess.Popen[str]:
    """Start a program that waits for etcdctl."""
    etcdctl = program.folder / "etcdctl"
    etcdctl.write_text(SLOW.format(folder=program.folder))
    etcdctl.chmod(0o755)
    program.build("etcd_info", state_file, bin_dir=str(program.folder))
    pipe = subprocess.PIPE
    # A group of its own, which systemd ends as a whole.
    process = subprocess.Popen(
        program.command, stdout=pipe, stderr=pipe, text=True, env={"PATH": "/usr/bin:/bin"}, start_new_session=True
    )
    end = time.monotonic() + 30
    while not (program.folder / "began").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    return process


def test_it_tells_that_it_was_stopped(program: Program) -> None:
    state = program.folder / "state"
    process = start_slow(program, str(state))
    process.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    os.killpg(process.pid, signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert json.loads(out)["msg"].startswith("it was stopped before it was done")
    assert err.startswith("<3>failed: it was stopped")
    assert json.loads(state.read_text())["ok"] is False


def test_it_may_be_removed_while_it_runs(program: Program) -> None:
    state = program.folder / "state"
    process = start_slow(program, str(state))
    program.pyz.unlink()
    program.pyz.write_text("another")
    program.settings.unlink()
    # etcdctl fails: the module reports that, with all that it has yet to import.
    (program.folder / "go").touch()
    out, _err = process.communicate(timeout=30)
    assert "failed" in json.loads(out)
    assert not state.exists()
