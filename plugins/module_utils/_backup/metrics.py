# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a cluster's backups in Prometheus' text format, for the node exporter's textfile collector."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any, BinaryIO, Dict, List, Optional, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_folder import ArchiveFolder
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import parse_time
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.owner import UID, Owner
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import open_folder, read_file, resolve

Value = Tuple[str, str, float, Dict[str, str]]
IDENTITY, LABEL = "cluster_info", "cluster_uid"


@dataclass(frozen=True)
class LastRun:
    """What came of a run.

    Attributes:
        ok: it made a proven backup and all copies, or none was due.
        skipped: none was due.
        seconds: how long it took.
        time: when it ended, in seconds since 1970.
        newest_anywhere: when the newest proven backup of any host was made, where that is known.
    """

    ok: bool
    skipped: bool
    seconds: float
    time: int
    newest_anywhere: Optional[int] = None


def metrics(owner: Owner, folder: ArchiveFolder, run: LastRun, copies: Dict[str, Any]) -> str:
    """The text.

    Args:
        owner: the cluster.
        folder: the archives on this host.
        run: what came of the last run.
        copies: what is known of the copies, by their names.
    """
    values: List[Value] = [
        ("last_run_success", "Whether the last run made a proven backup and its copies, or none was due", run.ok, {}),
        ("last_run_skipped", "Whether none was due in the last run, since another is new enough", run.skipped, {}),
        ("last_run_timestamp_seconds", "When the last run ended", run.time, {}),
        ("last_run_duration_seconds", "Duration of the last run", round(run.seconds, 3), {}),
        ("archives", "Good archives on this host", len(folder.good), {}),
        ("bad_archives", "Archives on this host that failed their proof", len(folder.bad), {}),
        (
            "unidentified_archives",
            "Archives of the cluster's name on this host that carry no cluster's identity, and do not count",
            len(folder.unidentified),
            {},
        ),
    ]
    if owner.uid:
        values.append((IDENTITY, "The identity of the cluster, the UID of kube-system", 1, {LABEL: owner.uid}))
    if run.newest_anywhere is not None:
        text = "When the newest proven backup of any host was made"
        values.append(("newest_on_any_host_timestamp_seconds", text, run.newest_anywhere, {}))
    if folder.newest:
        proof = folder.newest.proof
        values += [
            ("last_proof_success", "Whether the newest archive on this host passed its proof", proof.passed, {}),
            ("last_proof_duration_seconds", "Duration of the trial restore of the newest archive", proof.seconds, {}),
        ]
    if folder.good:
        item, manifest = folder.good[0]
        created = int(parse_time(manifest.created).timestamp())
        size = os.path.getsize(item.path)
        values += [
            ("last_success_timestamp_seconds", "When the newest good archive on this host was made", created, {}),
            ("last_success_size_bytes", "Size of the newest good archive on this host", size, {}),
            ("last_success_revision", "etcd's revision in the newest good archive", manifest.etcd.revision, {}),
        ]
    for name, known in sorted(copies.items()):
        label = {"copy": name}
        values.append(
            ("copy_success", "Whether the last copy to this place was verified", known.get("ok", False), label)
        )
    for name, known in sorted(copies.items()):
        text = "When an archive was last copied to this place and verified"
        values.append(("copy_last_success_timestamp_seconds", text, known.get("time", 0), {"copy": name}))
    return _render(owner.cluster, values)


def _render(cluster: str, values: List[Value]) -> str:
    lines: List[str] = []
    described = set()
    for name, text, value, labels in values:
        full = f"groundwork_backup_{name}"
        if name not in described:
            lines += [f"# HELP {full} {text}.", f"# TYPE {full} gauge"]
            described.add(name)
        pairs = ",".join(f'{key}="{word}"' for key, word in {"cluster": cluster, **labels}.items())
        lines.append(f"{full}{{{pairs}}} {int(value) if isinstance(value, bool) else value}")
    return "\n".join(lines) + "\n"


def known_uid(target: str, cluster: str) -> str:
    """The cluster's identity as an earlier run wrote it, for a run that did not come to ask etcd."""
    try:
        text = (read_file(target) or b"").decode("utf-8", "replace")
    except OSError:
        return ""
    found = re.search(rf'_{IDENTITY}{{cluster="{re.escape(cluster)}",{LABEL}="({UID})"}}', text)
    return found.group(1) if found else ""


def write_metrics(target: str, text: str) -> None:
    """Put the text in its place in one step; the collector reads only names that end in .prom.

    The folder is the collector's as a rule, so a link in it is never followed.

    Raises:
        OSError: if the folder is not there, or there is a link on the way to it.
    """

    def fill(stream: BinaryIO) -> None:
        stream.write(text.encode())
        os.fchmod(stream.fileno(), 0o644)

    folder_path, name = os.path.split(resolve(target))
    with open_folder(folder_path) as folder:
        folder.write(name, fill)
