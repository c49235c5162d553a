# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges hosts by what host_facts read of them: one small function a fault, on one host or across hosts."""

from __future__ import annotations

import ipaddress
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils.faults import WARNING, Fault, listed

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

CONTROL_PLANE, ETCD, WORKER = "control_plane", "etcd", "worker"
# https://kubernetes.io/docs/reference/networking/ports-and-protocols/; the API server's port is a variable.
PORTS: dict[str, dict[int, str]] = {
    CONTROL_PLANE: {10250: "kubelet", 10257: "kube-controller-manager", 10259: "kube-scheduler"},
    ETCD: {2379: "etcd", 2380: "etcd"},
    WORKER: {10250: "kubelet", 10256: "kube-proxy"},
}
# Names as the kernel shows them, 15 characters at the most.
OWN_PROCESSES = {"kube-apiserver", "kube-controller", "kube-scheduler", "kube-proxy", "kubelet", "etcd"}
CNI_INTERFACES = re.compile(r"^(cni\d|flannel|cali|tunl\d|vxlan\.calico|wireguard\.cali|cilium|lxc|kube-|nodelocaldns)")
CONTROLLERS = {"cpu", "cpuset", "memory", "pids"}
# Where the kubelet or kubeadm began to behave otherwise (minor versions of Kubernetes).
CGROUP_V1_REFUSED = 35
CONNTRACK_NOT_REQUIRED = 32
NFTABLES_KERNEL = (5, 13)


@dataclass(frozen=True)
class Node:
    """A host: what it is and what it is to be."""

    name: str
    facts: Mapping[str, Any]
    settings: Mapping[str, Any]

    def setting(self, name: str) -> Any:
        """A variable's value on this host; None where it is not set."""
        return self.settings.get(name)

    @property
    def roles(self) -> Sequence[str]:
        """What the host is in the cluster: control_plane, etcd, worker."""
        return self.settings.get("roles") or []

    @property
    def runs_kubelet(self) -> bool:
        """Whether it is a node (an etcd host alone is none); a host of no group is taken for one."""
        return list(self.roles) != [ETCD]

    @property
    def in_cluster(self) -> bool:
        """Whether it has joined a cluster already."""
        return bool(self.facts["cluster"]["kubelet_conf"])

    @property
    def minor(self) -> int:
        """The minor version of Kubernetes that it is to run."""
        return version_tuple(str(self.setting("kubernetes_version")))[1]

    def fault(self, name: str, text: str, severity: str = "error") -> Fault:
        """A fault of this host."""
        return Fault(name, text, self.name, severity)


def clock_offset(sent: float, received: float, epoch: float, duration: float) -> tuple[float, float]:
    """How far a host's clock is ahead of the controller's, and how uncertain that is, in seconds.

    The host read its clock after the controller sent and, since it worked for the duration afterwards, no later than
    that long before the controller received. The middle of these is the best guess.
    """
    latest = max(sent, received - duration)
    return round(epoch - (sent + latest) / 2, 3), round((latest - sent) / 2, 3)


