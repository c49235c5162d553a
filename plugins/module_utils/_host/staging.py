# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Large files and folders that appear whole or not at all: room for them, drafts, and what an interrupted run left."""

from __future__ import annotations

import os
import shutil
import tempfile
from types import TracebackType
from typing import Iterator, List, Optional, Type

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.install import label
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import resolve

DRAFT_PREFIX = ".groundwork-draft-"
STAGE = ".groundwork-stage"
# What may be in a folder that counts as empty: the rest of an interrupted run, and a file system's own folder.
IGNORED = {STAGE, "lost+found"}


class NoSpaceError(Exception):
    """A file system has too little room."""


def mebibytes(size: int) -> str:
    """A size for people."""
    return f"{size / 1024 / 1024:.1f} MiB"


def require_space(folder: str, needed: int, purpose: str) -> None:
    """Refuse work that a file system has no room for; a folder to be made is judged by its nearest parent.

    Raises:
        NoSpaceError: if fewer bytes are free than needed.
    """
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder.rstrip("/")) or "/"
    state = os.statvfs(folder)
    free = state.f_bavail * state.f_frsize
    if free < needed:
        raise NoSpaceError(
            f"{folder} has {mebibytes(free)} free, but {purpose} needs {mebibytes(needed)}: nothing was changed. "
            "Free some space or choose another file system"
        )


def fsync_path(path: str) -> None:
    """Make a file's or a folder's content survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_empty(folder: str) -> bool:
    """Whether a folder is absent or holds nothing of anybody's."""
    try:
        return set(os.listdir(folder)) <= IGNORED
    except FileNotFoundError:
        return True


class DraftFile:
    """A file written under a hidden name beside its final one; unless published, it is gone at the end."""

    def __init__(self, module: AnsibleModule, final: str) -> None:
        self.module, self.final = module, final
        self.folder = os.path.dirname(final) or "."
        self._drafts = ""
        self.path = ""

    def __enter__(self) -> DraftFile:
        self._drafts = tempfile.mkdtemp(dir=self.folder, prefix=DRAFT_PREFIX)
        self.path = os.path.join(self._drafts, os.path.basename(self.final))
        return self

    def publish(self, mode: int) -> None:
        """Give the file its final name in one step, on disk to stay."""
        os.chmod(self.path, mode)
        label(self.module, self.path, self.final)
        fsync_path(self.path)
        os.replace(self.path, self.final)
        fsync_path(self.folder)

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        shutil.rmtree(self._drafts, ignore_errors=True)


def abandoned_drafts(folder: str, before: float) -> Iterator[str]:
    """Drafts that an interrupted run left behind: nothing in them was written since a point in time."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(DRAFT_PREFIX) and entry.is_dir(follow_symlinks=False):
                paths = [entry.path, *(os.path.join(entry.path, name) for name in os.listdir(entry.path))]
                if max(os.stat(path).st_mtime for path in paths) < before:
                    yield entry.path


class StagedFolder:
    """A folder filled by way of a hidden one inside it, so that it may be a mount point.

    Used as a context manager: at the end what was staged is gone, and so is a folder that was made for it, unless
    commit() was called.
    """

    def __init__(
        self, module: AnsibleModule, target: str, mode: int, uid: int = -1, gid: int = -1, *, final: str = ""
    ) -> None:
        """What to fill.

        Args:
            module: for the SELinux contexts.
            target: the folder; made where it is absent.
            mode: its permissions.
            uid: the owner of the folder and of all in it; -1: who owns the folder now.
            gid: likewise the group.
            final: the folder to which the content will be moved in the end; empty for the target.
        """
        self.module, self.final = module, final or target
        # etcd's data is a user's without rights, which may have put a link there.
        self.target, self.mode, self.uid, self.gid = resolve(target), mode, uid, gid
        self.stage = os.path.join(self.target, STAGE)
        self.content = os.path.join(self.stage, "content")
        self._made: List[str] = []
        self._moved: List[str] = []

    def __enter__(self) -> StagedFolder:
        folder = self.target
        while not os.path.isdir(folder):
            self._made.insert(0, folder)
            folder = os.path.dirname(folder)
        for path in self._made:
            os.mkdir(path, self.mode if path == self.target else 0o755)
            label(self.module, path, path)
        shutil.rmtree(self.stage, ignore_errors=True)
        os.mkdir(self.stage, 0o700)
        return self

    def _publish(self) -> None:
        owner = os.stat(self.target, follow_symlinks=False)
        uid, gid = (owner.st_uid if self.uid < 0 else self.uid), (owner.st_gid if self.gid < 0 else self.gid)
        for folder, _folders, files in os.walk(self.content):
            final = os.path.normpath(os.path.join(self.final, os.path.relpath(folder, self.content)))
            for path in [*(os.path.join(folder, name) for name in files), folder]:
                os.chown(path, uid, gid, follow_symlinks=False)
                label(self.module, path, final if path == folder else os.path.join(final, os.path.basename(path)))
                fsync_path(path)
        handle = os.open(self.target, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            os.fchown(handle, uid, gid)
            os.fchmod(handle, self.mode)
        finally:
            os.close(handle)
        for name in os.listdir(self.content):
            final = os.path.join(self.target, name)
            os.rename(os.path.join(self.content, name), final)
            self._moved.append(final)
        fsync_path(self.target)

    @staticmethod
    def commit(*folders: StagedFolder) -> None:
        """Move what was staged to its place, folder by folder; if one fails, none of them keeps anything."""
        for folder in folders:
            folder._publish()
        for folder in folders:
            folder._made, folder._moved = [], []

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        shutil.rmtree(self.stage, ignore_errors=True)
        for path in self._moved:
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        for path in reversed(self._made):
            os.rmdir(path)
