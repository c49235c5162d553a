# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a removal means for etcd: whether the guard lets members go, and which API servers have them in their lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.quorum import (
    Cluster,
    Member,
    objections,
    successor,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import normal, url_hosts


def cluster_of(etcd: Mapping[str, Any]) -> Cluster:
    """The members as the guard looks at them."""
    members = tuple(
        Member(
            id=int(one["id"] or "0", 16),
            name=one["name"],
            peer_urls=tuple(one["peer_urls"]),
            client_urls=tuple(one["client_urls"]),
            learner=one["learner"],
            healthy=one["healthy"],
            error=one["error"],
            raft_index=one.get("raft_index") or 0,
            alarms=tuple(one.get("alarms") or ()),
        )
        for one in etcd.get("members") or []
    )
    leading = [int(one["id"], 16) for one in etcd.get("members") or [] if one["leader"]]
    return Cluster(members, leading[0] if leading else 0, error=etcd.get("error") or "")


def quorum_faults(members: Sequence[Member], cluster: Cluster) -> list[str]:
    """What etcd's guard says to one removal after the other."""
    faults: list[str] = []
    if not cluster.has_quorum:
        return [f"etcd: {text}" for text in objections(cluster, None, "remove")]
    for member in members:
        said = objections(cluster, member, "remove")
        faults += [f"etcd: {text}" for text in said if f"etcd: {text}" not in faults]
        if said:
            break
        new = successor(cluster)
        leader = new.id if member.id == cluster.leader_id and new is not None else cluster.leader_id
        cluster = replace(cluster, members=tuple(cluster.without(member)), leader_id=leader)
    return faults


def left_after(members: Sequence[Member], cluster: Cluster) -> str:
    """What is to be known of the members that are left."""
    voters = len([one for one in cluster.voters if one not in members])
    if voters == 1:
        return "1 member is left: its loss is the loss of etcd's data since the last backup"
    # Without any there is no etcd, which is refused.
    even = voters > 0 and voters % 2 == 0
    return f"{voters} members are left, which survive no more losses than {voters - 1}: add one" if even else ""


def label(member: Member) -> str:
    """What a member is called in the plan."""
    return member.name or member.hex_id


def leaving_endpoints(
    lists: Mapping[str, Sequence[str]], addresses: Iterable[str], staying: Sequence[Member]
) -> dict[str, list[str]]:
    """What API servers have in their lists of hosts that go, by their own hosts.

    A list of which nothing would be left stays, and so does what leads to a member that stays.

    Args:
        lists: the endpoints of etcd in each API server's configuration.
        addresses: of the members' hosts that go.
        staying: the members that stay.
    """
    kept = {host for member in staying for host in url_hosts(member.client_urls)}
    places = set(map(normal, addresses)) - kept
    found = {host: [url for url in urls if places.intersection(url_hosts([url]))] for host, urls in lists.items()}
    return {host: urls for host, urls in found.items() if urls and len(urls) < len(lists[host])}
