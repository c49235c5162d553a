# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other clusters and runtimes have left on a host, or run there; and whether its kernel has what pods need."""

from __future__ import annotations

import glob
import gzip
import os
import re
from typing import Any, Dict, List, Sequence

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.host import HostReader

CNI_FOLDER = "/etc/cni/net.d"
CNI_SUFFIXES = (".conf", ".conflist", ".json")
MANIFESTS = "/etc/kubernetes/manifests"
# What is there where a cluster is or was, kubeadm's or another distribution's.
PLACES = (
    *(f"{MANIFESTS}/{name}.yaml" for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")),
    "/var/lib/rancher/k3s",
    "/var/lib/rancher/rke2",
    "/var/lib/k0s",
    "/var/snap/microk8s",
)
DISTRIBUTIONS = (
    "k3s",
    "k3s-agent",
    "rke2-server",
    "rke2-agent",
    "k0scontroller",
    "k0sworker",
    "snap.microk8s.daemon-kubelite",
)
RUNTIMES = ("containerd", "crio", "docker")
CONTAINERD_FOLDER = "/etc/containerd"
PACKAGED_CONTAINERD = "/usr/bin/containerd"
# Where the first table of a TOML file begins, and the version above it.
TABLE = re.compile(r"^[ \t]*\[", re.MULTILINE)
VERSION = re.compile(r"""^[ \t]*["']?version["']?[ \t]*=[ \t]*\+?(\d+)[ \t]*(?:#.*)?$""", re.MULTILINE)
# What kubeadm asks of a kernel, and what pods' networks need.
KERNEL_OPTIONS = (
    *(
        "NAMESPACES",
        "NET_NS",
        "PID_NS",
        "IPC_NS",
        "UTS_NS",
        "CGROUPS",
        "CGROUP_DEVICE",
        "CGROUP_FREEZER",
        "CGROUP_PIDS",
    ),
    *(
        "CGROUP_SCHED",
        "CPUSETS",
        "MEMCG",
        "FAIR_GROUP_SCHED",
        "INET",
        "PROC_FS",
        "OVERLAY_FS",
        "VETH",
        "BRIDGE",
        "VXLAN",
    ),
    *("NETFILTER_XT_TARGET_REDIRECT", "NETFILTER_XT_MATCH_COMMENT", "NET_IPIP"),
)


def leftovers(reader: HostReader) -> Dict[str, List[str]]:
    """Configurations of pods' networks, in their order, and places of clusters that are there."""
    return {
        "cni": [name for name in reader.listdir(CNI_FOLDER) if name.endswith(CNI_SUFFIXES)],
        "places": [path for path in PLACES if reader.exists(path)],
    }


def containerd_files(reader: HostReader, patterns: Sequence[str]) -> List[Dict[str, Any]]:
    """Files that containerd reads beside its own and that name a version of its configuration, with that version."""
    found = []
    for pattern in patterns:
        for place in sorted(glob.glob(reader.path(os.path.join(CONTAINERD_FOLDER, pattern)))):
            path = f"/{os.path.relpath(place, reader.root)}"
            named = VERSION.search(TABLE.split(reader.read(path), maxsplit=1)[0])
            if named:
                found.append({"path": path, "version": int(named.group(1))})
    return found


def containerd_version(printed: str) -> str:
    """The version that containerd prints; empty where it prints none."""
    found = re.search(r" v?(\d+\.\d+\.\d+)", printed)
    return found.group(1) if found else ""


def kernel_options(reader: HostReader, release: str) -> Dict[str, Any]:
    """Which options the kernel was built without, and whether that can be read."""
    text = reader.read(f"/boot/config-{release}") or _unpacked(reader.path("/proc/config.gz"))
    built_in = set(re.findall(r"^CONFIG_(\w+)=[ym]$", text, re.MULTILINE))
    return {"known": bool(built_in), "missing": [name for name in KERNEL_OPTIONS if built_in and name not in built_in]}


def _unpacked(path: str) -> str:
    if not os.path.exists(path):
        return ""
    try:
        with gzip.open(path, "rt", encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except (OSError, EOFError):
        return ""
