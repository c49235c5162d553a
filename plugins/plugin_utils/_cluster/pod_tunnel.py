# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ends of the tunnel between nodes: their addresses, and what it adds to packets."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

# Of VXLAN: its own header, UDP's, the outer IP's and the inner Ethernet's.
VXLAN_OVERHEAD = {4: 50, 6: 70}


def addresses_by_version(node: Mapping[str, Any]) -> dict[int, str]:
    """A node's first address of each IP version."""
    return {ipaddress.ip_address(text).version: text for text in reversed(node["internal_ips"])}


def tunnel_version(nodes: Sequence[Mapping[str, Any]]) -> int:
    """The IP version of the tunnel's packets: one that all nodes have, IPv4 where there are both."""
    versions = [addresses_by_version(node).keys() for node in nodes if node["internal_ips"]]
    return 6 if versions and not all(4 in one for one in versions) else 4


def tunnel(nodes: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    """A node's end: local and cidrs as the module pod_routes takes them, and the overhead; empty for an unknown one."""
    version = tunnel_version(nodes)
    for node in nodes:
        addresses = addresses_by_version(node)
        if node["name"] == name and version in addresses:
            return {
                "local": addresses[version],
                "cidrs": list(node["pod_cidrs"]),
                "overhead": VXLAN_OVERHEAD[version],
            }
    return {}
