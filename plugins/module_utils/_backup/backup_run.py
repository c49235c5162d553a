# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of the module backup with state=saved: what it needs, whether it is due, archive, copies and metrics."""

from __future__ import annotations

import os
import socket
import time
from contextlib import nullcontext
from dataclasses import asdict, replace
from datetime import datetime, timezone
from typing import Any, Dict, List, Sequence, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.age import Age
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_creation import ArchiveCreation
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_folder import (
    ArchiveFolder,
    BusyError,
    exclusive,
    remove_archive,
    remove_orphans,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_names import (
    BAD,
    CLUSTER,
    SEALED,
    archive_name,
    named_archives,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.backup_lock import BackupLock
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.copies import (
    Rclone,
    copies_name,
    remember,
    remembered,
    target_faults,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.due import DueCheck, NotDueError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.errors import FailedError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.included_files import collect, decode_files
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.metrics import (
    LastRun,
    known_uid,
    metrics,
    write_metrics,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.owner import Owner, cluster_uid
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.retention import RULES, Keep
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import module_signer
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.snapshot_proof import SnapshotProver
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import (
    EndpointStatus,
    Etcd,
    ToolMissingError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import UnsafePathError, require_own
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.staging import fsync_path


class BackupRun:
    """The module backup with state=saved."""

    def __init__(self, module: AnsibleModule) -> None:
        """Take the options from the module."""
        self.module = module
        self.options: Dict[str, Any] = module.params
        self.start = time.monotonic()
        self.directory = os.path.abspath(self.options["directory"])
        self.cluster: str = self.options["cluster"]
        self.host: str = self.options["host"] or socket.gethostname()
        self.keep = Keep(**{rule: (self.options["keep"] or {}).get(rule, 0) for rule in RULES})
        self.owner = Owner(self.cluster, adopt=self.options["adopt_unidentified"])
        self.asked = False
        self.etcd, self.rclone = Etcd(module), Rclone(module, self.options["copy_config"])
        self.prover = SnapshotProver(module, self.etcd)
        self.creation = ArchiveCreation(module, self.etcd, self.prover, self.host)
        take_turns, endpoints = self.options["take_turns"], self.options["endpoints"]
        self.lock = BackupLock(self.etcd, self.cluster, endpoints) if take_turns else None
        self.due = DueCheck(module, self.host, self.lock)

    def run(self) -> Dict[str, Any]:
        """Make an archive, and tidy up, or say why none is due; write the metrics whatever came of it.

        Returns:
            What the module returns.

        Raises:
            FailedError: if no backup was made, or it was not copied.
        """
        ok = skipped = False
        report = not self.module.check_mode
        try:
            result = self._save_if_due()
            ok = True
        except NotDueError as reason:
            ok = skipped = True
            result = self._not_due(str(reason))
        except BusyError:
            report = False  # the run that works there reports
            raise
        finally:
            if report:
                self._write_metrics(ok, skipped)
        return result

    def _save_if_due(self) -> Dict[str, Any]:
        """Make an archive, if nothing is missing and none is new enough."""
        if not CLUSTER.fullmatch(self.cluster):
            raise FailedError(f"cluster: {self.cluster!r} is no name of letters, digits, '.', '_' and '-'")
        missing: List[str] = []
        files = collect(self.options["include"], missing)
        key = self.options["signing_key"]
        if key and os.path.realpath(key) in map(os.path.realpath, files):
            missing.append(f"include: {key} signs the archives (signing_key), so it must not be in them")
        extra = decode_files(self.options["extra_files"], files, missing)
        missing += self._missing()
        require_own(self.directory)
        if self.options["scratch_directory"]:
            require_own(self.options["scratch_directory"], sticky=True)
        if missing and self.module.check_mode:
            self.module.warn(f"{'; '.join(missing)}: a backup would be made once that is there")
            return self._outcome(self._next_path())
        if missing:
            raise FailedError("; ".join(missing))

        source = self.etcd.source(self.options["allow_unhealthy"])
        self._ask_identity(source)
        self.due.refuse_newer_here(self._folder().good)
        self.prover.server(source.version)
        self.due.refuse_newer_elsewhere()
        self.creation.require_room(source, files)
        if self.module.check_mode:
            return self._outcome(self._next_path())
        require_own(self.directory, 0o700)
        held = self.lock.hold(self.options["turn_timeout"]) if self.lock else nullcontext()
        with exclusive(self.directory):
            with held:
                self.due.refuse_newer_here(self._folder().good)
                self.due.refuse_newer_elsewhere()
                result = self._save(source, files, extra)
                self.due.announce(result["path"])
            result["copies"] = self._copy(result["path"])
        failed = "; ".join(f"{copy['name']}: {copy['error']}" for copy in result["copies"] if not copy["ok"])
        if failed:
            message = f"{result['path']} is proven and stays, but was not copied: {failed}"
            kept = {name: value for name, value in result.items() if name not in ("manifest", "diff")}
            raise FailedError(message, **kept, fault="copy")
        return result

    def _missing(self) -> List[str]:
        """What this host lacks for a backup, besides the files."""
        options = self.options
        scratch = options["scratch_directory"]
        found = [] if not scratch or os.path.isdir(scratch) else [f"scratch_directory: {scratch} is no folder"]
        if self.etcd.tool("etcdctl") is None:
            found.append("etcdctl is not installed on this host")
        else:
            try:
                self.etcd.snapshot_tool()
                self.prover.server("")
            except ToolMissingError as error:
                found.append(str(error))
        if options["encrypt_to"]:
            found += Age(self.module).faults(options["encrypt_to"])
        if options["signing_key"] and module_signer(self.module).path is None:
            found.append("ssh-keygen, which signs the archive (signing_key), is not installed on this host")
        if options["copies"]:
            found += self.rclone.faults()
        found += target_faults(options["copies"])
        return found

    def _ask_identity(self, source: EndpointStatus) -> None:
        """Find out which cluster this is."""
        prefix, kubeconfig = self.options["sample_prefix"], self.options["kubeconfig"]
        uid = cluster_uid(self.module, self.etcd, source.endpoint, prefix, kubeconfig)
        self.owner, self.asked = replace(self.owner, uid=uid), True

    def _next_path(self) -> str:
        """A name that no archive has."""
        while True:
            name = archive_name(self.cluster, datetime.now(timezone.utc), self.owner.uid)
            plain = os.path.join(self.directory, name)
            if not any(os.path.lexists(plain + seal + bad) for seal in ("", SEALED) for bad in ("", BAD)):
                return plain + SEALED if self.options["encrypt_to"] else plain
            time.sleep(0.2)

    def _save(self, source: EndpointStatus, files: Sequence[str], extra: Sequence[Tuple[str, bytes]]) -> Dict[str, Any]:
        """Make the archive, and remove those that no rule keeps."""
        remove_orphans(self.directory, self.owner)
        created = self.creation.create(self._next_path(), self.owner, source, files, extra)
        if created.reason:
            for extra_path in self._folder().surplus(self.keep, self.options["keep_bad"], None):
                if extra_path.endswith(BAD):
                    remove_archive(extra_path)
            message = f"{created.path} {created.reason}. It does not count as a backup"
            raise FailedError(message, path=created.path, fault=created.fault)
        result = self._outcome(created.path)
        for old in result["removed"]:
            remove_archive(old)
        fsync_path(self.directory)
        return {
            **result,
            "manifest": created.manifest.as_dict(),
            "proof": created.manifest.proof.__dict__,
            "size": os.path.getsize(created.path),
            "sha256": created.sha256,
            "signer": created.signer,
        }

    def _copy(self, path: str) -> List[Dict[str, Any]]:
        """Bring the archives to all places where copies are to be, whatever comes of each."""
        wanted = self.options["copies"]
        if not wanted:
            return []
        local = {item.path: item for item, _manifest in self._folder().good}
        [local[path]] = named_archives([path])  # also one without an identity
        done = [self.rclone.bring(target, list(local.values()), self.owner, self.keep) for target in wanted]
        remember(self._copies_file, done, os.path.basename(path), int(time.time()))
        return [asdict(copy) for copy in done]

    @property
    def _copies_file(self) -> str:
        """Where it is noted what came of the copies."""
        return os.path.join(self.directory, copies_name(self.owner.stem))

    def _folder(self) -> ArchiveFolder:
        """The archives in the folder."""
        return ArchiveFolder(self.directory, self.owner)

    def _left_out(self, folder: ArchiveFolder) -> Dict[str, Any]:
        """What else is in the folder."""
        if folder.unidentified:
            self.module.warn(folder.warning)
        return {"damaged": folder.damaged, "unidentified": folder.unidentified, "others": folder.others}

    def _not_due(self, reason: str) -> Dict[str, Any]:
        """What a run returns that made nothing."""
        folder = self._folder()
        paths = [item.path for item, _manifest in folder.good]
        return {
            "changed": False,
            "made": False,
            "reason": reason,
            "path": paths[0] if paths else "",
            "removed": [],
            "kept": paths,
            **self._left_out(folder),
        }

    def _outcome(self, path: str) -> Dict[str, Any]:
        """What a run returns that makes an archive: which archives go, and which stay."""
        folder = self._folder()
        [new] = named_archives([path])
        removed = folder.surplus(self.keep, self.options["keep_bad"], new)
        others = [item.path for item, _manifest in folder.good if item.path != path]
        return {
            "changed": True,
            "made": True,
            "reason": "",
            "path": path,
            "removed": removed,
            "kept": sorted({path, *others} - set(removed), reverse=True),
            **self._left_out(folder),
            "diff": {
                "before": {"archives": sorted([*others, *(item.path for item in folder.bad)])},
                "after": {"archives": sorted({path, *others, *(item.path for item in folder.bad)} - set(removed))},
            },
        }

    def _write_metrics(self, ok: bool, skipped: bool) -> None:
        """Write the metrics for Prometheus; that they cannot be written is no reason to lose a backup."""
        target = self.options["metrics_file"]
        if not target or not CLUSTER.fullmatch(self.cluster):
            return
        if not self.asked:
            self.owner = replace(self.owner, uid=known_uid(target, self.cluster))
        run = LastRun(ok, skipped, time.monotonic() - self.start, int(time.time()), self.due.newest_anywhere)
        text = metrics(self.owner, self._folder(), run, remembered(self._copies_file))
        try:
            write_metrics(target, text)
        except OSError as error:
            why = error if isinstance(error, UnsafePathError) else error.strerror
            self.module.warn(f"metrics_file: {target} cannot be written: {why}")
