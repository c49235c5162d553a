# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock in etcd, held by an etcdctl that runs meanwhile: hosts that must not do the same at once queue for it.

etcd gives it to the next one when the holder has finished, or when the holder's lease has run out because it is gone.
"""

from __future__ import annotations

import os
import select
import subprocess
from contextlib import contextmanager
from typing import Iterator, List, Sequence

from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import Etcd
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.tools import EtcdError, explain
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.processes import bound_to

LEASE = 60  # seconds after which the lock of a host that is gone passes on


@contextmanager
def held(etcd: Etcd, endpoints: Sequence[str], name: str, patience: int, work: str) -> Iterator[None]:
    """Wait for a lock, and keep it; it also ends when this process is killed.

    Args:
        etcd: the tools.
        endpoints: members that keep the lock. One that answers nothing for longer than a lease loses it.
        name: the lock's, a prefix of keys.
        patience: seconds to wait.
        work: what the holder does, for the message.

    Raises:
        EtcdError: if it does not come.
    """
    command = [*bound_to(os.getpid()), *etcd.lock_command(endpoints, name, LEASE)]
    environment = {**os.environ, "ETCDCTL_API": "3", "LC_ALL": "C"}
    # run_command waits for the end of a program; this one holds the lock meanwhile.
    process = subprocess.Popen(  # pylint: disable=ansible-bad-function
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        _await_key(process, command, patience, work)
        yield
    finally:
        process.terminate()  # etcdctl gives the lock back before it ends
        try:
            process.communicate(timeout=LEASE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _await_key(process: subprocess.Popen[bytes], command: List[str], patience: int, work: str) -> None:
    out = process.stdout
    if out is None or not select.select([out], [], [], patience)[0]:
        raise EtcdError(
            f"the lock was not free in time: another host has been {work} for {patience} seconds and has not finished"
        )
    if not out.readline().strip():
        _out, err = process.communicate()
        raise EtcdError(f"{' '.join(command)} ended without the lock: {explain(err.decode(errors='replace'))}")
