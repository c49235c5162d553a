# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges hosts by what host_facts read of them: one small function a fault, on one host or across hosts."""

from __future__ import annotations

import ipaddress
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import cached_property
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import normal, split_addresses
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.swap import ON_THE_CONTAINERS_HOST
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import public_keys
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import WARNING, Fault, listed
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.networks import Network, networks
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import control_planes

CONTROL_PLANE, ETCD, WORKER, LOAD_BALANCER = "control_plane", "etcd", "worker", "load_balancer"
# https://kubernetes.io/docs/reference/networking/ports-and-protocols/; the API server's port is a variable.
PORTS: dict[str, dict[int, str]] = {
    CONTROL_PLANE: {10250: "kubelet", 10257: "kube-controller-manager", 10259: "kube-scheduler"},
    ETCD: {2379: "etcd", 2380: "etcd"},
    WORKER: {10250: "kubelet", 10256: "kube-proxy"},
}
# The kernel shows so many characters of a process' name.
PROCESS_NAME = 15
BALANCER = "haproxy"
CNI_INTERFACES = re.compile(r"^(cni\d|flannel|cali|tunl\d|vxlan\.calico|wireguard\.cali|cilium|lxc|kube-|nodelocaldns)")
# Folders and programs that only a kubelet and what it runs need.
NODE_FOLDERS = ("/var/lib/kubelet", "/var/lib/containerd", "/var/lib/containers", "/var/lib/docker")
NODE_PROGRAMS = {
    *("conntrack", "ebtables", "ethtool", "ipset", "iptables", "ipvsadm", "modprobe", "mount", "nft", "nsenter"),
    *("socat", "tc"),
}
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
        """What the host is in the cluster: control_plane, etcd, worker, load_balancer."""
        return self.settings.get("roles") or []

    @property
    def runs_kubelet(self) -> bool:
        """Whether it is a node (hosts of etcd or a load balancer alone are none)."""
        return runs_kubelet(self.roles)

    @property
    def in_cluster(self) -> bool:
        """Whether it has joined a cluster already."""
        return bool(self.facts["cluster"]["kubelet_conf"])

    @property
    def addresses(self) -> list[str]:
        """The addresses at which the cluster reaches it: those that are set, or else those of the default interface."""
        return split_addresses(str(self.setting("kubernetes_node_ip") or "")) or [
            address
            for interface in self.facts["interfaces"]
            if interface["name"] == self.facts["default_interface"]
            for address in interface["addresses"]
            if not ipaddress.ip_address(address).is_link_local
        ]

    @cached_property
    def pki(self) -> public_keys.HostPki:
        """Its certificates and keys. Those of etcd on hosts of its own are issued by the role etcd."""
        files = self.facts.get("pki") or []
        managed = set()
        if self.setting("etcd_hosts") and CONTROL_PLANE in self.roles:
            managed |= {public_keys.STACKED_ETCD_CA, public_keys.ETCD_CLIENT}
        if self.setting("etcd_hosts") and ETCD in self.roles:
            paths = {file["path"] for file in files}
            if public_keys.ETCD_CA_KEY in paths or self.setting("etcd_ca_key_elsewhere"):
                managed |= {path for path in paths if path.startswith(f"{public_keys.ETCD_FOLDER}/")}
        return public_keys.HostPki(files, managed)

    @property
    def minor(self) -> int:
        """The minor version of Kubernetes that it is to run."""
        return version_tuple(str(self.setting("kubernetes_version")))[1]

    def fault(self, name: str, text: str, severity: str = "error") -> Fault:
        """A fault of this host."""
        return Fault(name, text, self.name, severity)


def runs_kubelet(roles: Sequence[str]) -> bool:
    """Whether a host is a node; one of no group is taken for one."""
    return not roles or CONTROL_PLANE in roles or WORKER in roles


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
        if not node.runs_kubelet and space["path"].startswith(NODE_FOLDERS):
            continue
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


def wanted_ports(roles: Sequence[str], settings: Mapping[str, Any]) -> list[tuple[int, str]]:
    """The ports that a host's part of the cluster listens on, each with the program that does.

    Args:
        roles: what the host is in the cluster.
        settings: kubernetes_api_port, kubernetes_proxy_mode, and balancer_ports, which is empty where no HAProxy runs.
    """
    wanted = {(port, program) for role in roles for port, program in PORTS.get(role, {}).items()}
    if settings.get("kubernetes_proxy_mode") == "none":
        wanted = {(port, program) for port, program in wanted if program != "kube-proxy"}
    if CONTROL_PLANE in roles:
        wanted.add((int(settings.get("kubernetes_api_port") or 6443), "kube-apiserver"))
    wanted |= {(int(port), BALANCER) for port in settings.get("balancer_ports") or []}
    return sorted(wanted)


