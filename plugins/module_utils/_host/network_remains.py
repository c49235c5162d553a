# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each network plugin has on a host, by which it is recognised and removed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Iterable, List, Sequence, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_network import (
    SUFFIXES,
    first_configuration,
)


@dataclass(frozen=True)
class Remains:
    """What a plugin has.

    Attributes:
        configurations: its files in /etc/cni/net.d.
        links: the names of its interfaces, as patterns; cni0 is the one of several plugins.
        paths: its files and folders elsewhere.
        units: its services.
        chains: its chains of iptables.
        comments: those of its rules in chains of others.
        tables: its tables of nftables, as family and name.
        sets: its sets of ipset.
        protocols: the numbers that its routes carry.
    """

    configurations: Tuple[str, ...]
    links: Tuple[str, ...] = ()
    paths: Tuple[str, ...] = ()
    units: Tuple[str, ...] = ()
    chains: str = ""
    comments: str = ""
    tables: str = ""
    sets: str = ""
    protocols: Tuple[int, ...] = ()


# By which the role cni keeps the programs that manage interfaces away from those of pods.
MANAGER_FILES = (
    "/etc/NetworkManager/conf.d/groundwork-pods.conf",
    "/etc/systemd/network/05-groundwork-pods.network",
    "/etc/systemd/networkd.conf.d/groundwork-pods.conf",
)
BRIDGE = Remains(
    configurations=("10-bridge.conflist",),
    links=("pod-vxlan", "cni0"),
    paths=(
        "/etc/systemd/system/kubernetes-pod-traffic.service",
        "/etc/systemd/system/kubernetes-pod-routes.service",
        "/etc/kubernetes/pod-routes",
        "/etc/kubernetes/pod-forwarding",
        *MANAGER_FILES,
    ),
    units=("kubernetes-pod-traffic.service", "kubernetes-pod-routes.service"),
    comments=r"kubernetes-pods",
    protocols=(77,),
)
FLANNEL = Remains(
    configurations=("10-flannel.conflist", "10-flannel.conf"),
    links=(r"flannel\.\d+", r"flannel-v6\.\d+", "flannel-wg", "flannel-wg-v6", "cni0"),
    paths=("/run/flannel", "/var/lib/cni/flannel", *MANAGER_FILES),
    chains=r"FLANNEL-.+",
    comments=r"flanneld .*",
    tables=r"\S+ flannel-ipv[46]",
)
CALICO = Remains(
    configurations=("10-calico.conflist", "calico-kubeconfig", "calico-tls"),
    links=(r"cali[0-9a-f]{11}", r"vxlan\.calico", r"vxlan-v6\.calico", r"wireguard\.cali", r"wg-v6\.cali"),
    paths=("/var/lib/calico", "/run/calico", "/var/log/calico", *MANAGER_FILES),
    chains=r"cali-.+",
    comments=r"cali:.*",
    tables=r"\S+ calico",
    sets=r"cali[46]\w.*",
    # Of its BIRD and of Felix (felix/dataplane/linux: 80); the kernel's own numbers are nobody's.
    protocols=(80,),
)
CANAL = Remains(
    configurations=("10-canal.conflist", "calico-kubeconfig"),
    links=(*CALICO.links, *FLANNEL.links),
    paths=(*CALICO.paths, *FLANNEL.paths),
    chains=f"{CALICO.chains}|{FLANNEL.chains}",
    comments=f"{CALICO.comments}|{FLANNEL.comments}",
    tables=f"{CALICO.tables}|{FLANNEL.tables}",
    sets=CALICO.sets,
    protocols=CALICO.protocols,
)
CILIUM = Remains(
    configurations=("05-cilium.conflist", "05-cilium.conf"),
    links=(r"cilium_\w+", r"lxc[0-9a-f]{12}", "lxc_health"),
    paths=("/run/cilium", "/var/lib/cilium", *MANAGER_FILES),
    chains=r"(OLD_)?CILIUM_.+",
    comments=r"cilium[-:].*",
    sets=r"cilium_.+",
)
PLUGINS: Dict[str, Remains] = {
    "bridge": BRIDGE,
    "flannel": FLANNEL,
    "calico": CALICO,
    "canal": CANAL,
    "cilium": CILIUM,
}


def matching(names: Iterable[str], patterns: Sequence[str]) -> List[str]:
    """The names that one of the patterns fits, sorted."""
    return sorted(name for name in names if any(re.fullmatch(pattern, name) for pattern in patterns))


def present(configurations: Iterable[str], links: Iterable[str]) -> Dict[str, List[str]]:
    """The plugins whose configuration a host has, each with that and its interfaces.

    An interface alone tells nothing: it stays when a plugin goes.
    """
    devices = list(links)
    found: Dict[str, List[str]] = {}
    for file in sorted(set(configurations)):
        for name, remains in PLUGINS.items():
            if file in remains.configurations and file.endswith(SUFFIXES):
                own = [pattern for pattern in remains.links if pattern != "cni0"]
                found.setdefault(name, [f"/etc/cni/net.d/{file}", *matching(devices, own)])
    return found


def current(configurations: Iterable[str]) -> str:
    """The plugin that pods get: the one whose configuration is the first by name; empty for one that is not known."""
    first = first_configuration(list(configurations))
    return next((name for name, remains in PLUGINS.items() if first in remains.configurations), "")
