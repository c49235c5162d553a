# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process takes the place of a pod in the network, so that a pod's network is tried with nothing but the host's own.

A pod is found by its identifier, which stands in the names of its control groups whatever the container runtime is.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from typing import Tuple

CLONE_NEWNET = 0x40000000
SIOCGIFMTU = 0x8921
# The interface that a network plugin gives a pod.
INTERFACE = "eth0"


class PodError(Exception):
    """The host runs no such pod, or its network cannot be entered."""


def names(uid: str) -> Tuple[bytes, bytes]:
    """How a pod's control group is called, by the two drivers that there are."""
    return (f"pod{uid}".encode(), f"pod{uid.replace('-', '_')}".encode())


def process_of(uid: str, proc: str = "/proc") -> int:
    """A process of a pod.

    Raises:
        PodError: where the host has none.
    """
    own = os.stat(f"{proc}/self/ns/net").st_ino
    for name in sorted(filter(str.isdigit, os.listdir(proc)), key=int):
        if _belongs(f"{proc}/{name}", names(uid), own):
            return int(name)
    raise PodError(f"no process on this host belongs to the pod {uid}")


def _belongs(folder: str, wanted: Tuple[bytes, bytes], own: int) -> bool:
    """Whether a process is in a pod's control group and in a network that is not the host's own."""
    try:
        with open(f"{folder}/cgroup", "rb") as stream:
            groups = stream.read()
        # What the container runtime itself has in the group is in the host's network.
        return any(one in groups for one in wanted) and os.stat(f"{folder}/ns/net").st_ino != own
    except OSError:
        return False  # it has ended


def enter(uid: str) -> None:
    """Be in the network of a pod from now on; threads and children that begin later are too.

    Raises:
        PodError: where that cannot be.
    """
    process = process_of(uid)
    library = ctypes.CDLL(None, use_errno=True)
    try:
        handle = os.open(f"/proc/{process}/ns/net", os.O_RDONLY)
    except OSError as error:
        raise PodError(f"the pod {uid} has just ended: {error}") from error
    try:
        if library.setns(handle, CLONE_NEWNET):
            number = ctypes.get_errno()
            raise PodError(f"the network of the pod {uid} cannot be entered: {os.strerror(number)}")
    finally:
        os.close(handle)


def mtu(interface: str = INTERFACE) -> int:
    """The size of packets that an interface allows; 0 where there is none of this name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        request = struct.pack("16sI12x", interface.encode(), 0)
        try:
            return int(struct.unpack("16sI12x", fcntl.ioctl(one, SIOCGIFMTU, request))[1])
        except OSError:
            return 0
