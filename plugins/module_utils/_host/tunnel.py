# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VXLAN device that takes what pods send to hosts behind a router: what it is, and the lines that make it so.

Nothing is learnt and nothing is flooded: the hardware address of a host's device follows from the host's own address,
so that every host knows the neighbours and forwarding entries of all others.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import Any, Dict, Iterable, List, Optional, Sequence, Set, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.routes import (
    Address,
    Network,
    Route,
    RouteError,
    Running,
)

DEVICE = "pod-vxlan"
VNI, PORT = 77, 4789
# Of Ethernet without jumbo frames, less what the tunnel adds.
DEFAULT_MTU = 1450


def hardware_address(endpoint: Address) -> str:
    """That of the device of the host with this address: locally administered, of one interface."""
    digest = hashlib.sha256(endpoint.packed).hexdigest()
    return ":".join(["0e", *(digest[at : at + 2] for at in range(0, 10, 2))])


def gateway(route: Route) -> Address:
    """What stands for a node at the other end: an address that is nobody else's.

    With IPv6 the one of the link, since the kernel does not take one that it would look for elsewhere.
    """
    if route.endpoint is None or route.cidr.version == 4:
        return route.cidr.network_address
    numbers = bytes.fromhex(hardware_address(route.endpoint).replace(":", ""))
    # As the kernel makes it of a hardware address (RFC 4291, appendix A).
    identifier = bytes([numbers[0] ^ 2, *numbers[1:3], 0xFF, 0xFE, *numbers[3:]])
    return IPv6Address(bytes([0xFE, 0x80, *[0] * 6]) + identifier)


@dataclass(frozen=True)
class Tunnel:
    """The device that is wanted.

    Attributes:
        local: the host's address that other hosts send to.
        addresses: the device's own, by which the host itself talks to pods behind it.
        mtu: the largest packet that passes.
    """

    local: Address
    addresses: Tuple[Address, ...]
    mtu: int = DEFAULT_MTU
    vni: int = VNI
    port: int = PORT

    def add(self) -> str:
        """The line that makes it."""
        return (
            f"link add {DEVICE} address {hardware_address(self.local)} mtu {self.mtu} "
            f"type vxlan id {self.vni} local {self.local} dstport {self.port} nolearning"
        )

    def is_like(self, link: Dict[str, Any]) -> bool:
        """Whether a link is this device, but for what can be changed of it."""
        details = (link.get("linkinfo") or {}).get("info_data") or {}
        return (
            kind(link) == "vxlan"
            and details.get("id") == self.vni
            and details.get("port") == self.port
            and ip_address(details.get("local") or details.get("local6") or "::") == self.local
            and not details.get("learning")
            and link.get("address") == hardware_address(self.local)
        )


@dataclass(frozen=True)
class Found:
    """What the host has of it: the link as ip prints it, neighbours and forwarding entries as text."""

    link: Optional[Dict[str, Any]] = None
    neighbours: Set[str] = field(default_factory=set)
    forwarding: Set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Lines:
    """The lines of ip -batch, and of bridge -batch those that begin with fdb, before and after the routes are set."""

    before: List[str]
    after: List[str]


def kind(link: Dict[str, Any]) -> str:
    """The kind of a link, empty for one of the hardware's."""
    return str((link.get("linkinfo") or {}).get("info_kind", ""))


def parse_links(output: str) -> List[Dict[str, Any]]:
    """What "ip -json -details address show" prints; links that it leaves out are printed as nothing."""
    return [link for link in json.loads(output.strip() or "[]") if link.get("ifname")]


def parse_neighbours(output: str) -> Set[str]:
    """The permanent neighbours, from what "ip -json neigh show dev ... nud permanent" prints."""
    return {
        f"{entry['dst']} lladdr {entry['lladdr']}" for entry in json.loads(output.strip() or "[]") if "lladdr" in entry
    }


def parse_forwarding(output: str) -> Set[str]:
    """The entries with a destination, from what "bridge -json fdb show dev ..." prints."""
    return {f"{entry['mac']} dst {entry['dst']}" for entry in json.loads(output.strip() or "[]") if "dst" in entry}


def through(routes: Iterable[Route], always: bool, attached: Any) -> List[Route]:
    """The routes, those to hosts of no own network, or all, by the device.

    Args:
        routes: to the nodes themselves.
        always: whether those to hosts of the same network go that way too.
        attached: the networks that this host is attached to.
    """
    return [
        Route(route.cidr, gateway(route), DEVICE, route.endpoint)
        if always or not attached.devices(route.via)
        else route
        for route in routes
    ]


