# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which versions of etcd can go on with the data of which."""

from __future__ import annotations

import re
from typing import Optional, Tuple

OLDEST, NEWEST = (3, 4), (3, 7)
Minor = Tuple[int, int]


def minor(version: str) -> Optional[Minor]:
    """Major and minor of a version of etcd, such as 3.5.16 or 3.5.16-0; None where it is none."""
    found = re.match(r"v?(\d+)\.(\d+)(\.|$)", version)
    return (int(found.group(1)), int(found.group(2))) if found else None


def version_fault(archive: str, member: str, tool: str) -> str:
    """Why data of one version of etcd cannot become data of another, or nothing.

    etcd reads data of its own minor version and of the one before
    (https://etcd.io/docs/v3.6/upgrades/upgrading-etcd/).

    Args:
        archive: the version of the member that gave the snapshot.
        member: the version that is going to run on the data; empty where it is not known.
        tool: the version of the tool that makes the data.
    """
    made, runs, reads = minor(archive), minor(member or tool), minor(tool)
    if made is None or runs is None or reads is None:
        return f"the versions of etcd cannot be compared: archive {archive!r}, member {member!r}, tool {tool!r}"
    if not OLDEST <= made <= NEWEST:
        return f"it was made with etcd {archive}, but 3.4 to 3.7 can be restored"
    if made > runs:
        return f"it was made with etcd {archive}, which the older etcd {member or tool} of this host cannot read"
    if made[0] != runs[0] or runs[1] - made[1] > 1:
        return (
            f"it was made with etcd {archive}, but etcd {member or tool} of this host reads only data of its own minor "
            "version and of the one before: restore it with an etcd in between, and upgrade that"
        )
    if reads not in (made, runs):
        return f"it was made with etcd {archive} and etcd {member} is to run, but the tool on this host is of {tool}"
    return ""
