# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies a backup from a host to the controller, in pieces."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import shlex
import shutil
from dataclasses import fields
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup import Keep, named_archives, surplus
from ansible_collections.groundwork.kubernetes.plugins.module_utils._copies import file_sha256
from ansible_collections.groundwork.kubernetes.plugins.module_utils._encryption import DESCRIPTION
from ansible_collections.groundwork.kubernetes.plugins.module_utils._shelf import remove_archive

RULES = [rule.name for rule in fields(Keep)]
OPTIONS: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "sha256": {"type": "str", "required": True},
    "directory": {"type": "path", "required": True},
    "keep": {"type": "dict", "options": {rule: {"type": "int", "default": 0} for rule in RULES}},
}
MIB = 1024 * 1024
PIECE = 16  # MiB a round trip


class ActionModule(ActionBase):
    """Reads the file where the task's user may read it."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Copy the archive, then remove what the rule does not keep."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(OPTIONS)
        listed = named_archives([options["path"]])
        if not listed:
            raise AnsibleActionFail(f"path: {options['path']} does not have the name of an archive")
        folder = os.path.abspath(os.path.expanduser(options["directory"]))
        target = os.path.join(folder, listed[0].name)
        there = os.path.exists(target) and file_sha256(target) == options["sha256"]
        result.update(changed=not there, dest=target)
        if not self._task.check_mode:
            try:
                os.makedirs(folder, 0o700, exist_ok=True)
                if not there:
                    if listed[0].sealed:
                        self.fetch(options["path"] + DESCRIPTION, target + DESCRIPTION, "")
                    self.fetch(options["path"], target, options["sha256"])
            except OSError as error:
                raise AnsibleActionFail(f"directory: {error.filename or folder}: {error.strerror}") from error
        result["removed"] = self.tidy(folder, listed[0].cluster, target, options["keep"])
        result["changed"] = bool(result["changed"] or result["removed"])
        return result

    def fetch(self, source: str, target: str, sha256: str) -> None:
        """Copy one file; it gets its name when its hash is right."""
        size = int(self.said(f"stat -c %s {shlex.quote(source)}"))
        free = shutil.disk_usage(os.path.dirname(target)).free
        if free < size:
            raise AnsibleActionFail(f"directory: {os.path.dirname(target)} has {free} bytes free, {source} has {size}")
        draft, digest = target + ".part", hashlib.sha256()
        with open(draft, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as stream:
            for start in range(0, -(-size // MIB), PIECE):
                command = f"dd if={shlex.quote(source)} bs={MIB} skip={start} count={PIECE} status=none | base64"
                try:
                    piece = base64.b64decode(self.said(command))
                except binascii.Error as error:
                    raise AnsibleActionFail(f"what came of {source} is not in base64: {error}") from error
                digest.update(piece)
                stream.write(piece)
            stream.flush()
            os.fsync(stream.fileno())
        if sha256 and digest.hexdigest() != sha256:
            os.unlink(draft)
            raise AnsibleActionFail(
                f"{source} came with SHA-256 {digest.hexdigest()}, not {sha256}: it was not kept on the controller"
            )
        os.replace(draft, target)

    def said(self, command: str) -> str:
        """What a command prints on the host."""
        done = self._low_level_execute_command(command)
        if done["rc"]:
            raise AnsibleActionFail(f"{command} failed with exit code {done['rc']}: {done['stderr'].strip()}")
        return str(done["stdout"])

    def tidy(self, folder: str, cluster: str, new: str, keep: dict[str, int] | None) -> list[str]:
        """Remove what the rule does not keep; the new archive stays."""
        if keep is None or not os.path.isdir(folder):
            return []
        paths = [os.path.join(folder, name) for name in os.listdir(folder)]
        items = [item for item in named_archives({*paths, new}, cluster) if not item.bad]
        rule = Keep(**{name: keep.get(name) or 0 for name in RULES})
        gone = set(surplus([item.time for item in items], rule))
        removed = sorted(item.path for item in items if item.time in gone and item.path != new)
        for path in removed if not self._task.check_mode else []:
            remove_archive(path)
        return removed
