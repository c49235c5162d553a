# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which members of an etcd cluster are worth defragmenting: no program is called here.

Compaction leaves unused pages in a member's database. Only defragmenting gives them back to the file system, member by
member (https://etcd.io/docs/v3.6/op-guide/maintenance/#defragmentation).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional

from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.quorum import Cluster, Member, order

NOSPACE = "NOSPACE"
BASE_TIMEOUT = 60
SLOWEST = 5_000_000  # bytes in a second that a slow disk takes
ROOM = 0.9  # of the quota, below which a member has space again


@dataclass(frozen=True)
class Limits:
    """From which waste on a member is defragmented."""

    threshold: int  # percent of the database
    min_unused: int  # bytes
    waived: bool = False

    def exceeded(self, member: Member) -> bool:
        """Whether so much of a member's database is unused."""
        return self.waived or (unused_percent(member) > self.threshold and unused(member) > self.min_unused)


def unused(member: Member) -> int:
    """Bytes of a member's database that defragmenting would win."""
    return max(0, member.db_size - member.db_in_use) if member.db_in_use else 0


def unused_percent(member: Member) -> float:
    """The share of them."""
    return round(100 * unused(member) / member.db_size, 1) if member.db_size else 0.0


def timeout(member: Member) -> int:
    """Seconds that defragmenting a member may take: enough for its whole database on a slow disk."""
    return BASE_TIMEOUT + member.db_size // SLOWEST


def due(cluster: Cluster, limits: Limits, only: Optional[Member]) -> List[Member]:
    """The members to defragment in their order, the leader last; learners take no such request."""
    return [
        member
        for member in order(cluster)
        if member.healthy and not member.learner and (only is None or member.id == only.id) and limits.exceeded(member)
    ]


def full(cluster: Cluster) -> List[Member]:
    """The members that have raised the alarm NOSPACE."""
    return [member for member in cluster.members if NOSPACE in member.alarms]


def still_full(before: Cluster, sizes: Mapping[str, int]) -> List[Member]:
    """Of the members that had raised NOSPACE, those that have no space now.

    Args:
        before: the cluster when they had.
        sizes: the size of each member's database afterwards, by its id as hexadecimal text.
    """
    # Before etcd 3.6 a member does not tell its quota; it was about its size when it raised the alarm.
    return [member for member in full(before) if sizes[member.hex_id] > ROOM * (member.db_quota or member.db_size)]


def describe(member: Member, leader: int) -> Dict[str, Any]:
    """A member as the module returns it before anything was done."""
    return {
        "id": member.hex_id,
        "name": member.name,
        "leader": bool(member.id) and member.id == leader,
        "healthy": member.healthy,
        "size_before": member.db_size,
        "in_use_before": member.db_in_use,
        "unused_percent": unused_percent(member),
        "defragmented": False,
        "size_after": member.db_size,
        "seconds": 0.0,
    }
