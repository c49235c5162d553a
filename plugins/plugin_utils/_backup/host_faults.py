# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands against a restore on the hosts, whichever archive it is of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import normal, url_hosts
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.restore_progress import (
    UNFINISHED,
    RestoreProgress,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.restore_request import Info, Request


def host_faults(hosts: Mapping[str, Info], request: Request, progress: RestoreProgress) -> list[str]:
    """What is wrong with the hosts, whatever is asked for."""
    faults: list[str] = []
    wanted = [*request.members, *request.control_planes]
    missing = [host for host in dict.fromkeys(wanted) if host not in hosts]
    if missing:
        faults.append(
            f"{', '.join(missing)} did not take part. A restore gives all members of etcd new data at once, "
            "since members with old and with new data are two clusters. Run without --limit; take hosts that are "
            "gone for good out of the inventory. If only some members are broken and the others still work, do "
            "not restore: remove the broken ones and add them again"
        )
    if not request.members:
        faults.append("there is no host for etcd: the groups of the inventory are empty")
    for host, info in hosts.items():
        if info["problem"]:
            faults.append(f"{host}: {info['problem']}")
    faults += [
        f"{host} is no control plane: there is no manifest of its API server. For a host that is new or was lost see "
        "docs/restore.md, 'New hosts'"
        for host in request.control_planes
        if host in hosts and not hosts[host]["control_plane"]
    ]
    for host in progress.members:
        faults += member_faults(host, hosts[host]["member"], request)
        if request.rebuild:
            faults += not_empty(host, hosts[host], progress)
    kinds = {hosts[host]["member"]["kind"] for host in progress.members}
    if len(kinds) > 1:
        faults.append("some members of etcd are static pods and others are not: they cannot be one cluster")
    names = Counter(hosts[host]["member"]["name"] for host in progress.members)
    faults += [f"{count} members of etcd have the name {name}" for name, count in names.items() if count > 1]
    return faults


def not_empty(host: str, info: Info, progress: RestoreProgress) -> list[str]:
    """What is on a host that is to be empty."""
    if progress.journals.get(host, {}).get("stage") in UNFINISHED:
        return []
    if info["control_plane"]:
        return [f"{host} is a control plane already: use the playbook restore"]
    if info["data"]["present"]:
        return [f"{host}: {info['member']['data_dir']} has data of etcd: move it away first"]
    return []


def member_faults(host: str, member: Info, request: Request) -> list[str]:
    """What is wrong with a member."""
    faults: list[str] = []
    if member["wal_dir"]:
        faults.append(
            f"{host}: etcd keeps its write-ahead log in {member['wal_dir']} (--wal-dir), outside of its data "
            "directory. That cannot be restored"
        )
    urls = [url for url in member["peer_urls"] if url]
    if not urls or not member["name"]:
        faults.append(f"{host}: it is not known what its member of etcd is called, or where it is reached")
    found = url_hosts(urls)
    address = request.addresses.get(host)
    if urls and address and normal(address) not in found:
        faults.append(
            f"{host}: its etcd is set up for {', '.join(urls)}, but the host's address is {address}. "
            "See docs/restore.md, 'New addresses'"
        )
    return faults
