# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts say to each other to find out which ports are open between them: lines of text, and sockets for them.

A host says hello to a name. Whoever has that name answers; anybody else does not, so that another machine at the
address, or another program on the port, is not taken for it.
"""

from __future__ import annotations

import socket
from typing import NamedTuple, Optional, Tuple

TCP, UDP, IP = "tcp", "udp", "ip"
PROTOCOLS = (TCP, UDP, IP)
HELLO, FILL, END = "hello", "fill", "end"
LONGEST_LINE = 512
# What is sent in each direction to fill packets.
FILLING = 65536


class Place(NamedTuple):
    """Where something listens. The number is a port, or with the protocol ip that of an IP protocol."""

    protocol: str
    address: str
    number: int


class Message(NamedTuple):
    """A line: what is said, to whom, by whom."""

    word: str
    to: str
    by: str


def family(address: str) -> int:
    """The family of sockets for an address."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def opened(place: Place) -> socket.socket:
    """A socket for a place, not bound to anything."""
    if place.protocol == TCP:
        return socket.socket(family(place.address), socket.SOCK_STREAM)
    if place.protocol == UDP:
        return socket.socket(family(place.address), socket.SOCK_DGRAM)
    return socket.socket(family(place.address), socket.SOCK_RAW, place.number)


def destination(place: Place) -> Tuple[str, int]:
    """The address of a place as sockets take it; the kernel wants no number for an IP protocol."""
    return (place.address, 0 if place.protocol == IP else place.number)


def payload(place: Place, packet: bytes) -> bytes:
    """What a packet carries: of an IP protocol with IPv4, the kernel gives the header too."""
    if place.protocol == IP and family(place.address) == socket.AF_INET and packet:
        return packet[(packet[0] & 0x0F) * 4 :]
    return packet


def answer(message: Message) -> Message:
    """What is said in return. Its word is no other one's, so that nobody answers an answer."""
    return Message(message.word.upper(), message.by, message.to)


def written(message: Message) -> bytes:
    """A message as bytes."""
    return (" ".join(("groundwork", *message)) + "\n").encode("utf-8")


def read(data: bytes) -> Optional[Message]:
    """The message at the start of what was received; None where there is none."""
    line = data[:LONGEST_LINE].partition(b"\n")[0]
    words = line.decode("utf-8", "replace").split(" ")
    return Message(*words[1:]) if len(words) == 4 and words[0] == "groundwork" else None


def receive_line(stream: socket.socket) -> bytes:
    """What comes over a connection up to the end of a line, and no more."""
    data = b""
    while len(data) < LONGEST_LINE and not data.endswith(b"\n"):
        part = stream.recv(1)
        if not part:
            break
        data += part
    return data


def receive_filling(stream: socket.socket) -> bool:
    """Whether all of the filling came."""
    left = FILLING
    while left > 0:
        part = stream.recv(min(left, 65536))
        if not part:
            return False
        left -= len(part)
    return True
