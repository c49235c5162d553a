# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new archive: a member's snapshot, proven, written with the files, read back, encrypted, signed, and then named."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Dict, Optional, Sequence, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.age import DESCRIPTION, Age, describe_sealed
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive import (
    DATABASE,
    archive_size,
    read_archive,
    write_archive,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_folder import drafts
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_names import (
    BAD,
    SEALED,
    archive_name,
    named_archives,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.copies import file_sha256
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.errors import BackupError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import (
    TIME,
    Manifest,
    manifest_sha256,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.owner import Owner
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import (
    GOOD,
    SIGNATURE,
    SigningError,
    module_signer,
    state_statement,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.snapshot_proof import SnapshotProver
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import (
    CommandError,
    EndpointStatus,
    Etcd,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.snapshot import HASH_SIZE
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.install import label
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.staging import (
    NoSpaceError,
    fsync_path,
    require_space,
)


@dataclass(frozen=True)
class CreatedArchive:
    """A new archive.

    Attributes:
        path: where it lies; with .bad at its end if it is no good.
        manifest: what it says of itself.
        sha256: of the file, as it lies there.
        signer: the public key that it was signed with, or empty.
        reason: why it does not count as a backup, or empty.
        fault: the same in one word.
    """

    path: str
    manifest: Manifest
    sha256: str
    signer: str
    reason: str
    fault: str


@dataclass(frozen=True)
class _ReadBack:
    """What was found in an archive that was just written: its fault, and unless it is to be encrypted, its hash."""

    error: Optional[BackupError]
    sha256: str


class ArchiveCreation:
    """Creates archives as a module's options ask for."""

    def __init__(self, module: AnsibleModule, etcd: Etcd, prover: SnapshotProver, host: str) -> None:
        """Take the options from the module.

        Args:
            module: with the options of the module backup.
            etcd: the tools.
            prover: proves the snapshot.
            host: the host's name for the manifest and for a new key.
        """
        self.module, self.etcd, self.prover, self.host = module, etcd, prover, host
        self.options: Dict[str, Any] = module.params
        self.directory = os.path.abspath(self.options["directory"])
        self.age, self.signer = Age(module), module_signer(module)

    def require_room(self, source: EndpointStatus, files: Sequence[str]) -> None:
        """Refuse a backup that a file system has no room for.

        The trial is gone before the archive is written, and the snapshot before the archive is encrypted.

        Raises:
            NoSpaceError: with what is needed.
        """
        database = source.db_size + HASH_SIZE
        archive = archive_size([database, *(os.path.getsize(path) for path in files)])
        trial = self.prover.trial_space(database)
        encrypting = 2 * archive if self.options["encrypt_to"] else 0
        scratch = self.options["scratch_directory"]
        what = f"a backup of {source.endpoint}"
        here = archive if scratch else database + max(archive, trial)
        require_space(self.directory, max(here, encrypting), what)
        if scratch:
            require_space(scratch, database + trial, what)

    def create(
        self,
        path: str,
        owner: Owner,
        source: EndpointStatus,
        files: Sequence[str],
        extra: Sequence[Tuple[str, bytes]],
    ) -> CreatedArchive:
        """Save, prove, archive, read back, encrypt, and only then give the archive its name.

        Args:
            path: the archive to come, whose name has its time.
            owner: the cluster.
            source: the member that is asked for the snapshot.
            files: absolute paths of files of the host.
            extra: paths and contents of files that are not on the host.
        """
        public = self._ready_key()
        with drafts(self.options["scratch_directory"] or self.directory) as scratch, drafts(self.directory) as folder:
            database = os.path.join(scratch, DATABASE)
            source = self._save(source, database)
            server = self.prover.server(source.version)
            proven = self.prover.prove_new(database, scratch, source, server)
            [named] = named_archives([path])
            manifest = Manifest(
                cluster=owner.cluster,
                cluster_uid=owner.uid,
                host=self.host,
                created=named.time.strftime(TIME),
                kubernetes_version=self.options["kubernetes_version"],
                etcd=proven.state,
                proof=proven.proof,
            )
            draft = os.path.join(folder, archive_name(owner.cluster, named.time, owner.uid))
            manifest = write_archive(draft, manifest, database, files, extra, sha256=proven.sha256)
            os.unlink(database)
            reason, fault = proven.proof.reason, "proof"
            found = self._read_back(draft, owner.cluster)
            if found.error and not reason:
                reason, fault = f"cannot be read back: {found.error}", found.error.fault
            final = path + BAD if reason else path
            sha256 = self._publish(draft, final, manifest, found.sha256)
        return CreatedArchive(final, manifest, sha256, public, reason, fault if reason else "")

    def _read_back(self, draft: str, cluster: str) -> _ReadBack:
        """Read what lies on the disk, once: its parts are compared while another thread hashes the whole."""
        with ThreadPoolExecutor(1) as pool:
            whole = None if self.options["encrypt_to"] else pool.submit(file_sha256, draft)
            error: Optional[BackupError] = None
            try:
                read_archive(draft, cluster)
            except BackupError as fault:
                error = fault
            return _ReadBack(error, whole.result() if whole else "")

    def _ready_key(self) -> str:
        """The public half of the key that signs, which is made where it is absent; empty without one."""
        key = self.options["signing_key"]
        if not key:
            return ""
        self.signer.make_key(key, self.host)
        return self.signer.public_key(key)

    def _publish(self, draft: str, final: str, manifest: Manifest, sha256: str) -> str:
        """Give a plain archive of a known hash its name, or encrypt it and give that its name; return its hash."""
        recipients, key = self.options["encrypt_to"], self.options["signing_key"]
        content = manifest_sha256(manifest)
        beside: Dict[str, bytes] = {}
        if recipients:
            plain, draft = draft, draft + SEALED
            sealed = self.age.encrypt(plain, draft, recipients)
            os.unlink(plain)
            sha256 = sealed.sha256
            beside[DESCRIPTION] = describe_sealed(final, sealed, recipients, manifest)
        if key and not final.endswith(BAD):
            statement = state_statement(final, manifest, os.path.getsize(draft), sha256, content)
            beside[SIGNATURE] = self.signer.sign(statement, key)
        for suffix, text in beside.items():
            with open(draft + suffix, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            label(self.module, draft + suffix, final + suffix)
        if SIGNATURE in beside:
            signature = self.signer.examine(draft, manifest, content, sha256)
            if signature.state != GOOD:
                raise SigningError(f"the new archive {signature.message}: nothing of it was kept")
        for suffix in beside:  # alone they count for nothing, and the archive comes at once
            os.replace(draft + suffix, final + suffix)
        label(self.module, draft, final)
        os.replace(draft, final)
        fsync_path(self.directory)
        return sha256

    def _save(self, source: EndpointStatus, database: str) -> EndpointStatus:
        """Let a member write its snapshot; if it fails, ask another one, once. Return who gave it."""
        try:
            return self._save_from(source, database)
        except CommandError as error:
            self.module.warn(
                f"{source.endpoint} did not give a snapshot ({error.reason}): the next healthy member is asked"
            )
        if os.path.lexists(database):
            os.unlink(database)
        return self._save_from(self.etcd.source(self.options["allow_unhealthy"]), database)

    def _save_from(self, source: EndpointStatus, database: str) -> EndpointStatus:
        """Let a member write its snapshot."""
        try:
            self.etcd.save(source.endpoint, database, self.options["save_timeout"])
        except CommandError as error:
            if error.no_space:
                raise NoSpaceError(
                    f"{os.path.dirname(os.path.dirname(database))} became full while the snapshot of {source.endpoint} "
                    "was written; nothing of it is left there. Free some space or choose another file system"
                ) from error
            raise
        return source
