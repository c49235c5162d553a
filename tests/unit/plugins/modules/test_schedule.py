"""The module schedule in a folder of its own, against a stand-in for systemctl that keeps the units' state there."""

from __future__ import annotations

import base64
import json
import os
import stat
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import timer_units
from ansible_collections.groundwork.kubernetes.plugins.modules import schedule

Result = dict[str, Any]

SYSTEMCTL = """#!/bin/sh
cd {folder}
case $1 in
show)
  set -- "$2"
  fragment={root}/etc/systemd/system/$1
  load=not-found active=inactive enabled=
  if [ -e "$fragment" ] && [ -e known ]; then load=loaded enabled=static; else fragment=; fi
  if [ -e "$1.active" ]; then active=$(cat "$1.active"); fi
  case $load-$1 in loaded-*.timer) enabled=disabled; if [ -e "$1.enabled" ]; then enabled=enabled; fi ;; esac
  if [ -e "$1.show" ]; then cat "$1.show"; else
    printf 'LoadState=%s\\nActiveState=%s\\nUnitFileState=%s\\nFragmentPath=%s\\n' $load $active "$enabled" "$fragment"
    if [ "$load" = loaded ]; then echo "NeedDaemonReload=$(cat reload 2> /dev/null || echo no)"; fi
  fi
  exit ;;
esac
echo "$@" >> calls
if [ -e broken ]; then echo 'Job failed.' >&2; exit 1; fi
case $1 in
daemon-reload) touch known; rm -f reload ;;
enable) touch "$2.enabled" ;;
disable) rm -f "$2.enabled" ;;
start | restart) echo active > "$2.active" ;;
stop) rm -f "$2.active" ;;
reset-failed) rm -f "$2.active" ;;
esac
"""
ANALYZE = """#!/bin/sh
case $3 in
*wrong*) echo "Failed to parse $1 '$3': Invalid argument" >&2; exit 1 ;;
esac
"""
NEW = ["daemon-reload", "enable x.timer", "start x.timer"]


@dataclass
class Host:
    """The root of the host's files, and systemd's folder."""

    root: Path
    systemd: Path
    run_module: Callable[..., Result]

    def run(self, program: bytes = b"program", **options: Any) -> Result:
        state_file = options.get("state_file")
        parameters = options.pop("value", "s3cr3t")
        settings = timer_units.settings_text("x", {"key": parameters}, state_file)
        present = {
            "module": "files", "calendar": "daily", "settings": settings,
            "program": base64.b64encode(zlib.compress(program)).decode(),
        }  # fmt: skip
        given = options if options.get("state") == "absent" else {**present, **options}
        return self.run_module(schedule, **{"name": "x", **given})

    def calls(self) -> list[str]:
        path = self.systemd / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def path(self, name: str) -> Path:
        return self.root / name

    def files(self) -> dict[str, int]:
        """All files and their modes."""
        found = [path for path in self.root.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.root)): stat.S_IMODE(path.stat().st_mode) for path in found}


FILES = {
    "usr/local/lib/groundwork/x.pyz": 0o700,
    "etc/groundwork/x.json": 0o600,
    "var/lib/groundwork/x.good": 0o600,
    "etc/systemd/system/x.service": 0o644,
    "etc/systemd/system/x.timer": 0o644,
}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_module: Callable[..., Result]) -> Host:
    found = Host(tmp_path / "root", tmp_path / "systemd", run_module)
    for folder in (found.root, found.systemd):
        folder.mkdir()
    for name, text in (("systemctl", SYSTEMCTL), ("journalctl", "#!/bin/sh\n"), ("systemd-analyze", ANALYZE)):
        script = found.systemd / name
        script.write_text(text.replace("{folder}", str(found.systemd)).replace("{root}", str(found.root)))
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{found.systemd}:{os.environ['PATH']}")
    monkeypatch.setattr(schedule, "ROOT", str(found.root))
    return found


