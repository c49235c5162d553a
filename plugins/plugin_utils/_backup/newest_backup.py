# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The newest proven backup that hosts have, and who signed it, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import GOOD, NONE, UNREAD


def newest_backup(results: Sequence[Mapping[str, Any]], trusted: Sequence[str]) -> dict[str, Any]:
    """What is known of the backups on several hosts.

    Args:
        results: what backup_info returned; of hosts that could not be asked nothing counts.
        trusted: public keys of those who make the cluster's archives.

    Raises:
        KeyError: if a backup lacks something.
    """
    valid = [backup for result in results for backup in result.get("backups", []) if backup["valid"]]
    newest = min(valid, key=lambda backup: float(backup["age"]), default=None)
    return {
        "found": newest is not None,
        "age": newest["age"] if newest else None,
        "signed": _signed(newest.get("signature") or {}, trusted) if newest else "",
        "unidentified": [path for result in results for path in result.get("unidentified", [])],
    }


def _signed(signature: Mapping[str, Any], trusted: Sequence[str]) -> str:
    """Who signed it."""
    state = signature.get("state", NONE)
    if state not in (GOOD, UNREAD):
        return "not signed" if state == NONE else "its signature could not be verified"
    text = f"signed by {signature['fingerprint']}" + (" (its bytes were not read)" if state == UNREAD else "")
    # A line of a public key is its type, the key, and a comment.
    if signature["key"].split()[1] in " ".join(trusted).split():
        return text
    return (
        f"{text}, which is not in backup_trusted_signers: a rebuild would not know it. The public key is "
        f"{signature['key']}"
    )
