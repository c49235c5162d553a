# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and folders reached without following what others planted on the way.

A path is walked folder by folder, and what is done in the last one is done by its handle, so that nothing can be
exchanged between a check and its use. A link is followed where only root (and who runs this) may write; anywhere else
it is refused, since who may write there chooses where it leads.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from types import TracebackType
from typing import Any, BinaryIO, Callable, Iterator, List, Optional, Type

LINKS_MAX = 40  # as the kernel's
# A folder on the way need not be readable, as it need not for the kernel. Only Linux has that, and Ansible may run on
# another system.
FOLDER_FLAGS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class UnsafePathError(OSError):
    """A path that others than root can lead elsewhere."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(errno.EPERM, reason, path)

    def __str__(self) -> str:
        return f"{self.filename} {self.strerror}"


def others_may_write(found: os.stat_result) -> bool:
    """Whether anyone but root and who runs this may change what is in a folder."""
    trusted = {0, os.geteuid(), os.stat("/").st_uid}
    if found.st_uid not in trusted or found.st_mode & stat.S_IWOTH:
        return True
    return bool(found.st_mode & stat.S_IWGRP) and found.st_gid not in (0, os.getegid())


# What to do about a file system on which nothing can be written.
ADVICE = {
    errno.EROFS: "its file system is mounted read-only: find out why (dmesg), repair it, and mount it for writing",
    errno.ENOSPC: "its file system is full, or has no inodes left: make room",
    errno.EDQUOT: "its quota is used up: make room, or raise it",
}


@contextlib.contextmanager
def naming(path: str) -> Iterator[None]:
    """Let an error name the file that is meant, and what to do; by a handle there is only a draft's name."""
    try:
        yield
    except UnsafePathError:
        raise
    except OSError as error:
        if error.errno is None or (os.path.isabs(str(error.filename or "")) and error.errno not in ADVICE):
            raise
        text = os.strerror(error.errno)
        advice = ADVICE.get(error.errno)
        raise OSError(error.errno, f"{text}; {advice}" if advice else text, path) from None


def hidden(name: str) -> str:
    """The name of a file's draft."""
    return f".{name}.groundwork"


