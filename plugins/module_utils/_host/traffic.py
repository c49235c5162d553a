# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What decides on a host's packets: filters, routes that others keep, servers for names, who has an address."""

from __future__ import annotations

import ipaddress
import json
import re
import socket
import time
from typing import Any, Callable, Dict, List

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.host import HostReader

Run = Callable[[List[str]], str]
DISCARD_PORT = 9


def iptables_backend(version: str) -> str:
    """The kind of rules in what "iptables --version" prints: nf_tables, legacy, or nothing where that is not told."""
    match = re.search(r"\((nf_tables|legacy)\)", version)
    return match.group(1) if match else ""


def legacy_tables(reader: HostReader) -> List[str]:
    """The tables of the legacy kind that are in use."""
    names = (reader.read(f"/proc/net/{family}_tables_names") for family in ("ip", "ip6"))
    return sorted({name for text in names for name in text.split()})


def rp_filter(reader: HostReader) -> Dict[str, int]:
    """How packets are judged by the interface by which they come: by interface, and of all."""
    folder = "/proc/sys/net/ipv4/conf"
    read = {name: reader.read(f"{folder}/{name}/rp_filter") for name in reader.listdir(folder)}
    return {name: int(text) for name, text in read.items() if text.isdigit()}


def manages_foreign_routes(reader: HostReader) -> bool:
    """Whether systemd-networkd is configured to remove routes that it did not make, as it does by default."""
    name = "/systemd/networkd.conf"
    found: Dict[str, str] = {}
    for place in ("/usr/lib", "/run", "/etc"):
        for file in reader.listdir(f"{place}{name}.d"):
            found[file] = f"{place}{name}.d/{file}"
    value = "yes"
    for path in [f"/etc{name}", *(found[file] for file in sorted(found))]:
        for given in re.findall(r"^\s*ManageForeignRoutes\s*=\s*(\S+)", reader.read(path), re.MULTILINE):
            value = given.lower()
    return value not in ("no", "false", "off", "0", "n", "f")


def name_servers(reader: HostReader) -> List[str]:
    """The servers that resolve names for this host, those behind systemd-resolved where that runs."""
    path = "/run/systemd/resolve/resolv.conf"
    text = reader.read(path) if reader.exists(path) else reader.read("/etc/resolv.conf")
    return re.findall(r"^\s*nameserver\s+(\S+)", text, re.MULTILINE)


def neighbour(address: str, run: Run, seconds: float = 1.0) -> str:
    """The MAC address of the machine of this network that has an address; empty where none answers in time."""
    version = ipaddress.ip_address(address).version
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    until = time.monotonic() + seconds
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        try:
            # Whatever is sent, the kernel asks first who has the address.
            one.sendto(b"", (address, DISCARD_PORT))
        except OSError:
            return ""
    while True:
        found = _entries(run(["-json", "neigh", "show", "to", address]))
        for entry in found:
            if entry.get("lladdr") and not {"FAILED", "INCOMPLETE"} & set(entry.get("state", [])):
                return str(entry["lladdr"])
        if time.monotonic() > until:
            return ""
        time.sleep(0.1)


def _entries(text: str) -> List[Dict[str, Any]]:
    try:
        found = json.loads(text or "[]")
    except ValueError:
        return []
    return found if isinstance(found, list) else []
