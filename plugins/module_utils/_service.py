# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A systemd unit: as systemctl shows it, what brings it to what is asked for, and the calls that do so."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule

PROPERTIES = "LoadState,ActiveState,UnitFileState,FragmentPath,NeedDaemonReload,ExecMainStartTimestampMonotonic"
RUNNING = ("active", "activating", "reloading", "refreshing")
# Units that start at boot, or have no [Install] section so that nothing can be enabled.
ENABLED = ("enabled", "static", "alias", "indirect", "generated", "transient")


@dataclass(frozen=True)
class Unit:
    """A unit. started_at is when its main process was started, in seconds since the epoch; None where it never was."""

    load_state: str
    active_state: str
    file_state: str
    fragment: str
    needs_reload: bool
    started_at: Optional[float]

    @property
    def exists(self) -> bool:
        """Whether systemd has a file for it."""
        return self.load_state not in ("not-found", "")

    @property
    def running(self) -> bool:
        """Whether it runs or is about to."""
        return self.active_state in RUNNING

    def stale(self, name: str, files: List[str]) -> bool:
        """Whether systemd knows less than the disk: no unit, a changed one, or another than the one among the files."""
        own = [path for path in files if os.path.basename(path) == name and os.path.exists(path)]
        return self.needs_reload or not self.exists or bool(own and self.fragment not in own)


@dataclass(frozen=True)
class Wish:
    """What is asked for; a state or enablement of None is left as it is."""

    state: Optional[str]
    enabled: Optional[bool]
    restart: bool


def parse_unit(text: str, now: float, monotonic: float) -> Unit:
    """Read what systemctl show prints.

    Args:
        text: lines of 'Property=value'.
        now: the time, in seconds since the epoch.
        monotonic: the same moment on the clock that systemd's monotonic timestamps use, in seconds.
    """
    properties = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    started = int(properties.get("ExecMainStartTimestampMonotonic") or 0) / 1e6
    return Unit(
        load_state=properties.get("LoadState", ""),
        active_state=properties.get("ActiveState", ""),
        file_state=properties.get("UnitFileState", ""),
        fragment=properties.get("FragmentPath", ""),
        needs_reload=properties.get("NeedDaemonReload") == "yes",
        started_at=now - (monotonic - started) if started else None,
    )


def plan(unit: Unit, wish: Wish, written: Dict[str, float]) -> Tuple[List[str], List[str]]:
    """The systemctl commands that are due, and why a restart is.

    Args:
        unit: as it is.
        wish: as it should be.
        written: when each of the service's files was written, in seconds since the epoch.
    """
    steps: List[str] = []
    if wish.enabled is not None and wish.enabled != (unit.file_state in ENABLED):
        steps.append("enable" if wish.enabled else "disable")
    if wish.state == "stopped":
        return steps + ["stop"] * unit.running, []
    if not unit.running:
        return steps + ["start"] * (wish.state == "started"), []
    reasons = ["what the service is made of changed"] if wish.restart else []
    started_at = unit.started_at
    if started_at is not None:
        newer = sorted(path for path, time in written.items() if time > started_at)
        reasons += [f"{path} was written after the service was started" for path in newer]
    return steps + ["restart"] * bool(reasons), reasons


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
        rc, out, err = self.module.run_command([self.systemctl, "show", self.name, f"--property={PROPERTIES}"])
        if rc != 0:
            raise ServiceError(f"systemctl cannot show {self.name}: {(err or out).strip()}")
        return parse_unit(out, now=time.time(), monotonic=time.monotonic())

    def act(self, action: str, *options: str) -> None:
        """One systemctl command; daemon-reload concerns all units.

        Raises:
            ServiceError: with the service's last messages where it fails.
        """
        unit = [] if action == "daemon-reload" else [self.name]
        rc, out, err = self.module.run_command([self.systemctl, action, *options, *unit])
        if rc == 0:
            return
        message = f"systemctl {' '.join([action, *unit])} failed: {(err or out).strip()}"
        raise ServiceError(message + (f"\nIts last messages:\n{self.messages()}" if unit else ""))

    def messages(self, lines: int = 15) -> str:
        """The last that the service has said."""
        _rc, log, _err = self.module.run_command(
            ["journalctl", f"--unit={self.name}", f"--lines={lines}", "--no-pager", "--output=cat"]
        )
        return str(log).strip()

    def restarts(self) -> int:
        """How often systemd has started the service again because it ended by itself."""
        _rc, out, _err = self.module.run_command([self.systemctl, "show", self.name, "--property=NRestarts", "--value"])
        return int(out.strip() or 0)


def written_times(paths: List[str]) -> Dict[str, float]:
    """When each file was last written; a file that does not exist is left out."""
    return {path: os.stat(path).st_mtime for path in paths if os.path.exists(path)}
