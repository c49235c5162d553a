# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file put in place with its mode and owner in one step: never seen half written, never seen with a wider mode."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Optional, Type

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import Folder, open_folder, stat_file


@dataclass(frozen=True)
class Attributes:
    """A file's permissions and owner; an owner or group of None is left as it is (root for a new file)."""

    mode: int
    uid: Optional[int] = None
    gid: Optional[int] = None

    @property
    def private(self) -> bool:
        """Whether nobody but the owner may do anything with it."""
        return not self.mode & 0o077

    def differ(self, path: str) -> bool:
        """Whether an existing file has others."""
        return self.differ_from(stat_file(path))

    def differ_from(self, found: os.stat_result) -> bool:
        """Whether a file or folder has others."""
        return (
            stat.S_IMODE(found.st_mode) != self.mode
            or self.uid not in (None, found.st_uid)
            or self.gid not in (None, found.st_gid)
        )

    def apply(self, path: str) -> None:
        """Set them for a file that is there; a link is not followed."""
        folder_path, name = os.path.split(path)
        with open_folder(folder_path) as folder, folder.open(name) as stream:
            self.give(stream.fileno())

    def give(self, handle: int) -> None:
        """Set them for an open file or folder; at no moment it allows more than before and after."""
        os.fchmod(handle, stat.S_IMODE(os.fstat(handle).st_mode) & self.mode)
        os.fchown(handle, -1 if self.uid is None else self.uid, -1 if self.gid is None else self.gid)
        os.fchmod(handle, self.mode)


def parse_attributes(mode: str, owner: Optional[str] = None, group: Optional[str] = None) -> Attributes:
    """Read a module's options.

    Args:
        mode: octal digits.
        owner: a user's name or number.
        group: a group's name or number.

    Raises:
        ValueError: where the mode is no octal number, or the host has no such user or group.
    """
    try:
        bits = int(str(mode), 8)
    except ValueError:
        raise ValueError(f"mode {mode!r} is no octal number: write it as a string, like '0644'") from None
    if not 0 <= bits <= 0o7777:
        raise ValueError(f"mode {mode!r} is no file mode: write it as a string, like '0644'")
    return Attributes(bits, _user_id(owner), _group_id(group))


def _user_id(owner: Optional[str]) -> Optional[int]:
    if owner is None or owner.isdigit():
        return None if owner is None else int(owner)
    try:
        return pwd.getpwnam(owner).pw_uid
    except KeyError:
        raise ValueError(f"the host has no user {owner!r}") from None


def _group_id(group: Optional[str]) -> Optional[int]:
    if group is None or group.isdigit():
        return None if group is None else int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ValueError(f"the host has no group {group!r}") from None


def label(module: AnsibleModule, draft: str, final: str) -> None:
    """Give a draft the SELinux context of its final place, so that it is never seen there with another one."""
    module.set_context_if_different(draft, module.selinux_default_context(final), False)


def make_folder(path: str, module: Optional[AnsibleModule] = None) -> None:
    """Create a folder and its parents with mode 0755, whatever the umask is; those that are there stay as they are.

    Args:
        path: the folder.
        module: for the SELinux context, before anything is in it; without one the parent's is inherited.
    """
    open_parent(path, module).close()


def open_parent(path: str, module: Optional[AnsibleModule] = None) -> Folder:
    """A folder, made with its parents where it is missing; arguments as of make_folder."""
    return open_folder(path, 0o755, lambda made: label(module, made, made) if module else None)


def install_folder(module: AnsibleModule, path: str, attributes: Attributes) -> None:
    """Make a folder where it is missing, and give it a mode and owner before anything is in it.

    Args:
        module: for the SELinux context.
        path: the folder. Missing parents get mode 0755.
        attributes: what it is to have.
    """
    with open_parent(path, module) as folder:
        handle = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder.handle)
        try:
            attributes.give(handle)
        finally:
            os.close(handle)


class Draft:
    """A file under a hidden name beside its target, whole and with its attributes, that has yet to take its place.

    Used as a context manager: at the end it is gone, unless it was published.
    """

    def __init__(self, module: AnsibleModule, source: BinaryIO, path: str, attributes: Attributes) -> None:
        """Say what to write.

        Args:
            module: for the SELinux context.
            source: what the file will hold.
            path: the target; its folder is created. A link there is replaced.
            attributes: what the file has from the moment that it is there.
        """
        self.module, self.source, self.path, self.attributes = module, source, path, attributes

    def __enter__(self) -> Draft:
        folder_path, self.name = os.path.split(self.path)
        self.folder = open_parent(folder_path, self.module)
        try:
            self.folder.draft(self.name, self._fill, lambda draft: label(self.module, draft, self.path))
        except BaseException:
            self.folder.close()
            raise
        return self

    def _fill(self, stream: BinaryIO) -> None:
        shutil.copyfileobj(self.source, stream, 1024 * 1024)
        self.attributes.give(stream.fileno())

    def publish(self) -> None:
        """Let it take its place in one step."""
        self.folder.publish(self.name)

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.folder.discard(self.name)
        self.folder.close()


def install_stream(module: AnsibleModule, source: BinaryIO, path: str, attributes: Attributes) -> None:
    """Write a stream to a file beside the target, then rename it over the target.

    A running program can be replaced this way: it keeps the old file until it ends.

    Args:
        module: for the SELinux context.
        source: what the file will hold.
        path: the target; its folder is created. A link there is replaced.
        attributes: what the file has from the moment that it is there.
    """
    with Draft(module, source, path, attributes) as draft:
        draft.publish()
