# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges hosts by what host_facts read of them: all checks, on one host and across hosts.

Each check stands in the file of its subject: host_machine, host_space, host_network, host_traffic, host_cluster,
host_leftovers, fixed_settings, ports, control_planes; what is found between hosts is judged in between. The versions of
kubelets are judged in kubelet_versions, with what hosts outside of the run report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import (
    control_planes,
    fixed_settings,
    host_cluster,
    host_leftovers,
    host_machine,
    host_network,
    host_sources,
    host_space,
    host_traffic,
    ports,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import Node

HOST_CHECKS: list[Callable[[Node], Iterator[Fault]]] = [
    host_machine.identity,
    host_machine.clock,
    host_machine.resources,
    host_space.room,
    host_space.writable,
    host_space.speed,
    host_machine.kernel,
    host_machine.kernel_options,
    host_machine.swap,
    ports.taken_ports,
    host_network.addresses,
    host_network.own_networks,
    host_network.virtual_address,
    host_network.routes,
    host_network.pod_mtu,
    host_machine.programs,
    host_traffic.managers,
    host_traffic.filters,
    host_traffic.names,
    host_cluster.leftovers,
    host_leftovers.clusters,
    host_leftovers.runtimes,
    host_leftovers.containerd_files,
    host_leftovers.cni_files,
    host_leftovers.pod_network,
    host_cluster.other_version,
    fixed_settings.fixed_settings,
    host_cluster.certificates,
    host_sources.connections,
    host_sources.artifacts,
    host_sources.images,
]
CLUSTER_CHECKS: list[Callable[[Sequence[Node]], Iterator[Fault]]] = [
    host_machine.duplicates,
    host_network.shared_addresses,
    host_machine.clocks,
    host_network.mtus,
    host_cluster.clusters,
    control_planes.incomplete,
    host_cluster.authorities,
    host_network.api_endpoint,
    host_sources.bypasses,
    host_traffic.firewalls,
    host_traffic.virtual_address,
]


def read_nodes(results: Mapping[str, Any], settings: Mapping[str, Any]) -> list[Node]:
    """The hosts of which there are facts, with their settings."""
    return [
        Node(name, outcome["host"], settings.get(name, {})) for name, outcome in results.items() if "host" in outcome
    ]


def find_faults(nodes: Sequence[Node]) -> list[Fault]:
    """Every fault of every host and across hosts."""
    return [
        *(fault for check in CLUSTER_CHECKS for fault in check(nodes)),
        *(fault for node in nodes for check in HOST_CHECKS for fault in check(node)),
    ]
