# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module schedule: let systemd run a module of this collection by the calendar."""

from __future__ import annotations

DOCUMENTATION = r"""
module: schedule
short_description: Let systemd run a module of this collection by the calendar
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Installs a module of this collection, with its parameters, as a program that a systemd timer starts. The host needs
    Python, but neither Ansible nor the controller.
  - The program is one file of this collection's own sources. It holds nothing of ansible-core, so it depends on
    nothing but Python 3.8 or newer.
  - A run that a signal ends has failed, and says so, after the module has tidied up.
  - The program writes the module's result to the journal as JSON, and its message again as an error if it failed. Then
    its exit code is 1, and the service is in the state C(failed).
  - systemd does not start a service that still runs, so no run overlaps the one before on the same host.
  - A program that is replaced or removed while it runs comes to its end undisturbed.
  - All faults of the options are reported before anything is written, with the names, types and choices of
    O(parameters).
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.full]
attributes:
  diff_mode:
    details:
      - The parameters are never shown. Of the program only its SHA-256 is.
  idempotent:
    details:
      - The program is replaced when the controller has another version of this collection. The version of ansible-core
        makes no difference.
options:
  name:
    description:
      - Name of the schedule, unique on the host. The units are called C(<name>.service) and C(<name>.timer).
      - A unit of that name that this module has not written is left alone, and the module fails.
    type: str
    required: true
  state:
    description:
      - With V(present), the program is installed and its timer runs and is enabled.
      - With V(absent), the units, the program, its parameters and its O(state_file) are removed. A run that is under
        way comes to its end.
    type: str
    choices: [present, absent]
    default: present
  module:
    description:
      - The module, with or without C(groundwork.kubernetes.). It runs as root, not in check mode.
      - Modules of which a part runs on the controller are refused, and those that download.
      - Required with O(state=present).
    type: str
  parameters:
    description:
      - Options of the module. They are written to C(/etc/groundwork/<name>.json), which root alone may read.
      - They are in no diff, no log and on no command line. The module's result, without its options, is in the journal.
    type: dict
    default: {}
  calendar:
    description:
      - When it runs, as C(OnCalendar) in C(systemd.time(7)), in the host's time zone unless it names another.
      - Required with O(state=present).
    type: str
  randomized_delay:
    description: It starts at a random time within so long after O(calendar), for example V(15min).
    type: str
    default: '0'
  persistent:
    description: Whether a run that was due while the host was off is made up for after its start.
    type: bool
    default: true
  timeout:
    description:
      - A run that takes longer is stopped and has failed. V(infinity) for no limit.
      - The module is told to end, and may tidy up.
    type: str
    default: 1h
  description:
    description: What the service does, for C(systemctl status). Without it, the module's name.
    type: str
  nice:
    description: Priority for the CPU, from V(-20), the highest, to V(19).
    type: int
    default: 10
  io_class:
    description: Class for disk access. V(idle) takes only what no other process wants.
    type: str
    choices: [idle, best-effort]
    default: idle
  writable_paths:
    description:
      - Folders that the module writes to, besides that of O(state_file). One that is missing when the run starts is
        left out.
      - All else is read-only to it, and its C(/tmp) is its own. Of root's rights it has those to read and write files
        of others only, within these folders.
      - A file C(/etc/systemd/system/<name>.service.d/*.conf) of yours may say more, see C(systemd.exec(5)).
    type: list
    elements: path
    default: []
  python:
    description:
      - Python 3 on the host that is tried first. Without it, the one that Ansible uses there if it lies elsewhere than
        in C(/usr/bin), C(/usr/local/bin) and C(/usr/libexec).
      - The program looks for a Python at each start, and takes the first that can run it, so it outlives an upgrade of
        the distribution. Where there is none, the service fails with a critical message in the journal.
    type: path
  max_age:
    description:
      - Minutes after which the last good run is too old. V(0) for no limit.
      - A second timer, C(<name>-age.timer), looks every hour. If the last good run began longer ago, or the program is
        gone, C(<name>-age.service) has failed, and a critical message in the journal says so. It needs neither Python
        nor the first timer, so it speaks also where these are gone, masked or stopped.
      - Before the first good run, the time counts from the installation.
    type: int
    default: 0
  state_file:
    description:
      - File for the last result, as JSON with C(name), C(module), C(time) of the start in UTC, C(seconds), C(ok),
        C(changed), C(msg), and C(last_ok), the time of the last good run or null. Only root may read it.
    type: path
  program:
    description: Set by the action plugin, the program as compressed text.
    type: str
  settings:
    description: Set by the action plugin, the content of the file with the parameters.
    type: str
notes:
  - Drop-ins in C(/etc/systemd/system/<name>.service.d) change what the options do not, such as C(OnFailure) for a unit
    that sends mail.
  - When O(calendar) changes, and the new one had been due since the last run, systemd makes up for it at once if
    O(persistent) is set.
seealso:
  - module: groundwork.kubernetes.backup
  - module: groundwork.kubernetes.etcd_defrag
"""

EXAMPLES = r"""
- name: Back up the control plane every night
  groundwork.kubernetes.schedule:
    name: kubernetes-backup
    module: backup
    calendar: '*-*-* 02:00:00'
    randomized_delay: 15min
    state_file: /var/lib/groundwork/kubernetes-backup.json
    max_age: 2880
    parameters:
      directory: /var/backups/kubernetes
      cluster: kubernetes
      cacert: /etc/kubernetes/pki/etcd/ca.crt
      cert: /etc/kubernetes/pki/etcd/healthcheck-client.crt
      key: /etc/kubernetes/pki/etcd/healthcheck-client.key

- name: No longer
  groundwork.kubernetes.schedule:
    name: kubernetes-backup
    state: absent
"""

