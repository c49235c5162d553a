# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges what a machine is: its identity, clock, size, kernel, swap and programs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.swap import ON_THE_CONTAINERS_HOST
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import WARNING, Fault, listed
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    CONTROL_PLANE,
    Node,
    version_tuple,
)

# Programs that only a kubelet and what it runs need.
NODE_PROGRAMS = {
    *("conntrack", "ebtables", "ethtool", "ipset", "iptables", "ipvsadm", "modprobe", "mount", "nft", "nsenter"),
    *("socat", "tc"),
}
CONTROLLERS = {"cpu", "cpuset", "memory", "pids"}
# Where the kubelet or kubeadm began to behave otherwise (minor versions of Kubernetes).
CGROUP_V1_REFUSED = 35
CONNTRACK_NOT_REQUIRED = 32
# Network plugins whose current versions need a kernel from this one on.
OF_NEWER_KERNELS, PLUGIN_KERNEL = ("calico", "canal", "cilium"), (5, 10)
NFTABLES_KERNEL = (5, 13)


def clock_offset(sent: float, received: float, epoch: float, duration: float) -> tuple[float, float]:
    """How far a host's clock is ahead of the controller's, and how uncertain that is, in seconds.

    The host read its clock after the controller sent and, since it worked for the duration afterwards, no later than
    that long before the controller received. The middle of these is the best guess.
    """
    latest = max(sent, received - duration)
    return round(epoch - (sent + latest) / 2, 3), round((latest - sent) / 2, 3)


def identity(node: Node) -> Iterator[Fault]:
    """The init system and the machine id."""
    if not node.facts["systemd"]:
        yield node.fault("systemd-missing", "systemd does not run; the collection manages services by systemd only")
    if not node.facts["machine_id"]:
        yield node.fault(
            "machine-id-missing", "/etc/machine-id is empty; run systemd-machine-id-setup and restart the host"
        )


def clock(node: Node) -> Iterator[Fault]:
    """Whether something keeps the clock right."""
    if node.facts["clock"]["synchronised"] is False:
        text = "the clock is not synchronised; enable chrony, systemd-timesyncd or another NTP client"
        yield node.fault("clock-unsynchronised", text, WARNING)


def resources(node: Node) -> Iterator[Fault]:
    """CPUs and memory."""
    if node.runs_kubelet:
        kind = "control_plane" if CONTROL_PLANE in node.roles else "node"
        for fact, name, unit, fault in (
            ("cpus", f"preflight_{kind}_cpus", "CPUs", "cpu-too-few"),
            ("memory_mb", f"preflight_{kind}_memory_mb", "MB of memory", "memory-too-small"),
        ):
            have, need = node.facts[fact], node.setting(name) or 0
            if have < need:
                yield node.fault(fault, f"{have} {unit}, but {need} are needed; use a larger host or lower {name}")


def kernel(node: Node) -> Iterator[Fault]:
    """The kernel's release, and cgroups as this version of the kubelet needs them."""
    have, need = version_tuple(node.facts["kernel"]), version_tuple(str(node.setting("preflight_kernel") or ""))
    if have < need:
        text = (
            f"kernel {node.facts['kernel']} is older than {need[0]}.{need[1]} (preflight_kernel); install a newer one"
        )
        yield node.fault("kernel-too-old", text)
    if not node.runs_kubelet:
        return
    if node.setting("kubernetes_proxy_mode") == "nftables" and have < NFTABLES_KERNEL:
        text = (
            f"kernel {node.facts['kernel']} is older than 5.13, which kubernetes_proxy_mode nftables needs; "
            "install a newer one or use iptables"
        )
        yield node.fault("kernel-too-old", text)
    plugin = str(node.setting("cni_plugin"))
    if plugin in OF_NEWER_KERNELS and have < PLUGIN_KERNEL:
        text = (
            f"kernel {node.facts['kernel']} is older than 5.10, which current versions of cni_plugin {plugin} need; "
            "install a newer one, or see that yours does without"
        )
        yield node.fault("kernel-too-old", text, WARNING)
    cgroup = node.facts["cgroup"]
    missing = sorted(CONTROLLERS - set(cgroup["controllers"]))
    if missing:
        text = (
            f"cgroup controllers {', '.join(missing)} are off, and the kubelet needs them; enable them on the kernel's "
            "command line (for memory: cgroup_enable=memory) and restart the host"
        )
        yield node.fault("cgroup-controllers", text)
    if cgroup["version"] == 1 and node.minor >= CGROUP_V1_REFUSED:
        yield from cgroup_v1(node)


