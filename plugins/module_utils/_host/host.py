# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is, read from /proc, /sys and /etc: nothing is run and nothing is written."""

from __future__ import annotations

import array
import ctypes
import fcntl
import hashlib
import ipaddress
import math
import os
import re
import shutil
import socket
import struct
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import is_bypassed
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.images import image_version
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import manifest_image
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import FOLDER, node_state

PROGRAM_FOLDERS = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
LISTENING = "0A"
ROUTE_REJECTED = 0x0200
# Seconds beyond the timeout in which a name may still be resolved.
CONNECT_GRACE = 1.0
DEFAULT_PORTS = {"http": 80, "https": 443}
# A clock whose largest error is above this is not synchronised (as systemd-timedated judges it).
CLOCK_ERROR_LIMIT_US = 16_000_000


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


@dataclass(frozen=True)
class Connection:
    """An attempt to reach something by TCP."""

    target: str
    via: str
    state: str  # connected, refused, timeout, unresolved or unreachable
    error: str
    milliseconds: int


def parse_swaps(text: str) -> List[str]:
    """The devices and files in use as swap, from /proc/swaps."""
    return [line.split()[0] for line in text.splitlines()[1:] if line.strip()]


def parse_memory_mb(text: str) -> int:
    """The memory in MiB, from /proc/meminfo."""
    match = re.search(r"^MemTotal:\s+(\d+) kB", text, re.MULTILINE)
    return int(match.group(1)) // 1024 if match else 0


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


def parse_cgroup_controllers(text: str) -> List[str]:
    """The enabled controllers of /proc/cgroups (cgroup version 1)."""
    rows = [line.split() for line in text.splitlines() if not line.startswith("#")]
    return sorted(row[0] for row in rows if len(row) == 4 and row[3] == "1")


def parse_kubelet_version(output: str) -> str:
    """The version in what "kubelet --version" prints; empty where there is none."""
    match = re.match(r"Kubernetes v(\S+)", output)
    return match.group(1) if match else ""


def parse_endpoint(target: str) -> Tuple[str, int]:
    """Host and port of a URL, of host:port or of a host alone (port 443).

    Raises:
        ValueError: where it is none of these.
    """
    parts = urlsplit(target if "://" in target else "//" + target)
    if not parts.hostname:
        raise ValueError(f"{target!r} is neither a URL nor host:port")
    return parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme, 443)


def _proxy_for(target: str) -> Optional[str]:
    """The proxy that the environment names for a URL."""
    parts = urlsplit(target)
    proxy = getproxies_environment().get(parts.scheme) if parts.scheme else None
    if not proxy:
        return None
    host, port = parse_endpoint(target)
    return None if is_bypassed(host, port, getproxies_environment().get("no", "")) else proxy


def connect(target: str, timeout: float) -> Connection:
    """Open and close one TCP connection to a URL or host:port, or to the proxy that is set for it."""
    proxy = _proxy_for(target)
    started, state, error = time.monotonic(), "connected", ""
    try:
        socket.create_connection(parse_endpoint(proxy or target), timeout=timeout).close()
    except ConnectionRefusedError as problem:
        state, error = "refused", problem.strerror or str(problem)
    except socket.gaierror as problem:
        state, error = "unresolved", problem.strerror or str(problem)
    except socket.timeout:
        state, error = "timeout", f"no answer within {timeout:g} s"
    except (OSError, UnicodeError) as problem:
        state, error = "unreachable", getattr(problem, "strerror", None) or str(problem)
    return Connection(target, proxy or "", state, error, int((time.monotonic() - started) * 1000))


