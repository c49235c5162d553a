# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container images: their full names, and which of them a host lacks."""

from __future__ import annotations

import json
import re
from typing import Dict, Iterable, List, Mapping, Set, Tuple

DEFAULT_REGISTRY = "docker.io"
OTHER_NAME = "index.docker.io"  # of the same registry
# What else follows in a tag is the packaging's: etcd:3.5.21-0, kube-apiserver:v1.36.2-hardened.1.
VERSION_TAG = re.compile(r"^v?(\d+\.\d+\.\d+(?:-(?:alpha|beta|rc)\.\d+)?)(?![.\d])")


class ImageError(Exception):
    """Images could not be listed or pulled; the message says which and why."""


def of_registry(name: str) -> str:
    """A name that begins with a registry, with the one name of Docker's registry, which has two."""
    registry, slash, path = name.partition("/")
    return f"{DEFAULT_REGISTRY if registry == OTHER_NAME else registry}{slash}{path}"


def with_registry(image: str) -> str:
    """An image's name with its registry, as Docker and the CRI's tools complete it: nginx is docker.io/library/nginx.

    The part before the first slash is a registry if it has a dot, a port or a capital letter, or is localhost.
    """
    first, slash, _rest = image.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        image = f"{DEFAULT_REGISTRY}/{image}"
    registry, _slash, path = of_registry(image).partition("/")
    return f"{registry}/library/{path}" if registry == DEFAULT_REGISTRY and "/" not in path else f"{registry}/{path}"


def full_name(image: str) -> str:
    """An image's name with its registry and tag, as runtimes keep it: nginx is docker.io/library/nginx:latest.

    With a digest it has no tag: what a digest names does not depend on it.
    """
    name, at, digest = with_registry(image).partition("@")
    folder, slash, last = name.rpartition("/")
    last, _colon, tag = last.partition(":")
    return f"{folder}{slash}{last}{at}{digest}" if at else f"{folder}{slash}{last}:{tag or 'latest'}"


def base_name(image: str) -> str:
    """An image's name without registry, path, tag and digest: coredns of registry.k8s.io/coredns/coredns:v1.14.2."""
    return re.split("[:@]", image.rpartition("/")[2], maxsplit=1)[0]


def image_version(image: str) -> str:
    """The version in an image's tag: 1.36.2 of registry.k8s.io/kube-apiserver:v1.36.2; empty where there is none."""
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    found = VERSION_TAG.match(tag)
    return found[1] if found else ""


def present_images(listing: str) -> Set[str]:
    """All names, by tag and by digest, in the output of C(crictl images --output=json).

    Raises:
        ImageError: if it is no such output.
    """
    try:
        images = json.loads(listing)["images"] or []
        return {name for image in images for key in ("repoTags", "repoDigests") for name in image.get(key) or []}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ImageError(f"crictl's list of images cannot be read: {error}") from error


def docker_listing(text: str) -> str:
    """Docker's list of images, a JSON object on each line, in the form of C(crictl images --output=json).

    Raises:
        ImageError: if it is no such list.
    """
    images = []
    try:
        for line in text.splitlines():
            found = json.loads(line)
            name, tag, digest = (found[key] for key in ("Repository", "Tag", "Digest"))
            images.append(
                {
                    "repoTags": [] if "<none>" in (name, tag) else [f"{name}:{tag}"],
                    "repoDigests": [] if "<none>" in (name, digest) else [f"{name}@{digest}"],
                }
            )
    except (ValueError, KeyError, TypeError) as error:
        raise ImageError(f"Docker's list of images cannot be read: {error}") from error
    return json.dumps({"images": images})


def missing_images(wanted: Iterable[str], present: Set[str]) -> List[str]:
    """The wanted images that are not present, in the order given, each once.

    Docker leaves its own registry out of the names that it lists.
    """
    known = {full_name(image) for image in present}
    return [image for image in dict.fromkeys(wanted) if full_name(image) not in known]


def unlocked_images(wanted: Iterable[str], digests: Mapping[str, str]) -> List[str]:
    """The wanted images of which no digest is given."""
    known = {full_name(image) for image in digests}
    return [image for image in dict.fromkeys(wanted) if full_name(image) not in known]


def proven_images(wanted: Iterable[str], digests: Mapping[str, str], listing: str) -> Tuple[Set[str], Dict[str, str]]:
    """Those of the wanted images that are what their digests say, and the digests of those that are something else.

    Args:
        wanted: images, each with a digest.
        digests: by image.
        listing: the output of C(crictl images --output=json).

    Raises:
        ImageError: if it is no such output.
    """
    by_name = {full_name(image): digest for image, digest in digests.items()}
    held: Dict[str, Set[str]] = {}
    try:
        for image in json.loads(listing)["images"] or []:
            found = {full_name(name).partition("@")[2] for name in image.get("repoDigests") or []}
            for tag in image.get("repoTags") or []:
                held.setdefault(full_name(tag), set()).update(found)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ImageError(f"crictl's list of images cannot be read: {error}") from error
    proven: Set[str] = set()
    others: Dict[str, str] = {}
    for image in wanted:
        name = full_name(image)
        if by_name[name] in held.get(name, set()):
            proven.add(image)
        elif name in held:
            others[image] = ", ".join(sorted(held[name])) or "no digest"
    return proven, others
