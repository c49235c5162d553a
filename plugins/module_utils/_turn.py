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
import os
import select
import subprocess
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Iterator, List, Optional, Sequence

from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd import Etcd, EtcdError, explain
from ansible_collections.groundwork.kubernetes.plugins.module_utils._trial import bound_to

PREFIX = "/groundwork/backup/"
LEASE = 60  # after so many seconds the turn of a host that is gone passes on
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


class Turn:
    """The turn of this host among those that back up one cluster."""

    def __init__(self, etcd: Etcd, cluster: str, endpoints: Sequence[str]) -> None:
        self.etcd, self.endpoints = etcd, endpoints
        self.record_key, self.lock_name = f"{PREFIX}{cluster}/newest", f"{PREFIX}{cluster}/turn"

    def newest(self) -> Optional[Record]:
        """The newest proven backup of any host."""
        return parse_record(self.etcd.read_key(self.endpoints, self.record_key))

    def made(self, record: Record) -> None:
        """Tell the others of a new backup."""
        self.etcd.write_key(self.endpoints, self.record_key, json.dumps(asdict(record), sort_keys=True))

    @contextmanager
    def taken(self, patience: int) -> Iterator[None]:
        """Wait for this host's turn, and keep it; it also ends when this process is killed.

        Args:
            patience: for so many seconds.

        Raises:
            EtcdError: if it does not come.
        """
        command = [*bound_to(os.getpid()), *self.etcd.lock_command(self.endpoints, self.lock_name, LEASE)]
        environment = {**os.environ, "ETCDCTL_API": "3", "LC_ALL": "C"}
        # run_command waits for the end of a program; this one holds the lock meanwhile.
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            _await_key(process, command, patience)
            yield
        finally:
            process.terminate()  # etcdctl gives the lock back before it ends
            try:
                process.communicate(timeout=LEASE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


def _await_key(process: subprocess.Popen[bytes], command: List[str], patience: int) -> None:
    out = process.stdout
    if out is None or not select.select([out], [], [], patience)[0]:
        raise EtcdError(f"another host has been making a backup for {patience} seconds and has not finished")
    if not out.readline().strip():
        _out, err = process.communicate()
        raise EtcdError(f"{' '.join(command)} ended without the lock: {explain(err.decode(errors='replace'))}")
