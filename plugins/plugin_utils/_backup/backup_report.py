# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people need to know of a backup that was made, or tried in a drill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import fingerprint
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.plan import columns
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.restore_summary import age

UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def backup_report(made: Mapping[str, Any], host: str, controller: str, *, check: bool) -> list[str]:
    """Lines for people.

    Args:
        made: what the module backup returned.
        host: who made it.
        controller: its path on the machine that runs Ansible; empty where it is not there.
        check: whether it is check mode.
    """
    if check and made["made"]:
        rows = [("archive", f"{made['path']} on {host} would be made")]
    elif made["made"]:
        state = made["manifest"]["etcd"]
        keys = state["total_keys"] if state["keys"] is None else state["keys"]
        rows = [
            ("archive", f"{made['path']} on {host}"),
            ("size", f"{size(made['size'])}, with {keys} keys of etcd at revision {state['revision']}"),
            ("proven", proven(made["proof"])),
            ("signed", signed(made.get("signer", ""))),
            *(("copy", copied(copy)) for copy in made.get("copies", [])),
            *([("copy", f"{controller} on the machine that runs Ansible")] if controller else []),
        ]
    else:
        rows = [("no backup", made["reason"])]
    kept = len(made["kept"])
    rows += [("kept", f"{kept} good archive{'' if kept == 1 else 's'}")] if kept else []
    for word, name in (
        ("would go" if check else "removed", "removed"),
        ("damaged", "damaged"),
        ("not counted, without an identity", "unidentified"),
        ("of other clusters", "others"),
    ):
        rows += [(word, text) for text in made[name]]
    return columns(rows)


def drill_report(plan: Mapping[str, Any], host: str, tried: Mapping[str, Any], seconds: float) -> list[str]:
    """Lines for people.

    Args:
        plan: of the restore.
        host: where the archive was tried.
        tried: what the module backup returned; empty in check mode where the archive is not on the host.
        seconds: since the drill began.
    """
    archive = plan["archive"]
    lost = plan["revisions_lost"]
    how = "not tried in check mode"
    if tried.get("proof"):
        how = f"{proven(tried['proof'])}, of {archive['etcd']['keys']} in the backup"
    return columns(
        [
            ("archive", f"{archive.get('source', archive['path'])}, tried on {host}"),
            ("size", size(archive["size"])),
            ("proven", how),
            ("signed", plan["signed"]),
            ("would take (rto)", f"{seconds:.1f} seconds" + took(tried)),
            (
                "would lose (rpo)",
                age(archive["age"]) + ("" if lost is None else f", in which the cluster has made {lost} changes"),
            ),
        ]
    )


def size(number: int) -> str:
    """Bytes for people."""
    value, unit = float(number), 0
    while value >= 1024 and unit < len(UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.{1 if unit else 0}f} {UNITS[unit]}"


def took(tried: Mapping[str, Any]) -> str:
    """The part of the time that the trial took."""
    return f", {tried['seconds']:.1f} of them for the trial restore" if "seconds" in tried else ""


def proven(proof: Mapping[str, Any]) -> str:
    """How a backup was proven."""
    if proof.get("level") == "restore":
        return f"a private etcd that was started on it had {proof['keys']} keys"
    return "its hash and etcd's status of it; no trial restore"


def signed(signer: str) -> str:
    """By whom, with the end of a public key's line, which names its owner."""
    if not signer:
        return "by nobody"
    words: Sequence[str] = signer.split(maxsplit=2)
    return f"by {fingerprint(signer)}" + (f" ({words[2]})" if len(words) > 2 else "")


def copied(copy: Mapping[str, Any]) -> str:
    """What came of a copy."""
    return str(copy["target"]) + ("" if copy["ok"] else f" FAILED: {copy['error']}")
