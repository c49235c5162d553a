# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges what belongs together: the network plugin with its manifests and kube-proxy, the runtime with its mirrors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.digests import ARCHITECTURES, find
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.registry_hosts import wrong_connections
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    HostInput,
    Inputs,
    runs_kubelet,
    version_tuple,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.upgrade_faults import DOCKERSHIM_GONE

# Network plugins whose manifests come from their projects.
OF_PROJECTS = ("calico", "canal", "flannel")
# Those that bring no services to pods.
WITHOUT_SERVICES = ("bridge", "canal", "flannel")
REGISTRIES = "container_runtime_registry_mirrors"
# What has a runtime's mirrors where it is not containerd.
MIRRORS = {
    "crio": "CRI-O reads /etc/containers/registries.conf.d, which is yours to write",
    "docker": "set registry-mirrors in container_runtime_docker_config",
}
# What a value that must not be empty is for.
NEEDED = {
    "kubernetes_cluster_name": "kubernetes is usual",
    "kubernetes_dns_domain": "cluster.local is usual",
    "kubernetes_image_repository": "registry.k8s.io is usual",
    "kubernetes_service_cidr": "10.96.0.0/12 is usual",
}


def network_plugin(inputs: Inputs) -> Iterator[Fault]:
    """What the network plugin of the cluster needs."""
    leader = inputs.leader()
    plugin = leader.text("cni_plugin")
    by_manifest = plugin in OF_PROJECTS and leader.text("cni_install") != "chart"
    if by_manifest and not leader.text("cni_manifest_path") and not leader.text("cni_manifest_checksum"):
        source = leader.text("cni_manifest_url") or "its manifest"
        text = (
            f"cni_plugin {plugin} needs cni_manifest_checksum, the SHA-256 of {source}; download it, read it, and give "
            "what sha256sum says, as sha256:..., or give the file as cni_manifest_path"
        )
        yield Fault("checksum-missing", text)
    manifests = leader.values.get("cni_manifests")
    if plugin == "manifests" and not manifests:
        yield Fault(
            "value-invalid", "cni_plugin is manifests, but cni_manifests has none; name them there, or use none"
        )
    for at, manifest in enumerate(manifests if plugin == "manifests" and isinstance(manifests, list) else []):
        if isinstance(manifest, Mapping) and manifest.get("url") and not manifest.get("checksum"):
            text = f"cni_manifests[{at}] needs a checksum, the SHA-256 of {manifest['url']}; give it as sha256:..."
            yield Fault("checksum-missing", text)
    if plugin in WITHOUT_SERVICES and leader.text("kubernetes_proxy_mode") == "none":
        text = (
            f"kubernetes_proxy_mode is none, but cni_plugin {plugin} has nothing that brings services to pods; use "
            "iptables or nftables, or cni_plugin cilium, or none where something else connects the pods"
        )
        yield Fault("proxy-missing", text)


def runtime_sources(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Mirrors that the runtime does not read, and the program that has no published checksum."""
    roles, runtime = inputs.roles_of(host.name), host.text("kubernetes_container_runtime")
    if not runs_kubelet(roles):
        return
    if runtime in MIRRORS and host.values.get(REGISTRIES):
        text = (
            f"{REGISTRIES} are containerd's, and {runtime} would pull images past them; "
            f"{MIRRORS[runtime]}, and take the variable away from this host"
        )
        yield host.fault("variable-unused", text)
    if runs_cri_dockerd(host) and not cri_dockerd_proven(host):
        version = host.text("container_runtime_cri_dockerd_version")
        text = (
            "kubernetes_container_runtime docker needs container_runtime_cri_dockerd_checksum, as cri-dockerd's "
            f"project publishes none; give the SHA-256 of the archive of {version}"
        )
        yield host.fault("checksum-missing", text)


def registry_logins(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Accounts and certificates of registries that cannot be used as they are."""
    if runs_kubelet(inputs.roles_of(host.name)):
        for place, what in wrong_connections(host.values.get(REGISTRIES)):
            yield host.fault("value-invalid", f"{REGISTRIES}{place} {what}")


def runs_cri_dockerd(host: HostInput) -> bool:
    """Whether Docker is the runtime and the kubelet needs a program to speak to it: from Kubernetes 1.24 on."""
    version = version_tuple(host.text("kubernetes_version"))
    return host.text("kubernetes_container_runtime") == "docker" and not (0, 0) < version < DOCKERSHIM_GONE


def cri_dockerd_proven(host: HostInput) -> bool:
    """Whether it is known what cri-dockerd's archive must be."""
    version, given = host.text("container_runtime_cri_dockerd_version"), host.values.get("kubernetes_digests")
    return bool(host.text("container_runtime_cri_dockerd_checksum")) or any(
        find("cri-dockerd", version, architecture, given) for architecture in ARCHITECTURES
    )


def not_empty(host: HostInput, _inputs: Inputs) -> Iterator[Fault]:
    """Texts without which there is no cluster."""
    needed: dict[str, Any] = dict(NEEDED)
    # Where something else gives the nodes their networks, Kubernetes does without.
    if host.text("cni_plugin") not in ("none", "manifests"):
        needed["kubernetes_pod_cidr"] = "10.244.0.0/16 is usual"
    for variable, usual in sorted(needed.items()):
        if host.values.get(variable, usual) is not None and not host.text(variable).strip() and variable in host.values:
            yield host.fault("value-invalid", f"{variable} is empty; {usual}")
