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
      - The module gets SIGTERM, and may tidy up.
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

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.service import ServiceError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.timer_files import ScheduleError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.timer_setup import ScheduleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.timer_units import faults

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


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, required_if=REQUIRED_IF, supports_check_mode=True)
    found = faults(module.params)
    if found:
        module.fail_json(msg="\n".join(found))
    try:
        result = ScheduleModule(module, ROOT).run()
    except (ScheduleError, ServiceError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
