# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files a running service was started with, so that a restart that is due is seen.

Times cannot tell for certain: clocks are set, and some stand still while a machine is paused. So a module that starts a
service, or finds that it needs no restart, notes the service's files on the host, under the id that systemd gives to
each start. Only for a file and a start of which there is no note, times are compared; in doubt the service is
restarted, once, as there is a note then.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from dataclasses import asdict, dataclass
from typing import Dict, Iterable, List, Optional

FOLDER = "/run/groundwork/services"  # gone with the processes when the host starts anew


@dataclass(frozen=True)
class Trace:
    """A file as it was; its content is read only where the rest differs."""

    inode: int
    size: int
    mtime_ns: int
    sha256: str


def trace(path: str, known: Optional[Trace]) -> Optional[Trace]:
    """A file as it is; None where there is none.

    Args:
        path: of the file.
        known: the file as it was.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    if known and (known.inode, known.size, known.mtime_ns) == (found.st_ino, found.st_size, found.st_mtime_ns):
        return known
    digest = hashlib.sha256()
    if stat.S_ISREG(found.st_mode):
        with open(path, "rb") as stream:
            for block in iter(lambda: stream.read(1024 * 1024), b""):
                digest.update(block)
    return Trace(found.st_ino, found.st_size, found.st_mtime_ns, digest.hexdigest())


class Started:
    """The note of one service's start."""

    def __init__(self, unit: str, invocation: str) -> None:
        """Read it.

        Args:
            unit: the service's name.
            invocation: systemd's id of its start; empty where there is none.
        """
        self.path, self.invocation = os.path.join(FOLDER, f"{unit}.json"), invocation
        self.known: Dict[str, Optional[Trace]] = self._read()
        self.now: Dict[str, Optional[Trace]] = {}
        self.due: List[str] = []

    def _read(self) -> Dict[str, Optional[Trace]]:
        try:
            with open(self.path, encoding="utf-8") as stream:
                data = json.load(stream)
            if not self.invocation or data["invocation"] != self.invocation:
                return {}
            return {path: Trace(**found) if found else None for path, found in data["files"].items()}
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def changed(self, paths: Iterable[str], read_at: Optional[float]) -> List[str]:
        """Files that are others than the service has read.

        Args:
            paths: the files; one that is not there is none to read, unless it was there when the service read it.
            read_at: when it read them as far as the clocks tell, in seconds since the epoch; None where unknown.
        """
        found = []
        for path in sorted(set(paths)):
            known, now = self.known.get(path), trace(path, self.known.get(path))
            self.now[path] = now
            if path in self.known:
                differs = (known and known.sha256) != (now and now.sha256)
            else:
                differs = now is not None and read_at is not None and now.mtime_ns > read_at * 1e9
            if differs:
                found.append(path)
        self.due += found
        return found

    def note(self, invocation: str, reread: Iterable[str] = ()) -> None:
        """Keep what the service has read.

        Args:
            invocation: systemd's id of its start by now. After another start it has read all files.
            reread: files that it has read again without a start.
        """
        files = dict(self.now)
        if invocation == self.invocation:
            unread = set(self.due) - set(reread)
            files = {**self.known, **{path: found for path, found in self.now.items() if path not in unread}}
        if not invocation or (invocation == self.invocation and files == self.known):
            return
        data = {"invocation": invocation, "files": {path: found and asdict(found) for path, found in files.items()}}
        os.makedirs(FOLDER, mode=0o700, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=FOLDER)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(data, stream)
        os.replace(draft, self.path)
