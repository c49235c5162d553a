# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module etcd_service: run a member of etcd, and restart it without harm to the cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_service
short_description: Run a member of etcd, and restart it without harm to the cluster
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Starts a member's systemd service, restarts it when its files have changed since it was started, or waits until it
    is a healthy part of the cluster.
  - A restart is refused, and says why, unless the cluster keeps its quorum without the member, as
    M(groundwork.kubernetes.etcd_guard) describes. A member that leads hands over first. The task ends when the member
    has caught up, so a play with C(serial=1) restarts the members of a cluster one at a time, and ends at the first
    that fails. C(throttle=1) would go on with the next one.
  - A member that does not serve is restarted at once, since that costs nothing. So a fault in the settings of all
    members can be repaired.
  - Whether a restart is due is read from the host. A run that was interrupted is made good by the next one.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.full
  - groundwork.kubernetes.etcd
  - groundwork.kubernetes.etcd.ctl
  - groundwork.kubernetes.etcd.guard
attributes:
  check_mode:
    details: With O(state=ready) it does not wait in check mode.
options:
  member:
    description: This host's member, by its name, its id as hexadecimal text, one of its URLs, or its host's address.
    type: str
    required: true
  state:
    description:
      - With V(started), the service is enabled and runs. It does not wait, since a new cluster serves only when most of
        its members run. A running member is left alone.
      - With V(restarted), a member whose files have changed since its start is restarted behind the guard, and awaited.
      - With V(ready), waits until the member is healthy and has caught up, and fails with the service's last messages
        if it does not.
    type: str
    choices: [started, restarted, ready]
    required: true
  unit:
    description: Name of the systemd unit.
    type: str
    default: etcd.service
  files:
    description: The files that the service reads at its start, such as its program, unit and settings.
    type: list
    elements: path
    default: []
  restart:
    description:
      - With O(state=restarted), whether to restart for a reason that O(files) does not show.
      - In check mode, give here whether earlier tasks would change the files.
    type: bool
    default: false
  operation:
    description: With O(state=restarted), what the restart is for, in the words of a refusal.
    type: str
    choices: [restart, upgrade]
    default: restart
seealso:
  - module: groundwork.kubernetes.etcd_guard
  - module: groundwork.kubernetes.service
"""

EXAMPLES = r"""
- name: Restart the members whose settings have changed, one at a time
  hosts: etcd
  serial: 1
  tasks:
    - name: Restart it if need be
      groundwork.kubernetes.etcd_service:
        member: "{{ inventory_hostname }}"
        state: restarted
        files: [/usr/local/bin/etcd, /etc/etcd/etcd.env, /etc/systemd/system/etcd.service]
        endpoints: ["https://192.0.2.11:2379", "https://192.0.2.12:2379", "https://192.0.2.13:2379"]
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in this order.
  returned: success
  type: list
  elements: str
  sample: [daemon-reload, move-leader, restart]
reasons:
  description: Why a restart is due, or everything that speaks against it when it is refused.
  returned: always
  type: list
  elements: str
  sample: [/etc/etcd/etcd.env has changed since the service was started]
lag:
  description: How many entries of the log the member is behind the leader.
  returned: when it was awaited
  type: int
  sample: 0
