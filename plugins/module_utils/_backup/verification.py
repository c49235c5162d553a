# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof of an archive that is there: its bytes, its signature, and its snapshot, tried in a folder of its own."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.age import (
    Age,
    read_description,
    read_sealed_archive,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive import (
    DATABASE,
    examine,
    extract_database,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_folder import drafts
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_names import SEALED, named_archives
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.errors import BackupError, FailedError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import TIME, Proof
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import module_signer, refuse_wrong
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.snapshot_proof import SnapshotProver
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import Etcd
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import require_own
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.staging import require_space


class Verification:
    """The module backup with state=verified."""

    def __init__(self, module: AnsibleModule) -> None:
        """Take the options from the module."""
        self.options: Dict[str, Any] = module.params
        self.prover = SnapshotProver(module, Etcd(module))
        self.age, self.signer = Age(module), module_signer(module)
        self.cluster: str = self.options["cluster"] or ""
        self.path = os.path.abspath(self.options["path"])
        self.scratch: str = self.options["scratch_directory"] or os.path.dirname(self.path)

    def run(self) -> Dict[str, Any]:
        """What the module returns.

        Raises:
            BackupError: if the archive is damaged, another cluster's, or signed for another one.
            FailedError: if its snapshot failed the trial.
        """
        listed = named_archives([self.path])
        if listed and listed[0].sealed:
            return self._encrypted()
        return self._plain(self.path)

    def _encrypted(self) -> Dict[str, Any]:
        """Compare the bytes of an encrypted archive; with the private key, prove what is in it."""
        path = self.path
        manifest = read_sealed_archive(path, self.cluster)
        identity = self.options["identity"]
        if not identity:
            signature = self.signer.examine(path, manifest, sha256=read_description(path).sha256)
            refuse_wrong(path, signature)
            proof = Proof("ciphertext", passed=True, time=datetime.now(timezone.utc).strftime(TIME))
            found = {"manifest": manifest.as_dict(), "proof": proof.__dict__, "size": os.path.getsize(path)}
            return {"changed": False, "path": path, "signature": signature.as_dict(), **found}
        require_own(self.scratch, sticky=True)
        require_space(self.scratch, os.path.getsize(path), f"decrypting {path}")
        with drafts(self.scratch) as folder:
            plain = os.path.join(folder, os.path.basename(path)[: -len(SEALED)])
            self.age.decrypt(path, identity, plain)
            return self._plain(plain)

    def _plain(self, path: str) -> Dict[str, Any]:
        """Prove an archive that can be read; messages call it by the path that was asked for."""
        shown_as = self.path
        try:
            examined = examine(path, self.cluster)
        except BackupError as error:
            raise BackupError(error.fault, str(error).replace(path, shown_as)) from error
        manifest = examined.manifest
        signature = self.signer.examine(shown_as, manifest, examined.sha256)
        refuse_wrong(shown_as, signature)
        server = self.prover.server(manifest.etcd.version)
        database = next(part.size for part in manifest.parts if part.name == DATABASE)
        require_own(self.scratch, sticky=True)
        require_space(self.scratch, database + self.prover.trial_space(database), f"proving {shown_as}")
        with drafts(self.scratch) as folder:
            copy = os.path.join(folder, DATABASE)
            extract_database(path, manifest, copy)
            with self.prover.trial(copy, folder, server) as trial:
                snapshot = self.prover.inspect(copy, shown_as, manifest.etcd.version)
                for name in ("revision", "total_keys"):
                    stated, value = getattr(manifest.etcd, name), getattr(snapshot, name)
                    if stated != value:
                        raise BackupError(
                            "untrue",
                            f"the manifest of {shown_as} says {name} {stated}, but it is {value}: do not trust it",
                        )
                proof = self.prover.prove(trial, manifest.etcd)
        result = {
            "changed": False, "path": shown_as, "manifest": manifest.as_dict(), "size": os.path.getsize(shown_as),
            "signature": signature.as_dict(),
        }  # fmt: skip
        if not proof.passed:
            raise FailedError(f"{shown_as} {proof.reason}", fault="proof", **result)
        return {**result, "proof": proof.__dict__}
