# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the settings of Kubernetes' components and containerd: whether the version that runs has their fields.

Most of these programs ignore a field that they do not know, and say so in their logs at best. With one in its
authentication, the API server does not start.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import ERROR, WARNING, Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.field_list import FieldList, UnknownField
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.field_types import DURATION
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    HostInput,
    Inputs,
    version_tuple,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.component_fields import component_fields

FOLDER = Path(__file__).resolve().parents[1]
KINDS = {
    "kubernetes_kubelet_configuration": "KubeletConfiguration",
    "kubernetes_kubelet_shutdown": "KubeletConfiguration",
    "kubernetes_proxy_configuration": "KubeProxyConfiguration",
    "control_plane_audit_policy": "Policy",
    "control_plane_authentication_configuration": "AuthenticationConfiguration",
}
KUBELET, SHUTDOWN = "kubernetes_kubelet_configuration", "kubernetes_kubelet_shutdown"
# How long a shutdown of the host waits for pods, and the feature gate that is off before this minor version.
PERIOD, CRITICAL, BY_PRIORITY = (
    "shutdownGracePeriod",
    "shutdownGracePeriodCriticalPods",
    "shutdownGracePeriodByPodPriority",
)
SHUTDOWN_GATE, SHUTDOWN_SINCE = "GracefulNodeShutdown", (1, 21)
# The kubelet's own limits of disk use, in percent (pkg/kubelet/apis/config/v1beta1/defaults.go).
HIGH, LOW, MINIMUM, MAXIMUM = (
    "imageGCHighThresholdPercent",
    "imageGCLowThresholdPercent",
    "imageMinimumGCAge",
    "imageMaximumGCAge",
)
PERCENT = {HIGH: 85, LOW: 80}
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
CONTAINERD, CRI = "container_runtime_containerd_config", "io.containerd.grpc.v1.cri"
OF_2 = {CRI: "server", "io.containerd.cri.v1.images": "images", "io.containerd.cri.v1.runtime": "runtime"}


@lru_cache(maxsize=1)
def containerd() -> FieldList:
    """The fields of containerd."""
    return FieldList(FOLDER / "_host" / "containerd_fields.yml", "containerd")


def component_settings(host: HostInput, _inputs: Inputs) -> Iterator[Fault]:
    """Settings of the kubelet, kube-proxy, audit and authentication that this version lacks, or of another type."""
    known = component_fields()
    minor = version_tuple(host.text("kubernetes_version"))
    for variable, kind in KINDS.items():
        value = host.values.get(variable)
        if isinstance(value, Mapping) and minor != (0, 0):
            content = {name: inner for name, inner in value.items() if name not in ("apiVersion", "kind")}
            # Of a newer version than those that are listed, fields may be missing here.
            severity = ERROR if minor <= known.newest else WARNING
            for found in known.unknown(kind, content, minor):
                yield host.fault("unknown-field", f"{variable}.{found.place} {found.why}", severity)
            for wrong in known.wrong_types(kind, content):
                yield host.fault("value-invalid", f"{variable}.{wrong.place} {wrong.why}")


def image_garbage(host: HostInput, _inputs: Inputs) -> Iterator[Fault]:
    """When the kubelet removes images that nothing uses: limits with which it would not start, or never remove any."""
    value = host.values.get(KUBELET)
    given = value if isinstance(value, Mapping) else {}
    for text in [*_wrong_limits(given), *_wrong_ages(given)]:
        yield host.fault("value-invalid", f"{KUBELET}.{text}")


def _wrong_limits(given: Mapping[str, Any]) -> Iterator[str]:
    numbers = {**PERCENT, **{name: given[name] for name in PERCENT if name in given}}
    if any(isinstance(found, bool) or not isinstance(found, int) for found in numbers.values()):
        return  # that is told as such
    wrong = {name: found for name, found in numbers.items() if not 0 <= found <= 100}
    for name, found in wrong.items():
        yield f"{name} {found!r} is no percentage; give a number from 0 to 100"
    if not wrong and numbers[LOW] >= numbers[HIGH]:
        yield f"{LOW} is {numbers[LOW]}, and must be less than {HIGH}, which is {numbers[HIGH]}"


def _wrong_ages(given: Mapping[str, Any]) -> Iterator[str]:
    ages = {MINIMUM: "2m", MAXIMUM: "0s", **{name: given[name] for name in (MINIMUM, MAXIMUM) if name in given}}
    if _are_times(ages) and 0 < seconds(ages[MAXIMUM]) <= seconds(ages[MINIMUM]):
        yield f"{MAXIMUM} is {ages[MAXIMUM]}, and must be more than {MINIMUM}, which is {ages[MINIMUM]}"


