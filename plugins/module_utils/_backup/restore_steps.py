# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps by which one member of etcd gets the data of a backup; each can be interrupted and taken again."""

from __future__ import annotations

import errno
import os
import re
import shutil
import time
from dataclasses import replace
from typing import Any, Callable, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive import DATABASE as SNAPSHOT
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive import Examined, examine
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_description import identity
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.errors import BackupError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.restore_folders import (
    MEMBER,
    RestoreFolders,
    in_use,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.restore_journal import (
    FINISHED,
    PROVEN,
    ROLLED_BACK,
    STAGED,
    STAGING,
    SWITCHED,
    Journal,
    RestoreError,
    put_back_journal,
    read_journal,
    write_journal,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import (
    module_signer,
    require_signer,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.data_directory import (
    WAL_SEGMENT,
    MemberRestorePlan,
    plan_member_restore,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.data_versions import version_fault
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.module import EtcdModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.snapshot import SnapshotError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.snapshot_restore import restore_and_verify
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.tools import CommandError, EtcdError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import require_own
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.staging import (
    NoSpaceError,
    StagedFolder,
    require_space,
)

ID = re.compile(r"\d{8}T\d{6}Z")
LOCK_SECONDS = 10.0  # for an etcd that was killed a moment ago
PAUSE = 0.5


class MemberRestore(EtcdModule):
    """One step of a restore; each returns what the module returns."""

    errors = (RestoreError, BackupError, SnapshotError, EtcdError, NoSpaceError, OSError)

    def __init__(self, module: AnsibleModule) -> None:
        """Take the options from the module, and read how far an earlier run has come."""
        super().__init__(module)
        self.data_dir = os.path.abspath(self.options["data_dir"])
        self.folders = RestoreFolders(self.data_dir, self.options["id"])
        self.start = time.monotonic()
        if not ID.fullmatch(self.options["id"]):
            raise RestoreError("journal", f"id: {self.options['id']!r} is no time such as 20261122T081500Z")
        self.found = found = read_journal(self.options["journal"])
        self.before = found.as_dict() if found else {}
        self.journal = found if found and found.id == self.options["id"] else None
        if found and not self.journal and found.stage in (SWITCHED, PROVEN):
            raise RestoreError(
                "journal",
                f"the restore {found.id} of {found.path} was interrupted on this host after its data was put in place: "
                "go on with it, or roll it back, before another begins",
            )

    def run(self) -> None:
        """Take the step that the state asks for."""
        states: Dict[str, Callable[[], Dict[str, Any]]] = {
            STAGED: self.staged,
            SWITCHED: self.switched,
            PROVEN: self.proven,
            FINISHED: self.finished,
            ROLLED_BACK: self.rolled_back,
        }
        result = states[self.options["state"]]()
        if self.module._diff and result["changed"]:
            after = self.journal.as_dict() if self.journal and not self.module.check_mode else {}
            wanted = {"id": self.options["id"], "stage": self.options["state"], "data_dir": self.data_dir}
            result["diff"] = {"before": self.before, "after": after or {**self.before, **wanted}}
        self.result = {
            "journal": self.journal.as_dict() if self.journal else {},
            "old_data": self.folders.old if os.path.isdir(self.folders.old) else "",
            "seconds": round(time.monotonic() - self.start, 3),
            **result,
        }

    # The new data, beside the old.

    def staged(self) -> Dict[str, Any]:
        """Prove the archive, and make the new data of it."""
        tool = self.etcd.snapshot_tool()
        result = {"changed": False, "bumps_revision": tool.bumps_revision}
        if self.journal and self.journal.stage != ROLLED_BACK and self.folders.state:
            if self.journal.stage == STAGING:
                self.record(STAGED)
                result["changed"] = True
            return result
        plan = plan_member_restore(tool, self.options, f"restore-{self.options['id']}")
        if plan.warning and not self.journal:
            self.module.warn(f"{plan.warning}: what watched the old data must be restarted, or it may miss changes")
        path = os.path.abspath(self.options["path"])
        examined = self.archive(path)
        manifest = examined.manifest
        fault = version_fault(manifest.etcd.version, self.options["member_version"], str(tool.version))
        if fault:
            raise RestoreError("version", f"{path} cannot be restored here: {fault}. Nothing was changed")
        size = next(part.size for part in manifest.parts if part.name == SNAPSHOT)
        require_space(self.data_dir, 2 * size + WAL_SEGMENT, f"the restore of {path}")
        if not self.module.check_mode:
            self.stage(path, examined, plan)
        return {**result, "changed": True}

    def archive(self, path: str) -> Examined:
        """The archive, if it is the right one, and made by somebody who is trusted.

        Its bytes are read here in check mode only: else they are while the snapshot is taken out of it, before anything
        is made of it.
        """
        examined = examine(path, self.options["cluster"], quick=not self.module.check_mode)
        manifest = examined.manifest
        if not manifest.proof.passed:
            raise BackupError("proof", f"{path} {manifest.proof.reason or 'failed its proof'}")
        wanted = self.options["identity"] or (self.journal.identity if self.journal else "")
        if wanted and identity(manifest) != wanted:
            raise RestoreError(
                "identity", f"{path} is another archive ({identity(manifest)}) than the one meant ({wanted})"
            )
        signature = module_signer(self.module).examine(path, manifest, examined.sha256)
        require_signer(path, signature, self.options)
        return examined

    def extract(self, path: str, examined: Examined, database: str) -> None:
        """Write the snapshot to a file, and prove the archive meanwhile.

        Raises:
            BackupError: if the archive is damaged, or another one than before.
        """
        if examine(path, self.options["cluster"], database=database).sha256 != examined.sha256:
            raise BackupError("damaged", f"{path} was changed while it was read")

    def stage(self, path: str, examined: Examined, plan: MemberRestorePlan) -> None:
        """Make the new data; the journal comes first, so that an interrupted run is known."""
        manifest = examined.manifest
        require_own(os.path.dirname(self.data_dir))
        now = os.stat(self.data_dir) if os.path.isdir(self.data_dir) else None
        uid = plan.uid if plan.uid >= 0 else now.st_uid if now else 0
        gid = plan.gid if plan.gid >= 0 else now.st_gid if now else 0
        self.write(
            Journal(
                id=self.options["id"],
                cluster=manifest.cluster,
                identity=identity(manifest),
                path=path,
                created=manifest.created,
                stage=STAGING,
                data_dir=self.data_dir,
                had_data=os.path.isdir(self.folders.member),
                revision=manifest.etcd.revision + plan.bump,
                keys=manifest.etcd.keys,
            )
        )
        shutil.rmtree(self.folders.new, ignore_errors=True)
        with StagedFolder(self.module, self.folders.new, 0o700, uid, gid, final=self.data_dir) as folder:
            if now is None:
                os.chmod(self.data_dir, 0o700)
                os.chown(self.data_dir, uid, gid, follow_symlinks=False)
            database = os.path.join(folder.stage, SNAPSHOT)
            try:
                self.extract(path, examined, database)
                self.forget_others()
                restore_and_verify(
                    self.etcd, database, [f"--data-dir={folder.content}", *plan.arguments],
                    f"the snapshot in {path}", manifest.etcd.version,
                )  # fmt: skip
            except (BackupError, SnapshotError):
                put_back_journal(self.options["journal"], self.found)
                raise
            except (CommandError, OSError) as error:
                if getattr(error, "no_space", False) or getattr(error, "errno", 0) == errno.ENOSPC:
                    raise NoSpaceError(
                        f"{self.data_dir} became full during the restore of {path}; the member's data was not touched, "
                        "and nothing of the new data is left. Free some space, and run it again"
                    ) from error
                raise
            self.folders.write_stamp(os.path.join(folder.content, MEMBER), path)
            StagedFolder.commit(folder)
        self.record(STAGED)

    def forget_others(self) -> None:
        """Remove new data that an earlier restore made and never put in place."""
        for folder in self.folders.leftovers():
            if os.path.basename(folder).startswith("restore-") and folder != self.folders.new:
                shutil.rmtree(folder)

    # The new data in place, or the old one back.

    def switched(self) -> Dict[str, Any]:
        """Put the new data in place."""
        if self.folders.state == SWITCHED and self.journal and self.journal.stage in (SWITCHED, PROVEN, FINISHED):
            return {"changed": False}
        if self.module.check_mode:
            return {"changed": True}
        if not self.journal or not self.folders.state or self.journal.stage == ROLLED_BACK:
            raise RestoreError(
                "not_staged",
                f"{self.folders.new} holds no new data of the restore {self.options['id']}: stage it first",
            )
        if self.folders.state != SWITCHED:
            self.require_unused()
        self.folders.switch()
        self.record(SWITCHED)
        return {"changed": True}

    def rolled_back(self) -> Dict[str, Any]:
        """Put the old data back."""
        journal = self.journal
        if journal is None or journal.stage == ROLLED_BACK:
            return {"changed": False}
        kept = os.path.isdir(os.path.join(self.folders.old, MEMBER))
        touched = self.folders.state == SWITCHED or kept
        if self.folders.state == SWITCHED and not kept:
            why = "has no data any more" if journal.had_data else "has no data, since there was none before"
            raise RestoreError("nothing_to_go_back_to", f"{self.folders.old} {why}: the restore cannot be undone here")
        if not self.module.check_mode:
            if touched:
                self.require_unused()
            self.folders.back()
            self.record(ROLLED_BACK)
        return {"changed": True}

    def require_unused(self) -> None:
        """Refuse to touch data that an etcd has open.

        Raises:
            RestoreError: if one has.
        """
        deadline = time.monotonic() + LOCK_SECONDS
        while in_use(self.data_dir):
            if time.monotonic() >= deadline:
                raise RestoreError(
                    "in_use", f"an etcd of this host still has {self.folders.member} open: stop it. Nothing was changed"
                )
            time.sleep(PAUSE)

    # The proof, and the end.

    def proven(self) -> Dict[str, Any]:
        """Wait until the member works with its new data."""
        if self.journal and self.journal.stage in (PROVEN, FINISHED):
            return {"changed": False}
        if self.module.check_mode:
            return {"changed": True}
        if not self.journal or self.journal.stage != SWITCHED:
            raise RestoreError(
                "not_staged", f"the data of the restore {self.options['id']} is not in place on this host"
            )
        deadline = time.monotonic() + self.options["wait_timeout"]
        while True:
            reason = self.lacking(self.journal)
            if not reason:
                break
            if time.monotonic() >= deadline:
                raise RestoreError(
                    "unproven",
                    f"the member does not work with its new data: {reason}. The old data is in {self.folders.old}: "
                    "roll back, or find out why and run this again",
                )
            time.sleep(PAUSE)
        self.record(PROVEN)
        return {"changed": True}

    def lacking(self, journal: Journal) -> str:
        """What the member lacks, or nothing."""
        endpoint = self.options["endpoints"][0]
        try:
            [health] = self.etcd.health([endpoint])
            if not health.healthy:
                return f"{endpoint} is not healthy ({health.error or 'no answer'})"
            names = {member.name for member in self.etcd.members([endpoint])}
            if not names >= set(self.options["initial_cluster"]):
                return f"the cluster has the members {sorted(names)}, not {sorted(self.options['initial_cluster'])}"
            # Only at that revision: the leases of some keys end soon after there is a leader.
            count = self.etcd.sample(endpoint, "", limit=1, revision=journal.revision).count
        except EtcdError as error:
            # It works, and has gone on so far already that it does not tell.
            return "" if "has been compacted" in str(error) else str(error)
        if journal.keys is not None and count != journal.keys:
            return f"it has {count} keys at revision {journal.revision}, but the backup has {journal.keys}"
        return ""

    def finished(self) -> Dict[str, Any]:
        """End the restore."""
        journal = self.journal
        drop = not self.options["keep_old"] and os.path.isdir(self.folders.old)
        if journal and journal.stage == FINISHED and not drop:
            return {"changed": False}
        if self.module.check_mode:
            return {"changed": True}
        if not journal or journal.stage not in (PROVEN, FINISHED):
            raise RestoreError("unproven", f"the restore {self.options['id']} is not proven on this host")
        self.record(FINISHED)
        if drop:
            shutil.rmtree(self.folders.old)
        return {"changed": True}

    def record(self, stage: str) -> None:
        """Write how far it has come."""
        if self.journal and not self.module.check_mode:
            self.write(replace(self.journal, stage=stage))

    def write(self, journal: Journal) -> None:
        """Write the journal."""
        write_journal(self.options["journal"], journal)
        self.journal = journal