def ports(node: Node) -> Iterator[Fault]:
    """Strangers on the ports of Kubernetes."""
    wanted = dict(wanted_ports(node.roles, node.settings))
    seen = set()
    for listener in node.facts["listeners"]:
        port, process = listener["port"], listener["process"]
        if port not in wanted or (port, process) in seen:
            continue
        seen.add((port, process))
        own = process == wanted[port][:PROCESS_NAME] or (not process and node.in_cluster)
        if not own:
            text = f"{process or 'an unknown process'} listens on port {port}, which {wanted[port]} needs; stop it"
            yield node.fault("port-taken", text)


def addresses(node: Node) -> Iterator[Fault]:
    """Whether the node's addresses are the host's."""
    found = {address for interface in node.facts["interfaces"] for address in interface["addresses"]}
    own = {address for address in found if not ipaddress.ip_address(address).is_link_local}
    for address in split_addresses(str(node.setting("kubernetes_node_ip") or "")):
        if address not in own:
            text = (
                f"kubernetes_node_ip {address} is no address of the host ({', '.join(sorted(own)) or 'it has none'}); "
                "the kubelet would refuse it"
            )
            yield node.fault("node-address-missing", text)


def own_networks(node: Node) -> Iterator[Fault]:
    """Addresses of the host that lie in the cluster's networks, those of a network plugin left aside."""
    for interface in node.facts["interfaces"] if not node.in_cluster else []:
        if CNI_INTERFACES.match(interface["name"]):
            continue
        for address in map(ipaddress.ip_address, interface["addresses"]):
            for variable, network in cluster_networks(node):
                if address in network:
                    text = (
                        f"the address {address} of {interface['name']} lies in {variable} {network}; choose another "
                        "network or remove the address"
                    )
                    yield node.fault("address-clash", text)


def virtual_address(node: Node) -> Iterator[Fault]:
    """Whether the host can hold the API's virtual address, and does not hold it where it is not to."""
    given = node.setting("virtual_ip")
    if not given:
        return
    address = ipaddress.ip_address(normal(given))
    if not node.setting("holds_virtual_ip"):
        for interface in node.facts["interfaces"]:
            if str(address) in interface["addresses"]:
                text = (
                    f"the virtual address {address} of the API is an address of {interface['name']}, and this host is "
                    "not to hold it; choose another one or remove it from the host"
                )
                yield node.fault("address-clash", text)
        return
    near = [ipaddress.ip_network(route["destination"]) for route in node.facts["routes"] if route["on_link"]]
    if near and not any(address in network for network in near if network.version == address.version):
        text = (
            f"the virtual address {address} of the API lies in none of the host's own networks, so no other host would "
            "find it here; choose an address of the hosts' network"
        )
        yield node.fault("virtual-ip-remote", text, WARNING)


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
    return sorted(
        {
            package
            for program, package in packages.items()
            if node.facts["programs"].get(program) == "" and (node.runs_kubelet or program not in NODE_PROGRAMS)
        }
    )


def firewalls(node: Node) -> Iterator[Fault]:
    """Firewalls that may block the cluster, and NetworkManager where it would disturb it."""
    security = node.facts["security"]
    for name in ("firewalld", "ufw"):
        if security[name]:
            wanted = wanted_ports(node.roles, node.settings)
            numbers = ", ".join(str(port) for port, _program in wanted) or "of Kubernetes"
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
    if stacked and node.facts["cluster"]["etcd_data"] and not node.in_cluster and control_planes.only_data(node):
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


def certificates(node: Node) -> Iterator[Fault]:
    """Certificates and keys that are there already and of no use."""
    days = node.setting("preflight_certificate_days") or 0
    # By the clock of the host, where they are used; the controller's may be wrong.
    now = datetime.fromtimestamp(node.facts["clock"].get("epoch") or time.time(), timezone.utc)
    for fault in node.pki.faults(now, days):
        yield replace(fault, host=node.name)
    supplied, have = set(node.setting("etcd_ca") or ()), node.pki.identities(public_keys.ETCD_CA)
    runs = ETCD in node.roles and node.facts["cluster"]["etcd_data"]
    if runs and supplied and have and not supplied & have:
        text = (
            f"{public_keys.ETCD_CA} is another CA than etcd_ca_certificate; members that run would be cut off; give "
            "the present certificate and the new one, one below the other, or leave the variable empty"
        )
        yield node.fault("ca-differs", text)


