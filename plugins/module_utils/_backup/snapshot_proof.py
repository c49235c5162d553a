# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof of a snapshot: its own hash, what ``snapshot status`` reads, and a trial restore compared with its source."""

from __future__ import annotations

import os
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import ContextManager, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.errors import BackupError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import TIME, EtcdState, Proof
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.trial_restore import (
    TrialError,
    TrialRestore,
    begin_trial,
    fitting_server,
    space_needed,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import (
    CommandError,
    EndpointStatus,
    Etcd,
    Tool,
    verify_snapshot,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.snapshot import Snapshot, SnapshotError


@dataclass(frozen=True)
class ProvenSnapshot:
    """A fresh snapshot, good or not.

    Attributes:
        state: what it holds.
        proof: what came of its proof.
        sha256: of the file, where its bytes were those that the member sent.
    """

    state: EtcdState
    proof: Proof
    sha256: str


class SnapshotProver:
    """Proves snapshots as the options prove, prove_timeout and sample_prefix of a module ask for."""

    def __init__(self, module: AnsibleModule, etcd: Etcd) -> None:
        """Nothing is asked yet."""
        self.module, self.etcd = module, etcd
        self.level: str = module.params["prove"]
        self.sample_prefix: str = module.params["sample_prefix"]

    def server(self, member_version: str) -> Optional[Tool]:
        """The etcd for a trial restore, where one is wanted.

        Raises:
            ToolMissingError: if there is none that can run the data of a member of this version.
        """
        return fitting_server(self.etcd, member_version) if self.level == "restore" else None

    def trial_space(self, database: int) -> int:
        """Bytes that the trial takes besides the snapshot, whose bytes are given."""
        return space_needed(database) if self.level == "restore" else 0

    def inspect(self, database: str, shown_as: str, version: str) -> Snapshot:
        """Hash and status of a snapshot file.

        Raises:
            BackupError: if they are wrong.
        """
        try:
            return verify_snapshot(self.etcd, database, f"the snapshot in {shown_as}", version)
        except SnapshotError as error:
            raise BackupError("damaged", str(error)) from error

    def trial(self, database: str, folder: str, server: Optional[Tool]) -> ContextManager[Optional[TrialRestore]]:
        """A trial restore whose data is made meanwhile, or None where none is wanted.

        Args:
            database: the snapshot file.
            folder: a folder that only root can enter.
            server: the result of server(), for the version of the member.
        """
        if server is None:
            return nullcontext()
        return begin_trial(self.module, self.etcd, server, database, os.path.join(folder, "trial"))

    def prove_new(self, database: str, scratch: str, source: EndpointStatus, server: Optional[Tool]) -> ProvenSnapshot:
        """What a fresh snapshot holds, and whether it is good.

        Args:
            database: the snapshot file.
            scratch: a folder of its own for the trial.
            source: the member that gave it.
            server: the result of server(), for the version of the member.
        """
        state = EtcdState(source.version, source.endpoint, 0, 0, sample_prefix=self.sample_prefix)
        with self.trial(database, scratch, server) as trial:
            try:
                snapshot = self.inspect(database, "the new archive", source.version)
            except BackupError as error:
                reason = f"failed its proof: {error}"
                return ProvenSnapshot(state, Proof(self.level, passed=False, reason=reason, time=_now()), "")
            state = replace(state, revision=snapshot.revision, total_keys=snapshot.total_keys)
            try:
                everything = self.etcd.sample(source.endpoint, "", limit=1, revision=snapshot.revision)
                sample = self.etcd.sample(source.endpoint, state.sample_prefix, revision=snapshot.revision)
                state = replace(state, keys=everything.count, sample_keys=sample.count, sample_sha256=sample.sha256)
            except CommandError as error:
                self.module.warn(
                    f"{source.endpoint} does not tell what it had at revision {snapshot.revision} ({error.reason}), "
                    "so the number of keys is not compared"
                )
            return ProvenSnapshot(state, self.prove(trial, state), snapshot.file_sha256)

    def prove(self, trial: Optional[TrialRestore], state: EtcdState) -> Proof:
        """Try a snapshot whose hash and status are right already."""
        started = trial.started if trial else time.monotonic()
        keys, reason = None, ""
        if trial is not None:
            try:
                found = trial.run(prefix=state.sample_prefix or self.sample_prefix, revision=state.revision)
                keys = found.keys
                reason = disagreement(state, found.revision, keys, found.sample.count, found.sample.sha256)
            except TrialError as error:
                reason = str(error)
        return Proof(
            level=self.level,
            passed=not reason,
            reason=reason and f"failed its proof: its snapshot {reason}",
            time=_now(),
            seconds=round(time.monotonic() - started, 3),
            tool=f"etcd {trial.server.version}" if trial else str(self.etcd.snapshot_tool().version),
            keys=keys,
        )


def disagreement(state: EtcdState, revision: int, keys: int, sample_keys: int, sample_sha256: str) -> str:
    """How the etcd that a trial restore brought up differs from the snapshot and from its source, or nothing.

    All was counted at the snapshot's revision. The etcd may have gone on since, as leases end in it too.
    """
    if revision < state.revision:
        return f"came up at revision {revision}, but the snapshot has {state.revision}"
    if state.keys is not None and keys != state.keys:
        return f"came up with {keys} keys, but the member that gave it had {state.keys} at revision {state.revision}"
    if keys > state.total_keys:
        return f"came up with {keys} keys, but the snapshot has {state.total_keys}"
    if state.sample_keys is not None and (sample_keys, sample_sha256) != (state.sample_keys, state.sample_sha256):
        return (
            f"came up with other records below {state.sample_prefix} than the member that gave it: "
            f"{sample_keys} keys, where that had {state.sample_keys}"
        )
    return ""


def _now() -> str:
    return datetime.now(timezone.utc).strftime(TIME)