"""

import re
import time
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import EtcdError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.members import (
    PAUSE,
    move_leader,
    read_cluster,
    require_safe,
    wait_caught_up,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.module import GUARD_OPTIONS, EtcdModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.quorum import (
    QuorumError,
    find,
    lag,
    successor,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.restart_due import Started
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.service import (
    DesiredState,
    ServiceError,
    Systemd,
    Unit,
    plan,
)

ARGUMENTS: Dict[str, Any] = {
    "member": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["started", "restarted", "ready"], "required": True},
    "unit": {"type": "str", "default": "etcd.service"},
    "files": {"type": "list", "elements": "path", "default": []},
    "restart": {"type": "bool", "default": False},
    "operation": {"type": "str", "choices": ["restart", "upgrade"], "default": "restart"},
    **GUARD_OPTIONS,
}
ENDED_TOO_OFTEN = 3


def complaints(log: str) -> str:
    """The last complaints in a journal, or its last lines where there are none."""
    lines = [line[:500] for line in log.splitlines()]
    found = [line for line in lines if re.search(r'"level":"(error|fatal|panic)"|^panic:|"error":"', line)]
    return "\n".join((found or lines)[-5:])


class MemberService(EtcdModule):
    """The module's states over one set of options."""

    errors = (EtcdError, QuorumError, ServiceError, OSError)

    def __init__(self, module: AnsibleModule) -> None:
        super().__init__(module)
        self.systemd = Systemd(module, module.params["unit"])
        self.actions: List[str] = []
        self.result.update(actions=self.actions, reasons=[])

    def run(self) -> None:
        """Bring the member into its state."""
        if self.options["state"] == "ready":
            self.wait()
            return
        unit = self.reload()
        serves = unit.active_state == "active"
        desired = DesiredState(
            "started", enabled=True, restart=self.options["restart"] or "daemon-reload" in self.actions
        )
        started = Started(self.systemd.name, unit.invocation)
        changed = started.changed(self.options["files"], unit.started_at)
        steps, self.result["reasons"] = plan(unit, desired, changed)
        if serves and self.options["state"] == "started":
            steps = [step for step in steps if step != "restart"]
        before = f"{unit.active_state} {unit.file_state}"
        for step in steps:
            if step == "restart" and serves:
                self.restart(unit)
            elif step in ("start", "restart"):
                self.act(step, "--no-block")
            else:
                self.act(step)
        if not self.module.check_mode:
            current = self.systemd.read() if steps else unit
            if current.running:
                started.note(current.invocation)
        if self.actions:
            after = ", ".join(self.actions)
            self.result["diff"] = [{"before": f"{self.systemd.name} {before}\n", "after": f"{after}\n"}]
            self.result["changed"] = True

    def reload(self) -> Unit:
        """The unit, after systemd has read it anew if need be."""
        unit = self.systemd.read()
        if unit.stale(self.systemd.name, self.options["files"]):
            if unit.exists:
                self.actions.append("daemon-reload")
            if not self.module.check_mode:
                self.systemd.act("daemon-reload")
                unit = self.systemd.read()
        if unit.load_state == "masked":
            raise ServiceError(f"{self.systemd.name} is masked: run 'systemctl unmask {self.systemd.name}' on the host")
        if not unit.exists and not self.module.check_mode:
            raise ServiceError(f"the host has no unit {self.systemd.name}")
        return unit

    def act(self, step: str, *options: str) -> None:
        """One call of systemctl."""
        self.actions.append(step)
        if not self.module.check_mode:
            self.systemd.act(step, *options)

    def restart(self, unit: Unit) -> None:
        """Restart a member that serves: guarded, not as the leader, and awaited."""
        cluster = read_cluster(self.etcd)
        target = require_safe(
            cluster, self.options["member"], self.options["operation"], allow_downtime=self.options["allow_downtime"]
        )
        if target.id == cluster.leader_id and successor(cluster) is not None:
            self.actions.append("move-leader")
            if not self.module.check_mode:
                move_leader(self.etcd, cluster, self.options["wait_timeout"])
        # Without waiting for it here: systemctl would wait as long as the unit allows.
        self.act("restart", "--no-block")
        self.wait_until_new(unit)
        self.wait()

    def wait_until_new(self, unit: Unit) -> None:
        """Wait until the old process is gone, so that it is not the one that is found healthy."""
        end = time.monotonic() + self.options["wait_timeout"]
        while not self.module.check_mode:
            if self.systemd.read().invocation not in ("", unit.invocation):
                return
            if time.monotonic() >= end:
                raise ServiceError(f"{self.systemd.name} was not started again within {self.options['wait_timeout']} s")
            time.sleep(PAUSE)

    def wait(self) -> None:
        """Wait until the member has caught up."""
        if self.module.check_mode:
            return
        name, before = self.options["member"], self.systemd.restarts()

        def hopeless() -> str:
            times = self.systemd.restarts() - before
            return f"its service has ended {times} times since" if times >= ENDED_TOO_OFTEN else ""

        try:
            cluster = wait_caught_up(self.etcd, name, self.options["wait_timeout"], self.options["max_lag"], hopeless)
        except EtcdError as error:
            messages = complaints(self.systemd.messages(200))
            raise EtcdError(f"{error}\nThe last messages of {self.systemd.name} on this host:\n{messages}") from error
        target = find(cluster, name)
        self.result["lag"] = target and lag(cluster, target)


def main() -> None:
    """Run the module."""
    MemberService.main(ARGUMENTS)


if __name__ == "__main__":
    main()
