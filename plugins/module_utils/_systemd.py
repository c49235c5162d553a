# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way modules call systemctl."""

from __future__ import annotations

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._service import Unit, parse_unit

PROPERTIES = "LoadState,ActiveState,UnitFileState,FragmentPath,NeedDaemonReload,ExecMainStartTimestampMonotonic"


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

    def act(self, action: str) -> None:
        """One systemctl command; daemon-reload concerns all units.

        Raises:
            ServiceError: with the service's last messages where it fails.
        """
        unit = [] if action == "daemon-reload" else [self.name]
        rc, out, err = self.module.run_command([self.systemctl, action, *unit])
        if rc == 0:
            return
        message = f"systemctl {' '.join([action, *unit])} failed: {(err or out).strip()}"
        if unit:
            _rc, log, _err = self.module.run_command(
                ["journalctl", f"--unit={self.name}", "--lines=15", "--no-pager", "--output=cat"]
            )
            message += f"\nIts last messages:\n{log.strip()}"
        raise ServiceError(message)