def test_from_nothing_to_nothing(host: Host) -> None:
    planned = host.run(_ansible_check_mode=True, _ansible_diff=True)
    assert (planned["changed"], host.files(), host.calls()) == (True, {}, [])

    done = host.run(_ansible_diff=True)
    assert host.files() == FILES
    assert host.calls() == NEW
    assert done["actions"] == planned["actions"] == ["daemon-reload", "enable", "start"]
    assert done["changed_paths"] == planned["changed_paths"] == [str(host.path(name)) for name in FILES]
    assert done["diff"] == planned["diff"]
    assert (done["service"], done["timer"]) == ("x.service", "x.timer")
    assert host.path("usr/local/lib/groundwork/x.pyz").read_bytes() == b"program"

    for check in (True, False):
        again = host.run(_ansible_check_mode=check, _ansible_diff=True)
        assert (again["changed"], again["actions"], again["changed_paths"], again["diff"]) == (False, [], [], [])
    assert host.calls() == []

    would = host.run(state="absent", _ansible_check_mode=True, _ansible_diff=True)
    assert (would["changed"], host.files(), host.calls()) == (True, FILES, [])
    gone = host.run(state="absent", _ansible_diff=True)
    assert host.files() == {}
    assert host.calls() == ["disable x.timer", "stop x.timer", "daemon-reload"]
    assert gone["diff"] == would["diff"]
    assert host.run(state="absent")["changed"] is False
    assert host.calls() == []


def test_nothing_of_the_parameters_is_shown(host: Host) -> None:
    first = host.run(_ansible_diff=True)
    second = host.run(value="an0ther", _ansible_diff=True)
    third = host.run(state="absent", _ansible_diff=True)
    assert second["changed_paths"] == [str(host.path("etc/groundwork/x.json"))]
    for result in (first, second, third):
        assert "s3cr3t" not in json.dumps(result)
        assert "an0ther" not in json.dumps(result)
    assert second["diff"][0]["before"] == "(not shown)\n"
    assert second["diff"][0]["after"] == "(not shown) changed\n"


CHANGES = {
    # option: value, what is written, what is done
    "calendar": ("weekly", ["timer"], ["daemon-reload"]),
    "randomized_delay": ("10min", ["timer"], ["daemon-reload"]),
    "persistent": (False, ["timer"], ["daemon-reload"]),
    "timeout": ("infinity", ["service"], ["daemon-reload"]),
    "description": ("Says 100%", ["service"], ["daemon-reload"]),
    "nice": (19, ["service"], ["daemon-reload"]),
    "io_class": ("best-effort", ["service"], ["daemon-reload"]),
    "writable_paths": (["/etc/a b"], ["service"], ["daemon-reload"]),
    "python": ("/opt/python3", ["service"], ["daemon-reload"]),
    "program": (b"newer", ["pyz"], []),
    "state_file": ("/nowhere/x.json", ["json", "service"], ["daemon-reload"]),
}


@pytest.mark.parametrize("option", list(CHANGES))
def test_a_change(host: Host, option: str) -> None:
    host.run()
    host.calls()
    value, written, calls = CHANGES[option]
    planned = host.run(**{option: value}, _ansible_check_mode=True)
    assert host.calls() == []
    done = host.run(**{option: value})
    assert [path.rpartition(".")[2] for path in done["changed_paths"]] == written
    assert host.calls() == calls
    assert planned["changed_paths"] == done["changed_paths"]
    assert planned["actions"] == done["actions"] == [call.split()[0] for call in calls]
    assert host.run(**{option: value})["changed"] is False


def test_the_units(host: Host) -> None:
    host.run(
        calendar="Mon,Fri *-*-* 02:30", randomized_delay="5min", persistent=False, timeout="2h", nice=5,
        description="Says 100%", writable_paths=["/etc/a b", "/usr/c"],
    )  # fmt: skip
    service = host.path("etc/systemd/system/x.service").read_text().splitlines()
    timer = host.path("etc/systemd/system/x.timer").read_text()
    command = (
        f"ExecStart=/bin/sh {host.root}/usr/local/lib/groundwork/x.pyz {host.root}/etc/groundwork/x.json"
        f' "{sys.executable}"'
    )
    assert service[0] == timer_units.MARK
    assert command in service
    assert {"Type=oneshot", "Description=Says 100%%", "TimeoutStartSec=2h", "Nice=5", "IOSchedulingClass=idle"} < set(
        service
    )
    assert "ProtectSystem=strict" in service
    assert [line for line in service if line.startswith("ReadWritePaths=")] == [
        f"ReadWritePaths=-{host.root}/var/lib/groundwork", 'ReadWritePaths="-/etc/a b"', 'ReadWritePaths="-/usr/c"'
    ]  # fmt: skip
    assert timer.startswith(timer_units.MARK)
    assert "OnCalendar=Mon,Fri *-*-* 02:30\nRandomizedDelaySec=5min\nPersistent=false\n" in timer


