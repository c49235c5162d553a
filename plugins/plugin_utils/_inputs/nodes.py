# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the variables that make a host a node of its own: its name and its addresses."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import read_address
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster import endpoint
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault, listed
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.networks import (
    families,
    networks,
    shown_families,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs, runs_kubelet
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.network import PODS, SERVICES

# A node's name is also the value of its label kubernetes.io/hostname, which may have no more characters.
NODE_NAME_MAX = 63
HASH_LENGTH = 6


def node_name(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """The node's name and the cluster's domain."""
    name = host.text("kubernetes_node_name")
    if name and not endpoint.is_dns_name(name):
        text = (
            f"kubernetes_node_name {name!r} is no DNS name (a-z, 0-9, - and ., at most 63 characters between dots); "
            f"set it, to {better_name(name)} for example"
        )
        yield host.fault("name-invalid", text)
    elif len(name) > NODE_NAME_MAX:
        text = (
            f"kubernetes_node_name {name!r} has {len(name)} characters, and the node's label kubernetes.io/hostname "
            f"takes {NODE_NAME_MAX}; set it, to {better_name(name)} for example"
        )
        yield host.fault("name-invalid", text)
    domain = host.text("kubernetes_dns_domain")
    if domain and not endpoint.is_dns_name(domain):
        text = f"kubernetes_dns_domain {domain!r} is no DNS name in lower case; cluster.local is usual"
        yield host.fault("name-invalid", text)


def better_name(name: str) -> str:
    """A valid name that is like a bad one. One that is cut ends with a hash, so that it stays the host's alone."""
    labels = [re.sub(r"[^a-z0-9-]+", "-", label).strip("-") for label in name.lower().split(".")]
    better = ".".join(filter(None, labels))
    if better and len(better) <= NODE_NAME_MAX:
        return better
    if better and labels[0] and len(labels[0]) <= NODE_NAME_MAX:
        return labels[0]
    digest = hashlib.sha256(name.encode()).hexdigest()[:HASH_LENGTH]
    start = (better or "node").replace(".", "-")[: NODE_NAME_MAX - HASH_LENGTH - 1].strip("-")
    return f"{start}-{digest}"


def node_address(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """The node's addresses: form, and that they fit the cluster's networks."""
    for text in host.addresses:
        address = read_address(text)
        if address is None:
            message = f"kubernetes_node_ip {text!r} is no IP address; set it to one of the host's"
            yield host.fault("value-invalid", message)
            continue
        for variable in (PODS, SERVICES):
            for network in networks(host.text(variable)):
                if address in network:
                    message = f"kubernetes_node_ip {text} lies in {variable} {network}; choose another network"
                    yield host.fault("address-clash", message)
    if host.ips and len(host.ips) == len(host.addresses):
        yield from _families(host, inputs)


def _families(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Whether a node's addresses are one, or one of each IP version, the services' first one first."""
    own, value = [address.version for address in host.ips], host.text("kubernetes_node_ip")
    services = families(networks(host.text(SERVICES)))
    if len(own) != len(set(own)):
        text = (
            f"kubernetes_node_ip {value} has {len(own)} addresses, but the kubelet takes one, or an IPv4 and an IPv6 "
            "address; leave the others out"
        )
        yield host.fault("family-clash", text)
    elif services and own[0] != services[0] and runs_kubelet(inputs.roles_of(host.name)):
        text = (
            f"kubernetes_node_ip {value} begins with {shown_families(own[:1])} and {SERVICES} {host.text(SERVICES)} "
            f"with {shown_families(services[:1])}, but the API server's address must be of its first service "
            "network's IP version, and every node's like it; "
        )
        if set(services) <= set(own):
            ordered = sorted(host.ips, key=lambda address: address.version != services[0])
            advice = f"write {','.join(map(str, ordered))}"
        else:
            advice = f"give the node an IPv{services[0]} address first, or {SERVICES} an IPv{own[0]} network"
        yield host.fault("family-clash", text + advice)


def identity(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Whether the inventory has by what others know a node; the host itself could give the name of any other."""
    if host.inventory is None or not runs_kubelet(inputs.roles_of(host.name)):
        return
    name = host.text("kubernetes_node_name")
    if name and "kubernetes_node_name" not in host.inventory:
        text = (
            f"kubernetes_node_name {name} is made of facts, which the host itself reports, but labels, taints and "
            f"tokens go by it; set it in the inventory without facts, as {name} for example"
        )
        yield host.fault("name-from-host", text)
    signed = boolean(host.values.get("kubernetes_kubelet_signed_certificates"), strict=False)
    if not signed or not host.ips or host.inventory.get("kubernetes_node_ip"):
        return
    connection = str(host.inventory.get("ansible_host") or host.name)
    if [read_address(connection)] != host.ips:
        shown = ", ".join(map(str, host.ips))
        text = (
            f"kubernetes_node_ip {shown} is reported by the host alone, and Ansible connects to {connection}, but a "
            "serving certificate is only approved for an address that the inventory knows "
            f"(kubernetes_kubelet_signed_certificates); set kubernetes_node_ip in the inventory, to {shown} if that "
            "is right"
        )
        yield host.fault("address-from-host", text)


def holders(hosts: Sequence[HostInput], values: Callable[[HostInput], Sequence[str]]) -> dict[str, list[str]]:
    """Which hosts have each value."""
    found: dict[str, list[str]] = {}
    for host in hosts:
        for value in dict.fromkeys(values(host)):
            found.setdefault(value, []).append(host.name)
    return found


def clashes(inputs: Inputs) -> Iterator[Fault]:
    """Node names and addresses that hosts share."""
    named = holders(inputs.hosts, lambda host: [name for name in [host.text("kubernetes_node_name")] if name])
    for name, hosts in named.items():
        if len(hosts) > 1:
            yield Fault("name-clash", f"{listed(hosts)} share kubernetes_node_name {name}; give each its own")
    for address, hosts in holders(inputs.hosts, lambda host: list(map(str, host.ips))).items():
        if len(hosts) > 1:
            text = (
                f"{listed(hosts)} share kubernetes_node_ip {address}; give each its own, and set the variable where "
                "all have the same address at their default route"
            )
            yield Fault("address-clash", text)
