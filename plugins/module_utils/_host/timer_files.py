# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a schedule as they are and as they should be: program, settings, units."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import time
import zlib
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.diff import diff_lines
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import FileChange, plan_file
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.install import Attributes, install_stream
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.timer_units import (
    Places,
    age_service_text,
    age_timer_text,
    preferred_python,
    service_text,
    state_file_of,
    timer_text,
)


class ScheduleError(Exception):
    """What is wrong, one fault a line."""


@dataclass(frozen=True)
class ScheduleFile:
    """A file of the schedule: its change, its mode, and how it is shown."""

    change: FileChange
    mode: int = 0o644
    shown: str = "text"

    @property
    def attributes(self) -> Attributes:
        """Its mode and owner, the one who runs this module."""
        return Attributes(self.mode, os.geteuid(), os.getegid())

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        kept = self.change.before is not None and self.change.after is not None
        return self.change.changed or (kept and self.attributes.differ(self.change.path))

    def apply(self, module: AnsibleModule) -> None:
        """Write or remove it."""
        if self.change.after is None:
            os.unlink(self.change.path)
        else:
            install_stream(module, io.BytesIO(self.change.after), self.change.path, self.attributes)

    def diffs(self) -> List[Dict[str, Any]]:
        """The change for diff mode."""
        if self.shown == "text" and self.change.changed:
            return [dict(self.change.diff())]
        before, after = self._line(self.change.before), self._line(self.change.after)
        if before == after:
            before, after = ["another mode or owner"], [f"mode {self.mode:04o}, owned by root"]
        return diff_lines(self.change.path, before, after)

    def _line(self, content: Optional[bytes]) -> List[str]:
        if content is None:
            return []
        if self.shown == "sha256":
            return [f"sha256 {hashlib.sha256(content).hexdigest()}"]
        return ["(not shown)" if content == self.change.before else "(not shown) changed"]


def wanted_files(places: Places, options: Mapping[str, Any], running_python: str) -> List[ScheduleFile]:
    """The files of a schedule that is present.

    Args:
        places: where they are.
        options: of the module schedule.
        running_python: the Python that Ansible uses on the host.

    Raises:
        ScheduleError: where the action plugin has not built the program.
    """
    if options["program"] is None or options["settings"] is None:
        raise ScheduleError("this module is run by its action plugin: call it as a task, by its full name")
    program = zlib.decompress(base64.b64decode(options["program"]))
    python = preferred_python(options["python"], running_python)
    watched = options["max_age"] > 0
    good = plan_file(places.good, None)
    # Before the first run, the age counts from the installation.
    first = (
        []
        if good.before
        else [ScheduleFile(plan_file(places.good, f"{int(time.time())}\n".encode()), 0o600, "nothing")]
    )
    settings = plan_file(places.settings, options["settings"].encode())
    return [
        *former_state(settings.before, options["state_file"]),
        ScheduleFile(plan_file(places.program, program), 0o700, "sha256"),
        ScheduleFile(settings, 0o600, "nothing"),
        *first,
        ScheduleFile(plan_file(places.service, service_text(places, options, python).encode())),
        ScheduleFile(plan_file(places.timer, timer_text(places, options).encode())),
        ScheduleFile(plan_file(places.age_timer, age_timer_text(places).encode() if watched else None)),
        ScheduleFile(plan_file(places.age_service, age_service_text(places, options).encode() if watched else None)),
    ]


def unwanted_files(places: Places) -> List[ScheduleFile]:
    """The files of one that is absent; those with which systemd begins go first."""
    settings = plan_file(places.settings, None)
    return [
        ScheduleFile(plan_file(places.age_timer, None)),
        ScheduleFile(plan_file(places.age_service, None)),
        ScheduleFile(plan_file(places.timer, None)),
        ScheduleFile(plan_file(places.service, None)),
        ScheduleFile(plan_file(places.good, None), shown="nothing"),
        ScheduleFile(plan_file(places.stamp, None), shown="nothing"),
        *former_state(settings.before, None),
        ScheduleFile(plan_file(places.program, None), shown="sha256"),
        ScheduleFile(settings, shown="nothing"),
    ]


def former_state(settings: Optional[bytes], state_file: Optional[str]) -> List[ScheduleFile]:
    """The state file that the installed program writes, where it is no longer wanted."""
    former = state_file_of(settings)
    return [ScheduleFile(plan_file(former, None), shown="nothing")] if former and former != state_file else []
