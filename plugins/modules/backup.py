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

import signal
import time
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.age import EncryptionError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_folder import BusyError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.backup_run import BackupRun
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.errors import BackupError, FailedError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.retention import RULES
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import SigningError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.verification import Verification
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import KUBECONFIG_OPTION
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import (
    CLIENT_OPTIONS,
    CLIENT_REQUIRED_TOGETHER,
    EtcdError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import UnsafePathError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.staging import NoSpaceError

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


def end(number: int, _frame: Any) -> None:
    """At SIGTERM, end as usual, so that what was begun is removed."""
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
    start = time.monotonic()
    try:
        result = (BackupRun if module.params["state"] == "saved" else Verification)(module).run()
    except FailedError as error:
        module.fail_json(msg=str(error), **error.result)
    except BackupError as error:
        module.fail_json(msg=str(error), fault=error.fault)
    except (EtcdError, NoSpaceError, BusyError, EncryptionError, SigningError, UnsafePathError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        place = error.filename or module.params["directory"] or module.params["path"]
        left = ": no backup was made, and nothing of it is left" if module.params["state"] == "saved" else ""
        module.fail_json(msg=f"{place}: {error.strerror or error}{left}")
    module.exit_json(**result, seconds=round(time.monotonic() - start, 3))


if __name__ == "__main__":
    main()
