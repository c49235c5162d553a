# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands against the archive that is to be restored, for this cluster and these hosts."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import (
    WRONG,
    distrust,
    public_part,
    signer_faults,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.data_directory import WAL_SEGMENT
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.data_versions import version_fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.archive_choice import is_newer
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.identity import uid_of
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.restore_progress import (
    UNFINISHED,
    RestoreContext,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.restore_request import Info


class ArchiveJudge:
    """Knows whose archives are trusted, and what the hosts can take."""

    def __init__(self, context: RestoreContext) -> None:
        """Find out whose signatures are trusted."""
        self.hosts, self.request, self.progress = context.hosts, context.request, context.progress
        self.identities = context.identities
        self.faults, self.warnings = context.findings.faults, context.findings.warnings
        # A host makes archives with a key of its own, or with the cluster's.
        own = {host: str(info.get("signer", "")) for host, info in self.hosts.items() if info.get("signer")}
        self.signers = {public_part(key): f"the key of {host}" for host, key in own.items()}
        self.signers.update({public_part(key): "in backup_trusted_signers" for key in self.request.trusted_signers})
        self.faults += [f"backup_trusted_signers: {fault}" for fault in signer_faults(self.request.trusted_signers)]

    def judge_archive(self, archive: Info) -> None:
        """What is wrong with the archive, for this cluster and these hosts."""
        path = archive.get("source", archive["path"])
        if archive.get("fault"):
            self.faults.append(archive["message"])
        ours = not self.request.other_cluster
        if self.request.rebuild and not archive["authority"]:
            self.faults.append(f"{path} does not hold the cluster's authority, so that nothing can be rebuilt of it")
        if ours and archive["cluster"] != self.request.cluster:
            self.faults.append(
                f"{path} is a backup of the cluster {archive['cluster']}, not of {self.request.cluster}. "
                "restore_other_cluster allows it"
            )
        foreign = [
            host
            for host, info in self.hosts.items()
            if info["authority"] and archive["authority"] and info["authority"] != archive["authority"]
        ]
        if ours and foreign:
            self.faults.append(
                f"{path} is of a cluster with another certificate authority than {', '.join(foreign)}: service "
                "accounts, nodes and certificates would not fit. restore_other_cluster allows it"
            )
        foreign_uid = self.identities.fault(path, uid_of(archive)) if ours else ""
        self.faults += [foreign_uid] if foreign_uid else []
        newer = [item for item, _uid in self.identities.listed if is_newer(item, archive)]
        self.warnings += self.identities.warnings(path, uid_of(archive), newer)
        self.judge_signature(archive, path)
        self.judge_keys(archive, path)
        for host in self.progress.members:
            info = self.hosts[host]
            version = info["live"].get("version") or info["member"]["version"]
            fault = version_fault(archive["etcd"]["version"], version, version) if version else ""
            if fault:
                self.faults.append(f"{host}: {path} cannot be restored: {fault}")
            needed = 2 * archive["size"] + WAL_SEGMENT
            if (
                info["data"]["free"] < needed
                and self.progress.stage(host, info["journal"].get("id", "")) not in UNFINISHED
            ):
                self.faults.append(
                    f"{host}: {info['member']['data_dir']} has {info['data']['free'] >> 20} MiB free, but the new "
                    f"data needs {needed >> 20} MiB beside the old"
                )

    def judge_signature(self, archive: Info, path: str) -> None:
        """Whether it is known who made the archive."""
        signature = archive["signature"]
        reason = distrust(signature, self.signers)
        if not reason:
            return
        if signature["state"] == WRONG:
            self.faults.append(f"{path} {reason}: do not trust it. Name another one (restore_archive)")
        elif self.request.unverified:
            self.warnings.append(f"{path} {reason}. It is taken, as restore_unverified says")
        else:
            self.faults.append(
                f"{path} {reason}. Whoever made it gets the cluster in hand. Name the public key of its maker in "
                "backup_trusted_signers, or set restore_unverified, if you know by other means where it comes from: "
                "see docs/restore.md, 'Who made it'"
            )

    def signed(self, archive: Info) -> str:
        """Who signed the archive, for people; nothing where it was not read in full."""
        if not archive.get("whole"):
            return ""
        signature = archive["signature"]
        reason = distrust(signature, self.signers)
        if reason:
            return f"not verified: it {reason}"
        return f"by {signature['fingerprint']}, {self.signers[signature['key']]}"

    def judge_keys(self, archive: Info, path: str) -> None:
        """Whether the API servers could read what is encrypted in the backup."""
        wanted: Mapping[str, str] = archive.get("encryption_keys", {})
        for host in self.request.control_planes:
            has = self.hosts.get(host, {}).get("encryption_keys", {})
            lacking = [name for key, name in wanted.items() if key not in has]
            if lacking and host in self.hosts:
                self.faults.append(
                    f"{host}: its API server does not have the keys {', '.join(lacking)}, with which Secrets in {path} "
                    "may be encrypted. Nobody could read those then: see docs/restore.md, 'Keys of encryption at rest'"
                )
