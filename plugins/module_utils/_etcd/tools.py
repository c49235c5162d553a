# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcd's programs: their versions, what each can do, and how they fail."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import NamedTuple, Sequence


class EtcdError(Exception):
    """What a module reports: etcd or one of its tools did not do what was asked."""


class ToolMissingError(EtcdError):
    """No binary on this host can do it."""


class CommandError(EtcdError):
    """A tool exited with an error; the message holds the command and its message."""

    def __init__(self, command: Sequence[str], rc: int, stderr: str) -> None:
        self.rc, self.stderr, self.reason = rc, stderr, explain(stderr)
        super().__init__(f"{' '.join(command)} failed with exit code {rc}: {self.reason}")

    @property
    def no_space(self) -> bool:
        """Whether a file system was full."""
        return "no space left on device" in self.stderr


class Version(NamedTuple):
    """A version of etcd, comparable."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


@dataclass(frozen=True)
class Tool:
    """A binary and its version."""

    path: str
    version: Version

    @property
    def name(self) -> str:
        """etcdctl or etcdutl."""
        return os.path.basename(self.path)

    @property
    def bumps_revision(self) -> bool:
        """Whether its restore knows --bump-revision and --mark-compacted."""
        first = {(3, 4): Version(3, 4, 27), (3, 5): Version(3, 5, 10)}
        return self.version >= first.get(self.version[:2], Version(3, 6, 0))

    @property
    def reads_snapshots(self) -> bool:
        """Whether it has the commands snapshot status and snapshot restore: etcdctl lost them in 3.6."""
        return self.name == "etcdutl" or self.version < Version(3, 6, 0)


def parse_version(text: str) -> Version:
    """The version that ``etcdctl version``, ``etcdutl version`` or ``etcd --version`` prints."""
    match = re.search(r"version:\s*v?(\d+)\.(\d+)\.(\d+)", text, re.IGNORECASE)
    if match is None:
        raise EtcdError(f"cannot read a version from {text.strip()!r}")
    return Version(*(int(part) for part in match.groups()))


def explain(stderr: str) -> str:
    """The lines meant for people: log records are dropped unless there is nothing else."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    plain = [line for line in lines if not re.match(r"\{|\d{4}-\d\d-\d\d[T ].*\b(info|warn|I|W)\b", line)]
    errors = [line for line in plain if line.startswith(("Error:", "panic:", "fatal error:"))]
    return "; ".join((errors or plain or lines[-1:])[:3]) or "no message"
