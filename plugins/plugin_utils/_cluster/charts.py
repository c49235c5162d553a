# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Charts rendered on the controller: where they come from, with which values, and that they are the same each time.

A manifest and objects that are given as data become a release in the same way.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import (
    ManifestError,
    Object,
    Ref,
    check,
    flatten,
)
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


def read_values(
    loader: DataLoader, paths: Sequence[str], values: Mapping[str, Any], base: Mapping[str, Any]
) -> dict[str, Any]:
    """The values of files, decrypted where the vault has encrypted them, over a base, and those given over both.

    Raises:
        ManifestError: if a file is no map in YAML; none of its text is in the message.
    """
    layers: list[Mapping[str, Any]] = [base]
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


GZIP = b"\x1f\x8b"
DIGITS = 12  # of a manifest's checksum, where no version is given


@dataclass(frozen=True)
class Source:
    """What is to be rendered: a chart, a manifest, objects, or one of the first two with objects.

    Attributes:
        name: where it comes from.
        archive: the chart's archive or the manifest; empty for objects alone.
        version: that a chart must have, any if empty, and that a manifest is said to have.
        skip_hooks: events of a chart whose hooks are left out.
        replace: texts of a manifest with those that take their place.
        objects: what comes besides, or is merged over objects that are there already.
    """

    name: str
    archive: bytes
    version: str = ""
    skip_hooks: Sequence[str] = ()
    replace: Mapping[str, str] = field(default_factory=dict)
    objects: Sequence[Object] = ()

    @property
    def is_chart(self) -> bool:
        """Whether Helm renders it: what is packed is taken for a chart."""
        return self.archive.startswith(GZIP)

    def chart(self, release: str) -> Chart:
        """What it says of itself; a manifest and objects are called like their release.

        Raises:
            ManifestError: if it is no chart, or of another version.
        """
        if not self.archive:
            return Chart(release, "objects", (), False)
        if not self.is_chart:
            return Chart(
                release, self.version.removeprefix("v") or hashlib.sha256(self.archive).hexdigest()[:DIGITS], (), False
            )
        chart = read_chart(self.archive, self.name)
        if self.version.removeprefix("v") not in ("", chart.version.removeprefix("v")):
            raise ManifestError(f"{self.name} is version {chart.version} of {chart.name}, not {self.version}")
        return chart

    def manifest(self) -> str:
        """The text of a manifest.

        Raises:
            ManifestError: if it is none, or a text that is to be replaced is not in it.
        """
        text = self.archive.decode("utf-8", "replace")
        absent = [old for old in self.replace if old not in text]
        if absent:
            raise ManifestError(f"{self.name} has no text {', '.join(map(repr, absent))} that could be replaced")
        for old, new in self.replace.items():
            text = text.replace(old, new)
        try:
            manifests.parse(text.encode("utf-8"), self.name)
        except ManifestError as error:
            raise ManifestError(f"{self.name} is neither a chart's archive nor a manifest: {error}") from error
        return text


def _over(objects: Sequence[Object], given: Sequence[Object]) -> list[Object]:
    """Objects with those that are given: one that is there already is merged over, any other one is added."""
    found = {str(Ref.of(item)): item for item in objects}
    for item in given:
        name = str(Ref.of(item))
        found[name] = manifests.merge(found.get(name, {}), item)
    return list(found.values())


def render(program: Callable[[], Helm], source: Source, target: Target) -> tuple[Chart, Rendering]:
    """A chart, or what stands for one, and what it renders, which is the same every time.

    Args:
        program: finds Helm, which is asked for only where a chart is rendered.
        source: what is rendered.
        target: for what.

    Raises:
        HelmError: if Helm is not there or refuses.
        ManifestError: if it is no chart, or what it renders cannot be applied.
    """
    chart, text = render_text(program, source, target)
    own = check(flatten(source.objects)) if source.objects else []
    try:
        found = manifests.parse(text.encode(), f"what {chart} renders") if text else []
        return chart, split(_over(found, own), source.skip_hooks)
    except ManifestError as error:
        raise ManifestError(without_values(str(error), target.values)) from error


def render_text(program: Callable[[], Helm], source: Source, target: Target) -> tuple[Chart, str]:
    """A chart and what Helm prints for it, which says the same every time; or a manifest, and its text.

    Raises:
        HelmError: if Helm is not there or refuses.
        ManifestError: if it is no chart, or is rendered differently each time.
    """
    chart = source.chart(target.name)
    if not source.is_chart:
        if target.values:
            raise ManifestError(f"{source.name} is no chart, and takes no values; use replace, or objects")
        return chart, source.manifest() if source.archive else ""
    if source.replace:
        raise ManifestError(f"{source.name} is a chart: give values, not texts to replace")
    helm = program()
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


VERSION = re.compile(r"-v?(\d+)\.(\d+)\.\d+\S*$")


def skipped_minors(before: str, after: str) -> str:
    """What is wrong with going from a chart's version to another one, if minor versions must come one by one."""
    old, new = VERSION.search(before), VERSION.search(after)
    if not old or not new:
        return ""
    (old_major, old_minor), (major, minor) = ((int(one[1]), int(one[2])) for one in (old, new))
    if (major, minor) < (old_major, old_minor):
        return f"{before} is installed, and it does not go back to {after}"
    if (major, minor) > (old_major, old_minor + 1) and (major, minor) != (old_major + 1, 0):
        text = f"{before} is installed, and it is upgraded by one minor version at a time, not to {after}"
        return f"{text}: try {old_major}.{old_minor + 1} first"
    return ""