def connect_all(targets: Sequence[str], timeout: float) -> List[Connection]:
    """Try all targets at the same time.

    The threads are left behind at the deadline: a resolver that hangs cannot be interrupted.
    """
    done: Dict[str, Connection] = {}

    def attempt(target: str) -> None:
        done[target] = connect(target, timeout)

    threads = [threading.Thread(target=attempt, args=(target,), daemon=True) for target in dict.fromkeys(targets)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + timeout + CONNECT_GRACE
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = f"no answer within {timeout:g} s; its name may not resolve"
    return [
        done.get(target, Connection(target, "", "timeout", late, int(timeout * 1000)))
        for target in dict.fromkeys(targets)
    ]


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def measure_fsync(folder: str, writes: int = 500, seconds: float = 3.0) -> Dict[str, Any]:
    """How long synchronous writes of 2 KiB take in a folder, as etcd writes its log.

    Args:
        folder: where; the file has no name, so that nothing stays behind.
        writes: at most so many.
        seconds: at most so long.

    Returns:
        Number of writes, median, 99th percentile and worst, in milliseconds.
    """
    block, started = b"\0" * 2048, time.monotonic()
    taken: List[float] = []
    with tempfile.TemporaryFile(dir=folder, prefix=".groundwork-") as stream:
        handle = os.open(f"/proc/self/fd/{stream.fileno()}", os.O_WRONLY | os.O_DSYNC)
        try:
            while len(taken) < writes and time.monotonic() - started < seconds:
                before = time.monotonic()
                os.write(handle, block)
                taken.append((time.monotonic() - before) * 1000)
        finally:
            os.close(handle)
    return {
        "folder": folder,
        "writes": len(taken),
        "median_ms": round(percentile(taken, 0.5), 3),
        "p99_ms": round(percentile(taken, 0.99), 3),
        "worst_ms": round(max(taken), 3),
    }


class _Timex(ctypes.Structure):
    """The start of the kernel's struct timex; the rest is not read."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    ]


def clock_synchronised() -> Optional[bool]:
    """Whether the kernel's clock is kept right by NTP or PTP; None where that cannot be asked."""
    timex = _Timex()
    try:
        answer = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return None
    return None if answer < 0 else timex.maxerror < CLOCK_ERROR_LIMIT_US


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


class HostReader:
    """Reads a host's files below a root folder (another one than / in tests)."""

    def __init__(self, root: str = "/") -> None:
        self.root = root

    def path(self, path: str) -> str:
        """Where a path of the host is."""
        return os.path.join(self.root, path.lstrip("/"))

    def exists(self, path: str) -> bool:
        """Whether there is such a file or folder."""
        return os.path.exists(self.path(path))

    def read(self, path: str) -> str:
        """A file's text without blank ends; empty where it is missing or unreadable."""
        try:
            with open(self.path(path), encoding="utf-8", errors="replace") as stream:
                return stream.read().strip()
        except OSError:
            return ""

    def listdir(self, path: str) -> List[str]:
        """A folder's entries, sorted; empty where it is missing or unreadable."""
        try:
            return sorted(os.listdir(self.path(path)))
        except OSError:
            return []

    def routes(self) -> List[Route]:
        """The main table's routes of both families."""
        return [
            *parse_ipv4_routes(self.read("/proc/net/route")),
            *parse_ipv6_routes(self.read("/proc/net/ipv6_route")),
        ]

    def interfaces(self, ipv4: Dict[str, List[str]]) -> List[Dict[str, Any]]:
        """Name, MAC address, MTU and addresses of every interface except lo."""
        addresses = {name: list(found) for name, found in ipv4.items()}
        for line in self.read("/proc/net/if_inet6").splitlines():
            words = line.split()
            addresses.setdefault(words[5], []).append(str(ipaddress.IPv6Address(int(words[0], 16))))
        folder = "/sys/class/net"
        return [
            {
                "name": name,
                "mac": self.read(f"{folder}/{name}/address"),
                "mtu": int(self.read(f"{folder}/{name}/mtu") or 0),
                "physical": self.exists(f"{folder}/{name}/device"),
                "addresses": addresses.get(name, []),
            }
            for name in self.listdir(folder)
            if name != "lo" and self.exists(f"{folder}/{name}/mtu")
        ]

    def listeners(self, ports: Sequence[int]) -> List[Dict[str, Any]]:
        """Who listens on the ports of interest; the process is empty where it cannot be found."""
        if not ports:
            return []
        text = [self.read("/proc/net/tcp"), self.read("/proc/net/tcp6")]
        found = [one for part in text for one in parse_listeners(part) if one.port in ports]
        processes = self._owners({one.inode for one in found}) if found else {}
        return [
            {"port": one.port, "address": one.address, "process": processes.get(one.inode, "")}
            for one in sorted(found, key=lambda one: (one.port, one.address))
        ]

    def _owners(self, inodes: Any) -> Dict[str, str]:
        """The processes that hold sockets, by the sockets' inodes."""
        owners: Dict[str, str] = {}
        for pid in filter(str.isdigit, self.listdir("/proc")):
            for handle in self.listdir(f"/proc/{pid}/fd"):
                try:
                    link = os.readlink(self.path(f"/proc/{pid}/fd/{handle}"))
                except OSError:
                    continue
                if link.startswith("socket:[") and link[8:-1] in inodes:
                    owners.setdefault(link[8:-1], self.read(f"/proc/{pid}/comm"))
            if len(owners) == len(inodes):
                break
        return owners

    def space(self, path: str) -> Dict[str, Any]:
        """Free and total space where a path is or would be made, in MiB."""
        folder = self.path(path)
        while not os.path.isdir(folder):
            folder = os.path.dirname(folder)
        usage = shutil.disk_usage(folder)
        return {"path": path, "free_mb": usage.free >> 20, "total_mb": usage.total >> 20}

    def cgroup(self) -> Dict[str, Any]:
        """The cgroup version that the kubelet will see, and the enabled controllers."""
        unified = "/sys/fs/cgroup/cgroup.controllers"
        if self.exists(unified):
            return {"version": 2, "controllers": sorted(self.read(unified).split())}
        return {"version": 1, "controllers": parse_cgroup_controllers(self.read("/proc/cgroups"))}

    def security(self) -> Dict[str, Any]:
        """SELinux, AppArmor and ufw as they are configured."""
        enforce = self.read("/sys/fs/selinux/enforce")
        return {
            "selinux": {"1": "enforcing", "0": "permissive"}.get(enforce, "disabled"),
            "apparmor": self.read("/sys/module/apparmor/parameters/enabled") == "Y",
            "ufw": bool(re.search(r"^ENABLED=yes", self.read("/etc/ufw/ufw.conf"), re.MULTILINE)),
        }

    def cluster(self, etcd_data_dir: str, stacked_etcd: bool = False) -> Dict[str, Any]:
        """What a cluster left or keeps on the host.

        Args:
            etcd_data_dir: where etcd keeps its data.
            stacked_etcd: whether it is kubeadm's, so that its data belongs to a control plane.
        """
        authority = self.path("/etc/kubernetes/pki/ca.crt")
        fingerprint = ""
        if os.path.exists(authority):
            with open(authority, "rb") as stream:
                fingerprint = hashlib.sha256(stream.read()).hexdigest()
        return {
            "kubelet_conf": self.exists("/etc/kubernetes/kubelet.conf"),
            "admin_conf": self.exists("/etc/kubernetes/admin.conf"),
            "node": node_state(FOLDER, etcd_data_dir if stacked_etcd else "", self.exists).describe(),
            # Data that an initialization which has begun is to go on with does not count.
            "etcd_data": self.exists(os.path.join(etcd_data_dir, "member"))
            and not self.exists("/etc/kubernetes/.kubeadm-init-in-progress"),
            "ca_sha256": fingerprint,
            "api_server_version": image_version(
                manifest_image(self.read("/etc/kubernetes/manifests/kube-apiserver.yaml"))
            ),
        }

    def network_manager_spares_cni(self) -> bool:
        """Whether NetworkManager is told to leave interfaces alone that Calico makes."""
        folders = ["/etc/NetworkManager/conf.d", "/run/NetworkManager/conf.d", "/usr/lib/NetworkManager/conf.d"]
        return any(
            "interface-name:cali" in self.read(f"{folder}/{name}")
            for folder in folders
            for name in self.listdir(folder)
        )

    def programs(self, names: Sequence[str]) -> Dict[str, str]:
        """Where programs are; empty for those that are missing."""
        search = os.pathsep.join(self.path(folder) for folder in PROGRAM_FOLDERS)
        return {name: shutil.which(name, path=search) or "" for name in names}


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


def connection_facts(connections: Sequence[Connection]) -> List[Dict[str, Any]]:
    """The attempts as plain data."""
    return [asdict(connection) for connection in connections]
