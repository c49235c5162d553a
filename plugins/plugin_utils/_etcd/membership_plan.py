# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run does to an etcd cluster: decided from what all hosts have and what the cluster says, by no host's rank.

The rules follow etcd's runtime reconfiguration (https://etcd.io/docs/v3.6/op-guide/runtime-configuration/): a host with
a write-ahead log is a member, one without is new; a member's identity is never given to an empty data directory;
members change one at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Collection, Dict, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import (
    host_and_port,
    normal_url,
    same_url,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._etcd.flags import FlagError, Version, data, parse
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.host_variables import inventory_of

CLIENT_PORT, PEER_PORT = 2379, 2380
LARGEST = 7


@dataclass(frozen=True)
class Host:
    """A host that is to be a member.

    Attributes:
        name: in the inventory.
        member: of the member.
        address: where it is reached.
        seen: whether it takes part in this run.
        data: whether a member's data is there.
        enabled: whether its service is set up to start at boot.
        version: of the program that is there.
        bootstrap: what a member begins with, as long as it is no part of its cluster yet.
    """

    name: str
    member: str
    address: str
    seen: bool = False
    data: bool = False
    enabled: bool = False
    version: str = ""
    bootstrap: Mapping[str, str] = field(default_factory=dict)

    @property
    def client_url(self) -> str:
        """Where clients reach it."""
        return url(self.address, CLIENT_PORT)

    @property
    def peer_url(self) -> str:
        """Where the other members reach it."""
        return url(self.address, PEER_PORT)

    @property
    def beginning(self) -> bool:
        """Whether it belongs to a cluster whose first start has not been completed."""
        return self.bootstrap.get("ETCD_INITIAL_CLUSTER_STATE") == "new"


@dataclass
class MembershipPlan:
    """What is to be done; nothing of it if there are faults."""

    faults: List[str] = field(default_factory=list)
    begun: List[str] = field(default_factory=list)  # hosts of the run that have a member's data
    begin: List[str] = field(default_factory=list)  # hosts that start a new cluster, all at once
    join: List[str] = field(default_factory=list)  # hosts that become members, one after the other
    replaced: Dict[str, List[str]] = field(default_factory=dict)  # ids of dead members that a host takes the place of
    gone: List[str] = field(default_factory=list)  # ids of dead members without a host
    initial_cluster: str = ""
    endpoints: List[str] = field(default_factory=list)  # client URLs of members that have begun
    leader: str = ""  # the host of the member that leads
    upgrade_from: str = ""  # the oldest version that runs, if it is not the one that is wanted

    def describe(self) -> Dict[str, Any]:
        """As a filter returns it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def url(address: str, port: int) -> str:
    """A URL at an address."""
    return f"https://{host_and_port(address, port)}"


def plan_membership(
    hosts: List[Host], version: str, cluster: Optional[Mapping[str, Any]] = None, even_allowed: bool = False
) -> MembershipPlan:
    """Decide what a run does.

    Args:
        hosts: all that are to be members.
        version: of etcd, that is wanted.
        cluster: what the module etcd_info returned; None where no member could be asked.
        even_allowed: whether a run may make an even number of members. One that exists, or is left when a lost member
            is taken out, is never refused.
    """
    plan = MembershipPlan(initial_cluster=",".join(f"{host.member}={host.peer_url}" for host in hosts))
    plan.faults += _count(hosts) + _unique(hosts)
    begun = [host for host in hosts if host.data]
    plan.begun = [host.name for host in begun]
    plan.endpoints = [host.client_url for host in begun or hosts]
    members: List[Mapping[str, Any]] = list((cluster or {}).get("members") or [])
    quorum = bool(cluster and cluster.get("has_quorum"))
    running = [member["version"] for member in members if member.get("version")]
    plan.upgrade_from, fault = version_change(version, running or [host.version for host in begun if host.version])
    plan.faults += [fault] if fault else []
    _begin(plan, hosts, members if quorum else [])
    new = [host for host in hosts if host.seen and not host.data and host.name not in plan.begin]
    if quorum:
        _change(plan, hosts, new, members)
    elif cluster is not None and new:
        names = ", ".join(host.name for host in new)
        sick = "; ".join(f"{_called(one)}: {one.get('error')}" for one in members if not one.get("healthy"))
        plan.faults.append(
            f"{names} cannot join: the cluster has no quorum ({sick or cluster.get('error')}). Start its members; if "
            "most of them are lost for good, restore a snapshot"
        )
    if len(hosts) % 2 == 0 and (plan.begin or plan.join) and not even_allowed:
        plan.faults.append(
            f"{len(hosts)} members survive no more losses than {len(hosts) - 1} would, and are one more that can fail: "
            f"use {len(hosts) - 1} or {len(hosts) + 1}, or set preflight_ignore: [members-even] for a while"
        )
    return plan


def _count(hosts: List[Host]) -> List[str]:
    number = len(hosts)
    if number == 0:
        return [
            "etcd_hosts is empty, so there are no members to set up; on a control plane with kubeadm's own etcd, use "
            "this role with tasks_from: client"
        ]
    if number > LARGEST:
        return [f"{number} members are too many: each change waits for more of them. Use 3, 5 or {LARGEST}"]
    return []


def _unique(hosts: List[Host]) -> List[str]:
    faults = []
    for what in ("member", "address"):
        values = [getattr(host, what) for host in hosts]
        twice = sorted({value for value in values if values.count(value) > 1})
        faults += [f"{value} is the {'name' if what == 'member' else what} of several members" for value in twice]
    return faults


def version_change(version: str, running: Sequence[str]) -> Tuple[str, str]:
    """From which version members are upgraded, and what speaks against it: one minor at a time, and never back.

    Args:
        version: that is wanted.
        running: those of the members.
    """
    try:
        wanted = parse(version)
        have = sorted(parse(one) for one in running)
    except FlagError as error:
        return "", f"etcd_version: {error}"
    if not have or set(have) == {wanted}:
        return "", ""
    oldest, newest = have[0], have[-1]
    fault = ""
    if newest[:2] > wanted[:2]:
        fault = (
            f"etcd_version: members run {_text(newest)}, and etcd {version} may not be able to read their data. "
            "Set the version that they run, or a newer one"
        )
    elif oldest[:2] < wanted[:2]:
        lowest = parse(data()["upgrade_from"][f"{wanted[0]}.{wanted[1]}"])
        if (wanted[0], wanted[1] - 1) > oldest[:2]:
            fault = (
                f"etcd_version: members run {_text(oldest)}, and etcd is upgraded one minor version at a time: "
                f"go to {oldest[0]}.{oldest[1] + 1} first"
            )
        elif oldest < lowest:
            fault = (
                f"etcd_version: members run {_text(oldest)}, and {version} needs all of them at {_text(lowest)} or "
                f"newer: go to the newest {oldest[0]}.{oldest[1]} first"
            )
    return _text(oldest), fault


def _begin(plan: MembershipPlan, hosts: List[Host], members: List[Mapping[str, Any]]) -> None:
    """Which hosts start a new cluster, or go on with a start that was interrupted."""
    unseen = [host.name for host in hosts if not host.seen]
    begun = [host for host in hosts if host.data]
    beginning = [host for host in begun if host.beginning]
    if begun and not beginning:
        return
    started = {
        name for one in members if one.get("started") for name in (one["name"], *map(normal_url, one["peer_urls"]))
    }
    fresh = [host for host in hosts if not host.data and not {host.member, host.peer_url} & started]
    if unseen and fresh:
        plan.faults.append(
            f"no host of this run has data of etcd, or not all have begun, and {', '.join(unseen)} did not take part: "
            "run without --limit, or take hosts that are gone out of the inventory"
        )
    missing = [host.name for host in fresh if host.enabled and not host.bootstrap]
    if missing:
        plan.faults.append(
            f"{', '.join(missing)}: a member of etcd has run there (etcd.service is enabled), and its data is not in "
            "the data directory. No new cluster is begun in its place: mount the data's disk, correct etcd_data_dir, "
            "or restore a backup. If the data is given up, disable etcd.service there"
        )
    for host in beginning:
        planned = host.bootstrap.get("ETCD_INITIAL_CLUSTER", "")
        if fresh and _placed(planned) != _placed(plan.initial_cluster):
            plan.faults.append(
                f"{host.name} has begun a cluster of {planned}, and now it would be {plan.initial_cluster}: make "
                f"the inventory as it was, or remove etcd's data on {', '.join(one.name for one in begun)}"
            )
    plan.begin = [host.name for host in fresh]


def _placed(initial_cluster: str) -> List[Tuple[str, str]]:
    """The names and URLs of what a cluster begins with, to be compared."""
    pairs = (pair.partition("=") for pair in initial_cluster.split(","))
    return sorted((name, normal_url(link)) for name, _equals, link in pairs)


def _change(plan: MembershipPlan, hosts: List[Host], new: List[Host], members: List[Mapping[str, Any]]) -> None:
    """Who joins, who is replaced, who is gone."""
    owned: Dict[str, str] = {}
    for host in hosts:
        found = _find(host, members)
        owned.update({one["id"]: host.name for one in found})
        if any(one.get("leader") for one in found):
            plan.leader = host.name
        if host in new:
            _join(plan, host, found)
        elif host.seen and host.data:
            _keep(plan, host, found)
    for one in members:
        if one["id"] in owned:
            continue
        if answers(one):
            plan.faults.append(
                f"the member {_called(one)} runs, but its host is not among the members of the inventory: put it back, "
                f"or remove the member (etcdctl member remove {one['id']})"
            )
        else:
            plan.gone.append(one["id"])
    plan.endpoints = [link for one in members if one.get("started") for link in one["client_urls"]] or plan.endpoints


def _join(plan: MembershipPlan, host: Host, found: List[Mapping[str, Any]]) -> None:
    """A host without data becomes a member; what is left of an earlier one under its name or address goes."""
    for one in found:
        if answers(one):
            plan.faults.append(
                f"{host.name} has no data of etcd, and yet {_called(one)} answers: two hosts share a name or address"
            )
        elif one.get("started") or not same_url(host.peer_url, one["peer_urls"]):
            plan.replaced.setdefault(host.name, []).append(one["id"])
    plan.join.append(host.name)


def _keep(plan: MembershipPlan, host: Host, found: List[Mapping[str, Any]]) -> None:
    """A host with data is a member already, or its data is of no use."""
    own = [one for one in found if one["name"] == host.member or same_url(host.peer_url, one["peer_urls"])]
    if not own:
        plan.faults.append(
            f"{host.name} has data of a member that its cluster does not know, so it was removed, or is of another "
            "cluster: move the data directory's content away, and it joins as a new member"
        )
        return
    for one in own:
        if not same_url(host.peer_url, one["peer_urls"]):
            plan.faults.append(
                f"{host.name} is a member at {', '.join(one['peer_urls'])}, and now its address is {host.address}: "
                "set kubernetes_node_ip to the old address, or move the data directory's content away to replace it"
            )
        elif one.get("learner"):
            plan.join.append(host.name)


def answers(member: Mapping[str, Any]) -> bool:
    """Whether a member lives: it gives its version even where it is not healthy."""
    return bool(member.get("healthy") or member.get("version"))


def _find(host: Host, members: List[Mapping[str, Any]]) -> List[Mapping[str, Any]]:
    return [one for one in members if one["name"] == host.member or same_url(host.peer_url, one["peer_urls"])]


def _called(member: Mapping[str, Any]) -> str:
    where = ", ".join(member.get("peer_urls") or member.get("client_urls") or [])
    return f"{member.get('name') or member.get('id') or 'a member'} ({where})"


def _text(version: Version) -> str:
    return ".".join(map(str, version))


def reported(
    names: List[str], hostvars: Mapping[str, Any], seen: Collection[str], register: str, field: str
) -> Dict[str, Mapping[str, Any]]:
    """What etcd_host_info returned, by host; a skipped task, or a failed one, registers a result without the field."""
    known = inventory_of(hostvars)
    found = {name: known[name].get(register) for name in names if name in seen}
    return {name: info for name, info in found.items() if isinstance(info, Mapping) and field in info}


def read_hosts(
    names: List[str], hostvars: Mapping[str, Any], addresses: List[str], seen: Tuple[str, ...], register: str
) -> List[Host]:
    """The members' hosts.

    Args:
        names: in the inventory.
        hostvars: the variables of all hosts.
        addresses: theirs, in the same order.
        seen: hosts that take part in the run.
        register: the variable with what etcd_host_info returned of a host.
    """
    found, infos, known = [], reported(names, hostvars, seen, register, "data"), inventory_of(hostvars)
    for name, address in zip(names, addresses):
        info = infos.get(name)
        found.append(
            Host(
                name,
                str(known[name].get("kubernetes_node_name") or name),
                address,
                seen=info is not None,
                data=bool(info and info["data"]),
                enabled=bool(info and (info.get("service") or {}).get("enabled")),
                version=str(info["version"]) if info else "",
                bootstrap=dict(info["bootstrap"]) if info else {},
            )
        )
    return found
