# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the inventory's groups, and that hosts agree on the variables of the whole cluster."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import normal_text
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster import endpoint
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import (
    WARNING,
    Fault,
    did_you_mean,
    listed,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    CONTROL_PLANE,
    LOAD_BALANCER,
    Inputs,
)

# Variables that describe the whole cluster and must be the same on all its hosts.
CLUSTER_VARIABLES = (
    "kubernetes_cluster_name",
    "kubernetes_api_load_balancer",
    "kubernetes_api_endpoint",
    "kubernetes_api_port",
    "kubernetes_api_local_port",
    "endpoint_virtual_ip",
    "kubernetes_pod_cidr",
    "kubernetes_service_cidr",
    "kubernetes_dns_domain",
    "kubernetes_proxy_mode",
    "kubernetes_hardened",
    "kubernetes_kubelet_signed_certificates",
    "kubernetes_lock",
)
# What is looked at of the cluster's hosts that a run leaves out.
OF_OTHERS = (
    *CLUSTER_VARIABLES,
    "kubernetes_node_name",
    "kubernetes_node_ip",
    "kubernetes_version",
    "control_plane_cluster_configuration",
)


def groups(inputs: Inputs) -> Iterator[Fault]:
    """The inventory's groups: a control plane, and load balancers only where they are used."""
    if not inputs.grouped:
        return
    group, variable = inputs.group(CONTROL_PLANE)
    if not inputs.members(CONTROL_PLANE):
        similar = did_you_mean(group, inputs.groups.keys() - {group}, closeness=0.6)
        advice = similar or "add a host to it"
        yield Fault("group-missing", f"the inventory group {group} ({variable}) has no host; {advice}")
    if inputs.members(LOAD_BALANCER) and inputs.balanced_by != endpoint.HAPROXY:
        text = (
            f"the inventory group {inputs.group(LOAD_BALANCER)[0]} has hosts, but kubernetes_api_load_balancer "
            f"{inputs.balanced_by} does not use them; set it to haproxy, or empty the group"
        )
        yield Fault("load-balancer-unused", text, severity=WARNING)


def agreement(inputs: Inputs) -> Iterator[Fault]:
    """What must be the same on all hosts of the cluster."""
    hosts = [host for host in inputs.hosts if inputs.roles_of(host.name)]
    for variable in CLUSTER_VARIABLES:
        holders: dict[str, list[str]] = {}
        for host in (host for host in hosts if variable in host.values):
            holders.setdefault(normal_text(host.text(variable)), []).append(host.name)
        if len(holders) > 1:
            found = "; ".join(f"{value or 'empty'} on {listed(having)}" for value, having in holders.items())
            text = f"{variable} differs: {found}; set it once for the whole cluster, in the group all"
            yield Fault("cluster-differs", text)
