# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges values of the kubelet's configuration with which it would not start, or not have the runtime's cgroups.

pkg/kubelet/apis/config/validation/validation.go and pkg/kubelet/eviction/helpers.go of Kubernetes say which.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.field_types import DURATION
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.numbers import as_number

DOCKER = "container_runtime_docker_config"
CONFIGURATION = "kubernetes_kubelet_configuration"
QUANTITY = re.compile(r"\+?(\d+(\.\d*)?|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?")
PERCENTAGE = re.compile(r"\d+(\.\d+)?%")
SOFT, GRACE = "evictionSoft", "evictionSoftGracePeriod"
# Maps of quantities, and whether a percentage will do.
QUANTITIES = {
    "evictionHard": True,
    SOFT: True,
    "evictionMinimumReclaim": True,
    "kubeReserved": False,
    "systemReserved": False,
}
RESERVABLE = ("cpu", "memory", "ephemeral-storage", "pid")
CHOICES = {
    "cpuManagerPolicy": ("none", "static"),
    "memoryManagerPolicy": ("None", "Static"),
    "topologyManagerPolicy": ("none", "best-effort", "restricted", "single-numa-node"),
}
# Fields of a component's configuration that are not to differ from a variable, by which others go, too.
SAME = (
    (CONFIGURATION, "clusterDomain", "kubernetes_dns_domain", "the cluster's domain"),
    (CONFIGURATION, "cgroupDriver", "kubernetes_cgroup_driver", "the container runtime's"),
    ("kubernetes_proxy_configuration", "mode", "kubernetes_proxy_mode", "what the hosts are made fit for"),
)
# The lowest values.
LOWEST = {"containerLogMaxFiles": 2, "maxPods": 0, "podsPerCore": 0}


def kubelet_values(host: HostInput, _inputs: Inputs) -> Iterator[Fault]:
    """Values that the kubelet refuses, and what must be the same elsewhere."""
    given = _map(host.values, CONFIGURATION)
    for text in (*_quantities(given), *_graces(given), *_numbers(given), *_forms(given)):
        yield host.fault("value-invalid", f"{CONFIGURATION}.{text}")
    for configuration, field, variable, whose in SAME:
        own, other = _map(host.values, configuration).get(field), host.text(variable)
        if own and other and own != other:
            text = (
                f"{configuration}.{field} is {own}, and {whose} is {other} ({variable}), but both must be the "
                f"same; set {variable}, and leave the field out"
            )
            yield host.fault("value-invalid", text)


def docker_values(host: HostInput, _inputs: Inputs) -> Iterator[Fault]:
    """The cgroups that Docker makes: by options of the user, which stand instead of the role's."""
    config, driver = _map(host.values, DOCKER), host.text("kubernetes_cgroup_driver")
    if host.text("kubernetes_container_runtime") != "docker" or "exec-opts" not in config or not driver:
        return
    options, wanted = config["exec-opts"], f"native.cgroupdriver={driver}"
    if not isinstance(options, list) or wanted not in options:
        text = f"{DOCKER}.exec-opts must have {wanted}, as the kubelet (kubernetes_cgroup_driver); add it"
        yield host.fault("value-invalid", text)


def _map(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = given.get(name)
    return found if isinstance(found, Mapping) else {}


def _quantities(given: Mapping[str, Any]) -> Iterator[str]:
    for name, percentage in QUANTITIES.items():
        for key, value in _map(given, name).items():
            text = value if isinstance(value, str) else ""
            if text and not QUANTITY.fullmatch(text) and not (percentage and PERCENTAGE.fullmatch(text)):
                yield f"{name}.{key} {text!r} is no quantity; write it like 500Mi{' or 10%' if percentage else ''}"
            if not percentage and key not in RESERVABLE:
                yield f"{name}.{key} cannot be reserved; there are {', '.join(RESERVABLE)}"


def _graces(given: Mapping[str, Any]) -> Iterator[str]:
    graces = _map(given, GRACE)
    for signal in _map(given, SOFT):
        if signal not in graces:
            yield f"{SOFT}.{signal} needs a time in {GRACE}, without which the kubelet does not start; give it one"
    for signal, value in graces.items():
        if isinstance(value, str) and not DURATION.fullmatch(value):
            yield f"{GRACE}.{signal} {value!r} is no time; write it like 30s or 1m30s"


def _numbers(given: Mapping[str, Any]) -> Iterator[str]:
    for name, lowest in LOWEST.items():
        number = as_number(given.get(name))
        if number is not None and number < lowest:
            yield f"{name} {number:g} cannot be; give {lowest} or more"


def _forms(given: Mapping[str, Any]) -> Iterator[str]:
    for name, choices in CHOICES.items():
        value = given.get(name)
        if value and value not in choices:
            yield f"{name} {value!r} is none of {', '.join(choices)}; choose one"