def kernel_options(node: Node) -> Iterator[Fault]:
    """What the kernel was built without. Where its configuration cannot be read, that is not known and no fault."""
    needed = {
        "calico": {"VXLAN" if node.setting("cni_tunnel") == "vxlan" else "NET_IPIP"},
        "canal": {"VXLAN"},
        "flannel": {"VXLAN", "BRIDGE"},
        "bridge": {"BRIDGE"},
    }.get(str(node.setting("cni_plugin")), set())
    of_plugins = {"NET_IPIP", "VXLAN", "BRIDGE"} - needed
    missing = [name for name in node.facts["kernel_options"]["missing"] if name not in of_plugins]
    if missing and node.runs_kubelet:
        shown = ", ".join(f"CONFIG_{name}" for name in missing)
        text = f"kernel {node.facts['kernel']} was built without {shown}; install the distribution's own kernel"
        yield node.fault("kernel-option", text)


def cgroup_v1(node: Node) -> Iterator[Fault]:
    """What must be set so that a current kubelet and kubeadm accept cgroup version 1."""
    version = f"Kubernetes {node.setting('kubernetes_version')}"
    if (node.setting("kubernetes_kubelet_configuration") or {}).get("failCgroupV1") is not False:
        text = (
            f"the host runs cgroup version 1, and the kubelet of {version} refuses it; restart the host with "
            "systemd.unified_cgroup_hierarchy=1, or set failCgroupV1: false in kubernetes_kubelet_configuration"
        )
        yield node.fault("cgroup-v1", text)
    elif not {"all", "systemverification"} & {
        str(name).lower() for name in node.setting("kubernetes_ignore_preflight_errors") or []
    }:
        text = (
            f"the host runs cgroup version 1, and kubeadm of {version} refuses it although failCgroupV1 is false; add "
            "SystemVerification to kubernetes_ignore_preflight_errors"
        )
        yield node.fault("cgroup-v1", text)


def swap(node: Node) -> Iterator[Fault]:
    """Swap that stays on although the kubelet would not start with it."""
    devices = node.facts["swap"]
    fails = (node.setting("kubernetes_kubelet_configuration") or {}).get("failSwapOn", True)
    if node.runs_kubelet and "none" in devices and (fails or node.setting("preflight_swap") == "disabled"):
        text = (
            "this host is a container that may use its host's swap (lxcfs lists it in /proc/swaps as 'none'), which "
            f"cannot be turned off from within; {ON_THE_CONTAINERS_HOST}, or set preflight_swap: allowed and "
            "failSwapOn: false in kubernetes_kubelet_configuration"
        )
        yield node.fault("swap-active", text)
    elif node.runs_kubelet and devices and fails and node.setting("preflight_swap") == "allowed":
        text = (
            f"swap is on ({', '.join(devices)}) and preflight_swap allows it, but the kubelet does not start with it; "
            "set failSwapOn: false in kubernetes_kubelet_configuration, or preflight_swap: disabled"
        )
        yield node.fault("swap-active", text)


