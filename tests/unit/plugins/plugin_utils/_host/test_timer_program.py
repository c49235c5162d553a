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
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import timer_runner
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.timer_units import settings_text
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import timer_program

COLLECTION = "ansible_collections/groundwork/kubernetes/plugins"
SAMPLE = f"{timer_program.COLLECTION}.plugins.modules.write_file"


@pytest.fixture(autouse=True)
def sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of the tests among those of the collection."""
    locate = timer_program.locate
    path = Path(__file__).with_name("write_file.py")
    monkeypatch.setattr(timer_program, "locate", lambda name: path if name == SAMPLE else locate(name))


def test_the_same_bytes_again() -> None:
    assert timer_program.build("write_file") == timer_program.build("write_file")


def test_a_module_that_needs_more_of_ansible_core() -> None:
    with pytest.raises(ValueError, match=r"module: artifacts needs ansible\.module_utils\.urls, so it cannot run"):
        timer_program.build("artifacts")


@dataclass
class Pythons:
    """A host's folders of programs: the launcher finds none but these."""

    program: Program

    def add(self, name: str, text: str) -> Path:
        path = self.program.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        script = self.program.pyz.read_bytes()
        for folder in ("/usr/bin", "/usr/local/bin", "/usr/libexec"):
            script = script.replace(f"{folder}/p".encode(), f"{self.program.folder}/p".encode())
        pyz = self.program.folder / "moved.pyz"
        pyz.write_bytes(script)
        command = ["/bin/sh", str(pyz), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"})


@pytest.mark.parametrize("preferred", [[], ["/nonexistent/python3"]])
def test_a_python_that_can_run_it_is_found_at_each_start(program: Program, preferred: list[str]) -> None:
    program.build("write_file", **program.write())
    host = Pythons(program)
    host.add("python3", 'echo "too old"; exit 1')
    fit = host.add("python3.11", f'exec {sys.executable} "$@"')
    done = host.run(str(program.settings), *preferred)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["changed"] is True
    fit.rename(program.folder / "python3.12")
    assert json.loads(host.run(str(program.settings), *preferred).stdout)["changed"] is False


def test_no_python_is_told_loudly(program: Program) -> None:
    program.build("write_file", **program.write())
    host = Pythons(program)
    none = host.run(str(program.settings))
    assert (none.returncode, none.stdout) == (1, "")
    assert none.stderr.startswith("<2>failed: no Python of this host can run ")
    assert "Tried: none is there. Install a newer python3" in none.stderr
    old = host.add("python3", 'echo "Python 3.8 or newer is needed"; exit 1')
    some = host.run(str(program.settings), "/opt/python3")
    assert some.stderr.startswith("<2>failed: no Python")
    assert f"Tried: /opt/python3: is not there; {old}: Python 3.8 or newer" in some.stderr


@pytest.mark.parametrize(
    ("good", "message"),
    [
        (-3 * 60, None),
        (3 * 60, None),
        (
            -11 * 60,
            "<2>the last good run of x.service is too old: minutes ago: 11, limit: 10",
        ),
        (9000, "minutes ago: -1"),
        ("", "minutes ago: unknown"),
        ("x", "minutes ago: unknown"),
        (None, "minutes ago: unknown"),
    ],
)
def test_the_age_of_the_last_good_run(program: Program, good: int | str | None, message: str | None) -> None:
    program.pyz.write_bytes(timer_program.build("write_file"))
    if good is not None:
        program.good.write_text(f"{int(time.time()) + good if isinstance(good, int) else good}\n")
    systemctl = program.folder / "systemctl"
    systemctl.write_text("#!/bin/sh\necho $1 $2 masked\nexit 1\n")
    systemctl.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", program.pyz, "--age", program.good, "10"],
        capture_output=True, text=True, check=False, env={"PATH": f"{program.folder}:/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == (1 if message else 0)
    assert (message or "") in done.stderr
    if message:
        assert "is-enabled x.timer masked, is-active x.timer masked" in done.stderr


def test_a_good_run_is_stamped(program: Program) -> None:
    program.build("write_file", **program.write(mode="abc"))
    program.run()
    assert not program.good.exists()
    program.build("write_file", **program.write())
    before = int(time.time())
    program.run()
    assert before <= int(program.good.read_text()) <= time.time()


def test_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "x.pyz"
    path.write_bytes(timer_program.build("write_file"))
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert names == sorted(set(names))
    own = {name for name in names if name.startswith(COLLECTION) and not name.endswith("__init__.py")}
    modules = (
        "modules/write_file.py",
        *(f"module_utils/_host/{name}.py" for name in ("install", "paths", "timer_runner")),
    )
    assert own == {f"{COLLECTION}/{name}" for name in modules}
    assert [name for name in names if name.startswith("ansible/")] == [
        "ansible/__init__.py", "ansible/module_utils/__init__.py", "ansible/module_utils/basic.py"
    ]  # fmt: skip
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
    assert set(timer_program.imports(source.encode(), "p.q")) == names


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
        self.pyz.write_bytes(timer_program.build(module))
        settings = json.loads(settings_text("x", parameters, state_file))
        assert settings["stamp"] == "/var/lib/groundwork/x.good"
        self.settings.write_text(json.dumps({**settings, "stamp": str(self.good)}))

    @property
    def good(self) -> Path:
        return self.folder / "good"

    @property
    def command(self) -> list[str]:
        return ["/bin/sh", str(self.pyz), str(self.settings), sys.executable]

    def run(self) -> tuple[int, dict[str, Any], str]:
        done = subprocess.run(self.command, capture_output=True, text=True, check=False, env={}, cwd="/")
        lines = done.stdout.splitlines()
        assert len(lines) == 1, done
        return done.returncode, json.loads(lines[0]), done.stderr

    def write(self, content: str = "text", **options: Any) -> dict[str, Any]:
        return {"path": str(self.folder / "written"), "content": content, **options}


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_it_runs(program: Program) -> None:
    program.build("write_file", **program.write())
    rc, result, err = program.run()
    assert (rc, err) == (0, "")
    assert result == {"changed": True, "path": str(program.folder / "written")}
    assert (program.folder / "written").read_text() == "text"
    assert program.run()[1]["changed"] is False


def test_a_failure_is_an_error_in_the_journal(program: Program) -> None:
    program.build("write_file", **program.write(mode="abc"))
    rc, result, err = program.run()
    assert (rc, result["failed"]) == (1, True)
    assert err == f"<3>failed: {result['msg']}\n"
    assert "mode 'abc' is no octal number" in err


def test_wrong_parameters_are_a_failure(program: Program) -> None:
    program.build("write_file", **program.write(), contents="")
    rc, result, _err = program.run()
    assert rc == 1
    assert result["msg"] == "Unsupported parameters: contents"


def test_a_module_without_a_result_is_a_failure(program: Program) -> None:
    program.build("validate_inputs")
    rc, result, _err = program.run()
    assert (rc, result["msg"]) == (1, "the module gave no result: ''")


def test_a_crash_is_a_failure(program: Program) -> None:
    program.build("write_file")
    with zipfile.ZipFile(program.pyz) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files[f"{COLLECTION}/modules/write_file.py"] = b"raise KeyError('x')\n"
    files["__main__.py"] = files["__main__.py"].replace(b"len(sys.argv) < 2", b"False")
    with zipfile.ZipFile(program.pyz, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    done = subprocess.run(
        [sys.executable, "-I", program.pyz, program.settings], capture_output=True, text=True, check=False
    )
    rc, result, err = done.returncode, json.loads(done.stdout), done.stderr
    assert (rc, result) == (1, {"failed": True, "msg": "the module crashed: KeyError: 'x'"})
    assert "Traceback" in err


def test_the_state_of_the_last_run(program: Program) -> None:
    path = program.folder / "states" / "x.json"
    program.build("write_file", str(path), **program.write())
    before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    program.run()
    good = json.loads(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {key: good[key] for key in ("name", "module", "ok", "changed", "msg")} == {
        "name": "x", "module": "write_file", "ok": True, "changed": True, "msg": "",
    }  # fmt: skip
    assert before <= good["time"] == good["last_ok"]
    assert 0 < good["seconds"] < 60

    program.build("write_file", str(path), **program.write(mode="abc"))
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


def test_a_module_that_ends_itself_on_a_signal_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ends_itself.py").write_text(
        "import os, signal\n"
        "def end(number, frame):\n    raise SystemExit(128 + number)\n"
        "signal.signal(signal.SIGTERM, end)\nos.kill(os.getpid(), signal.SIGTERM)\nsignal.pause()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "argv", [])
    handler = signal.getsignal(signal.SIGTERM)
    try:
        result = timer_runner.run("ends_itself", "x.json")
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert result == {"failed": True, "msg": f"{timer_runner.STOPPED} (SIGTERM)"}


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