def check(tunnel: Tunnel, routes: Sequence[Route], own: Set[Address]) -> None:
    """Refuse a device that cannot be.

    Raises:
        RouteError: with every fault.
    """
    faults = [] if tunnel.local in own else [f"tunnel: {tunnel.local} is no address of this host"]
    for route in routes:
        if route.endpoint is None:
            faults.append(f"routes: the node of {route.cidr} has no endpoint, an address to which packets are sent")
        elif route.endpoint.version != tunnel.local.version:
            faults.append(
                f"routes: the endpoint {route.endpoint} of {route.cidr} is not of the same family as {tunnel.local}: "
                "nodes need one IP version in common"
            )
    if faults:
        raise RouteError("\n".join(faults))


def neighbours(routes: Iterable[Route]) -> Set[str]:
    """Those of the devices of other hosts."""
    return {
        f"{route.via} lladdr {hardware_address(route.endpoint)}" for route in routes if route.dev and route.endpoint
    }


def forwarding(routes: Iterable[Route]) -> Set[str]:
    """To which address packets for another host's device are sent."""
    return {
        f"{hardware_address(route.endpoint)} dst {route.endpoint}" for route in routes if route.dev and route.endpoint
    }


def _neighbour_lines(verb: str, entries: Iterable[str]) -> List[str]:
    # A neighbour is deleted by its address alone.
    return [
        f"neigh replace {entry} dev {DEVICE} nud permanent"
        if verb == "replace"
        else f"neigh del {entry.split()[0]} dev {DEVICE}"
        for entry in sorted(entries)
    ]


def _forwarding_lines(verb: str, entries: Iterable[str]) -> List[str]:
    return [f"fdb {verb} {mac} dev {DEVICE} dst {dst} self" for mac, _dst, dst in (e.split() for e in sorted(entries))]


def _address_line(verb: str, address: Address) -> str:
    own = f"{address}/{address.max_prefixlen}"
    return f"address {verb} {own} dev {DEVICE}{' nodad' if address.version == 6 and verb != 'del' else ''}"


def link_addresses(link: Dict[str, Any]) -> Set[Address]:
    """The addresses of a link, without those that the kernel gives by itself."""
    found = {ip_address(one["local"]) for one in link.get("addr_info") or [] if "local" in one}
    return {address for address in found if not address.is_link_local}


def boot_lines(tunnel: Tunnel, routes: Sequence[Route]) -> List[str]:
    """The lines of ip -batch at boot, when the device has just been made."""
    return [
        *(_address_line("replace", address) for address in tunnel.addresses),
        *_neighbour_lines("replace", neighbours(routes)),
    ]


def boot_forwarding(routes: Sequence[Route]) -> List[str]:
    """The lines of bridge -batch at boot."""
    return _forwarding_lines("replace", forwarding(routes))


def lines(tunnel: Tunnel, routes: Sequence[Route], found: Found) -> Lines:
    """What leads from the device that is found to the one that is wanted."""
    link, before = found.link, []
    if link is not None and not tunnel.is_like(link):
        before.append(f"link del {DEVICE}")
        link, found = None, Found()
    if link is None:
        before.append(tunnel.add())
    elif link.get("mtu") != tunnel.mtu:
        before.append(f"link set {DEVICE} mtu {tunnel.mtu}")
    if link is None or "UP" not in (link.get("flags") or []):
        # The kernel forgets neighbours and routes of a device that is down.
        before.append(f"link set {DEVICE} up")
    had = link_addresses(link or {})
    before += [_address_line("replace", address) for address in tunnel.addresses if address not in had]
    before += _neighbour_lines("replace", neighbours(routes) - found.neighbours)
    before += _forwarding_lines("replace", forwarding(routes) - found.forwarding)
    stale_hosts = {entry.split()[0] for entry in found.neighbours} - {e.split()[0] for e in neighbours(routes)}
    after = [_address_line("del", address) for address in sorted(had - set(tunnel.addresses), key=str)]
    after += _neighbour_lines("del", stale_hosts)
    after += _forwarding_lines("del", found.forwarding - forwarding(routes))
    return Lines(before, after)


def is_made_anew(changes: Lines) -> bool:
    """Whether the device is made anew, so that what led by it is gone."""
    return f"link del {DEVICE}" in changes.before


def without_device(running: Iterable[Running]) -> List[Running]:
    """The running routes that do not lead by the device."""
    return [route for route in running if route.dev != DEVICE]


def addresses_of(cidrs: Iterable[Network]) -> Tuple[Address, ...]:
    """The device's own addresses: the first of each of the node's pod networks, which no pod gets."""
    return tuple(cidr.network_address for cidr in cidrs)
