# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module etcd_snapshot: save, verify and restore etcd's snapshots."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_snapshot
short_description: Save, verify and restore etcd snapshots
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Saves a snapshot of an etcd cluster to a file on the host, proves that a file is a whole snapshot, or makes a
    member's data directory of it.
  - A snapshot counts as verified if its bytes have the SHA-256 that etcd wrote at its end, and if C(snapshot status)
    can read its database. C(snapshot status) alone does not look at that hash.
  - A file or a data directory appears whole or not at all. What fails leaves nothing behind.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.full
  - groundwork.kubernetes.etcd
  - groundwork.kubernetes.etcd.tools
  - groundwork.kubernetes.etcd.save
  - groundwork.kubernetes.etcd.restore
attributes:
  check_mode:
    details:
      - A save asks the members, and compares their database's size with the free space.
      - A save whose tools or folder are still to come reports a change, with a warning.
  idempotent:
    details:
      - A snapshot that exists at O(path) and is verified is left alone, so a new one needs a new name or O(force=true).
      - A data directory that this module restored from the same snapshot with the same arguments is left alone.
options:
  path:
    description: The snapshot file. Its folder must exist.
    type: path
    required: true
  state:
    description:
      - V(saved) takes a snapshot unless a verified one is there.
      - V(verified) reads the file, changes nothing, and fails if it is not a good snapshot.
      - V(restored) verifies the snapshot, then makes a member's data directory of it.
    type: str
    choices: [saved, verified, restored]
    required: true
  force:
    description:
      - With O(state=saved), replaces whatever file is at O(path), once the new snapshot is verified.
      - Without it, a file that is not a verified snapshot is an error.
    type: bool
    default: false
  data_dir:
    description:
      - With O(state=restored), the member's data directory.
      - It must be absent or empty. It gets mode 0700. It may be a mount point.
    type: path
  wal_dir:
    description: With O(state=restored), a folder for the write-ahead log outside O(data_dir), absent or empty.
    type: path
  name:
    description: With O(state=restored), the member's name.
    type: str
  initial_cluster:
    description:
      - With O(state=restored), every member's name with its peer URL or list of peer URLs.
      - All members are restored from the same file, with the same O(initial_cluster) and O(initial_cluster_token).
    type: dict
  initial_cluster_token:
    description: With O(state=restored), a word that tells this cluster from others.
    type: str
    default: etcd-cluster
  initial_advertise_peer_urls:
    description: With O(state=restored), this member's peer URLs. Without it, those in O(initial_cluster).
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Take a verified snapshot on a control plane with stacked etcd
  groundwork.kubernetes.etcd_snapshot:
    state: saved
    path: /var/backups/kubernetes/before-upgrade.db
    endpoints: ["https://127.0.0.1:2379"]
    cacert: /etc/kubernetes/pki/etcd/ca.crt
    cert: /etc/kubernetes/pki/etcd/healthcheck-client.crt
    key: /etc/kubernetes/pki/etcd/healthcheck-client.key

- name: Prove that a snapshot is good
  groundwork.kubernetes.etcd_snapshot:
    state: verified
    path: /var/backups/kubernetes/before-upgrade.db

- name: Make a member's data directory of it
  groundwork.kubernetes.etcd_snapshot:
    state: restored
    path: /var/backups/kubernetes/before-upgrade.db
    data_dir: /var/lib/etcd
    name: node1
    initial_cluster:
      node1: https://192.0.2.11:2380
      node2: https://192.0.2.12:2380
      node3: https://192.0.2.13:2380
    initial_cluster_token: restored-2026-11-22
"""

RETURN = r"""
path:
  description: The snapshot file.
  returned: success
  type: str
  sample: /var/backups/kubernetes/before-upgrade.db
endpoint:
  description: The endpoint that the snapshot was, or would be, taken from.
  returned: when a snapshot is taken
  type: str
  sample: https://127.0.0.1:2379
snapshot:
  description: What the verified snapshot holds.
  returned: when there is a verified snapshot, so not for a save in check mode
  type: dict
  contains:
    path:
      description: The file.
      type: str
      sample: /var/backups/kubernetes/before-upgrade.db
    size:
      description: Bytes of the file.
      type: int
      sample: 4128800
    sha256:
      description: SHA-256 of the database, as recorded at the end of the file.
      type: str
      sample: 0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8
    file_sha256:
      description: SHA-256 of the whole file, as C(sha256sum) prints it.
      type: str
      sample: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    hash:
      description: etcd's own hash of the keys, as C(snapshot status) prints it.
      type: int
      sample: 3356522230
    revision:
      description: The newest revision in it.
      type: int
      sample: 48211
    total_keys:
      description: Number of keys. Before etcd 3.6 old revisions of a key count too.
      type: int
      sample: 1843
    etcd_version:
      description:
        - Version of the member that the snapshot is from.
        - Empty where it is not known. From etcd 3.6 on it stands in the file.
      type: str
      sample: 3.6.15
