# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes of a host's main table: what ip(8) prints, what is wanted, and the commands between the two."""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Dict, Iterable, Iterator, List, Optional, Set, Union

Address = Union[IPv4Address, IPv6Address]
Network = Union[IPv4Network, IPv6Network]

# Numbers that the kernel, DHCP and routing programs use (iproute2: etc/iproute2/rt_protos).
TAKEN_PROTOCOLS = {0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 42, 99, 186, 187, 188, 189, 192}
DEFAULT_METRIC = {4: 0, 6: 1024}  # the metric of a route that was added without one


class RouteError(Exception):
    """Routes that cannot be had; one fault a line."""


@dataclass(frozen=True)
class Route:
    """A route that is wanted: the pods of a node, and the node's address.

    Attributes:
        cidr: the pods.
        via: the node, or what stands for it at the other end of a tunnel.
        dev: the tunnel; empty where the node is in a network that this host is attached to.
        endpoint: the node's address as a tunnel needs it.
    """

    cidr: Network
    via: Address
    dev: str = ""
    endpoint: Optional[Address] = None

    def __str__(self) -> str:
        """As ip prints it."""
        return f"{self.cidr} via {self.via}{f' dev {self.dev} onlink' if self.dev else ''}"

    def is_led_by(self, running: Running) -> bool:
        """Whether a running route leads the same way."""
        return running.via == self.via and (not self.dev or running.dev == self.dev)

    def command(self, proto: int) -> str:
        """The line of ip -batch that makes it so."""
        return f"route replace {self} proto {proto}"


@dataclass(frozen=True)
class Running:
    """A route that the host has. Without gateway, its network is attached to the host, or it has several gateways."""

    cidr: Network
    proto: int
    via: Optional[Address] = None
    dev: Optional[str] = None
    metric: int = 0
    plain: bool = True  # one next hop, and packets are sent there rather than dropped

    def __str__(self) -> str:
        """As ip prints it."""
        words = [str(self.cidr)]
        if self.via or self.dev:
            words.append(f"via {self.via}" if self.via else f"dev {self.dev}")
        if self.metric != DEFAULT_METRIC[self.cidr.version]:
            words.append(f"metric {self.metric}")
        return " ".join([*words, f"proto {self.proto}"])

    def delete(self) -> str:
        """The line of ip -batch that removes it, and no other."""
        return f"route del {self}"

    @property
    def attached(self) -> bool:
        """Whether its network can be reached without a gateway."""
        return self.plain and self.via is None and self.dev is not None


def parse_routes(output: str, version: int) -> List[Running]:
    """What "ip -Numeric -json -4|-6 route show table main" prints; an empty table may be printed as nothing."""
    return [_running(entry, version) for entry in json.loads(output.strip() or "[]")]


def _running(entry: Dict[str, Any], version: int) -> Running:
    dst = entry["dst"]
    if dst == "default":
        dst = "0.0.0.0/0" if version == 4 else "::/0"
    gateway = entry.get("gateway")
    return Running(
        cidr=ip_network(dst),
        proto=int(entry.get("protocol", 3)),  # 3 is boot, which ip does not print
        via=ip_address(gateway) if gateway else None,
        dev=entry.get("dev"),
        metric=int(entry.get("metric", 0)),
        plain="nexthops" not in entry and "via" not in entry and str(entry.get("type", "1")) in ("1", "unicast"),
    )


def parse_addresses(output: str) -> Set[Address]:
    """The host's own addresses, from what "ip -json address show" prints."""
    return {
        ip_address(address["local"])
        for link in json.loads(output.strip() or "[]")
        for address in link.get("addr_info", [])
        if "local" in address
    }


def parse_wanted(entries: Iterable[Dict[str, str]], proto: int) -> List[Route]:
    """The routes asked for, sorted.

    Raises:
        RouteError: with every fault of every entry.
    """
    faults: List[str] = []
    if not 0 <= proto <= 255 or proto in TAKEN_PROTOCOLS:
        faults.append(f"proto: {proto} is out of range or belongs to other routes: give a free number from 5 to 255")
    routes: List[Route] = []
    for number, entry in enumerate(entries):
        place = f"routes[{number}]"
        cidr, via = _parse_cidr(entry["cidr"], place, faults), _parse_via(entry["via"], place, faults)
        if cidr is None or via is None:
            continue
        if cidr.version != via.version:
            faults.append(f"{place}: cidr {cidr} is IPv{cidr.version}, via {via} is not: give addresses of one family")
        elif via in cidr:
            faults.append(f"{place}: via {via} lies in cidr {cidr}: give the node's own address")
        else:
            endpoint = _parse_via(entry["endpoint"], place, faults, "endpoint") if entry.get("endpoint") else None
            routes.append(Route(cidr, via, endpoint=endpoint))
    routes.sort(key=lambda route: (route.cidr.version, int(route.cidr.network_address), route.cidr.prefixlen))
    faults += _overlaps(routes)
    if faults:
        raise RouteError("\n".join(faults))
    return routes