@pytest.mark.parametrize(
    ("name", "mode"), [("etc/groundwork/x.json", 0o644), ("usr/local/lib/groundwork/x.pyz", 0o755)]
)
def test_a_wider_mode_is_put_right(host: Host, name: str, mode: int) -> None:
    host.run()
    host.path(name).chmod(mode)
    result = host.run(_ansible_diff=True)
    assert (result["changed_paths"], host.files()) == ([str(host.path(name))], FILES)
    assert result["diff"][0]["after"].startswith(f"mode {FILES[name]:04o}")


@pytest.mark.parametrize(
    ("drift", "calls"),
    [("x.timer.enabled", ["enable x.timer"]), ("x.timer.active", ["start x.timer"])],
    ids=["disabled", "stopped"],
)
def test_a_timer_that_was_turned_off(host: Host, drift: str, calls: list[str]) -> None:
    host.run()
    host.calls()
    (host.systemd / drift).unlink()
    assert host.run(_ansible_check_mode=True)["changed"]
    assert host.run()["changed"]
    assert host.calls() == calls


def test_a_run_that_was_interrupted_is_made_good(host: Host) -> None:
    (host.systemd / "broken").touch()
    assert host.run()["msg"].startswith("systemctl daemon-reload failed: Job failed.")
    assert host.files() == FILES
    (host.systemd / "broken").unlink()
    host.calls()
    result = host.run()
    assert (result["changed_paths"], result["actions"]) == ([], ["daemon-reload", "enable", "start"])
    assert host.calls() == NEW


def test_a_reload_for_other_units_is_no_change(host: Host) -> None:
    host.run()
    host.calls()
    (host.systemd / "reload").write_text("yes")
    assert host.run(_ansible_check_mode=True)["changed"] is False
    assert host.run()["changed"] is False
    assert host.calls() == ["daemon-reload"]


