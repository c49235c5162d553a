# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a member's data is before, during and after a restore, and how it is put in place or back.

All of it lies inside the member's data directory, so that it may be a mount point and keeps its security context:
``restore-<id>/member`` is the new data until it is put in place, ``before-restore-<id>/member`` the old data since
then. etcd reads only ``member`` (server/etcdmain/etcd.go, identifyDataDirOrDie) and mentions the others in its log.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from dataclasses import dataclass
from typing import List

from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.restore_journal import (
    STAGED,
    SWITCHED,
    RestoreError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import read_file
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.staging import fsync_path

MEMBER = "member"
STAMP = "groundwork-restore.json"
DATABASE = os.path.join(MEMBER, "snap", "db")


@dataclass(frozen=True)
class RestoreFolders:
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
