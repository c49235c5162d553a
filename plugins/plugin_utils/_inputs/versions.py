# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges kubernetes_version, and what must fit it: kube-proxy's mode, container runtime, crictl, etcd, other hosts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import WARNING, Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.kubelet_versions import older_minors
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    CONTROL_PLANE,
    ETCD,
    HostInput,
    Inputs,
    runs_kubelet,
    version_tuple,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import ReleaseError, release

VERSION = re.compile(r"\d+\.\d+\.\d+(-(alpha|beta|rc)\.\d+)?")
# Where a minor version changed what fits.
CRI_V1_ALPHA2_ONLY_BEFORE, CRI_V1_ONLY_SINCE = 23, 26
NFTABLES_SINCE, NFTABLES_UNGATED_SINCE = 29, 31
IPVS_DEPRECATED_SINCE = 35


def version(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """kubernetes_version: its form, and whether the collection covers it."""
    value = host.text("kubernetes_version")
    if host.values.get("kubernetes_version") is None:
        return
    if not VERSION.fullmatch(value):
        yield host.fault(
            "version-invalid", f"kubernetes_version {value!r} is no full version; write it like 1.36.5, without v"
        )
        return
    try:
        release(value)
    except ReleaseError as error:
        yield host.fault("version-invalid", f"kubernetes_version: {error}")


def proxy_mode(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Whether kube-proxy of this version has the mode."""
    mode, minor = host.text("kubernetes_proxy_mode"), version_tuple(host.text("kubernetes_version"))[1]
    if mode == "nftables" and minor < NFTABLES_SINCE:
        text = f"kubernetes_proxy_mode nftables needs Kubernetes 1.{NFTABLES_SINCE}; use iptables"
        yield host.fault("proxy-mode-unsupported", text)
    elif mode == "nftables" and minor < NFTABLES_UNGATED_SINCE:
        gates = (host.values.get("kubernetes_proxy_configuration") or {}).get("featureGates")
        if not isinstance(gates, Mapping) or not gates.get("NFTablesProxyMode"):
            text = (
                f"kubernetes_proxy_mode nftables needs a feature gate before Kubernetes 1.{NFTABLES_UNGATED_SINCE}; "
                "use iptables, or set featureGates: {NFTablesProxyMode: true} in kubernetes_proxy_configuration"
            )
            yield host.fault("proxy-mode-unsupported", text)
    elif mode == "ipvs" and minor >= IPVS_DEPRECATED_SINCE:
        text = f"kubernetes_proxy_mode ipvs is deprecated since Kubernetes 1.{IPVS_DEPRECATED_SINCE}; use nftables"
        yield host.fault("proxy-mode-unsupported", text, WARNING)


def runtime(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Whether the kubelet and containerd speak the same version of the CRI."""
    variable = "container_runtime_containerd_version"
    containerd = host.text(variable)
    installed = (host.text("kubernetes_container_runtime"), host.text("container_runtime_install_method"))
    if not containerd or installed != ("containerd", "archive"):
        return
    (major, _minor), minor = version_tuple(containerd), version_tuple(host.text("kubernetes_version"))[1]
    kubernetes = f"Kubernetes {host.text('kubernetes_version')}"
    if major >= 2 and minor < CRI_V1_ALPHA2_ONLY_BEFORE:
        text = (
            f"{variable} {containerd} lacks CRI v1alpha2, the only one that the kubelet of {kubernetes} speaks; use 1.7"
        )
        yield host.fault("runtime-unsupported", text)
        return
    if version_tuple(containerd) < (1, 6) and minor >= CRI_V1_ONLY_SINCE:
        text = f"{variable} {containerd} lacks CRI v1, the only one that the kubelet of {kubernetes} speaks; use 2.x"
        yield host.fault("runtime-unsupported", text)
        return
    lines: list[str] = (_release(host) or {}).get("containerd_recommended", [])
    if not _recommended(containerd, lines):
        text = (
            f"{variable} {containerd} is not among those that containerd recommends for {kubernetes}: from "
            f"{', '.join(lines)} on within their minor versions, or a newer one; leave it unset"
        )
        yield host.fault("runtime-unsupported", text, WARNING)


def _recommended(containerd: str, lines: list[str]) -> bool:
    """Whether a version is one of the minor versions that are listed, or newer than all of them."""
    number = _number(containerd)
    same = [_number(line) for line in lines if version_tuple(line) == version_tuple(containerd)]
    return number >= same[0] if same else all(number > _number(line) for line in lines)


def crictl(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Whether a version of crictl that the user sets is near that of Kubernetes."""
    variable = "kubernetes_crictl_version"
    wanted, found = _release(host), host.text(variable)
    if not wanted or not found or host.text("kubernetes_install_method") != "binary":
        return
    (major, minor), (ours, of_kubernetes) = version_tuple(found), version_tuple(wanted["minor"])
    if runs_kubelet(inputs.roles_of(host.name)) and (major != ours or abs(minor - of_kubernetes) > 1):
        text = (
            f"{variable} {found} is more than one minor version away from Kubernetes {host.text('kubernetes_version')}"
            f"; use {wanted['crictl_version']}, or leave it unset"
        )
        yield host.fault("crictl-skew", text, WARNING)


def etcd(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Whether a version of etcd that the user sets fits: of members, or of the tools on control planes."""
    variable, name = "etcd_version", "etcd-unsupported"
    wanted, found = _release(host), host.text(variable)
    if not wanted or not found or ETCD not in inputs.roles_of(host.name) or not inputs.members(CONTROL_PLANE):
        return
    kubernetes, ours = f"Kubernetes {host.text('kubernetes_version')}", version_tuple(wanted["etcd_version"])
    minor = ".".join(map(str, ours))
    if inputs.stacked:
        if version_tuple(found) != ours and not _own_etcd_image(host):
            text = (
                f"{variable} {found} gives control planes tools of another minor version than the etcd {minor} that "
                f"kubeadm of {kubernetes} runs, and backups and restores need the same; leave it unset"
            )
            yield host.fault(name, text, WARNING)
    elif _number(found) < _number(wanted["etcd_minimum"]):
        text = (
            f"{variable} {found} is older than {wanted['etcd_minimum']}, the oldest that kubeadm of {kubernetes} "
            f"accepts; use {wanted['etcd_version']}"
        )
        yield host.fault(name, text)
    elif version_tuple(found) > ours:
        text = (
            f"{variable} {found} is newer than the etcd {minor} that kubeadm of {kubernetes} brings; "
            f"stay with {minor} where that is what the members run"
        )
        yield host.fault(name, text, WARNING)


def _own_etcd_image(host: HostInput) -> bool:
    """Whether kubeadm runs the etcd that the user chooses."""
    found: Any = host.values.get("control_plane_cluster_configuration")
    for key in ("etcd", "local", "imageTag"):
        found = found.get(key) if isinstance(found, dict) else None
    return bool(found)


def _release(host: HostInput) -> dict[str, Any] | None:
    """What belongs to a host's version; None where that is refused itself."""
    value = host.text("kubernetes_version")
    try:
        return release(value) if VERSION.fullmatch(value) else None
    except ReleaseError:
        return None


def _number(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def skew(inputs: Inputs) -> Iterator[Fault]:
    """Versions of hosts against those of the control planes (https://kubernetes.io/releases/version-skew-policy/)."""
    valid = [host for host in inputs.hosts if VERSION.fullmatch(host.text("kubernetes_version"))]
    played = {host.name for host in inputs.played}
    minors = {host.name: version_tuple(host.text("kubernetes_version"))[1] for host in valid}
    planes = {name: minor for name, minor in minors.items() if name in inputs.members(CONTROL_PLANE)}
    if not planes:
        return
    oldest, newest = min(planes.values()), max(planes.values())
    if newest - oldest > 1:
        text = f"kubernetes_version of control planes ranges from 1.{oldest} to 1.{newest}; they may be one minor apart"
        yield Fault("skew-unsupported", text)
    behind = older_minors(newest)
    for name, minor in minors.items():
        if name in played - planes.keys() and not newest - behind <= minor <= oldest:
            text = (
                f"kubernetes_version 1.{minor} does not fit control planes of 1.{newest}; a node may be at most "
                f"{behind} minors older and never newer"
            )
            yield Fault("skew-unsupported", text, name)
