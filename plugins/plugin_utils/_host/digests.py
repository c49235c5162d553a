# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each program that is downloaded must be: digests of upstream's releases, from digests.yml and from the user."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.common.yaml import yaml_load

DATA = Path(__file__).with_name("digests.yml")
DIGEST = re.compile(r"(?:sha256:)?([0-9A-Fa-f]{64})")
ARCHITECTURES = ("amd64", "arm64")


@dataclass(frozen=True)
class Program:
    """A download: the roles' variables with its version, its URL and its checksum."""

    version: str
    url: str
    checksum: str


KUBERNETES = Program("kubernetes_version", "kubernetes_download_url", "kubernetes_checksums")
PROGRAMS = {
    "kubeadm": KUBERNETES,
    "kubelet": KUBERNETES,
    "kubectl": KUBERNETES,
    **{
        name: Program(f"{prefix}_version", f"{prefix}_url", f"{prefix}_checksum")
        for name, prefix in {
            "crictl": "kubernetes_crictl",
            "containerd": "container_runtime_containerd",
            "runc": "container_runtime_runc",
            "cni-plugins": "container_runtime_cni_plugins",
            "cri-dockerd": "container_runtime_cri_dockerd",
        }.items()
    },
    "etcd": Program("etcd_version", "etcd_archive_url", "etcd_checksum"),
}


@functools.lru_cache(maxsize=1)
def released() -> dict[str, Any]:
    """The digests that this release of the collection knows: by program, version and architecture."""
    with DATA.open(encoding="utf-8") as stream:
        data: dict[str, Any] = yaml_load(stream)
    return data


def find(program: str, version: str, architecture: str, given: Any) -> str:
    """A download's SHA-256 as hexadecimal digits: the user's, else the release's; empty where neither knows it."""
    for digests in (given, released()):
        found: Any = digests
        for key in (program, version, architecture):
            found = found.get(key) if isinstance(found, Mapping) else None
        match = DIGEST.fullmatch(str(found))
        if match:
            return match[1].lower()
    return ""


def is_digest(checksum: Any) -> bool:
    """Whether a checksum is one itself, not the URL of a checksum file."""
    return bool(checksum) and not is_url(checksum)


def is_url(value: Any) -> bool:
    """Whether something lies on a server, instead of being given itself."""
    return "://" in str(value)


def malformed(given: Any) -> Iterator[str]:
    """What is wrong with digests that the user gives."""
    for program, versions in _items(given):
        if program not in PROGRAMS:
            yield f"{program} is none of {', '.join(PROGRAMS)}"
        elif not isinstance(versions, Mapping):
            yield f"{program} must have versions, each with the digests of architectures"
        for version, digests in _items(versions):
            if not isinstance(version, str) or not isinstance(digests, Mapping):
                yield f"{program}.{version} must be a version in quotes, with the digests of architectures"
            for architecture, digest in _items(digests):
                if architecture not in ARCHITECTURES:
                    yield f"{program}.{version}.{architecture}: the architecture must be {' or '.join(ARCHITECTURES)}"
                elif not DIGEST.fullmatch(str(digest)):
                    yield f"{program}.{version}.{architecture} {digest!r} is no SHA-256 of 64 hexadecimal digits"


def _items(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()