class Folder:
    """An open folder.

    Attributes:
        path: where it is, without links.
        handle: its descriptor.
        shared: the folder in which others may write: this one, or one on the way to it; empty where there is none.
    """

    def __init__(self, path: str, handle: int, shared: str) -> None:
        self.path, self.handle, self.shared = path, handle, shared

    def __enter__(self) -> Folder:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let it go."""
        os.close(self.handle)

    def entry(self, name: str) -> str:
        """A path to an entry for calls of this process that take no handle; it stays in this very folder."""
        return f"/proc/self/fd/{self.handle}/{name}"

    def find(self, name: str) -> Optional[os.stat_result]:
        """What an entry is, or None."""
        try:
            return os.stat(name, dir_fd=self.handle, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open(self, name: str) -> BinaryIO:
        """A regular file for reading.

        Raises:
            UnsafePathError: for a link, and in a shared folder for a file that has another name elsewhere.
            OSError: if it is none, or is not there.
        """
        path = os.path.join(self.path, name)
        try:
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self.handle)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise UnsafePathError(path, "is a link, which is not followed here") from None
            raise OSError(error.errno, error.strerror, path) from None
        found = os.fstat(handle)
        if stat.S_ISREG(found.st_mode) and not (self.shared and found.st_nlink > 1):
            return os.fdopen(handle, "rb")
        os.close(handle)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if stat.S_ISREG(found.st_mode):
            raise UnsafePathError(path, f"has a second name (hard link), and others may write in {self.shared}")
        raise OSError(errno.EINVAL, "is no regular file", path)

    def write(
        self, name: str, fill: Callable[[BinaryIO], Any], finish: Callable[[str], None] = lambda draft: None
    ) -> None:
        """Write a file beside its place, then put it there in one step; a link that is there is replaced.

        Args:
            name: the file.
            fill: writes the content, and sets mode and owner by the handle.
            finish: gets the draft's path before it takes its place.
        """
        self.draft(name, fill, finish)
        try:
            self.publish(name)
        finally:
            self.discard(name)

    def draft(
        self, name: str, fill: Callable[[BinaryIO], Any], finish: Callable[[str], None] = lambda draft: None
    ) -> None:
        """Write a file beside its place, its owner's alone until fill says otherwise; arguments as of write."""
        draft = hidden(name)
        self.discard(name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with naming(os.path.join(self.path, name)):
                with os.fdopen(os.open(draft, flags, 0o600, dir_fd=self.handle), "wb") as stream:
                    fill(stream)
                    stream.flush()
                    os.fsync(stream.fileno())
                finish(self.entry(draft))
        except BaseException:
            self.discard(name)
            raise

    def publish(self, name: str) -> None:
        """Put a draft in its place in one step."""
        with naming(os.path.join(self.path, name)):
            os.rename(hidden(name), name, src_dir_fd=self.handle, dst_dir_fd=self.handle)

    def discard(self, name: str) -> None:
        """Remove a draft that has not been put in its place."""
        if self.find(hidden(name)):
            with naming(os.path.join(self.path, hidden(name))):
                os.unlink(hidden(name), dir_fd=self.handle)

    def remove(self, name: str) -> None:
        """Remove a file, or a link itself."""
        with naming(os.path.join(self.path, name)):
            os.unlink(name, dir_fd=self.handle)


class _Walk:
    """A way from the root to a folder."""

    def __init__(self, path: str) -> None:
        self.todo = self.parts(os.path.join(os.getcwd(), path))
        self.path, self.handle = "/", os.open("/", FOLDER_FLAGS)
        self.shared, self.links = "", 0

    @staticmethod
    def parts(path: str) -> List[str]:
        """The names of a path, the last one first."""
        return [name for name in reversed(path.split("/")) if name not in ("", ".")]

    def step(self, name: str, make: Optional[int], made: Callable[[str], None]) -> None:
        """Go into one more folder."""
        path = os.path.join(self.path, name)
        found = os.fstat(self.handle)
        others = others_may_write(found)
        # Where the sticky bit is set, others cannot exchange what is root's.
        if others and not found.st_mode & stat.S_ISVTX:
            self.shared = self.shared or self.path
        try:
            entry = os.stat(name, dir_fd=self.handle, follow_symlinks=False)
        except FileNotFoundError:
            if make is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from None
            self._make(name, make, made)
            entry = os.stat(name, dir_fd=self.handle, follow_symlinks=False)
        if not stat.S_ISLNK(entry.st_mode):
            self._enter(name, path)
            return
        if self.shared or others:
            raise UnsafePathError(path, link_refused(self.shared or self.path))
        self.links += 1
        if self.links > LINKS_MAX:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        target = os.readlink(name, dir_fd=self.handle)
        self.todo += self.parts(target)
        if target.startswith("/"):
            self._go(os.open("/", FOLDER_FLAGS), "/")

    def _enter(self, name: str, path: str) -> None:
        try:
            handle = os.open(name, FOLDER_FLAGS, dir_fd=self.handle)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR) and stat.S_ISLNK(self._type(name)):
                raise UnsafePathError(path, link_refused(self.shared or self.path)) from None
            raise OSError(error.errno, error.strerror, path) from None
        self._go(handle, os.path.dirname(self.path) if name == ".." else path)

    def _type(self, name: str) -> int:
        return os.stat(name, dir_fd=self.handle, follow_symlinks=False).st_mode

    def _make(self, name: str, mode: int, made: Callable[[str], None]) -> None:
        try:
            with naming(os.path.join(self.path, name)):
                os.mkdir(name, 0o700, dir_fd=self.handle)
        except FileExistsError:
            return
        handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.handle)
        try:
            os.fchmod(handle, mode)
        finally:
            os.close(handle)
        made(os.path.join(self.path, name))

    def _go(self, handle: int, path: str) -> None:
        os.close(self.handle)
        self.handle, self.path = handle, path


