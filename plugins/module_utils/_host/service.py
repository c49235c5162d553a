# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A systemd unit: as systemctl shows it, what brings it to what is asked for, and the calls that do so."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.restart_due import Started

PROPERTIES = (
    "LoadState,ActiveState,UnitFileState,FragmentPath,DropInPaths,NeedDaemonReload,ReloadResult,InvocationID,"
    "ExecMainStartTimestamp,ExecMainStartTimestampMonotonic,StateChangeTimestamp,StateChangeTimestampMonotonic"
)
RUNNING = ("active", "activating", "reloading", "refreshing")
# Units that start at boot, or have no [Install] section so that nothing can be enabled.
ENABLED = ("enabled", "static", "alias", "indirect", "generated", "transient")


@dataclass(frozen=True)
class Unit:
    """A unit, with times in seconds since the epoch, each the earlier one of what two clocks say.

    systemd's monotonic clock stands still while a machine is paused, so what it tells may be too late afterwards. The
    wall clock may have been set. The earlier time is the side on which no restart is missed.

    fragment: its unit file, and drop_ins those that are laid over it, as systemd has read them.
    needs_reload: whether systemd would read its files anew. Since version 255 it says so of every unit when any unit
        was enabled or disabled, so that it is no reason for a restart.
    started_at: when its main process was started; None where it never was.
    changed_at: when its state last changed. A reload changes it twice, whether it succeeds or not.
    reload_failed: whether the last reload did not succeed.
    invocation: systemd's id of its last start.
    """

    load_state: str
    active_state: str
    file_state: str
    fragment: str
    needs_reload: bool
    started_at: Optional[float]
    changed_at: Optional[float] = None
    reload_failed: bool = False
    drop_ins: Tuple[str, ...] = ()
    invocation: str = ""

    @property
    def exists(self) -> bool:
        """Whether systemd has a file for it."""
        return self.load_state not in ("not-found", "")

    @property
    def running(self) -> bool:
        """Whether it runs or is about to."""
        return self.active_state in RUNNING

    @property
    def paths(self) -> List[str]:
        """The files that it is made of, without those that systemd generates whenever it reads the others."""
        return [path for path in (self.fragment, *self.drop_ins) if not path.startswith("/run/")]

    def stale(self, name: str, files: List[str]) -> bool:
        """Whether systemd knows less than the disk: no unit, a changed one, or one made of other files."""
        return self.needs_reload or not self.exists or self.remade(name, files)

    def remade(self, name: str, files: List[str]) -> bool:
        """Whether the unit is made of other files than systemd has read.

        It takes notice of neither a unit file that takes precedence nor a first drop-in by itself.

        Args:
            name: of the unit.
            files: the service's files, those of its unit among them.
        """
        present = [path for path in files if os.path.exists(path)]
        units = [path for path in present if os.path.basename(path) == name]
        drop_ins = [path for path in present if os.path.basename(os.path.dirname(path)) == f"{name}.d"]
        return (
            bool(units and self.fragment not in units)
            or any(path not in self.drop_ins for path in drop_ins)
            or any(not os.path.exists(path) for path in self.drop_ins)
        )


@dataclass(frozen=True)
class DesiredState:
    """What is asked for; a state or enablement of None is left as it is."""

    state: Optional[str]
    enabled: Optional[bool]
    restart: bool
    reload: bool = False


