# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the endpoint of the API needs, judged from variables alone."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils.api_inputs import split_endpoint

# Ports of a node's own programs (kubernetes.io, "Ports and Protocols", and the local ones of kubelet and kube-proxy).
NODE_PORTS = {10248: "the kubelet", 10249: "kube-proxy", 10250: "the kubelet", 10256: "kube-proxy"}
CONTROL_PLANE_PORTS = {
    2379: "etcd",
    2380: "etcd",
    2381: "etcd",
    10257: "the controller manager",
    10259: "the scheduler",
}
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Settings:
    """What decides about the endpoint.

    Attributes:
        load_balancer: kubernetes_api_load_balancer.
        endpoint: kubernetes_api_endpoint.
        virtual_ip: endpoint_virtual_ip.
        api_port: kubernetes_api_port.
        local_port: kubernetes_api_local_port.
        health_port: endpoint_health_port.
        virtual_router_id: endpoint_virtual_router_id.
        group: the name of the load balancers' group.
        balancers: the hosts that run HAProxy and keepalived, with their addresses.
        control_planes: all control planes, with their addresses.
        address: the address of the host that is judged, where it may get the virtual address.
        interface: the interface of this host that gets the virtual address; empty where none was found.
        strict_arp_missing: whether kube-proxy runs in mode ipvs and answers ARP for addresses that are not its host's.
    """

    load_balancer: str
    endpoint: str = ""
    virtual_ip: str = ""
    api_port: int = 6443
    local_port: int = 7443
    health_port: int = 8404
    virtual_router_id: int = 51
    group: str = "kube_load_balancer"
    balancers: Mapping[str, str] = field(default_factory=dict)
    control_planes: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    interface: str = ""
    strict_arp_missing: bool = False

    @property
    def taken(self) -> dict[int, str]:
        """The ports of a control plane, and whose they are."""
        return {**NODE_PORTS, **CONTROL_PLANE_PORTS, self.api_port: "the API server"}


def find_faults(settings: Settings) -> list[str]:
    """All that is wrong, one sentence each."""
    checks = {"haproxy": _haproxy, "kube_vip": _kube_vip, "local": _local}
    check = checks.get(settings.load_balancer)
    return list(check(settings)) if check else []


def shown(host: str, port: int) -> str:
    """An endpoint as text."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _split(settings: Settings) -> tuple[str, int]:
    host, port = split_endpoint(settings.endpoint)
    return host, port or settings.api_port


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _local(settings: Settings) -> Iterator[str]:
    wanted = shown("127.0.0.1", settings.local_port)
    try:
        host, port = _split(settings)
    except ValueError:
        host, port = "", 0
    if host not in LOOPBACK or port != settings.local_port:
        yield (
            f"kubernetes_api_endpoint is {settings.endpoint!r}, but with kubernetes_api_load_balancer=local every node "
            f"reaches the API at its own proxy: set it to {wanted}, or leave it out"
        )
    if settings.local_port in settings.taken:
        yield (
            f"kubernetes_api_local_port is {settings.local_port}, which {settings.taken[settings.local_port]} uses; "
            "take another one, like 7443"
        )


def _virtual_address(settings: Settings, hosts: Mapping[str, str]) -> Iterator[str]:
    """Faults of the virtual address, of what the endpoint says of it, and of the place where it goes."""
    if settings.address and not settings.interface:
        yield (
            f"no network interface of this host has its address {settings.address}: correct kubernetes_node_ip, "
            "or name the interface for the virtual address in endpoint_interface"
        )
    if settings.virtual_ip and not _is_address(settings.virtual_ip):
        yield f"endpoint_virtual_ip is {settings.virtual_ip!r}, which is no IP address"
        return
    if not settings.endpoint:
        yield (
            f"kubernetes_api_endpoint is empty, but kubernetes_api_load_balancer={settings.load_balancer} needs a "
            "virtual address: set it to a free one of the hosts' network, or to a DNS name and endpoint_virtual_ip to "
            "the address"
        )
        return
    try:
        host, _port = _split(settings)
    except ValueError as error:
        yield f"kubernetes_api_endpoint {settings.endpoint!r}: {error}; write it like 192.0.2.10:8443"
        return
    if not _is_address(host) and not settings.virtual_ip:
        yield (
            f"kubernetes_api_endpoint names {host}: set endpoint_virtual_ip to the address that the name leads to, "
            "a free one of the hosts' network"
        )
        return
    address = ipaddress.ip_address(settings.virtual_ip or host)
    if _is_address(host) and ipaddress.ip_address(host) != address:
        yield (
            f"kubernetes_api_endpoint is at {host} and endpoint_virtual_ip is {address}; they must be the same "
            "address, so leave endpoint_virtual_ip out"
        )
    if address.is_loopback or address.is_multicast or address.is_unspecified or address.is_link_local:
        yield f"the virtual address {address} cannot be one: take a free address of the hosts' network"
    owners = [name for name, own in hosts.items() if ipaddress.ip_address(own) == address]
    if owners:
        yield f"the virtual address {address} is that of {', '.join(owners)}: take one that no host has"
    others = [name for name, own in hosts.items() if ipaddress.ip_address(own).version != address.version]
    if others:
        yield (
            f"the virtual address {address} is IPv{address.version}, and the addresses of {', '.join(others)} are not: "
            "take an address of the same kind, or set kubernetes_node_ip"
        )


def _haproxy(settings: Settings) -> Iterator[str]:
    yield from _virtual_address(settings, settings.balancers)
    if not 1 <= settings.virtual_router_id <= 255:
        yield f"endpoint_virtual_router_id is {settings.virtual_router_id}; it must be between 1 and 255"
    try:
        host, port = _split(settings)
    except ValueError:
        return
    if port == settings.health_port:
        yield f"endpoint_health_port is {port}, the port of kubernetes_api_endpoint; they must differ"
    shared = [name for name in settings.balancers if name in settings.control_planes]
    if not shared:
        return
    where = f"HAProxy runs on control planes ({', '.join(shared)})"
    ways = f"or put hosts into the group {settings.group} that are no control planes"
    if port in settings.taken:
        other = shown(settings.virtual_ip or host or "192.0.2.10", 8443)
        yield (
            f"{where}, where {settings.taken[port]} uses port {port} already: give kubernetes_api_endpoint another "
            f"port, like {other}, {ways}"
        )
    if settings.health_port in settings.taken:
        yield f"{where}, where {settings.taken[settings.health_port]} uses endpoint_health_port {settings.health_port}"


def _kube_vip(settings: Settings) -> Iterator[str]:
    yield from _virtual_address(settings, settings.control_planes)
    try:
        host, port = _split(settings)
    except ValueError:
        return
    if settings.endpoint and port != settings.api_port:
        yield (
            f"kubernetes_api_endpoint has port {port} and kubernetes_api_port is {settings.api_port}: kube-vip passes "
            f"calls on to the same port, so write {shown(host, settings.api_port)}"
        )
    if settings.strict_arp_missing:
        yield (
            "kube-proxy in mode ipvs answers for the virtual address on every node: set "
            "kubernetes_proxy_configuration.ipvs.strictARP to true"
        )