def link_refused(folder: str) -> str:
    """Why a link is not followed."""
    return (
        f"is a link, and others than root may write in {folder}, so it is not followed and nothing was changed: remove "
        "it, or name another place"
    )


def open_folder(path: str, make: Optional[int] = None, made: Callable[[str], None] = lambda path: None) -> Folder:
    """Open a folder.

    Args:
        path: where it is.
        make: the mode of the folders that are made where they are missing; None to make none.
        made: gets the path of each folder that was made, while nothing is in it.

    Raises:
        UnsafePathError: if there is a link on the way that others may have planted.
        OSError: if it is not there, or is no folder.
    """
    walk = _Walk(path)
    try:
        while walk.todo:
            walk.step(walk.todo.pop(), make, made)
        shared = walk.shared or (walk.path if others_may_write(os.fstat(walk.handle)) else "")
    except BaseException:
        os.close(walk.handle)
        raise
    return Folder(walk.path, walk.handle, shared)


def resolve(path: str) -> str:
    """The path of a file without links, those that others may have planted refused; it need not be there.

    Raises:
        UnsafePathError: if a link is refused.
    """
    for _attempt in range(LINKS_MAX):
        folder_path, name = os.path.split(path)
        try:
            folder = open_folder(folder_path)
        except FileNotFoundError:
            return path
        with folder:
            found = folder.find(name)
            path = os.path.join(folder.path, name)
            if found is None or not stat.S_ISLNK(found.st_mode):
                return path
            if folder.shared:
                raise UnsafePathError(path, link_refused(folder.shared))
            path = os.path.join(folder.path, os.readlink(name, dir_fd=folder.handle))
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)


def read_file(path: str) -> Optional[bytes]:
    """A file's content, or None where there is no such file.

    Raises:
        UnsafePathError: if a link is refused.
        OSError: if it cannot be read.
    """
    folder_path, name = os.path.split(resolve(path))
    try:
        with open_folder(folder_path) as folder, folder.open(name) as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def stat_file(path: str) -> os.stat_result:
    """What a regular file is.

    Raises:
        UnsafePathError: if a link is refused.
        OSError: if it is none, or is not there.
    """
    folder_path, name = os.path.split(resolve(path))
    with open_folder(folder_path) as folder, folder.open(name) as stream:
        return os.fstat(stream.fileno())


def remove_file(path: str) -> None:
    """Remove a file; of a link, the link itself.

    Raises:
        UnsafePathError: if a link on the way to its folder is refused.
        OSError: if it is not there, or cannot be removed.
    """
    folder_path, name = os.path.split(path)
    with open_folder(folder_path) as folder:
        folder.remove(name)


def require_own(path: str, make: Optional[int] = None, *, sticky: bool = False) -> None:
    """Refuse a folder in which, or on the way to which, others than root may write.

    Work that takes many steps by its paths can be done safely only where nobody can exchange them.

    Args:
        path: the folder. One that is missing is judged by the parents that are there.
        make: the mode with which it is made where it is missing; one that is there keeps its own.
        sticky: take a folder like /tmp, for work in a new folder inside it.

    Raises:
        UnsafePathError: naming the folder that must be closed.
        OSError: if it is no folder, or cannot be made.
    """
    asked = path
    while True:
        try:
            folder = open_folder(path, make)
            break
        except FileNotFoundError:
            path = os.path.dirname(path.rstrip("/")) or "/"
    with folder:
        # What will be made in such a folder is root's own; whether it was root who made it is judged then.
        takes = sticky or path != asked
        like_tmp = os.fstat(folder.handle).st_mode & stat.S_ISVTX and folder.shared == folder.path
        if folder.shared and not (takes and like_tmp):
            raise UnsafePathError(
                asked,
                f"is no safe place: others than root may write in {folder.shared}. Nothing was changed: give that "
                "folder to root alone (owner root, mode 0755 at most), or name another place",
            )
