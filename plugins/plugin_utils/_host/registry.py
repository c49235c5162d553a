# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images in registries, asked by the controller over their HTTP API: what a tag is, and of what an image consists.

It needs the standard library only, so that a Mac and a pipeline without skopeo do as well. Nothing is believed that
does not have the digest by which it was asked for.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from ansible.module_utils.urls import ConnectionError as UrlError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.download import Downloader, DownloadError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.images import DEFAULT_REGISTRY
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.registries import (
    registry_of,
    split_name,
    token_of,
    token_url,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.registry_login import (
    LoginError,
    read_logins,
)

INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
ACCEPT = ", ".join((*INDEXES, *MANIFESTS))
MAX_MANIFEST = 4 * 1024**2
MAX_TOKEN = 1024**2
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
SERVERS = {DEFAULT_REGISTRY: "https://registry-1.docker.io"}
FAULTS = (OSError, HTTPException, UrlError, ValueError, DownloadError)


class RegistryError(Exception):
    """Why an image cannot be had."""


@dataclass(frozen=True)
class Part:
    """A manifest or a blob of an image.

    Attributes:
        digest: sha256: and digits.
        size: in bytes.
        media_type: as the image says.
        manifest: whether it is one, an index too.
    """

    digest: str
    size: int
    media_type: str
    manifest: bool = False


@dataclass(frozen=True)
class Image:
    """What a tag or digest names.

    Attributes:
        name: with registry and tag.
        digest: of the index, or of the manifest where there is no index.
        parts: all that a host of the chosen architectures needs, the named manifest first.
        manifests: the bytes of those that are manifests, by digest.
    """

    name: str
    digest: str
    parts: tuple[Part, ...]
    manifests: Mapping[str, bytes]

    @property
    def size(self) -> int:
        """Bytes of all parts, each once."""
        return sum({part.digest: part.size for part in self.parts}.values())


@dataclass
class Registries:
    """Where images come from.

    Attributes:
        downloader: asks the servers.
        mirrors: base URLs by registry, which are asked first, as the runtime does.
        accounts: user and password by server, encoded as for Basic.
    """

    downloader: Downloader
    mirrors: Mapping[str, Sequence[str]]
    accounts: Mapping[str, str] = field(default_factory=dict, repr=False)
    tokens: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def image(self, name: str, architectures: Sequence[str], digest: str = "") -> Image:
        """An image by its tag, or by a digest that it must have.

        Raises:
            RegistryError: where it cannot be had as it is asked for.
        """
        registry, repository, reference = split(name)
        wanted = digest or reference
        faults = []
        for server in self.servers(registry):
            try:
                return _assemble(name, wanted, architectures, partial(self._manifest, f"{server}/v2/{repository}"))
            except FAULTS as error:  # noqa: PERF203 (each server is another attempt)
                faults.append(f"{server}: {_reason(error)}")
        raise RegistryError(f"{name}{f'@{digest}' if digest else ''} cannot be had: {'; '.join(faults)}")

    def servers(self, registry: str) -> Iterator[str]:
        """Base URLs to ask for a registry's images, in order."""
        own = SERVERS.get(registry, f"https://{registry}")
        yield from dict.fromkeys([*(url.rstrip("/") for url in self.mirrors.get(registry, ())), own])

    def open(self, url: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Any:
        """A server's answer, for whom it asks for."""
        base = re.split("/(?:manifests|blobs)/", url, maxsplit=1)[0]
        for attempt in (1, 2):
            with self.lock:
                known = self.tokens.get(base)
            sent = {**(headers or {}), **({"Authorization": known} if known else {})}
            try:
                return self.downloader.open(url, sent, method)
            except HTTPError as error:
                if error.code != 401 or attempt == 2:
                    raise
                challenge = error.headers.get("WWW-Authenticate") or ""
                error.close()
                known = self._authorization(url, challenge)
                with self.lock:
                    self.tokens[base] = known
        raise AssertionError

    def _authorization(self, url: str, challenge: str) -> str:
        """What a server asks for that wants to know who asks."""
        server = urlsplit(url)
        account = self.accounts.get(server.netloc)
        basic = f"Basic {account}" if account else ""
        realm = token_url(challenge)
        if not realm:
            if basic and challenge.partition(" ")[0].lower() == "basic":
                return basic
            raise ValueError(
                f"it asks for a user and password, and kubernetes_registry_auth_file has none for {server.netloc}"
            )
        # The server chooses who gives the token. In plain text that one gets no password which the server would not.
        if basic and urlsplit(realm).scheme not in ("https", server.scheme):
            raise ValueError(f"it has accounts log in without TLS, at {realm.partition('?')[0]}")
        with contextlib.closing(self.downloader.open(realm, {"Authorization": basic} if basic else {})) as response:
            token = token_of(response.read(MAX_TOKEN))
        if not token:
            raise ValueError(f"{realm.partition('?')[0]} gives no token")
        return f"Bearer {token}"

    def _manifest(self, base: str, reference: str) -> tuple[Part, bytes]:
        with contextlib.closing(self.open(f"{base}/manifests/{reference}", {"Accept": ACCEPT})) as response:
            data: bytes = response.read(MAX_MANIFEST + 1)
            kind = (response.headers.get("Content-Type") or "").partition(";")[0].strip()
        return _named(data, reference, kind)


def _named(data: bytes, reference: str, kind: str) -> tuple[Part, bytes]:
    """A manifest that is what it was asked for by."""
    if len(data) > MAX_MANIFEST:
        raise ValueError(f"its manifest has more than {MAX_MANIFEST} bytes")
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    if DIGEST.fullmatch(reference) and digest != reference:
        raise ValueError(f"what it gives for {reference} has {digest}")
    return Part(digest, len(data), media_type(data, kind), manifest=True), data


def _assemble(
    name: str, reference: str, architectures: Sequence[str], get: Callable[[str], tuple[Part, bytes]]
) -> Image:
    """An image of what gives its manifests."""
    top, data = get(reference)
    parts, texts = [top], {top.digest: data}
    children = [(top, data)]
    if top.media_type in INDEXES:
        children = [get(digest) for digest in chosen(data, architectures, name)]
        parts += [child for child, _text in children]
        texts.update({child.digest: text for child, text in children})
    for _child, text in children:
        parts += blobs(text)
    return Image(name, top.digest, tuple(dict.fromkeys(parts)), texts)


def from_folders(name: str, digest: str, architectures: Sequence[str], layouts: Sequence[Path]) -> Image:
    """An image whose manifests are in layouts of OCI.

    Raises:
        ValueError: where none of them has one of them as it should be.
    """

    def get(reference: str) -> tuple[Part, bytes]:
        for layout in layouts:
            with contextlib.suppress(OSError, ValueError):
                return _named((layout / "blobs" / reference.replace(":", "/")).read_bytes(), reference, "")
        raise ValueError(f"{name}: no folder has {reference}")

    return _assemble(name, digest, architectures, get)


def accounts(path: str) -> dict[str, str]:
    """The accounts in kubernetes_registry_auth_file; none where no file is named.

    Raises:
        RegistryError: where it cannot be used; nothing of it is in the message.
    """
    try:
        return read_logins(path)
    except LoginError as error:
        raise RegistryError(f"kubernetes_registry_auth_file: {error}") from None


def mirrors(entries: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The base URLs of registries' mirrors, as the runtimes of hosts are told by container_runtime_registry_mirrors."""
    found: dict[str, list[str]] = {}
    for entry in entries:
        if entry.get("registry"):
            known = found.setdefault(str(entry["registry"]), [])
            given = [mirror.get("url") for mirror in entry.get("mirrors") or []] + [entry.get("server")]
            known += [str(url) for url in given if url and str(url) not in known]
    return found


def split(name: str) -> tuple[str, str, str]:
    """An image's registry, its repository there, and its digest or tag."""
    return (registry_of(name), *split_name(name))


def media_type(data: bytes, told: str) -> str:
    """What a manifest is, as it says itself, else as the server does.

    Raises:
        ValueError: where it is none that is known.
    """
    document = _document(data)
    kind = str(document.get("mediaType") or told)
    if kind not in (*INDEXES, *MANIFESTS):
        raise ValueError(f"it is of the kind {kind or 'none'}, which no runtime of today pulls")
    return kind


def chosen(index: bytes, architectures: Sequence[str], name: str) -> list[str]:
    """The digests of an index's manifests: for Linux on some architectures, or all where none is named.

    Raises:
        ValueError: where one has none.
    """
    entries = _document(index).get("manifests")
    found: list[str] = []
    if not architectures:
        found = [str(entry.get("digest")) for entry in entries or [] if isinstance(entry, Mapping)]
        if not found or not all(map(DIGEST.fullmatch, found)):
            raise ValueError(f"{name} has an index without manifests or SHA-256 digests")
    for architecture in architectures:
        fitting = [
            str(entry["digest"])
            for entry in (entries if isinstance(entries, list) else [])
            if isinstance(entry, Mapping)
            and DIGEST.fullmatch(str(entry.get("digest")))
            and isinstance(entry.get("platform"), Mapping)
            and (entry["platform"].get("os"), entry["platform"].get("architecture")) == ("linux", architecture)
        ]
        if not fitting:
            raise ValueError(f"{name} has no image for linux/{architecture}")
        found += fitting
    return list(dict.fromkeys(found))


def blobs(manifest: bytes) -> list[Part]:
    """The configuration and the layers of a manifest.

    Raises:
        ValueError: where it does not say them.
    """
    document = _document(manifest)
    entries = [document.get("config"), *(document.get("layers") or [])]
    found = []
    for entry in entries:
        if not isinstance(entry, Mapping) or not DIGEST.fullmatch(str(entry.get("digest"))):
            raise ValueError("its manifest has a part without a SHA-256 digest")
        size = entry.get("size")
        found.append(
            Part(str(entry["digest"]), size if isinstance(size, int) else 0, str(entry.get("mediaType") or ""))
        )
    return found


def _document(data: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(data)
    except ValueError:
        document = None
    if not isinstance(document, Mapping):
        raise ValueError("its manifest is no JSON object")
    return document


def _reason(error: BaseException) -> str:
    if isinstance(error, HTTPError):
        return f"HTTP status {error.code} {error.reason}"
    return str(getattr(error, "reason", "") or error) or type(error).__name__
