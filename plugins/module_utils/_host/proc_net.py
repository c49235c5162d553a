# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's routes, listening sockets and IPv4 addresses, as the kernel tells them in /proc/net and by ioctl(2)."""

from __future__ import annotations

import array
import fcntl
import ipaddress
import socket
import struct
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Optional, Sequence

LISTENING = "0A"
ROUTE_REJECTED = 0x0200


@dataclass(frozen=True)
class Route:
    """A route of the main table."""

    destination: str
    interface: str
    on_link: bool
    metric: int

    @property
    def is_default(self) -> bool:
        """Whether it is the route for everything else."""
        return self.destination in ("0.0.0.0/0", "::/0")


@dataclass(frozen=True)
class Listener:
    """A socket that listens for TCP connections."""

    address: str
    port: int
    inode: str


def _ipv4(word: str) -> ipaddress.IPv4Address:
    """An address as the kernel prints it: the number in the machine's own byte order."""
    return ipaddress.IPv4Address(struct.pack("=L", int(word, 16)))


def _ipv6(word: str) -> ipaddress.IPv6Address:
    """An address of /proc/net/tcp6: four numbers in the machine's own byte order."""
    return ipaddress.IPv6Address(b"".join(struct.pack("=L", int(word[at : at + 8], 16)) for at in range(0, 32, 8)))


def parse_ipv4_routes(text: str) -> Iterator[Route]:
    """The routes of /proc/net/route."""
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) < 8 or int(words[3], 16) & ROUTE_REJECTED:
            continue
        network = ipaddress.IPv4Network((_ipv4(words[1]), str(_ipv4(words[7]))), strict=False)
        yield Route(str(network), words[0], int(words[2], 16) == 0, int(words[6]))


def parse_ipv6_routes(text: str) -> Iterator[Route]:
    """The routes of /proc/net/ipv6_route that lead to other hosts."""
    for line in text.splitlines():
        words = line.split()
        if len(words) < 10 or words[9] == "lo" or int(words[8], 16) & ROUTE_REJECTED:
            continue
        network = ipaddress.IPv6Network((int(words[0], 16), int(words[1], 16)), strict=False)
        if not (network.is_link_local or network.is_multicast):
            yield Route(str(network), words[9], int(words[4], 16) == 0, int(words[5], 16))


def parse_listeners(text: str) -> Iterator[Listener]:
    """The listening sockets of /proc/net/tcp or /proc/net/tcp6."""
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) > 9 and words[3] == LISTENING:
            address, _colon, port = words[1].partition(":")
            read = _ipv4 if len(address) == 8 else _ipv6
            yield Listener(str(read(address)), int(port, 16), words[9])


def ipv4_addresses() -> Dict[str, List[str]]:
    """The IPv4 addresses of every interface, asked of the kernel (SIOCGIFCONF)."""
    size = 40 if struct.calcsize("P") == 8 else 32
    found: Dict[str, List[str]] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        room = 64 * size
        while True:
            buffer = array.array("B", bytes(room))
            request = struct.pack("iP", room, buffer.buffer_info()[0])
            used = struct.unpack("iP", fcntl.ioctl(sock.fileno(), 0x8912, request))[0]
            if used + size <= room:
                break
            room *= 2
    data = buffer.tobytes()
    for at in range(0, used, size):
        name = data[at : at + 16].split(b"\0", 1)[0].decode().partition(":")[0]
        found.setdefault(name, []).append(socket.inet_ntoa(data[at + 20 : at + 24]))
    return found


def default_route(routes: Sequence[Route]) -> Optional[Route]:
    """The default route that the kernel prefers; IPv4 comes first."""
    candidates = [route for route in routes if route.is_default]
    return min(candidates, key=lambda route: (":" in route.destination, route.metric), default=None)


def route_facts(routes: Sequence[Route]) -> List[Dict[str, Any]]:
    """All routes except the default ones, each once."""
    facts = [
        {"destination": route.destination, "interface": route.interface, "on_link": route.on_link}
        for route in routes
        if not route.is_default
    ]
    return list({tuple(fact.values()): fact for fact in facts}.values())
