"""The module service, against a stand-in for systemctl that keeps a unit's state in a folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import restart_due
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.service import (
    DesiredState,
    Unit,
    parse_unit,
    plan,
)
from ansible_collections.groundwork.kubernetes.plugins.modules import files, service

Run = Callable[..., dict[str, Any]]

SYSTEMCTL = """#!/bin/sh
echo "$@" >> {folder}/calls
case $1 in
show) cat {folder}/unit ;;
daemon-reload) sed -i s/NeedDaemonReload=yes/NeedDaemonReload=no/ {folder}/unit
  if [ -e {folder}/after_reload ]; then mv {folder}/after_reload {folder}/unit; fi ;;
*) if [ -e {folder}/broken ]; then echo 'Job failed.' >&2; exit 1; fi
  if [ "$1" != reload ]; then sed -i "s/^InvocationID=.*/InvocationID=$$/" {folder}/unit; fi ;;
esac
"""
JOURNALCTL = """#!/bin/sh
echo "cannot read its configuration"
"""


def ago(seconds: float) -> str:
    """A moment as systemd shows it."""
    return str(int((time.monotonic() - seconds) * 1e6))


def show(active: str = "active", file_state: str = "enabled", **properties: str) -> str:
    """What systemctl show prints of a unit that was started 1000 seconds ago."""
    started = ago(1000) if active == "active" else "0"
    values = {
        "LoadState": "loaded",
        "ActiveState": active,
        "UnitFileState": file_state,
        "FragmentPath": "/usr/lib/systemd/system/x.service",
        "NeedDaemonReload": "no",
        "ExecMainStartTimestampMonotonic": started,
        **properties,
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


MISSING = show("inactive", "", LoadState="not-found", FragmentPath="")


@dataclass
class FakeSystemd:
    """The folder that the stand-in works with."""

    folder: Path

    def unit(self, text: str) -> None:
        (self.folder / "unit").write_text(text)

    def calls(self) -> list[str]:
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [line for line in lines if not line.startswith("show ")]


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSystemd:
    folder = tmp_path / "systemd"
    folder.mkdir()
    for name, text in (("systemctl", SYSTEMCTL), ("journalctl", JOURNALCTL)):
        (folder / name).write_text(text.replace("{folder}", str(folder)))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(restart_due, "FOLDER", str(tmp_path / "run"))
    return FakeSystemd(folder)


CASES = [
    # unit, options, calls
    (show(), {"state": "started", "enabled": True}, []),
    (show("inactive", "disabled"), {"state": "started", "enabled": True}, ["enable x.service", "start x.service"]),
    (show("failed"), {"state": "started"}, ["start x.service"]),
    (show("inactive"), {"enabled": True}, []),
    (show("inactive", "static"), {"enabled": True}, []),
    (show("inactive", "enabled-runtime"), {"enabled": True}, ["enable x.service"]),
    (show(), {"state": "stopped", "enabled": False}, ["disable x.service", "stop x.service"]),
    (show("inactive", "disabled"), {"state": "stopped", "enabled": False}, []),
    (show(), {"state": "started", "restart": True}, ["restart x.service"]),
    (show("inactive"), {"state": "started", "restart": True}, ["start x.service"]),
    (show("inactive"), {"restart": True}, []),
    (show(NeedDaemonReload="yes"), {"state": "started", "restart": True}, ["daemon-reload", "restart x.service"]),
    (show(), {"state": "started", "reload": True}, ["reload x.service"]),
    (show(), {"state": "started", "reload": True, "restart": True}, ["restart x.service"]),
    (show("inactive"), {"state": "started", "reload": True}, ["start x.service"]),
    (show(DropInPaths="/nonexistent/x.service.d/gone.conf"), {}, ["daemon-reload", "restart x.service"]),
    (show("inactive", "disabled"), {"state": "stopped", "reload": True}, []),
    (show("inactive", NeedDaemonReload="yes"), {"enabled": True}, ["daemon-reload"]),
]


@pytest.mark.parametrize(("unit", "options", "calls"), CASES)
def test_actions(run_module: Run, systemd: FakeSystemd, unit: str, options: dict[str, Any], calls: list[str]) -> None:
    systemd.unit(unit)
    check = run_module(service, name="x", **options, _ansible_check_mode=True, _ansible_diff=True)
    assert (check["changed"], systemd.calls()) == (bool(calls), [])
    assert ("diff" in check) is bool(calls)
    result = run_module(service, name="x.service", **options)
    assert result["changed"] is bool(calls)
    assert systemd.calls() == calls
    assert result["actions"] == check["actions"] == [call.split()[0] for call in calls]


@pytest.mark.parametrize(("age", "restarted"), [(2000, False), (500, True)])
def test_restarts_when_a_file_is_newer(
    run_module: Run, systemd: FakeSystemd, tmp_path: Path, age: int, restarted: bool
) -> None:
    path = tmp_path / "config"
    path.write_text("x")
    os.utime(path, (time.time() - age, time.time() - age))
    systemd.unit(show())
    result = run_module(service, name="x", state="started", files=[str(path), str(tmp_path / "missing")])
    assert systemd.calls() == ["restart x.service"] * restarted
    assert result["reasons"] == [f"{path} has changed since the service was started"] * restarted


def wall(seconds: float) -> str:
    """A moment on the wall clock as systemd shows it."""
    return datetime.fromtimestamp(time.time() - seconds, tz=timezone.utc).strftime("%a %Y-%m-%d %H:%M:%S UTC")


@pytest.mark.parametrize(
    ("shown", "age", "restarted"),
    [
        # The machine was paused for an hour since: the monotonic clock puts the start after the file.
        (4600, 2000, True),
        (4600, 4700, False),
        # The clock was far ahead at the start, and set back since.
        (-9000, 500, True),
        (-9000, 2000, False),
        (1000, 999, True),
        (1000, 1002, False),
    ],
)
def test_clocks_that_disagree(
    run_module: Run, systemd: FakeSystemd, tmp_path: Path, *, shown: int, age: int, restarted: bool
) -> None:
    path = tmp_path / "config"
    path.write_text("x")
    os.utime(path, (time.time() - age, time.time() - age))
    systemd.unit(show(ExecMainStartTimestamp=wall(shown), InvocationID="1"))
    result = run_module(service, name="x", state="started", files=[str(path)])
    assert systemd.calls() == ["restart x.service"] * restarted
    assert result["changed"] is restarted
    assert run_module(service, name="x", state="started", files=[str(path)])["changed"] is False


def test_a_file_from_the_future_restarts_once(run_module: Run, systemd: FakeSystemd, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("x")
    os.utime(path, (time.time() + 9000, time.time() + 9000))
    systemd.unit(show(InvocationID="1"))
    assert [run_module(service, name="x", files=[str(path)])["actions"] for _time in range(2)] == [["restart"], []]


def change(path: Path, how: str) -> None:
    if how == "removed":
        path.unlink()
    elif how == "a package's older file":
        path.with_suffix(".new").write_text("y")
        os.utime(path.with_suffix(".new"), (1, 1))
        path.with_suffix(".new").rename(path)
    elif how == "written as it was":
        path.write_text("x")
    else:
        os.utime(path, (1, 1))


@pytest.mark.parametrize("option", ["files", "reload_files"])
@pytest.mark.parametrize(
    ("how", "due"),
    [("removed", True), ("a package's older file", True), ("written as it was", False), ("touched", False)],
)
def test_what_the_service_was_started_with_is_remembered(
    run_module: Run, systemd: FakeSystemd, tmp_path: Path, *, how: str, due: bool, option: str
) -> None:
    path, other = tmp_path / "config", tmp_path / "other"
    path.write_text("x")
    other.write_text("x")
    os.utime(path, (time.time() - 2000, time.time() - 2000))
    systemd.unit(show(InvocationID="1"))
    options = {"name": "x", "state": "started", option: [str(path), str(other)]}
    run_module(service, **options)
    assert run_module(service, **options)["changed"] is False
    change(path, how)
    systemd.calls()
    assert run_module(service, **options, _ansible_check_mode=True)["changed"] is due
    result = run_module(service, **options)
    assert systemd.calls() == [f"{'restart' if option == 'files' else 'reload'} x.service"] * due
    since = "the service was started" if option == "files" else "it was last read"
    assert result["reasons"] == [f"{path} has changed since {since}"] * due
    assert run_module(service, **options)["changed"] is False


def test_a_start_by_somebody_else_is_not_the_one_that_was_noted(
    run_module: Run, systemd: FakeSystemd, tmp_path: Path
) -> None:
    path = tmp_path / "config"
    path.write_text("x")
    os.utime(path, (time.time() - 2000, time.time() - 2000))
    systemd.unit(show(InvocationID="1"))
    run_module(service, name="x", files=[str(path)])
    path.write_text("y")
    os.utime(path, (time.time() - 1500, time.time() - 1500))
    systemd.unit(show(InvocationID="2"))
    assert run_module(service, name="x", files=[str(path)])["changed"] is False
    systemd.unit(show(InvocationID="3", ExecMainStartTimestamp=wall(1800)))
    assert run_module(service, name="x", files=[str(path)])["changed"] is True


def test_a_failed_restart_is_still_due(run_module: Run, systemd: FakeSystemd, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("x")
    systemd.unit(show(InvocationID="1"))
    (systemd.folder / "broken").touch()
    assert run_module(service, name="x", files=[str(path)])["failed"]
    (systemd.folder / "broken").unlink()
    assert run_module(service, name="x", files=[str(path)])["actions"] == ["restart"]


def test_a_reload_of_another_unit_is_no_change(run_module: Run, systemd: FakeSystemd) -> None:
    systemd.unit(show(NeedDaemonReload="yes"))
    result = run_module(service, name="x", state="started")
    assert (result["changed"], systemd.calls()) == (False, ["daemon-reload"])


@pytest.mark.parametrize(("age", "restarted"), [(2000, False), (500, True)])
def test_restarts_when_a_drop_in_is_newer(
    run_module: Run, systemd: FakeSystemd, tmp_path: Path, age: int, restarted: bool
) -> None:
    path = tmp_path / "foreign.conf"
    path.write_text("[Service]")
    os.utime(path, (time.time() - age, time.time() - age))
    systemd.unit(show(DropInPaths=f"{path} {path}"))
    run_module(service, name="x", state="started")
    assert systemd.calls() == ["restart x.service"] * restarted


def test_generated_unit_is_not_older_than_its_service() -> None:
    paths = {
        "fragment": "/run/systemd/generator.late/x.service",
        "drop_ins": ("/etc/systemd/system/x.service.d/a.conf",),
    }
    unit = Unit("loaded", "active", "generated", needs_reload=False, started_at=1.0, **paths)  # type: ignore[arg-type]
    assert unit.paths == ["/etc/systemd/system/x.service.d/a.conf"]


def test_first_drop_in_is_loaded(run_module: Run, systemd: FakeSystemd, tmp_path: Path) -> None:
    own = tmp_path / "x.service.d" / "own.conf"
    own.parent.mkdir()
    own.write_text("[Service]")
    os.utime(own, (0, 0))
    systemd.unit(show())
    (systemd.folder / "after_reload").write_text(show(DropInPaths=str(own)))
    options = {"name": "x", "state": "started", "files": [str(own)]}
    assert run_module(service, **options, _ansible_check_mode=True)["actions"] == ["daemon-reload", "restart"]
    assert systemd.calls() == []
    run_module(service, **options)
    assert systemd.calls() == ["daemon-reload", "restart x.service"]
    assert run_module(service, **options)["changed"] is False


RELOADS: list[tuple[dict[str, Any], int, str | None]] = [
    # state of the unit, age of the file, why it is reloaded
    ({}, 2000, None),
    ({}, 500, "{path} has changed since it was last read"),
    ({"StateChangeTimestampMonotonic": 400}, 500, None),
    ({"StateChangeTimestampMonotonic": 600}, 500, "{path} has changed since it was last read"),
    ({"StateChangeTimestampMonotonic": 400, "ReloadResult": "exit-code"}, 500, "the last reload failed"),
]


@pytest.mark.parametrize("case", RELOADS)
def test_reloads_when_a_file_is_newer(
    run_module: Run, systemd: FakeSystemd, tmp_path: Path, case: tuple[dict[str, Any], int, str | None]
) -> None:
    state, age, reason = case
    path = tmp_path / "config"
    path.write_text("x")
    os.utime(path, (time.time() - age, time.time() - age))
    shown = {name: ago(value) if isinstance(value, int) else value for name, value in state.items()}
    systemd.unit(show(**shown))
    options = {"name": "x", "state": "started", "reload_files": [str(path), str(tmp_path / "missing")]}
    check = run_module(service, **options, _ansible_check_mode=True)
    result = run_module(service, **options)
    assert systemd.calls() == ["reload x.service"] * (reason is not None)
    assert result["reasons"] == check["reasons"] == [reason.format(path=path) for reason in [reason] if reason]


def test_unit_that_is_not_there_is_stopped(run_module: Run, systemd: FakeSystemd) -> None:
    systemd.unit(MISSING)
    for check in (True, False):
        result = run_module(service, name="x", state="stopped", enabled=False, _ansible_check_mode=check)
        assert (result["changed"], result["actions"]) == (False, [])


def test_unit_that_takes_precedence_is_loaded(run_module: Run, systemd: FakeSystemd, tmp_path: Path) -> None:
    own = tmp_path / "x.service"
    own.write_text("[Service]")
    os.utime(own, (0, 0))
    systemd.unit(show())
    (systemd.folder / "after_reload").write_text(show(FragmentPath=str(own)))
    options = {"name": "x", "state": "started", "files": [str(own)]}
    run_module(service, **options)
    assert systemd.calls() == ["daemon-reload", "restart x.service"]
    assert run_module(service, **options)["changed"] is False


def test_new_unit(run_module: Run, systemd: FakeSystemd) -> None:
    systemd.unit(MISSING)
    (systemd.folder / "after_reload").write_text(show("inactive", "disabled"))
    check = run_module(service, name="x", state="started", enabled=True, _ansible_check_mode=True)
    assert (check["actions"], systemd.calls()) == (["daemon-reload", "enable", "start"], [])
    result = run_module(service, name="x", state="started", enabled=True)
    assert systemd.calls() == ["daemon-reload", "enable x.service", "start x.service"]
    assert result["actions"] == check["actions"]


def test_faults(run_module: Run, systemd: FakeSystemd) -> None:
    systemd.unit(MISSING)
    assert run_module(service, name="x", state="started")["msg"] == "the host has no unit x.service"
    systemd.unit(show(LoadState="masked"))
    assert "systemctl unmask x.service" in run_module(service, name="x", state="started")["msg"]
    systemd.unit(show("inactive"))
    (systemd.folder / "broken").touch()
    assert run_module(service, name="x", state="started")["msg"] == (
        "systemctl start x.service failed: Job failed.\nIts last messages:\ncannot read its configuration"
    )


def test_start_time_is_on_the_wall_clock() -> None:
    unit = parse_unit(show(ExecMainStartTimestampMonotonic="50000000"), now=1_000_000.0, monotonic=60.0)
    assert unit.started_at == 1_000_000.0 - 10


def test_service_that_never_ran_has_no_start_time() -> None:
    unit = Unit("loaded", "activating", "enabled", "", False, None)
    assert plan(unit, DesiredState("started", True, restart=False), []) == ([], [])


def with_services(path: Path, content: str, **options: Any) -> dict[str, Any]:
    """Options of the module files: one file, which a service reads."""
    service_options = {"name": "x", "state": "started", "files": [str(path)], **options}
    return {"files": [{"path": str(path), "content": content}], "services": [service_options]}


def test_files_restarts_what_reads_them(run_module: Run, systemd: FakeSystemd, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("old")
    os.utime(path, (time.time() - 2000, time.time() - 2000))
    systemd.unit(show(InvocationID="1"))
    arguments = with_services(path, "new")
    check = run_module(files, **arguments, _ansible_check_mode=True, _ansible_diff=True)
    assert (check["changed"], check["services"]["x"]["actions"], systemd.calls()) == (True, ["restart"], [])
    assert [diff["after"].split()[0] for diff in check["diff"]] == ["new", "x.service"]
    result = run_module(files, **arguments)
    assert (result["services"]["x"]["actions"], systemd.calls()) == (["restart"], ["restart x.service"])
    assert result["services"]["x"]["reasons"] == [f"{path} has changed since the service was started"]
    again = run_module(files, **arguments, _ansible_diff=True)
    assert (again["changed"], again["diff"], systemd.calls()) == (False, [], [])


@pytest.mark.parametrize(
    ("read_at", "actions"),
    [("files", ["restart"]), ("reload_files", ["reload"]), ("", [])],
)
def test_files_foresees_what_programs_bring_about(
    run_module: Run, systemd: FakeSystemd, tmp_path: Path, read_at: str, actions: list[str]
) -> None:
    path, program = tmp_path / "config", tmp_path / "program"
    for file in (path, program):
        file.write_text("same")
        os.utime(file, (time.time() - 2000, time.time() - 2000))
    systemd.unit(show())
    arguments = with_services(path, "same", **{"files": [], **({read_at: [str(program)]} if read_at else {})})
    artifact = {"name": "p", "url": "https://localhost/p", "checksum": "0" * 64, "dest": str(program)}
    for artifacts, expected in (([artifact], actions), ([], [])):
        check = run_module(files, **arguments, artifacts=artifacts, _ansible_check_mode=True)
        assert (check["changed"], check["services"]["x"]["actions"]) == (bool(artifacts), expected)


def test_files_names_the_service_that_does_not_start(run_module: Run, systemd: FakeSystemd, tmp_path: Path) -> None:
    path = tmp_path / "config"
    systemd.unit(show("inactive"))
    (systemd.folder / "broken").touch()
    result = run_module(files, **with_services(path, "new"))
    assert "systemctl start x.service failed: Job failed." in result["msg"]
    assert "cannot read its configuration" in result["msg"]
    (systemd.folder / "broken").unlink()
    assert run_module(files, **with_services(path, "new"))["services"]["x"]["actions"] == ["start"]
