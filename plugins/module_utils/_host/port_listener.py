# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listens for a short time in the place of programs that are not there yet, and answers other hosts.

It runs in the background, has no files, and ends as soon as all the hosts that it waits for have said that they are
done, when it is told to, or when its time is over. By a socket with a name, of which the kernel allows one, a later one
finds it, so that no two of them are there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from typing import Dict, List, Sequence, Set, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.port_messages import (
    END,
    FILL,
    FILLING,
    HELLO,
    TCP,
    Place,
    answer,
    destination,
    opened,
    payload,
    read,
    receive_filling,
    receive_line,
    written,
)

# The name that the process has; the kernel keeps 15 characters.
PROCESS = "groundwork-port"
# In the abstract namespace: it is no file, and is gone with the process.
CONTROL = "\0groundwork-ports"
# How long a connection may be silent, and how many are served at a time.
PATIENCE = 5.0
MOST_CONNECTIONS = 512
LONGEST_PACKET = 65536


class Listener:
    """What runs in the background."""

    def __init__(self, host: str, expected: Sequence[str], sockets: Dict[Place, socket.socket]) -> None:
        self.host = host
        self.waiting: Set[str] = set(expected)
        self.sockets = sockets
        self.over = threading.Event()
        self.lock = threading.Lock()

    def serve(self, control: socket.socket, seconds: float) -> None:
        """Answer until everything is over."""
        for place, one in self.sockets.items():
            target = self._accept if place.protocol == TCP else self._echo
            threading.Thread(target=target, args=(place, one), daemon=True).start()
        threading.Thread(target=self._obey, args=(control,), daemon=True).start()
        self.over.wait(seconds)
        # Before whoever ends it is told, so that programs can have the ports then.
        for place, one in self.sockets.items():
            if place.protocol == TCP:
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        control.close()

    def _obey(self, control: socket.socket) -> None:
        """Whoever connects is told the end by the end of this process."""
        self.waiter, _address = control.accept()
        self.over.set()

    def _done(self, name: str) -> None:
        with self.lock:
            self.waiting.discard(name)
            if not self.waiting:
                self.over.set()

    def _accept(self, place: Place, listening: socket.socket) -> None:
        while True:
            try:
                stream, _address = listening.accept()
            except OSError:
                return
            if threading.active_count() > MOST_CONNECTIONS:
                stream.close()
                continue
            threading.Thread(target=self._converse, args=(stream,), daemon=True).start()

    def _converse(self, stream: socket.socket) -> None:
        with stream:
            try:
                stream.settimeout(PATIENCE)
                message = read(receive_line(stream))
                if message is None or message.to != self.host or message.word not in (HELLO, FILL, END):
                    return
                if message.word == FILL and not receive_filling(stream):
                    return
                stream.sendall(written(answer(message)))
                if message.word == FILL:
                    stream.sendall(b"\0" * FILLING)
                # The other end closes first, so that no port of this host is kept by the kernel afterwards.
                stream.recv(1)
            except OSError:
                return
        if message.word == END:
            self._done(message.by)

    def _echo(self, place: Place, one: socket.socket) -> None:
        while not self.over.is_set():
            try:
                packet, address = one.recvfrom(LONGEST_PACKET)
                message = read(payload(place, packet))
                if message is None or message.to != self.host or message.word not in (HELLO, END):
                    continue
                one.sendto(written(answer(message)), address)
            except OSError:
                continue
            if message.word == END:
                self._done(message.by)


def bound(place: Place) -> socket.socket:
    """A socket that listens at a place.

    Raises:
        OSError: where that cannot be.
    """
    one = opened(place)
    try:
        if place.protocol == TCP:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ":" in place.address:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(destination(place))
        if place.protocol == TCP:
            one.listen(128)
    except OSError:
        one.close()
        raise
    return one


def bind(places: Sequence[Place]) -> Tuple[Dict[Place, socket.socket], Dict[Place, str]]:
    """Sockets for as many places as can be had, and why the others cannot."""
    sockets: Dict[Place, socket.socket] = {}
    faults: Dict[Place, str] = {}

    def attempt(place: Place) -> None:
        try:
            sockets[place] = bound(place)
        except OSError as error:
            faults[place] = error.strerror or str(error)

    for place in places:
        attempt(place)
    return sockets, faults


def stop(seconds: float = PATIENCE) -> bool:
    """End the one that runs, and wait until it is gone; whether there was one.

    Raises:
        OSError: where it does not end.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.settimeout(seconds)
        try:
            control.connect(CONTROL)
        except ConnectionRefusedError:
            return False
        with contextlib.suppress(ConnectionResetError):
            control.recv(1)
    return True


def start(host: str, places: Sequence[Place], expected: Sequence[str], seconds: float) -> Dict[Place, str]:
    """Listen in the background.

    Args:
        host: the name to answer to.
        places: where.
        expected: the hosts that will say that they are done.
        seconds: at most so long.

    Returns:
        Why places cannot be listened at.

    Raises:
        OSError: where another one does not make room.
    """
    stop()
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    control.bind(CONTROL)
    control.listen(8)
    sockets, faults = bind(places)
    if os.fork() == 0:
        _run(Listener(host, expected, sockets), control, seconds)
    for one in [control, *sockets.values()]:
        one.close()
    return faults


def _run(listener: Listener, control: socket.socket, seconds: float) -> None:
    """Be a process of its own, and never come back."""
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.chdir("/")
        with open("/proc/self/comm", "w", encoding="utf-8") as stream:
            stream.write(PROCESS)
        kept = {control.fileno(), *(one.fileno() for one in listener.sockets.values())}
        null = os.open(os.devnull, os.O_RDWR)
        for handle in (0, 1, 2):
            os.dup2(null, handle)
        for handle in _open_handles():
            if handle > 2 and handle not in kept:
                _close(handle)
        listener.serve(control, seconds)
    finally:
        os._exit(0)


def _open_handles() -> List[int]:
    return [int(name) for name in os.listdir("/proc/self/fd")]


def _close(handle: int) -> None:
    try:
        os.close(handle)
    except OSError:
        return
