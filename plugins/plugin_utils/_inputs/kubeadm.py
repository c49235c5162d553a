# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the variables that become kubeadm's configuration: whether this version of kubeadm has their fields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import (
    ERROR,
    WARNING,
    Fault,
    did_you_mean,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.field_types import DURATION
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.components import seconds
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    CONTROL_PLANE,
    WORKER,
    HostInput,
    Inputs,
    version_tuple,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.network import arguments
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.configuration import (
    ConfigError,
    convert,
    warnings,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.fields import type_faults
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


CLUSTER = "control_plane_cluster_configuration"
PERIODS = ("certificateValidityPeriod", "caCertificateValidityPeriod")
NETWORKING = {
    "dnsDomain": "kubernetes_dns_domain",
    "podSubnet": "kubernetes_pod_cidr",
    "serviceSubnet": "kubernetes_service_cidr",
}
COMPONENTS = ("apiServer", "controllerManager", "scheduler")
# Of kubeadm up to this minor version.
ALGORITHMS, ALGORITHMS_KNOWN = ("RSA-2048", "RSA-3072", "RSA-4096", "ECDSA-P256", "ECDSA-P384"), (1, 37)


IGNORED = "kubernetes_ignore_preflight_errors"
# kubeadm's checks (cmd/kubeadm/app/preflight/checks.go and app/phases/upgrade of 1.36 and 1.20), whose case does not
# matter, and what the names of those of one file, folder, port or service begin with.
KUBEADM_CHECKS = (
    "all",
    "ContainerRuntimeVersion",
    "ControlPlaneNodesReady",
    "CoreDNSMigration",
    "CoreDNSUnsupportedPlugins",
    "CreateJob",
    "CRI",
    "ExternalEtcdClientCertificates",
    "ExternalEtcdVersion",
    "Firewalld",
    "Hostname",
    "HTTPProxy",
    "HTTPProxyCIDR",
    "ImagePull",
    "IsDockerSystemdCheck",
    "IsPrivilegedUser",
    "KubeletVersion",
    "KubernetesVersion",
    "Mem",
    "NumCPU",
    "RequiredIPVSKernelModulesAvailable",
    "StaticPodManifest",
    "Swap",
    "SystemVerification",
)
CHECK_PREFIXES = ("diravailable-", "fileavailable-", "filecontent-", "fileexisting-", "port-", "service-")


def kubeadm_fields(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Names that are no fields, values of another type, and fields that this version of kubeadm cannot express."""
    version, roles = host.text("kubernetes_version"), inputs.roles_of(host.name)
    for role, variables in CONFIGURATIONS.items():
        # kubeadm knows a host that is both as a control plane.
        if inputs.grouped and (role not in roles or (role == WORKER and CONTROL_PLANE in roles)):
            continue
        documents = []
        try:
            for variable, kind in variables.items():
                value = host.values.get(variable)
                document = {**(value if isinstance(value, Mapping) else {}), "kind": kind}
                wrong = type_faults(document, version)
                for found in wrong:
                    yield host.fault("value-invalid", f"{variable}.{found.place} {found.why}")
                # What is of another type is not judged further.
                fields = {re.split(r"[.\[]", found.place)[0] for found in wrong}
                documents.append({name: document[name] for name in document if name not in fields})
            convert(documents, version)
            errors, late = [], warnings(documents, version)
        except ConfigError as error:
            errors, late = error.faults, []
        except ReleaseError:
            return
        for text, severity in [(text, ERROR) for text in errors] + [(text, WARNING) for text in late]:
            named = next((variable for variable, kind in variables.items() if text.startswith(kind)), role)
            advice = "" if ";" in text else "; correct it"
            yield host.fault("kubeadm-field", f"{named}: {text}{advice}", severity)


def kubeadm_values(host: HostInput, _inputs: Inputs) -> Iterator[Fault]:
    """Values with which kubeadm would fail half way, or with which the cluster would not be what was asked for."""
    cluster = _map(host.values.get(CLUSTER))
    for path, value in ((f"{CLUSTER}.{name}", cluster.get(name)) for name in PERIODS):
        if isinstance(value, str) and DURATION.fullmatch(value) and seconds(value) <= 0:
            yield host.fault(
                "value-invalid", f"{path} is {value}, so certificates would have ended at once; give it more"
            )
    version, networking = host.text("kubernetes_version"), _map(cluster.get("networking"))
    fields = {
        "kubernetesVersion": (str(cluster.get("kubernetesVersion") or "").removeprefix("v"), "kubernetes_version")
    }
    fields.update(
        {f"networking.{name}": (str(networking.get(name) or ""), variable) for name, variable in NETWORKING.items()}
    )
    for field, (given, variable) in fields.items():
        wanted = host.text(variable)
        if given and wanted and given != wanted:
            text = (
                f"{CLUSTER}.{field} is {given}, and {variable}, by which others go, is {wanted}; set {variable}, and "
                "leave the field out"
            )
            yield host.fault("value-invalid", text)
    for component in COMPONENTS:
        dashed = [name for name in arguments(cluster, component) if name.startswith("-")]
        if dashed:
            text = f"{CLUSTER}.{component}.extraArgs: write {', '.join(dashed)} without dashes, which kubeadm adds"
            yield host.fault("value-invalid", text)
    algorithm = cluster.get("encryptionAlgorithm")
    if algorithm and algorithm not in ALGORITHMS and version_tuple(version) <= ALGORITHMS_KNOWN:
        text = f"{CLUSTER}.encryptionAlgorithm {algorithm!r} is none of {', '.join(ALGORITHMS)}; choose one"
        yield host.fault("value-invalid", text)


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def ignored_checks(host: HostInput, _inputs: Inputs) -> Iterator[Fault]:
    """Names of checks that kubeadm does not have, which it ignores as it does the names themselves."""
    names = host.values.get(IGNORED)
    for name in names if isinstance(names, list) else []:
        if str(name).lower() in map(str.lower, KUBEADM_CHECKS) or str(name).lower().startswith(CHECK_PREFIXES):
            continue
        meant = did_you_mean(str(name), KUBEADM_CHECKS)
        text = f"{IGNORED}: {name} is no check of kubeadm's that is known here; {meant or 'see what kubeadm calls it'}"
        yield host.fault("value-invalid", text, ERROR if meant else WARNING)


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
