# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a systemd service with its current files."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service
short_description: Run a systemd service with its current files
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Enables and starts a systemd service, and restarts it when its files have changed since it was started. It reloads
    it instead where that is enough.
  - Whether a restart or a reload is due is read from the host, not remembered by the run. So a run that was interrupted
    between the change of a file and the restart is made good by the next one, which a handler would not do.
  - What a service was started with is noted in C(/run/groundwork/services), so that neither a clock that was set nor a
    paused machine hides a change. For a service that something else has started, the times of the files are compared
    with that of the start by the wall clock and by the monotonic clock. If either speaks for a restart, it is done.
  - Reloads systemd's units when systemd says that they have changed, or when the unit or a drop-in of it is new. A
    service is restarted when its unit file or one of its drop-ins has changed since its start, or when one was added
    or removed.
  - In check mode a unit that does not exist yet counts as one that would be started, as an earlier task would write it.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.full]
options:
  name:
    description: Name of the unit, with or without C(.service).
    type: str
    required: true
  state:
    description:
      - With V(started), the service runs. With V(stopped), it does not, or the host has no such unit.
      - When not given, a service that does not run is left as it is, and one that runs is restarted when it is due.
    type: str
    choices: [started, stopped]
  enabled:
    description: Whether the service is started at boot. Left as it is when not given.
    type: bool
  files:
    description:
      - The files that the service reads at its start, such as its program, unit and configuration.
      - It is restarted when one of them was changed or removed after it was started.
    type: list
    elements: path
    default: []
  restart:
    description:
      - Whether to restart a running service for a reason that O(files) does not show.
      - In check mode, give here whether earlier tasks would change the files.
    type: bool
    default: false
  reload_files:
    description:
      - The files that the service also reads on a reload.
      - It is reloaded when one of them was written after it was started or last reloaded, or when its last reload
        failed.
    type: list
    elements: path
    default: []
  reload:
    description:
      - Whether to reload a running service for a reason that O(reload_files) does not show.
      - In check mode, give here whether earlier tasks would change the files.
    type: bool
    default: false
seealso:
  - module: groundwork.kubernetes.files
    description: Writes a service's files and runs it in one step.
  - module: ansible.builtin.systemd_service
"""

EXAMPLES = r"""
- name: Run the service
  groundwork.kubernetes.service:
    name: containerd
    state: started
    enabled: true
    files: [/usr/local/bin/containerd, /etc/containerd/config.toml]

- name: Run a proxy whose connections survive a change of its configuration
  groundwork.kubernetes.service:
    name: haproxy
    state: started
    enabled: true
    reload_files: [/etc/haproxy/haproxy.cfg]
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in this order.
  returned: success
  type: list
  elements: str
  sample: [daemon-reload, restart]
reasons:
  description: Why a restart or a reload is due.
  returned: success
  type: list
  elements: str
  sample: [/etc/containerd/config.toml has changed since the service was started]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.service import ServiceError, run_service


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["started", "stopped"]},
            "enabled": {"type": "bool"},
            "files": {"type": "list", "elements": "path", "default": []},
            "restart": {"type": "bool", "default": False},
            "reload_files": {"type": "list", "elements": "path", "default": []},
            "reload": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        result = run_service(module, module.params)
    except (ServiceError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
