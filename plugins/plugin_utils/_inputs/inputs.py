# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges variables before anything is touched: all checks, on one host's variables and across hosts.

Each check stands in the file of its subject: argument_specs (types, unknown names), versions, inventory (groups, what
all hosts share), api_endpoint, ports, network (pods, services), nodes (names, addresses), etcd, kubeadm, hardening,
downloads, backups, text, empty_values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import (
    api_endpoint,
    argument_specs,
    backups,
    downloads,
    empty_values,
    etcd,
    hardening,
    inventory,
    kubeadm,
    network,
    nodes,
    ports,
    text,
    versions,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

HOST_CHECKS: list[Callable[[HostInput, Inputs], Iterator[Fault]]] = [
    argument_specs.types,
    argument_specs.undefined,
    argument_specs.names,
    versions.version,
    network.cidrs,
    network.masks,
    api_endpoint.endpoint,
    ports.port_clashes,
    etcd.supplied_pki,
    nodes.node_name,
    nodes.node_address,
    nodes.identity,
    versions.proxy_mode,
    downloads.checksums,
    downloads.sources,
    downloads.digest_forms,
    versions.runtime,
    versions.crictl,
    versions.etcd,
    hardening.control_plane,
    hardening.default_deny,
    kubeadm.kubeadm_fields,
    empty_values.empty_values,
    backups.backups,
    text.text,
]
CLUSTER_CHECKS: list[Callable[[Inputs], Iterator[Fault]]] = [
    inventory.groups,
    etcd.members,
    api_endpoint.api_address,
    nodes.clashes,
    inventory.agreement,
    kubeadm.proxy_configuration,
    downloads.digests,
    versions.skew,
    text.pinned_images,
]


def find_faults(inputs: Inputs) -> list[Fault]:
    """Every fault of every host's variables and across hosts."""
    return [
        *(fault for check in CLUSTER_CHECKS for fault in check(inputs)),
        *(fault for host in inputs.played for check in HOST_CHECKS for fault in check(host, inputs)),
    ]
