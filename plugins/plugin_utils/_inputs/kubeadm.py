# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the variables that become kubeadm's configuration: whether this version of kubeadm has their fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import ERROR, WARNING, Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    CONTROL_PLANE,
    WORKER,
    HostInput,
    Inputs,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.configuration import (
    ConfigError,
    convert,
    warnings,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import ReleaseError

# The variables that make up one configuration, by what the host is, with the kind of document that each is merged over.
CONFIGURATIONS = {
    CONTROL_PLANE: {
        "control_plane_init_configuration": "InitConfiguration",
        "control_plane_cluster_configuration": "ClusterConfiguration",
        "kubernetes_kubelet_configuration": "KubeletConfiguration",
    },
    WORKER: {
        "worker_join_configuration": "JoinConfiguration",
        "kubernetes_kubelet_configuration": "KubeletConfiguration",
    },
}


def kubeadm_fields(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Names that are no fields, and fields that this version of kubeadm cannot express."""
    version, roles = host.text("kubernetes_version"), inputs.roles_of(host.name)
    for role, variables in CONFIGURATIONS.items():
        # kubeadm knows a host that is both as a control plane.
        if inputs.grouped and (role not in roles or (role == WORKER and CONTROL_PLANE in roles)):
            continue
        documents = []
        for variable, kind in variables.items():
            value = host.values.get(variable)
            documents.append({**(value if isinstance(value, Mapping) else {}), "kind": kind})
        errors = []
        try:
            convert(documents, version)
            late = warnings(documents, version)
        except ConfigError as error:
            errors, late = error.faults, []
        except ReleaseError:
            return
        for text, severity in [(text, ERROR) for text in errors] + [(text, WARNING) for text in late]:
            named = next((variable for variable, kind in variables.items() if text.startswith(kind)), role)
            advice = "" if ";" in text else "; correct it"
            yield host.fault("kubeadm-field", f"{named}: {text}{advice}", severity)


def proxy_configuration(inputs: Inputs) -> Iterator[Fault]:
    """kubernetes_proxy_configuration: kube-proxy runs on all nodes with the one configuration of the control planes."""
    variable, planes = "kubernetes_proxy_configuration", inputs.members(CONTROL_PLANE)
    known = [host for host in inputs.played if variable in host.values]
    of_planes = [host.values[variable] or {} for host in known if host.name in planes]
    if not of_planes:
        return
    for host in known:
        value = host.values[variable] or {}
        # What is only set for the control planes holds for all nodes.
        if value != of_planes[0] and (value or host.name in planes):
            text = (
                f"{variable} differs from the control planes', but kube-proxy has one configuration for all "
                "nodes; set it once for the whole cluster, in the group all"
            )
            yield host.fault("cluster-differs", text)
