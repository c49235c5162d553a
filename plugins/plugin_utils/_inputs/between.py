# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must pass between hosts (docs/ports.md): who listens for whom before the programs are there, what came of it.

Only hosts that have no part in a cluster yet, or not all of it, listen and probe. Of those that have, the programs that
run there already are probed.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.port_listener import PROCESS
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.pod_network import (
    BRIDGE,
    CALICO,
    CANAL,
    CILIUM,
    FLANNEL,
    IPIP,
    NEVER,
    SHOWN,
    VXLAN,
    routed,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import ERROR, WARNING, Fault, listed
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    CONTROL_PLANE,
    ETCD,
    LOAD_BALANCER,
    WORKER,
    Node,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.pod_network import network_settings

TUNNEL_PORTS = {BRIDGE: 4789, FLANNEL: 8472, CANAL: 8472, CALICO: 4789, CILIUM: 8472}
GENEVE_PORT = 6081
# The number of the protocol, and the only IP version that Calico has it for.
IP_IN_IP = 4
NODES = frozenset({CONTROL_PLANE, WORKER})
PLACE = ("protocol", "address", "number")
# A listener's time: for the first hosts of many, that of all others passes too.
SECONDS, SECONDS_PER_HOST = 60, 5


class Way(NamedTuple):
    """Something that must pass to a host.

    Attributes:
        sources: what hosts are from which it must pass.
        protocol: tcp, udp, or ip for a protocol of its own.
        number: the port, or the number of the protocol.
        what: what it is for.
    """

    sources: frozenset[str]
    protocol: str
    number: int
    what: str

    @property
    def shown(self) -> str:
        """As people write it."""
        return f"IP protocol {self.number}" if self.protocol == "ip" else f"{self.protocol.upper()} {self.number}"


@dataclass
class Part:
    """What one host does.

    Attributes:
        places: where it listens, each with protocol, address and number.
        expected: the hosts that come.
        seconds: how long it listens at most.
        targets: what it probes, as the module port_probe takes it.
    """

    places: list[dict[str, Any]] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    seconds: int = SECONDS
    targets: list[dict[str, Any]] = field(default_factory=list)


def endpoint_port(node: Node) -> int:
    """The port at which a host's HAProxy is reached by others; 0 where there is none."""
    _host, _colon, port = str(node.setting("api_endpoint") or "").rpartition(":")
    return int(port) if port.isdigit() and int(port) in (node.setting("balancer_ports") or []) else 0


def _pod_ways(node: Node) -> Iterator[Way]:
    """What must pass between nodes for pods."""
    network = network_settings(node.settings)
    if network is None:
        return
    plugin = network.plugin
    by_operator = plugin == CALICO and node.setting("cni_install") == "chart"
    if plugin == CALICO and not (by_operator and not routed(network)):
        yield Way(NODES, "tcp", 179, "Calico's BGP")
    if by_operator:
        yield Way(NODES, "tcp", 5473, "Calico's Typha")
    if plugin == CILIUM:
        yield Way(NODES, "tcp", 4240, "Cilium's health")
    # With these two, WireGuard is the tunnel.
    if network.encapsulation != NEVER and not (network.wireguard and plugin in (FLANNEL, CANAL)):
        if network.tunnel == IPIP:
            yield Way(NODES, "ip", IP_IN_IP, "Calico's IP in IP")
        else:
            port = TUNNEL_PORTS[plugin] if network.tunnel == VXLAN else GENEVE_PORT
            yield Way(NODES, "udp", port, f"{SHOWN[network.tunnel]} of pods")
    if network.wireguard:
        yield Way(NODES, "udp", 51871 if plugin == CILIUM else 51820, "WireGuard")
        if plugin != CILIUM and ":" in str(node.setting("kubernetes_pod_cidr") or ""):
            yield Way(NODES, "udp", 51821, "WireGuard for IPv6")


def ways_to(node: Node) -> list[Way]:
    """What must pass to a host, by what it is in the cluster."""
    found = []
    if CONTROL_PLANE in node.roles:
        port = int(node.setting("kubernetes_api_port") or 6443)
        found.append(Way(NODES | {LOAD_BALANCER}, "tcp", port, "the API server"))
    if NODES & set(node.roles):
        found.append(Way(frozenset({CONTROL_PLANE}), "tcp", 10250, "the kubelet"))
        found += _pod_ways(node)
    if ETCD in node.roles:
        found.append(Way(frozenset({CONTROL_PLANE, ETCD}), "tcp", 2379, "etcd"))
        found.append(Way(frozenset({ETCD}), "tcp", 2380, "etcd's members"))
    if LOAD_BALANCER in node.roles and endpoint_port(node):
        found.append(Way(NODES, "tcp", endpoint_port(node), "HAProxy"))
        if node.setting("virtual_ip"):
            found.append(Way(frozenset({LOAD_BALANCER}), "ip", 112, "keepalived's VRRP"))
    return found


def settled(node: Node) -> bool:
    """Whether a host has its whole part in a cluster, as far as its files and ports show."""
    cluster = node.facts["cluster"]
    state = cluster.get("node") or {}
    if node.runs_kubelet and (not node.in_cluster or state.get("interrupted") or state.get("missing")):
        return False
    if ETCD in node.roles and not cluster["etcd_data"]:
        return False
    port = endpoint_port(node) if LOAD_BALANCER in node.roles else 0
    return not port or any(one["port"] == port and one["process"] == "haproxy" for one in node.facts["listeners"])


def _mtu(node: Node, address: str) -> int:
    for interface in node.facts["interfaces"]:
        if address in interface["addresses"]:
            return int(interface["mtu"])
    return 0


def _version(address: str) -> int:
    return ipaddress.ip_address(address).version


def _runs(node: Node, number: int) -> bool:
    """Whether a program of the host listens on a port already."""
    return any(one["port"] == number and one["process"] != PROCESS for one in node.facts["listeners"])


class _Plan:
    """Builds the parts of the hosts that are new."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.new = [node for node in nodes if not settled(node)]
        seconds = SECONDS + SECONDS_PER_HOST * len(nodes)
        self.parts = {node.name: Part(seconds=seconds) for node in self.new}
        # Pairs of hosts, with the IP version, between which the size of packets is found.
        self.measured: set[tuple[frozenset[str], int]] = set()

    def reach(self, target: Node) -> None:
        """Give every new host its attempts to reach a host."""
        for way in ways_to(target):
            runs = way.protocol == "tcp" and _runs(target, way.number)
            if runs or target.name in self.parts:
                for address in target.addresses:
                    self._by(target, address, way, runs)

    def _by(self, target: Node, address: str, way: Way, runs: bool) -> None:
        version = _version(address)
        if way.protocol == "ip" and way.number == IP_IN_IP and version != IP_IN_IP:
            return
        place = {"protocol": way.protocol, "address": address, "number": way.number}
        for source in self.new:
            own = next((one for one in source.addresses if _version(one) == version), "")
            if source.name == target.name or not own or not way.sources & set(source.roles):
                continue
            pair, mtu = (frozenset({source.name, target.name}), version), 0
            if not runs and way.protocol != "ip" and pair not in self.measured:
                self.measured.add(pair)
                mtu = min(_mtu(source, own), _mtu(target, address))
            self.parts[source.name].targets.append({"host": target.name, **place, "listener": not runs, "mtu": mtu})
            if not runs:
                part = self.parts[target.name]
                part.places += [] if place in part.places else [place]
                part.expected += [] if source.name in part.expected else [source.name]


def plan(nodes: Sequence[Node]) -> dict[str, dict[str, Any]]:
    """What each host does, by name; nothing where all have their part in the cluster."""
    made = _Plan(nodes)
    for target in nodes if made.new else []:
        made.reach(target)
    for source in made.new:
        made.parts[source.name].targets += _left_out(source, {node.name for node in nodes})
    return {name: vars(part) for name, part in made.parts.items() if part.places or part.targets}


def _left_out(source: Node, played: set[str]) -> Iterator[dict[str, Any]]:
    """The API servers of control planes that the run leaves out."""
    servers = (source.setting("api_servers") or {}) if source.runs_kubelet else {}
    for host, server in servers.items():
        address, _colon, port = server.rpartition(":")
        if server and host not in played:
            place = {"protocol": "tcp", "address": address.strip("[]"), "number": int(port)}
            yield {"host": host, **place, "listener": False, "mtu": 0}


def _key(place: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(place[name] for name in PLACE)


def faults(nodes: Sequence[Node], outcomes: Mapping[str, Any]) -> list[Fault]:
    """What does not pass between hosts.

    Args:
        nodes: the hosts of the run.
        outcomes: what the modules returned: by host, of port_listener (listened) and port_probe (probed), and the hosts
            whose listener was gone when it was to be ended (gone).
    """
    by_name = {node.name: node for node in nodes}
    unheard = {
        (name, *_key(place)): place["error"]
        for name, outcome in (outcomes.get("listened") or {}).items()
        for place in outcome.get("unheard") or []
    }
    closed: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    unknown: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    narrow: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for source, outcome in (outcomes.get("probed") or {}).items():
        for one in outcome.get("closed") or []:
            place, target = (one["host"], *_key(one)), by_name.get(one["host"])
            if place in unheard:
                unknown[(*place, unheard[place])].append(source)
            elif one["host"] in (outcomes.get("gone") or []):
                unknown[(*place, "what listened there for this check ended early")].append(source)
            elif one["state"] != "refused" or (target and not _runs(target, one["number"])):
                # A program that refuses is none that something on the way keeps from being reached.
                closed[(*place, one["state"], one["error"])].append(source)
        for one in outcome.get("narrow") or []:
            narrow[(source, one["wanted"], one["mtu"], one["told"])].append(one["host"])
    return [
        *(_closed(by_name.get(place[0]), place, sources) for place, sources in closed.items()),
        *(_unknown(by_name[place[0]], place, sources) for place, sources in unknown.items()),
        *(_narrow(by_name[key[0]], key, targets) for key, targets in narrow.items()),
    ]


def _shown(node: Node | None, place: tuple[Any, ...]) -> str:
    """A place with what it is for."""
    _host, protocol, address, number = place[:4]
    for way in ways_to(node) if node else []:
        if (way.protocol, way.number) == (protocol, number):
            return f"{way.shown} ({way.what}) at {address}"
    return f"{Way(frozenset(), protocol, number, '').shown} at {address}"


def _closed(node: Node | None, place: tuple[Any, ...], sources: Sequence[str]) -> Fault:
    state, error, host = place[4], place[5], place[0]
    if node is None:
        text = (
            f"{_shown(node, place)} of {host}, which this run leaves out, cannot be reached from {listed(sources)}: "
            f"{error}; if the host is up, let it pass"
        )
        return Fault("port-blocked", text, severity=WARNING)
    advice = (
        "see whether another host has the address, or something on the way answers in its place"
        if state == "other"
        else "let it pass in the firewalls of the hosts and between them (docs/ports.md)"
    )
    text = f"{_shown(node, place)} cannot be reached from {listed(sources)}: {error}; {advice}"
    return node.fault("port-blocked", text, ERROR)


def _unknown(node: Node, place: tuple[Any, ...], sources: Sequence[str]) -> Fault:
    text = (
        f"whether {_shown(node, place)} can be reached from {listed(sources)} is not known: {place[4]}; "
        "see that it is (docs/ports.md)"
    )
    return node.fault("port-unknown", text, WARNING)


def _narrow(node: Node, key: tuple[Any, ...], targets: Sequence[str]) -> Fault:
    _source, wanted, passes, told = key
    hosts = listed(list(dict.fromkeys(targets)))
    if told:
        text = (
            f"packets on the way to {hosts} may have {passes} bytes, and the interfaces allow {wanted}; set the "
            f"interfaces' MTU to {passes}, or let the network plugin's follow it"
        )
        return node.fault("path-mtu", text, WARNING)
    size = f"{passes} is the largest size found that does" if passes else "no smaller size was found that does"
    text = (
        f"packets of {wanted} bytes, which the interfaces allow, do not pass between this host and {hosts}, and "
        f"nothing on the way says so; {size}: set the interfaces' MTU to that, or let ICMP pass"
    )
    return node.fault("path-mtu", text)
