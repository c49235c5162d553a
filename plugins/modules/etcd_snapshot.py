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

import os
from typing import Any, Dict

from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import verify_snapshot
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.data_directory import RESTORE_OPTIONS
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.module import EtcdModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.snapshot import SnapshotError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.snapshot_restore import (
    RESTORE_NEEDS,
    SnapshotRestore,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.snapshot_save import SnapshotSave
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.tools import EtcdError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.staging import NoSpaceError

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
}


class SnapshotModule(EtcdModule):
    """The three states."""

    errors = (SnapshotError, EtcdError, NoSpaceError, OSError)

    def run(self) -> None:
        """Do what the state asks for."""
        path = os.path.abspath(self.options["path"])
        if self.options["state"] == "saved":
            done = SnapshotSave(self.module, self.etcd).run()
        elif self.options["state"] == "restored":
            done = SnapshotRestore(self.module, self.etcd).run()
        else:
            done = {"changed": False, "snapshot": verify_snapshot(self.etcd, path).as_dict()}
        self.result = {"path": path, **done}


def main() -> None:
    """Run the module."""
    SnapshotModule.main(ARGUMENTS, required_if=[("state", "restored", RESTORE_NEEDS)])


if __name__ == "__main__":
    main()
