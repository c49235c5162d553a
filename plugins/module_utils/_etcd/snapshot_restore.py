# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a member's data directory of a snapshot file, and marks it, so that a second run knows it again.

The snapshot is proven while the tool already writes, so that the file comes from the disk once and both processors
work. What was written gets its place only after the proof.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Dict, List, Optional, Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import Etcd, verify_snapshot
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.data_directory import (
    WAL_SEGMENT,
    plan_member_restore,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.snapshot import (
    Snapshot,
    check_file,
    recorded_sha256,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.tools import CommandError, EtcdError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import require_own
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.staging import (
    NoSpaceError,
    StagedFolder,
    is_empty,
    require_space,
)

RESTORE_NEEDS = ("data_dir", "name", "initial_cluster")
# Inside member/, so that it comes and goes with the data; etcd reads only the folders beside it.
STAMP = os.path.join("member", "groundwork-restore.json")


class SnapshotRestore:
    """A data directory that is to hold what a snapshot has."""

    def __init__(self, module: AnsibleModule, etcd: Etcd) -> None:
        """Take the options from the module."""
        self.module, self.etcd, self.options = module, etcd, module.params
        self.path = os.path.abspath(self.options["path"])

    def run(self) -> Dict[str, Any]:
        """Make the data directory, unless it was made of the same snapshot with the same arguments.

        Raises:
            EtcdError: if an option is wrong, or the folders hold something else.
            NoSpaceError: if there is too little room.
            SnapshotError: if the snapshot is not good.
        """
        empty = [option for option in RESTORE_NEEDS if not self.options[option]]
        if empty:
            raise EtcdError(f"{', '.join(empty)}: must not be empty for state=restored")
        data_dir = os.path.abspath(self.options["data_dir"])
        wal_dir = self.options["wal_dir"] and os.path.abspath(self.options["wal_dir"])
        plan = plan_member_restore(
            self.etcd.snapshot_tool(),
            self.options,
            self.options["initial_cluster_token"],
            self.options["initial_advertise_peer_urls"] or (),
        )
        if plan.warning:
            self.module.warn(f"{plan.warning}: clients that watched the old data may see revisions go backwards")

        stamp = {
            "sha256": recorded_sha256(self.path) or check_file(self.path).sha256,
            "arguments": plan.arguments,
            "wal_dir": wal_dir,
        }
        result: Dict[str, Any] = {"changed": False, "data_dir": data_dir, "bump_revision": plan.bump}
        if read_stamp(data_dir) == stamp:
            return {**result, "snapshot": verify_snapshot(self.etcd, self.path).as_dict()}
        filled = [folder for folder in (data_dir, wal_dir) if folder and not is_empty(folder)]
        if filled:
            raise EtcdError(
                f"{' and '.join(filled)}: not empty, and not restored from this snapshot with these arguments. "
                "Nothing was changed: stop etcd and move its data away first"
            )
        require_space(
            data_dir, os.path.getsize(self.path) + (0 if wal_dir else WAL_SEGMENT), f"the restore of {self.path}"
        )
        if wal_dir:
            require_space(wal_dir, WAL_SEGMENT, f"the write-ahead log of the restore of {self.path}")

        for folder in filter(None, (data_dir, wal_dir)):
            require_own(os.path.dirname(folder))
        if self.module.check_mode:
            snapshot = verify_snapshot(self.etcd, self.path)
        else:
            with ExitStack() as stack:
                log = (
                    [stack.enter_context(StagedFolder(self.module, wal_dir, 0o700, plan.uid, plan.gid))]
                    if wal_dir
                    else []
                )
                data = stack.enter_context(StagedFolder(self.module, data_dir, 0o700, plan.uid, plan.gid))
                snapshot = self.restore_into(data, log, plan.arguments)
                write_stamp(data.content, {**stamp, "sha256": snapshot.sha256})
                # The data comes last: where there is a member, there is its write-ahead log.
                StagedFolder.commit(*log, data)
        diff = {
            "before": {"data_dir": data_dir, "member": "absent"},
            "after": {"data_dir": data_dir, "member": f"revision {snapshot.revision} of {self.path}"},
        }
        return {**result, "changed": True, "snapshot": snapshot.as_dict(), "diff": diff}

    def restore_into(self, data: StagedFolder, log: List[StagedFolder], arguments: List[str]) -> Snapshot:
        """Let the tool write into the staged folders."""
        folders = [f"--data-dir={data.content}", *(f"--wal-dir={folder.content}" for folder in log)]
        try:
            return restore_and_verify(self.etcd, self.path, [*folders, *arguments])
        except CommandError as error:
            if error.no_space:
                targets = " or ".join(folder.target for folder in [data, *log])
                raise NoSpaceError(
                    f"{targets} became full during the restore of {self.path}; nothing of it is left there. "
                    "Free some space or choose another file system"
                ) from error
            raise


def restore_and_verify(
    etcd: Etcd, path: str, arguments: Sequence[str], name: str = "", etcd_version: str = ""
) -> Snapshot:
    """Let the tool make a data directory of a snapshot, and prove the snapshot meanwhile.

    Args:
        etcd: the tools.
        path: the snapshot file.
        arguments: those of snapshot restore; the data directory is one that nothing uses yet.
        name: the name that messages give the file, where that is another.
        etcd_version: the version of the member it comes from, where that is known.

    Raises:
        CommandError: if the tool fails on a good snapshot.
        SnapshotError: if the snapshot is not good, whatever the tool made of it.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        proof = pool.submit(verify_snapshot, etcd, path, name, etcd_version)
        try:
            etcd.restore(path, arguments)
        except CommandError:
            proof.result()
            raise
        return proof.result()


def read_stamp(data_dir: str) -> Optional[Dict[str, Any]]:
    """Which restore a data directory comes from; None where it comes from none."""
    try:
        with open(os.path.join(data_dir, STAMP), encoding="utf-8") as stream:
            return dict(json.load(stream))
    except (OSError, ValueError):
        return None


def write_stamp(folder: str, stamp: Dict[str, Any]) -> None:
    """Write beside the data which restore it comes from."""
    with open(os.open(os.path.join(folder, STAMP), os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as stream:
        json.dump(stamp, stream, indent=2, sort_keys=True)
