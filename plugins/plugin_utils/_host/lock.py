# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock: one file with everything that a cluster is made of, by checksum. It is read, written and compared here."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

FORMAT = 1
CHART, FILE, IMAGE, MANIFEST, PACKAGE = "chart", "file", "image", "manifest", "package"
KINDS = (CHART, FILE, IMAGE, MANIFEST, PACKAGE)
SHA256 = re.compile(r"[0-9a-f]{64}")
HEAD = (
    "---\n"
    "# Everything that the hosts of this inventory get, by SHA-256. The playbook lock writes it; with kubernetes_lock\n"
    "# nothing else is believed. The same inputs give the same bytes.\n"
)


class LockError(ValueError):
    """A lock that cannot be read, or that lacks something."""


@dataclass(frozen=True, order=True)
class Artifact:
    """Something that hosts get.

    Attributes:
        kind: one of KINDS.
        name: of the program or package; an image's with registry and tag; a manifest's address; of a chart the release
            with its namespace.
        version: of a program, package or chart.
        architecture: of a program or package, as the names of downloads spell it.
        url: where it comes from; empty for an image, and for what the controller has as a file.
        sha256: of the file; an image's digest.
        size: in bytes; an image's with all parts of the lock's architectures.
        roles: the parts of a cluster that need it.
    """

    kind: str
    name: str
    version: str = ""
    architecture: str = ""
    url: str = ""
    sha256: str = ""
    size: int = 0
    roles: tuple[str, ...] = ()

    @property
    def identity(self) -> tuple[str, ...]:
        """What it is, whatever its bytes and wherever it comes from."""
        return (self.kind, self.name, self.version, self.architecture)

    def __str__(self) -> str:
        return " ".join(filter(None, [self.kind, self.name, self.version, self.architecture]))


@dataclass(frozen=True)
class Lock:
    """What a file says.

    Attributes:
        architectures: of the hosts.
        artifacts: in their order.
    """

    architectures: tuple[str, ...]
    artifacts: tuple[Artifact, ...]

    def find(self, kind: str, name: str, version: str = "", architecture: str = "") -> Artifact | None:
        """What the lock has of this identity; None where it has nothing."""
        return self._known.get((kind, name, version, architecture))

    @functools.cached_property
    def _known(self) -> dict[tuple[str, ...], Artifact]:
        return {artifact.identity: artifact for artifact in self.artifacts}

    def images(self, role: str = "") -> dict[str, str]:
        """The digests of images by their names: all of them, or those that a part of the cluster needs."""
        return {
            artifact.name: f"sha256:{artifact.sha256}"
            for artifact in self.artifacts
            if artifact.kind == IMAGE and (not role or role in artifact.roles)
        }

    def text(self) -> str:
        """The file."""
        data = {
            "format": FORMAT,
            "architectures": sorted(self.architectures),
            "artifacts": [_plain(artifact) for artifact in sorted(self.artifacts)],
        }
        return HEAD + yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=1000)


def _plain(artifact: Artifact) -> dict[str, Any]:
    return {
        name: sorted(value) if name == "roles" else value
        for name, value in asdict(artifact).items()
        if value not in ("", ()) and (name, value) != ("size", 0)
    }


def parse(text: str, source: str) -> Lock:
    """The lock in a text.

    Raises:
        LockError: naming everything that is wrong with it.
    """
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise LockError(f"{source} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        raise LockError(f"{source} is no lock of format {FORMAT}; make it by the playbook lock")
    entries, architectures = data.get("artifacts"), data.get("architectures")
    if not isinstance(entries, list) or not isinstance(architectures, list):
        raise LockError(f"{source} has no list of artifacts or architectures; make it by the playbook lock")
    found, faults = [], []
    for number, entry in enumerate(entries, start=1):
        fault = _fault(entry)
        if fault:
            faults.append(f"{source}, artifact {number}: {fault}")
        else:
            found.append(Artifact(**{**entry, "roles": tuple(entry.get("roles", ()))}))
    identities = [artifact.identity for artifact in found]
    twice = sorted({str(one) for one in found if identities.count(one.identity) > 1})
    faults += [f"{source} has {one} more than once" for one in twice]
    if faults:
        raise LockError("\n".join(faults))
    return Lock(tuple(map(str, architectures)), tuple(found))


def _fault(entry: Any) -> str:
    """What is wrong with an entry; empty where nothing is."""
    if not isinstance(entry, Mapping) or entry.get("kind") not in KINDS:
        return f"it is no mapping with a kind of {', '.join(KINDS)}"
    unknown = sorted(str(name) for name in entry if name not in {field.name for field in fields(Artifact)})
    if unknown:
        return f"it has {', '.join(unknown)}, which no artifact has"
    texts = {name: entry.get(name, "") for name in ("name", "version", "architecture", "url", "sha256")}
    wrong = [name for name, value in texts.items() if not isinstance(value, str)]
    if wrong or not texts["name"]:
        return f"{', '.join(wrong) or 'name'} must be text, in quotes where it looks like a number"
    if not SHA256.fullmatch(texts["sha256"]):
        return f"sha256 of {texts['name']} is not 64 hexadecimal digits"
    size, roles = entry.get("size", 0), entry.get("roles", [])
    named = isinstance(roles, list) and all(isinstance(role, str) for role in roles)
    return "" if isinstance(size, int) and size >= 0 and named else f"size or roles of {texts['name']} make no sense"


def read(path: str) -> Lock:
    """The lock in a file of the controller.

    Raises:
        LockError: where there is none, or it is wrong.
    """
    try:
        found = os.stat(path)
        return _read(path, found.st_mtime_ns, found.st_size)
    except OSError as error:
        raise LockError(f"{path} cannot be read: {error.strerror}; make it by the playbook lock") from None
    except UnicodeDecodeError:
        raise LockError(f"{path} is no text; make it by the playbook lock") from None


@functools.lru_cache(maxsize=4)
def _read(path: str, _mtime_ns: int, _size: int) -> Lock:
    return parse(Path(path).read_text(encoding="utf-8"), path)


def merged(artifacts: Iterable[Artifact]) -> list[Artifact]:
    """Each artifact once, with the roles of all; sorted."""
    found: dict[tuple[str, ...], Artifact] = {}
    for artifact in artifacts:
        other = found.get(artifact.identity, artifact)
        roles = tuple(sorted({*other.roles, *artifact.roles}))
        found[artifact.identity] = Artifact(**{**asdict(artifact), "roles": roles})
    return sorted(found.values())


def drift(before: Sequence[Artifact], after: Sequence[Artifact]) -> Iterator[str]:
    """What differs between a lock and what it would be now, a line for each artifact."""
    old = {artifact.identity: artifact for artifact in before}
    new = {artifact.identity: artifact for artifact in after}
    for identity in sorted({*old, *new}):
        if identity not in new:
            yield f"{old[identity]}: no host needs it any more"
        elif identity not in old:
            yield f"{new[identity]}: is not in the lock"
        else:
            was, now = asdict(old[identity]), asdict(new[identity])
            changed = [f"{name} {was[name]} is now {now[name]}" for name in was if was[name] != now[name]]
            if changed:
                yield f"{new[identity]}: {'; '.join(changed)}"
