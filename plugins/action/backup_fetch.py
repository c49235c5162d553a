# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings a backup to the controller in pieces, from a host or from one of the copies, and decrypts it there."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import shlex
import shutil
import stat
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.age import DESCRIPTION
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_description import describe_archive
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_folder import remove_archive
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_names import (
    SEALED,
    Listed,
    named_archives,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.copies import (
    FLAGS,
    NO_FOLDER,
    file_sha256,
    inside,
    last_words,
    parse_listing,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.owner import Owner
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.retention import Keep, surplus
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import LIMIT, SIGNATURE, Signer
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import require_own

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
MIB = 1024 * 1024
PIECE = 16  # MiB a round trip
PIECE_OF_COPY = 64  # likewise; each takes rclone a connection of its own
NO_RCLONE, NO_CONFIG = 90, 91
# As of module_utils/_backup/copies.py: only the configuration file counts.
RCLONE = r"""PATH="$PATH:/usr/local/bin"; unset $(env | grep -oE '^(RCLONE|AWS)_[A-Za-z0-9_]+') _; """


class FetchError(Exception):
    """Why the archive cannot be brought: all that is known to be wrong."""

    def __init__(self, *faults: str) -> None:
        self.faults = list(faults)
        super().__init__("; ".join(faults))


@dataclass(frozen=True)
class Source:
    """A file that is to come.

    Attributes:
        name: what it is called in messages.
        size: its bytes.
        piece: MiB that are read at once.
        command: the command that prints so many of these MiB from there on.
        signature: the file with the signature beside it, if there is one.
    """

    name: str
    size: int
    piece: int
    command: Callable[[int, int], str]
    signature: Source | None = None


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
            self.require_key(source.name)
        target = os.path.join(self.folder, name)
        dest = target[: -len(SEALED)] if opened else target
        there = bool(options["sha256"]) and os.path.exists(target) and file_sha256(target) == options["sha256"]
        result: dict[str, Any] = {"changed": not there, "dest": dest, "source": source.name}
        # Who may write there could lay out another archive, with which somebody restores.
        require_own(self.folder, None if self._task.check_mode else 0o700)
        if not self._task.check_mode:
            if opened:
                self.require_private()
            if not there:
                self.require_own(target)
                self.require_room(source, 2 if opened else 1)
                if name.endswith(SEALED) and not opened:
                    self.fetch(self.on_host(options["path"] + DESCRIPTION), target + DESCRIPTION)
                self.drop_signature(dest)
            if source.signature:
                self.fetch_signature(source.signature, dest)
            if not there:
                self.fetch(source, target, options["sha256"] or "")
            if opened:
                try:
                    self.decrypt(source.name, target, dest)
                finally:
                    os.unlink(target)
            result["archive"] = describe_archive(dest, "", datetime.now(timezone.utc), Signer(ssh_keygen(), run_here))
        result["removed"] = self.tidy(dest)
        result["changed"] = bool(result["changed"] or result["removed"])
        return result

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

        def source(path: str, size: str, beside: Source | None = None) -> Source:
            def piece(start: int, count: int) -> str:
                return f"dd if={shlex.quote(path)} bs={MIB} skip={start} count={count} status=none | base64"

            return Source(path, int(size), PIECE, piece, beside)

        size, *signature_size = out.split()
        return source(path, size, source(path + SIGNATURE, signature_size[0]) if signature_size else None)

    def in_copy(self) -> Source | None:
        """An archive in one of the copies: the one that is named, encrypted or not, else the newest."""
        target, config = self.options["copy"], shlex.quote(self.options["copy_config"])
        environment = self._compute_environment_string()
        prefix = (f"export {environment}; " if environment else "") + RCLONE
        flags = " ".join([f"--config={config}", *FLAGS])
        rc, out, err = self.call(
            f"{prefix}command -v rclone >/dev/null || exit {NO_RCLONE}; test -r {config} || exit {NO_CONFIG}; "
            f"rclone lsjson --files-only {flags} {shlex.quote(target)}"
        )
        if rc in (NO_RCLONE, NO_CONFIG):
            if self._task.check_mode:
                return None
            lacks = "rclone is not installed" if rc == NO_RCLONE else f"there is no {self.options['copy_config']}"
            raise FetchError(
                f"copy: {lacks} on {self.host}, which is to read {target}. The role backup brings it, but not in "
                "check mode"
            )
        if rc not in (0, NO_FOLDER):
            raise FetchError(f"copy: {target} cannot be listed: rclone says {last_words(err)}")
        sizes = {item.name: item.size for item in parse_listing(out if rc == 0 else "", time.time())}
        name = self.choose(target, list(sizes))

        def source(name: str, beside: Source | None = None) -> Source:
            place = inside(target, name)

            def piece(start: int, count: int) -> str:
                section = f"--offset={start * MIB} --count={count * MIB}"
                return f"{prefix}rclone cat {section} {flags} {shlex.quote(place)} | base64"

            return Source(place, sizes[name], PIECE_OF_COPY, piece, beside)

        return source(name, source(name + SIGNATURE) if name + SIGNATURE in sizes else None)

    def choose(self, target: str, names: list[str]) -> str:
        """Which of the archives is meant."""
        if not self.options["path"]:
            return self.newest(target, names)
        wanted = os.path.basename(self.options["path"])
        found = [name for name in (wanted, wanted + SEALED) if name in names]
        if found:
            return found[0]
        raise FetchError(
            f"copy: {target} has no {wanted}. It has {some(named_archives(names)) or 'no archives at all'}"
        )

    def newest(self, target: str, names: list[str]) -> str:
        """The newest archive of the cluster; where its identity is not known, there must be no other of its name."""
        cluster, uid = self.options["cluster"], self.options["cluster_uid"]
        named = [item for item in named_archives(names, cluster) if not item.bad]
        identities = sorted({item.uid for item in named} - {""})
        if not uid and len(identities) > 1:
            newest = some([next(item for item in named if item.uid == one) for one in identities])
            raise FetchError(
                f"copy: {target} has archives of several clusters with the name {cluster}, {newest}: name the one that "
                "is meant, by the beginning of the UID of its namespace kube-system as in the names (cluster_uid)"
            )
        owner = Owner(cluster, uid or "".join(identities), self.options["adopt_unidentified"])
        found = [item.name for item in named if owner.owns(item.uid)]
        if found:
            return found[0]
        whose = f"archive of the cluster {cluster}{f' with the identity {uid}' if uid else ''}"
        there = f"It has {some(named_archives(names)) or 'no archives at all'}"
        if any(not item.uid for item in named):
            there += ". One that carries no cluster's identity must be named, or adopted"
        raise FetchError(f"copy: {target} has no {whose}. {there}")

    def require_key(self, archive: str) -> None:
        """Refuse to fetch what cannot be decrypted here."""
        path = self.options["identity"]
        faults = []
        if not path:
            faults.append(
                f"identity: it is not set, and {archive} is encrypted: name the file with age's private key, on the "
                "machine that runs Ansible"
            )
        else:
            try:
                found = os.stat(path)
                if not stat.S_ISREG(found.st_mode):
                    faults.append(f"identity: {path} is not a file")
                elif found.st_mode & 0o077:
                    faults.append(f"identity: {path} can be read by others than its owner: set its mode to 0600")
                elif not os.access(path, os.R_OK):
                    faults.append(f"identity: {path} cannot be read by the user who runs Ansible")
            except OSError as error:
                faults.append(f"identity: {path}: {error.strerror}. It is looked for on the machine that runs Ansible")
        if age() is None:
            faults.append(f"age is not installed on the machine that runs Ansible, where {archive} is to be decrypted")
        if faults:
            raise FetchError(*faults)

    def require_own(self, target: str) -> None:
        """Refuse to overwrite what may be another cluster's, where archives are kept."""
        kept = self.options["keep"] is not None and not self.options["adopt_unidentified"]
        if kept and self.options["sha256"] and os.path.exists(target) and not named_archives([target])[0].uid:
            raise FetchError(
                f"directory: {target} is there and is another one. It carries no cluster's identity, so it was not "
                "overwritten: give each cluster a folder of its own"
            )

    def require_private(self) -> None:
        """Refuse to decrypt where others can look."""
        found = os.stat(self.folder)
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise FetchError(f"directory: others can enter {self.folder}: nothing is decrypted there")

    def require_room(self, source: Source, times: int) -> None:
        """Refuse what there is no room for."""
        free = shutil.disk_usage(self.folder).free
        if free < times * source.size:
            raise FetchError(f"directory: {self.folder} has {free} bytes free, {times * source.size} are needed")

    def fetch(self, source: Source, target: str, sha256: str = "") -> None:
        """Copy one file; it gets its name when it is whole."""
        draft, digest, size, said = target + ".part", hashlib.sha256(), 0, ""
        with open(draft, "wb", opener=new_private_file) as stream:
            for start in range(0, -(-source.size // MIB), source.piece):
                rc, out, said = self.call(source.command(start, source.piece))
                try:
                    piece = base64.b64decode(out)
                except binascii.Error as error:
                    raise FetchError(f"what came of {source.name} is not in base64: {error}") from error
                digest.update(piece)
                size += len(piece)
                stream.write(piece)
                if rc or len(piece) != min(source.piece * MIB, source.size - start * MIB):
                    break
            stream.flush()
            os.fsync(stream.fileno())
        if size != source.size:
            os.unlink(draft)
            raise FetchError(f"of {source.name} only {size} of {source.size} bytes came: {last_words(said)}")
        if sha256 and digest.hexdigest() != sha256:
            os.unlink(draft)
            raise FetchError(
                f"{source.name} came with SHA-256 {digest.hexdigest()}, not {sha256}: it was not kept on the controller"
            )
        os.replace(draft, target)

    def drop_signature(self, dest: str) -> None:
        """Remove that of an earlier archive of the name, which is overwritten."""
        if os.path.lexists(dest + SIGNATURE):
            os.unlink(dest + SIGNATURE)

    def fetch_signature(self, source: Source, dest: str) -> None:
        """Copy that of an archive."""
        if source.size > LIMIT:
            raise FetchError(f"{source.name} has {source.size} bytes, so it is no signature")
        self.fetch(source, dest + SIGNATURE)

    def decrypt(self, archive: str, sealed: str, target: str) -> None:
        """Decrypt a file; the plain one gets its name when it is whole."""
        key, draft = self.options["identity"], target + ".part"
        os.close(new_private_file(draft, os.O_WRONLY | os.O_CREAT))  # age writes into it
        command = [age() or "age", "--decrypt", "--identity", key, "--output", draft, sealed]
        # Without a terminal a key that has a passphrase is refused, where age would otherwise wait for an answer.
        done = subprocess.run(
            command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, umask=0o077,
            start_new_session=True,
        )  # fmt: skip
        if done.returncode == 0:
            os.replace(draft, target)
            return
        if os.path.lexists(draft):
            os.unlink(draft)
        raise FetchError(decryption_fault(archive, key, done.stderr))

    def call(self, command: str) -> tuple[int, str, str]:
        """What a command on the host says."""
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


def new_private_file(path: str, flags: int) -> int:
    """Open a file that was not there before, for its owner alone; what lay there is removed."""
    if os.path.lexists(path):
        os.unlink(path)
    return os.open(path, flags | os.O_EXCL | os.O_NOFOLLOW, 0o600)


def some(items: list[Listed]) -> str:
    """The newest few of some archives."""
    return ", ".join([item.name for item in items if not item.bad][:3])


def age() -> str | None:
    """The program on the controller."""
    return shutil.which("age", path=f"{os.environ.get('PATH', os.defpath)}:/usr/local/bin")


def ssh_keygen() -> str | None:
    """The program on the controller."""
    return shutil.which("ssh-keygen")


def run_here(command: list[str], data: bytes) -> tuple[int, str, str]:
    """Run a command on the controller."""
    done = subprocess.run(command, check=False, input=data, capture_output=True, start_new_session=True)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def decryption_fault(archive: str, key: str, stderr: str) -> str:
    """What age's message means."""
    lines = [line for line in stderr.splitlines() if "report unexpected" not in line]
    said = " ".join(lines).replace("age: error: ", "").strip() or "nothing"
    if "no identity matched" in said:
        return f"identity: {key} does not fit: {archive} is encrypted for other keys"
    if "identity" in said or "passphrase" in said or "no space left" in said:
        return f"identity: {archive} cannot be decrypted with {key}: age says {said}"
    return f"{archive} is truncated or damaged: age says {said}"