def _parse_cidr(text: str, place: str, faults: List[str]) -> Optional[Network]:
    try:
        cidr = ip_network(text, strict=False)
        address = ip_address(text.partition("/")[0])
    except ValueError:
        faults.append(f"{place}: cidr {text!r} is no network: write it as 10.244.1.0/24")
        return None
    if "/" not in text:
        faults.append(f"{place}: cidr {text} has no prefix length: write it as 10.244.1.0/24")
    elif address != cidr.network_address:
        faults.append(f"{place}: cidr {text} is an address in {cidr}: write {cidr}")
    elif cidr.prefixlen == 0 or cidr.is_multicast or cidr.is_loopback or cidr.is_link_local:
        faults.append(f"{place}: cidr {text} cannot be a node's pods: give the node's podCIDR")
    else:
        return cidr
    return None


def _parse_via(text: str, place: str, faults: List[str], key: str = "via") -> Optional[Address]:
    try:
        via = ip_address(text)
    except ValueError:
        faults.append(f"{place}: {key} {text!r} is no address: give the node's address, such as 192.0.2.11")
        return None
    if via.is_unspecified or via.is_multicast or via.is_loopback or via.is_link_local:
        faults.append(f"{place}: {key} {via} is not an address that other hosts reach: give the node's address")
        return None
    return via


def _overlaps(routes: List[Route]) -> Iterator[str]:
    """Faults of sorted routes: networks are nested or apart, so each is compared with the last wide one."""
    wide: Optional[Route] = None
    for route in routes:
        if wide is None or not route.cidr.overlaps(wide.cidr):
            wide = route
        elif (route.cidr, route.via) == (wide.cidr, wide.via):
            yield f"routes: {route} is there twice: leave one out"
        else:
            yield f"routes: {wide} and {route} overlap: a pod's address must belong to one node"


class Attached:
    """The networks that a host is attached to; asking costs no more with many of them."""

    def __init__(self, running: Iterable[Running]) -> None:
        """Take them from the routes; one by a gateway says that its network is elsewhere."""
        self._devices: Dict[Network, Set[str]] = {}
        for route in running:
            attached = {route.dev} if route.attached and route.dev else set()
            self._devices.setdefault(route.cidr, set()).update(attached)
        lengths = {(cidr.version, cidr.prefixlen) for cidr in self._devices}
        self._lengths = sorted(lengths, key=lambda one: one[1], reverse=True)

    def devices(self, address: Address) -> Set[str]:
        """The devices of the smallest network that holds an address; none where that is behind a gateway."""
        for version, length in self._lengths:
            if version == address.version:
                network = ip_network(f"{address}/{length}", strict=False)
                if network in self._devices:
                    return self._devices[network]
        return set()

    def leads(self, route: Running, via: Address) -> bool:
        """Whether a running route goes to an address by the network that holds it, and to no other."""
        return route.plain and route.via == via and route.dev in self.devices(via)


def check_host(wanted: List[Route], running: List[Running], own: Set[Address], proto: int) -> None:
    """Refuse routes that this host cannot have.

    Raises:
        RouteError: with every fault.
    """
    faults: List[str] = []
    attached = Attached(running)
    for route in wanted:
        node = route.endpoint if route.dev else route.via
        if node in own:
            faults.append(f"{route}: {node} is this host's own address: leave its own pod CIDR out of routes")
        elif not route.dev and not attached.devices(route.via):
            faults.append(
                f"{route}: {route.via} is in no network that this host is attached to: nodes need one network, or "
                "encapsulation cross-subnet"
            )
    gateways = {route.cidr: route for route in wanted}
    faults += [
        f"{route.cidr}: the host has another program's route, {route}, where {gateways[route.cidr].via} is wanted: "
        "remove it, or leave this CIDR out of routes (dev without via: it may be this host's own pods)"
        for route in running
        if route.proto != proto
        and route.cidr in gateways
        # One that leads to the node itself is replaced where the tunnel is wanted.
        and not (gateways[route.cidr].dev and route.plain and route.via == gateways[route.cidr].endpoint)
        and not attached.leads(route, gateways[route.cidr].via)
    ]
    if faults:
        raise RouteError("\n".join(faults))


def concerned(wanted: List[Route], running: List[Running], proto: int) -> List[Running]:
    """The running routes that carry our number, and those of other programs that get it: the same, by the same way."""
    cidrs = {route.cidr for route in wanted}
    return [
        route
        for route in running
        if route.proto == proto or (route.cidr in cidrs and route.metric == DEFAULT_METRIC[route.cidr.version])
    ]


def commands(wanted: List[Route], running: List[Running], proto: int) -> List[str]:
    """The lines of ip -batch that lead to the wanted routes; other protocols' routes are not touched."""
    own = [route for route in running if route.proto == proto]
    ways: Dict[Network, List[Running]] = {route.cidr: [] for route in wanted}
    stale: List[Running] = []
    for route in own:
        if route.cidr in ways and route.metric == DEFAULT_METRIC[route.cidr.version]:
            ways[route.cidr].append(route)
        else:
            stale.append(route)
    return [
        *(
            route.command(proto)
            for route in wanted
            if len(ways[route.cidr]) != 1 or not route.is_led_by(ways[route.cidr][0])
        ),
        *(route.delete() for route in stale),
    ]


def batch_file(wanted: List[Route], proto: int, header: str) -> bytes:
    """What ip -batch reads at boot."""
    return (header + "".join(f"{route.command(proto)}\n" for route in wanted)).encode()
