# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of archives: which of them are a cluster's and count, which are to go, and who works there now."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import contextmanager
from typing import Iterator, List, Optional, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.age import (
    DESCRIPTION,
    read_description,
    read_sealed_archive,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive import (
    examine,
    read_archive,
    read_manifest,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_names import (
    Listed,
    list_archives,
    named_archives,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.errors import BackupError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import Manifest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.owner import Owner
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.retention import Keep, surplus
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import (
    SIGNATURE,
    Signature,
    Signer,
)

BESIDE = (DESCRIPTION, SIGNATURE)
"""What the names of files that stand beside an archive end in."""

DRAFTS = ".groundwork-backup-"


class BusyError(Exception):
    """Another run works in the folder."""


def look_into(item: Listed, cluster: str = "", quick: bool = True) -> Manifest:
    """What an archive says of itself; encrypted ones are described by the file beside them.

    Raises:
        BackupError: with the fault that was found.
    """
    if item.sealed:
        return read_sealed_archive(item.path, cluster, quick)
    return (read_manifest if quick else read_archive)(item.path, cluster)


def look_closer(item: Listed, signer: Signer, quick: bool = True) -> Tuple[Manifest, Signature]:
    """The same, with what is known of the archive's signature.

    Raises:
        BackupError: with the fault that was found.
    """
    if item.sealed:
        manifest = read_sealed_archive(item.path, item.cluster, quick)
        return manifest, signer.examine(item.path, manifest, sha256=read_description(item.path).sha256, whole=not quick)
    found = examine(item.path, item.cluster, quick)
    return found.manifest, signer.examine(item.path, found.manifest, found.sha256, whole=not quick)


class ArchiveFolder:
    """The archives of a cluster's name in a folder; those that are not its own are only named.

    Attributes:
        good: its archives that count, newest first, with what they say.
        bad: its archives that failed their proof.
        damaged: what is wrong with archives of its own that do not count.
        newest: what the newest of its own says, good or bad.
        unidentified: archives that carry no identity, and that are not adopted.
        others: archives of other clusters of the same name.
    """

    def __init__(self, directory: str, owner: Owner) -> None:
        """Read the manifests of all archives."""
        self.good: List[Tuple[Listed, Manifest]] = []
        self.bad: List[Listed] = []
        self.damaged: List[str] = []
        self.unidentified: List[str] = []
        self.others: List[str] = []
        self.newest: Optional[Manifest] = None
        for item in list_archives(directory, owner.cluster):
            self._place(item, owner)

    def _place(self, item: Listed, owner: Owner) -> None:
        manifest, fault = None, ""
        try:
            manifest = look_into(item, owner.cluster)
        except BackupError as error:
            fault = str(error)
        uid = (manifest.cluster_uid if manifest else "") or item.uid
        if not owner.owns(uid):
            (self.others if uid else self.unidentified).append(item.path)
            return
        self.newest = self.newest or manifest
        if item.bad:
            self.bad.append(item)
        elif manifest is None:
            self.damaged.append(fault)
        elif manifest.proof.passed:
            self.good.append((item, manifest))
        else:
            self.damaged.append(f"{item.path} failed its proof: {manifest.proof.reason}")

    @property
    def warning(self) -> str:
        """What to do about archives that carry no identity."""
        named = ", ".join(self.unidentified[:3]) + (" and others" if self.unidentified[3:] else "")
        return (
            f"{named} carry no cluster's identity, so they do not count, and stay. If they are this cluster's, set "
            "adopt_unidentified (backup_adopt_unidentified of the role)"
        )

    def surplus(self, keep: Keep, keep_bad: int, new: Optional[Listed]) -> List[str]:
        """The archives that no rule keeps; a new one counts even before it is there, and stays."""
        items = {item.path: item for item, _manifest in self.good}
        if new is not None:
            items[new.path] = new
        gone = set(surplus([item.time for item in items.values()], keep))
        paths = [path for path, item in items.items() if item.time in gone and (new is None or path != new.path)]
        return sorted(paths) + [item.path for item in self.bad[max(keep_bad, 0) :]]


def remove_archive(path: str) -> None:
    """Remove an archive, then what stands beside it."""
    os.unlink(path)
    for suffix in BESIDE:
        if os.path.lexists(path + suffix):
            os.unlink(path + suffix)


def remove_orphans(directory: str, owner: Owner) -> None:
    """Remove what is to stand beside an archive of a cluster that is not there: a run was killed before it came."""
    for suffix in BESIDE:
        names = [name[: -len(suffix)] for name in os.listdir(directory) if name.endswith(suffix)]
        for item in named_archives([os.path.join(directory, name) for name in names], owner.cluster):
            if owner.owns(item.uid) and not os.path.lexists(item.path):
                os.unlink(item.path + suffix)


def try_lock(handle: int) -> bool:
    """Lock an open folder, unless another process has; the lock ends with the process and is never left behind."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def exclusive(directory: str) -> Iterator[None]:
    """One save at a time in a folder."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        if not try_lock(handle):
            raise BusyError(f"another backup is being made in {directory}: nothing was changed")
        yield
    finally:
        os.close(handle)


@contextmanager
def drafts(directory: str) -> Iterator[str]:
    """A folder that only root can enter, and that is gone at the end; those of killed runs are removed first."""
    for name in os.listdir(directory):
        if name.startswith(DRAFTS):
            remove_abandoned(os.path.join(directory, name))
    folder = tempfile.mkdtemp(dir=directory, prefix=DRAFTS)
    handle = os.open(folder, os.O_RDONLY)
    try:
        if not try_lock(handle):  # another run took it for abandoned, since it was not locked yet
            raise BusyError(f"another run works in {directory} at the same time: run it again")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def remove_abandoned(path: str) -> None:
    """Remove a folder for drafts, or a lone draft of a file, unless a run still works in it."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        if try_lock(handle):
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(handle)
