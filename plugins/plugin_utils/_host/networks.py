# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks in CIDR notation as a variable names them: one, or several with commas between."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any, Union

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


def networks(cidrs: Any) -> list[Network]:
    """The networks of one CIDR or several with commas between; none where one cannot be read."""
    parts = [part.strip() for part in str(cidrs or "").split(",") if part.strip()]
    try:
        return [ipaddress.ip_network(part) for part in parts] if all("/" in part for part in parts) else []
    except ValueError:
        return []


def ranges(addresses: Iterable[str], most: int = 4) -> list[str]:
    """Addresses as few ranges: exactly these, or where that takes many, the smallest network of each IP version."""
    found: list[str] = []
    parsed = {ipaddress.ip_address(address) for address in addresses}
    for version in (4, 6):
        single = [ipaddress.ip_network(address) for address in sorted(a for a in parsed if a.version == version)]
        exact: list[Network] = list(ipaddress.collapse_addresses(single))  # type: ignore[type-var]
        if len(exact) > most:
            widest = exact[0]
            while not all(network.subnet_of(widest) for network in exact):  # type: ignore[arg-type]
                widest = widest.supernet()
            exact = [widest]
        found += [str(network[0]) if network.num_addresses == 1 else str(network) for network in exact]
    return found


def families(found: Sequence[Network]) -> list[int]:
    """The IP versions of networks, in their order."""
    return [network.version for network in found]


def shown_families(versions: Sequence[int]) -> str:
    """IP versions as text."""
    return ", ".join(f"IPv{version}" for version in versions)


def is_cidr(text: str) -> bool:
    """Whether a text is one network as Kubernetes reads it: the network's address, and the prefix as a number."""
    _address, _slash, prefix = text.partition("/")
    try:
        return prefix == str(ipaddress.ip_network(text).prefixlen)
    except ValueError:
        return False


def right_spelling(text: str) -> str:
    """How networks are to be written; empty where that is not known.

    A network without a prefix is shown with the one that its zeros suggest.
    """
    parts = [_right_part("".join(part.split())) for part in text.split(",") if part.strip()]
    return ",".join(parts) if all(parts) else ""


def _right_part(text: str) -> str:
    with contextlib.suppress(ValueError):
        if "/" in text:
            return str(ipaddress.ip_network(text, strict=False))
        address = ipaddress.ip_address(text)
        for prefix in (8, 16, 24) if address.version == 4 else (48, 56, 64, 112):
            with contextlib.suppress(ValueError):
                return str(ipaddress.ip_network(f"{address}/{prefix}"))
    return ""
