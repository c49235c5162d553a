# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host has that decides whether and how a backup can be restored on it."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_description import (
    describe_archive,
    encryption_keys,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_names import (
    TIME_IN_NAME,
    Listed,
    list_archives,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.owner import cluster_uid
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.restore_folders import (
    DATABASE,
    MEMBER,
    RestoreFolders,
    in_use,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.restore_journal import (
    RestoreError,
    read_journal,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import SigningError, module_signer
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import Etcd
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.module import EtcdModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.on_host import read_bootstrap
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.tools import EtcdError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.images import image_version
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import flags, manifest_image

LISTED = 20  # archives of each identity
PREFIX = "ETCD_"


@dataclass(frozen=True)
class LocalMember:
    """The member of a host, as its static pod's manifest or the inventory tells."""

    kind: str
    name: str
    peer_urls: List[str]
    client_url: str
    data_dir: str
    wal_dir: str = ""
    version: str = ""
    certificates: Dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> Dict[str, Any]:
        """The form in which modules return it."""
        return asdict(self)


class RestoreHost(EtcdModule):
    """The host where the module runs."""

    errors = (EtcdError, OSError, ValueError)

    def __init__(self, module: AnsibleModule) -> None:
        """Take the options from the module."""
        super().__init__(module)
        self.now = datetime.now(timezone.utc)
        self.own_signer = module_signer(module)

    def run(self) -> None:
        """Read all that the module returns."""
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
        self.result = {
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
            given = flags(text)
            pki = os.path.join(self.options["pki"], "etcd")
            return LocalMember(
                kind="stacked",
                name=given.get("name", self.options["name"]),
                peer_urls=given.get("initial-advertise-peer-urls", "").split(","),
                client_url=given.get("advertise-client-urls", "https://127.0.0.1:2379").split(",")[0],
                data_dir=given.get("data-dir", self.options["data_dir"]),
                wal_dir=given.get("wal-dir", ""),
                version=image_version(manifest_image(text)).partition("-")[0],
                certificates=self.certificates(pki, "ca.crt", "healthcheck-client"),
            )
        given = {
            name[len(PREFIX) :]: value
            for name, value in read_bootstrap(self.options["environment"]).items()
            if name.startswith(PREFIX)
        }
        server = Etcd(self.module).tool("etcd")
        urls = given.get("INITIAL_ADVERTISE_PEER_URLS", "")
        return LocalMember(
            kind="external",
            name=given.get("NAME") or self.options["name"],
            peer_urls=urls.split(",") if urls else self.options["peer_urls"],
            client_url=self.options["endpoints"][0],
            data_dir=given.get("DATA_DIR") or self.options["data_dir"],
            wal_dir=given.get("WAL_DIR", ""),
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
            "leftovers": RestoreFolders(folder, "").leftovers(),
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
        found = [
            describe_archive(item.path, self.options["cluster"], self.now, self.own_signer, quick=True)
            for item in newest
        ]
        return [item for item in found if not item["fault"]]

    def encrypted(self) -> List[str]:
        """Encrypted archives of the cluster's name."""
        return [item.path for item in self.listed(sealed=True)]

    def archive(self) -> Dict[str, Any]:
        """The archive that is asked for, read in full."""
        path = self.options["archive"]
        if not path or not os.path.lexists(path):
            return {}
        return describe_archive(os.path.abspath(path), "", self.now, self.own_signer, quick=False)