def version_tuple(text: str) -> tuple[int, int]:
    """The first two numbers of a version or kernel release."""
    match = re.match(r"v?(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def networks(cidrs: Any) -> list[Network]:
    """The networks of one CIDR or several with commas between; none where one cannot be read."""
    parts = [part.strip() for part in str(cidrs or "").split(",") if part.strip()]
    try:
        return [ipaddress.ip_network(part) for part in parts] if all("/" in part for part in parts) else []
    except ValueError:
        return []


def cluster_networks(node: Node) -> Iterator[tuple[str, Network]]:
    """The pod and service networks with the variable that sets each."""
    for variable in ("kubernetes_pod_cidr", "kubernetes_service_cidr"):
        for network in networks(node.setting(variable)):
            yield variable, network


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
    """CPUs, memory, free space and the disk's speed."""
    if node.runs_kubelet:
        kind = "control_plane" if CONTROL_PLANE in node.roles else "node"
        for fact, name, unit, fault in (
            ("cpus", f"preflight_{kind}_cpus", "CPUs", "cpu-too-few"),
            ("memory_mb", f"preflight_{kind}_memory_mb", "MB of memory", "memory-too-small"),
        ):
            have, need = node.facts[fact], node.setting(name) or 0
            if have < need:
                yield node.fault(fault, f"{have} {unit}, but {need} are needed; use a larger host or lower {name}")
    for space in node.facts["space"]:
        need = (node.setting("preflight_free_mb") or {}).get(space["path"], 0)
        if space["free_mb"] < need:
            text = (
                f"{space['free_mb']} MB are free for {space['path']}, but {need} are needed; "
                "make room or lower preflight_free_mb"
            )
            yield node.fault("disk-full", text, WARNING if node.in_cluster else "error")
    fsync, limit = node.facts.get("fsync"), node.setting("preflight_etcd_fsync_ms") or 0
    if fsync and fsync["p99_ms"] > limit:
        text = (
            f"1 % of synchronous writes in {fsync['folder']} take longer than {fsync['p99_ms']} ms, but etcd needs "
            f"{limit} ms (preflight_etcd_fsync_ms); use a faster disk"
        )
        yield node.fault("disk-slow", text)


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
    if node.runs_kubelet and devices and fails and node.setting("preflight_swap") == "allowed":
        text = (
            f"swap is on ({', '.join(devices)}) and preflight_swap allows it, but the kubelet does not start with it; "
            "set failSwapOn: false in kubernetes_kubelet_configuration, or preflight_swap: disabled"
        )
        yield node.fault("swap-active", text)


def wanted_ports(node: Node) -> dict[int, str]:
    """The ports that the host's part of Kubernetes listens on, and which program does."""
    ports = {port: program for role in node.roles for port, program in PORTS.get(role, {}).items()}
    if CONTROL_PLANE in node.roles:
        ports[int(node.setting("kubernetes_api_port") or 6443)] = "kube-apiserver"
    return ports


def ports(node: Node) -> Iterator[Fault]:
    """Strangers on the ports of Kubernetes."""
    wanted = wanted_ports(node)
    seen = set()
    for listener in node.facts["listeners"]:
        port, process = listener["port"], listener["process"]
        own = process in OWN_PROCESSES or (not process and node.in_cluster)
        if port in wanted and not own and (port, process) not in seen:
            seen.add((port, process))
            text = f"{process or 'an unknown process'} listens on port {port}, which {wanted[port]} needs; stop it"
            yield node.fault("port-taken", text)


def addresses(node: Node) -> Iterator[Fault]:
    """Whether the node's addresses are the host's."""
    found = {address for interface in node.facts["interfaces"] for address in interface["addresses"]}
    own = {address for address in found if not ipaddress.ip_address(address).is_link_local}
    for address in filter(None, str(node.setting("kubernetes_node_ip") or "").split(",")):
        if address not in own:
            text = (
                f"kubernetes_node_ip {address} is no address of the host ({', '.join(sorted(own)) or 'it has none'}); "
                "the kubelet would refuse it"
            )
            yield node.fault("node-address-missing", text)


def routes(node: Node) -> Iterator[Fault]:
    """Routes of the host that overlap the cluster's networks, those of the cluster itself left aside."""
    for variable, network in cluster_networks(node):
        for route in node.facts["routes"]:
            other = ipaddress.ip_network(route["destination"])
            if (
                other.version != network.version
                or not other.overlaps(network)
                or CNI_INTERFACES.match(route["interface"])
            ):
                continue
            inside = network.supernet_of(other)  # type: ignore[arg-type]
            if inside and node.in_cluster:
                continue  # the network plugin's
            text = (
                f"the route to {other} by {route['interface']} overlaps {variable} {network}; choose another network "
                "or remove the route"
            )
            # A wider route through a gateway only hides the part of it that the cluster uses.
            yield node.fault("route-clash", text, "error" if inside or route["on_link"] else WARNING)


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


def missing_packages(node: Node) -> list[str]:
    """The packages that bring the host's missing programs."""
    packages = node.setting("preflight_packages") or {}
    return sorted({package for program, package in packages.items() if node.facts["programs"].get(program) == ""})


def firewalls(node: Node) -> Iterator[Fault]:
    """Firewalls that may block the cluster, and NetworkManager where it would disturb it."""
    security = node.facts["security"]
    for name in ("firewalld", "ufw"):
        if security[name]:
            numbers = ", ".join(map(str, sorted(wanted_ports(node)))) or "of Kubernetes"
            text = f"{name} is active; open the ports {numbers} and those of the network plugin, or stop it"
            yield node.fault("firewall-active", text, WARNING)
    manager = node.facts["network_manager"]
    if manager["active"] and not manager["spares_cni"] and node.setting("cni_plugin") in ("calico", "canal"):
        text = (
            "NetworkManager would manage Calico's interfaces; set unmanaged-devices=interface-name:cali*;"
            "interface-name:tunl*;interface-name:vxlan.calico under [keyfile] in /etc/NetworkManager/conf.d/calico.conf"
        )
        yield node.fault("network-manager", text, WARNING)


def leftovers(node: Node) -> Iterator[Fault]:
    """etcd's data on a host where kubeadm is to start etcd anew."""
    stacked = CONTROL_PLANE in node.roles and ETCD in node.roles and not node.setting("external_etcd")
    if stacked and node.facts["cluster"]["etcd_data"] and not node.in_cluster:
        folder = node.setting("etcd_data_dir") or "/var/lib/etcd"
        text = (
            f"{folder} holds data though the host is in no cluster; move it away, or restore the cluster from it first"
        )
        yield node.fault("etcd-leftover", text)


def other_version(node: Node) -> Iterator[Fault]:
    """Whether the API server that runs has the wanted version: new programs on the hosts do not upgrade a cluster."""
    running = node.facts["cluster"]["api_server_version"].removeprefix("v")
    wanted = str(node.setting("kubernetes_version"))
    if running and running != wanted and CONTROL_PLANE in node.roles:
        text = (
            f"the API server runs {running}, and kubernetes_version is {wanted}; a kubelet must never be newer than "
            f"the API server, and this play upgrades no cluster: set kubernetes_version to {running}"
        )
        yield node.fault("version-differs", text)


def connections(node: Node) -> Iterator[Fault]:
    """What the host cannot reach; the API endpoint is judged across hosts."""
    for connection in node.facts["connections"]:
        if connection["target"] == node.setting("api_endpoint") or connection["state"] == "connected":
            continue
        via = f" through {connection['via']}" if connection["via"] else ""
        text = (
            f"cannot reach {connection['target']}{via}: {connection['error']}; open the way, set a mirror, or correct "
            "preflight_endpoints"
        )
        yield node.fault("endpoint-unreachable", text, WARNING if node.in_cluster else "error")


HOST_CHECKS: list[Callable[[Node], Iterator[Fault]]] = [
    identity,
    clock,
    resources,
    kernel,
    swap,
    ports,
    addresses,
    routes,
    programs,
    firewalls,
    leftovers,
    other_version,
    connections,
]


def shared(nodes: Sequence[Node], values: Callable[[Node], Iterable[str]]) -> Iterator[tuple[str, list[str]]]:
    """Values that more than one host has, with the hosts."""
    holders: dict[str, list[str]] = defaultdict(list)
    for node in nodes:
        for value in dict.fromkeys(values(node)):
            if value:
                holders[value].append(node.name)
    return ((value, names) for value, names in sorted(holders.items()) if len(names) > 1)


def own_macs(node: Node) -> Iterator[str]:
    """MAC addresses that must be the host's alone: not those of bridges, which some programs always set alike."""
    for interface in node.facts["interfaces"]:
        if interface["physical"] or interface["name"] == node.facts["default_interface"]:
            yield interface["mac"] if interface["mac"] != "00:00:00:00:00:00" else ""


def duplicates(nodes: Sequence[Node]) -> Iterator[Fault]:
    """What clones of a machine share and nodes must not."""
    for name, what, advice, values in (
        ("duplicate-hostname", "host name", "give each host its own", lambda node: [node.facts["hostname"]]),
        (
            "duplicate-machine-id",
            "machine id",
            "empty /etc/machine-id on the clones, run systemd-machine-id-setup and restart them",
            lambda node: [node.facts["machine_id"]],
        ),
        ("duplicate-mac", "MAC address", "give each host's interface its own", own_macs),
        (
            "duplicate-product-uuid",
            "product_uuid",
            "give each machine its own, or add duplicate-product-uuid to preflight_ignore where they are containers",
            lambda node: [node.facts["product_uuid"]],
        ),
    ):
        for value, holders in shared(nodes, values):
            yield Fault(name, f"{listed(holders)} share the {what} {value}; {advice}")


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


def mtus(nodes: Sequence[Node]) -> Iterator[Fault]:
    """Hosts whose default interfaces have different MTUs."""
    by_mtu: dict[int, list[str]] = defaultdict(list)
    for node in nodes:
        for interface in node.facts["interfaces"]:
            if interface["name"] == node.facts["default_interface"]:
                by_mtu[interface["mtu"]].append(node.name)
    if len(by_mtu) > 1:
        groups = "; ".join(f"{mtu} on {listed(names)}" for mtu, names in sorted(by_mtu.items()))
        text = f"the MTU differs: {groups}; set the same, or the network plugin's to the smallest"
        yield Fault("mtu-differs", text, severity=WARNING)


def clusters(nodes: Sequence[Node]) -> Iterator[Fault]:
    """Hosts that carry different clusters."""
    by_authority: dict[str, list[str]] = defaultdict(list)
    for node in nodes:
        if node.facts["cluster"]["ca_sha256"] and node.in_cluster:
            by_authority[node.facts["cluster"]["ca_sha256"]].append(node.name)
    if len(by_authority) > 1:
        groups = "; ".join(listed(names) for names in sorted(by_authority.values()))
        text = (
            f"hosts carry different clusters (their /etc/kubernetes/pki/ca.crt differ): {groups}; take the strangers "
            "out of the inventory, or reset them"
        )
        yield Fault("foreign-cluster", text)


def api_endpoint(nodes: Sequence[Node]) -> Iterator[Fault]:
    """The API endpoint: free before there is a cluster, reachable after."""
    exists = any(node.in_cluster for node in nodes)
    for node in nodes:
        for connection in node.facts["connections"]:
            target, state = connection["target"], connection["state"]
            if target != node.setting("api_endpoint") or not node.runs_kubelet:
                continue
            if state == "unresolved":
                text = f"kubernetes_api_endpoint {target} cannot be resolved: {connection['error']}; correct it or DNS"
                yield node.fault("endpoint-unreachable", text)
            elif exists and not node.in_cluster and state != "connected":
                text = (
                    f"cannot reach kubernetes_api_endpoint {target}: {connection['error']}; the host could not join; "
                    "open the way, or start the API server or load balancer there"
                )
                # The cluster may be down as a whole; then whoever repairs it decides.
                yield node.fault("endpoint-unreachable", text, WARNING)
            elif not exists and state == "connected":
                text = (
                    f"something answers at kubernetes_api_endpoint {target} though no host is in a cluster; right for "
                    "a load balancer, wrong if the address is another cluster's"
                )
                yield node.fault("endpoint-taken", text, WARNING)


CLUSTER_CHECKS: list[Callable[[Sequence[Node]], Iterator[Fault]]] = [duplicates, clocks, mtus, clusters, api_endpoint]


def find_faults(nodes: Sequence[Node]) -> list[Fault]:
    """Every fault of every host and across hosts."""
    return [
        *(fault for check in CLUSTER_CHECKS for fault in check(nodes)),
        *(fault for node in nodes for check in HOST_CHECKS for fault in check(node)),
    ]
