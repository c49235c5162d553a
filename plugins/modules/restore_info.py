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
  - Of archives it reads the manifests and sizes. The module M(groundwork.kubernetes.backup) proves one.
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
    description: An archive to look at, wherever it is, and whosever.
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
      C(created), C(age) in seconds, C(size), C(signature), C(host), C(authority), C(encryption_keys), C(cluster),
      C(cluster_uid) and C(etcd). Clusters can share a name, so the newest 20 of each identity.
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

import hashlib
import os
import shutil
from collections import Counter
from datetime import datetime, timezone
from typing import Any, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive import (
    TIME_IN_NAME,
    Listed,
    list_archives,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.owner import cluster_uid
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.restore import (
    DATABASE,
    JOURNAL,
    MEMBER,
    Folders,
    LocalMember,
    RestoreError,
    describe,
    encryption_keys,
    in_use,
    read_journal,
    settings,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import (
    SIGNING_KEY,
    SigningError,
    module_signer,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import (
    CLIENT_OPTIONS,
    CLIENT_REQUIRED_TOGETHER,
    Etcd,
    EtcdError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.images import image_version
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import flags, manifest_image

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
    **CLIENT_OPTIONS,
}
LISTED = 20


class Host:
    """The host where the module runs."""

    def __init__(self, module: AnsibleModule) -> None:
        """Take the options from the module."""
        self.module = module
        self.options: Dict[str, Any] = module.params
        self.now = datetime.now(timezone.utc)
        self.own_signer = module_signer(module)

    def describe(self) -> Dict[str, Any]:
        """All that the module returns."""
        member = self.member() if self.options["member"] else None
        found: Dict[str, Any] = {
            "changed": False,
            "time": self.now.strftime(TIME_IN_NAME),
            "problem": "",
            "journal": {},
        }
        try:
            journal = read_journal(self.options["journal"])
            found["journal"] = journal.as_dict() if journal else {}
        except RestoreError as error:
            found["problem"] = str(error)
        return {
            **found,
            "member": member.as_dict() if member else {},
            "data": self.data(member.data_dir) if member else {},
            "live": self.live(member) if member else {},
            "stopped": self.stopped(),
            "control_plane": self.manifest("kube-apiserver") is not None,
            "authority": self.authority(),
            "encryption_keys": self.encryption_keys(),
            "signer": self.signer(),
            "archives": self.archives(),
            "encrypted": self.encrypted(),
            "archive": self.archive(),
        }

    def manifest(self, name: str) -> Optional[str]:
        """A static pod's manifest, in use or aside."""
        for folder in (self.options["manifests"], self.options["aside"]):
            content = read_bytes(os.path.join(folder, f"{name}.yaml"))
            if content is not None:
                return content.decode("utf-8", "replace")
        return None

    def stopped(self) -> List[str]:
        """Static pods whose manifests are aside."""
        folder = self.options["aside"]
        names = os.listdir(folder) if os.path.isdir(folder) else []
        return sorted(name[: -len(".yaml")] for name in names if name.endswith(".yaml"))

    def authority(self) -> str:
        """The SHA-256 of the cluster's CA certificate."""
        content = read_bytes(os.path.join(self.options["pki"], "ca.crt"))
        return hashlib.sha256(content).hexdigest() if content is not None else ""

    def encryption_keys(self) -> Dict[str, str]:
        """The keys of encryption at rest that the API server has."""
        path = flags(self.manifest("kube-apiserver") or "").get("encryption-provider-config", "")
        return encryption_keys(((read_bytes(path) if path else None) or b"").decode("utf-8", "replace"))

    def member(self) -> LocalMember:
        """The member: of the static pod, else as the options say."""
        text = self.manifest("etcd")
        if text is not None:
            said = flags(text)
            pki = os.path.join(self.options["pki"], "etcd")
            return LocalMember(
                kind="stacked",
                name=said.get("name", self.options["name"]),
                peer_urls=said.get("initial-advertise-peer-urls", "").split(","),
                client_url=said.get("advertise-client-urls", "https://127.0.0.1:2379").split(",")[0],
                data_dir=said.get("data-dir", self.options["data_dir"]),
                wal_dir=said.get("wal-dir", ""),
                version=image_version(manifest_image(text)).partition("-")[0],
                certificates=self.certificates(pki, "ca.crt", "healthcheck-client"),
            )
        said = settings((read_bytes(self.options["environment"]) or b"").decode("utf-8", "replace"))
        server = Etcd(self.module).tool("etcd")
        urls = said.get("INITIAL_ADVERTISE_PEER_URLS", "")
        return LocalMember(
            kind="external",
            name=said.get("NAME") or self.options["name"],
            peer_urls=urls.split(",") if urls else self.options["peer_urls"],
            client_url=self.options["endpoints"][0],
            data_dir=said.get("DATA_DIR") or self.options["data_dir"],
            wal_dir=said.get("WAL_DIR", ""),
            version=str(server.version) if server else "",
            certificates=self.certificates(self.options["external_pki"], "ca.crt", "member"),
        )

    def certificates(self, folder: str, authority_file: str, client: str) -> Dict[str, str]:
        """The files that a client of the member needs, where the options name none."""
        if self.options["cacert"] or self.options["cert"]:
            return {name: self.options[name] for name in ("cacert", "cert", "key") if self.options[name]}
        names = {"cacert": authority_file, "cert": f"{client}.crt", "key": f"{client}.key"}
        files = {option: os.path.join(folder, name) for option, name in names.items()}
        return files if all(os.path.exists(path) for path in files.values()) else {}

    def data(self, folder: str) -> Dict[str, Any]:
        """What is in the data directory."""
        database = os.path.join(folder, DATABASE)
        place = folder
        while not os.path.isdir(place):
            place = os.path.dirname(place)
        return {
            "present": os.path.isdir(os.path.join(folder, MEMBER)),
            "in_use": in_use(folder),
            "size": os.path.getsize(database) if os.path.exists(database) else 0,
            "free": shutil.disk_usage(place).free,
            "leftovers": Folders(folder, "").leftovers(),
        }

    def live(self, member: LocalMember) -> Dict[str, Any]:
        """What the member answers; nothing is waited for where nobody has its data open."""
        silent = {"healthy": False, "revision": 0, "version": "", "cluster_uid": ""}
        if not in_use(member.data_dir):
            return {**silent, "error": "it does not run"}
        self.module.params.update(member.certificates)
        etcd = Etcd(self.module)
        endpoint = self.options["endpoints"][0]
        try:
            [health] = etcd.health([endpoint])
            status = etcd.status(endpoint)
        except EtcdError as error:
            return {**silent, "error": str(error)}
        return {
            "healthy": health.healthy,
            "revision": status.revision,
            "version": status.version,
            "error": health.error,
            "cluster_uid": cluster_uid(self.module, etcd, endpoint),
        }

    def listed(self, sealed: bool) -> List[Listed]:
        """Archives of the cluster's name, newest first."""
        found = [
            item
            for folder in self.options["directories"]
            for item in list_archives(folder, self.options["cluster"])
            if not item.bad and item.sealed is sealed
        ]
        return sorted(found, key=lambda item: (item.time, item.name), reverse=True)

    def signer(self) -> str:
        """The public key of this host's archives."""
        path = self.options["signing_key"]
        try:
            return self.own_signer.public_key(path) if os.path.exists(path) else ""
        except SigningError as error:
            self.module.warn(str(error))
            return ""

    def archives(self) -> List[Dict[str, Any]]:
        """The good archives of the cluster's name; another cluster's shall not crowd out its own."""
        seen: Counter[str] = Counter()
        newest = []
        for item in self.listed(sealed=False):
            seen[item.uid] += 1
            newest += [item] if seen[item.uid] <= LISTED else []
        found = [describe(item.path, self.options["cluster"], self.now, self.own_signer) for item in newest]
        return [item for item in found if not item["fault"]]

    def encrypted(self) -> List[str]:
        """Encrypted archives of the cluster's name."""
        return [item.path for item in self.listed(sealed=True)]

    def archive(self) -> Dict[str, Any]:
        """The archive that is asked for."""
        path = self.options["archive"]
        if not path or not os.path.lexists(path):
            return {}
        return describe(os.path.abspath(path), "", self.now, self.own_signer)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS, required_together=CLIENT_REQUIRED_TOGETHER, supports_check_mode=True
    )
    try:
        result = Host(module).describe()
    except (EtcdError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
