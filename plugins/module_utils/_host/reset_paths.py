# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a cluster on a host: which they are, which mounts stand in their way, and how they are removed.

Nothing is removed below a mount: a folder that is one itself is emptied, and a mount within a folder must go first.
"""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Sequence, Set

KUBELET = "/var/lib/kubelet"
# What Kubernetes and its storage drivers mount themselves.
KUBELET_MOUNT = re.compile(r"/(pods|plugins)/.+")
KUBERNETES = "/etc/kubernetes"
MANIFESTS = (f"{KUBERNETES}/manifests", f"{KUBERNETES}/manifests.stopped")
STATIC_PODS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd", "kube-vip")
CNI = "/etc/cni/net.d"
# What the network plugins write that the collection knows.
CNI_FILES = (
    "10-flannel.conflist",
    "10-calico.conflist",
    "10-canal.conflist",
    "calico-kubeconfig",
    "05-cilium.conf",
    "05-cilium.conflist",
)
CNI_BRIDGE = "10-bridge.conflist"  # the collection's own, by this name of its network
CNI_BRIDGE_NETWORK = "kubernetes"
RECORDS = "/var/lib/groundwork/files"
# Files that roles wrote, by the names of the sets in which they recorded them.
SETS = ("kubernetes", "endpoint", "etcd-member", "etcd")

PATTERNS = (
    *(f"{KUBERNETES}/{name}.conf" for name in ("admin", "super-admin", "kubelet", "bootstrap-kubelet")),
    *(f"{KUBERNETES}/{name}.conf" for name in ("controller-manager", "scheduler", "kube-vip", "kubeadm-discovery")),
    f"{KUBERNETES}/kubeadm*.yaml",
    f"{KUBERNETES}/.kubeadm-*-in-progress",
    *(f"{folder}/{name}.yaml" for folder in MANIFESTS for name in STATIC_PODS),
    *(f"{KUBERNETES}/{name}" for name in ("admission", "audit", "authentication", "encryption", "patches", "tmp")),
    *(f"{KUBERNETES}/pki/{name}.*" for name in ("ca", "sa", "front-proxy-ca", "front-proxy-client")),
    *(f"{KUBERNETES}/pki/apiserver{name}.*" for name in ("", "-etcd-client", "-kubelet-client")),
    *(f"{KUBERNETES}/pki/etcd/{name}.*" for name in ("ca", "server", "peer", "healthcheck-client")),
    *(f"{CNI}/{name}" for name in CNI_FILES),
    "/etc/etcd/bootstrap.env",
    "/var/lib/cni/flannel",
    "/run/flannel",
    "/var/lib/calico",
    "/run/calico",
    "/run/cilium",
    "/var/lib/dockershim",
    # What the kubelet asks of logind where it may hold up a shutdown (pkg/kubelet/nodeshutdown/systemd).
    "/etc/systemd/logind.conf.d/99-kubelet.conf",
    "/run/kubernetes",
    "/var/lib/groundwork/kubeadm.json",
    "/var/lib/groundwork/kubeadm-attempt.json",
    "/var/lib/groundwork/restore.json",
)
# Folders whose content is the cluster's, and that may be links or mounts of their own.
FOLDERS = (KUBELET, "/var/log/pods", "/var/log/containers")
# Folders that go when nothing is left in them.
EMPTIED = (*MANIFESTS, f"{KUBERNETES}/pki/etcd", f"{KUBERNETES}/pki", KUBERNETES, "/etc/etcd")


class ResetError(Exception):
    """Why a host cannot be reset, or not further; the message names what stands against it."""


@dataclass(frozen=True)
class Networks:
    """What the host's CNI configurations say.

    Attributes:
        files: those of the cluster.
        names: the cluster's networks.
        bridges: the interfaces that these are bridged by.
        foreign: configurations of others.
        foreign_bridges: the interfaces of those.
    """

    files: List[str] = field(default_factory=list)
    names: List[str] = field(default_factory=list)
    bridges: List[str] = field(default_factory=list)
    foreign: List[str] = field(default_factory=list)
    foreign_bridges: List[str] = field(default_factory=list)


def parse_mounts(text: str) -> List[str]:
    """The mount points of /proc/self/mountinfo, in the order in which they were mounted."""
    rows = (line.split() for line in text.splitlines())
    return [re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), row[4]) for row in rows if len(row) > 4]


def mounts_below(path: str, mounts: Iterable[str]) -> List[str]:
    """The mounts within a folder, itself not counted."""
    return [mount for mount in mounts if mount.startswith(path.rstrip("/") + "/")]


def kubelet_mounts(kubelet: str, mounts: Sequence[str]) -> List[str]:
    """The mounts that Kubernetes made, the last one first, as they are unmounted."""
    found = mounts_below(kubelet, mounts)
    return [mount for mount in reversed(found) if KUBELET_MOUNT.fullmatch(mount[len(kubelet) :])]


def read_networks(folder: str = CNI) -> Networks:
    """Sort the CNI configurations into the cluster's and others'."""
    networks = Networks()
    for path in sorted(glob.glob(os.path.join(folder, "*"))):
        name = os.path.basename(path)
        if not os.path.isfile(path) or (name not in (*CNI_FILES, CNI_BRIDGE) and not _is_configuration(name)):
            continue
        content = _json(path)
        own = name in CNI_FILES or (name == CNI_BRIDGE and content.get("name") == CNI_BRIDGE_NETWORK)
        (networks.files if own else networks.foreign).append(path)
        plugins = content.get("plugins")
        bridges = [
            str(plugin["bridge"])
            for plugin in [content, *(plugins if isinstance(plugins, list) else [])]
            if isinstance(plugin, dict) and plugin.get("type") == "bridge" and plugin.get("bridge")
        ]
        if own and content.get("name"):
            networks.names.append(str(content["name"]))
        (networks.bridges if own else networks.foreign_bridges).extend(bridges)
    return networks


def _is_configuration(name: str) -> bool:
    return name.endswith((".conf", ".conflist", ".json"))


def _json(path: str) -> Dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as stream:
            content = json.load(stream)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def recorded(records: str = RECORDS) -> List[str]:
    """What roles wrote by their records, and the records."""
    found: List[str] = []
    for name in SETS:
        path = os.path.join(records, f"{name}.json")
        try:
            with open(path, encoding="utf-8") as stream:
                listed = [item for item in json.load(stream) if isinstance(item, str)]
        except (OSError, ValueError):
            listed = []
        found += [item for item in [*listed, path] if os.path.lexists(item) and not os.path.isdir(item)]
    return found


def unknown_manifests() -> List[str]:
    """Static pods that neither kubeadm nor the collection wrote."""
    known = {f"{name}.yaml" for name in STATIC_PODS}
    return [
        os.path.join(folder, name)
        for folder in MANIFESTS
        if os.path.isdir(folder)
        for name in sorted(os.listdir(folder))
        if name not in known and not name.startswith(".")
    ]


def children(folder: str) -> List[str]:
    """What is in a folder that stays."""
    real = os.path.realpath(folder)
    return [os.path.join(real, name) for name in sorted(os.listdir(real))] if os.path.isdir(real) else []


def existing(paths: Sequence[str], folders: Sequence[str], mounts: Sequence[str]) -> List[str]:
    """The files and folders to remove. Of a folder that is a mount or a link itself, what is in it.

    Args:
        paths: patterns of what goes as a whole.
        folders: patterns of folders, which go as a whole too.
        mounts: the host's mounts.
    """
    found: List[str] = []
    seen: Set[str] = set()
    for pattern in [*paths, *folders]:
        for path in sorted(glob.glob(pattern)) or [path for path in [pattern] if os.path.lexists(path)]:
            linked = os.path.islink(path) and os.path.isdir(path) and pattern in folders
            parts = children(path) if linked or path in mounts else [path]
            found += [part for part in parts if part not in seen]
            seen.update(parts)
    return found


def mount_faults(paths: Sequence[str], mounts: Sequence[str], unmounted: Sequence[str]) -> List[str]:
    """The mounts because of which something cannot be removed."""
    return [
        f"{mount} is a mount that Kubernetes did not make, where {path} is to be removed: unmount it, or move it"
        for path in paths
        for mount in mounts_below(path, mounts) + [mount for mount in mounts if mount == path]
        if mount not in unmounted
    ]


def current_mounts() -> List[str]:
    """The host's mounts now."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
        return parse_mounts(stream.read())


def remove(path: str) -> None:
    """Remove a file, a link or a folder, never what is mounted there.

    Raises:
        ResetError: if a mount is at it or within.
        OSError: if it cannot be removed.
    """
    if not os.path.lexists(path):
        return
    held = [mount for mount in current_mounts() if mount == path] + mounts_below(path, current_mounts())
    if held:
        raise ResetError(
            f"{', '.join(held)} is mounted, so that {path} was not removed: unmount it, and run this again"
        )
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def emptied(removed: Sequence[str], folders: Sequence[str]) -> List[str]:
    """The folders in which nothing is left when these files are removed."""
    gone = list(removed)
    for folder in folders:
        plain = os.path.isdir(folder) and not os.path.islink(folder) and not os.path.ismount(folder)
        if plain and all(os.path.join(folder, name) in gone for name in os.listdir(folder)):
            gone.append(folder)
    return gone[len(removed) :]
