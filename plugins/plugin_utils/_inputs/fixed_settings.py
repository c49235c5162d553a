# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the settings that a cluster keeps for life against those that it runs with, before anything is changed.

Which they are, and why, stands in module_utils/_kubeadm/reconcile, which refuses them where they are applied.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import host_and_port
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.running_settings import EXTERNAL, STACKED
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.reconcile import refusal
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster import endpoint
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    CONTROL_PLANE,
    HostInput,
    Inputs,
    Node,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.network import arguments
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import ReleaseError, release

CLUSTER, INIT, JOIN = (
    "control_plane_cluster_configuration",
    "control_plane_init_configuration",
    "worker_join_configuration",
)
OVERRIDES = {"ClusterConfiguration": CLUSTER, "InitConfiguration": INIT, "JoinConfiguration": JOIN}


class Setting(NamedTuple):
    """A setting that cannot change.

    Attributes:
        path: its field in kubeadm's documents.
        variable: what sets it.
        argument: the component and the argument that show it, which the user's own arguments may replace.
    """

    path: str
    variable: str
    argument: tuple[str, str] = ("", "")


# By the names that host_facts gives what runs.
OF_CLUSTER = {
    "cluster_name": Setting(
        "ClusterConfiguration.clusterName", "kubernetes_cluster_name", ("controllerManager", "cluster-name")
    ),
    "pod_cidr": Setting(
        "ClusterConfiguration.networking.podSubnet", "kubernetes_pod_cidr", ("controllerManager", "cluster-cidr")
    ),
    "service_cidr": Setting(
        "ClusterConfiguration.networking.serviceSubnet",
        "kubernetes_service_cidr",
        ("apiServer", "service-cluster-ip-range"),
    ),
    "certificates_dir": Setting("ClusterConfiguration.certificatesDir", CLUSTER, ("apiServer", "client-ca-file")),
    "dns_domain": Setting("ClusterConfiguration.networking.dnsDomain", "kubernetes_dns_domain"),
    "endpoint": Setting("ClusterConfiguration.controlPlaneEndpoint", "kubernetes_api_endpoint"),
    "etcd": Setting("ClusterConfiguration.etcd", "etcd, by kubernetes_etcd_group,", ("apiServer", "etcd-servers")),
    "advertise_address": Setting(
        "InitConfiguration.localAPIEndpoint.advertiseAddress", "kubernetes_node_ip", ("apiServer", "advertise-address")
    ),
    "api_port": Setting(
        "InitConfiguration.localAPIEndpoint.bindPort", "kubernetes_api_port", ("apiServer", "secure-port")
    ),
}
OF_NODE = {
    "node_name": Setting("nodeRegistration.name", "kubernetes_node_name"),
    "cri_socket": Setting("nodeRegistration.criSocket", "kubernetes_container_runtime"),
}


def wanted_settings(host: HostInput, inputs: Inputs) -> dict[str, dict[str, Any]]:
    """What a host is to have: by name the field, the values of which one must run, and the variable that sets it."""
    is_plane = CONTROL_PLANE in inputs.roles_of(host.name)
    kind = "InitConfiguration" if is_plane else "JoinConfiguration"
    settings = {name: setting._replace(path=f"{kind}.{setting.path}") for name, setting in OF_NODE.items()}
    if is_plane:
        settings.update(OF_CLUSTER)
    found = {}
    for name, setting in settings.items():
        component, argument = setting.argument
        if argument in arguments(host.values.get(CLUSTER), component):
            continue
        variable, values = _override(host, setting.path) or (setting.variable, _values(name, setting, host, inputs))
        # A name may do without a port; kubeadm adds that of the API server.
        if name == "endpoint":
            values = [_with_port(value, host) for value in values]
        if all(values):
            found[name] = {"path": setting.path, "variable": variable, "values": values}
    if "endpoint" in found and not host.text("kubernetes_api_endpoint"):
        # It is made of these then, and a difference in them says enough.
        found["endpoint"]["follows"] = ["advertise_address", "api_port"]
    return found


def _override(host: HostInput, path: str) -> tuple[str, list[str]] | None:
    """What the user's own document says of a field, and where."""
    kind, *fields = path.split(".")
    value = host.values.get(OVERRIDES[kind])
    for field in fields:
        value = value.get(field) if isinstance(value, Mapping) else None
    if value is None or isinstance(value, Mapping):
        return None
    return f"{OVERRIDES[kind]}.{'.'.join(fields)}", [str(value)]


def _values(name: str, setting: Setting, host: HostInput, inputs: Inputs) -> list[str]:
    """What the variables make of a setting; an empty text where that is not known."""
    given = host.text(setting.variable)
    if name == "certificates_dir":
        return ["/etc/kubernetes/pki"]
    if name == "etcd":
        return [STACKED if inputs.stacked else EXTERNAL]
    if name == "advertise_address":
        return host.addresses[:1]
    if name == "dns_domain":
        own = host.values.get("kubernetes_kubelet_configuration")
        # What the kubelet is told beside it is no sign of the cluster's.
        given = "" if isinstance(own, Mapping) and "clusterDomain" in own else given
    elif name == "cri_socket":
        given = _socket(host, given or "containerd")
    elif name == "endpoint" and not given:
        return [_api_address(plane, inputs) for plane in inputs.members(CONTROL_PLANE)]
    return [given]


def _socket(host: HostInput, runtime: str) -> str:
    """Where a runtime listens."""
    try:
        return str(release(host.text("kubernetes_version"))["cri_sockets"].get(runtime, ""))
    except ReleaseError:
        return ""


def _api_address(plane: str, inputs: Inputs) -> str:
    """Where a control plane's API server is reached; that of the first is the endpoint where none is given."""
    host = next((one for one in inputs.hosts if one.name == plane and one.addresses), None)
    return host_and_port(host.addresses[0], host.port("kubernetes_api_port", 6443)) if host else ""


def _with_port(value: str, host: HostInput) -> str:
    """An endpoint with its port; empty where it cannot be read."""
    split = endpoint.readable_endpoint(value)
    return host_and_port(split[0], split[1] or host.port("kubernetes_api_port", 6443)) if split else ""


def _comparable(name: str, value: str) -> str:
    """A socket without its scheme and by one folder, since both spellings name the same."""
    return re.sub(r"^(unix://)?(/var)?/run/", "/run/", value) if name == "cri_socket" else value


def fixed_settings(node: Node) -> Iterator[Fault]:
    """Settings of a cluster or node that runs which would change; what is not known is none of them."""
    if not node.in_cluster or (node.facts["cluster"].get("node") or {}).get("interrupted"):
        return
    runs, wanted = node.facts["cluster"].get("settings") or {}, node.setting("fixed_settings") or {}
    changed = {name for name, one in wanted.items() if name in runs and _differs(name, runs[name], one)}
    for name in wanted:
        if name in changed and not changed.intersection(wanted[name].get("follows", ())):
            yield _fault(node, name, runs[name], wanted[name])


def _differs(name: str, was: str, wanted: Mapping[str, Any]) -> bool:
    """Whether what runs is none of what may be."""
    values = [_comparable(name, value) for value in wanted["values"]]
    return bool(values) and all(refusal(wanted["path"], _comparable(name, was), value) for value in values)


def _fault(node: Node, name: str, was: str, wanted: Mapping[str, Any]) -> Fault:
    value, whose = wanted["values"][0], "the cluster" if name in OF_CLUSTER else "this node"
    why = refusal(wanted["path"], was, value)
    return node.fault("setting-fixed", f"{wanted['variable']} is {value}, and {whose} runs with {was}: {why}")
