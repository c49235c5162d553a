# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that systemd runs by the calendar: where its files lie and what they hold. Nothing is written here."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.confinement import confinement
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.timer_launcher import FOLDERS

MARK = "# Managed by Ansible (groundwork.kubernetes.schedule)."

SERVICE = """\
{mark}
[Unit]
Description={description}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart={command}
SyslogIdentifier={name}
TimeoutStartSec={timeout}
Environment=HOME=%h
Nice={nice}
IOSchedulingClass={io_class}
ReadWritePaths=-{state}
{confinement}"""
SERVICE_CONFINEMENT = {
    "CapabilityBoundingSet": "CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH",
    "ProtectHome": "read-only",
    "ProtectProc": "invisible",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_NETLINK AF_UNIX",
}

AGE_SERVICE = """\
{mark}
[Unit]
Description=Age of the last good run of {name}.service

[Service]
Type=oneshot
ExecStart={command}
SyslogIdentifier={name}
{confinement}"""
AGE_CONFINEMENT = {
    "CapabilityBoundingSet": "",
    "MemoryDenyWriteExecute": "true",
    "PrivateNetwork": "true",
    "RestrictAddressFamilies": "AF_UNIX",
}

TIMER = """\
{mark}
[Unit]
Description={description}

[Timer]
OnCalendar={calendar}
RandomizedDelaySec={randomized_delay}
Persistent={persistent}

[Install]
WantedBy=timers.target
"""


@dataclass(frozen=True)
class Places:
    """The files of one schedule."""

    name: str
    root: str = "/"

    @property
    def program(self) -> str:
        """The module with all that it needs."""
        return self._path("usr/local/lib/groundwork", "pyz")

    @property
    def settings(self) -> str:
        """Its parameters."""
        return self._path("etc/groundwork", "json")

    @property
    def service(self) -> str:
        """The unit that runs the program."""
        return self._path("etc/systemd/system", "service")

    @property
    def timer(self) -> str:
        """The unit that starts the service."""
        return self._path("etc/systemd/system", "timer")

    @property
    def age_service(self) -> str:
        """The unit that says when the last good run is too old."""
        return self._path("etc/systemd/system", "service", "-age")

    @property
    def age_timer(self) -> str:
        """The unit that starts that one."""
        return self._path("etc/systemd/system", "timer", "-age")

    @property
    def good(self) -> str:
        """When the last good run began, in seconds since the epoch."""
        return self._path("var/lib/groundwork", "good")

    @property
    def stamp(self) -> str:
        """Where systemd keeps when a persistent timer last went off."""
        return os.path.join(self.root, "var/lib/systemd/timers", f"stamp-{self.name}.timer")

    def _path(self, folder: str, suffix: str, part: str = "") -> str:
        return os.path.join(self.root, folder, f"{self.name}{part}.{suffix}")


def faults(options: Mapping[str, Any]) -> List[str]:
    """What is wrong with the options, as far as it shows without the host."""
    found = []
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", options["name"]):
        found.append(f"name: {options['name']!r} may hold letters, digits and . _ - only")
    if options["state"] == "absent":
        return found
    found += [f"{option} is required with state=present" for option in ("module", "calendar") if not options[option]]
    if options["max_age"] < 0:
        found.append("max_age: give a number of minutes, or 0 for no limit")
    for option in ("calendar", "description", "randomized_delay", "timeout"):
        text = options[option]
        if text and (not text.strip() or not text.isprintable() or "\\" in text):
            found.append(f"{option}: {text!r} is blank, or has line breaks, control characters or a backslash")
    for option, paths in (
        ("python", [options["python"]]),
        ("state_file", [options["state_file"]]),
        ("writable_paths", options["writable_paths"]),
    ):
        found += [
            f"{option}: {path!r} is no absolute path, has .. in it, or one of the characters \" ' \\ % $"
            for path in paths
            if path is not None
            and (".." in path.split("/") or not re.fullmatch(r"/[^\"'\\%$]*", path if path.isprintable() else ""))
        ]
    return found


def preferred_python(option: Optional[str], running: str) -> str:
    """The Python to try first; empty where the program finds one by itself.

    Args:
        option: the one that was asked for.
        running: the one that Ansible uses on the host, which may change with the distribution.
    """
    return option or ("" if os.path.dirname(running) in ("/bin", *FOLDERS) else running)


def service_text(places: Places, options: Mapping[str, Any], python: str) -> str:
    """The unit that runs the program."""
    description = options["description"] or f"Module groundwork.kubernetes.{options['module']}"
    command = f"/bin/sh {places.program} {places.settings}" + (f' "{python}"' if python else "")
    text = SERVICE.format(
        mark=MARK,
        name=places.name,
        command=command,
        description=description.replace("%", "%%"),
        timeout=options["timeout"],
        nice=options["nice"],
        io_class=options["io_class"],
        state=os.path.dirname(places.good),
        confinement=confinement(SERVICE_CONFINEMENT),
    )
    paths = [*options["writable_paths"], *([os.path.dirname(options["state_file"])] if options["state_file"] else [])]
    return text + "".join(f'ReadWritePaths="-{path}"\n' for path in paths)


def timer_text(places: Places, options: Mapping[str, Any]) -> str:
    """The unit that starts the service."""
    return TIMER.format(
        mark=MARK,
        description=f"Calendar of {places.name}.service",
        calendar=options["calendar"],
        randomized_delay=options["randomized_delay"],
        persistent="true" if options["persistent"] else "false",
    )


def age_service_text(places: Places, options: Mapping[str, Any]) -> str:
    """The unit that says when the last good run is too old."""
    command = f"/bin/sh {places.program} --age {places.good} {options['max_age']}"
    return AGE_SERVICE.format(mark=MARK, name=places.name, command=command, confinement=confinement(AGE_CONFINEMENT))


def age_timer_text(places: Places) -> str:
    """The unit that starts that one; it does not depend on the other timer."""
    return TIMER.format(
        mark=MARK,
        description=f"Calendar of {places.name}-age.service",
        calendar="hourly",
        randomized_delay="10min",
        persistent="false",
    )


def settings_text(name: str, parameters: Dict[str, Any], state_file: Optional[str]) -> str:
    """The file that the program reads.

    Args:
        name: the schedule's.
        parameters: what the module is called with.
        state_file: where the program keeps its last result.
    """
    settings = {"parameters": parameters, "name": name, "stamp": Places(name).good, "state_file": state_file}
    return json.dumps(settings, indent=2, sort_keys=True) + "\n"


def state_file_of(settings: Optional[bytes]) -> Optional[str]:
    """Where a program that is installed keeps its last result; None where nowhere, or its file cannot be read."""
    try:
        found = json.loads((settings or b"").decode())["state_file"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None
