# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds out which places of other hosts can be reached, and how large packets may be on the way."""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.port_messages import (
    END,
    FILL,
    FILLING,
    HELLO,
    TCP,
    Message,
    Place,
    answer,
    destination,
    family,
    opened,
    payload,
    read,
    receive_filling,
    receive_line,
    written,
)

# linux/in.h and linux/in6.h; Python knows only some of them.
IP_MTU, IPV6_MTU = 14, 24
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, DISCOVER_BY_PROBES = 10, 23, 3
# Sizes of packets that tunnels and providers leave, from the largest on.
SIZES = (
    9000,
    8950,
    8500,
    4000,
    1500,
    1492,
    1480,
    1472,
    1462,
    1460,
    1450,
    1440,
    1430,
    1420,
    1400,
    1380,
    1360,
    1280,
    576,
)
SIZE_TIMEOUT = 1.5
ATTEMPTS = 3
PAUSE = 0.5
AT_A_TIME = 64
LONGEST_PACKET = 65536


class Target(NamedTuple):
    """A place of another host.

    Attributes:
        host: its name.
        place: where.
        listener: whether what listens there answers by our messages; else it is a program of the cluster.
        mtu: the size of packets that both hosts' interfaces allow; 0 where the way is not to be measured here.
    """

    host: str
    place: Place
    listener: bool
    mtu: int


class Outcome(NamedTuple):
    """What came of all attempts.

    Attributes:
        closed: places that cannot be reached, with state and error.
        narrow: ways on which packets must be smaller than both ends' interfaces allow.
        untold: hosts whose listeners wait for this one in vain.
    """

    closed: List[Dict[str, Any]]
    narrow: List[Dict[str, Any]]
    untold: List[str]


