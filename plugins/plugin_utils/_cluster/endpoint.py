# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the endpoint of the API needs, judged from variables alone."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import (
    host_and_port,
    is_address,
    normal,
    read_address,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.ports import taken_ports

DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
# Choices of kubernetes_api_load_balancer that this collection sets up.
BALANCED_BY_US = HAPROXY, KUBE_VIP, LOCAL = "haproxy", "kube_vip", "local"
# Preflight's name for a port of two programs, and none for what it does not judge, so that nobody can ignore it.
PORT_CLASH, UNNAMED = "port-clash", ""
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
        hosts: all addresses of all hosts, where they are known.
        address: the address of the host that is judged, where it may get the virtual address.
        interface: the interface of this host that gets the virtual address; empty where none was found.
        kube_vip_without_rules: variables of kube-vip that turn on what needs further rights, where none are given.
        strict_arp_missing: whether kube-proxy runs in mode ipvs and answers ARP for addresses that are not its host's.
        ignored: preflight's names of faults that the user lets pass.
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
    hosts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    address: str = ""
    interface: str = ""
    kube_vip_without_rules: Sequence[str] = ()
    strict_arp_missing: bool = False
    ignored: Sequence[str] = ()

    @property
    def taken(self) -> dict[int, str]:
        """The ports of a control plane, and whose they are."""
        return taken_ports(self.api_port)


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
    if not is_address(host) and (not is_dns_name(host) or re.fullmatch(r"[\d.]+", host)):
        raise ValueError(f"{host!r} is neither a DNS name in lower case nor an IP address")
    if port and not 1 <= int(port) <= 65535:
        raise ValueError("the port is not between 1 and 65535")
    return host, int(port) if port else None


def readable_endpoint(endpoint: str) -> tuple[str, int | None] | None:
    """Host and port of an endpoint; None where it is empty or wrong."""
    with contextlib.suppress(ValueError):
        return split_endpoint(endpoint) if endpoint else None
    return None


def form_fault(endpoint: str, example: str = "api.example.com:6443") -> str:
    """What is wrong with how kubernetes_api_endpoint is written; empty where nothing is."""
    try:
        split_endpoint(endpoint)
    except ValueError as error:
        return f"kubernetes_api_endpoint {endpoint!r}: {error}; write it like {example}"
    return ""


def find_faults(settings: Settings) -> list[str]:
    """All that is wrong, one sentence each, without what the user lets pass.

    Without an address nothing can be set up, whatever is let pass.
    """
    checks = {HAPROXY: _haproxy, KUBE_VIP: _kube_vip, LOCAL: _local}
    check = checks.get(settings.load_balancer)
    if not check:
        return []
    found = [*_place(settings), *address_faults(settings), *check(settings)]
    ignored = settings.ignored if settings.load_balancer == LOCAL or _has_address(settings) else ()
    return [text for name, text in found if not name or name not in ignored]


def _has_address(settings: Settings) -> bool:
    """Whether it can be read where the API is reached."""
    split = readable_endpoint(settings.endpoint)
    return bool(split and read_address(settings.virtual_ip or split[0]))


def address_faults(settings: Settings) -> Iterator[tuple[str, str]]:
    """What is wrong with where the API is reached, with preflight's name for it."""
    if settings.load_balancer == LOCAL:
        split = readable_endpoint(settings.endpoint)
        if not split or normal(split[0]) not in LOOPBACK or (split[1] or settings.api_port) != settings.local_port:
            text = (
                f"kubernetes_api_endpoint is {settings.endpoint!r}, but with kubernetes_api_load_balancer=local every "
                f"node reaches the API at its own proxy; set it to {host_and_port('127.0.0.1', settings.local_port)}, "
                "or leave it out"
            )
            yield "endpoint-invalid", text
    elif settings.virtual_ip and not read_address(settings.virtual_ip):
        text = f"endpoint_virtual_ip is {settings.virtual_ip!r}, which is no IP address; set it to a free one"
        yield "endpoint-invalid", text
    elif not settings.endpoint:
        text = (
            f"kubernetes_api_endpoint is empty, but kubernetes_api_load_balancer={settings.load_balancer} needs a "
            "virtual address; set it to a free one of the hosts' network, or to a DNS name and endpoint_virtual_ip to "
            "the address"
        )
        yield "endpoint-missing", text
    elif form_fault(settings.endpoint):
        yield "endpoint-invalid", form_fault(settings.endpoint, "192.0.2.10:8443")
    else:
        host, port = _split(settings)
        yield from _virtual_address(settings, host)
        if settings.load_balancer == KUBE_VIP and port != settings.api_port:
            text = (
                f"kubernetes_api_endpoint has port {port} and kubernetes_api_port is {settings.api_port}, but kube-vip "
                f"passes calls on to the same port; write {host_and_port(host, settings.api_port)}"
            )
            yield "endpoint-invalid", text


