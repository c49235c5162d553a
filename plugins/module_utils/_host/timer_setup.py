# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A schedule brought into its state: its files, its timers and what systemd knows of them."""

from __future__ import annotations

import sys
from typing import Any, Dict, List, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.diff import diff_lines
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import plan_file
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.service import (
    DesiredState,
    Systemd,
    Unit,
    plan,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.timer_files import (
    ScheduleError,
    ScheduleFile,
    unwanted_files,
    wanted_files,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.timer_units import MARK, Places

Step = Tuple[Systemd, str]


class ScheduleModule:
    """The module's states over one set of options."""

    def __init__(self, module: AnsibleModule, root: str) -> None:
        self.module, self.options = module, module.params
        self.places = Places(module.params["name"], root)
        self.service = Systemd(module, f"{self.places.name}.service")
        self.timer = Systemd(module, f"{self.places.name}.timer")
        self.age_service = Systemd(module, f"{self.places.name}-age.service")
        self.age_timer = Systemd(module, f"{self.places.name}-age.timer")

    def run(self) -> Dict[str, Any]:
        """Bring the schedule into its state."""
        service, timer, age_timer = self.service.read(), self.timer.read(), self.age_timer.read()
        self.require_own(service, timer, age_timer)
        present = self.options["state"] == "present"
        watched = present and self.options["max_age"] > 0
        items = [item for item in self.files(present) if item.changed]
        written = [item.change.path for item in items if item.change.path in self.unit_paths]
        on: List[Step] = []
        off: List[Step] = []
        for systemd, unit, wanted in ((self.timer, timer, present), (self.age_timer, age_timer, watched)):
            (on if wanted else off).extend((systemd, step) for step in self.steps(unit, wanted))
        new = (present and not timer.exists) or (watched and not age_timer.exists)
        # That systemd reads its files anew is enough for a timer that runs to follow its new calendar.
        reload = bool(written or new)
        actions = [*(step for _timer, step in off), *["daemon-reload"] * reload, *(step for _timer, step in on)]
        if not self.module.check_mode:
            self.act(items, off, on, reload or (present and (service.needs_reload or timer.needs_reload)))
            self.forget_failures(present, watched)
        result: Dict[str, Any] = {
            "changed": bool(items or actions),
            "actions": actions,
            "changed_paths": [item.change.path for item in items],
            "service": self.service.name,
            "timer": self.timer.name,
        }
        if self.module._diff:
            state = f"{timer.active_state} {timer.file_state}".strip()
            after = [f"{state}, then {', '.join(actions)}"] if actions else [state]
            result["diff"] = [diff for item in items for diff in item.diffs()]
            result["diff"] += diff_lines(self.timer.name, [state], after)
        return result

    def files(self, present: bool) -> List[ScheduleFile]:
        """All files, as they are to be."""
        return wanted_files(self.places, self.options, sys.executable) if present else unwanted_files(self.places)

    def steps(self, timer: Unit, wanted: bool) -> List[str]:
        """What brings a timer into its state."""
        if wanted:
            return plan(timer, DesiredState("started", enabled=True, restart=False), [])[0]
        return plan(timer, DesiredState("stopped", enabled=False if timer.exists else None, restart=False), [])[0]

    def act(self, items: List[ScheduleFile], off: List[Step], on: List[Step], reload: bool) -> None:
        """Stop timers, write or remove the files, have systemd read them, and start timers."""
        for timer, step in off:
            timer.act(step)
        for item in items:
            item.apply(self.module)
        if reload:
            self.timer.act("daemon-reload")
        for timer, step in on:
            timer.act(step)

    def forget_failures(self, present: bool, watched: bool) -> None:
        """A service that is no longer there has not failed."""
        for service, there in ((self.service, present), (self.age_service, watched)):
            if not there and service.read().active_state == "failed":
                service.act("reset-failed")

    @property
    def unit_paths(self) -> List[str]:
        """The files that systemd reads."""
        places = self.places
        return [places.service, places.timer, places.age_service, places.age_timer]

    def require_own(self, service: Unit, timer: Unit, age_timer: Unit) -> None:
        """Refuse names that others use, and what systemd does not understand.

        Raises:
            ScheduleError: with all faults.
        """
        found = []
        for unit, systemd, path in (
            (service, self.service, self.places.service),
            (timer, self.timer, self.places.timer),
            (age_timer, self.age_timer, self.places.age_timer),
        ):
            content = plan_file(path, None).before
            if unit.load_state == "masked":
                found.append(f"{systemd.name} is masked: run 'systemctl unmask {systemd.name}' on the host")
            elif content is not None and not content.startswith(MARK.encode()):
                found.append(f"name: {path} is there and was not written by this module, so choose another name")
            elif content is None and unit.exists and unit.fragment not in ("", path):
                found.append(f"name: the host has a unit {unit.fragment}, so choose another name")
        if self.options["state"] == "present":
            found += self.not_understood("calendar", "calendar")
            for option in ("randomized_delay", "timeout"):
                found += self.not_understood(option, "timespan")
        if found:
            raise ScheduleError("\n".join(found))

    def not_understood(self, option: str, kind: str) -> List[str]:
        """What systemd says against an option's value."""
        text = self.options[option]
        analyze = self.module.get_bin_path("systemd-analyze")
        if analyze is None or text == "infinity":
            return []
        rc, out, err = self.module.run_command([analyze, kind, "--", text], expand_user_and_vars=False)
        reason = (err or out).strip().splitlines()[:1]
        return [f"{option}: systemd does not understand {text!r}: {'; '.join(reason)}"] if rc != 0 else []
