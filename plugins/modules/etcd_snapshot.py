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
  - groundwork.kubernetes.etcd
  - groundwork.kubernetes.etcd.tools
attributes:
  check_mode:
    support: full
    details:
      - A save asks the members, and compares their database's size with the free space.
      - A save whose tools or folder are still to come reports a change, with a warning.
  diff_mode:
    support: full
  idempotent:
    support: full
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
  allow_unhealthy:
    description:
      - With O(state=saved), takes the snapshot even if no endpoint is healthy, from the first one that answers.
      - A member without quorum may be behind the others. It is the last resort before its data is lost.
    type: bool
    default: false
  save_timeout:
    description: Seconds that the transfer of a snapshot may take.
    type: int
    default: 600
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
  bump_revision:
    description:
      - With O(state=restored), how much the revision goes up. All older revisions count as compacted then.
      - Kubernetes needs it, since its watches and informers would otherwise see revisions that go backwards.
      - V(0) leaves the revision as it is.
      - Without it, V(1000000000) where the tool has the option (etcdctl 3.4.27, etcdutl 3.5.10 and newer), else V(0)
        with a warning.
    type: int
  owner:
    description: With O(state=restored), owner of the data. Without it, whoever owns O(data_dir).
    type: str
  group:
    description: With O(state=restored), group of the data. Without it, the group of O(data_dir).
    type: str
seealso:
  - name: etcd's disaster recovery
    description: How a cluster is restored from a snapshot.
    link: https://etcd.io/docs/v3.6/op-guide/recovery/
  - name: Operating etcd clusters for Kubernetes
    description: What Kubernetes asks of a restore.
    link: https://kubernetes.io/docs/tasks/administer-cluster/configure-upgrade-etcd/
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

import grp
import json
import os
import pwd
import shutil
import time
from contextlib import ExitStack
from typing import Any, Callable, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd import (
    CLIENT_OPTIONS,
    CLIENT_REQUIRED_TOGETHER,
    CommandError,
    EndpointStatus,
    Etcd,
    EtcdError,
    ToolMissingError,
    verify_snapshot,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._snapshot import (
    HASH_SIZE,
    Snapshot,
    SnapshotError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._staging import (
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
    "name": {"type": "str"},
    "initial_cluster": {"type": "dict"},
    "initial_cluster_token": {"type": "str", "default": "etcd-cluster", "no_log": False},
    "initial_advertise_peer_urls": {"type": "list", "elements": "str"},
    "bump_revision": {"type": "int"},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    **CLIENT_OPTIONS,
}
RESTORE_NEEDS = ("data_dir", "name", "initial_cluster")
BUMP_REVISION = 1_000_000_000  # what Kubernetes' documentation recommends
WAL_SEGMENT = 64 * 1000 * 1000  # a restore writes the first segment of the write-ahead log in full
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
        with DraftFile(self.path) as draft_file:
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
        faults: List[str] = []
        uid = account_id(self.options["owner"], lambda name: pwd.getpwnam(name).pw_uid, "owner", faults)
        gid = account_id(self.options["group"], lambda name: grp.getgrnam(name).gr_gid, "group", faults)
        bump = self.bump_revision(faults)
        arguments = self.restore_arguments(bump, faults)
        if faults:
            raise EtcdError("; ".join(faults))

        snapshot = verify_snapshot(self.etcd, self.path)
        stamp = {"sha256": snapshot.sha256, "arguments": arguments, "wal_dir": wal_dir}
        result: Dict[str, Any] = {"changed": False, "snapshot": snapshot.as_dict(), "data_dir": data_dir}
        result["bump_revision"] = bump
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

        if not self.module.check_mode:
            with ExitStack() as stack:
                log = [stack.enter_context(StagedFolder(wal_dir, 0o700, uid, gid))] if wal_dir else []
                data = stack.enter_context(StagedFolder(data_dir, 0o700, uid, gid))
                self.restore_into(data, log, arguments)
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

    def restore_arguments(self, bump: int, faults: List[str]) -> List[str]:
        """What snapshot restore is told, apart from the folders."""
        members = {
            name: urls if isinstance(urls, list) else [str(urls)]
            for name, urls in self.options["initial_cluster"].items()
        }
        name: str = self.options["name"]
        if name not in members:
            faults.append(
                f"name: {name} is not in initial_cluster, which has {', '.join(sorted(members)) or 'no member'}"
            )
        urls = self.options["initial_advertise_peer_urls"] or members.get(name, [])
        cluster = ",".join(f"{member}={url}" for member, urls_ in members.items() for url in urls_)
        arguments = [
            f"--name={name}",
            f"--initial-cluster={cluster}",
            f"--initial-cluster-token={self.options['initial_cluster_token']}",
            f"--initial-advertise-peer-urls={','.join(urls)}",
        ]
        # Each of the two flags is refused without the other.
        return [*arguments, f"--bump-revision={bump}", "--mark-compacted"] if bump else arguments

    def bump_revision(self, faults: List[str]) -> int:
        """How much the revision goes up: what was asked for, or what Kubernetes needs where the tool can do it."""
        tool = self.etcd.snapshot_tool()
        wanted: Optional[int] = self.options["bump_revision"]
        if wanted is not None and wanted < 0:
            faults.append(f"bump_revision: {wanted} is below 0")
        if tool.bumps_revision:
            return BUMP_REVISION if wanted is None else wanted
        limit = f"{tool.name} {tool.version} cannot raise the revision (etcdctl 3.4.27 and etcdutl 3.5.10 can)"
        if wanted is None:
            self.module.warn(f"{limit}: clients that watched the old data may see revisions go backwards")
        elif wanted:
            faults.append(f"bump_revision: {limit}; use a newer tool, or set it to 0")
        return 0


def account_id(value: Optional[str], find: Callable[[str], int], option: str, faults: List[str]) -> int:
    """The number of a user or group given by name or number; -1 where none is given."""
    if not value:
        return -1
    try:
        return int(value) if value.isdigit() else find(value)
    except KeyError:
        faults.append(f"{option}: there is no {value} on this host")
        return -1


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
