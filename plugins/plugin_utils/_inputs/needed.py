# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run takes from elsewhere, told from the inventory alone: programs, manifests, images.

Preflight and the lock read it here. The roles take the same variables; a test compares their downloads with these.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster import endpoint
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.digests import KUBERNETES, PROGRAMS
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.fitting import runs_cri_dockerd
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.handlers import handler_packages
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    CONTROL_PLANE,
    ETCD,
    LOAD_BALANCER,
    WORKER,
    HostInput,
    Inputs,
    runs_kubelet,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.pod_network import by_chart, plugin_release
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import ReleaseError, release

NODES = (CONTROL_PLANE, WORKER)
OWN_COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
WITH_MANIFEST = ("calico", "canal", "flannel")
# Where containerd's configuration has what knows images, by its version, and what there replaces the sandbox image.
CONFIGURATION = "container_runtime_containerd_config"
SECTIONS = ("io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images")
SANDBOXES = (("sandbox_image",), ("pinned_images", "sandbox"))
# The packages of runtimes on Debian where none are named, and what serves a bundle.
RUNTIME_PACKAGES = {"containerd": ("containerd", "runc"), "crio": ("cri-o",), "docker": ("docker.io",)}
MIRROR_PACKAGES = ("docker-registry", "nginx", "skopeo")
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
    # Without a checksum that is an error itself.
    elif runs_cri_dockerd(host) and host.text("container_runtime_cri_dockerd_checksum"):
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


@functools.cache
def _of_role(role: str) -> Mapping[str, Any]:
    """The internal variables of a role."""
    path = Path(__file__).resolve().parents[3] / "roles" / role / "vars" / "main.yml"
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def debian_packages(host: HostInput, inputs: Inputs) -> Iterator[str]:
    """The packages that a host of the cluster gets where it has apt: names, or name=version."""
    roles, runtime = inputs.roles_of(host.name), host.text("kubernetes_container_runtime")
    known = _of_role("preflight")
    # The role's own default needs facts, and variables of the role.
    given = host.values.get("preflight_packages") if "preflight_packages" in host.names else None
    modes = known["__preflight_proxy_packages"]
    usual = {**known["__preflight_packages"]["Debian"], **modes.get(host.text("kubernetes_proxy_mode"), {})}
    yield from (given if isinstance(given, Mapping) else usual).values()
    if runs_kubelet(roles):
        if host.text("kubernetes_install_method") == "package":
            programs = host.values.get("kubernetes_programs") or []
            yield from (f"{program}={host.text('kubernetes_version')}" for program in programs)
            yield from host.values.get("kubernetes_extra_packages") or []
        if runtime != "containerd" or host.text("container_runtime_install_method") == "package":
            yield from host.values.get("container_runtime_packages") or RUNTIME_PACKAGES[runtime]
        yield from handler_packages(host)
    if {CONTROL_PLANE, ETCD} & set(roles):
        yield "python3-cryptography"
    if inputs.balanced_by == endpoint.LOCAL and runs_kubelet(roles):
        yield "haproxy"
    elif inputs.balanced_by == endpoint.HAPROXY and LOAD_BALANCER in roles:
        yield from ("haproxy", "keepalived")
    if CONTROL_PLANE in roles:
        for variable in ("backup_packages", "user_packages"):
            named = host.values.get(variable)
            yield from named if isinstance(named, Sequence) and not isinstance(named, str) else ()


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


def part(value: Any, *names: str) -> Any:
    """What a mapping of mappings has under these names; None where there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def plugins(values: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The user's own settings of containerd's plugins that know images and registries."""
    found = [part(values.get(CONFIGURATION), "plugins", section) for section in SECTIONS]
    return [plugin for plugin in found if isinstance(plugin, Mapping)]


def images(host: HostInput, inputs: Inputs) -> dict[str, tuple[str, ...]]:
    """The images that site pulls and that can be named without kubeadm and manifests, with the parts that need them."""
    own, repository = host.values.get("control_plane_cluster_configuration"), cluster_configuration(host)
    version = host.text("kubernetes_version")
    named: dict[str, tuple[str, ...]] = {}
    if version:
        named = {f"{repository['imageRepository']}/{name}:v{version}": (CONTROL_PLANE,) for name in OWN_COMPONENTS}
    for name, chosen in (("etcd", part(own, "etcd", "local")), ("coredns", part(own, "dns"))):
        # Only with a tag that somebody chose; with kubeadm's repository CoreDNS has a folder of its own.
        place, tag = part(chosen, "imageRepository"), part(chosen, "imageTag")
        if place and tag and (name != "etcd" or inputs.stacked):
            named[f"{place}/{name}:{tag}"] = (CONTROL_PLANE,)
    if inputs.balanced_by == endpoint.KUBE_VIP:
        named[host.text("endpoint_kube_vip_image")] = (CONTROL_PLANE,)
    if version and host.text("kubernetes_proxy_mode") != "none":
        named[f"{repository['imageRepository']}/kube-proxy:v{version}"] = NODES
    named[_sandbox(host)] = NODES
    named.pop("", None)
    return named


def _sandbox(host: HostInput) -> str:
    """The image of pods' sandboxes."""
    if host.text("kubernetes_container_runtime") == "containerd":
        for plugin in plugins(host.values):
            for path in SANDBOXES:
                if part(plugin, *path):
                    return str(part(plugin, *path))
    try:
        tag = release(host.text("kubernetes_version"))["pause_image_tag"]
    except ReleaseError:
        return ""
    # The runtime's own configuration names it by the repository that all images have.
    return f"{host.text('kubernetes_image_repository')}/pause:{tag}"


def locked_images(host: HostInput, inputs: Inputs) -> dict[str, tuple[str, ...]]:
    """The same for a lock, which has the image of verify as well."""
    proof = host.text("verify_image")
    return {**images(host, inputs), **({proof: NODES} if proof else {})}


def roles_of_image(name: str) -> tuple[str, ...]:
    """The parts of a cluster that need an image of kubeadm's, by its base name."""
    return NODES if name in ("kube-proxy", "pause", "coredns") else (CONTROL_PLANE,)


def manifests(host: HostInput) -> list[Mapping[str, Any]]:
    """The manifests that the controller applies: a mapping each with url or path or content or objects."""
    plugin = host.text("cni_plugin")
    if plugin == "manifests":
        given = host.values.get("cni_manifests")
        return [one for one in given if isinstance(one, Mapping)] if isinstance(given, Sequence) else []
    if by_chart(host):
        crds = host.values.get("cni_calico_crds")
        return [crds] if crds and isinstance(crds, Mapping) else []
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


def charts(host: HostInput) -> list[Mapping[str, Any]]:
    """The releases of charts that the controller renders."""
    given = host.values.get("charts_releases")
    found = [one for one in given if isinstance(one, Mapping)] if isinstance(given, Sequence) else []
    plugin = plugin_release(host)
    found = [plugin, *found] if plugin else found
    return [one for one in found if one.get("state") != "absent" and not one.get("rendered")]
