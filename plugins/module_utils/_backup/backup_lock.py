# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that take turns: of those whose timers fire together, one makes a backup.

etcd itself decides. The hosts queue for a lock in etcd, which it gives to the next one when the holder has finished or
is gone, and who has made a proven backup leaves a record of it for those who come after. So there is no leader to
lose: a host makes the backup unless another one has just made it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import ContextManager, Optional, Sequence

from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import Etcd
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.lock import held

PREFIX = "/groundwork/backup/"
TOLERANCE = 300  # how many seconds another host's clock may be ahead


@dataclass(frozen=True)
class Record:
    """The newest proven backup of any host: who made it, and when, in seconds since 1970."""

    host: str
    archive: str
    time: int


def parse_record(text: str) -> Optional[Record]:
    """What stands in etcd, if it can be understood."""
    try:
        data = json.loads(text)
        return Record(str(data["host"]), str(data["archive"]), int(data["time"]))
    except (ValueError, KeyError, TypeError):
        return None


def recent(record: Optional[Record], seconds: int, now: float) -> bool:
    """Whether a backup is so new that none is due; a record from the future is no reason to make none."""
    return seconds > 0 and record is not None and -TOLERANCE <= now - record.time < seconds


class BackupLock:
    """The lock in etcd of the hosts that back up one cluster, and their note of the newest backup."""

    def __init__(self, etcd: Etcd, cluster: str, endpoints: Sequence[str]) -> None:
        self.etcd, self.endpoints = etcd, endpoints
        self.record_key, self.lock_name = f"{PREFIX}{cluster}/newest", f"{PREFIX}{cluster}/turn"

    def newest(self) -> Optional[Record]:
        """The newest proven backup of any host."""
        return parse_record(self.etcd.read_key(self.endpoints, self.record_key))

    def record(self, record: Record) -> None:
        """Note a new backup for the others."""
        self.etcd.write_key(self.endpoints, self.record_key, json.dumps(asdict(record), sort_keys=True))

    def hold(self, patience: int) -> ContextManager[None]:
        """Wait for the lock for so many seconds, and hold it.

        Raises:
            EtcdError: if it does not come.
        """
        return held(self.etcd, self.endpoints, self.lock_name, patience, "making a backup")