data_dir:
  description: The data directory.
  returned: state=restored
  type: str
  sample: /var/lib/etcd
bump_revision:
  description: How much the revision went up, or would go up, in the restore.
  returned: state=restored
  type: int
  sample: 1000000000
fault:
  description: In one word, why the snapshot is not good.
  returned: on failure because of the snapshot
  type: str
  choices: [missing, empty, not_a_snapshot, truncated, no_hash, damaged, inconsistent]
  sample: truncated
"""

import json
import os
import shutil
import time
from contextlib import ExitStack
from typing import Any, Callable, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import (
    CLIENT_OPTIONS,
    CLIENT_REQUIRED_TOGETHER,
    CommandError,
    EndpointStatus,
    Etcd,
    EtcdError,
    ToolMissingError,
    verify_snapshot,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.data_directory import (
    RESTORE_OPTIONS,
    WAL_SEGMENT,
    plan_restore,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.snapshot import (
    HASH_SIZE,
    Snapshot,
    SnapshotError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import require_own
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.staging import (
    DraftFile,
    NoSpaceError,
    StagedFolder,
    abandoned_drafts,
    is_empty,
    require_space,
)

ARGUMENTS: Dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["saved", "verified", "restored"], "required": True},
    "force": {"type": "bool", "default": False},
    "allow_unhealthy": {"type": "bool", "default": False},
    "save_timeout": {"type": "int", "default": 600},
    "data_dir": {"type": "path"},
    "wal_dir": {"type": "path"},
    "initial_cluster_token": {"type": "str", "default": "etcd-cluster", "no_log": False},
    "initial_advertise_peer_urls": {"type": "list", "elements": "str"},
    **RESTORE_OPTIONS,
    **CLIENT_OPTIONS,
}
RESTORE_NEEDS = ("data_dir", "name", "initial_cluster")
# Inside member/, so that it comes and goes with the data; etcd reads only the folders beside it.
STAMP = os.path.join("member", "groundwork-restore.json")


class SnapshotModule:
    """The three states; each returns what the module returns."""

    def __init__(self, module: AnsibleModule) -> None:
        """Take the options from the module."""
        self.module = module
        self.options: Dict[str, Any] = module.params
        self.path = os.path.abspath(self.options["path"])
        self.etcd = Etcd(module)

    def run(self) -> Dict[str, Any]:
        """Do what the state asks for."""
        states: Dict[str, Callable[[], Dict[str, Any]]] = {
            "saved": self.saved,
            "verified": self.verified,
            "restored": self.restored,
        }
        return {"path": self.path, **states[self.options["state"]]()}

    def verified(self) -> Dict[str, Any]:
        """Read the file; the error, if any, is the answer."""
        return {"changed": False, "snapshot": verify_snapshot(self.etcd, self.path).as_dict()}

    def saved(self) -> Dict[str, Any]:
        """Take a snapshot, unless a good one is there."""
        if os.path.lexists(self.path) and not self.options["force"]:
            try:
                return self.verified()
            except SnapshotError as error:
                raise EtcdError(
                    f"{error}. It is left as it is: remove it, choose another path, or set force to replace it"
                ) from error
        result: Dict[str, Any] = {
            "changed": True,
            "diff": {
                "before": {"path": self.path, "state": "a file" if os.path.lexists(self.path) else "absent"},
                "after": {"path": self.path, "state": "a verified snapshot"},
            },
        }
        missing = self.missing()
        if missing and self.module.check_mode:
            self.module.warn(f"{missing}; a snapshot would be taken once that is there")
            return result
        if missing:
            raise EtcdError(missing)

        source = self.etcd.source(self.options["allow_unhealthy"])
        result["endpoint"] = source.endpoint
        require_space(os.path.dirname(self.path), source.db_size + HASH_SIZE, f"the snapshot of {source.endpoint}")
        if self.module.check_mode:
            return result
        result["snapshot"] = self.save_from(source).as_dict()
        return result

    def missing(self) -> str:
        """What a save cannot do without, or nothing."""
        folder = os.path.dirname(self.path)
        if not os.path.isdir(folder):
            return f"the folder {folder} does not exist"
        require_own(folder, sticky=True)
        if self.etcd.tool("etcdctl") is None:
            return "etcdctl is not installed on this host"
        try:
            self.etcd.snapshot_tool()
        except ToolMissingError as error:
            return str(error)
        return ""

    def save_from(self, source: EndpointStatus) -> Snapshot:
        """Stream the snapshot to a draft, verify that, and only then give it its name."""
        folder = os.path.dirname(self.path)
        for draft in abandoned_drafts(folder, before=time.time() - self.options["save_timeout"] - 3600):
            shutil.rmtree(draft, ignore_errors=True)
        with DraftFile(self.module, self.path) as draft_file:
            try:
                self.etcd.save(source.endpoint, draft_file.path, self.options["save_timeout"])
            except CommandError as error:
                if error.no_space:
                    raise NoSpaceError(
                        f"{folder} became full while the snapshot of {source.endpoint} was written; "
                        "nothing of it is left there. Free some space or choose another file system"
                    ) from error
                raise
            snapshot = verify_snapshot(self.etcd, draft_file.path, name=self.path, etcd_version=source.version)
            draft_file.publish(0o600)
        return snapshot

    def restored(self) -> Dict[str, Any]:
        """Make a data directory of a verified snapshot."""
        empty = [option for option in RESTORE_NEEDS if not self.options[option]]
        if empty:
            raise EtcdError(f"{', '.join(empty)}: must not be empty for state=restored")
        data_dir = os.path.abspath(self.options["data_dir"])
        wal_dir = self.options["wal_dir"] and os.path.abspath(self.options["wal_dir"])
        plan = plan_restore(
            self.etcd.snapshot_tool(),
            self.options,
            self.options["initial_cluster_token"],
            self.options["initial_advertise_peer_urls"] or (),
        )
        if plan.warning:
            self.module.warn(f"{plan.warning}: clients that watched the old data may see revisions go backwards")

        snapshot = verify_snapshot(self.etcd, self.path)
        stamp = {"sha256": snapshot.sha256, "arguments": plan.arguments, "wal_dir": wal_dir}
        result: Dict[str, Any] = {"changed": False, "snapshot": snapshot.as_dict(), "data_dir": data_dir}
        result["bump_revision"] = plan.bump
        if read_stamp(data_dir) == stamp:
            return result
        filled = [folder for folder in (data_dir, wal_dir) if folder and not is_empty(folder)]
        if filled:
            raise EtcdError(
                f"{' and '.join(filled)}: not empty, and not restored from this snapshot with these arguments. "
                "Nothing was changed: stop etcd and move its data away first"
            )
        require_space(data_dir, snapshot.size + (0 if wal_dir else WAL_SEGMENT), f"the restore of {self.path}")
        if wal_dir:
            require_space(wal_dir, WAL_SEGMENT, f"the write-ahead log of the restore of {self.path}")

        for folder in filter(None, (data_dir, wal_dir)):
            require_own(os.path.dirname(folder))
        if not self.module.check_mode:
            with ExitStack() as stack:
                log = (
                    [stack.enter_context(StagedFolder(self.module, wal_dir, 0o700, plan.uid, plan.gid))]
                    if wal_dir
                    else []
                )
                data = stack.enter_context(StagedFolder(self.module, data_dir, 0o700, plan.uid, plan.gid))
                self.restore_into(data, log, plan.arguments)
                write_stamp(data.content, stamp)
                # The data comes last: where there is a member, there is its write-ahead log.
                StagedFolder.commit(*log, data)
        result["changed"] = True
        result["diff"] = {
            "before": {"data_dir": data_dir, "member": "absent"},
            "after": {"data_dir": data_dir, "member": f"revision {snapshot.revision} of {self.path}"},
        }
        return result

    def restore_into(self, data: StagedFolder, log: List[StagedFolder], arguments: List[str]) -> None:
        """Let the tool write into the staged folders."""
        folders = [f"--data-dir={data.content}", *(f"--wal-dir={folder.content}" for folder in log)]
        try:
            self.etcd.restore(self.path, [*folders, *arguments])
        except CommandError as error:
            if error.no_space:
                targets = " or ".join(folder.target for folder in [data, *log])
                raise NoSpaceError(
                    f"{targets} became full during the restore of {self.path}; nothing of it is left there. "
                    "Free some space or choose another file system"
                ) from error
            raise


def read_stamp(data_dir: str) -> Optional[Dict[str, Any]]:
    """Which restore a data directory comes from; None where it comes from none."""
    try:
        with open(os.path.join(data_dir, STAMP), encoding="utf-8") as stream:
            return dict(json.load(stream))
    except (OSError, ValueError):
        return None


def write_stamp(folder: str, stamp: Dict[str, Any]) -> None:
    """Leave word, beside the data, of the restore it comes from."""
    with open(os.open(os.path.join(folder, STAMP), os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as stream:
        json.dump(stamp, stream, indent=2, sort_keys=True)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_together=CLIENT_REQUIRED_TOGETHER,
        required_if=[("state", "restored", RESTORE_NEEDS)],
        supports_check_mode=True,
    )
    try:
        result = SnapshotModule(module).run()
    except SnapshotError as error:
        module.fail_json(msg=str(error), fault=error.fault)
    except (EtcdError, NoSpaceError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
