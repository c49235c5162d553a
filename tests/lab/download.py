"""Upstream's own files for the cache, on a machine with internet."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, partial
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from .kubernetes import NODE_PROGRAMS, release_folder

if TYPE_CHECKING:
    from .settings import Settings

PROBE_SECONDS = 3
SERVER_SECONDS = 30  # without a byte
AT_ONCE = 6
CHUNK = 1 << 20
# SHA-256 by program, version and architecture.
Digests = dict[str, dict[str, dict[str, str]]]
SHA256 = re.compile(r"\b[0-9a-f]{64}\b")
Item = TypeVar("Item")
DIGESTS = Path(__file__).resolve().parents[2] / "plugins" / "plugin_utils" / "_host" / "digests.yml"


def _base(name: str, default: str) -> Callable[[], str]:
    return lambda: (os.environ.get(name) or default).rstrip("/")


@dataclass(frozen=True)
class Upstream:
    """Where upstream publishes; a mirror in its layout can stand in for each."""

    kubernetes: str = field(default_factory=_base("LAB_KUBERNETES_URL", "https://dl.k8s.io"))
    github: str = field(default_factory=_base("LAB_GITHUB_URL", "https://github.com"))
    registry: str = field(default_factory=_base("LAB_REGISTRY_URL", "https://registry.k8s.io"))


@dataclass(frozen=True)
class File:
    """A file of the cache, and where upstream has it and its SHA-256."""

    program: str
    version: str
    path: Path
    url: str
    checksum: str


def archives(part: str, version: str) -> File:
    """The file of a part, relative to the cache and to GitHub."""
    name = {
        "containerd": f"containerd-{version}-linux-amd64.tar.gz",
        "runc": f"runc/v{version}/runc.amd64",
        "cni_plugins": f"cni-plugins-linux-amd64-v{version}.tgz",
        "etcd": f"etcd-v{version}-linux-amd64.tar.gz",
        "crictl": f"crictl-v{version}-linux-amd64.tar.gz",
    }[part]
    project, checksum = {
        "containerd": ("containerd/containerd", f"{name}.sha256sum"),
        "runc": ("opencontainers/runc", "runc.sha256sum"),
        "cni_plugins": ("containernetworking/plugins", f"{name}.sha256"),
        "etcd": ("etcd-io/etcd", "SHA256SUMS"),
        "crictl": ("kubernetes-sigs/cri-tools", f"{name}.sha256"),
    }[part]
    folder = f"{project}/releases/download/v{version}"
    return File(
        part.replace("_", "-"), version, Path(name), f"{folder}/{name.rpartition('/')[2]}", f"{folder}/{checksum}"
    )


def files(settings: Settings, upstream: Upstream) -> list[File]:
    """Each file of the cache that upstream publishes."""
    found = []
    for name in NODE_PROGRAMS:
        url = f"{upstream.kubernetes}/release/v{settings.kubernetes}/bin/linux/amd64/{name}"
        path = release_folder(settings.cache, settings.kubernetes) / name
        found.append(File(name, settings.kubernetes, path, url, f"{url}.sha256"))
    for part in ("containerd", "runc", "cni_plugins", "etcd", "crictl"):
        file = archives(part, getattr(settings, part))
        if (part, getattr(settings, part)) != ("crictl", "0.0.1"):
            path, base = settings.cache / file.path, upstream.github
            found.append(replace(file, path=path, url=f"{base}/{file.url}", checksum=f"{base}/{file.checksum}"))
    return found


@cache
def fault(upstream: Upstream, kubernetes: str) -> str:
    """Why upstream cannot be reached; empty where it can. Asked once, within seconds."""
    crictl = archives("crictl", f"{kubernetes.rpartition('.')[0]}.0").checksum
    urls = [
        f"{upstream.kubernetes}/release/v{kubernetes}/bin/linux/amd64/kubeadm.sha256",
        f"{upstream.github}/{crictl}",
        f"{upstream.registry}/v2/",
    ]

    answers = {url: f"{url.split('/')[2]} does not answer within {PROBE_SECONDS} s" for url in urls}

    def attempt(url: str) -> None:
        try:
            urllib.request.urlopen(url, timeout=PROBE_SECONDS).close()
            answers[url] = ""
        except urllib.error.HTTPError as error:
            # A registry asks who is there; it is there.
            answers[url] = "" if error.code == HTTPStatus.UNAUTHORIZED else f"{url}: {error}"
        except (OSError, HTTPException) as error:
            answers[url] = f"{url.split('/')[2]}: {getattr(error, 'reason', error)}"

    # The time that a name's look-up takes has no limit of its own.
    threads = [threading.Thread(target=attempt, args=(url,), daemon=True) for url in urls]
    deadline = time.monotonic() + PROBE_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return next(filter(None, list(answers.values())), "")


class Progress:
    """One line that tells how far the downloads are: renewed in place on a terminal, after each file elsewhere."""

    def __init__(self, count: int, say: Callable[[str], None]) -> None:
        self.count, self.say, self.terminal = count, say, sys.stdout.isatty()
        self.lock, self.done, self.read = threading.Lock(), 0, 0

    def add(self, size: int) -> None:
        """So many bytes more were read."""
        with self.lock:
            before, self.read = self.read, self.read + size
            if self.terminal and before // (CHUNK * 8) != self.read // (CHUNK * 8):
                print(f"\r{self._text('')}", end="", flush=True)

    def finish(self, name: str) -> None:
        """One file is whole."""
        with self.lock:
            self.done += 1
            if self.terminal:
                print(f"\r{self._text(''):<60}", end="" if self.done < self.count else "\n", flush=True)
            else:
                self.say(self._text(f": {name}"))

    def _text(self, what: str) -> str:
        return f"fetched {self.done} of {self.count} files, {self.read // CHUNK} MB{what}"


def _digest(file: File, known: Digests) -> str:
    """What the file must be: as the collection knows it, or else as upstream says beside it."""
    pinned = known.get(file.program, {}).get(file.version)
    if pinned:
        return pinned["amd64"]
    with urllib.request.urlopen(file.checksum, timeout=SERVER_SECONDS) as answer:
        lines = answer.read().decode().splitlines()
    of_file = [line for line in lines if line.endswith(file.url.rpartition("/")[2])] or lines[:1]
    match = SHA256.search(of_file[0] if of_file else "")
    if not match:
        raise RuntimeError(f"{file.checksum} has no SHA-256")
    return match[0]


def fetch(file: File, known: Digests, progress: Progress) -> None:
    """Put one file into the cache, if it is what it must be.

    Raises:
        RuntimeError: it cannot be had, or is something else.
    """
    file.path.parent.mkdir(parents=True, exist_ok=True)
    draft = file.path.with_name(f"draft-{file.path.name}")
    found = hashlib.sha256()
    try:
        wanted = _digest(file, known)
        with urllib.request.urlopen(file.url, timeout=SERVER_SECONDS) as answer, draft.open("wb") as target:
            while chunk := answer.read(CHUNK):
                found.update(chunk)
                target.write(chunk)
                progress.add(len(chunk))
    except (OSError, HTTPException) as error:
        raise RuntimeError(f"{file.url}: {error}") from None
    if found.hexdigest() != wanted:
        draft.unlink()
        raise RuntimeError(f"{file.url} is not what its SHA-256 says: {found.hexdigest()}, not {wanted}")
    draft.rename(file.path)
    file.path.with_name(f"{file.path.name}.sha256").write_text(f"{wanted}\n")
    progress.finish(file.path.name)


def _all(action: Callable[[Item], None], items: Iterable[Item]) -> None:
    """Do it for all, some at once, and name every one that failed."""

    def attempt(item: Item) -> str:
        try:
            action(item)
        except RuntimeError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(AT_ONCE) as pool:
        faults = list(filter(None, pool.map(attempt, items)))
    if faults:
        raise RuntimeError("\n".join(faults))


def images(kubeadm: Path, version: str) -> list[str]:
    """The images that a kubeadm names for its version, with their registry."""
    kubeadm.chmod(0o755)
    command = [str(kubeadm), "config", "images", "list", "--kubernetes-version", f"v{version}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def tarball(folder: Path, reference: str) -> Path:
    """Where the cache keeps an image: <name>_<tag>.tar, the name without its folders."""
    name, tag = reference.rsplit("/", 1)[-1].split(":")
    return folder / f"{name}_{tag}.tar"


def copy_image(reference: str, folder: Path, upstream: Upstream, progress: Progress) -> None:
    """Put one image into the cache, under its own name whichever registry it comes from."""
    target = tarball(folder, reference)
    scheme, _slashes, registry = upstream.registry.partition("://")
    source = f"docker://{registry}/{reference.split('/', 1)[1]}"
    draft = target.with_name(f"draft-{target.name}")
    draft.unlink(missing_ok=True)
    insecure = ["--src-tls-verify=false"] if scheme == "http" else []
    command: list[str] = [
        "skopeo",
        "--insecure-policy",
        "copy",
        "--quiet",
        "--override-os=linux",
        "--override-arch=amd64",
    ]
    done = subprocess.run(
        [*command, *insecure, source, f"docker-archive:{draft}:{reference}"],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{source}: {done.stderr.strip()}")
    progress.add(draft.stat().st_size)
    draft.rename(target)
    progress.finish(target.name)


def download(settings: Settings, say: Callable[[str], None], upstream: Upstream | None = None) -> None:
    """Fetch what is missing, files first, then the images that this version's kubeadm names.

    Raises:
        RuntimeError: naming everything that cannot be had. What could be is in the cache.
    """
    import yaml  # noqa: PLC0415  only here: make clean runs without it

    upstream = upstream or Upstream()
    known = yaml.safe_load(DIGESTS.read_text())
    lacking = [file for file in files(settings, upstream) if not file.path.exists()]
    progress = Progress(len(lacking), say)
    _all(partial(fetch, known=known, progress=progress), lacking)
    folder = settings.cache / "images"
    folder.mkdir(exist_ok=True)
    named = images(release_folder(settings.cache, settings.kubernetes) / "kubeadm", settings.kubernetes)
    absent = [reference for reference in named if not tarball(folder, reference).exists()]
    _all(partial(copy_image, folder=folder, upstream=upstream, progress=Progress(len(absent), say)), absent)
