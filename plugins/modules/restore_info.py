# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module restore_info: what a host has that decides whether and how a backup can be restored."""

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_info
short_description: What decides whether and how a backup can be restored on a host
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Reads the backups on a host, its etcd member, its static pods, and how far an interrupted restore has come.
  - Of archives it reads the manifests and sizes, of O(archive) all bytes. The module M(groundwork.kubernetes.backup)
    tries one.
  - The filter P(groundwork.kubernetes.restore_plan#filter) makes a plan of what all hosts say.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.etcd
  - groundwork.kubernetes.etcd.tools
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  cluster:
    description: The cluster's name. Backups of other names are not listed.
    type: str
    required: true
  archive:
    description: An archive to read in full, wherever it is, and whosever.
    type: path
  directories:
    description: Folders with archives. Those that do not exist hold none.
    type: list
    elements: path
    default: [/var/backups/kubernetes, /var/lib/groundwork/restore]
  member:
    description: Whether the host is to hold a member of etcd. Without it, only what is not etcd's is read.
    type: bool
    default: true
  data_dir:
    description: The member's data directory, where etcd is no static pod.
    type: path
    default: /var/lib/etcd
  name:
    description: The member's name, where etcd is no static pod.
    type: str
    default: ''
  peer_urls:
    description: The member's peer URLs, where etcd is no static pod.
    type: list
    elements: str
    default: []
  manifests:
    description: The kubelet's folder of manifests.
    type: path
    default: /etc/kubernetes/manifests
  aside:
    description: The folder for the manifests of stopped pods.
    type: path
    default: /etc/kubernetes/manifests.stopped
  pki:
    description: The folder with the cluster's certificates.
    type: path
    default: /etc/kubernetes/pki
  external_pki:
    description: The folder with the member's certificates, where etcd is no static pod.
    type: path
    default: /etc/etcd/pki
  environment:
    description:
      - The settings of the member, as C(ETCD_) variables, where etcd is no static pod. What stands there goes before
        O(name), O(peer_urls) and O(data_dir).
    type: path
    default: /etc/etcd/etcd.env
  journal:
    description: File with the state of an interrupted restore.
    type: path
    default: /var/lib/groundwork/restore.json
  signing_key:
    description: File with the private key that the host's archives are signed with. It may be absent.
    type: path
    default: /etc/groundwork/backup/signing_key
seealso:
  - module: groundwork.kubernetes.restore
  - plugin: groundwork.kubernetes.restore_plan
    plugin_type: filter
"""

EXAMPLES = r"""
- name: See what could be restored
  groundwork.kubernetes.restore_info:
    cluster: kubernetes
  register: found
"""

RETURN = r"""
time:
  description: The host's time in UTC, in the form that ids of restores have.
  returned: success
  type: str
  sample: 20261122T081500Z
journal:
  description: How far the last restore on this host has come, C(id), C(stage), C(path), C(created) and so on, or empty.
  returned: success
  type: dict
member:
  description:
    - The host's member of etcd, C(kind) (V(stacked) or V(external)), C(name), C(peer_urls), C(client_url), C(data_dir),
      C(wal_dir), C(version) and C(certificates). Empty where it is to hold none.
  returned: success
  type: dict
data:
  description:
    - Whether there is data (C(present)), whether an etcd has it open (C(in_use)), bytes of its database (C(size)),
      bytes free on its file system (C(free)), and folders of earlier restores (C(leftovers)).
  returned: success
  type: dict
live:
  description:
    - What the member answers now, C(healthy), C(revision), C(version), C(error), and C(cluster_uid), the UID of the
      namespace C(kube-system), empty where it is not known.
  returned: success
  type: dict
stopped:
  description: Static pods whose manifests are aside.
  returned: success
  type: list
  elements: str
  sample: [kube-apiserver]
control_plane:
  description: Whether the host has an API server's manifest, in use or aside.
  returned: success
  type: bool
authority:
  description: SHA-256 of the file of the cluster's CA certificate, or empty.
  returned: success
  type: str
encryption_keys:
  description: Names of the keys of encryption at rest that the API server has, by the beginning of the key's SHA-256.
  returned: success
  type: dict
  sample: {3b1f0a1c9d2e4f60: key-20261122t101500z}
signer:
  description: The public key that the host's archives are signed with, or empty.
  returned: success
  type: str
  sample: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPLIJ/GXykftYmN1hmrIZ4M1wNe+Sl+ZX/r8N9Hla7yh cp-1
archives:
  description:
    - Archives of the cluster that passed their proof when they were made, newest first, with C(path), C(identity),
      C(created), C(age) in seconds, C(size), C(whole), C(signature), C(host), C(authority), C(encryption_keys),
      C(cluster), C(cluster_uid) and C(etcd). Clusters can share a name, so the newest 20 of each identity.
    - Their bytes are not read, so that C(whole) is false, and the C(state) of a signature that fits is V(unread).
  returned: success
  type: list
  elements: dict
encrypted:
  description: Encrypted archives of the cluster, newest first. M(groundwork.kubernetes.backup_fetch) decrypts them.
  returned: success
  type: list
  elements: str
  sample: [/var/backups/kubernetes/kubernetes-20261122T020000Z-1f0c6a52.tar.age]
archive:
  description: The same of O(archive), with C(fault) and C(message) where it is no good. Empty where it is not there.
  returned: success
  type: dict
problem:
  description: Why the journal cannot be read, or empty.
  returned: success
  type: str
  sample: ''
"""

from typing import Any, Dict

from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.restore_host import RestoreHost
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.restore_journal import JOURNAL
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import SIGNING_KEY

ARGUMENTS: Dict[str, Any] = {
    "cluster": {"type": "str", "required": True},
    "archive": {"type": "path"},
    "directories": {
        "type": "list",
        "elements": "path",
        "default": ["/var/backups/kubernetes", "/var/lib/groundwork/restore"],
    },
    "member": {"type": "bool", "default": True},
    "data_dir": {"type": "path", "default": "/var/lib/etcd"},
    "name": {"type": "str", "default": ""},
    "peer_urls": {"type": "list", "elements": "str", "default": []},
    "manifests": {"type": "path", "default": "/etc/kubernetes/manifests"},
    "aside": {"type": "path", "default": "/etc/kubernetes/manifests.stopped"},
    "pki": {"type": "path", "default": "/etc/kubernetes/pki"},
    "external_pki": {"type": "path", "default": "/etc/etcd/pki"},
    "environment": {"type": "path", "default": "/etc/etcd/etcd.env"},
    "journal": {"type": "path", "default": JOURNAL},
    "signing_key": {"type": "path", "default": SIGNING_KEY, "no_log": False},
}


def main() -> None:
    """Run the module."""
    RestoreHost.main(ARGUMENTS)


if __name__ == "__main__":
    main()