def test_state_files_that_are_not_wanted_any_more_go(host: Host, tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    host.run(state_file=str(old))
    old.write_text("{}")
    moved = host.run(state_file=str(new))
    assert str(old) in moved["changed_paths"]
    assert not old.exists()
    new.write_text("{}")
    assert host.run(state_file=str(new))["changed"] is False
    host.run(state="absent")
    assert not new.exists()


def test_absent_takes_the_stamp_and_the_failure_with_it(host: Host) -> None:
    host.run()
    host.calls()
    stamp = host.path("var/lib/systemd/timers/stamp-x.timer")
    stamp.parent.mkdir(parents=True)
    stamp.touch()
    (host.systemd / "x.service.active").write_text("failed")
    host.run(state="absent")
    assert host.files() == {}
    assert host.calls() == ["disable x.timer", "stop x.timer", "daemon-reload", "reset-failed x.service"]


def test_the_age_of_the_last_good_run_is_watched(host: Host) -> None:
    host.run()
    host.calls()
    good = host.path("var/lib/groundwork/x.good")
    good.write_text("1000\n")
    units = [str(host.path(f"etc/systemd/system/x-age.{kind}")) for kind in ("timer", "service")]

    planned = host.run(max_age=60, _ansible_check_mode=True, _ansible_diff=True)
    done = host.run(max_age=60, _ansible_diff=True)
    assert planned["changed_paths"] == done["changed_paths"] == units
    assert planned["actions"] == done["actions"] == ["daemon-reload", "enable", "start"]
    assert planned["diff"] == done["diff"]
    assert host.calls() == ["daemon-reload", "enable x-age.timer", "start x-age.timer"]
    assert "OnCalendar=hourly\n" in Path(units[0]).read_text()
    command = f"ExecStart=/bin/sh {host.root}/usr/local/lib/groundwork/x.pyz --age {good} 60\n"
    assert command in Path(units[1]).read_text()
    assert good.read_text() == "1000\n"
    assert host.run(max_age=60)["changed"] is False
    assert host.run(max_age=90)["changed_paths"] == units[1:]
    host.calls()

    (host.systemd / "x-age.service.active").write_text("failed")
    assert host.run()["changed_paths"] == units
    assert host.calls() == [
        "disable x-age.timer", "stop x-age.timer", "daemon-reload", "reset-failed x-age.service",
    ]  # fmt: skip
    assert host.run()["changed"] is False
    host.run(max_age=60)
    host.run(state="absent")
    assert host.files() == {}


@pytest.mark.parametrize(
    ("option", "running", "preferred"),
    [
        (None, "/usr/bin/python3.11", ""),
        (None, "/bin/python3", ""),
        (None, "/usr/libexec/platform-python", ""),
        (None, "/opt/python/bin/python3", "/opt/python/bin/python3"),
        ("/usr/bin/python3.12", "/usr/bin/python3.11", "/usr/bin/python3.12"),
    ],
)
def test_the_python_that_is_tried_first(option: str | None, running: str, preferred: str) -> None:
    assert timer_units.preferred_python(option, running) == preferred


FOREIGN = (
    "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nFragmentPath=/usr/lib/systemd/system/x.service\n"
)


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize(
    ("show", "written", "message"),
    [
        (FOREIGN, None, "name: the host has a unit /usr/lib/systemd/system/x.service, so choose another name"),
        (None, "[Service]\n", "x.service is there and was not written by this module, so choose another name"),
        ("LoadState=masked\n", None, "x.service is masked: run 'systemctl unmask x.service' on the host"),
    ],
    ids=["packaged", "local", "masked"],
)
def test_units_of_others_are_left_alone(
    host: Host, state: str, show: str | None, written: str | None, message: str
) -> None:
    if show:
        (host.systemd / "x.service.show").write_text(show)
    if written:
        unit = host.path("etc/systemd/system/x.service")
        unit.parent.mkdir(parents=True)
        unit.write_text(written)
    before = host.files()
    result = host.run(state=state)
    assert result["failed"]
    assert message in result["msg"]
    assert (host.files(), host.calls()) == (before, [])


FAULTS = [
    ({"name": "a b"}, ["name: 'a b' may hold"]),
    ({"max_age": -1}, ["max_age: give a number of minutes"]),
    ({"name": "../x", "state": "absent"}, ["name: '../x' may hold"]),
    ({"calendar": "daily\nx"}, ["calendar: 'daily\\nx' is blank, or has line breaks"]),
    ({"description": "ends with \\"}, ["description: "]),
    ({"timeout": " "}, ["timeout: ' ' is blank"]),
    ({"state_file": "x.json"}, ["state_file: 'x.json' is no absolute path"]),
    ({"writable_paths": ["/etc/$x"], "python": "/%h"}, ["writable_paths: '/etc/$x' is", "python: '/%h' is"]),
    ({"calendar": "wrong", "randomized_delay": "wrong1", "timeout": "wrong2"}, [
        "calendar: systemd does not understand 'wrong': Failed to parse calendar 'wrong'",
        "randomized_delay: systemd does not understand 'wrong1': Failed to parse timespan",
        "timeout: systemd does not understand 'wrong2'",
    ]),
    ({"program": None}, ["this module is run by its action plugin"]),
    ({"calendar": None}, ["calendar is required with state=present"]),
]  # fmt: skip


@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
@pytest.mark.parametrize(("options", "message"), FAULTS)
def test_faults(host: Host, options: dict[str, Any], message: list[str], check: bool) -> None:
    if "program" in options:
        result = host.run_module(schedule, name="x", module="files", calendar="daily", _ansible_check_mode=check)
    else:
        result = host.run(**options, _ansible_check_mode=check)
    assert result["failed"]
    for text in message:
        assert text in result["msg"]
    assert (host.files(), host.calls()) == ({}, [])
