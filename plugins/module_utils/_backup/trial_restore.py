# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A trial restore: a snapshot made into a member of its own, which is started, read and torn down.

The member listens on unix sockets in a folder that only root can enter, since it answers without a password. It has
the lowest priority, and ends with the process that started it, even if that is killed. Its data is made while the
caller proves the snapshot's bytes, so that the file comes from the disk once and both processors work.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Iterator

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import (
    CommandError,
    Etcd,
    Sample,
    Tool,
    ToolMissingError,
    Version,
    explain,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.processes import bound_to, low_priority
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.staging import NoSpaceError

CLIENT, PEER = "unix://client:0", "unix://peer:0"  # each is a socket in the member's working folder
MEMBER = "http://localhost:1"  # nobody listens there, and a single member asks nobody
WAL_SEGMENTS = 2 * 64 * 1000 * 1000  # the one in use, and the next
FIRST_WITHOUT_FSYNC = Version(3, 4, 23)


class TrialError(Exception):
    """The snapshot did not become a member that answers."""


@dataclass(frozen=True)
class Outcome:
    """What the member answered."""

    keys: int
    revision: int
    sample: Sample


def space_needed(snapshot_size: int) -> int:
    """Bytes that a trial takes."""
    return snapshot_size + WAL_SEGMENTS


def fitting_server(etcd: Etcd, member_version: str) -> Tool:
    """The etcd on this host, if it can run the data of a member of some version.

    Args:
        etcd: the tools.
        member_version: such as 3.5.16; empty where it is not known.

    Raises:
        ToolMissingError: if there is none that fits.
    """
    server = etcd.tool("etcd")
    advice = "Install it (role etcd does), or set prove to status"
    if server is None:
        raise ToolMissingError(f"a trial restore needs the program etcd, which is not on this host. {advice}")
    reader = etcd.snapshot_tool()
    if server.version[:2] != reader.version[:2]:
        raise ToolMissingError(
            f"a trial restore needs {reader.name} and etcd of one minor version, "
            f"but they are {reader.version} and {server.version}. {advice}"
        )
    if member_version:
        major, minor = (int(part) for part in member_version.split(".")[:2])
        if server.version.major != major or server.version.minor not in (minor, minor + 1):
            raise ToolMissingError(
                f"a trial restore of a member of version {member_version} needs an etcd of {major}.{minor} or "
                f"{major}.{minor + 1}, but {server.path} is {server.version}. {advice}"
            )
    return server


class TrialRestore:
    """A trial restore whose data is being made.

    Attributes:
        server: the etcd that is started on it.
        started: when it began, on the monotonic clock in seconds.
    """

    def __init__(self, module: AnsibleModule, etcd: Etcd, server: Tool, folder: str, restored: Future[None]) -> None:
        self.module, self.etcd, self.server = module, etcd, server
        self.folder, self.restored = folder, restored
        self.started = time.monotonic()

    def run(self, prefix: str, revision: int) -> Outcome:
        """Start the member once its data is there, and read it; it is gone at the end.

        Args:
            prefix: below which a sample is read.
            revision: the snapshot's. Only what there was then is counted: leases end in the member, too.

        Raises:
            TrialError: if the snapshot is no good.
            NoSpaceError: if the disk became full, which says nothing about the snapshot.
        """
        self.restored.result()
        process = _start(self.server, self.folder)
        try:
            deadline = time.monotonic() + self.module.params["prove_timeout"]
            return _ask(self.etcd, process, self.folder, prefix=prefix, revision=revision, deadline=deadline)
        finally:
            process.kill()
            process.wait()


@contextmanager
def begin_trial(module: AnsibleModule, etcd: Etcd, server: Tool, snapshot: str, folder: str) -> Iterator[TrialRestore]:
    """Have the data of a trial restore made meanwhile; the folder is gone at the end, whatever came of it.

    Args:
        module: for its option prove_timeout.
        etcd: the tools.
        server: the etcd to start.
        snapshot: the file.
        folder: one that is not there yet, where only root can enter what is above it.
    """
    os.mkdir(folder, 0o700)
    try:
        with ThreadPoolExecutor(max_workers=1) as pool:
            yield TrialRestore(module, etcd, server, folder, pool.submit(_restore, etcd, snapshot, folder))
    finally:
        shutil.rmtree(folder)


def _restore(etcd: Etcd, snapshot: str, folder: str) -> None:
    """Make the member's data.

    Raises:
        TrialError: if the tool refuses the snapshot.
        NoSpaceError: if the disk became full.
    """
    arguments = ["--data-dir=data", "--name=trial", f"--initial-cluster=trial={MEMBER}"]
    arguments.append(f"--initial-advertise-peer-urls={MEMBER}")
    try:
        etcd.restore(snapshot, arguments, low_priority(), cwd=folder)
    except CommandError as error:
        if error.no_space:
            raise NoSpaceError(f"{folder} became full during the trial restore of {snapshot}") from error
        raise TrialError(f"cannot be restored: {error.reason}") from error


def _start(server: Tool, folder: str) -> subprocess.Popen[bytes]:
    command = [
        *low_priority(),
        *bound_to(os.getpid()),
        server.path,
        "--name=trial",
        "--data-dir=data",
        f"--listen-client-urls={CLIENT}",
        f"--advertise-client-urls={CLIENT}",
        f"--listen-peer-urls={PEER}",
        f"--initial-advertise-peer-urls={MEMBER}",
        f"--initial-cluster=trial={MEMBER}",
        "--quota-backend-bytes=-1",
        *(["--unsafe-no-fsync"] if server.version >= FIRST_WITHOUT_FSYNC else []),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ETCD_", "NOTIFY_"))}
    with open(os.path.join(folder, "log"), "wb") as log:
        # run_command waits for the end of a program; this one serves meanwhile.
        return subprocess.Popen(  # pylint: disable=ansible-bad-function
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, close_fds=True
        )


def _ask(
    etcd: Etcd, process: subprocess.Popen[bytes], folder: str, *, prefix: str, revision: int, deadline: float
) -> Outcome:
    while True:
        # etcdctl waits for a socket that is not there yet until its time is up; so only ask once there is one.
        answer = "it opened no socket"
        if os.path.exists(os.path.join(folder, "client:0")):
            try:
                now = etcd.sample(CLIENT, "", limit=1, private=folder)
                if now.revision < revision:  # it cannot be asked of what it does not have
                    return Outcome(now.count, now.revision, etcd.sample(CLIENT, prefix, private=folder))
                everything = etcd.sample(CLIENT, "", limit=1, revision=revision, private=folder)
                sample = etcd.sample(CLIENT, prefix, revision=revision, private=folder)
                return Outcome(everything.count, now.revision, sample)
            except CommandError as error:
                answer = error.reason
        if process.poll() is not None:
            raise TrialError(f"was restored, but etcd ended with {process.returncode}: {_log(folder)}")
        if time.monotonic() > deadline:
            raise TrialError(f"was restored, but etcd did not answer in time: {answer}; {_log(folder)}")
        time.sleep(0.1)


def _log(folder: str) -> str:
    with open(os.path.join(folder, "log"), encoding="utf-8", errors="replace") as stream:
        text = stream.read()
    if "no space left on device" in text:
        raise NoSpaceError(f"{folder} became full during a trial restore")
    return explain(text)
