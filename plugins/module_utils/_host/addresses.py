# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses as addresses: one may be written in several ways, and is compared and stored in its shortest."""

from __future__ import annotations

import contextlib
import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Iterable, List, Optional, Union
from urllib.parse import urlsplit

Address = Union[IPv4Address, IPv6Address]


def read_address(text: str) -> Optional[Address]:
    """An IP address; None where it is none. An IPv4 address in IPv6's clothes is IPv4, as Kubernetes reads it."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return None if "%" in str(address) else address


def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    return read_address(text) is not None


def normal(text: str) -> str:
    """An address in its shortest form; any other text without blank ends."""
    address = read_address(text)
    return text.strip() if address is None else str(address)


def split_addresses(text: str) -> List[str]:
    """What stands between the commas of a variable such as kubernetes_node_ip, each in its normal form."""
    return [normal(part) for part in text.split(",") if part.strip()]


def in_url(text: str) -> str:
    """A host as it stands in a URL: an IPv6 address in brackets."""
    host = normal(text)
    return f"[{host}]" if ":" in host else host


def host_and_port(host: str, port: int) -> str:
    """A host and a port as one text."""
    return f"{in_url(host)}:{port}"


def normal_url(url: str) -> str:
    """A URL in the form by which it is compared: host small, an address in its shortest form, no slash at the end."""
    parts = urlsplit(url.strip())
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        return url.strip()
    if not parts.scheme or not host:
        return url.strip()
    place = in_url(host) if port is None else host_and_port(host, port)
    return parts._replace(netloc=place, path=parts.path.rstrip("/")).geturl()


def same_url(one: str, others: Iterable[str]) -> bool:
    """Whether a URL is among others."""
    return normal_url(one) in {normal_url(other) for other in others}


def is_bypassed(host: str, port: int, no_proxy: str) -> bool:
    """Whether no_proxy names a host, as runtimes read it: names with their subdomains, addresses and networks."""
    address, name = read_address(host), host.lower().rstrip(".")
    for part in (part.strip().lower() for part in no_proxy.split(",")):
        entry, _colon, own_port = (part, "", "") if is_address(part) else part.rpartition(":")
        if not own_port.isdigit():
            entry = part
        elif int(own_port) != port:
            continue
        if entry == "*" or (entry and normal(entry.strip("[]")) == normal(name)):
            return True
        if address is not None and "/" in entry:
            with contextlib.suppress(ValueError):
                if address in ip_network(entry, strict=False):
                    return True
        elif address is None and entry and name.endswith(f".{entry.lstrip('*').lstrip('.')}"):
            return True
    return False


def url_hosts(urls: Iterable[str]) -> List[str]:
    """The hosts in URLs, addresses in their shortest form."""
    return [normal(host) for host in (urlsplit(url).hostname for url in urls) if host]


def normal_text(text: str) -> str:
    """A setting with its addresses, networks, places and URLs in their shortest form; any other text as it is."""
    parts = [_normal_part(part) for part in text.split(",")]
    return text if None in parts else ",".join(map(str, parts))


def _normal_part(text: str) -> Optional[str]:
    """An address, network, address with port, or URL at an address; None for anything else."""
    text = text.strip()
    if is_address(text):
        return normal(text)
    if "/" in text:
        with contextlib.suppress(ValueError):
            return str(ip_network(text))
    place = re.fullmatch(r"\[([^\]]+)\](?::(\d+))?", text)
    if place and is_address(place[1]):
        return host_and_port(place[1], int(place[2])) if place[2] else in_url(place[1])
    hosts = url_hosts([text]) if "://" in text else []
    return normal_url(text) if hosts and is_address(hosts[0]) else None
