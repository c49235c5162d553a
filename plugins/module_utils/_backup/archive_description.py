# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an archive says of itself, as a restore is planned with it: its identity, its maker, its keys, its fault."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from datetime import datetime
from typing import Any, Dict

from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive import FILES, examine, extract_part
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_names import SEALED
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.errors import BackupError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import Manifest, parse_time
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.restored_files import SMALL
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import Signer

IDENTITY_LENGTH = 16
ENCRYPTED = "encrypted"
ENCRYPTION = FILES + "/etc/kubernetes/encryption"
FEW = 100  # more than there are files with keys of encryption at rest
KEY = re.compile(r"""(?:name["']?\s*:\s*["']?([^"'\s,]+)["']?\s*,?\s*["']?)?secret["']?\s*:\s*["']?([A-Za-z0-9+/=]+)""")


def identity(manifest: Manifest) -> str:
    """What tells an archive from all others: its manifest has the SHA-256 of each of its parts."""
    known = manifest.as_dict()
    if not manifest.cluster_uid:  # as releases before it was known have named the archive
        del known["cluster_uid"]
    text = json.dumps(known, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:IDENTITY_LENGTH]


def authority(manifest: Manifest, path: str = "/etc/kubernetes/pki/ca.crt") -> str:
    """The SHA-256 of the cluster's CA certificate in an archive; empty where it is not in it."""
    return next((part.sha256 for part in manifest.parts if part.name == FILES + path), "")


def encryption_keys(text: str) -> Dict[str, str]:
    """The keys in a configuration of encryption at rest: their names by the beginnings of their SHA-256.

    Hosts need have no reader of YAML, so a pattern finds them in the forms in which people write the file. A key that
    it misses is not asked for; none can be taken for another, since they are compared by their digests.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    found = KEY.findall("\n".join(lines))
    return {hashlib.sha256(key.encode()).hexdigest()[:IDENTITY_LENGTH]: name or "without a name" for name, key in found}


def stored_keys(path: str, manifest: Manifest) -> Dict[str, str]:
    """The keys of encryption at rest in an archive."""
    found: Dict[str, str] = {}
    parts = [part for part in manifest.parts if part.name.startswith(ENCRYPTION) and part.size <= SMALL]
    for part in parts[:FEW]:
        content = io.BytesIO()
        extract_part(path, part, content)
        found.update(encryption_keys(content.getvalue().decode("utf-8", "replace")))
    return found


def describe_archive(path: str, cluster: str, now: datetime, signer: Signer, *, quick: bool) -> Dict[str, Any]:
    """What an archive says of itself, and who signed it, in the form of restore_info; quick: its bytes are not read."""
    if path.endswith(SEALED):
        message = f"{path} is encrypted. Name the file with its private key (restore_identity)"
        return {"path": path, "fault": ENCRYPTED, "message": message}
    try:
        examined = examine(path, cluster, quick)
        manifest = examined.manifest
        keys = stored_keys(path, manifest)
    except (BackupError, OSError) as error:
        return {"path": path, "fault": getattr(error, "fault", "missing"), "message": str(error)}
    passed = manifest.proof.passed
    return {
        "path": path,
        "fault": "" if passed else "proof",
        "message": "" if passed else f"{path} {manifest.proof.reason or 'failed its proof'}",
        "identity": identity(manifest),
        "cluster": manifest.cluster,
        "cluster_uid": manifest.cluster_uid,
        "created": manifest.created,
        "age": int((now - parse_time(manifest.created)).total_seconds()),
        "size": os.path.getsize(path),
        "whole": not quick,
        "signature": signer.examine(path, manifest, examined.sha256, whole=not quick).as_dict(),
        "host": manifest.host,
        "authority": authority(manifest),
        "encryption_keys": keys,
        "kubernetes_version": manifest.kubernetes_version,
        "etcd": {"version": manifest.etcd.version, "revision": manifest.etcd.revision, "keys": manifest.etcd.keys},
    }
