# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the variables that say where the API is reached: the endpoint, what distributes its calls, and ports."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Union

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils.faults import WARNING, Fault, listed
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils.preflight import (
    CONTROL_PLANE,
    ETCD,
    WORKER,
    networks,
    wanted_ports,
)

if TYPE_CHECKING:
    from ansible_collections.groundwork.kubernetes.plugins.plugin_utils.inputs import HostInput, Inputs

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
# Choices of kubernetes_api_load_balancer
HAPROXY, KUBE_VIP, LOCAL = "haproxy", "kube_vip", "local"
# Where programs listen on the loopback address only.
LOOPBACK_PORTS = {
    CONTROL_PLANE: {10248: "kubelet", 10249: "kube-proxy"},
    ETCD: {2381: "etcd"},
    WORKER: {10248: "kubelet", 10249: "kube-proxy"},
}


def is_dns_name(name: str) -> bool:
    """Whether a name is a DNS-1123 subdomain."""
    return 0 < len(name) <= 253 and all(DNS_LABEL.fullmatch(label) for label in name.split("."))


def split_endpoint(endpoint: str) -> tuple[str, int | None]:
    """Host and port (None: not given) of host[:port].

    Raises:
        ValueError: saying what is wrong with it.
    """
    if "/" in endpoint:
        raise ValueError("it is host[:port], without a scheme and without a path")
    bracketed = re.fullmatch(r"\[([^\]]+)\](?::(\d+))?", endpoint)
    if bracketed:
        host, port = bracketed[1], bracketed[2]
    elif endpoint.count(":") > 1:
        raise ValueError("an IPv6 address stands in brackets, like [2001:db8::1]:6443")
    else:
        host, _colon, port = endpoint.partition(":")
        if _colon and not port.isdigit():
            raise ValueError("the port after the colon is no number")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if not is_dns_name(host) or re.fullmatch(r"[\d.]+", host):
            raise ValueError(f"{host!r} is neither a DNS name in lower case nor an IP address") from None
    if port and not 1 <= int(port) <= 65535:
        raise ValueError("the port is not between 1 and 65535")
    return host, int(port) if port else None


def readable_endpoint(endpoint: str) -> tuple[str, int | None] | None:
    """Host and port of an endpoint; None where it is empty or wrong."""
    with contextlib.suppress(ValueError):
        return split_endpoint(endpoint) if endpoint else None
    return None


def read_address(text: str) -> Address | None:
    """An IP address; None where it is none."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(text)
    return None


def endpoint(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """kubernetes_api_endpoint and the ports of the API."""
    value = host.text("kubernetes_api_endpoint")
    if value:
        try:
            split_endpoint(value)
        except ValueError as error:
            text = f"kubernetes_api_endpoint {value!r}: {error}; write it like api.example.com:6443"
            yield host.fault("endpoint-invalid", text)
    for variable, usual in (("kubernetes_api_port", 6443), ("kubernetes_api_local_port", 7443)):
        if not 1 <= host.port(variable, usual) <= 65535:
            text = f"{variable} {host.text(variable)} is not between 1 and 65535; {usual} is usual"
            yield host.fault("endpoint-invalid", text)


def ports(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Programs of a host that are to listen on one port."""
    roles = inputs.roles_of(host.name)
    programs: dict[int, set[str]] = defaultdict(set)
    for port, program in wanted_ports(roles, {**host.values, **port_settings(host, inputs)}):
        programs[port].add(program)
    for role in roles:
        for port, program in LOOPBACK_PORTS.get(role, {}).items():
            programs[port].add(program)
    for port, rivals in sorted(programs.items()):
        if len(rivals) > 1:
            variable = inputs.balancer_ports(host).get(port, "kubernetes_api_port")
            text = f"{' and '.join(sorted(rivals))} of this host would all listen on port {port}; change {variable}"
            yield host.fault("port-clash", text)


def port_settings(host: HostInput, inputs: Inputs) -> dict[str, Any]:
    """The ports of the API server and of HAProxy on a host."""
    return {
        "kubernetes_api_port": host.port("kubernetes_api_port", 6443),
        "balancer_ports": sorted(inputs.balancer_ports(host)),
    }


