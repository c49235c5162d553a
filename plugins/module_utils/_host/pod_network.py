# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network that a host's container runtime gives pods, by its CNI configuration, and the addresses in use there."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any, List

CONFIGURATIONS = "/etc/cni/net.d"
# Where the plugin host-local writes down the addresses that it has given, in a folder for each network.
RESERVATIONS = "/var/lib/cni/networks"
SUFFIXES = (".conf", ".conflist", ".json")
# What CNI allows as a network's name. It is a folder's name here.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def first_configuration(names: List[str]) -> str:
    """The file that the runtime takes: the first by name. Empty where there is none."""
    return next((name for name in sorted(names) if name.endswith(SUFFIXES)), "")


def network_name(text: str) -> str:
    """The network's name in a configuration; empty where there is none that CNI allows."""
    try:
        found: Any = json.loads(text)
    except ValueError:
        return ""
    name = found.get("name") if isinstance(found, dict) else None
    return name if isinstance(name, str) and NAME.fullmatch(name) else ""


def reserved(names: List[str]) -> int:
    """How many of the files in a network's folder stand for an address: each has the address as its name."""
    count = 0
    for name in names:
        try:
            ipaddress.ip_address(name)
        except ValueError:
            continue
        count += 1
    return count
