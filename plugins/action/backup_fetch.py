# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings a backup to the controller in pieces, from a host or from one of the copies, and decrypts it there."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from dataclasses import fields
from datetime import datetime, timezone
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.age import DESCRIPTION
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_description import describe_archive
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_folder import remove_archive
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_names import (
    SEALED,
    named_archives,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.copies import file_sha256
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.owner import Owner
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.retention import Keep, surplus
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import LIMIT, SIGNATURE, Signer
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import require_own
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.archive_in_copy import (
    NotReadyError,
    Wanted,
    in_copy,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.decryption import (
    decrypt,
    require_key,
    require_private,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.fetched_file import (
    FetchError,
    Source,
    fetch,
    file_on_host,
)

DAMAGED = ("damaged", "truncated", "wrong_size")
RULES = [rule.name for rule in fields(Keep)]
OPTIONS: dict[str, Any] = {
    "path": {"type": "path"},
    "copy": {"type": "str"},
    "copy_config": {"type": "path"},
    "cluster": {"type": "str", "default": ""},
    "cluster_uid": {"type": "str", "default": ""},
    "adopt_unidentified": {"type": "bool", "default": False},
    "sha256": {"type": "str"},
    "directory": {"type": "path", "required": True},
    "identity": {"type": "path"},
    "keep": {"type": "dict", "options": {rule: {"type": "int", "default": 0} for rule in RULES}},
}


class ActionModule(ActionBase):
    """Reads where the task's user may read."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Bring the archive, then remove what the rule does not keep."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, self.options = self.validate_argument_spec(
            OPTIONS, required_one_of=[("path", "copy")], required_together=[("copy", "copy_config")]
        )
        self.host = self._task.delegate_to or (task_vars or {}).get("inventory_hostname", "the host")
        # Of what comes through it the connection, which has a context of its own, would print everything with -vvv.
        for context in (self._play_context, getattr(self._connection, "_play_context", None)):
            if context is not None:
                context.no_log = True
        try:
            result.update(self.bring())
        except FetchError as error:
            result.update(failed=True, changed=False, msg=str(error), faults=error.faults)
        except OSError as error:
            message = f"directory: {error.filename or self.folder}: {error.strerror}"
            result.update(failed=True, changed=False, msg=message, faults=[message])
        return result

    @property
    def folder(self) -> str:
        """Where it is to be."""
        return os.path.abspath(os.path.expanduser(self.options["directory"]))

    def bring(self) -> dict[str, Any]:
        """What the action returns."""
        options = self.options
        source = self.find()
        if source is None:
            return {"changed": True, "dest": "", "source": options["copy"], "removed": []}
        name = os.path.basename(source.name)
        opened = name.endswith(SEALED) and options["identity"] is not None
        if opened:
            require_key(options["identity"], source.name)
        target = os.path.join(self.folder, name)
        dest = target[: -len(SEALED)] if opened else target
        there = bool(options["sha256"]) and os.path.exists(target) and file_sha256(target) == options["sha256"]
        result: dict[str, Any] = {"changed": not there, "dest": dest, "source": source.name}
        # Who may write there could lay out another archive, with which somebody restores.
        require_own(self.folder, None if self._task.check_mode else 0o700)
        if not self._task.check_mode:
            if opened:
                require_private(self.folder)
            if not there:
                self.refuse_foreign(target)
                self.require_room(source, 2 if opened else 1)
                if name.endswith(SEALED) and not opened:
                    fetch(self.call, self.on_host(options["path"] + DESCRIPTION), target + DESCRIPTION)
                self.drop_signature(dest)
            if source.signature:
                self.fetch_signature(source.signature, dest)
            if not there:
                fetch(self.call, source, target, options["sha256"] or "")
            if opened:
                try:
                    decrypt(options["identity"], source.name, target, dest)
                finally:
                    os.unlink(target)
            result["archive"] = self.describe(dest, source.name)
        result["removed"] = self.tidy(dest)
        result["changed"] = bool(result["changed"] or result["removed"])
        return result

    def describe(self, dest: str, source: str) -> dict[str, Any]:
        """What the archive says of itself; one that is damaged does not stay.

        Raises:
            FetchError: if it is.
        """
        signer = Signer(ssh_keygen(), run_here)
        found = describe_archive(dest, "", datetime.now(timezone.utc), signer, quick=False)
        if found["fault"] in DAMAGED:
            remove_archive(dest)
            raise FetchError(f"{found['message'].replace(dest, source)}: it was not kept on the controller")
        return found

    def find(self) -> Source | None:
        """The file; None where check mode cannot know, since rclone is still to come."""
        if self.options["copy"]:
            return self.in_copy()
        path = self.options["path"]
        if self.options["keep"] is not None and not named_archives([path]):
            raise FetchError(f"path: {path} does not have the name of an archive")
        return self.on_host(path)

    def on_host(self, path: str) -> Source:
        """A file of the host, with its signature where it has one."""
        quoted, signature = shlex.quote(path), shlex.quote(path + SIGNATURE)
        command = f"stat -c %s {quoted} && if test -e {signature}; then stat -c %s {signature}; fi"
        rc, out, err = self.call(command)
        if rc:
            raise FetchError(f"{self.host}: {command} failed with exit code {rc}: {err.strip()}")
        size, *signature_size = out.split()
        beside = file_on_host(path + SIGNATURE, int(signature_size[0])) if signature_size else None
        return file_on_host(path, int(size), beside)

    def in_copy(self) -> Source | None:
        """An archive in one of the copies; None where check mode cannot know, since rclone is still to come."""
        options = self.options
        wanted = Wanted(
            options["path"] or "", options["cluster"], options["cluster_uid"], options["adopt_unidentified"]
        )
        environment = self._compute_environment_string()
        try:
            return in_copy(
                self.call, options["copy"], options["copy_config"], wanted, host=self.host, environment=environment
            )
        except NotReadyError:
            if self._task.check_mode:
                return None
            raise

    def refuse_foreign(self, target: str) -> None:
        """Refuse to overwrite what may be another cluster's, where archives are kept."""
        kept = self.options["keep"] is not None and not self.options["adopt_unidentified"]
        if kept and self.options["sha256"] and os.path.exists(target) and not named_archives([target])[0].uid:
            raise FetchError(
                f"directory: {target} is there and is another one. It carries no cluster's identity, so it was not "
                "overwritten: give each cluster a folder of its own"
            )

    def require_room(self, source: Source, times: int) -> None:
        """Refuse what there is no room for."""
        free = shutil.disk_usage(self.folder).free
        if free < times * source.size:
            raise FetchError(f"directory: {self.folder} has {free} bytes free, {times * source.size} are needed")

    def drop_signature(self, dest: str) -> None:
        """Remove that of an earlier archive of the name, which is overwritten."""
        if os.path.lexists(dest + SIGNATURE):
            os.unlink(dest + SIGNATURE)

    def fetch_signature(self, source: Source, dest: str) -> None:
        """Copy that of an archive."""
        if source.size > LIMIT:
            raise FetchError(f"{source.name} has {source.size} bytes, so it is no signature")
        fetch(self.call, source, dest + SIGNATURE)

    def call(self, command: str) -> tuple[int, str, str]:
        """Run a command on the host: its exit code, output and messages."""
        done = self._low_level_execute_command(command)
        return int(done["rc"]), str(done["stdout"]), str(done["stderr"])

    def tidy(self, new: str) -> list[str]:
        """Remove what the rule does not keep of the same cluster; the new archive stays."""
        keep, folder = self.options["keep"], self.folder
        if keep is None or not os.path.isdir(folder):
            return []
        paths = [os.path.join(folder, entry) for entry in os.listdir(folder)]
        [made] = named_archives([new])
        owner = Owner(made.cluster, made.uid, self.options["adopt_unidentified"])
        items = [item for item in named_archives({*paths, new}, made.cluster) if not item.bad and owner.owns(item.uid)]
        rule = Keep(**{rule: keep.get(rule) or 0 for rule in RULES})
        gone = set(surplus([item.time for item in items], rule))
        removed = sorted(item.path for item in items if item.time in gone and item.path != new)
        for path in removed if not self._task.check_mode else []:
            remove_archive(path)
        return removed


def ssh_keygen() -> str | None:
    """The program on the controller."""
    return shutil.which("ssh-keygen")


def run_here(command: list[str], data: bytes) -> tuple[int, str, str]:
    """Run a command on the controller."""
    done = subprocess.run(command, check=False, input=data, capture_output=True, start_new_session=True)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