def _virtual_address(settings: Settings, host: str) -> Iterator[tuple[str, str]]:
    """Faults of the virtual address, and of what the endpoint says of it."""
    own, address = read_address(host), read_address(settings.virtual_ip or host)
    if not address:
        text = (
            f"kubernetes_api_endpoint names {host}; set endpoint_virtual_ip to the address that the name leads to, "
            "a free one of the hosts' network"
        )
        yield "endpoint-invalid", text
        return
    if own and own != address:
        text = (
            f"kubernetes_api_endpoint is at {host} and endpoint_virtual_ip is {address}, but they must be the same "
            "address; leave endpoint_virtual_ip out"
        )
        yield "endpoint-invalid", text
    if address.is_loopback or address.is_multicast or address.is_unspecified or address.is_link_local:
        text = f"the virtual address {address} cannot be one; take a free address of the hosts' network"
        yield "endpoint-invalid", text
    holders = settings.balancers if settings.load_balancer == HAPROXY else settings.control_planes
    known = {**{name: [one] for name, one in holders.items()}, **settings.hosts}
    owners = [name for name, ones in known.items() if address in map(read_address, ones)]
    if owners:
        text = f"the virtual address {address} is that of {', '.join(owners)}; take one that no host has"
        yield "address-clash", text
    own_ips = {name: read_address(one) for name, one in holders.items()}
    others = [name for name, one in own_ips.items() if one and one.version != address.version]
    if others:
        text = (
            f"the virtual address {address} is IPv{address.version}, and the addresses of {', '.join(others)} are not; "
            "take an address of the same kind, or set kubernetes_node_ip"
        )
        yield "endpoint-invalid", text


def _split(settings: Settings) -> tuple[str, int]:
    host, port = split_endpoint(settings.endpoint)
    return host, port or settings.api_port


def _place(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.address and not settings.interface:
        yield (
            UNNAMED,
            (
                f"no network interface of this host has its address {settings.address}: correct kubernetes_node_ip, "
                "or name the interface for the virtual address in endpoint_interface"
            ),
        )


def _local(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.local_port in settings.taken:
        yield (
            PORT_CLASH,
            (
                f"kubernetes_api_local_port is {settings.local_port}, which {settings.taken[settings.local_port]} uses"
                "; take another one, like 7443"
            ),
        )


def _haproxy(settings: Settings) -> Iterator[tuple[str, str]]:
    if not 1 <= settings.virtual_router_id <= 255:
        yield UNNAMED, f"endpoint_virtual_router_id is {settings.virtual_router_id}; it must be between 1 and 255"
    try:
        host, port = _split(settings)
    except ValueError:
        return
    if port == settings.health_port:
        yield PORT_CLASH, f"endpoint_health_port is {port}, the port of kubernetes_api_endpoint; they must differ"
    shared = [name for name in settings.balancers if name in settings.control_planes]
    if not shared:
        return
    where = f"HAProxy runs on control planes ({', '.join(shared)})"
    ways = f"or put hosts into the group {settings.group} that are no control planes"
    if port in settings.taken:
        other = host_and_port(settings.virtual_ip or host or "192.0.2.10", 8443)
        yield (
            PORT_CLASH,
            (
                f"{where}, where {settings.taken[port]} uses port {port} already: give kubernetes_api_endpoint another "
                f"port, like {other}, {ways}"
            ),
        )
    if settings.health_port in settings.taken:
        user = settings.taken[settings.health_port]
        yield PORT_CLASH, f"{where}, where {user} uses endpoint_health_port {settings.health_port}"


def _kube_vip(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.strict_arp_missing:
        yield (
            UNNAMED,
            (
                "kube-proxy in mode ipvs answers for the virtual address on every node: set "
                "kubernetes_proxy_configuration.ipvs.strictARP to true"
            ),
        )
    if settings.kube_vip_without_rules:
        yield (
            UNNAMED,
            (
                f"endpoint_kube_vip_environment sets {', '.join(settings.kube_vip_without_rules)}, for which kube-vip "
                "needs more than its lease: name the rules of RBAC in endpoint_kube_vip_rules, or leave it out"
            ),
        )