RETURN = r"""
actions:
  description: What was done with systemd, or would be done in check mode, in this order.
  returned: success
  type: list
  elements: str
  sample: [daemon-reload, enable, start]
changed_paths:
  description: The files that were written or removed, or that got another mode or owner, or would in check mode.
  returned: success
  type: list
  elements: str
  sample: [/etc/systemd/system/kubernetes-backup.timer]
service:
  description: The unit that runs the program. C(systemctl start) runs it now.
  returned: success
  type: str
  sample: kubernetes-backup.service
timer:
  description: The unit that starts the service. C(systemctl list-timers) shows when.
  returned: success
  type: str
  sample: kubernetes-backup.timer
"""

import base64
import hashlib
import io
import os
import sys
import time
import zlib
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.diff import diff_lines
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import FileChange, plan_file
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.install import Attributes, install_stream
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.service import (
    ServiceError,
    Systemd,
    Unit,
    Wish,
    plan,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.timer_units import (
    MARK,
    Places,
    age_service_text,
    age_timer_text,
    faults,
    preferred_python,
    service_text,
    state_file_of,
    timer_text,
)

Step = Tuple[Systemd, str]
ROOT = "/"
ARGUMENTS: Dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "module": {"type": "str"},
    "parameters": {"type": "dict", "default": {}, "no_log": True},
    "calendar": {"type": "str"},
    "randomized_delay": {"type": "str", "default": "0"},
    "persistent": {"type": "bool", "default": True},
    "timeout": {"type": "str", "default": "1h"},
    "description": {"type": "str"},
    "nice": {"type": "int", "default": 10},
    "io_class": {"type": "str", "choices": ["idle", "best-effort"], "default": "idle"},
    "writable_paths": {"type": "list", "elements": "path", "default": []},
    "python": {"type": "path"},
    "max_age": {"type": "int", "default": 0},
    "state_file": {"type": "path"},
    "program": {"type": "str", "no_log": True},
    "settings": {"type": "str", "no_log": True},
}
REQUIRED_IF = [("state", "present", ["module", "calendar"])]


class ScheduleError(Exception):
    """What is wrong, one fault a line."""


@dataclass(frozen=True)
class Item:
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


class ScheduleModule:
    """The module's states over one set of options."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module, self.options = module, module.params
        self.places = Places(module.params["name"], ROOT)
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
        items = [item for item in (self.wanted() if present else self.unwanted()) if item.changed]
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

    def steps(self, timer: Unit, wanted: bool) -> List[str]:
        """What brings a timer into its state."""
        if wanted:
            return plan(timer, Wish("started", enabled=True, restart=False), [])[0]
        return plan(timer, Wish("stopped", enabled=False if timer.exists else None, restart=False), [])[0]

    def act(self, items: List[Item], off: List[Step], on: List[Step], reload: bool) -> None:
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
        said = (err or out).strip().splitlines()
        return [f"{option}: systemd does not understand {text!r}: {'; '.join(said[:1])}"] if rc != 0 else []

    def wanted(self) -> List[Item]:
        """The files of a schedule that is present."""
        options, places = self.options, self.places
        if options["program"] is None or options["settings"] is None:
            raise ScheduleError("this module is run by its action plugin: call it as a task, by its full name")
        program = zlib.decompress(base64.b64decode(options["program"]))
        python = preferred_python(options["python"], sys.executable)
        watched = options["max_age"] > 0
        good = plan_file(places.good, None)
        settings = plan_file(places.settings, options["settings"].encode())
        return [
            *self.former_state(settings.before, options["state_file"]),
            Item(plan_file(places.program, program), 0o700, "sha256"),
            Item(settings, 0o600, "nothing"),
            # Before the first run, the age counts from the installation.
            *(
                []
                if good.before
                else [Item(plan_file(places.good, f"{int(time.time())}\n".encode()), 0o600, "nothing")]
            ),
            Item(plan_file(places.service, service_text(places, options, python).encode())),
            Item(plan_file(places.timer, timer_text(places, options).encode())),
            Item(plan_file(places.age_timer, age_timer_text(places).encode() if watched else None)),
            Item(plan_file(places.age_service, age_service_text(places, options).encode() if watched else None)),
        ]

    def unwanted(self) -> List[Item]:
        """The files of one that is absent; those with which systemd begins go first."""
        places = self.places
        settings = plan_file(places.settings, None)
        return [
            Item(plan_file(places.age_timer, None)),
            Item(plan_file(places.age_service, None)),
            Item(plan_file(places.timer, None)),
            Item(plan_file(places.service, None)),
            Item(plan_file(places.good, None), shown="nothing"),
            Item(plan_file(places.stamp, None), shown="nothing"),
            *self.former_state(settings.before, None),
            Item(plan_file(places.program, None), shown="sha256"),
            Item(settings, shown="nothing"),
        ]

    def former_state(self, settings: Optional[bytes], state_file: Optional[str]) -> List[Item]:
        """The state file that the installed program writes, where it is no longer wanted."""
        former = state_file_of(settings)
        return [Item(plan_file(former, None), shown="nothing")] if former and former != state_file else []


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, required_if=REQUIRED_IF, supports_check_mode=True)
    found = faults(module.params)
    if found:
        module.fail_json(msg="\n".join(found))
    try:
        result = ScheduleModule(module).run()
    except (ScheduleError, ServiceError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
