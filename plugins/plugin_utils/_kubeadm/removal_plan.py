# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is taken out of a cluster by its name: what it is there, in what order it goes, and what forbids it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.quorum import Cluster, Member, order
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import normal, url_hosts
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.plan import PlanItem
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import advise_by_variable
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.removal_etcd import (
    cluster_of,
    label,
    leaving_endpoints,
    left_after,
    quorum_faults,
)

Result = Mapping[str, Any]

LABELS = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
# The endpoint's kinds in which hosts of the cluster have a list of its control planes or balancers.
LISTING = ("haproxy", "local")
OTHERS = "hosts that stay"
POWERED_OFF = "remove_node_powered_off"


@dataclass(frozen=True)
class Seen:
    """What was seen before anything is changed.

    Attributes:
        names: what is to go.
        powered_off: those of the names whose hosts are powered off.
        hosts: all hosts of the inventory, with their names as nodes.
        control_planes, workers, etcd_hosts, balancers: the groups of these names.
        ready: the control planes whose API servers answer.
        reached: the hosts to which a connection could be made.
        nodes: what node_info returned of all nodes.
        etcd: what etcd_info returned.
        etcd_endpoints: where the API server of each control plane finds an etcd that kubeadm does not run, as far as
            what was applied is remembered there.
        found: by host, what the module reset found; of one that could not be reached, only that.
        drain: what a drain of what lives would do.
        lost: what would become of nodes whose hosts are powered off.
        listed: the nodes that kubeadm has a list of.
        load_balancer: what brings callers to the API.
        endpoint: where they find it.
        network: the network plugin.
        ca_hosts: the hosts that keep external etcd's CA; empty where all members' hosts do.
        backup: whether a proven backup is made before, unless there is one that is new enough.
        proven: which one that is, where there is one.
    """

    names: Sequence[str]
    powered_off: Sequence[str] = ()
    hosts: Mapping[str, str] = field(default_factory=dict)
    control_planes: Sequence[str] = ()
    workers: Sequence[str] = ()
    etcd_hosts: Sequence[str] = ()
    balancers: Sequence[str] = ()
    ready: Sequence[str] = ()
    reached: Sequence[str] = ()
    nodes: Sequence[Result] = ()
    etcd: Result = field(default_factory=dict)
    etcd_endpoints: Mapping[str, Sequence[str]] = field(default_factory=dict)
    found: Mapping[str, Result] = field(default_factory=dict)
    drain: Result = field(default_factory=dict)
    lost: Result = field(default_factory=dict)
    listed: Sequence[str] = ()
    load_balancer: str = "external"
    endpoint: str = ""
    network: str = ""
    ca_hosts: Sequence[str] = ()
    backup: bool = True
    proven: str = ""


@dataclass(frozen=True)
class Target:
    """What a name is: a host of the inventory, a Node, a member of etcd, or several of these."""

    name: str
    host: str
    node: str
    member: str
    addresses: tuple[str, ...]
    powered_off: bool
    control_plane: bool
    balancer: bool

    @property
    def known(self) -> bool:
        """Whether inventory or cluster know it."""
        return bool(self.host or self.node or self.member)


def targets_of(seen: Seen, cluster: Cluster) -> list[Target]:
    """What each name is."""
    return [_target(name, seen, cluster) for name in dict.fromkeys(seen.names)]


def _target(name: str, seen: Seen, cluster: Cluster) -> Target:
    host = name if name in seen.hosts else ""
    called = seen.hosts.get(host) or name
    node: Result = next((one for one in seen.nodes if one["name"] == called), {})
    addresses = tuple(node.get("internal_ips") or ())
    places = set(map(normal, addresses))
    own = [one for one in cluster.members if one.name == called] or [
        one for one in cluster.members if not one.name and places.intersection(url_hosts(one.peer_urls))
    ]
    labelled = any(label in (node.get("labels") or {}) for label in LABELS)
    return Target(
        name=name,
        host=host,
        node=node.get("name", ""),
        member=own[0].hex_id if own else "",
        addresses=addresses,
        powered_off=name in seen.powered_off,
        control_plane=labelled or host in seen.control_planes,
        balancer=host in seen.balancers
        or (seen.load_balancer == "haproxy" and not seen.balancers and host in seen.control_planes),
    )


