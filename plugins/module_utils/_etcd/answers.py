# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the JSON of etcdctl is read; etcd leaves out fields that are false, zero or empty."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, List, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.tools import EtcdError


@dataclass(frozen=True)
class EndpointHealth:
    """Whether a member answered a read that needs the quorum, and had no alarm."""

    endpoint: str
    healthy: bool
    error: str


@dataclass(frozen=True)
class EndpointStatus:
    """What one member says of itself."""

    endpoint: str
    member_id: int
    leader: int
    version: str
    revision: int
    db_size: int
    learner: bool
    errors: Tuple[str, ...]
    db_in_use: int = 0
    db_quota: int = 0
    raft_term: int = 0
    raft_index: int = 0
    raft_applied_index: int = 0


@dataclass(frozen=True)
class MemberRecord:
    """What the cluster's list says of a member; one that has never started has no name and no client URLs."""

    id: int
    name: str
    peer_urls: Tuple[str, ...]
    client_urls: Tuple[str, ...]
    learner: bool


@dataclass(frozen=True)
class Alarm:
    """An alarm that is raised, and the member that raised it."""

    member_id: int
    kind: str


@dataclass(frozen=True)
class Sample:
    """A read below a prefix: how many keys are there, the member's revision, and the hash of the first few of them."""

    count: int
    revision: int
    sha256: str


def parse_health(text: str) -> List[EndpointHealth]:
    """The answer of ``endpoint health``; members in the order in which they answered."""
    return [
        EndpointHealth(item["endpoint"], bool(item.get("health")), item.get("error", "")) for item in parse_json(text)
    ]


def parse_status(text: str) -> List[EndpointStatus]:
    """The answer of ``endpoint status``; etcd leaves out fields that are false, zero or empty."""
    found = []
    for item in parse_json(text) or []:
        status = item["Status"]
        found.append(
            EndpointStatus(
                endpoint=item["Endpoint"],
                member_id=status["header"].get("member_id", 0),
                leader=status.get("leader", 0),
                version=status.get("version", ""),
                revision=status["header"].get("revision", 0),
                db_size=status.get("dbSize", 0),
                learner=status.get("isLearner", False),
                errors=tuple(status.get("errors") or ()),
                db_in_use=status.get("dbSizeInUse", 0),
                db_quota=status.get("dbSizeQuota", 0),
                raft_term=status.get("raftTerm", 0),
                raft_index=status.get("raftIndex", 0),
                raft_applied_index=status.get("raftAppliedIndex", 0),
            )
        )
    return found


def parse_sample(text: str) -> Sample:
    """The answer of ``get``; etcd leaves out fields that are zero or empty."""
    answer = parse_json(text)
    records = json.dumps(answer.get("kvs", []), sort_keys=True).encode()
    return Sample(answer.get("count", 0), answer["header"].get("revision", 0), hashlib.sha256(records).hexdigest())


def parse_members(text: str) -> List[MemberRecord]:
    """The answer of ``member list``."""
    return [
        MemberRecord(
            id=item["ID"],
            name=item.get("name", ""),
            peer_urls=tuple(item.get("peerURLs") or ()),
            client_urls=tuple(item.get("clientURLs") or ()),
            learner=item.get("isLearner", False),
        )
        for item in parse_json(text).get("members") or []
    ]


def parse_alarms(text: str) -> List[Alarm]:
    """The answer of ``alarm list``: etcd's AlarmType is a number in JSON."""
    names = {1: "NOSPACE", 2: "CORRUPT"}
    return [
        Alarm(item.get("memberID", 0), names.get(item.get("alarm", 0), f"number {item.get('alarm', 0)}"))
        for item in parse_json(text).get("alarms") or []
    ]


def parse_json(text: str) -> Any:
    """A tool's JSON; Python keeps the 64-bit ids whole."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise EtcdError(f"expected JSON, got {text.strip()[:200]!r}") from error
