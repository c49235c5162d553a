# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an archive says of itself: whose it is, what the snapshot in it holds, how that was proven, and its files."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any, Dict, List, Optional

from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.errors import BackupError

FORMAT = 1
TOOL_VERSION = "0.1.0"  # the collection's, as in galaxy.yml
TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Part:
    """A file in the archive."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Proof:
    """What was done to prove the snapshot, and what came of it."""

    level: str
    passed: bool
    reason: str = ""
    time: str = ""
    seconds: float = 0.0
    tool: str = ""
    keys: Optional[int] = None


@dataclass(frozen=True)
class EtcdState:
    """What the snapshot holds; keys and sample are what the member itself answered at the snapshot's revision."""

    version: str
    endpoint: str
    revision: int
    total_keys: int
    keys: Optional[int] = None
    sample_prefix: str = ""
    sample_keys: Optional[int] = None
    sample_sha256: str = ""


@dataclass(frozen=True)
class Manifest:
    """What an archive says of itself."""

    cluster: str
    host: str
    created: str
    kubernetes_version: str
    etcd: EtcdState
    proof: Proof
    parts: List[Part] = field(default_factory=list)
    tool_version: str = TOOL_VERSION
    format: int = FORMAT
    cluster_uid: str = ""  # of its namespace kube-system; archives of older releases have none

    def as_dict(self) -> Dict[str, Any]:
        """The form in which it is written, and returned by modules."""
        return asdict(self)


def parse_time(text: str, form: str = TIME) -> datetime:
    """A time in UTC."""
    return datetime.strptime(text, form).replace(tzinfo=timezone.utc)


def manifest_text(manifest: Manifest) -> bytes:
    """A manifest as it is written into an archive."""
    return (json.dumps(manifest.as_dict(), indent=2, sort_keys=True) + "\n").encode()


def manifest_sha256(manifest: Manifest) -> str:
    """The SHA-256 of the same."""
    return hashlib.sha256(manifest_text(manifest)).hexdigest()


def parse_manifest(data: Any) -> Manifest:
    """A manifest as it was read.

    Raises:
        BackupError: if it is another format, or lacks something.
    """
    found = data.get("format") if isinstance(data, dict) else None
    if found != FORMAT:
        raise BackupError("unknown_format", f"has a manifest of format {found!r}; this release reads {FORMAT}")
    try:
        manifest = Manifest(
            **{
                **data,
                "etcd": EtcdState(**data["etcd"]),
                "proof": Proof(**data["proof"]),
                "parts": [Part(**part) for part in data["parts"]],
            }
        )
        parse_time(manifest.created)
    except (KeyError, TypeError, ValueError) as error:
        raise BackupError("manifest", f"has a manifest that cannot be read: {error}") from error
    texts = ("cluster", "cluster_uid", "host", "kubernetes_version")
    wrong = [name for name in texts if not isinstance(getattr(manifest, name), str)]
    wrong += [
        f"etcd.{name}" for name in ("revision", "total_keys") if not isinstance(getattr(manifest.etcd, name), int)
    ]
    wrong += [] if isinstance(manifest.proof.passed, bool) else ["proof.passed"]
    wrong += [f"parts: {part.name!r}" for part in manifest.parts if not isinstance(part.size, int)]
    if wrong:
        raise BackupError("manifest", f"has a manifest with wrong types: {', '.join(wrong)}")
    return manifest