def name_faults(seen: Seen, targets: Sequence[Target]) -> list[str]:
    """What is wrong with the names."""
    if not seen.names or not all(seen.names):
        return ["remove_node_names has no name, or an empty one: name what is to go, -e remove_node_names=worker-1"]
    faults = [f"{name} is named more than once" for name in dict.fromkeys(seen.names) if seen.names.count(name) > 1]
    faults += [
        f"{POWERED_OFF} names {name or 'an empty name'}, which remove_node_names does not"
        for name in seen.powered_off
        if name not in seen.names
    ]
    for target in targets:
        host = next((host for host, node in seen.hosts.items() if node == target.name and host != target.name), "")
        if host:
            faults.append(f"{target.name} is the Node of the host {host}: name that")
        elif not target.known:
            faults.append(
                f"{target.name} is no host of the inventory, no Node and no member of etcd: compare with kubectl get "
                "nodes"
            )
    return faults


def host_faults(target: Target, seen: Seen, cluster: Cluster) -> list[str]:
    """What is wrong with one host."""
    node: Result = next((one for one in seen.nodes if one["name"] == target.node), {})
    member = next((one for one in cluster.members if target.member and one.hex_id == target.member), None)
    if target.powered_off:
        found = ["its member of etcd answers"] if member and member.healthy else []
        if target.host in seen.reached:
            found.append("a host answers at its address: power it off. If that is a new machine, let it join with site")
        places = set(map(normal, target.addresses))
        found += [
            f"the member of etcd {label(one)} has its address: name that as well, if it is the host's"
            for one in cluster.members
            if not target.member and not {one.name, one.hex_id} & set(seen.names)
            if places.intersection(url_hosts(one.peer_urls))
        ]
        return [f"{POWERED_OFF} has it, and {text}" for text in found]
    gone = f"if its host is powered off for good: -e {POWERED_OFF}={target.name}"
    if not target.host:
        alive = "its kubelet reports" if node.get("reports") else "whether its host lives is not known"
        return [
            f"it is not in the inventory, and {alive}: put its host there for this run (-i ~/my-cluster -i "
            f"{target.name},), so that it is reset; {gone}"
        ]
    found_there = seen.found.get(target.host, {})
    if "plan" not in found_there:
        said = " ".join(str(found_there.get("msg") or "").split())
        return [f"it could not be looked at ({said or 'it cannot be reached'}): repair that; {gone}"]
    return [str(text) for text in found_there["faults"]] + stranger_faults(target, seen, cluster)


def stranger_faults(target: Target, seen: Seen, cluster: Cluster) -> list[str]:
    """Where the cluster knows a host under another name, or does not know what has joined one."""
    there = seen.found[target.host]
    places = set(map(normal, [*there["addresses"], *target.addresses]))
    others = [
        f"the Node {one['name']}"
        for one in seen.nodes
        if not target.node and places.intersection(map(normal, one["internal_ips"]))
    ]
    others += [
        f"the member of etcd {one.name or one.hex_id}"
        for one in cluster.members
        if not target.member and places.intersection(url_hosts(one.peer_urls))
    ]
    if others:
        return [
            f"the cluster knows its address as that of {', '.join(others)}: set kubernetes_node_name of the host to "
            "that name"
        ]
    node: Result = next((one for one in seen.nodes if one["name"] == target.node), {})
    if node.get("reports") and not there["node"]:
        return [
            f"the kubelet of the Node {target.node} reports, and the host that the inventory leads to has none: "
            "correct its address. If it was reset just now, run this again in a minute"
        ]
    if there["node"] and not target.node and not target.member:
        return [
            f"it has joined a cluster, and {seen.hosts[target.host]} is no Node of this one. If it is of this one all "
            "the same, reset it: playbook reset, --limit"
        ]
    return []