def programs(node: Node) -> Iterator[Fault]:
    """Missing programs that no package of the role brings."""
    brought = node.setting("preflight_packages") or {}
    needed = ["ip", "iptables", "mount", "nsenter"]
    if node.runs_kubelet and node.minor < CONNTRACK_NOT_REQUIRED:
        needed.append("conntrack")
    for program in needed if node.runs_kubelet else []:
        if node.facts["programs"].get(program) == "" and program not in brought:
            text = f"{program} is missing; install it, or add its package to preflight_packages"
            yield node.fault("program-missing", text)
    for program in node.setting("handler_programs") or []:
        if node.facts["programs"].get(program) == "":
            text = f"{program} of container_runtime_handlers is missing; install it, or name its package there"
            yield node.fault("program-missing", text)
    for program in node.setting("backup_programs") or []:
        if node.facts["programs"].get(program) == "":
            text = f"{program} is missing, which backups need here; install it, or add its package to backup_packages"
            yield node.fault("program-missing", text)


def missing_packages(node: Node) -> list[str]:
    """The packages that bring the host's missing programs."""
    packages = node.setting("preflight_packages") or {}
    return sorted(
        {
            package
            for program, package in packages.items()
            if node.facts["programs"].get(program) == "" and (node.runs_kubelet or program not in NODE_PROGRAMS)
        }
    )


def shared(nodes: Sequence[Node], values: Callable[[Node], Iterable[str]]) -> Iterator[tuple[str, list[str]]]:
    """Values that more than one host has, with the hosts."""
    holders: dict[str, list[str]] = defaultdict(list)
    for node in nodes:
        for value in dict.fromkeys(values(node)):
            if value:
                holders[value].append(node.name)
    return ((value, names) for value, names in sorted(holders.items()) if len(names) > 1)


def own_macs(facts: Mapping[str, Any]) -> Iterator[str]:
    """MAC addresses that must be the host's alone: not those of bridges, which some programs always set alike."""
    for interface in facts["interfaces"]:
        if interface["physical"] or interface["name"] == facts["default_interface"]:
            yield interface["mac"] if interface["mac"] != "00:00:00:00:00:00" else ""


class Identity(NamedTuple):
    """What clones of a machine share and nodes must not."""

    what: str
    advice: str
    values: Callable[[Mapping[str, Any]], Iterable[str]]


IDENTITIES = {
    "duplicate-hostname": Identity("host name", "give each host its own", lambda facts: [facts["hostname"]]),
    "duplicate-machine-id": Identity(
        "machine id",
        "empty /etc/machine-id on the clones, run systemd-machine-id-setup and restart them",
        lambda facts: [facts["machine_id"]],
    ),
    "duplicate-mac": Identity("MAC address", "give each host's interface its own", own_macs),
    "duplicate-product-uuid": Identity(
        "product_uuid",
        "give each machine its own, or add duplicate-product-uuid to preflight_ignore where they are containers",
        lambda facts: [facts["product_uuid"]],
    ),
}


def duplicates(nodes: Sequence[Node]) -> Iterator[Fault]:
    """What hosts share that tells them apart."""
    for name, identity in IDENTITIES.items():
        for value, holders in shared(nodes, lambda node, identity=identity: identity.values(node.facts)):  # type: ignore[misc]
            yield Fault(name, f"{listed(holders)} share the {identity.what} {value}; {identity.advice}")


def clocks(nodes: Sequence[Node]) -> Iterator[Fault]:
    """Hosts whose clock certainly differs from the median host's by more than is allowed."""
    timed = [node for node in nodes if "offset" in node.facts["clock"]]
    if len(timed) < 2:
        return
    timed.sort(key=lambda node: node.facts["clock"]["offset"])
    reference = timed[(len(timed) - 1) // 2]
    for node in timed:
        ahead = node.facts["clock"]["offset"] - reference.facts["clock"]["offset"]
        certain = abs(ahead) - node.facts["clock"]["tolerance"] - reference.facts["clock"]["tolerance"]
        limit = node.setting("preflight_clock_skew_seconds") or 0
        if node is not reference and certain > limit:
            text = (
                f"the clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} that of {reference.name} "
                f"(allowed: {limit} s, preflight_clock_skew_seconds); synchronise the clocks by NTP"
            )
            yield node.fault("clock-skew", text)
