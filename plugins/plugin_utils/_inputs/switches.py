# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges feature gates, admission plugins and flags: a component that is given one that it lacks does not start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    CONTROL_PLANE,
    HostInput,
    Inputs,
    version_tuple,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.network import extra_arguments
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.removals import (
    GATES_FLAG,
    KUBELET,
    Setting,
    losses,
    unknown,
)

CLUSTER = "control_plane_cluster_configuration"
COMPONENTS = {
    "apiServer": "kube-apiserver",
    "controllerManager": "kube-controller-manager",
    "scheduler": "kube-scheduler",
}
# The variables with a configuration that has gates, and whose it is. kube-proxy knows all gates that a kubelet knows.
GATES = ("kubernetes_kubelet_configuration", "kubernetes_proxy_configuration")
# The variables with the kubelet's arguments.
ARGUMENTS = ("control_plane_init_configuration", "worker_join_configuration")


def switches(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """What the version of Kubernetes no longer has, or has never had."""
    version = host.text("kubernetes_version")
    if version_tuple(version) == (0, 0):
        return
    settings = list(_settings(host, not inputs.grouped or CONTROL_PLANE in inputs.roles_of(host.name)))
    for setting, what, since in losses(settings, version):
        yield host.fault("unknown-field", f"{setting.place}: {what} is gone from Kubernetes {since} on; take it out")
    for setting, what, meant in unknown(settings, version):
        advice = meant or "take it out"
        yield host.fault("unknown-field", f"{setting.place}: {what} is none that Kubernetes {version} knows; {advice}")


def _settings(host: HostInput, control_plane: bool) -> Iterator[Setting]:
    for variable in GATES:
        gates = _map(_map(host.values.get(variable)).get("featureGates"))
        yield from (Setting(KUBELET, GATES_FLAG, f"{gate}=", f"{variable}.featureGates") for gate in gates)
    for variable in ARGUMENTS:
        registration = _map(_map(host.values.get(variable)).get("nodeRegistration"))
        given = extra_arguments(registration.get("kubeletExtraArgs"))
        place = f"{variable}.nodeRegistration.kubeletExtraArgs"
        yield from (Setting(KUBELET, name, value, place) for name, value in given.items())
    configuration = _map(host.values.get(CLUSTER)) if control_plane else {}
    for key, component in COMPONENTS.items():
        given = extra_arguments(_map(configuration.get(key)).get("extraArgs"))
        yield from (Setting(component, name, value, f"{CLUSTER}.{key}.extraArgs") for name, value in given.items())


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