def api_address(inputs: Inputs) -> Iterator[Fault]:
    """Where nodes and clients reach the API: an address that fits what distributes the calls."""
    planes, leader, kind = inputs.members(CONTROL_PLANE), inputs.leader(), inputs.balanced_by
    if not planes:
        return
    value = leader.text("kubernetes_api_endpoint")
    if not value:
        if kind in (HAPROXY, KUBE_VIP):
            text = (
                f"kubernetes_api_load_balancer {kind} needs an address to hold; set kubernetes_api_endpoint, "
                "to 192.0.2.10:8443 for example"
            )
            yield Fault("endpoint-missing", text)
        elif len(planes) > 1:
            text = (
                f"{len(planes)} control planes, but kubernetes_api_endpoint is empty, so all nodes would depend on one "
                "of them; set it to a load balancer's name or address, or choose a kubernetes_api_load_balancer, "
                "before the cluster is made"
            )
            yield Fault("endpoint-missing", text)
        return
    split = readable_endpoint(value)
    if not split:
        return
    address = read_address(split[0])
    port = split[1] or leader.port("kubernetes_api_port", 6443)
    if kind == LOCAL:
        yield from _local_endpoint(leader, address, port)
        return
    if address and address.is_loopback and len({*planes, *inputs.members(WORKER)}) > 1:
        text = (
            f"kubernetes_api_endpoint {value} is a different host on each node; set the address of a load balancer, "
            "or kubernetes_api_load_balancer: local"
        )
        yield Fault("endpoint-invalid", text)
    elif kind in (HAPROXY, KUBE_VIP):
        yield from _virtual_address(inputs, leader, split[0], port)
    else:
        yield from _in_cluster_networks(leader, "kubernetes_api_endpoint", address)
        own = [host.name for host in inputs.hosts if address and address in map(read_address, host.addresses)]
        if own and len(planes) > 1:
            text = (
                f"kubernetes_api_endpoint {value} is the address of {listed(own)} alone, so the API is lost with it; "
                "set the address of a load balancer before the cluster is made"
            )
            yield Fault("endpoint-missing", text, severity=WARNING)


def _local_endpoint(leader: HostInput, address: Address | None, port: int) -> Iterator[Fault]:
    """The endpoint where every node has a proxy of its own."""
    wanted = leader.port("kubernetes_api_local_port", 7443)
    if not (address and address.is_loopback) or port != wanted:
        text = (
            f"kubernetes_api_endpoint {leader.text('kubernetes_api_endpoint')} is not the node's own proxy, which "
            f"kubernetes_api_load_balancer local needs; remove the variable, or set 127.0.0.1:{wanted}"
        )
        yield Fault("endpoint-invalid", text)


def _in_cluster_networks(leader: HostInput, what: str, address: Address | None) -> Iterator[Fault]:
    """Whether an address of the API lies where pods and services have theirs."""
    for variable in ("kubernetes_pod_cidr", "kubernetes_service_cidr"):
        for network in networks(leader.text(variable)):
            if address and address in network:
                text = f"{what} {address} lies in {variable} {network}; choose an address outside of it"
                yield Fault("address-clash", text)


def _virtual_address(inputs: Inputs, leader: HostInput, name: str, port: int) -> Iterator[Fault]:
    """The virtual address that the hosts themselves hold."""
    given, kind = leader.text("endpoint_virtual_ip"), inputs.balanced_by
    own, what = read_address(name), "endpoint_virtual_ip" if given else "kubernetes_api_endpoint"
    address = read_address(given or name)
    if not address:
        text = f"endpoint_virtual_ip {given!r} is no IP address; set it to a free address of the hosts' network"
        if not given:
            text = (
                f"kubernetes_api_endpoint {name} is a name, and kubernetes_api_load_balancer {kind} needs the address "
                "to hold; set endpoint_virtual_ip to the address that the name has"
            )
        yield Fault("endpoint-invalid", text)
    elif own and own != address:
        text = (
            f"kubernetes_api_endpoint {name} and endpoint_virtual_ip {given} are different addresses; set one of them"
        )
        yield Fault("endpoint-invalid", text)
    holders = [host.name for host in inputs.hosts if address and address in map(read_address, host.addresses)]
    if holders:
        text = (
            f"{what} {address} is the own address of {listed(holders)}; set a free address, which moves between hosts"
        )
        yield Fault("address-clash", text)
    yield from _in_cluster_networks(leader, what, address)
    wanted = leader.port("kubernetes_api_port", 6443)
    if kind == KUBE_VIP and port != wanted:
        text = (
            f"kubernetes_api_endpoint has port {port}, but kube-vip leads to the API servers' own port {wanted} "
            f"(kubernetes_api_port); set one to the other"
        )
        yield Fault("endpoint-invalid", text)
