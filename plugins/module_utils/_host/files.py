# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole-file changes: planned first, shown as a diff, written atomically."""

from __future__ import annotations

import io
import os
import stat
from dataclasses import dataclass
from typing import Any, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.install import Attributes, install_stream
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import read_file, remove_file, resolve


@dataclass(frozen=True)
class FileChange:
    """A file's bytes as they are (None: no such file) and as they should be (None: removed)."""

    path: str
    before: Optional[bytes]
    after: Optional[bytes]

    @property
    def changed(self) -> bool:
        """Whether there is anything to write or remove."""
        return self.before != self.after

    def diff(self) -> Dict[str, str]:
        """The change in the form Ansible's diff mode shows."""
        return {
            "before_header": self.path,
            "after_header": self.path,
            "before": (self.before or b"").decode("utf-8", "replace"),
            "after": (self.after or b"").decode("utf-8", "replace"),
        }


def read_bytes(path: str) -> Optional[bytes]:
    """A file's content, or None where there is no such file; a link that others may have planted is refused."""
    return read_file(path)


def plan_file(path: str, after: Optional[bytes]) -> FileChange:
    """The change that gives a file this content (None: removes it)."""
    return FileChange(path, read_bytes(path), after)


def diffs(changes: List[FileChange]) -> List[Dict[str, Any]]:
    """The diffs of the files that differ."""
    return [dict(change.diff()) for change in changes if change.changed]


def apply_file(module: AnsibleModule, change: FileChange, mode: int = 0o644) -> None:
    """Write or remove a file in one step, keeping an existing file's mode and owner.

    Args:
        module: for the SELinux context.
        change: what to do; nothing is done where it changes nothing.
        mode: permissions of a file that did not exist.
    """
    if not change.changed:
        return
    if change.after is None:
        remove_file(change.path)
        return
    # A link is followed, so that what it points to is replaced and the link stays.
    path = resolve(change.path)
    attributes = Attributes(mode)
    if change.before is not None:
        found = os.stat(path)
        attributes = Attributes(stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)
    install_stream(module, io.BytesIO(change.after), path, attributes)
