# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a host's network: its addresses, routes, MTU, firewalls, and what it can reach."""

from __future__ import annotations

import ipaddress
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import normal, split_addresses
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.pod_network import NEVER, SHOWN, overhead
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import WARNING, Fault, listed
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.networks import Network, networks
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.host_machine import shared
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import Node
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.pod_network import network_settings

CNI_INTERFACES = re.compile(
    r"^(cni\d|flannel|cali|tunl\d|vxlan\.calico|pod-vxlan|wireguard\.cali|cilium|lxc|kube-|nodelocaldns)"
)


def cluster_networks(node: Node) -> Iterator[tuple[str, Network]]:
    """The pod and service networks with the variable that sets each."""
    for variable in ("kubernetes_pod_cidr", "kubernetes_service_cidr"):
        for network in networks(node.setting(variable)):
            yield variable, network


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
    interface, there = node.setting("endpoint_interface"), [one["name"] for one in node.facts["interfaces"]]
    if interface and interface not in there:
        text = f"endpoint_interface {interface} is no interface of the host, which has {', '.join(sorted(there))}"
        yield node.fault("interface-missing", f"{text}; correct it, or empty it for that of the default route")
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


def pod_mtu(node: Node) -> Iterator[Fault]:
    """Whether packets of pods, with what a tunnel and encryption add, fit into those of the host's interface."""
    wanted, network = int(node.setting("cni_mtu") or 0), network_settings(node.settings)
    if network is None or not wanted or not node.runs_kubelet:
        return
    added = overhead(network, 4 if any(":" not in address for address in node.addresses) else 6)
    for interface in node.facts["interfaces"]:
        room = interface["mtu"] - added
        if set(interface["addresses"]) & set(node.addresses) and wanted > room:
            ways = [SHOWN[network.tunnel]] * (network.encapsulation != NEVER) + ["WireGuard"] * network.wireguard
            around = f" less {added} for {' and '.join(ways)}" if added else ""
            text = (
                f"cni_mtu is {wanted}, and {interface['name']} allows pods {room}, its MTU {interface['mtu']}{around}; "
                "set it to that or less, or to 0, which computes it"
            )
            yield node.fault("pod-mtu", text)


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
