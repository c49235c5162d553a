"""Fills plugins/plugin_utils/_host/digests.yml with the digests that upstream publishes beside its releases.

.venv/bin/python tests/digests.py [PROGRAM=VERSION ...]: the programs of digests.yml, or kubernetes for three of them.
Without any, all programs in every version that the roles choose for some minor version of Kubernetes.
A digest that is known and differs is never replaced.
"""

from __future__ import annotations

import argparse
import posixpath
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / ".build" / "collections"))

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.artifacts import (  # noqa: E402
    file_digest,
    find_digest,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.download import (  # noqa: E402
    Downloader,
    DownloadError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.unpacking import ArtifactError  # noqa: E402
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import digests  # noqa: E402
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import argument_specs  # noqa: E402
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm import releases  # noqa: E402

KUBERNETES = [program for program, variables in digests.PROGRAMS.items() if variables is digests.KUBERNETES]
KUBERNETES_URL = (
    "{{ kubernetes_download_url }}/release/v{{ kubernetes_version }}/bin/linux/{{ kubernetes_architecture }}"
)


class DigestsError(Exception):
    """Why nothing is written."""


@dataclass(frozen=True)
class Release:
    """A file that upstream publishes."""

    program: str
    version: str
    architecture: str
    url: str
    checksum: str


def _defaults() -> dict[str, Any]:
    specs = argument_specs.load_specs(ROOT / "roles")
    return {name: option.get("default") for options in specs.values() for name, option in options.items()}


@dataclass
class Upstream:
    """Where upstream publishes what, as the roles' own defaults say it, and how it is fetched.

    Attributes:
        server: a server that has https://HOST/PATH at /HOST/PATH; empty for upstream itself.
    """

    server: str = ""
    defaults: Mapping[str, Any] = field(default_factory=_defaults)
    downloader: Downloader = field(init=False)

    def __post_init__(self) -> None:
        """Ask over http only where the given server is one of that kind."""
        self.downloader = Downloader(allow_http=self.server.startswith("http:"))

    def releases(self, versions: Iterable[tuple[str, str]]) -> Iterator[Release]:
        """The files of programs, each with a version, for each architecture."""
        for program, version in versions:
            for architecture in digests.ARCHITECTURES:
                yield self.release(program, version, architecture)

    def release(self, program: str, version: str, architecture: str) -> Release:
        """One of them."""
        names = digests.PROGRAMS[program]
        variables = {**self.defaults, names.version: version, "kubernetes_architecture": architecture}
        url = f"{KUBERNETES_URL}/{program}" if program in KUBERNETES else str(variables[names.url])
        url = _expand(url, variables)
        checksum = f"{url}.sha256"
        if program not in KUBERNETES:
            checksum = _expand(str(variables[names.checksum]), {**variables, names.url: url})
        return Release(program, version, architecture, url, checksum)

    def digest(self, release: Release) -> str:
        """A release's SHA-256: what upstream says, or that of the file itself where upstream says nothing."""
        try:
            if release.checksum:
                text = self.downloader.text(self._at(release.checksum))
                found = find_digest(text, posixpath.basename(urlsplit(release.url).path))
                if found.algorithm != "sha256":
                    raise DigestsError(f"{release.checksum} has no SHA-256")
                return found.value
            with tempfile.TemporaryDirectory() as folder:
                path = f"{folder}/download"
                self.downloader.file(self._at(release.url), path)
                return file_digest(path)
        except (DownloadError, ArtifactError) as error:
            raise DigestsError(f"{release.program} {release.version} ({release.architecture}): {error}") from None

    def _at(self, url: str) -> str:
        return f"{self.server.rstrip('/')}/{url.removeprefix('https://')}" if self.server else url


def _expand(text: str, variables: Mapping[str, Any]) -> str:
    """A default with all that it refers to, at any depth."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 (no markup)
    environment.filters["dirname"] = posixpath.dirname
    environment.filters["groundwork.kubernetes.kubernetes_release"] = releases.release
    while "{{" in text:
        text = environment.from_string(text).render(variables)
    return text


def wanted(arguments: list[str], defaults: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Programs and versions, of PROGRAM=VERSION; those that the roles choose for any minor where nothing is given.

    Raises:
        DigestsError: for what is something else.
    """
    if not arguments:
        chosen = (
            (program, _expand(str(defaults[names.version]), {**defaults, "kubernetes_version": minor}))
            for program, names in digests.PROGRAMS.items()
            for minor in releases.minors()
        )
        return list(dict.fromkeys(chosen))
    found = []
    for argument in arguments:
        name, _equals, version = argument.partition("=")
        programs = KUBERNETES if name == "kubernetes" else [name]
        if not version or not digests.PROGRAMS.keys() >= set(programs):
            names = ", ".join(["kubernetes", *digests.PROGRAMS])
            raise DigestsError(f"{argument} is not PROGRAM=VERSION with a program of {names}")
        found += [(program, version.removeprefix("v")) for program in programs]
    return found


def fetch(upstream: Upstream, versions: Iterable[tuple[str, str]]) -> list[tuple[Release, str]]:
    """The digest of each release.

    Raises:
        DigestsError: naming every one that cannot be had.
    """
    releases = list(upstream.releases(versions))

    def attempt(release: Release) -> tuple[str, str]:
        try:
            return upstream.digest(release), ""
        except DigestsError as error:
            return "", str(error)

    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = list(pool.map(attempt, releases))
    faults = [fault for _digest, fault in answers if fault]
    if faults:
        raise DigestsError("\n".join(faults))
    return [(release, digest) for release, (digest, _fault) in zip(releases, answers, strict=True)]


def merge(data: dict[str, Any], found: list[tuple[Release, str]]) -> list[Release]:
    """Add digests to the data; returns those that are new.

    Raises:
        DigestsError: where one is known and differs.
    """
    added, faults = [], []
    for release, digest in found:
        known = data.setdefault(release.program, {}).setdefault(release.version, {})
        if release.architecture not in known:
            known[release.architecture] = digest
            added.append(release)
        elif known[release.architecture] != digest:
            faults.append(
                f"{release.program} {release.version} ({release.architecture}): {release.checksum or release.url} says "
                f"{digest}, but {known[release.architecture]} is known; a release never changes: find out who did"
            )
    if faults:
        raise DigestsError("\n".join(faults))
    return added


def dump(data: Mapping[str, Any], before: str) -> str:
    """The data file, with the comments at its head."""
    head = [line for line in before.splitlines() if line.startswith(("---", "#"))]

    def order(version: str) -> list[Any]:
        return [int(part) if part.isdigit() else -1 for part in version.replace("-", ".").split(".")]

    ordered = {
        program: {version: data[program][version] for version in sorted(data[program], key=order)}
        for program in sorted(data)
    }
    return "\n".join(head) + "\n" + yaml.safe_dump(ordered, sort_keys=False)


def main(arguments: list[str] | None = None) -> None:
    """Fetch and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="*", metavar="PROGRAM=VERSION")
    parser.add_argument("--server", default="", help="a mirror that has https://HOST/PATH at its own /HOST/PATH")
    parser.add_argument("--file", type=Path, default=digests.DATA, help="the file to fill (%(default)s)")
    options = parser.parse_args(arguments)
    upstream = Upstream(options.server)
    before = options.file.read_text(encoding="utf-8")
    data = yaml.safe_load(before) or {}
    try:
        added = merge(data, fetch(upstream, wanted(options.versions, upstream.defaults)))
    except DigestsError as error:
        sys.exit(f"nothing is written:\n{error}")
    options.file.write_text(dump(data, before), encoding="utf-8")
    for release in added:
        print(
            release.program, release.version, release.architecture, release.checksum or f"{release.url} (read itself)"
        )


if __name__ == "__main__":
    main()
