# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module restore: gives one member of etcd the data of a backup, and can be interrupted and undone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: restore
short_description: Give a member of etcd the data of a backup
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Makes a member's new data of an archive of M(groundwork.kubernetes.backup), puts it in the place of the old data,
    and proves that the member works with it. Each is a state of its own, since all members must have come as far
    before the next.
  - The old data is kept beside the new, in C(before-restore-<id>) of the data directory, so that all can be undone.
  - A journal on the host tells how far it has come. Interrupted anywhere, each state can be asked for again.
  - It does not stop or start etcd. It refuses to touch data that an etcd has open.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.full
  - groundwork.kubernetes.etcd
  - groundwork.kubernetes.etcd.tools
  - groundwork.kubernetes.etcd.restore
  - groundwork.kubernetes.signature
attributes:
  check_mode:
    details:
      - In check mode nothing is extracted, so O(state=staged) reads the archive and the versions, and the later
        states say what they would do.
options:
  state:
    description:
      - V(staged) reads the archive in full, and makes the new data beside the old. The member may run meanwhile.
      - V(switched) puts the new data in place, and keeps the old beside. The member must not run.
      - V(proven) waits until the member is healthy with all the others, and compares revision and number of keys with
        the archive.
      - V(finished) ends the restore, and removes the old data unless O(keep_old).
      - V(rolled_back) puts the old data back and removes the new. The member must not run, unless nothing was switched.
    type: str
    choices: [staged, switched, proven, finished, rolled_back]
    required: true
  id:
    description: The restore's name, a time such as V(20261122T081500Z). It must be the same on all members.
    type: str
    required: true
  path:
    description: The archive. Needed for O(state=staged).
    type: path
  cluster:
    description: The cluster's name. An archive of another one is refused. Empty for anybody's.
    type: str
    default: ''
  identity:
    description:
      - What RV(groundwork.kubernetes.restore_info#module:archives) calls the archive, to be sure it is that one.
    type: str
    default: ''
  data_dir:
    description: The member's data directory. It may be a mount point.
    type: path
    default: /var/lib/etcd
  name:
    description: The member's name. Needed for O(state=staged).
    type: str
  initial_cluster:
    description: Every member's name with its list of peer URLs. Needed for O(state=staged) and O(state=proven).
    type: dict
  member_version:
    description: The version of etcd that is going to run on the data. Without it, that of the tools.
    type: str
    default: ''
  wait_timeout:
    description: With O(state=proven), seconds that the member may take.
    type: int
    default: 180
  keep_old:
    description: With O(state=finished), whether the old data stays.
    type: bool
    default: true
  journal:
    description: File with the state of the restore.
    type: path
    default: /var/lib/groundwork/restore.json
seealso:
  - module: groundwork.kubernetes.restore_info
  - module: groundwork.kubernetes.backup
  - module: groundwork.kubernetes.static_pods
"""

EXAMPLES = r"""
- name: Make the new data, while the member still runs
  groundwork.kubernetes.restore:
    state: staged
    id: 20261122T081500Z
    path: /var/backups/kubernetes/kubernetes-20261122T020000Z-1f0c6a52.tar
    cluster: kubernetes
    name: cp-1
    initial_cluster: {cp-1: ["https://192.0.2.11:2380"]}
    trusted_signers: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPLIJ/GXykftYmN1hmrIZ4M1wNe+Sl+ZX/r8N9Hla7yh cp-1]

- name: Stop the control plane
  groundwork.kubernetes.static_pods:
    names: [kube-apiserver, kube-controller-manager, kube-scheduler, etcd]
    state: stopped

- name: Put the new data in place
  groundwork.kubernetes.restore:
    state: switched
    id: 20261122T081500Z
    path: /var/backups/kubernetes/kubernetes-20261122T020000Z-1f0c6a52.tar
    cluster: kubernetes
    name: cp-1
    initial_cluster: {cp-1: ["https://192.0.2.11:2380"]}
"""

RETURN = r"""
journal:
  description: How far the restore has come, C(id), C(stage), C(path), C(created), C(revision), C(keys) and so on.
  returned: success, except for a restore that check mode did not begin
  type: dict
bumps_revision:
  description: Whether the tools of this host can raise the revision.
  returned: state=staged
  type: bool
old_data:
  description: The folder with the old data, or empty where there is none.
  returned: success
  type: str
  sample: /var/lib/etcd/before-restore-20261122T081500Z
seconds:
  description: How long the run took.
  returned: success
  type: float
  sample: 1.9
fault:
  description: In one word, why it cannot be done. Besides these, those of M(groundwork.kubernetes.backup).
  returned: on failure because of an archive or of what is on the host
  type: str
  choices: [version, identity, journal, in_use, stray, not_staged, nothing_to_go_back_to, unproven, unverified]
  sample: in_use
