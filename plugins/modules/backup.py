# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module backup: proven archives of etcd and of the files that a control plane cannot do without."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup
short_description: Make proven backups of a cluster, encrypt, copy and keep them by rule, and verify them
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Makes one archive of an etcd snapshot, of files of the host and of a manifest with their sizes and SHA-256; or
    proves that an archive is good.
  - The snapshot is proven before the archive counts. Its own hash is checked, C(snapshot status) reads it, it is
    restored into a scratch folder, and a private etcd is started on it. The revision, the number of keys and a few
    records must be those of the member that gave the snapshot.
  - The private etcd listens on unix sockets in a folder that only root can enter, runs with the lowest priority, and is
    gone at the end, whatever happens.
  - An archive is a plain tar file, mode 0600, named C(<cluster>-<UTC time>-<identity>.tar). It appears whole or not at
    all. One that fails its proof is kept with C(.bad) after its name, and the module fails.
  - The identity of a cluster is the UID of its namespace C(kube-system), read from etcd, or from the API where etcd has
    it encrypted. The manifest has the whole of it, the name its first eight characters. Archives of other clusters are
    left alone even where they have the same name, as are archives without an identity, unless O(adopt_unidentified).
  - An etcd without Kubernetes has no identity, nor have its archives. They all stay, and O(keep) and O(unless_newer)
    do not apply, until O(adopt_unidentified) tells that those of the name O(cluster) are this one's.
  - Where it is to be encrypted, it is proven first. The plain archive only ever lies in a folder that root alone can
    enter, on the file system of O(directory), and is gone at the end. What a killed run left there, the next one
    removes. The encrypted one is named C(.tar.age). Beside it, C(.tar.age.json) tells without any key what it is.
  - With O(signing_key) it is signed with C(ssh-keygen), in a file C(.sig) beside it, which comes first. That names
    the archive, the cluster and its identity, and has the SHA-256 of the file as it lies there and of its manifest.
    So nobody without the key can hand in another archive, or give one the name of another.
  - Copies elsewhere are made by rclone and read back. An archive has its name there only after that.
  - Two runs in the same folder exclude each other. A member that fails while it gives the snapshot is left, and the
    next healthy one is asked, once.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.etcd
  - groundwork.kubernetes.etcd.tools
  - groundwork.kubernetes.etcd.save
attributes:
  check_mode:
    support: full
    details:
      - A save asks the members, and compares sizes with the free space.
      - A save whose tools or files are still to come reports a change, with a warning.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - Every run with O(state=saved) makes a new archive, unless O(unless_newer) says that none is due.
      - O(state=verified) changes nothing.
