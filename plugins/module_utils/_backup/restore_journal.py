# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a host has come with a restore: a journal that outlives an interrupted run."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, fields
from typing import Any, Dict, Optional

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.staging import fsync_path

JOURNAL = "/var/lib/groundwork/restore.json"
STAGED, SWITCHED, PROVEN, FINISHED, ROLLED_BACK = "staged", "switched", "proven", "finished", "rolled_back"
STAGING = "staging"
"""The stages of a restore, in this order; the last two end it."""


class RestoreError(Exception):
    """Why a restore cannot be done, or not go on; fault is a word for programs, the message for people."""

    def __init__(self, fault: str, message: str) -> None:
        self.fault = fault
        super().__init__(message)


@dataclass(frozen=True)
class Journal:
    """How far a host has come.

    Attributes:
        id: the restore's name, the same on all members.
        cluster: the cluster's name.
        identity: of the archive that is restored.
        path: where that archive was on this host.
        created: when it was made.
        stage: what was done last.
        data_dir: the member's data directory.
        had_data: whether there was data before.
        revision: the cluster's revision right after the restore.
        keys: how many keys there must be; None where that is not known.
    """

    id: str
    cluster: str
    identity: str
    path: str
    created: str
    stage: str
    data_dir: str
    had_data: bool = True
    revision: int = 0
    keys: Optional[int] = None

    def as_dict(self) -> Dict[str, Any]:
        """The form in which it is written, and returned by modules."""
        return asdict(self)


def read_journal(path: str) -> Optional[Journal]:
    """What an earlier run wrote, or None.

    Raises:
        RestoreError: if it cannot be read.
    """
    try:
        with open(path, encoding="utf-8") as stream:
            data = json.load(stream)
        return Journal(**{item.name: data[item.name] for item in fields(Journal)})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RestoreError(
            "journal",
            f"{path} cannot be read ({error!r}), so it is not known how far a restore has come: look at the folders "
            "beside the member's data, then remove the file or put it right",
        ) from error


def put_back_journal(path: str, before: Optional[Journal]) -> None:
    """Write what an earlier run wrote again; without that, remove the file."""
    if before:
        write_journal(path, before)
    else:
        os.unlink(path)
        fsync_path(os.path.dirname(path))


def write_journal(path: str, journal: Journal) -> None:
    """Write it in one step, on disk to stay."""
    folder = os.path.dirname(path)
    os.makedirs(folder, 0o755, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=folder, prefix=".restore-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(journal.as_dict(), stream, indent=2, sort_keys=True)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
    fsync_path(folder)