def place_faults(seen: Seen, targets: Sequence[Target]) -> list[str]:
    """What would be left without something that it needs."""
    faults: list[str] = []
    hosts = [target.host for target in targets if target.host]
    if not [host for host in seen.ready if host not in hosts]:
        faults.append(
            "no control plane would be left whose API server answers. The last one is not removed: the playbook reset "
            "removes the whole cluster"
        )
    place = seen.endpoint.rpartition(":")[0].strip("[]") if ":" in seen.endpoint else seen.endpoint
    faults += [
        f"kubernetes_api_endpoint is {seen.endpoint}, which is {target.name}: all nodes reach the API there"
        for target in targets
        if place and normal(place) in map(normal, [*filter(None, [target.name, target.node]), *target.addresses])
    ]
    balancers = seen.balancers or seen.control_planes
    left = [host for host in balancers if host not in hosts]
    if seen.load_balancer == "haproxy" and balancers and not left:
        faults.append("no load balancer would be left: kubernetes_api_load_balancer is haproxy")
    elif seen.load_balancer == "haproxy" and seen.balancers and not set(left) & set(seen.reached):
        faults += [
            f"no load balancer would be left that is known to live: repair {', '.join(left)} first"
            for target in targets
            if target.balancer
        ][:1]
    if seen.ca_hosts and not set(seen.ca_hosts) - set(hosts):
        faults.append(
            f"etcd_ca_hosts names only {', '.join(seen.ca_hosts)}, with which the keys of etcd's CAs would go: name "
            "another member's host there, and run site first"
        )
    return faults


def steps(seen: Seen, targets: Sequence[Target], members: Sequence[Member], cluster: Cluster) -> list[PlanItem]:
    """The steps in their order."""
    items = [PlanItem.of(item) for result in (seen.drain, seen.lost) for item in result.get("plan") or []]
    gone = len(items)
    for number, member in enumerate(members):
        last = number == len(members) - 1
        items.append(
            PlanItem(
                label(member),
                "etcd member",
                f"one of {len(cluster.members) - number}" + (", leads" if member.id == cluster.leader_id else ""),
                "removed",
                disrupts=left_after(members, cluster) if last else "",
            )
        )
    for target in targets:
        there = seen.found.get(target.host, {}).get("plan") or []
        if there and not target.powered_off:
            items.append(PlanItem(target.host, "parts of the cluster", str(len(there)), "0"))
    pods = [target.node for target in targets if target.node]
    # Nothing tells of a load balancer that is off whether the others have forgotten it.
    off = seen.load_balancer == "haproxy" and any(one.powered_off and one.host in seen.balancers for one in targets)
    if not items and not pods and not off:
        return []
    names = ", ".join(target.name for target in targets if target.control_plane or target.balancer)
    # Before the members go: no new call is to reach an API server without etcd, and no API server a member that left.
    items[gone:gone] = [
        PlanItem(host, "etcd servers", ", ".join(urls), "without", restarts=("kube-apiserver",))
        for host, urls in etcd_servers(seen, targets, cluster).items()
    ]
    if endpoint_follows(seen, targets):
        follow = PlanItem(OTHERS, "endpoint", f"lists {names}", "without", restarts=("HAProxy, by a reload",))
        items.insert(gone, follow)
    if seen.network == "bridge" and pods:
        items.append(PlanItem(OTHERS, "routes", f"to the pods of {', '.join(pods)}", "without"))
    if seen.listed:
        items.append(PlanItem("kubeadm-config", "API servers", ", ".join(seen.listed), "without"))
    states = {node["name"]: "ready" if node["ready"] else "not ready" for node in seen.nodes}
    items += [PlanItem(name, "Node", states[name], "deleted") for name in pods]
    backup = PlanItem("the cluster", "backup", seen.proven, "stays" if seen.proven else "proven")
    return [*([backup] if seen.backup else []), *items]


def endpoint_follows(seen: Seen, targets: Sequence[Target]) -> bool:
    """Whether hosts that stay have a list with one of these."""
    return seen.load_balancer in LISTING and any(
        target.host and (target.host in seen.control_planes or target.balancer) for target in targets
    )


