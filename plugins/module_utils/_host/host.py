# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is, read from /proc, /sys and /etc: nothing is run and nothing is written."""

from __future__ import annotations

import ctypes
import hashlib
import ipaddress
import os
import re
import shutil
from typing import Any, Dict, List, Optional, Sequence

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.images import image_version
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import manifest_image
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_network import (
    CONFIGURATIONS,
    RESERVATIONS,
    first_configuration,
    network_name,
    reserved,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.proc_net import (
    Route,
    parse_ipv4_routes,
    parse_ipv6_routes,
    parse_listeners,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.running_settings import running_settings
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import FOLDER, node_state

PROGRAM_FOLDERS = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
# A clock whose largest error is above this is not synchronised (as systemd-timedated judges it).
CLOCK_ERROR_LIMIT_US = 16_000_000


def parse_swaps(text: str) -> List[str]:
    """The devices and files in use as swap, from /proc/swaps."""
    return [line.split()[0] for line in text.splitlines()[1:] if line.strip()]


def parse_memory_mb(text: str) -> int:
    """The memory in MiB, from /proc/meminfo."""
    match = re.search(r"^MemTotal:\s+(\d+) kB", text, re.MULTILINE)
    return int(match.group(1)) // 1024 if match else 0


def parse_cgroup_controllers(text: str) -> List[str]:
    """The enabled controllers of /proc/cgroups (cgroup version 1)."""
    rows = [line.split() for line in text.splitlines() if not line.startswith("#")]
    return sorted(row[0] for row in rows if len(row) == 4 and row[3] == "1")


def parse_kubelet_version(output: str) -> str:
    """The version in what "kubelet --version" prints; empty where there is none."""
    match = re.match(r"Kubernetes v(\S+)", output)
    return match.group(1) if match else ""


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
        """The filesystem where a path is or would be made: room in MiB, inodes, its number, whether it is read-only."""
        folder = self.path(path)
        while not os.path.isdir(folder):
            folder = os.path.dirname(folder)
        usage, system = shutil.disk_usage(folder), os.statvfs(folder)
        return {
            "path": path,
            "free_mb": usage.free >> 20,
            "total_mb": usage.total >> 20,
            "free_inodes": system.f_favail,
            "total_inodes": system.f_files,
            "device": os.stat(folder).st_dev,
            "read_only": bool(system.f_flag & os.ST_RDONLY),
        }

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
            "settings": running_settings(self.read),
        }

    def pod_network(self) -> Dict[str, Any]:
        """The network that new pods get, and how many addresses pods hold there by the plugin host-local."""
        file = first_configuration(self.listdir(CONFIGURATIONS))
        name = network_name(self.read(f"{CONFIGURATIONS}/{file}")) if file else ""
        addresses = reserved(self.listdir(f"{RESERVATIONS}/{name}")) if name else 0
        return {"file": file, "name": name, "addresses": addresses}

    def programs(self, names: Sequence[str]) -> Dict[str, str]:
        """Where programs are; empty for those that are missing."""
        search = os.pathsep.join(self.path(folder) for folder in PROGRAM_FOLDERS)
        return {name: shutil.which(name, path=search) or "" for name in names}
