# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of each node in the proof that pods on every pair of nodes talk, and what comes of what they found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

PROTOCOLS = ("tcp", "udp")
# How long a node listens for the others: the last of many hosts begins when the first ones have finished.
SECONDS, SECONDS_PER_NODE = 120, 5


def parts(proof: Mapping[str, Any], heard: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What each node does, by its name.

    Args:
        proof: what the module pod_network_proof returned at the beginning.
        heard: by node, what port_listener returned where it listens; empty before it does.

    Returns:
        The pod's uid; places, expected and seconds as port_listener takes them, and targets as port_probe does.
    """
    places = {one["node"]: one for one in proof["places"]}
    seconds = SECONDS + SECONDS_PER_NODE * len(places)
    return {
        name: {
            "uid": own["uid"],
            "places": [_place(address, protocol, proof) for address in own["addresses"] for protocol in PROTOCOLS],
            "expected": [other for other in places if other != name],
            "seconds": seconds,
            "targets": [
                target
                for other in places
                if other != name and other in heard and name in heard
                for target in _targets(places[other], min(heard[name]["mtu"], heard[other]["mtu"]), own, proof)
            ],
        }
        for name, own in places.items()
    }


def _place(address: str, protocol: str, proof: Mapping[str, Any]) -> dict[str, Any]:
    return {"protocol": protocol, "address": address, "number": proof["port"]}


def _targets(
    other: Mapping[str, Any], mtu: int, own: Mapping[str, Any], proof: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """A pod at its own addresses, with packets as large as the MTU, and behind its Service."""
    families = {":" in address for address in own["addresses"]}
    for kind, size in (("addresses", mtu), ("cluster_ips", 0)):
        for address in other[kind]:
            if (":" in address) in families:
                for protocol in PROTOCOLS:
                    yield {"host": other["node"], **_place(address, protocol, proof), "listener": True, "mtu": size}


def faults(proof: Mapping[str, Any], heard: Mapping[str, Any], probed: Mapping[str, Any]) -> list[str]:
    """What does not work, one line for each pair of nodes.

    Args:
        proof: what the module pod_network_proof returned at the beginning.
        heard: by node, what port_listener returned.
        probed: by node, what port_probe returned.
    """
    found = []
    for name in heard:
        found += [
            f"{name}: nothing can listen in its pod at {one['address']}: {one['error']}"
            for one in heard[name].get("unheard") or []
        ]
        if not heard[name]["mtu"]:
            found.append(f"{name}: its pod has no interface eth0")
        if name not in probed:
            found.append(f"{name}: nothing was tried from its pod")
    for source, outcome in probed.items():
        for target in dict.fromkeys(one["host"] for one in [*outcome["closed"], *outcome["narrow"]]):
            said = [*_closed(outcome["closed"], target, proof), *_narrow(outcome["narrow"], target)]
            found.append(f"{source} to {target}: {'; '.join(said)}")
    return found


def _closed(rows: Sequence[Mapping[str, Any]], target: str, proof: Mapping[str, Any]) -> list[str]:
    services = next(one["cluster_ips"] for one in proof["places"] if one["node"] == target)
    return [
        f"{row['protocol'].upper()} to {'the cluster IP' if row['address'] in services else 'the pod'} "
        f"{row['address']}: {row['error']}"
        for row in rows
        if row["host"] == target
    ]


def _narrow(rows: Sequence[Mapping[str, Any]], target: str) -> list[str]:
    said = [
        f"packets of {row['wanted']} bytes to {row['address']} do not pass, "
        + (f"those of {row['mtu']} do" if row["mtu"] else "nor do smaller ones")
        for row in rows
        if row["host"] == target
    ]
    return list(dict.fromkeys(said))


def tried(proof: Mapping[str, Any], heard: Mapping[str, Any], probed: Mapping[str, Any]) -> list[str]:
    """The nodes that were tried with all others; one that could not be reached by Ansible is not among them."""
    return [one["node"] for one in proof["places"] if one["node"] in heard and one["node"] in probed]
