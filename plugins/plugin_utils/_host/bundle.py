# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundle: a folder with the bytes of everything that locks name, as an HTTP server and a registry can serve it.

files/HOST/PATH is what https://HOST/PATH gives. packages is a repository for apt, with a suite for each lock. images
is an image layout of OCI with all images. SHA256SUMS names every file but itself and its signature, for sha256sum; a
bundle without what an older one has names all of it, too.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit

from ansible.module_utils.urls import ConnectionError as UrlError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.download import (
    TEMPORARY_STATUS,
    DownloadError,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import apt_index, registry
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.lock import IMAGE, PACKAGE, Artifact, Lock
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.registry import Image, Part, Registries

SBOM, CHARTS = "sbom.spdx.json", "charts"
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LAYOUT = '{"imageLayoutVersion": "1.0.0"}\n'
NAME_OF_IMAGE = "org.opencontainers.image.ref.name"
CHUNK = 1024 * 1024
WORKERS = 8
ATTEMPTS = 4
PART = ".part"


class BundleError(Exception):
    """What is wrong with a bundle, or cannot be fetched."""


@dataclass(frozen=True)
class Wanted:
    """A file of the bundle.

    Attributes:
        path: relative to the bundle.
        sha256: of its bytes.
        size: in bytes; 0 where that is not known.
        urls: where it comes from, in order; none where it is written here.
        subject: what it is, for people.
    """

    path: str
    sha256: str
    size: int
    urls: tuple[str, ...]
    subject: str


def place(artifact: Artifact) -> str:
    """The path of a file or manifest in the bundle.

    Raises:
        BundleError: where its address makes none.
    """
    if artifact.kind == PACKAGE:
        return apt_index.place(artifact)
    parts = urlsplit(artifact.url)
    names = [parts.netloc.rpartition("@")[2], *unquote(parts.path).strip("/").split("/")]
    if parts.scheme not in ("https", "http") or any(name in ("", ".", "..") or "\0" in name for name in names):
        raise BundleError(f"{artifact}: the address {artifact.url} makes no path in a bundle")
    return "/".join(["files", *names])


def blob(digest: str) -> str:
    """The path of a manifest or blob in the bundle."""
    return f"images/blobs/sha256/{digest.partition(':')[2]}"


def files(artifacts: Iterable[Artifact]) -> list[Wanted]:
    """The files, packages, charts and manifests, each once.

    Raises:
        BundleError: where two locks have different bytes for one path.
    """
    found: dict[str, Wanted] = {}
    for artifact in artifacts:
        if artifact.kind == IMAGE or not artifact.url:
            continue
        wanted = Wanted(place(artifact), artifact.sha256, artifact.size, (artifact.url,), str(artifact))
        if found.setdefault(wanted.path, wanted).sha256 != wanted.sha256:
            raise BundleError(f"{artifact}: two locks have different checksums of {artifact.url}")
    return list(found.values())


def of_image(image: Image, servers: Sequence[str]) -> list[Wanted]:
    """The parts of an image. Its manifests are known already; the rest is fetched."""
    repository = registry.split(image.name)[1]
    return [
        Wanted(
            blob(part.digest),
            part.digest.partition(":")[2],
            part.size,
            () if part.manifest else tuple(f"{server}/v2/{repository}/blobs/{part.digest}" for server in servers),
            f"a part of {image.name}",
        )
        for part in image.parts
    ]


def index(images: Iterable[Image]) -> str:
    """The index of the layout: every name with its digest."""
    entries = []
    for image in sorted(images, key=lambda one: one.name):
        top: Part = image.parts[0]
        entry = {"mediaType": top.media_type, "digest": top.digest, "size": top.size}
        entries.append({**entry, "annotations": {NAME_OF_IMAGE: image.name}})
    return json.dumps({"schemaVersion": 2, "manifests": entries}, indent=2) + "\n"


def sbom(locks: Sequence[Lock], name: str, created: str) -> str:
    """What is in the bundle, in the form of SPDX 2.3."""
    artifacts = sorted({artifact for lock in locks for artifact in lock.artifacts})
    identity = hashlib.sha256("".join(lock.text() for lock in locks).encode()).hexdigest()
    packages = [
        {
            "SPDXID": f"SPDXRef-{number}",
            "name": artifact.name,
            **({"versionInfo": artifact.version} if artifact.version else {}),
            "downloadLocation": artifact.url or "NOASSERTION",
            "filesAnalyzed": False,
            "checksums": [{"algorithm": "SHA256", "checksumValue": artifact.sha256}],
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": "NOASSERTION",
            "copyrightText": "NOASSERTION",
            "primaryPackagePurpose": "CONTAINER" if artifact.kind == IMAGE else "FILE",
        }
        for number, artifact in enumerate(artifacts, start=1)
    ]
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"https://spdx.org/spdxdocs/{name}-{identity}",
        "creationInfo": {"created": created, "creators": ["Tool: groundwork.kubernetes"]},
        "packages": packages,
        "relationships": [
            {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": one["SPDXID"]}
            for one in packages
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def sums(digests: Mapping[str, str]) -> str:
    """The checksums of files by their paths, as sha256sum writes them."""
    return "".join(f"{digests[path]}  {path}\n" for path in sorted(digests))


def sha256_of(path: Path) -> str:
    """The checksum of a file; empty where there is none."""
    summary = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            for chunk in iter(lambda: stream.read(CHUNK), b""):
                summary.update(chunk)
    except FileNotFoundError:
        return ""
    return summary.hexdigest()


def examine(folder: Path, wanted: Iterable[Wanted]) -> tuple[list[Wanted], list[Wanted]]:
    """Those that a folder lacks, and those that it has with other bytes; every byte is read."""
    each = list({one.path: one for one in wanted}.values())
    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(lambda one: sha256_of(folder / one.path), each))
    pairs = list(zip(each, found, strict=True))
    return [one for one, digest in pairs if not digest], [
        one for one, digest in pairs if digest not in ("", one.sha256)
    ]


@dataclass
class Fetcher:
    """Fetches files into a folder, several at a time. What a killed run began goes on where it ended.

    Attributes:
        folder: the bundle.
        registries: asks for tokens where they are wanted.
        say: tells people how far it is.
        pause: seconds between two lines of that.
    """

    folder: Path
    registries: Registries
    say: Callable[[str], None]
    pause: float = 10
    received: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fetch(self, wanted: Sequence[Wanted]) -> None:
        """Fetch all.

        Raises:
            BundleError: naming every one that cannot be had, once all others are there.
        """
        total, stop = sum(one.size for one in wanted), threading.Event()
        teller = threading.Thread(target=self._tell, args=(len(wanted), total, stop), daemon=True)
        teller.start()
        with ThreadPoolExecutor(WORKERS) as pool:
            faults = [fault for fault in pool.map(self._attempt, wanted) if fault]
        stop.set()
        teller.join()
        if faults:
            raise BundleError("\n".join(faults))

    def _tell(self, number: int, total: int, stop: threading.Event) -> None:
        while not stop.wait(self.pause):
            self.say(f"bundle: {self.received // 1024**2} of {total // 1024**2} MiB, {number} files")

    def _attempt(self, one: Wanted) -> str:
        target = self.folder / one.path
        target.parent.mkdir(parents=True, exist_ok=True)
        faults = []
        for url in one.urls:
            try:
                self._fetch(url, target, one)
            except BundleError as error:  # noqa: PERF203 (each address is another attempt)
                faults.append(str(error))
            else:
                return ""
        return f"{one.subject}: {'; '.join(faults)}"

    def _fetch(self, url: str, target: Path, one: Wanted) -> None:
        draft = target.with_name(f"{target.name}{PART}")
        for attempt in range(ATTEMPTS):
            try:
                self._continue(url, draft)
            except HTTPError as error:
                if error.code == 416:
                    draft.unlink(missing_ok=True)
                elif error.code not in TEMPORARY_STATUS:
                    raise BundleError(f"{url}: HTTP status {error.code} {error.reason}") from None
                fault = f"HTTP status {error.code} {error.reason}"
            except (OSError, HTTPException, UrlError, ValueError, DownloadError) as error:
                fault = str(getattr(error, "reason", "") or error) or type(error).__name__
                if isinstance(error, (DownloadError, UrlError)):
                    raise BundleError(f"{url}: {fault}") from None
            else:
                found = sha256_of(draft)
                if found == one.sha256:
                    os.replace(draft, target)
                    return
                draft.unlink()
                raise BundleError(f"{url} has SHA-256 {found}, not {one.sha256}, which the lock says")
            if attempt + 1 < ATTEMPTS:
                time.sleep(min(2**attempt, 10))
        raise BundleError(f"{url}: {fault}")

    def _continue(self, url: str, draft: Path) -> None:
        """Fetch what a draft lacks."""
        there = draft.stat().st_size if draft.exists() else 0
        headers = {"Range": f"bytes={there}-"} if there else {}
        with contextlib.closing(self.registries.open(url, headers)) as response:
            goes_on = there > 0 and response.getcode() == 206
            expected = response.headers.get("Content-Length")
            received = 0
            with draft.open("ab" if goes_on else "wb") as stream:
                for chunk in iter(lambda: response.read(CHUNK), b""):
                    stream.write(chunk)
                    received += len(chunk)
                    with self.lock:
                        self.received += len(chunk)
        if expected and received != int(expected):
            raise ConnectionError(f"the connection ended after {received} of {expected} bytes")
