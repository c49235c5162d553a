# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges what others have left on a host or run there: clusters, container runtimes, configurations of pods' networks.

What belongs to the cluster that a host has joined is no leftover.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.containerd import SINCE, newest_configuration
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import ERROR, WARNING, Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import CONTROL_PLANE, Node

# The files of network plugins, which the kubelet's runtime takes by name.
CNI_FILES = {
    "bridge": "10-bridge.conflist",
    "calico": "10-calico.conflist",
    "canal": "10-canal.conflist",
    "cilium": "05-cilium.conflist",
    "flannel": "10-flannel.conflist",
}
# What a network plugin makes; not tunl0, which the kernel has wherever it knows IP in IP.
INTERFACES = re.compile(
    r"^(cni0|flannel\.\d+|vxlan\.calico|pod-vxlan|cali[0-9a-f]{11}|cilium_\w+|kube-(ipvs0|bridge)|weave|nodelocaldns)$"
)
MANIFESTS = "/etc/kubernetes/manifests/"


def clusters(node: Node) -> Iterator[Fault]:
    """Parts of a cluster on a host that is in none."""
    if node.in_cluster or (node.facts["cluster"].get("node") or {}).get("interrupted"):
        return
    left = node.facts["leftovers"]
    # Of a control plane's own files another check says more.
    places = [path for path in left["places"] if CONTROL_PLANE not in node.roles or not path.startswith(MANIFESTS)]
    names = [one["name"] for one in node.facts["interfaces"] if node.runs_kubelet and INTERFACES.match(one["name"])]
    found = [
        *(f"the service {name}" for name in left["distributions"]),
        *places,
        *(f"the interface {name}" for name in names),
    ]
    if found:
        text = (
            f"the host is in no cluster and has parts of one: {', '.join(found)}; remove that cluster by its own "
            "means, or run the playbook reset; interfaces go with a restart of the host"
        )
        yield node.fault("cluster-leftover", text)


def runtimes(node: Node) -> Iterator[Fault]:
    """Services of other container runtimes. Docker has a containerd of its own, which others may use."""
    chosen = str(node.setting("kubernetes_container_runtime") or "containerd")
    rivals = {"containerd": ["crio"], "docker": ["crio"], "crio": ["containerd", "docker"]}.get(chosen, [])
    found = [name for name in node.facts["leftovers"]["runtimes"] if name in rivals]
    if found and node.runs_kubelet and not node.in_cluster:
        text = f"{' and '.join(found)} runs, and kubernetes_container_runtime is {chosen}; stop it, or choose it"
        yield node.fault("runtime-clash", text, WARNING)


def containerd_files(node: Node) -> Iterator[Fault]:
    """Files of others that containerd reads, and with which the one of this run would not start."""
    wanted, found = node.setting("containerd") or {}, node.facts["leftovers"].get("containerd") or {}
    version = wanted.get("version") or found.get("version") or ""
    most = newest_configuration(version)
    newer = {one["path"]: one["version"] for one in found.get("files") or [] if most and one["version"] > most}
    if not newer:
        return
    shown = ", ".join(f"{path} ({number})" for path, number in newer.items())
    first = SINCE.get(max(newer.values()))
    other = f", or install containerd {first} or newer ({wanted['variable']})" if first else ""
    text = (
        f"containerd {version} reads its configuration up to version {most}, and would not start with files of newer "
        f"versions: {shown}; write them in version {most}, or move them away{other}"
    )
    yield node.fault("containerd-drop-in", text)


def cni_files(node: Node) -> Iterator[Fault]:
    """Configurations of other pods' networks: the first by name counts, and before the cluster's is there, any."""
    if not node.runs_kubelet:
        return
    own = CNI_FILES.get(str(node.setting("cni_plugin")), "")
    foreign = [name for name in node.facts["leftovers"]["cni"] if name != own]
    before = [name for name in foreign if own and name < own]
    if node.in_cluster:
        # What else is there may be the plugin's, where it is not one of ours.
        foreign = before
    if not foreign:
        return
    shown = ", ".join(foreign)
    if before:
        text = f"/etc/cni/net.d has {shown}, and {before[0]} counts before {own}; move it away"
    else:
        text = f"/etc/cni/net.d has {shown}, which pods get until the cluster's network is there; move it away"
    yield node.fault("cni-leftover", text, ERROR if before and not node.in_cluster else WARNING)


def pod_network(node: Node) -> Iterator[Fault]:
    """Whether new pods would be on the network of those that run; another one would give addresses that are in use."""
    found, name = node.facts["pod_network"], str(node.setting("cni_bridge_network") or "")
    if node.setting("cni_plugin") != "bridge" or not node.in_cluster or not found["addresses"] or found["name"] == name:
        return
    text = (
        f"pods hold {found['addresses']} addresses in the network {found['name']} of /etc/cni/net.d/{found['file']}, "
        f"and cni_bridge_network is {name}, where they would be given again; set cni_bridge_network: {found['name']}, "
        "or cni_plugin: none to leave the network alone"
    )
    yield node.fault("pod-network-other", text)
