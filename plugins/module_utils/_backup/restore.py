# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A member's data replaced by that of a backup: what is where, how far it has come, and how it goes on or back.

All of it lies inside the member's data directory, so that it may be a mount point and keeps its security context:
``restore-<id>/member`` is the new data until it is put in place, ``before-restore-<id>/member`` the old data since
then. etcd reads only ``member`` (server/etcdmain/etcd.go, identifyDataDirOrDie) and mentions the others in its log.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import tempfile
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive import (
    FILES,
    SEALED,
    BackupError,
    Manifest,
    examine,
    extract_part,
    parse_time,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.restored_files import SMALL
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import Signer
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import read_file
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.staging import fsync_path

JOURNAL = "/var/lib/groundwork/restore.json"
STAGED, SWITCHED, PROVEN, FINISHED, ROLLED_BACK = "staged", "switched", "proven", "finished", "rolled_back"
STAGING = "staging"
"""The stages of a restore, in this order; the last two end it."""

MEMBER = "member"
STAMP = "groundwork-restore.json"
DATABASE = os.path.join(MEMBER, "snap", "db")
IDENTITY_LENGTH = 16
ENCRYPTED = "encrypted"
ENCRYPTION = FILES + "/etc/kubernetes/encryption"
FEW = 100  # more than there are files with keys of encryption at rest
KEY = re.compile(r"""(?:name["']?\s*:\s*["']?([^"'\s,]+)["']?\s*,?\s*["']?)?secret["']?\s*:\s*["']?([A-Za-z0-9+/=]+)""")
OLDEST, NEWEST = (3, 4), (3, 7)
Minor = Tuple[int, int]


class RestoreError(Exception):
    """Why a restore cannot be done, or not go on; fault is a word for programs, the message for people."""

    def __init__(self, fault: str, message: str) -> None:
        self.fault = fault
        super().__init__(message)


@dataclass(frozen=True)
class Journal:
    """How far a host has come.

    Attributes:
        id: the restore's name, the same on all members.
        cluster: the cluster's name.
        identity: of the archive that is restored.
        path: where that archive was on this host.
        created: when it was made.
        stage: what was done last.
        data_dir: the member's data directory.
        had_data: whether there was data before.
        revision: the cluster's revision right after the restore.
        keys: how many keys there must be; None where that is not known.
    """

    id: str
    cluster: str
    identity: str
    path: str
    created: str
    stage: str
    data_dir: str
    had_data: bool = True
    revision: int = 0
    keys: Optional[int] = None

    def as_dict(self) -> Dict[str, Any]:
        """The form in which it is written, and returned by modules."""
        return asdict(self)


def read_journal(path: str) -> Optional[Journal]:
    """What an earlier run wrote, or None.

    Raises:
        RestoreError: if it cannot be read.
    """
    try:
        with open(path, encoding="utf-8") as stream:
            data = json.load(stream)
        return Journal(**{item.name: data[item.name] for item in fields(Journal)})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RestoreError(
            "journal",
            f"{path} cannot be read ({error!r}), so it is not known how far a restore has come: look at the folders "
            "beside the member's data, then remove the file or put it right",
        ) from error


def write_journal(path: str, journal: Journal) -> None:
    """Write it in one step, on disk to stay."""
    folder = os.path.dirname(path)
    os.makedirs(folder, 0o755, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=folder, prefix=".restore-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(journal.as_dict(), stream, indent=2, sort_keys=True)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
    fsync_path(folder)


def identity(manifest: Manifest) -> str:
    """What tells an archive from all others: its manifest has the SHA-256 of each of its parts."""
    known = manifest.as_dict()
    if not manifest.cluster_uid:  # as releases before it was known have named the archive
        del known["cluster_uid"]
    text = json.dumps(known, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:IDENTITY_LENGTH]


def authority(manifest: Manifest, path: str = "/etc/kubernetes/pki/ca.crt") -> str:
    """The SHA-256 of the cluster's CA certificate in an archive; empty where it is not in it."""
    return next((part.sha256 for part in manifest.parts if part.name == FILES + path), "")


def encryption_keys(text: str) -> Dict[str, str]:
    """The keys in a configuration of encryption at rest: their names by the beginnings of their SHA-256."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    found = KEY.findall("\n".join(lines))
    return {hashlib.sha256(key.encode()).hexdigest()[:IDENTITY_LENGTH]: name or "without a name" for name, key in found}


def stored_keys(path: str, manifest: Manifest) -> Dict[str, str]:
    """The keys of encryption at rest in an archive."""
    found: Dict[str, str] = {}
    parts = [part for part in manifest.parts if part.name.startswith(ENCRYPTION) and part.size <= SMALL]
    for part in parts[:FEW]:
        content = io.BytesIO()
        extract_part(path, part, content)
        found.update(encryption_keys(content.getvalue().decode("utf-8", "replace")))
    return found


def describe(path: str, cluster: str, now: datetime, signer: Signer) -> Dict[str, Any]:
    """What an archive says of itself, and who signed it, in the form of restore_info; its bytes are not proven."""
    if path.endswith(SEALED):
        message = f"{path} is encrypted. Name the file with its private key (restore_identity)"
        return {"path": path, "fault": ENCRYPTED, "message": message}
    try:
        examined = examine(path, cluster, quick=True)
        manifest = examined.manifest
        keys = stored_keys(path, manifest)
    except (BackupError, OSError) as error:
        return {"path": path, "fault": getattr(error, "fault", "missing"), "message": str(error)}
    passed = manifest.proof.passed
    return {
        "path": path,
        "fault": "" if passed else "proof",
        "message": "" if passed else f"{path} {manifest.proof.reason or 'failed its proof'}",
        "identity": identity(manifest),
        "cluster": manifest.cluster,
        "cluster_uid": manifest.cluster_uid,
        "created": manifest.created,
        "age": int((now - parse_time(manifest.created)).total_seconds()),
        "size": os.path.getsize(path),
        "signature": signer.examine(path, manifest, examined.sha256).as_dict(),
        "host": manifest.host,
        "authority": authority(manifest),
        "encryption_keys": keys,
        "kubernetes_version": manifest.kubernetes_version,
        "etcd": {"version": manifest.etcd.version, "revision": manifest.etcd.revision, "keys": manifest.etcd.keys},
    }


def minor(version: str) -> Optional[Minor]:
    """Major and minor of a version of etcd, such as 3.5.16 or 3.5.16-0; None where it is none."""
    found = re.match(r"v?(\d+)\.(\d+)(\.|$)", version)
    return (int(found.group(1)), int(found.group(2))) if found else None


def version_fault(archive: str, member: str, tool: str) -> str:
    """Why data of one version of etcd cannot become data of another, or nothing.

    etcd reads data of its own minor version and of the one before
    (https://etcd.io/docs/v3.6/upgrades/upgrading-etcd/).

    Args:
        archive: the version of the member that gave the snapshot.
        member: the version that is going to run on the data; empty where it is not known.
        tool: the version of the tool that makes the data.
    """
    made, runs, reads = minor(archive), minor(member or tool), minor(tool)
    if made is None or runs is None or reads is None:
        return f"the versions of etcd cannot be compared: archive {archive!r}, member {member!r}, tool {tool!r}"
    if not OLDEST <= made <= NEWEST:
        return f"it was made with etcd {archive}, but 3.4 to 3.7 can be restored"
    if made > runs:
        return f"it was made with etcd {archive}, which the older etcd {member or tool} of this host cannot read"
    if made[0] != runs[0] or runs[1] - made[1] > 1:
        return (
            f"it was made with etcd {archive}, but etcd {member or tool} of this host reads only data of its own minor "
            "version and of the one before: restore it with an etcd in between, and upgrade that"
        )
    if reads not in (made, runs):
        return f"it was made with etcd {archive} and etcd {member} is to run, but the tool on this host is of {tool}"
    return ""


@dataclass(frozen=True)
class Folders:
    """Where a member's data is, before, during and after a restore."""

    data_dir: str
    id: str

    @property
    def member(self) -> str:
        """What etcd reads."""
        return os.path.join(self.data_dir, MEMBER)

    @property
    def new(self) -> str:
        """The folder for the new data until it is in place."""
        return os.path.join(self.data_dir, f"restore-{self.id}")

    @property
    def old(self) -> str:
        """The folder for the old data since then."""
        return os.path.join(self.data_dir, f"before-restore-{self.id}")

    def is_restored(self, folder: str) -> bool:
        """Whether data is that of this restore."""
        try:
            return bool(json.loads(read_file(os.path.join(folder, STAMP)) or b"")["id"] == self.id)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    @property
    def state(self) -> str:
        """Whether the new data is in place (switched), ready (staged), or neither (empty)."""
        if self.is_restored(self.member):
            return SWITCHED
        return STAGED if self.is_restored(os.path.join(self.new, MEMBER)) else ""

    def write_stamp(self, folder: str, archive: str) -> None:
        """Leave word in the data of the restore it is of."""
        handle = os.open(os.path.join(folder, STAMP), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(handle, "w", encoding="utf-8") as stream:
            json.dump({"id": self.id, "archive": archive}, stream, indent=2, sort_keys=True)

    def switch(self) -> None:
        """Put the new data in place, and keep the old beside; can be interrupted and called again.

        Raises:
            RestoreError: if there is data whose origin is not known.
        """
        if self.state == SWITCHED:
            self._drop(self.new)
            return
        kept = os.path.join(self.old, MEMBER)
        if os.path.isdir(self.member) and os.path.isdir(kept):
            raise RestoreError(
                "stray",
                f"{self.member} was made after the old data was moved to {kept}: etcd was started in between. Nothing "
                f"was changed: move {self.member} away, and run this again",
            )
        if os.path.isdir(self.member):
            self._make(self.old)
            os.rename(self.member, kept)
        os.rename(os.path.join(self.new, MEMBER), self.member)
        self._settle(self.old, self.new)
        self._drop(self.new)

    def back(self) -> None:
        """Put the old data back in place, and remove the new; can be interrupted and called again."""
        kept = os.path.join(self.old, MEMBER)
        if self.is_restored(self.member):
            shutil.rmtree(os.path.join(self.new, MEMBER), ignore_errors=True)
            self._make(self.new)
            os.rename(self.member, os.path.join(self.new, MEMBER))
        if os.path.isdir(kept) and not os.path.lexists(self.member):
            os.rename(kept, self.member)
        self._settle(self.old, self.new)
        self._drop(self.old, only_empty=True)
        self._drop(self.new)

    def leftovers(self) -> List[str]:
        """Folders of this and other restores that are still there."""
        try:
            names = os.listdir(self.data_dir)
        except OSError:
            return []
        pattern = re.compile(r"(before-)?restore-\d{8}T\d{6}Z")
        return sorted(os.path.join(self.data_dir, name) for name in names if pattern.fullmatch(name))

    def _make(self, folder: str) -> None:
        if not os.path.isdir(folder):
            os.mkdir(folder, 0o700)
            owner = os.stat(self.data_dir)
            os.chown(folder, owner.st_uid, owner.st_gid, follow_symlinks=False)

    def _drop(self, folder: str, only_empty: bool = False) -> None:
        if only_empty:
            if os.path.isdir(folder) and not os.listdir(folder):
                os.rmdir(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)

    def _settle(self, *others: str) -> None:
        for folder in (*others, self.data_dir):
            if os.path.isdir(folder):
                fsync_path(folder)


def in_use(data_dir: str) -> bool:
    """Whether an etcd has the member's database open, in whatever container: it holds a lock on it (bbolt)."""
    try:
        handle = os.open(os.path.join(data_dir, DATABASE), os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


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


def settings(environment: str) -> Dict[str, str]:
    """The ETCD_ variables of a file that systemd reads, without that prefix."""
    found = re.findall(r"^\s*ETCD_([A-Z_]+)=(.*)$", environment, re.MULTILINE)
    return {name: value.strip().strip("'\"") for name, value in found}
