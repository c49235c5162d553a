# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of archives: cluster, time and the beginning of the cluster's identity; whether encrypted, whether bad."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Iterable, List

from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import parse_time

BAD = ".bad"
SEALED = ".age"
TIME_IN_NAME = "%Y%m%dT%H%M%SZ"
NAME = re.compile(
    r"(?P<cluster>[\w.-]+)-(?P<time>\d{8}T\d{6}Z)(-(?P<uid>[0-9a-f]{8}))?\.tar(?P<sealed>\.age)?(?P<bad>\.bad)?"
)
SHORT = 8  # so much of a cluster's UID is in a name
CLUSTER = re.compile(r"[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?", re.ASCII)


@dataclass(frozen=True)
class Listed:
    """An archive as its name tells it."""

    path: str
    cluster: str
    time: datetime
    bad: bool
    sealed: bool = False
    uid: str = ""  # the beginning of the cluster's

    @property
    def name(self) -> str:
        """The name in its folder."""
        return os.path.basename(self.path)


def archive_name(cluster: str, moment: datetime, uid: str = "") -> str:
    """The name of a cluster's archive; names sort by time, and clusters of one name do not meet."""
    return "-".join(filter(None, (cluster, moment.strftime(TIME_IN_NAME), uid[:SHORT]))) + ".tar"


def list_archives(directory: str, cluster: str = "") -> List[Listed]:
    """The files of a folder that have an archive's name, newest first."""
    names = os.listdir(directory) if os.path.isdir(directory) else []
    return named_archives([os.path.join(directory, name) for name in names], cluster)


def named_archives(paths: Iterable[str], cluster: str = "") -> List[Listed]:
    """Those of some paths that have an archive's name, newest first."""
    found = []
    for path in paths:
        match = NAME.fullmatch(os.path.basename(path))
        if match is None or (cluster and match["cluster"] != cluster):
            continue
        try:
            moment = parse_time(match["time"], TIME_IN_NAME)
        except ValueError:
            continue
        sealed, uid = bool(match["sealed"]), match["uid"] or ""
        found.append(Listed(path, match["cluster"], moment, bool(match["bad"]), sealed, uid))
    return sorted(found, key=lambda item: (item.time, item.path), reverse=True)