"""

import os
import re
import shutil
import time
from dataclasses import replace
from typing import Any, Callable, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive import (
    DATABASE as SNAPSHOT,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive import (
    BackupError,
    Manifest,
    examine,
    extract_database,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.restore import (
    FINISHED,
    JOURNAL,
    MEMBER,
    PROVEN,
    ROLLED_BACK,
    STAGED,
    STAGING,
    SWITCHED,
    Folders,
    Journal,
    RestoreError,
    identity,
    in_use,
    read_journal,
    version_fault,
    write_journal,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import (
    SIGNER_OPTIONS,
    module_signer,
    require_signer,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import (
    CLIENT_OPTIONS,
    CLIENT_REQUIRED_TOGETHER,
    CommandError,
    Etcd,
    EtcdError,
    verify_snapshot,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.data_directory import (
    RESTORE_OPTIONS,
    WAL_SEGMENT,
    Plan,
    plan_restore,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.snapshot import SnapshotError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import require_own
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.staging import (
    NoSpaceError,
    StagedFolder,
    require_space,
)

ID = re.compile(r"\d{8}T\d{6}Z")
LOCK_SECONDS = 10.0  # for an etcd that was killed a moment ago
PAUSE = 0.5
ARGUMENTS: Dict[str, Any] = {
    "state": {"type": "str", "choices": [STAGED, SWITCHED, PROVEN, FINISHED, ROLLED_BACK], "required": True},
    "id": {"type": "str", "required": True},
    "path": {"type": "path"},
    "cluster": {"type": "str", "default": ""},
    "identity": {"type": "str", "default": ""},
    "data_dir": {"type": "path", "default": "/var/lib/etcd"},
    "member_version": {"type": "str", "default": ""},
    **RESTORE_OPTIONS,
    "wait_timeout": {"type": "int", "default": 180},
    "keep_old": {"type": "bool", "default": True},
    "journal": {"type": "path", "default": JOURNAL},
    **SIGNER_OPTIONS,
    **CLIENT_OPTIONS,
}


class Restore:
    """The states; each returns what the module returns."""

    def __init__(self, module: AnsibleModule) -> None:
        """Take the options from the module."""
        self.module = module
        self.options: Dict[str, Any] = module.params
        self.etcd = Etcd(module)
        self.data_dir = os.path.abspath(self.options["data_dir"])
        self.folders = Folders(self.data_dir, self.options["id"])
        self.start = time.monotonic()
        if not ID.fullmatch(self.options["id"]):
            raise RestoreError("journal", f"id: {self.options['id']!r} is no time such as 20261122T081500Z")
        found = read_journal(self.options["journal"])
        self.before = found.as_dict() if found else {}
        self.journal = found if found and found.id == self.options["id"] else None
        if found and not self.journal and found.stage in (SWITCHED, PROVEN):
            raise RestoreError(
                "journal",
                f"the restore {found.id} of {found.path} was interrupted on this host after its data was put in place: "
                "go on with it, or roll it back, before another begins",
            )

    def run(self) -> Dict[str, Any]:
        """Do what the state asks for."""
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
        return {
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
        plan = plan_restore(tool, self.options, f"restore-{self.options['id']}")
        if plan.warning and not self.journal:
            self.module.warn(f"{plan.warning}: what watched the old data must be restarted, or it may miss changes")
        path = os.path.abspath(self.options["path"])
        manifest = self.archive(path)
        fault = version_fault(manifest.etcd.version, self.options["member_version"], str(tool.version))
        if fault:
            raise RestoreError("version", f"{path} cannot be restored here: {fault}. Nothing was changed")
        size = next(part.size for part in manifest.parts if part.name == SNAPSHOT)
        require_space(self.data_dir, 2 * size + WAL_SEGMENT, f"the restore of {path}")
        if not self.module.check_mode:
            self.stage(path, manifest, plan)
        return {**result, "changed": True}

    def archive(self, path: str) -> Manifest:
        """The archive, if it is the right one, whole, and made by somebody who is trusted."""
        examined = examine(path, self.options["cluster"])
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
        return manifest

    def stage(self, path: str, manifest: Manifest, plan: Plan) -> None:
        """Make the new data; the journal comes first, so that an interrupted run is known."""
        require_own(os.path.dirname(self.data_dir))
        self.forget_others()
        now = os.stat(self.data_dir) if os.path.isdir(self.data_dir) else None
        uid = plan.uid if plan.uid >= 0 else now.st_uid if now else 0
        gid = plan.gid if plan.gid >= 0 else now.st_gid if now else 0
        if now is None:
            os.makedirs(self.data_dir, 0o700)
            os.chown(self.data_dir, uid, gid, follow_symlinks=False)
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
            database = os.path.join(folder.stage, SNAPSHOT)
            try:
                extract_database(path, manifest, database)
                verify_snapshot(self.etcd, database, f"the snapshot in {path}", manifest.etcd.version)
                self.etcd.restore(database, [f"--data-dir={folder.content}", *plan.arguments])
            except (CommandError, OSError) as error:
                if getattr(error, "no_space", False) or getattr(error, "errno", 0) == 28:
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
            if os.path.basename(folder).startswith("restore-"):
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


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_together=CLIENT_REQUIRED_TOGETHER,
        required_if=[("state", STAGED, ("path", "name", "initial_cluster")), ("state", PROVEN, ("initial_cluster",))],
        supports_check_mode=True,
    )
    try:
        result = Restore(module).run()
    except (RestoreError, BackupError, SnapshotError) as error:
        module.fail_json(msg=str(error), fault=error.fault)
    except (EtcdError, NoSpaceError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename or module.params['data_dir']}: {error.strerror or error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
