# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The index by which apt finds a bundle's packages: a suite for each lock.

https://wiki.debian.org/DebianRepository/Format
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.lock import PACKAGE, Artifact, Lock

FOLDER = "packages"
COMPONENT = "main"
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+:~-]*")
WORKERS = 8


class PackageError(Exception):
    """Why there is no index."""


def place(artifact: Artifact) -> str:
    """The path of a package in the bundle. Debian's own names have no epoch either.

    Raises:
        PackageError: where the lock's words make none.
    """
    if not all(map(WORD.fullmatch, (artifact.name, artifact.version, artifact.architecture))):
        raise PackageError(f"{artifact}: its name, version or architecture is none of a package")
    if urlsplit(artifact.url).scheme not in ("http", "https"):
        raise PackageError(f"{artifact}: the address {artifact.url} is not of a server")
    version = artifact.version.partition(":")[2] or artifact.version
    return f"{FOLDER}/pool/{artifact.name}_{version}_{artifact.architecture}.deb"


def paths(suite: str, lock: Lock) -> list[str]:
    """The paths of a suite's index; none where the lock has no packages."""
    if not any(artifact.kind == PACKAGE for artifact in lock.artifacts):
        return []
    folder = f"{FOLDER}/dists/{suite}"
    return [
        *(f"{folder}/{COMPONENT}/binary-{name}/Packages" for name in sorted(lock.architectures)),
        f"{folder}/Release",
    ]


def texts(suite: str, lock: Lock, find: Callable[[str], Path], date: str) -> dict[str, str]:
    """The index of a suite, by the paths of its files.

    Args:
        suite: its name.
        lock: whose packages are in it.
        find: gives the file of a path in the bundle.
        date: when it was made, as in mails.

    Raises:
        PackageError: where a package cannot be read.
    """
    packages = [artifact for artifact in lock.artifacts if artifact.kind == PACKAGE]
    with ThreadPoolExecutor(WORKERS) as pool:
        entries = list(pool.map(lambda one: _entry(one, find(place(one))), packages))
    folder = f"{FOLDER}/dists/{suite}"
    found, sums = {}, []
    for architecture in sorted(lock.architectures):
        fitting = [
            entry for entry, one in zip(entries, packages, strict=True) if one.architecture in (architecture, "all")
        ]
        name = f"{COMPONENT}/binary-{architecture}/Packages"
        text = found[f"{folder}/{name}"] = "\n".join(fitting)
        sums.append(f" {hashlib.sha256(text.encode()).hexdigest()} {len(text.encode())} {name}")
    found[f"{folder}/Release"] = _release(suite, lock.architectures, sums, date)
    return found


def _release(suite: str, architectures: Iterable[str], sums: Sequence[str], date: str) -> str:
    lines = [
        "Origin: groundwork.kubernetes",
        f"Suite: {suite}",
        f"Codename: {suite}",
        f"Date: {date}",
        f"Architectures: {' '.join(sorted(architectures))}",
        f"Components: {COMPONENT}",
        "SHA256:",
        *sums,
    ]
    return "".join(f"{line}\n" for line in lines)


def _entry(artifact: Artifact, path: Path) -> str:
    """What the package says of itself, and where it is."""
    program = shutil.which("dpkg-deb")
    if program is None:
        raise PackageError("dpkg-deb, which reads packages, is not on this machine: use Debian or Ubuntu")
    done = subprocess.run([program, "--field", str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackageError(f"{path}: {done.stderr.strip()}")
    own = [
        f"Filename: {place(artifact).removeprefix(f'{FOLDER}/')}",
        f"Size: {artifact.size}",
        f"SHA256: {artifact.sha256}",
    ]
    return done.stdout.rstrip("\n") + "\n" + "".join(f"{line}\n" for line in own)
