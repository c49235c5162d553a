# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of a layout of OCI, and what of them a registry lacks.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Dict, Iterable, List, Mapping, Tuple
from urllib.error import HTTPError
from urllib.parse import urlsplit

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.registries import Asker, split_name

NAME_OF_IMAGE = "org.opencontainers.image.ref.name"
WORKERS = 8


class LayoutError(Exception):
    """What is wrong with a layout."""


@dataclass(frozen=True)
class LaidImage:
    """An image of a layout.

    Attributes:
        name: with its registry and tag.
        digest: of its index or manifest.
        manifests: the digests of that and of the manifests below it.
        blobs: the digests of configurations and layers.
    """

    name: str
    digest: str
    manifests: Tuple[str, ...]
    blobs: Tuple[str, ...]

    @property
    def repository(self) -> str:
        """Its name in a registry that stands for all others."""
        return split_name(self.name)[0]

    @property
    def tag(self) -> str:
        """Its tag."""
        return split_name(self.name)[1]


def read_layout(folder: str) -> List[LaidImage]:
    """The images of a layout.

    Raises:
        LayoutError: where it is none, or lacks something, or two images would have one name in a registry.
    """
    index = _json(os.path.join(folder, "index.json"))
    images = [_read_image(folder, entry) for entry in index.get("manifests") or []]
    names: Dict[Tuple[str, str], LaidImage] = {}
    clashes = []
    for image in images:
        other = names.setdefault((image.repository, image.tag), image)
        if other.digest != image.digest:
            clashes.append(f"{other.name} and {image.name} would have one name in the registry, and are not the same")
    if clashes:
        raise LayoutError("\n".join(clashes))
    return images


def link_image(layout: str, image: LaidImage, folder: str) -> None:
    """Make a folder that skopeo reads as one image, of links into the layout.

    skopeo reads a layout as such only where all media types are those of OCI; registries still have those of Docker.
    https://github.com/containers/image/blob/main/docs/containers-transports.5.md
    """

    def link(digest: str, name: str) -> None:
        os.symlink(os.path.join(layout, "blobs", *digest.split(":")), os.path.join(folder, name))

    with open(os.path.join(folder, "version"), "w", encoding="utf-8") as file:
        file.write("Directory Transport Version: 1.1\n")
    link(image.digest, "manifest.json")
    for digest in sorted(set(image.manifests) - {image.digest}):
        link(digest, f"{digest.partition(':')[2]}.manifest.json")
    for digest in sorted(set(image.blobs)):
        link(digest, digest.partition(":")[2])


def _read_image(folder: str, entry: Mapping[str, Any]) -> LaidImage:
    name, digest = str((entry.get("annotations") or {}).get(NAME_OF_IMAGE) or ""), str(entry.get("digest"))
    if not name:
        raise LayoutError(f"{folder}: index.json has {digest} without a name")
    top = _blob(folder, digest)
    children = [str(child["digest"]) for child in top.get("manifests") or []]
    blobs: List[str] = []
    for document in [_blob(folder, child) for child in children] or [top]:
        parts = [document.get("config") or {}, *(document.get("layers") or [])]
        blobs += [str(part["digest"]) for part in parts if part]
    return LaidImage(name, digest, (digest, *children), tuple(dict.fromkeys(blobs)))


def _blob(folder: str, digest: str) -> Dict[str, Any]:
    return _json(os.path.join(folder, "blobs", *digest.split(":")))


def _json(path: str) -> Dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as stream:
            document = json.load(stream)
    except FileNotFoundError:
        raise LayoutError(
            f"{path} is missing; a registry takes whole images only: make the bundle with bundle_whole_images"
        ) from None
    except ValueError:
        raise LayoutError(f"{path} is no JSON") from None
    if not isinstance(document, dict):
        raise LayoutError(f"{path} is no JSON object")
    return document


def base(registry: str) -> Tuple[str, str]:
    """Of a registry's URL the one below which its API has repositories, and how skopeo names that place."""
    parts = urlsplit(registry.rstrip("/"))
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise LayoutError(f"registry {registry!r} is no URL, such as https://registry.example.com")
    return f"{parts.scheme}://{parts.netloc}/v2{parts.path}", f"{parts.netloc}{parts.path}"


class Target:
    """A registry that is to have the images.

    Args:
        server: what Asker takes, with the URL that base gives.
        timeout: of each request, in seconds.
    """

    def __init__(self, server: Mapping[str, Any], timeout: float) -> None:
        self.url = str(server["url"])
        # It is asked from beside it: a proxy would tell of something else.
        self.asker = Asker(server, {}, timeout)

    def faults(self, images: Iterable[LaidImage]) -> Dict[str, List[str]]:
        """What the registry lacks of each image, by the images' names; those of which it has all are left out."""
        each = list(images)
        with ThreadPoolExecutor(WORKERS) as pool:
            found = list(pool.map(self._lacks, each))
        return {image.name: lacks for image, lacks in zip(each, found) if lacks}

    def _lacks(self, image: LaidImage) -> List[str]:
        place = f"{self.url}/{image.repository}"
        found = []
        for reference, digest in [(image.tag, image.digest), *((digest, digest) for digest in image.manifests)]:
            reason = self._wrong(f"{place}/manifests/{reference}", digest)
            if reason:
                found.append(f"{reference}: {reason}")
                if reference == image.tag:
                    return found  # the rest follows from it
        for digest in image.blobs:
            reason = self._missing(f"{place}/blobs/{digest}")
            if reason:
                found.append(f"{digest}: {reason}")
        return found

    def _wrong(self, url: str, digest: str) -> str:
        try:
            told = f"sha256:{hashlib.sha256(self.asker.ask(url, 'GET')).hexdigest()}"
        except (OSError, HTTPException, ValueError) as error:
            return _reason(error)
        return "" if told == digest else f"it is {told}, not {digest}"

    def _missing(self, url: str) -> str:
        try:
            self.asker.head(url)
        except (OSError, HTTPException, ValueError) as error:
            return _reason(error)
        return ""


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"HTTP {error.code}"
    return str(getattr(error, "reason", "") or error or type(error).__name__)
