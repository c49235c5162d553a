# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder that is filled out of sight and then appears filled, or not at all."""

from __future__ import annotations

import os
import shutil
from types import TracebackType
from typing import List, Optional, Type

STAGE = ".groundwork-restore"
# What may be in a folder that counts as empty: the rest of an interrupted run, and a file system's own folder.
IGNORED = {STAGE, "lost+found"}


def is_empty(folder: str) -> bool:
    """Whether a folder is absent or holds nothing of anybody's."""
    try:
        return set(os.listdir(folder)) <= IGNORED
    except FileNotFoundError:
        return True


class StagedFolder:
    """Fills a folder by way of a hidden one inside it, so that the target may be a mount point.

    Used as a context manager: what was staged is gone at the end, and so is a target that was made for it, unless
    commit() was called.
    """

    def __init__(self, target: str, mode: int = 0o700, uid: int = -1, gid: int = -1) -> None:
        """What to fill.

        Args:
            target: the folder; made where it is absent.
            mode: its permissions.
            uid: the owner of the folder and of all in it; -1: of an existing folder, its owner.
            gid: likewise the group.
        """
        self.target, self.mode, self.uid, self.gid = target, mode, uid, gid
        self.stage = os.path.join(target, STAGE)
        self.content = os.path.join(self.stage, "content")
        self._made: List[str] = []
        self._moved: List[str] = []
        self._kept = False

    def __enter__(self) -> StagedFolder:
        folder = self.target
        while not os.path.isdir(folder):
            self._made.insert(0, folder)
            folder = os.path.dirname(folder)
        for path in self._made:
            os.mkdir(path, self.mode if path == self.target else 0o755)
        shutil.rmtree(self.stage, ignore_errors=True)
        os.mkdir(self.stage, 0o700)
        return self

    def commit(self) -> None:
        """Move what was staged to its place, on disk to stay; the last entry by name is the last to appear."""
        owner = os.stat(self.target)
        uid, gid = (owner.st_uid if self.uid < 0 else self.uid), (owner.st_gid if self.gid < 0 else self.gid)
        for folder, _folders, files in os.walk(self.content):
            for path in [*(os.path.join(folder, name) for name in files), folder]:
                os.chown(path, uid, gid, follow_symlinks=False)
                _fsync(path)
        for name in sorted(os.listdir(self.content)):
            final = os.path.join(self.target, name)
            os.rename(os.path.join(self.content, name), final)
            self._moved.append(final)
        os.chown(self.target, uid, gid)
        os.chmod(self.target, self.mode)
        _fsync(self.target)

    def keep(self) -> None:
        """Declare the folder done: from here on nothing is taken back."""
        self._kept = True

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        shutil.rmtree(self.stage, ignore_errors=True)
        if self._kept:
            return
        for path in self._moved:
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        for path in reversed(self._made):
            os.rmdir(path)


def _fsync(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