def notes(seen: Seen, targets: Sequence[Target]) -> list[str]:
    """What is left to people."""
    hosts = [target.host for target in targets if target.host]
    found = []
    if hosts:
        found.append(f"Take {', '.join(hosts)} out of the inventory, or the next run of site lets it join again.")
    if seen.load_balancer == "external" and any(target.control_plane for target in targets):
        found.append("Take it off your own load balancer as well.")
    forgetful = [host for host in seen.control_planes if host not in hosts and not seen.etcd_endpoints.get(host)]
    if forgetful and any(host in seen.etcd_hosts for host in hosts):
        found.append(
            f"The API servers of {', '.join(forgetful)} have its member in their list until site runs without it, and "
            "use the others."
        )
    return found


def etcd_servers(seen: Seen, targets: Sequence[Target], cluster: Cluster) -> dict[str, list[str]]:
    """What API servers that stay have in their lists of members that go; also of members that have left already."""
    leaving = [target for target in targets if target.member or target.host in seen.etcd_hosts]
    ids = [target.member for target in leaving]
    addresses = [
        *url_hosts(url for one in cluster.members if one.hex_id in ids for url in (*one.client_urls, *one.peer_urls)),
        *(place for one in leaving for place in one.addresses),
        *(place for one in leaving for place in seen.found.get(one.host, {}).get("addresses") or ()),
    ]
    hosts = [target.host for target in targets]
    lists = {host: urls for host, urls in seen.etcd_endpoints.items() if host not in hosts}
    return leaving_endpoints(lists, addresses, [one for one in cluster.members if one.hex_id not in ids])


def make_plan(seen: Seen) -> dict[str, Any]:
    """Who goes and how, what forbids it, and what is left to people."""
    cluster = cluster_of(seen.etcd)
    targets = targets_of(seen, cluster)
    faults = name_faults(seen, targets)
    ids = [target.member for target in targets if target.member]
    members = [one for one in order(cluster) if one.hex_id in ids]
    hosts = [target.host for target in targets if target.host]
    live = [host for target in targets if (host := target.host) and not target.powered_off]
    ready = [host for host in seen.ready if host not in hosts]
    if not faults:
        faults += [f"{one.name}: {text}" for one in targets for text in host_faults(one, seen, cluster)]
        forbidding = [str(text) for result in (seen.drain, seen.lost) for text in result.get("reasons") or []]
        faults += [advise_by_variable(text, "remove_node") for text in forbidding]
        faults += quorum_faults(members, cluster) + place_faults(seen, targets)
    return {
        "asker": (ready or list(seen.ready) or [""])[0],
        "leader": ready[0] if ready else "",
        "hosts": hosts,
        "live": live,
        "balancing": [
            one.host for one in targets if one.host in live and one.balancer and seen.load_balancer == "haproxy"
        ],
        "serving": [host for host in live if host in seen.ready],
        "drain": [one.node for one in targets if one.node and not one.powered_off],
        "lost": [one.node for one in targets if one.node and one.powered_off],
        "nodes": [{"name": one.node} for one in targets if one.node],
        "routes_to": [
            {key: node[key] for key in ("name", "pod_cidrs", "internal_ips")}
            for node in seen.nodes
            if node["name"] not in [one.node for one in targets]
        ],
        "names": [seen.hosts.get(one.host) or one.name for one in targets],
        "etcd_servers": etcd_servers(seen, targets, cluster),
        "members": [{"id": one.hex_id, "name": label(one)} for one in members],
        "stay": {
            "control_plane": [host for host in seen.control_planes if host not in hosts],
            "node": [host for host in seen.workers if host not in hosts],
            "load_balancer": [host for host in seen.balancers if host not in hosts],
        },
        "endpoint": endpoint_follows(seen, targets),
        "routes": seen.network == "bridge" and any(one.node for one in targets),
        "plan": [item.describe() for item in steps(seen, targets, members, cluster)],
        "faults": faults,
        "notes": notes(seen, targets),
    }
