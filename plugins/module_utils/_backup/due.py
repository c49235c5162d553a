# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a backup is due: none is where this host, or another one that takes turns with it, has one new enough."""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from typing import List, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_folder import look_into
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_names import Listed, named_archives
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.backup_lock import (
    BackupLock,
    Record,
    recent,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.errors import BackupError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import Manifest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import EtcdError


class NotDueError(Exception):
    """No backup is made, since there is one that is new enough."""


class DueCheck:
    """Ends a run where a backup is new enough, by a module's options unless_newer and prove.

    Attributes:
        newest_anywhere: when the newest proven backup of any host was made, in seconds since 1970, where it is known.
    """

    def __init__(self, module: AnsibleModule, host: str, lock: Optional[BackupLock]) -> None:
        """Nothing is looked at yet.

        Args:
            module: with the options.
            host: this host's name.
            lock: that of the hosts that take turns, or None where this host is alone.
        """
        self.module, self.host, self.lock = module, host, lock
        self.minutes: int = module.params["unless_newer"]
        self.newest_anywhere: Optional[int] = None

    def refuse_newer_here(self, archives: List[Tuple[Listed, Manifest]]) -> None:
        """End the run if one of the good archives of this host is new enough, and whole.

        Raises:
            NotDueError: with which one.
        """
        for item, manifest in archives if self.minutes else []:
            age = (datetime.now(timezone.utc) - item.time).total_seconds()
            if 0 <= age < self.minutes * 60 and manifest.proof.level in ("restore", self.module.params["prove"]):
                try:
                    look_into(item, item.cluster, quick=False)
                except BackupError as error:
                    self.module.warn(f"{error}: it does not count")
                    continue
                raise NotDueError(f"{item.path} was proven {int(age // 60)} minutes ago")

    def refuse_newer_elsewhere(self) -> None:
        """End the run if the backup of a host that takes turns with this one is new enough.

        Raises:
            NotDueError: with whose it is.
        """
        if self.lock is None:
            return
        record = self.lock.newest()
        self.newest_anywhere = record.time if record else None
        # An archive of this host would have been found in the folder: it is gone, with the disk perhaps.
        if record and record.host != self.host and recent(record, self.minutes * 60, time.time()):
            minutes = max(int(time.time() - record.time) // 60, 0)
            raise NotDueError(f"{record.host} made a proven backup {minutes} minutes ago")

    def announce(self, path: str) -> None:
        """Note the new archive for the other hosts; if that fails, one of them makes one more."""
        if self.lock is None:
            return
        [named] = named_archives([path])
        made = int(named.time.timestamp())
        try:
            self.lock.record(Record(self.host, os.path.basename(path), made))
        except EtcdError as error:
            self.module.warn(f"the backup could not be recorded for the other hosts, which may make one more: {error}")
        self.newest_anywhere = made
