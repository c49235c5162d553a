# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Charts rendered on the controller: where they come from, with which values, and that they are the same each time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import ManifestError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.download import Downloader, DownloadError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster import manifests
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.chart_archive import (
    MAX_ARCHIVE,
    Chart,
    read_chart,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.chart_objects import (
    Rendering,
    differing,
    split,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.helm import (
    Helm,
    Target,
    merged,
    plain_version,
    without_values,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.manifest_yaml import load_all

DOWNLOAD_TIMEOUT = 60
HEAD = re.compile(r"# (\S+) rendered for Kubernetes (v\S+) as (\S+)")


def read_archive(path: str | None, url: str | None, checksum: str | None, allow_http: bool) -> bytes:
    """A chart's archive, which has the checksum that it must have.

    Raises:
        ManifestError: if it cannot be had, or is another one.
    """
    if url:
        try:
            data = Downloader(DOWNLOAD_TIMEOUT, allow_http=allow_http).data(url, MAX_ARCHIVE)
        except DownloadError as error:
            text = f"on the controller: {error}; give a reachable url, or the archive as a file"
            raise ManifestError(text) from error
        if not checksum:
            raise ManifestError(
                f"url needs a checksum; {url} has {manifests.checksum_of(data)}: make sure that it is the right file, "
                "then set checksum"
            )
    elif path and Path(path).is_dir():
        raise ManifestError(f"{path} is a folder; pack it with helm package, and give the archive")
    else:
        data = Path(str(path)).read_bytes()
    if checksum:
        manifests.verify(data, checksum, str(url or path))
    return data


def read_values(loader: DataLoader, paths: Sequence[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of files, decrypted where the vault has encrypted them, and those that are given over them.

    Raises:
        ManifestError: if a file is no map in YAML; none of its text is in the message.
    """
    layers: list[Mapping[str, Any]] = []
    for path in paths:
        data, _open = loader._get_file_contents(path)  # the one way that writes no decrypted file
        try:
            documents, faults = load_all(data.decode("utf-8"))
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            mark = getattr(error, "problem_mark", None)
            place = f" in line {mark.line + 1}" if mark else ""
            raise ManifestError(f"{path} is no YAML{place}") from error
        if faults:
            lines = ", ".join(fault.partition(":")[0] for fault in faults)
            raise ManifestError(f"{path} has values that are not clear in {lines}: quote what is text")
        document = documents[0] if documents else None
        if len(documents) > 1 or not isinstance(document, (dict, type(None))):
            raise ManifestError(f"{path} has no values: it must be one map")
        layers.append(document or {})
    return merged([*layers, values])


@dataclass(frozen=True)
class Source:
    """A chart that is to be rendered.

    Attributes:
        name: where its archive comes from.
        archive: the bytes.
        version: that it must have; any if empty.
        skip_hooks: events whose hooks are left out.
    """

    name: str
    archive: bytes
    version: str = ""
    skip_hooks: Sequence[str] = ()

    def chart(self) -> Chart:
        """What it says of itself.

        Raises:
            ManifestError: if it is no chart, or of another version.
        """
        chart = read_chart(self.archive, self.name)
        if self.version and self.version != chart.version:
            raise ManifestError(f"{self.name} is version {chart.version} of {chart.name}, not {self.version}")
        return chart


def render(helm: Helm, source: Source, target: Target) -> tuple[Chart, Rendering]:
    """A chart and what it renders, which is the same every time.

    Raises:
        HelmError: if Helm refuses.
        ManifestError: if it is no chart, or what it renders cannot be applied.
    """
    chart, text = render_text(helm, source, target)
    try:
        return chart, split(manifests.parse(text.encode(), f"what {chart} renders"), source.skip_hooks)
    except ManifestError as error:
        raise ManifestError(without_values(str(error), target.values)) from error


def render_text(helm: Helm, source: Source, target: Target) -> tuple[Chart, str]:
    """A chart and what Helm prints for it, which says the same every time.

    Raises:
        HelmError: if Helm refuses.
        ManifestError: if it is no chart, or is rendered differently each time.
    """
    chart = source.chart()
    texts = [helm.template(source.archive, target) for _time in range(2)]
    try:
        first, second = (manifests.parse(text.encode(), f"what {chart} renders") for text in texts)
    except ManifestError as error:
        raise ManifestError(without_values(str(error), target.values)) from error
    found = differing(first, second)
    if found:
        raise ManifestError(
            without_values(
                f"{chart} renders {', '.join(found)} differently each time, so each run would change it: a template "
                "makes a certificate, a password or a time; give that by the chart's values",
                target.values,
            )
        )
    return chart, texts[0]


def headed(chart: Chart, target: Target, text: str) -> str:
    """A file with what a chart renders, which says of what it is."""
    version = plain_version(target.kubernetes_version)
    return f"# {chart} rendered for Kubernetes {version} as {target.namespace}/{target.name}\n{text}"


def read_rendered(data: bytes, name: str, target: Target, skip_hooks: Sequence[str] = ()) -> tuple[str, Rendering]:
    """Of such a file the chart's name and version, and what it has.

    Raises:
        ManifestError: if it is none, or is of another release or minor version of Kubernetes.
    """
    head, _line, _rest = data.partition(b"\n")
    match = HEAD.fullmatch(head.decode("utf-8", "replace"))
    if match is None:
        raise ManifestError(
            f"{name} is no rendered chart of the playbook bundle: its first line does not say of what it is"
        )
    chart, version, release = match.groups()
    if release != f"{target.namespace}/{target.name}":
        raise ManifestError(f"{name} is rendered for the release {release}, not {target.namespace}/{target.name}")
    if version.split(".")[:2] != plain_version(target.kubernetes_version).split(".")[:2]:
        raise ManifestError(
            f"{name} is rendered for Kubernetes {version}, not {plain_version(target.kubernetes_version)}; make the "
            "bundle again"
        )
    return chart, split(manifests.parse(data, name), skip_hooks)