class Probe:
    """The attempts of one host."""

    def __init__(self, source: str, timeout: float, patience: float = 0) -> None:
        self.source = source
        self.timeout = timeout
        self.patience = patience

    def _ask(self, target: Target, word: str) -> bool:
        """Say something to a listener; whether the right one answered.

        Raises:
            OSError: where nobody did.
        """
        message = Message(word, target.host, self.source)
        with opened(target.place) as one:
            one.settimeout(self.timeout)
            one.connect(destination(target.place))
            if target.place.protocol == TCP:
                one.sendall(written(message))
                return read(receive_line(one)) == answer(message)
            return self._exchange(one, target.place, message, written(message), self.timeout)

    @staticmethod
    def _exchange(one: socket.socket, place: Place, message: Message, packet: bytes, timeout: float) -> bool:
        """Send a packet that begins with a message, again where nothing comes back, until the answer is there.

        Raises:
            OSError: where it does not come.
        """
        for _attempt in range(ATTEMPTS):
            one.send(packet)
            until = time.monotonic() + timeout / ATTEMPTS
            while time.monotonic() < until:
                one.settimeout(max(0.01, until - time.monotonic()))
                with contextlib.suppress(socket.timeout):
                    if read(payload(place, one.recv(LONGEST_PACKET))) == answer(message):
                        return True
        raise socket.timeout

    def reach(self, target: Target) -> Dict[str, str]:
        """Whether a target can be reached: state and error.

        States: open, other (somebody else answers), refused, timeout, unreachable.
        """
        try:
            if target.listener:
                good = self._ask(target, HELLO)
                return _state("open" if good else "other", "" if good else "another program or host answers")
            with opened(target.place) as one:
                one.settimeout(self.timeout)
                one.connect(destination(target.place))
            return _state("open", "")
        except ConnectionRefusedError as error:
            return _state("refused", error.strerror or str(error))
        except ConnectionResetError as error:
            return _state("other", error.strerror or str(error))
        except socket.timeout:
            return _state("timeout", f"no answer within {self.timeout:g} s")
        except OSError as error:
            return _state("unreachable", error.strerror or str(error))

    def reach_patiently(self, target: Target) -> Dict[str, str]:
        """Whether a target can be reached in the end."""
        until = time.monotonic() + self.patience
        while True:
            state = self.reach(target)
            if state["state"] == "open" or time.monotonic() >= until:
                return state
            time.sleep(min(PAUSE, max(0.0, until - time.monotonic())))

    def passes(self, target: Target, size: int, limited: bool) -> bool:
        """Whether packets of a size pass, in both directions where the place takes connections."""
        with opened(target.place) as one:
            try:
                if target.place.protocol == TCP:
                    return self._fill(one, target, size if limited else 0)
                return self._fits(one, target, size)
            except OSError:
                return False

    def _fill(self, one: socket.socket, target: Target, size: int) -> bool:
        """Whether a connection gets through what fills its packets, which may be no larger than a size."""
        headers = 60 if ":" in target.place.address else 40
        if size:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, size - headers)
        one.settimeout(SIZE_TIMEOUT)
        one.connect(destination(target.place))
        message = Message(FILL, target.host, self.source)
        one.sendall(written(message) + b"\0" * FILLING)
        return read(receive_line(one)) == answer(message) and receive_filling(one)

    def _fits(self, one: socket.socket, target: Target, size: int) -> bool:
        """Whether a packet of a size, which nobody may divide, is answered."""
        if ":" in target.place.address:
            one.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, DISCOVER_BY_PROBES)
        else:
            one.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, DISCOVER_BY_PROBES)
        headers = (40 if ":" in target.place.address else 20) + (8 if target.place.protocol == "udp" else 0)
        message = Message(HELLO, target.host, self.source)
        one.connect(destination(target.place))
        packet = written(message).ljust(size - headers, b"\0")
        return self._exchange(one, target.place, message, packet, SIZE_TIMEOUT)

    def path(self, target: Target) -> Optional[Dict[str, Any]]:
        """How large packets may be on the way, and whether this host was told; None where all pass."""
        whole = self.passes(target, target.mtu, limited=False)
        told = _told(target.place)
        if 0 < told < target.mtu:
            return {"mtu": told, "told": True}
        if whole:
            return None
        smaller = [size for size in SIZES if size < target.mtu]
        low, high = 0, len(smaller)
        while low < high:
            middle = (low + high) // 2
            if self.passes(target, smaller[middle], limited=True):
                high = middle
            else:
                low = middle + 1
        return {"mtu": smaller[low] if low < len(smaller) else 0, "told": False}

    def end(self, targets: Sequence[Target]) -> bool:
        """Tell a host that this one is done, by the first of its places that answers."""
        for target in sorted(targets, key=lambda target: target.place.protocol != TCP):
            with contextlib.suppress(OSError):
                if self._ask(target, END):
                    return True
        return False

    def run(self, targets: Sequence[Target]) -> Outcome:
        """Try all targets, many at a time, and tell their hosts that this one is done."""
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            states = list(pool.map(self.reach_patiently, targets))
            tried = list(zip(targets, states))
            measured = [target for target, state in tried if target.mtu and state["state"] == "open"]
            paths = list(pool.map(self.path, measured))
            waiting: Dict[str, List[Target]] = {}
            for target, state in tried:
                if target.listener:
                    waiting.setdefault(target.host, []).extend([target] if state["state"] == "open" else [])
            told = list(pool.map(self.end, waiting.values()))
        closed = [
            {"host": target.host, **target.place._asdict(), **state}
            for target, state in tried
            if state["state"] != "open"
        ]
        narrow = [
            {"host": target.host, "address": target.place.address, "wanted": target.mtu, **path}
            for target, path in zip(measured, paths)
            if path
        ]
        return Outcome(closed, narrow, [host for host, was_told in zip(waiting, told) if not was_told])


def _state(state: str, error: str) -> Dict[str, str]:
    return {"state": state, "error": error}


def _told(place: Place) -> int:
    """The size of packets on the way to an address as the kernel knows it; 0 where it does not."""
    with socket.socket(family(place.address), socket.SOCK_DGRAM) as one:
        try:
            one.connect((place.address, 9))
            if ":" in place.address:
                return one.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU)
            return one.getsockopt(socket.IPPROTO_IP, IP_MTU)
        except OSError as error:
            if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENOTCONN, errno.ENOPROTOOPT):
                return 0
            raise