def parse_unit(text: str, now: float, monotonic: float) -> Unit:
    """Read what systemctl show prints.

    Args:
        text: lines of 'Property=value', with times in UTC.
        now: the time, in seconds since the epoch.
        monotonic: the same moment on the clock that systemd's monotonic timestamps use, in seconds.
    """
    properties = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def moment(name: str) -> Optional[float]:
        value = int(properties.get(f"{name}Monotonic") or 0) / 1e6
        if not value:
            return None
        shown = re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?= UTC)", properties.get(name, ""))
        if not shown:
            return now - (monotonic - value)
        wall = datetime.strptime(shown.group(), "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
        # The fraction of its second is not shown.
        return min(now - (monotonic - value), wall.timestamp() + 1)

    return Unit(
        load_state=properties.get("LoadState", ""),
        active_state=properties.get("ActiveState", ""),
        file_state=properties.get("UnitFileState", ""),
        fragment=properties.get("FragmentPath", ""),
        needs_reload=properties.get("NeedDaemonReload") == "yes",
        started_at=moment("ExecMainStartTimestamp"),
        changed_at=moment("StateChangeTimestamp"),
        drop_ins=tuple(properties.get("DropInPaths", "").split()),
        reload_failed=properties.get("ReloadResult", "success") != "success",
        invocation=properties.get("InvocationID", ""),
    )


def plan(
    unit: Unit, desired: DesiredState, changed: Sequence[str], reloadable: Optional[Sequence[str]] = None
) -> Tuple[List[str], List[str]]:
    """The systemctl commands that are due, and why a restart or a reload is.

    Args:
        unit: as it is.
        desired: as it should be.
        changed: files that the service reads at its start, and that are others now.
        reloadable: the same of files that it also reads on a reload; None where it has none.
    """
    steps: List[str] = []
    if desired.enabled is not None and desired.enabled != (unit.file_state in ENABLED):
        steps.append("enable" if desired.enabled else "disable")
    if desired.state == "stopped":
        return steps + ["stop"] * unit.running, []
    if not unit.running:
        return steps + ["start"] * (desired.state == "started"), []
    reasons = ["what the service is made of changed"] if desired.restart else []
    reasons += [f"{path} has changed since the service was started" for path in changed]
    if reasons:
        return [*steps, "restart"], reasons
    reasons = ["what the service reads changed"] if desired.reload else []
    if reloadable is not None:
        reasons += ["the last reload failed"] * unit.reload_failed
        reasons += [f"{path} has changed since it was last read" for path in reloadable]
    return steps + ["reload"] * bool(reasons), reasons


def read_at(unit: Unit) -> Optional[float]:
    """When the service last read its files, at its start or at a reload."""
    return max((moment for moment in (unit.started_at, unit.changed_at) if moment is not None), default=None)


class ServiceError(Exception):
    """Why the service cannot be brought to what is asked for."""


class Systemd:
    """Calls systemctl for one unit."""

    def __init__(self, module: AnsibleModule, name: str) -> None:
        self.module = module
        self.name = name
        self.systemctl: str = module.get_bin_path("systemctl", required=True)

    def read(self) -> Unit:
        """The unit as it is now."""
        rc, out, err = self.module.run_command(
            [self.systemctl, "show", self.name, f"--property={PROPERTIES}"],
            environ_update={"TZ": "UTC"},
            expand_user_and_vars=False,
        )
        if rc != 0:
            raise ServiceError(f"systemctl cannot show {self.name}: {(err or out).strip()}")
        return parse_unit(out, now=time.time(), monotonic=time.monotonic())

    def act(self, action: str, *options: str) -> None:
        """One systemctl command; daemon-reload concerns all units.

        Raises:
            ServiceError: with the service's last messages where it fails.
        """
        unit = [] if action == "daemon-reload" else [self.name]
        rc, out, err = self.module.run_command([self.systemctl, action, *options, *unit], expand_user_and_vars=False)
        if rc == 0:
            return
        message = f"systemctl {' '.join([action, *unit])} failed: {(err or out).strip()}"
        raise ServiceError(message + (f"\nIts last messages:\n{self.messages()}" if unit else ""))

    def messages(self, lines: int = 15) -> str:
        """The end of what the service has logged."""
        _rc, log, _err = self.module.run_command(
            ["journalctl", f"--unit={self.name}", f"--lines={lines}", "--no-pager", "--output=cat"],
            expand_user_and_vars=False,
        )
        return str(log).strip()

    def restarts(self) -> int:
        """How often systemd has started the service again because it ended by itself."""
        _rc, out, _err = self.module.run_command(
            [self.systemctl, "show", self.name, "--property=NRestarts", "--value"], expand_user_and_vars=False
        )
        return int(out.strip() or 0)


def accepted(module: AnsibleModule, name: str, command: Sequence[str]) -> None:
    """Have a program judge what it is about to read, while the one that runs still does.

    Raises:
        ServiceError: with what it says.
    """
    rc, out, err = module.run_command(list(command), expand_user_and_vars=False)
    if rc:
        said = (err or out).strip() or f"exit code {rc}"
        raise ServiceError(f"{name} was left as it is, since it would not start: '{' '.join(command)}' says: {said}")


def run_service(module: AnsibleModule, params: Dict[str, Any]) -> Dict[str, Any]:
    """Bring a service to what is asked for, or in check mode say how; a module's result.

    Args:
        module: which calls systemctl.
        params: options as those of the module service.

    Raises:
        ServiceError: where there is no such unit, or it cannot be started.
    """
    name = params["name"] if "." in params["name"] else f"{params['name']}.service"
    systemd = Systemd(module, name)
    unit = systemd.read()
    stale, remade = unit.stale(name, params["files"]), unit.exists and unit.remade(name, params["files"])
    if stale and not module.check_mode:
        systemd.act("daemon-reload")
        unit = systemd.read()
    if unit.load_state == "masked":
        raise ServiceError(f"{name} is masked, so it cannot be started: run 'systemctl unmask {name}' on the host")
    if not unit.exists and params["state"] != "stopped" and not module.check_mode:
        raise ServiceError(f"the host has no unit {name}")
    desired = DesiredState(params["state"], params["enabled"], params["restart"] or remade, params["reload"])
    made_of = [*params["files"], *unit.paths]
    started = Started(name, unit.invocation)
    changed = started.changed(made_of, unit.started_at)
    reread = started.changed(params["reload_files"], read_at(unit))
    steps, reasons = plan(unit, desired, changed, reread if any(map(os.path.exists, params["reload_files"])) else None)
    # That systemd reads its files anew changes nothing for a unit that is not there or goes on as it is.
    actions: List[str] = ["daemon-reload"] * (stale and (bool(steps) or (unit.exists and not unit.running))) + steps
    if not module.check_mode:
        if params.get("check") and {"start", "restart"}.intersection(steps):
            accepted(module, name, params["check"])
        for step in steps:
            systemd.act(step)
        after = systemd.read() if steps else unit
        if after.running:
            started.note(after.invocation, params["reload_files"] if "reload" in steps else [])
    result: Dict[str, Any] = {"changed": bool(actions), "actions": actions, "reasons": reasons}
    if module._diff and actions:
        result["diff"] = {
            "before": f"{name} {unit.active_state} {unit.file_state}\n",
            "after": f"{name} {', '.join(actions)}" + (f" ({'; '.join(reasons)})" if reasons else "") + "\n",
        }
    return result