options:
  state:
    description:
      - V(saved) makes an archive, proves it, and removes archives that O(keep) does not keep.
      - V(verified) reads the archive at O(path), proves it, changes nothing, and fails if it is not good.
    type: str
    choices: [saved, verified]
    default: saved
  directory:
    description:
      - With O(state=saved), the folder for archives. It is made where it is absent, and gets mode 0700.
      - Required then.
    type: path
  path:
    description: With O(state=verified), the archive. Required then.
    type: path
  cluster:
    description:
      - The cluster's name. With O(state=saved) it is required, and archives of other clusters in the folder are left
        alone, also those of the same name.
      - With O(state=verified), an archive of another cluster is refused.
    type: str
  host:
    description: The host's name for the manifest. Without it, what the host calls itself.
    type: str
  kubernetes_version:
    description: The version of Kubernetes, for the manifest.
    type: str
    default: ''
  adopt_unidentified:
    description:
      - Whether archives of the name O(cluster) that carry no cluster's identity are this cluster's, on the host and in
        O(copies). Such are those of an etcd without Kubernetes.
      - Without it, they are named, never counted and never removed.
    type: bool
    default: false
  kubeconfig:
    description: An administrator's kubeconfig, for the cluster's identity where etcd has it encrypted.
    type: path
    default: /etc/kubernetes/admin.conf
  include:
    description:
      - Files and folders of the host that go into the archive, as absolute paths or as shell patterns.
      - What is named without a pattern must exist. A pattern may match nothing.
      - The default has the keys and certificates, the kubeconfigs, kubeadm's configuration, and an encryption
        configuration that lies beside it.
      - A link to a file is stored as that file.
    type: list
    elements: str
    default: [/etc/kubernetes/pki, /etc/kubernetes/*.conf, /etc/kubernetes/*.yaml]
  extra_files:
    description:
      - Files that go into the archive and are not on this host, as absolute paths with their contents in base64.
      - They are in the archive with mode 0600. A file that O(include) finds on the host goes before.
    type: dict
    default: {}
  encrypt_to:
    description:
      - Public keys that the archive is encrypted to with age, as C(age1...), C(ssh-ed25519 ...) or C(ssh-rsa ...). The
        owner of any of the private keys can read it.
      - The private keys are not needed on the host, and do not belong there.
      - The host needs C(age). Without keys, archives are plain.
    type: list
    elements: str
    default: []
  signing_key:
    description:
      - File on the host with the private key that archives are signed with, in ssh's form and without a passphrase.
        Where it is absent, a key is made for this host, mode 0600.
      - The public keys belong where they outlive the cluster, since a restore trusts no others. An O(include) that
        means this file is refused.
      - The host needs C(ssh-keygen) of OpenSSH 8.1 or newer. Without this option archives are not signed.
    type: path
  identity:
    description:
      - With O(state=verified), a file with the private key for an encrypted archive. It is then decrypted into a
        folder that only root can enter, and proven like a plain one.
      - Without it, only the bytes of an encrypted archive are compared with those that were made.
      - Meant for a host that is trusted with the key, not for those of the cluster.
    type: path
  unless_newer:
    description:
      - Makes nothing where a good archive of this cluster in O(directory) is younger than so many minutes, was proven
        as O(prove) asks for, and still has all of its bytes.
      - V(0) always makes one.
    type: int
    default: 0
  take_turns:
    description:
      - With O(unless_newer), backups of all hosts that do the same count. So several hosts can have the same timer, and
        one of them makes the backup, whichever is there.
      - They queue for a lock in etcd, below the key C(/groundwork/backup/), where the newest backup is noted as well.
      - Whether the archive of another host is still there is not known. So this is for timers, not for what precedes a
        change that could lose data. What is noted of this host itself counts only as far as it has the archive.
    type: bool
    default: false
  turn_timeout:
    description: Seconds to wait for another host that is making a backup.
    type: int
    default: 3600
  copies:
    description:
      - Where archives are copied to, as folders that rclone knows, C(remote:path). Messages and metrics name the place
        by the remote.
      - After a run, each place has the good archives that O(keep) keeps of all of this cluster that are there and on
        this host.
      - Each file is uploaded under another name, read back, compared by its SHA-256, and then renamed.
      - A copy that fails does not hinder the others. The archive on the host stays, and the module fails.
      - The host needs C(rclone).
    type: list
    elements: str
    default: []
  copy_config:
    description: rclone's configuration file, which holds the remotes and their secrets. Only its owner may read it.
    type: path
  prove:
    description:
      - V(restore) does a trial restore. It needs the program C(etcd), of the minor version of the tool that reads
        snapshots and not older than the member, and etcd without passwords.
      - V(status) stops after the hash and C(snapshot status).
    type: str
    choices: [restore, status]
    default: restore
  prove_timeout:
    description: Seconds that the private etcd may take to answer.
    type: int
    default: 120
  sample_prefix:
    description:
      - Below which prefix Kubernetes has its records. There the cluster's identity is read, and records are compared in
        a trial restore.
    type: str
    default: /registry/
  scratch_directory:
    description:
      - Folder below which the snapshot is saved and tried. It must exist.
      - It takes about twice the size of the database and 128 MB. Without it, the archive's folder is used.
    type: path
  keep:
    description:
      - Which good archives of O(cluster) stay. One stays if any rule keeps it.
      - A rule that is left out keeps none. The newest good archive always stays, and so does the new one.
      - Archives whose manifest cannot be read, or says that the proof failed, are not counted and not removed. Nor are
        those that are not this cluster's.
    type: dict
    default: {last: 7, daily: 7, weekly: 4, monthly: 6}
    suboptions:
      last:
        description: How many of the newest.
        type: int
        default: 0
      hourly:
        description: The newest of each of so many hours.
        type: int
        default: 0
      daily:
        description: The newest of each of so many days, in UTC.
        type: int
        default: 0
      weekly:
        description: The newest of each of so many weeks, which begin on Monday.
        type: int
        default: 0
      monthly:
        description: The newest of each of so many months.
        type: int
        default: 0
  keep_bad:
    description: How many archives that failed their proof stay.
    type: int
    default: 2
  metrics_file:
    description:
      - File for the textfile collector of Prometheus' node exporter. Its folder must exist, its name should end in
        C(.prom).
      - Every run writes it, also one that failed or made nothing.
    type: path
seealso:
  - module: groundwork.kubernetes.backup_info
  - module: groundwork.kubernetes.etcd_snapshot
  - name: etcd's disaster recovery
    description: What a snapshot is, and how it is restored.
    link: https://etcd.io/docs/v3.6/op-guide/recovery/
"""

EXAMPLES = r"""
- name: Back up a control plane with stacked etcd
  groundwork.kubernetes.backup:
    directory: /var/backups/kubernetes
    cluster: kubernetes
    cacert: /etc/kubernetes/pki/etcd/ca.crt
    cert: /etc/kubernetes/pki/etcd/healthcheck-client.crt
    key: /etc/kubernetes/pki/etcd/healthcheck-client.key
    keep: {last: 24, daily: 7, weekly: 4, monthly: 12}
    metrics_file: /var/lib/node_exporter/groundwork_backup.prom

- name: Make an encrypted one if there is none of the last hour, and copy it away
  groundwork.kubernetes.backup:
    directory: /var/backups/kubernetes
    cluster: kubernetes
    cacert: /etc/kubernetes/pki/etcd/ca.crt
    cert: /etc/kubernetes/pki/etcd/healthcheck-client.crt
    key: /etc/kubernetes/pki/etcd/healthcheck-client.key
    unless_newer: 60
    encrypt_to: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]
    copies: [offsite:my-bucket/kubernetes]
    copy_config: /etc/groundwork/backup/rclone.conf

- name: Prove an archive, with a trial restore
  groundwork.kubernetes.backup:
    state: verified
    path: /var/backups/kubernetes/kubernetes-20261122T020000Z-1f0c6a52.tar
    cluster: kubernetes
"""

RETURN = r"""
made:
  description: Whether a backup was made, or would be in check mode.
  returned: state=saved and success
  type: bool
  sample: true
reason:
  description: Why none was made, or empty.
  returned: state=saved and success
  type: str
  sample: cp-2 made a proven backup 12 minutes ago
path:
  description: The archive. Where none was due, the newest good one on this host, or empty.
  returned: success, and when an archive failed its proof or could not be copied
  type: str
  sample: /var/backups/kubernetes/kubernetes-20261122T020000Z-1f0c6a52.tar
manifest:
  description:
    - What the archive says of itself, C(cluster), C(cluster_uid), C(host), C(created), C(kubernetes_version),
      C(tool_version), C(format), C(etcd) with its version, revision and numbers of keys, C(proof), and C(parts) with
      their sizes and SHA-256.
  returned: when there is an archive, so not for a save in check mode
  type: dict
  sample:
    cluster: kubernetes
    cluster_uid: 1f0c6a52-7f3e-4f0e-9a53-0d5f3f6a2b11
    created: "2026-11-22T02:00:00Z"
proof:
  description:
    - What this run did to prove the archive, and what it found.
    - Its level is C(ciphertext) for an encrypted archive that was verified without O(identity).
  returned: when there is an archive
  type: dict
  sample: {level: restore, passed: true, reason: '', seconds: 1.4, keys: 1843}
size:
  description: Bytes of the archive.
  returned: when there is an archive
  type: int
  sample: 4249600
signer:
  description: The public key that the archive was signed with, or empty.
  returned: a backup was made
  type: str
  sample: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPLIJ/GXykftYmN1hmrIZ4M1wNe+Sl+ZX/r8N9Hla7yh cp-1
signature:
  description:
    - What is known of the archive's signature. C(state) is V(good), V(none), or V(unknown) where C(ssh-keygen) is not
      installed; C(key) and C(fingerprint) tell whose it is, C(message) why it is not good. Whom to trust is not judged.
    - One that does not belong to the archive is a failure.
  returned: state=verified
  type: dict
  sample: {state: good, key: ssh-ed25519 AAAAC3Nza..., fingerprint: "SHA256:GoiEUm8rNwsj...", message: ""}
sha256:
  description: SHA-256 of the archive, as it lies there.
  returned: a backup was made
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
copies:
  description: What came of the copies, by place.
  returned: a backup was made and there are O(copies)
  type: list
  elements: dict
  contains:
    name:
      description: The remote.
      type: str
      sample: offsite
    target:
      description: The folder.
      type: str
      sample: offsite:my-bucket/kubernetes
    ok:
      description: Whether all that is to be there is there, and was verified.
      type: bool
      sample: true
    error:
      description: Why not, or empty.
      type: str
      sample: ''
    copied:
      description: Archives that were copied, newest first.
      type: list
      elements: str
      sample: [kubernetes-20261122T020000Z-1f0c6a52.tar.age]
    removed:
      description: Copies that were removed by the rule.
      type: list
      elements: str
      sample: []
    unidentified:
      description: Archives of the cluster's name there that carry no identity, and were left alone.
      type: list
      elements: str
      sample: []
seconds:
  description: How long the run took.
  returned: success
  type: float
  sample: 3.2
removed:
  description: Archives that were, or would be, removed, bad ones among them.
  returned: state=saved and success
  type: list
  elements: str
  sample: [/var/backups/kubernetes/kubernetes-20261115T020000Z-1f0c6a52.tar]
kept:
  description: Good archives of the cluster that stay, newest first, with the new one.
  returned: state=saved and success
  type: list
  elements: str
  sample: [/var/backups/kubernetes/kubernetes-20261122T020000Z-1f0c6a52.tar]
damaged:
  description: What is wrong with archives of the cluster that are not counted.
  returned: state=saved and success
  type: list
  elements: str
  sample: []
unidentified:
  description:
    - Archives of the cluster's name that carry no identity. They do not count, and stay, unless O(adopt_unidentified).
  returned: state=saved and success
  type: list
  elements: str
  sample: []
others:
  description: Archives of other clusters of the same name, which were left alone.
  returned: state=saved and success
  type: list
  elements: str
  sample: []
fault:
  description: In one word, why an archive is not good. With V(copy), it is good, but a copy of it could not be made.
  returned: on failure because of an archive
  type: str
  choices: [missing, empty, not_an_archive, truncated, no_manifest, manifest, unknown_format, unsafe_member,
    wrong_cluster, unlisted_part, missing_part, wrong_size, damaged, untrue, signature, proof, copy]
  sample: damaged
"""

import os
import shutil
import signal
import socket
import time
from contextlib import nullcontext
from dataclasses import asdict, replace
from datetime import datetime, timezone
from typing import Any, Dict, List, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.age import (
    DESCRIPTION,
    Age,
    EncryptionError,
    describe_sealed,
    read_description,
    read_sealed_archive,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive import (
    BAD,
    CLUSTER,
    DATABASE,
    SEALED,
    TIME,
    BackupError,
    EtcdState,
    Keep,
    Manifest,
    Proof,
    archive_name,
    archive_size,
    disagreement,
    examine,
    extract_database,
    manifest_sha256,
    named_archives,
    read_archive,
    write_archive,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_folder import (
    BusyError,
    Shelf,
    drafts,
    exclusive,
    look_into,
    remove_archive,
    remove_orphans,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.backup_lock import Record, Turn, recent
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.copies import (
    Rclone,
    copies_name,
    file_sha256,
    remember,
    remembered,
    target_faults,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.included_files import collect, decode_files
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.metrics import (
    LastRun,
    known_uid,
    metrics,
    write_metrics,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.owner import Owner, cluster_uid
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import (
    GOOD,
    SIGNATURE,
    SigningError,
    module_signer,
    refuse_wrong,
    state_statement,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.trial_restore import (
    TrialError,
    fitting_server,
    run_trial,
    space_needed,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import KUBECONFIG_OPTION
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import (
    CLIENT_OPTIONS,
    CLIENT_REQUIRED_TOGETHER,
    CommandError,
    EndpointStatus,
    Etcd,
    EtcdError,
    Tool,
    ToolMissingError,
    verify_snapshot,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.snapshot import (
    HASH_SIZE,
    Snapshot,
    SnapshotError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.install import label
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import UnsafePathError, require_own
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.staging import (
    NoSpaceError,
    fsync_path,
    require_space,
)

RULES = ("last", "hourly", "daily", "weekly", "monthly")
KEEP: Dict[str, int] = {"last": 7, "daily": 7, "weekly": 4, "monthly": 6}
ARGUMENTS: Dict[str, Any] = {
    "state": {"type": "str", "choices": ["saved", "verified"], "default": "saved"},
    "directory": {"type": "path"},
    "path": {"type": "path"},
    "cluster": {"type": "str"},
    "host": {"type": "str"},
    "kubernetes_version": {"type": "str", "default": ""},
    "adopt_unidentified": {"type": "bool", "default": False},
    "kubeconfig": KUBECONFIG_OPTION,
    "include": {
        "type": "list",
        "elements": "str",
        "default": ["/etc/kubernetes/pki", "/etc/kubernetes/*.conf", "/etc/kubernetes/*.yaml"],
    },
    "extra_files": {"type": "dict", "default": {}, "no_log": True},
    "encrypt_to": {"type": "list", "elements": "str", "default": []},
    "signing_key": {"type": "path", "no_log": False},
    "identity": {"type": "path"},
    "unless_newer": {"type": "int", "default": 0},
    "take_turns": {"type": "bool", "default": False},
    "turn_timeout": {"type": "int", "default": 3600},
    "copies": {"type": "list", "elements": "str", "default": []},
    "copy_config": {"type": "path"},
    "prove": {"type": "str", "choices": ["restore", "status"], "default": "restore"},
    "prove_timeout": {"type": "int", "default": 120},
    "sample_prefix": {"type": "str", "default": "/registry/"},
    "scratch_directory": {"type": "path"},
    "keep": {
        "type": "dict",
        "default": KEEP,
        "options": {rule: {"type": "int", "default": 0} for rule in RULES},
    },
    "keep_bad": {"type": "int", "default": 2},
    "allow_unhealthy": {"type": "bool", "default": False},
    "save_timeout": {"type": "int", "default": 600},
    "metrics_file": {"type": "path"},
    **CLIENT_OPTIONS,
}


class FailedError(Exception):
    """What the module fails with, and what it returns besides."""

    def __init__(self, message: str, **result: Any) -> None:
        self.result = result
        super().__init__(message)


class NotDueError(Exception):
    """No backup is made, since there is one that is new enough."""


class BackupModule:
    """The two states; each returns what the module returns."""

    def __init__(self, module: AnsibleModule) -> None:
        """Take the options from the module."""
        self.module = module
        self.options: Dict[str, Any] = module.params
        self.etcd = Etcd(module)
        self.age = Age(module)
        self.signer = module_signer(module)
        self.start = time.monotonic()
        self.directory = os.path.abspath(self.options["directory"] or ".")
        self.cluster: str = self.options["cluster"] or ""
        self.host: str = self.options["host"] or socket.gethostname()
        self.keep = Keep(**{rule: (self.options["keep"] or {}).get(rule, 0) for rule in RULES})
        self.rclone = Rclone(module, self.options["copy_config"])
        self.newest_anywhere: Optional[int] = None
        self.owner = Owner(self.cluster, adopt=self.options["adopt_unidentified"])
        self.asked = False

    def run(self) -> Dict[str, Any]:
        """Do what the state asks for."""
        result = self.saved() if self.options["state"] == "saved" else self.verified()
        return {**result, "seconds": round(time.monotonic() - self.start, 3)}

    def verified(self) -> Dict[str, Any]:
        """Read the archive, then try its snapshot in a folder of its own."""
        path = os.path.abspath(self.options["path"])
        listed = named_archives([path])
        if listed and listed[0].sealed:
            return self.verified_sealed(path)
        return self.verified_plain(path, path, self.options["scratch_directory"] or os.path.dirname(path))

    def verified_sealed(self, path: str) -> Dict[str, Any]:
        """Compare the bytes of an encrypted archive; with the private key, prove what is in it."""
        manifest = read_sealed_archive(path, self.cluster)
        identity = self.options["identity"]
        if not identity:
            signature = self.signer.examine(path, manifest, sha256=read_description(path).sha256)
            refuse_wrong(path, signature)
            proof = Proof("ciphertext", passed=True, time=now().strftime(TIME))
            found = {"manifest": manifest.as_dict(), "proof": proof.__dict__, "size": os.path.getsize(path)}
            return {"changed": False, "path": path, "signature": signature.as_dict(), **found}
        scratch = self.options["scratch_directory"] or os.path.dirname(path)
        require_own(scratch, sticky=True)
        require_space(scratch, os.path.getsize(path), f"decrypting {path}")
        with drafts(scratch) as folder:
            plain = os.path.join(folder, os.path.basename(path)[: -len(SEALED)])
            self.age.decrypt(path, identity, plain)
            return self.verified_plain(plain, path, scratch)

    def verified_plain(self, path: str, shown_as: str, scratch: str) -> Dict[str, Any]:
        """Prove an archive that can be read."""
        try:
            examined = examine(path, self.cluster)
        except BackupError as error:
            raise BackupError(error.fault, str(error).replace(path, shown_as)) from error
        manifest = examined.manifest
        signature = self.signer.examine(shown_as, manifest, examined.sha256)
        refuse_wrong(shown_as, signature)
        server = self.server(manifest.etcd.version)
        database = next(part.size for part in manifest.parts if part.name == DATABASE)
        require_own(scratch, sticky=True)
        require_space(scratch, database + self.trial_space(database), f"proving {shown_as}")
        with drafts(scratch) as folder:
            copy = os.path.join(folder, DATABASE)
            extract_database(path, manifest, copy)
            snapshot = self.inspect(copy, shown_as, manifest.etcd.version)
            said = {"revision": snapshot.revision, "total_keys": snapshot.total_keys}
            for name, value in said.items():
                if getattr(manifest.etcd, name) != value:
                    raise BackupError(
                        "untrue",
                        f"the manifest of {shown_as} says {name} {getattr(manifest.etcd, name)}, but it is {value}: "
                        "do not trust it",
                    )
            proof = self.prove(copy, folder, manifest.etcd, server)
        result = {
            "changed": False, "path": shown_as, "manifest": manifest.as_dict(), "size": os.path.getsize(shown_as),
            "signature": signature.as_dict(),
        }  # fmt: skip
        if not proof.passed:
            raise FailedError(f"{shown_as} {proof.reason}", fault="proof", **result)
        return {**result, "proof": proof.__dict__}

    def inspect(self, database: str, shown_as: str, version: str) -> Snapshot:
        """Hash and status of a snapshot file."""
        try:
            return verify_snapshot(self.etcd, database, f"the snapshot in {shown_as}", version)
        except SnapshotError as error:
            raise BackupError("damaged", str(error)) from error

    def server(self, member_version: str) -> Optional[Tool]:
        """The etcd for a trial restore, where one is wanted."""
        return fitting_server(self.etcd, member_version) if self.options["prove"] == "restore" else None

    def trial_space(self, database: int) -> int:
        """Bytes that the trial takes besides the snapshot."""
        return space_needed(database) if self.options["prove"] == "restore" else 0

    def prove(self, database: str, folder: str, state: EtcdState, server: Optional[Tool]) -> Proof:
        """Try a snapshot whose hash and status are right already."""
        started = time.monotonic()
        keys, reason = None, ""
        if server is not None:
            trial = os.path.join(folder, "trial")
            os.mkdir(trial, 0o700)
            try:
                prefix = state.sample_prefix or self.options["sample_prefix"]
                found = run_trial(
                    self.module, self.etcd, server, database, folder=trial, prefix=prefix, revision=state.revision
                )
                keys = found.keys
                reason = disagreement(state, found.revision, keys, found.sample.count, found.sample.sha256)
            except TrialError as error:
                reason = str(error)
            shutil.rmtree(trial)
        return Proof(
            level=self.options["prove"],
            passed=not reason,
            reason=reason and f"failed its proof: its snapshot {reason}",
            time=now().strftime(TIME),
            seconds=round(time.monotonic() - started, 3),
            tool=f"etcd {server.version}" if server else str(self.etcd.snapshot_tool().version),
            keys=keys,
        )

    def saved(self) -> Dict[str, Any]:
        """Make an archive, and tidy up, or say why none is due; tell Prometheus what came of it."""
        ok = skipped = False
        tell = not self.module.check_mode
        try:
            result = self.due()
            ok = True
        except NotDueError as reason:
            ok = skipped = True
            result = self.not_due(str(reason))
        except BusyError:
            tell = False  # the run that works there tells
            raise
        finally:
            if tell:
                self.write_metrics(ok, skipped)
        return result

    def due(self) -> Dict[str, Any]:
        """Make an archive, if nothing is missing and none is new enough."""
        if not CLUSTER.fullmatch(self.cluster):
            raise FailedError(f"cluster: {self.cluster!r} is no name of letters, digits, '.', '_' and '-'")
        missing: List[str] = []
        files = collect(self.options["include"], missing)
        key = self.options["signing_key"]
        if key and os.path.realpath(key) in map(os.path.realpath, files):
            missing.append(f"include: {key} signs the archives (signing_key), so it must not be in them")
        extra = decode_files(self.options["extra_files"], files, missing)
        missing += self.missing()
        require_own(self.directory)
        if self.options["scratch_directory"]:
            require_own(self.options["scratch_directory"], sticky=True)
        if missing and self.module.check_mode:
            self.module.warn(f"{'; '.join(missing)}: a backup would be made once that is there")
            return self.plan()
        if missing:
            raise FailedError("; ".join(missing))

        source = self.etcd.source(self.options["allow_unhealthy"])
        self.ask_identity(source)
        self.refuse_newer_here()
        self.server(source.version)
        turn = Turn(self.etcd, self.cluster, self.options["endpoints"]) if self.options["take_turns"] else None
        self.refuse_newer_elsewhere(turn)
        self.require_room(source, files)
        if self.module.check_mode:
            return self.plan()
        require_own(self.directory, 0o700)
        taken = turn.taken(self.options["turn_timeout"]) if turn else nullcontext()
        with exclusive(self.directory):
            with taken:
                self.refuse_newer_here()
                self.refuse_newer_elsewhere(turn)
                result = self.make(source, files, extra)
                self.tell(turn, result["path"])
            result["copies"] = self.copy(result["path"])
        failed = "; ".join(f"{copy['name']}: {copy['error']}" for copy in result["copies"] if not copy["ok"])
        if failed:
            message = f"{result['path']} is proven and stays, but was not copied: {failed}"
            kept = {name: value for name, value in result.items() if name not in ("manifest", "diff")}
            raise FailedError(message, **kept, fault="copy")
        return result

    def missing(self) -> List[str]:
        """What this host lacks for a backup, besides the files."""
        options = self.options
        scratch = options["scratch_directory"]
        found = [] if not scratch or os.path.isdir(scratch) else [f"scratch_directory: {scratch} is no folder"]
        if self.etcd.tool("etcdctl") is None:
            found.append("etcdctl is not installed on this host")
        else:
            found += self.unfit("")
        if options["encrypt_to"]:
            found += self.age.faults(options["encrypt_to"])
        if options["signing_key"] and self.signer.path is None:
            found.append("ssh-keygen, which signs the archive (signing_key), is not installed on this host")
        if options["copies"]:
            found += self.rclone.faults()
        found += target_faults(options["copies"])
        return found

    def refuse_newer_here(self) -> None:
        """End the run if an archive in the folder is new enough, and whole."""
        minutes = self.options["unless_newer"]
        for item, manifest in self.shelf().good if minutes else []:
            age = (now() - item.time).total_seconds()
            if 0 <= age < minutes * 60 and manifest.proof.level in ("restore", self.options["prove"]):
                try:
                    look_into(item, self.cluster, quick=False)
                except BackupError as error:
                    self.module.warn(f"{error}: it does not count")
                    continue
                raise NotDueError(f"{item.path} was proven {int(age // 60)} minutes ago")

    def refuse_newer_elsewhere(self, turn: Optional[Turn]) -> None:
        """End the run if the backup of a host that takes turns with this one is new enough."""
        if turn is None:
            return
        record = turn.newest()
        self.newest_anywhere = record.time if record else None
        # An archive of this host would have been found in the folder: it is gone, with the disk perhaps.
        if record and record.host != self.host and recent(record, self.options["unless_newer"] * 60, time.time()):
            minutes = max(int(time.time() - record.time) // 60, 0)
            raise NotDueError(f"{record.host} made a proven backup {minutes} minutes ago")

    def tell(self, turn: Optional[Turn], path: str) -> None:
        """Let the other hosts know of the new archive; if that fails, one of them makes one more."""
        if turn is None:
            return
        made = int(path_time(path).timestamp())
        try:
            turn.made(Record(self.host, os.path.basename(path), made))
        except EtcdError as error:
            self.module.warn(f"the other hosts were not told of the backup, and may make one more: {error}")
        self.newest_anywhere = made

    def not_due(self, reason: str) -> Dict[str, Any]:
        """What a run returns that made nothing."""
        shelf = self.shelf()
        paths = [item.path for item, _manifest in shelf.good]
        return {
            "changed": False,
            "made": False,
            "reason": reason,
            "path": paths[0] if paths else "",
            "removed": [],
            "kept": paths,
            **self.left_out(shelf),
        }

    def shelf(self) -> Shelf:
        """The archives in the folder."""
        return Shelf(self.directory, self.owner)

    def left_out(self, shelf: Shelf) -> Dict[str, Any]:
        """What else is in the folder."""
        if shelf.unidentified:
            self.module.warn(shelf.warning)
        return {"damaged": shelf.damaged, "unidentified": shelf.unidentified, "others": shelf.others}

    def ask_identity(self, source: EndpointStatus) -> None:
        """Find out which cluster this is."""
        prefix, kubeconfig = self.options["sample_prefix"], self.options["kubeconfig"]
        uid = cluster_uid(self.module, self.etcd, source.endpoint, prefix, kubeconfig)
        self.owner, self.asked = replace(self.owner, uid=uid), True

    def unfit(self, version: str) -> List[str]:
        """Why the tools on this host cannot prove a snapshot."""
        try:
            self.etcd.snapshot_tool()
            self.server(version)
        except ToolMissingError as error:
            return [str(error)]
        return []

    def require_room(self, source: EndpointStatus, files: List[str]) -> None:
        """Refuse a backup that a file system has no room for.

        The trial is gone before the archive is written, and the snapshot before the archive is encrypted.
        """
        database = source.db_size + HASH_SIZE
        archive = archive_size([database, *(os.path.getsize(path) for path in files)])
        trial = self.trial_space(database)
        encrypting = 2 * archive if self.options["encrypt_to"] else 0
        scratch = self.options["scratch_directory"]
        what = f"a backup of {source.endpoint}"
        here = archive if scratch else database + max(archive, trial)
        require_space(self.directory, max(here, encrypting), what)
        if scratch:
            require_space(scratch, database + trial, what)

    def plan(self) -> Dict[str, Any]:
        """What a save would do."""
        return self.outcome(self.next_path())

    def next_path(self) -> str:
        """A name that no archive has."""
        while True:
            plain = os.path.join(self.directory, archive_name(self.cluster, now(), self.owner.uid))
            if not any(os.path.lexists(plain + seal + bad) for seal in ("", SEALED) for bad in ("", BAD)):
                return plain + SEALED if self.options["encrypt_to"] else plain
            time.sleep(0.2)

    def make(self, source: EndpointStatus, files: List[str], extra: List[Tuple[str, bytes]]) -> Dict[str, Any]:
        """Save, prove, archive, read back, encrypt, and only then give the archive its name."""
        remove_orphans(self.directory, self.owner)
        public = self.ready_key()
        with drafts(self.options["scratch_directory"] or self.directory) as scratch, drafts(self.directory) as folder:
            path = self.next_path()
            database = os.path.join(scratch, DATABASE)
            source = self.save(source, database)
            state, proof = self.proven(database, scratch, source, self.server(source.version))
            manifest = Manifest(
                cluster=self.cluster,
                cluster_uid=self.owner.uid,
                host=self.host,
                created=path_time(path).strftime(TIME),
                kubernetes_version=self.options["kubernetes_version"],
                etcd=state,
                proof=proof,
            )
            draft = os.path.join(folder, archive_name(self.cluster, path_time(path), self.owner.uid))
            manifest = write_archive(draft, manifest, database, files, extra)
            os.unlink(database)
            reason, fault = proof.reason, "proof"
            try:
                read_archive(draft, self.cluster)
            except BackupError as error:
                if not reason:
                    reason, fault = f"cannot be read back: {error}", error.fault
            final = path + BAD if reason else path
            sha256 = self.publish(draft, final, manifest)
        if reason:
            for extra_path in self.shelf().surplus(self.keep, self.options["keep_bad"], None):
                if extra_path.endswith(BAD):
                    remove_archive(extra_path)
            raise FailedError(f"{final} {reason}. It does not count as a backup", path=final, fault=fault)
        result = self.outcome(path)
        for old in result["removed"]:
            remove_archive(old)
        fsync_path(self.directory)
        size = os.path.getsize(path)
        found = {"manifest": manifest.as_dict(), "proof": proof.__dict__, "size": size, "sha256": sha256}
        return {**result, **found, "signer": public}

    def ready_key(self) -> str:
        """The public half of the key that signs, which is made where it is absent; empty without one."""
        key = self.options["signing_key"]
        if not key:
            return ""
        self.signer.make_key(key, self.host)
        return self.signer.public_key(key)

    def publish(self, draft: str, final: str, manifest: Manifest) -> str:
        """Give a plain archive its name, or encrypt it and give that its name; return its hash."""
        recipients, key = self.options["encrypt_to"], self.options["signing_key"]
        content = manifest_sha256(manifest)
        beside: Dict[str, bytes] = {}
        if recipients:
            plain, draft = draft, draft + SEALED
            sealed = self.age.encrypt(plain, draft, recipients)
            os.unlink(plain)
            sha256 = sealed.sha256
            beside[DESCRIPTION] = describe_sealed(final, sealed, recipients, manifest)
        else:
            sha256 = file_sha256(draft)
        if key and not final.endswith(BAD):
            statement = state_statement(final, manifest, os.path.getsize(draft), sha256, content)
            beside[SIGNATURE] = self.signer.sign(statement, key)
        for suffix, text in beside.items():
            with open(draft + suffix, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            label(self.module, draft + suffix, final + suffix)
        if SIGNATURE in beside:
            signature = self.signer.examine(draft, manifest, content, sha256)
            if signature.state != GOOD:
                raise SigningError(f"the new archive {signature.message}: nothing of it was kept")
        for suffix in beside:  # alone they count for nothing, and the archive comes at once
            os.replace(draft + suffix, final + suffix)
        label(self.module, draft, final)
        os.replace(draft, final)
        fsync_path(self.directory)
        return sha256

    def save(self, source: EndpointStatus, database: str) -> EndpointStatus:
        """Let a member write its snapshot; if it fails, ask another one, once. Return who gave it."""
        try:
            return self.save_from(source, database)
        except CommandError as error:
            self.module.warn(
                f"{source.endpoint} did not give a snapshot ({error.reason}): the next healthy member is asked"
            )
        if os.path.lexists(database):
            os.unlink(database)
        return self.save_from(self.etcd.source(self.options["allow_unhealthy"]), database)

    def save_from(self, source: EndpointStatus, database: str) -> EndpointStatus:
        """Let a member write its snapshot."""
        try:
            self.etcd.save(source.endpoint, database, self.options["save_timeout"])
        except CommandError as error:
            if error.no_space:
                raise NoSpaceError(
                    f"{os.path.dirname(os.path.dirname(database))} became full while the snapshot of {source.endpoint} "
                    "was written; nothing of it is left there. Free some space or choose another file system"
                ) from error
            raise
        return source

    def copy(self, path: str) -> List[Dict[str, Any]]:
        """Bring the archives to all places where copies are to be, whatever comes of each."""
        wanted = self.options["copies"]
        if not wanted:
            return []
        local = {item.path: item for item, _manifest in self.shelf().good}
        [local[path]] = named_archives([path])  # also one without an identity
        done = [self.rclone.bring(target, list(local.values()), self.owner, self.keep) for target in wanted]
        remember(self.copies_file, done, os.path.basename(path), int(time.time()))
        return [asdict(copy) for copy in done]

    @property
    def copies_file(self) -> str:
        """Where it is noted what came of the copies."""
        return os.path.join(self.directory, copies_name(self.owner.stem))

    def proven(
        self, database: str, scratch: str, source: EndpointStatus, server: Optional[Tool]
    ) -> Tuple[EtcdState, Proof]:
        """What a fresh snapshot holds, and whether it is good."""
        state = EtcdState(source.version, source.endpoint, 0, 0, sample_prefix=self.options["sample_prefix"])
        try:
            snapshot = self.inspect(database, "the new archive", source.version)
        except BackupError as error:
            reason = f"failed its proof: {error}"
            return state, Proof(self.options["prove"], passed=False, reason=reason, time=now().strftime(TIME))
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
        return state, self.prove(database, scratch, state, server)

    def outcome(self, path: str) -> Dict[str, Any]:
        """What a save returns: which archives go, and which stay."""
        shelf = self.shelf()
        [new] = named_archives([path])
        removed = shelf.surplus(self.keep, self.options["keep_bad"], new)
        others = [item.path for item, _manifest in shelf.good if item.path != path]
        return {
            "changed": True,
            "made": True,
            "reason": "",
            "path": path,
            "removed": removed,
            "kept": sorted({path, *others} - set(removed), reverse=True),
            **self.left_out(shelf),
            "diff": {
                "before": {"archives": sorted([*others, *(item.path for item in shelf.bad)])},
                "after": {"archives": sorted({path, *others, *(item.path for item in shelf.bad)} - set(removed))},
            },
        }

    def write_metrics(self, ok: bool, skipped: bool) -> None:
        """Tell Prometheus; that it cannot be told is no reason to lose a backup."""
        target = self.options["metrics_file"]
        if not target or not CLUSTER.fullmatch(self.cluster):
            return
        if not self.asked:
            self.owner = replace(self.owner, uid=known_uid(target, self.cluster))
        run = LastRun(ok, skipped, time.monotonic() - self.start, int(time.time()), self.newest_anywhere)
        text = metrics(self.owner, self.shelf(), run, remembered(self.copies_file))
        try:
            write_metrics(target, text)
        except OSError as error:
            why = error if isinstance(error, UnsafePathError) else error.strerror
            self.module.warn(f"metrics_file: {target} cannot be written: {why}")


def now() -> datetime:
    """The time."""
    return datetime.now(timezone.utc)


def path_time(path: str) -> datetime:
    """The time in an archive's name."""
    return named_archives([path])[0].time


def end(number: int, _frame: Any) -> None:
    """Told to end, it tidies up on its way."""
    raise SystemExit(128 + number)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_together=CLIENT_REQUIRED_TOGETHER,
        required_if=[("state", "saved", ("directory", "cluster")), ("state", "verified", ("path",))],
        supports_check_mode=True,
    )
    signal.signal(signal.SIGTERM, end)
    try:
        result = BackupModule(module).run()
    except FailedError as error:
        module.fail_json(msg=str(error), **error.result)
    except BackupError as error:
        module.fail_json(msg=str(error), fault=error.fault)
    except (EtcdError, NoSpaceError, BusyError, EncryptionError, SigningError) as error:
        module.fail_json(msg=str(error))
    except UnsafePathError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        place = error.filename or module.params["directory"] or module.params["path"]
        left = ": no backup was made, and nothing of it is left" if module.params["state"] == "saved" else ""
        module.fail_json(msg=f"{place}: {error.strerror or error}{left}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