def connections(node: Node) -> Iterator[Fault]:
    """What a node cannot reach; the API endpoint is judged across hosts."""
    for connection in node.facts["connections"] if node.runs_kubelet else []:
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
    own_networks,
    virtual_address,
    routes,
    programs,
    firewalls,
    leftovers,
    other_version,
    certificates,
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


def shared_addresses(nodes: Sequence[Node]) -> Iterator[Fault]:
    """Addresses at which the cluster is to reach more than one host."""
    for address, holders in shared(nodes, lambda node: node.addresses):
        text = f"{listed(holders)} share the address {address}; give each its own, or set kubernetes_node_ip on them"
        yield Fault("address-clash", text)
    others = {address: name for node in nodes for address, name in (node.setting("left_out_addresses") or {}).items()}
    owners = {**others, **{address: node.name for node in nodes for address in node.addresses}}
    for node in nodes:
        for interface in node.facts["interfaces"]:
            if not interface["physical"] and interface["name"] != node.facts["default_interface"]:
                continue
            for address in interface["addresses"]:
                if owners.get(address, node.name) != node.name and address not in node.addresses:
                    text = (
                        f"{interface['name']} has the address {address}, at which the cluster is to reach "
                        f"{owners[address]}; give each host its own, or correct kubernetes_node_ip of {owners[address]}"
                    )
                    yield node.fault("address-clash", text)


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
            "out of the inventory"
        )
        yield Fault("foreign-cluster", text)


def _place(node: Node, path: str) -> str:
    return f"{node.name}:{path}"


def authorities(nodes: Sequence[Node]) -> Iterator[Fault]:
    """What the control planes and etcd's members must share: their CAs and the key of service accounts."""
    planes = [node for node in nodes if CONTROL_PLANE in node.roles]
    etcds = [node for node in nodes if ETCD in node.roles and node.setting("external_etcd")]
    compared: list[tuple[str, list[tuple[Node, str]]]] = [
        # Those that are in a cluster are told apart as clusters.
        (
            "Kubernetes' CA",
            [(node, public_keys.KUBERNETES_CA) for node in planes if not all(p.in_cluster for p in planes)],
        ),
        ("the front proxy's CA", [(node, public_keys.FRONT_PROXY_CA) for node in planes]),
        ("the key of service accounts", [(node, public_keys.SERVICE_ACCOUNT_KEY) for node in planes]),
        (
            "etcd's CA",
            [
                *((node, public_keys.ETCD_CA) for node in etcds),
                *((node, public_keys.STACKED_ETCD_CA) for node in planes),
            ],
        ),
        ("the CA of etcd's peers", [(node, public_keys.ETCD_PEER_CA) for node in etcds]),
    ]
    for what, places in compared:
        groups = public_keys.differing({_place(node, path): node.pki.identities(path) for node, path in places})
        if len(groups) > 1:
            found = "; ".join(listed(holders) for holders in groups)
            text = (
                f"{what} differs between hosts: {found}; take the strangers out of the inventory, or remove what they "
                "have from another cluster"
            )
            yield Fault("ca-differs", text)


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
            elif not exists and state == "connected" and not node.setting("limited"):
                text = (
                    f"something answers at kubernetes_api_endpoint {target} though no host is in a cluster; right for "
                    "a load balancer, wrong if the address is another cluster's"
                )
                yield node.fault("endpoint-taken", text, WARNING)


CLUSTER_CHECKS: list[Callable[[Sequence[Node]], Iterator[Fault]]] = [
    duplicates,
    shared_addresses,
    clocks,
    mtus,
    clusters,
    control_planes.incomplete,
    authorities,
    api_endpoint,
]


def read_nodes(results: Mapping[str, Any], settings: Mapping[str, Any]) -> list[Node]:
    """The hosts of which host_facts told, with their settings."""
    return [
        Node(name, outcome["host"], settings.get(name, {})) for name, outcome in results.items() if "host" in outcome
    ]


def find_faults(nodes: Sequence[Node]) -> list[Fault]:
    """Every fault of every host and across hosts."""
    return [
        *(fault for check in CLUSTER_CHECKS for fault in check(nodes)),
        *(fault for node in nodes for check in HOST_CHECKS for fault in check(node)),
    ]
