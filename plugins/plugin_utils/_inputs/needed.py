# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run takes from elsewhere, told from the inventory alone: programs, manifests, images.

Preflight, the lock and the judgement of sources all read it here. The roles take the same variables; a test compares.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster import endpoint
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.digests import KUBERNETES, PROGRAMS
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    CONTROL_PLANE,
    ETCD,
    WORKER,
    HostInput,
    Inputs,
    runs_kubelet,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import ReleaseError, release

NODES = (CONTROL_PLANE, WORKER)
OWN_COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
WITH_MANIFEST = ("calico", "canal", "flannel")
# What kubeadm names images by.
OF_IMAGES = ("dns", "etcd", "imageRepository")


@dataclass(frozen=True)
class Download:
    """A program that a host downloads, as far as the variables tell.

    Attributes:
        program: a key of PROGRAMS.
        version: its version; empty where only the role knows it.
        architecture: empty where the host was not asked.
        url: empty where that is not known either.
        checksum: what the variables say of it: digits, a checksum file's URL, or nothing.
    """

    program: str
    version: str
    architecture: str
    url: str
    checksum: Any


def installed(host: HostInput, inputs: Inputs) -> Iterator[str]:
    """The programs that a host of the cluster downloads."""
    roles = inputs.roles_of(host.name)
    if {CONTROL_PLANE, ETCD} & set(roles):
        yield "etcd"
    if not roles or not runs_kubelet(roles):
        return
    if host.text("kubernetes_install_method") == "binary":
        yield from (program for program, variables in PROGRAMS.items() if variables is KUBERNETES)
        yield "crictl"
        if host.values.get(PROGRAMS["cni-plugins"].url) != "":  # else they are not wanted
            yield "cni-plugins"
    runtime = host.text("kubernetes_container_runtime")
    if runtime == "containerd" and host.text("container_runtime_install_method") == "archive":
        yield from ("containerd", "runc")
    elif runtime == "docker" and host.text("container_runtime_cri_dockerd_checksum"):  # else that is an error itself
        yield "cri-dockerd"


def kubernetes_url(base: str, version: str, architecture: str, program: str) -> str:
    """Where a program of Kubernetes is below a base URL."""
    return f"{base}/release/v{version}/bin/linux/{architecture}/{program}"


def downloads(host: HostInput, inputs: Inputs) -> Iterator[Download]:
    """The programs that a host of the cluster downloads, with what is known of each."""
    architecture = host.text("kubernetes_architecture")
    for program in installed(host, inputs):
        variables = PROGRAMS[program]
        version, url, checksum = (
            host.text(variables.version),
            host.text(variables.url),
            host.values.get(variables.checksum),
        )
        if variables is KUBERNETES:
            complete = version and url and architecture
            url = kubernetes_url(url, version, architecture, program) if complete else ""
            given = checksum.get(program) if isinstance(checksum, Mapping) else None
            checksum = given or (f"{url}.sha256" if url else "")
        yield Download(program, version, architecture, url, checksum)


def roles_with(program: str) -> tuple[str, ...]:
    """The parts of a cluster whose hosts download a program."""
    return (CONTROL_PLANE, ETCD) if program == "etcd" else NODES


def unused_images(host: HostInput, inputs: Inputs) -> list[str]:
    """What kubeadm names although nothing runs it, by base names."""
    unused = [] if boolean(host.values.get("kubernetes_dns_enabled", True), strict=False) else ["coredns"]
    unused += ["kube-proxy"] if host.text("kubernetes_proxy_mode") == "none" else []
    return unused + ([] if inputs.stacked else ["etcd"])


def cluster_configuration(host: HostInput) -> dict[str, Any]:
    """The part of kubeadm's configuration by which it names images."""
    own = host.values.get("control_plane_cluster_configuration")
    own = own if isinstance(own, Mapping) else {}
    return {
        "kind": "ClusterConfiguration",
        "kubernetesVersion": f"v{host.text('kubernetes_version')}",
        "imageRepository": host.text("kubernetes_image_repository"),
        **{name: own[name] for name in OF_IMAGES if own.get(name) and not _external(name, own[name])},
    }


def _external(name: str, value: Any) -> bool:
    return name == "etcd" and isinstance(value, Mapping) and bool(value.get("external"))


def images(host: HostInput, inputs: Inputs) -> dict[str, tuple[str, ...]]:
    """The images that can be named without kubeadm and manifests, each with the parts of the cluster that need it."""
    repository, version = cluster_configuration(host)["imageRepository"], host.text("kubernetes_version")
    named: dict[str, tuple[str, ...]] = {}
    if version and repository:
        named = {f"{repository}/{component}:v{version}": (CONTROL_PLANE,) for component in OWN_COMPONENTS}
        if host.text("kubernetes_proxy_mode") != "none":
            named[f"{repository}/kube-proxy:v{version}"] = NODES
    pause = _pause(version)
    if pause:
        # The runtime's own configuration names it by the repository that all images have.
        named[f"{host.text('kubernetes_image_repository')}/pause:{pause}"] = NODES
    vip = host.text("endpoint_kube_vip_image")
    if inputs.balanced_by == endpoint.KUBE_VIP and vip:
        named[vip] = (CONTROL_PLANE,)
    proof = host.text("verify_image")
    return {**named, proof: NODES} if proof else named


def _pause(version: str) -> str:
    try:
        return str(release(version)["pause_image_tag"])
    except ReleaseError:
        return ""


def roles_of_image(name: str) -> tuple[str, ...]:
    """The parts of a cluster that need an image of kubeadm's, by its base name."""
    return NODES if name in ("kube-proxy", "pause", "coredns") else (CONTROL_PLANE,)


def manifests(host: HostInput) -> list[Mapping[str, Any]]:
    """The manifests that the controller applies: a mapping each with url or path or content or objects."""
    plugin = host.text("cni_plugin")
    if plugin == "manifests":
        given = host.values.get("cni_manifests")
        return [one for one in given if isinstance(one, Mapping)] if isinstance(given, Sequence) else []
    if plugin not in WITH_MANIFEST:
        return []
    path, url = host.text("cni_manifest_path"), host.text("cni_manifest_url")
    return [
        {
            **({"path": path} if path else {"url": url}),
            "checksum": host.text("cni_manifest_checksum"),
            "pod_cidr": host.text("kubernetes_pod_cidr"),
            "patches": host.values.get("cni_patches") or [],
        }
    ]
