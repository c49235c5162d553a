# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the lock: asks kubeadm, servers and registries what the artifacts are that a run needs."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import posixpath
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.parse import urlsplit

import yaml
from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.parsing.dataloader import DataLoader
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import (
    ManifestError,
    check,
    flatten,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.artifacts import (
    file_digest,
    find_digest,
    parse_digest,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.download import Downloader, DownloadError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.images import base_name
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.unpacking import ArtifactError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster import charts, manifests
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.helm import Helm, HelmError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.apt import Apt, AptError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.digests import find, is_url
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.lock import (
    CHART,
    FILE,
    IMAGE,
    MANIFEST,
    PACKAGE,
    Artifact,
    merged,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.registry import (
    Registries,
    RegistryError,
    accounts,
    mirrors,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import addons, needed
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.charts import sourced
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.configuration import ConfigError, convert
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import ReleaseError

WORKERS = 8
TIMEOUT = 60
MAX_MANIFEST = 32 * 1024**2
MACHINES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
Given = TypeVar("Given")
Found = TypeVar("Found")


class SourceError(Exception):
    """Why something of the lock cannot be told."""


@dataclass
class Sources:
    """Asks for one inventory.

    Attributes:
        inputs: the hosts.
        find_file: gives the path of a manifest on the controller.
        loader: reads files of values, which the vault may have encrypted.
        downloader: asks servers.
        registries: asks registries.
    """

    inputs: Inputs
    find_file: Callable[[str], str]
    loader: DataLoader
    downloader: Downloader = field(init=False)
    registries: Registries = field(init=False)

    def __post_init__(self) -> None:
        """Ask as the hosts would."""
        leader = self.inputs.leader()
        allow_http = bool(boolean(leader.values.get("kubernetes_allow_http") or False, strict=False))
        self.downloader = Downloader(TIMEOUT, allow_http=allow_http)
        given = [host.values.get("container_runtime_registry_mirrors") or [] for host in self.inputs.played]
        named = mirrors(entry for entries in given for entry in entries)
        self.registries = Registries(self.downloader, named, accounts(leader.text("kubernetes_registry_auth_file")))

    def architectures(self) -> list[str]:
        """Those of the hosts.

        Raises:
            SourceError: naming the hosts of which it is not known.
        """
        unknown = [host.name for host in self.inputs.played if not host.text("kubernetes_architecture")]
        if unknown:
            raise SourceError(
                f"the architecture of {', '.join(unknown)} is not known: let the hosts be reached, or set "
                "kubernetes_architecture to amd64 or arm64"
            )
        return sorted({host.text("kubernetes_architecture") for host in self.inputs.played})

    def artifacts(self) -> list[Artifact]:
        """Everything, sorted.

        Raises:
            SourceError: naming all that cannot be told.
        """
        architectures = self.architectures()
        files, faults = _all(lambda item: self._file(*item), self._programs())
        applied, more = _all(self._manifest, needed.manifests(self.inputs.leader()))
        asked, others = _all(self._ask_kubeadm, [self.inputs.leader()])
        images: dict[str, tuple[str, ...]] = {}
        charted = [*needed.charts(self.inputs.leader()), *addons.releases(self.inputs)]
        releases, of_charts = _all(self._chart, charted)
        packages, of_packages = _all(self._packages, architectures)
        for named in [
            *(found for _artifact, found in [*applied, *releases]),
            *map(self._named_images, self.inputs.played),
            *asked,
        ]:
            images.update(named)
        found, missing = _all(lambda item: self._image(*item, architectures), images.items())
        faults += [*more, *others, *of_charts, *of_packages, *missing]
        if faults:
            raise SourceError("\n".join(dict.fromkeys(faults)))
        given = [artifact for artifact, _images in [*applied, *releases] if artifact]
        return merged([*files, *given, *found, *(package for each in packages for package in each)])

    def _programs(self) -> list[tuple[HostInput, needed.Download]]:
        """Each program once, with a host that needs it."""
        wanted: dict[tuple[str, ...], tuple[HostInput, needed.Download]] = {}
        for host in self.inputs.played:
            for one in needed.downloads(host, self.inputs):
                wanted.setdefault((one.program, one.version, one.architecture), (host, one))
        return list(wanted.values())

    def _file(self, host: HostInput, one: needed.Download) -> Artifact:
        if not (one.url and one.version):
            raise SourceError(f"{one.program} {one.version}: its address or version cannot be evaluated")
        given = parse_digest(str(one.checksum)) if one.checksum and not is_url(one.checksum) else None
        known = find(one.program, one.version, one.architecture, host.values.get("kubernetes_digests"))
        sha256, size = "", 0
        try:
            if given and given.algorithm == "sha256":
                sha256, size = given.value, self._size(one.url)
            elif known:
                sha256, size = known, self._size(one.url)
            if not size:
                sha256, size = self._read(one, given or (parse_digest(known) if known else None))
        except (DownloadError, ArtifactError) as error:
            raise SourceError(f"{one.program} {one.version}: {error}") from None
        roles = needed.roles_with(one.program)
        return Artifact(FILE, one.program, one.version, one.architecture, one.url, sha256, size, roles)

    def _size(self, url: str) -> int:
        """What a server says, where it says it without sending all."""
        try:
            with contextlib.closing(self.downloader.open(url, method="HEAD")) as response:
                return int(response.headers.get("Content-Length") or 0)
        except (HTTPError, OSError, ValueError):
            return 0

    def _read(self, one: needed.Download, digest: Any) -> tuple[str, int]:
        """A file's digest and size of its bytes, which must have the checksum that is known or lies beside it."""
        with tempfile.TemporaryDirectory(prefix="groundwork-lock-") as folder:
            path = os.path.join(folder, "download")
            self.downloader.file(one.url, path)
            if digest is None and one.checksum:
                digest = find_digest(
                    self.downloader.text(str(one.checksum)), posixpath.basename(urlsplit(one.url).path)
                )
            if digest and file_digest(path, digest.algorithm) != digest.value:
                raise ArtifactError(f"{one.url} is not the file whose checksum is {digest}")
            return file_digest(path), os.path.getsize(path)

    def _manifest(self, one: Mapping[str, Any]) -> tuple[Artifact | None, dict[str, tuple[str, ...]]]:
        """A manifest, if it comes from an address or a path, and its images."""
        mirrors_of_images = self.inputs.leader().values.get("cni_image_mirrors") or {}
        artifact, place = None, str(one.get("url") or one.get("path") or "")
        try:
            if place:
                data = self._bytes(one)
                if one.get("checksum"):
                    manifests.verify(data, str(one["checksum"]), place)
                digits = manifests.checksum_of(data).partition(":")[2]
                url = place if one.get("url") else ""
                artifact = Artifact(MANIFEST, place, url=url, sha256=digits, size=len(data), roles=needed.NODES)
                objects = manifests.parse(data, place)
            elif one.get("content") is not None:
                objects = manifests.parse(str(one["content"]).encode(), "content")
            else:
                objects = check(flatten(one.get("objects") or []))
            rendered = manifests.render(objects, mirrors_of_images, one.get("pod_cidr"), one.get("patches") or [])
        except (ManifestError, DownloadError, OSError) as error:
            raise SourceError(f"the manifest {place}: {error}") from None
        return artifact, _images_in(rendered)

    def _bytes(self, one: Mapping[str, Any]) -> bytes:
        if one.get("url"):
            return self.downloader.data(str(one["url"]), MAX_MANIFEST)
        return Path(self.find_file(str(one["path"]))).read_bytes()

    def _chart(self, item: Mapping[str, Any]) -> tuple[Artifact | None, dict[str, tuple[str, ...]]]:
        """A chart, or what stands for one and comes from outside the inventory, and the images in what it renders."""
        leader = self.inputs.leader()
        try:
            source, target = sourced(item, self.inputs, self.loader)
            chart, rendering = charts.render(lambda: Helm(leader.text("charts_helm") or "helm"), source, target)
            mirrors_of_images = leader.values.get("charts_image_mirrors") or {}
            objects = manifests.render(rendering.everything, mirrors_of_images, None, [])
        except (HelmError, ManifestError, AnsibleError) as error:
            raise SourceError(f"the chart of {item.get('name')}: {error}") from None
        name = f"{item.get('namespace') or 'default'}/{item['name']}"
        artifact, url, size = None, str(item.get("url") or ""), len(source.archive)
        sha256 = hashlib.sha256(source.archive).hexdigest()
        if source.is_chart:
            artifact = Artifact(CHART, name, chart.version, "", url, sha256, size, needed.NODES)
        elif size:
            artifact = Artifact(MANIFEST, source.name, url=url, sha256=sha256, size=size, roles=needed.NODES)
        return artifact, _images_in(objects)

    def _packages(self, architecture: str) -> list[Artifact]:
        """The packages of the hosts with one architecture, each with all that it depends on."""
        leader = self.inputs.leader()
        sources = leader.values.get("kubernetes_lock_apt_sources") or []
        if not sources:
            return []
        requests: dict[str, set[str]] = {}
        for host in self.inputs.played:
            if host.text("kubernetes_architecture") == architecture:
                for request in needed.debian_packages(host, self.inputs):
                    requests.setdefault(request, set()).update(self.inputs.roles_of(host.name))
        if self.inputs.groups.get(leader.text("mirror_group") or "kube_mirror"):
            for request in needed.MIRROR_PACKAGES:
                requests.setdefault(request, set()).add("mirror")
        with tempfile.TemporaryDirectory(prefix="groundwork-lock-") as folder:
            apt = Apt(sources, architecture, Path(folder))
            try:
                apt.update()
                found = [
                    Artifact(PACKAGE, one.name, one.version, one.architecture, one.url, one.sha256, one.size, roles)
                    for name, version in apt.exact(list(requests))
                    for roles in [_roles_of(name, requests)]
                    for one in apt.closure(name, version)
                ]
            except (AptError, ValueError, subprocess.TimeoutExpired) as error:
                raise SourceError(f"kubernetes_lock_apt_sources: {error}") from None
        return merged(found)

    def _named_images(self, host: HostInput) -> dict[str, tuple[str, ...]]:
        return needed.locked_images(host, self.inputs) if self.inputs.roles_of(host.name) else {}

    def _ask_kubeadm(self, leader: HostInput) -> dict[str, tuple[str, ...]]:
        """The images that kubeadm names for its version; the program runs on the controller, with nothing of it."""
        architecture = MACHINES.get(platform.machine(), "")
        if platform.system() != "Linux" or not architecture:
            raise SourceError(
                "only kubeadm knows which images it needs, and it runs on Linux: run the playbook lock there"
            )
        version = leader.text("kubernetes_version")
        base = leader.text("kubernetes_download_url")
        url = needed.kubernetes_url(base, version, architecture, "kubeadm")
        checksums = leader.values.get("kubernetes_checksums")
        checksum = checksums.get("kubeadm") if isinstance(checksums, Mapping) else None
        known = find("kubeadm", version, architecture, leader.values.get("kubernetes_digests"))
        try:
            text = yaml.safe_dump_all(convert([needed.cluster_configuration(leader)], version))
            with tempfile.TemporaryDirectory(prefix="groundwork-lock-") as folder:
                program, config = os.path.join(folder, "kubeadm"), os.path.join(folder, "config.yaml")
                self.downloader.file(url, program)
                digest = parse_digest(known) if known else None
                if digest is None:
                    stated = str(checksum or f"{url}.sha256")
                    digest = parse_digest(stated) or find_digest(self.downloader.text(stated), "kubeadm")
                if file_digest(program, digest.algorithm) != digest.value:
                    raise SourceError(f"{url} is not the file whose checksum is {digest}, so it was not run")
                os.chmod(program, 0o700)
                Path(config).write_text(text, encoding="utf-8")
                command = [program, "config", "images", "list", f"--config={config}"]
                environment = {"HOME": folder, "PATH": os.defpath}
                done = subprocess.run(
                    command, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
                )
        except (ConfigError, ReleaseError, DownloadError, ArtifactError, subprocess.TimeoutExpired) as error:
            raise SourceError(f"kubeadm {version} cannot be asked for its images: {error}") from None
        if done.returncode:
            raise SourceError(f"kubeadm {version} does not name its images: {done.stderr.strip()}")
        unused = needed.unused_images(leader, self.inputs)
        used = (image for image in done.stdout.split() if base_name(image) not in unused)
        return {image: needed.roles_of_image(base_name(image)) for image in used}

    def _image(self, name: str, roles: tuple[str, ...], architectures: Sequence[str]) -> Artifact:
        try:
            image = self.registries.image(name, architectures)
        except RegistryError as error:
            raise SourceError(str(error)) from None
        return Artifact(IMAGE, name, sha256=image.digest.partition(":")[2], size=image.size, roles=roles)


def _images_in(objects: list[dict[str, Any]]) -> dict[str, tuple[str, ...]]:
    """The images that pods have, with who needs them; texts of the inventory are made plain ones."""
    return dict.fromkeys((str(one["image"]) for one in manifests.containers(objects)), needed.NODES)


def _roles_of(name: str, requests: Mapping[str, set[str]]) -> tuple[str, ...]:
    """The parts of a cluster that ask for a package, in whichever version."""
    asking = [roles for request, roles in requests.items() if request.partition("=")[0] == name]
    return tuple(sorted(set().union(*asking)))


def _all(work: Callable[[Given], Found], items: Iterable[Given]) -> tuple[list[Found], list[str]]:
    """What comes of each item, done in parallel, and why some give nothing."""

    def attempt(item: Given) -> tuple[list[Found], str]:
        try:
            return [work(item)], ""
        except SourceError as error:
            return [], str(error)

    with ThreadPoolExecutor(WORKERS) as pool:
        answers = list(pool.map(attempt, items))
    return [found[0] for found, fault in answers if not fault], [fault for _found, fault in answers if fault]
