# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof of a snapshot: its own hash, what ``snapshot status`` reads, and a trial restore compared with its source."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from datetime import datetime, timezone
from typing import Optional, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.errors import BackupError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import TIME, EtcdState, Proof
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.trial_restore import (
    TrialError,
    fitting_server,
    run_trial,
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

    def prove_new(
        self, database: str, scratch: str, source: EndpointStatus, server: Optional[Tool]
    ) -> Tuple[EtcdState, Proof, str]:
        """What a fresh snapshot holds, whether it is good, and the SHA-256 of the file, if that could be read.

        Args:
            database: the snapshot file.
            scratch: a folder of its own for the trial.
            source: the member that gave it.
            server: the result of server(), for the version of the member.
        """
        state = EtcdState(source.version, source.endpoint, 0, 0, sample_prefix=self.sample_prefix)
        try:
            snapshot = self.inspect(database, "the new archive", source.version)
        except BackupError as error:
            reason = f"failed its proof: {error}"
            return state, Proof(self.level, passed=False, reason=reason, time=_now()), ""
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
        return state, self.prove(database, scratch, state, server), snapshot.file_sha256

    def prove(self, database: str, folder: str, state: EtcdState, server: Optional[Tool]) -> Proof:
        """Try a snapshot whose hash and status are right already."""
        started = time.monotonic()
        keys, reason = None, ""
        if server is not None:
            trial = os.path.join(folder, "trial")
            os.mkdir(trial, 0o700)
            try:
                prefix = state.sample_prefix or self.sample_prefix
                found = run_trial(
                    self.module, self.etcd, server, database, folder=trial, prefix=prefix, revision=state.revision
                )
                keys = found.keys
                reason = disagreement(state, found.revision, keys, found.sample.count, found.sample.sha256)
            except TrialError as error:
                reason = str(error)
            shutil.rmtree(trial)
        return Proof(
            level=self.level,
            passed=not reason,
            reason=reason and f"failed its proof: its snapshot {reason}",
            time=_now(),
            seconds=round(time.monotonic() - started, 3),
            tool=f"etcd {server.version}" if server else str(self.etcd.snapshot_tool().version),
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