def _are_times(values: Mapping[str, Any]) -> bool:
    """Whether they can be compared; one that is no time is told as such."""
    return all(isinstance(value, str) and DURATION.fullmatch(value) for value in values.values())


def seconds(duration: str) -> float:
    """How long a time in the form of Go is."""
    return sum(float(number) * SECONDS[unit] for number, unit in re.findall(r"([\d.]+)(ns|us|ms|[smh])", duration))


def graceful_shutdown(host: HostInput, _inputs: Inputs) -> Iterator[Fault]:
    """How long a shutdown waits for pods: what the kubelet would not start with, of both variables together."""
    found: dict[str, Any] = {}
    place: dict[str, str] = {PERIOD: f"{SHUTDOWN}.{PERIOD}"}
    for variable in (SHUTDOWN, KUBELET):
        value = host.values.get(variable)
        own = value if isinstance(value, Mapping) else {}
        for name in (PERIOD, CRITICAL, BY_PRIORITY):
            if own.get(name) is not None:
                found[name], place[name] = own[name], f"{variable}.{name}"
    periods = {name: found.get(name, "0s") for name in (PERIOD, CRITICAL)}
    if not _are_times(periods):
        return
    texts = list(_wrong_periods(periods, place))
    if not texts and seconds(periods[PERIOD]):
        texts = list(_shutdown_clashes(host, found, place))
    for text in texts:
        yield host.fault("value-invalid", text)


def _wrong_periods(periods: Mapping[str, Any], place: Mapping[str, str]) -> Iterator[str]:
    for name, period in periods.items():
        if 0 < seconds(period) < 1:
            yield f"{place[name]} is {period}; give it a second or more, or 0s for none"
    if seconds(periods[CRITICAL]) > seconds(periods[PERIOD]):
        yield (
            f"{place[CRITICAL]} is {periods[CRITICAL]}, and must not be more than {place[PERIOD]}, which is "
            f"{periods[PERIOD]} and contains it; set both, or {SHUTDOWN}: {{}} for none"
        )


def _shutdown_clashes(host: HostInput, found: Mapping[str, Any], place: Mapping[str, str]) -> Iterator[str]:
    own = host.values.get(KUBELET)
    gates = own.get("featureGates") if isinstance(own, Mapping) else None
    gate = gates.get(SHUTDOWN_GATE) if isinstance(gates, Mapping) else None
    version = host.text("kubernetes_version")
    if gate is None and (0, 0) < version_tuple(version) < SHUTDOWN_SINCE:
        yield f"{place[PERIOD]} needs Kubernetes 1.21 or newer, not {version}; set it to 0s, or leave it out"
    elif str(gate).lower() == "false":
        yield (
            f"{place[PERIOD]} is set, and {KUBELET}.featureGates turns {SHUTDOWN_GATE} off, so the kubelet would not "
            f"start; leave the gate out, or set {SHUTDOWN}: {{}}"
        )
    if found.get(BY_PRIORITY):
        yield (
            f"{place[BY_PRIORITY]} and {place[PERIOD]} are both set, and the kubelet takes one of them; for the first, "
            f"set {SHUTDOWN}: {{}}"
        )


def containerd_fields(host: HostInput, _inputs: Inputs) -> Iterator[Fault]:
    """Settings of containerd that this version does not have."""
    value = host.values.get(CONTAINERD)
    if not isinstance(value, Mapping) or host.text("kubernetes_container_runtime") != "containerd":
        return
    # What a distribution's package brings is not known here.
    by_version = host.text("container_runtime_install_method") == "archive"
    minor = version_tuple(host.text("container_runtime_containerd_version")) if by_version else (0, 0)
    severity = ERROR if minor <= containerd().newest else WARNING
    for found in _containerd(value, minor):
        yield host.fault("unknown-field", f"{CONTAINERD}.{found.place} {found.why}", severity)


def _containerd(value: Mapping[str, Any], minor: tuple[int, int]) -> Iterator[UnknownField]:
    known = minor if minor != (0, 0) else None
    yield from containerd().unknown("containerd", value, known)
    plugins = value.get("plugins")
    for name, settings in plugins.items() if isinstance(plugins, Mapping) else []:
        place = f"plugins.{name}"
        if known and known < (2, 0) and name in OF_2 and name != CRI:
            yield UnknownField(place, f"is not supported before containerd 2.0; did you mean {CRI}?")
            continue
        if name not in OF_2 or (not known and name == CRI):  # of a package's version, which may be either
            continue
        section = "cri" if known and known < (2, 0) else OF_2[name]
        for found in containerd().unknown(section, settings, known):
            why = found.why
            if section == "server" and f"cri.{found.place}" in containerd().since:
                why = (
                    "is not supported from containerd 2.0 on; it is below io.containerd.cri.v1.images or .runtime there"
                )
            yield UnknownField(f"{place}.{found.place}", why)
