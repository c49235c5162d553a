# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads that are installed on a host: what was asked for, what is there, and how the two compare."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
import tarfile
from dataclasses import dataclass
from typing import Any, BinaryIO, Dict, Iterator, List, Optional, Tuple
from urllib.parse import unquote, urlsplit

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.download import unprotected
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.install import Attributes, parse_attributes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.unpacking import (
    ArtifactError,
    refuse_too_much,
)

ALGORITHMS = {64: "sha256", 128: "sha512"}
ARCHIVE_NAME = re.compile(r"\.(tar|tgz|tar\.(gz|xz|bz2))$")
DIGEST = re.compile(r"^(?:(sha256|sha512):)?([0-9A-Fa-f]{64}|[0-9A-Fa-f]{128})$")
PLAIN_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")
CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Digest:
    """A checksum: the algorithm's name in hashlib and the hexadecimal digits."""

    algorithm: str
    value: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.value}"


@dataclass(frozen=True)
class Member:
    """A file of an archive and where it goes."""

    source: str
    path: str
    attributes: Attributes
    optional: bool


@dataclass(frozen=True)
class Artifact:
    """One download and the files it gives.

    No members: the whole archive goes to the folder dest, or the one file to the path dest.
    """

    name: str
    url: str
    checksum: str
    dest: str
    archive: bool
    strip: int
    members: List[Member]
    attributes: Attributes

    @property
    def filename(self) -> str:
        """The name that the download has in checksum files."""
        return posixpath.basename(unquote(urlsplit(self.url).path))

    def request(self) -> Dict[str, Any]:
        """What a stamp records, so that a later run knows that the same was asked for."""
        return {
            "url": self.url,
            "checksum": self.checksum,
            "dest": self.dest,
            "strip": self.strip,
            "members": sorted([member.source, member.path] for member in self.members),
        }


@dataclass(frozen=True)
class Installed:
    """A file that an artifact installed, as it was then."""

    sha256: str
    size: int
    mtime_ns: int

    def intact(self, path: str) -> bool:
        """Whether the file still has that content; it is read only where its time or size differ."""
        try:
            found = os.lstat(path)
        except OSError:
            return False
        if (found.st_size, found.st_mtime_ns) == (self.size, self.mtime_ns):
            return True
        return found.st_size == self.size and os.path.isfile(path) and file_digest(path) == self.sha256


@dataclass(frozen=True)
class Stamp:
    """What was asked for and what it gave; kept on the host beside the other artifacts' stamps."""

    request: Dict[str, Any]
    digest: str
    files: Dict[str, Installed]

    def dump(self) -> str:
        """The stamp as text."""
        files = {path: vars(installed) for path, installed in self.files.items()}
        return (
            json.dumps({"request": self.request, "digest": self.digest, "files": files}, indent=2, sort_keys=True)
            + "\n"
        )


def read_stamp(path: str) -> Optional[Stamp]:
    """The stamp in a file; None where there is none, or one that cannot be read, as after a power cut."""
    try:
        with open(path, encoding="utf-8") as stream:
            data = json.load(stream)
        files = {name: Installed(**installed) for name, installed in data["files"].items()}
        return Stamp(data["request"], data["digest"], files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def file_digest(path: str, algorithm: str = "sha256") -> str:
    """The checksum of a file, as hexadecimal digits."""
    summary = hashlib.new(algorithm)
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            summary.update(chunk)
    return summary.hexdigest()


def parse_artifact(item: Dict[str, Any], allow_http: bool = False, require_digests: bool = False) -> Artifact:
    """Read one entry of the module's option.

    Args:
        item: the entry.
        allow_http: whether URLs may be other than https.
        require_digests: whether the checksum may not come from a server.

    Raises:
        ArtifactError: where an option makes no sense.
    """
    name, dest = item["name"], item["dest"]
    if not PLAIN_NAME.match(name):
        raise ArtifactError(f"name {name!r} may hold letters, digits and . _ + - only")
    if not os.path.isabs(dest):
        raise ArtifactError(f"dest {dest!r} is no absolute path")
    if not _is_url(item["url"]):
        raise ArtifactError(f"url {item['url']!r} is no URL")
    if parse_digest(item["checksum"]) is None and not _is_url(item["checksum"]):
        raise ArtifactError(
            f"checksum {item['checksum']!r} is neither a SHA-256 or SHA-512 checksum nor the URL of a checksum file"
        )
    if require_digests and parse_digest(item["checksum"]) is None:
        raise ArtifactError(
            f"no digest of {item['url']} is known, and a checksum file proves nothing against who holds its server; "
            "give the digest (kubernetes_digests of the roles)"
        )
    for option in () if allow_http else ("url", "checksum"):
        refused = unprotected(item[option]) if _is_url(item[option]) else ""
        if refused:
            raise ArtifactError(f"{option} {item[option]!r}: {refused}")
    archive = bool(item["members"] or item["strip"] or ARCHIVE_NAME.search(urlsplit(item["url"]).path))
    try:
        attributes = parse_attributes(item["mode"], item["owner"], item["group"])
        members = [_parse_member(member, dest, item) for member in item["members"] or []]
    except ValueError as error:
        raise ArtifactError(str(error)) from None
    return Artifact(name, item["url"], item["checksum"], dest, archive, item["strip"], members, attributes)


def _is_url(text: str) -> bool:
    return urlsplit(text).scheme in ("https", "http", "ftp", "file") and "://" in text


def _parse_member(member: Dict[str, Any], folder: str, item: Dict[str, Any]) -> Member:
    source = posixpath.normpath(member["source"])
    path = os.path.join(folder, member["dest"] or posixpath.basename(source))
    attributes = parse_attributes(member["mode"] or item["mode"], item["owner"], item["group"])
    return Member(source, os.path.normpath(path), attributes, member["optional"])


def parse_digest(text: str) -> Optional[Digest]:
    """Read '<hex>' or 'sha256:<hex>' (likewise sha512); None for anything else."""
    match = DIGEST.match(text.strip())
    if not match or (match.group(1) or ALGORITHMS[len(match.group(2))]) != ALGORITHMS[len(match.group(2))]:
        return None
    return Digest(ALGORITHMS[len(match.group(2))], match.group(2).lower())


def find_digest(text: str, filename: str) -> Digest:
    """Read the checksum of a file from what a checksum file says.

    Known forms: only the digits; lines of 'digits  name' as sha256sum writes them, signed or not.

    Args:
        text: the checksum file.
        filename: the download's name.

    Raises:
        ArtifactError: where the file says nothing about this name.
    """
    words = text.split()
    if len(words) == 1:
        digest = parse_digest(words[0])
        if digest:
            return digest
    for line in text.splitlines():
        digits, _blank, name = line.strip().partition(" ")
        if posixpath.basename(name.strip().lstrip("*")) == filename:
            digest = parse_digest(digits)
            if digest:
                return digest
    raise ArtifactError(f"the checksum file has no SHA-256 or SHA-512 checksum of {filename}")


def up_to_date(artifact: Artifact, stamp: Optional[Stamp]) -> bool:
    """Whether the artifact is installed as asked for, as far as the host alone can tell (no network)."""
    if stamp and _same_request(stamp, artifact):
        return all(installed.intact(path) for path, installed in stamp.files.items())
    digest = parse_digest(artifact.checksum)
    return bool(
        digest
        and not artifact.archive
        and os.path.isfile(artifact.dest)
        and file_digest(artifact.dest, digest.algorithm) == digest.value
    )


def _same_request(stamp: Stamp, artifact: Artifact) -> bool:
    """Whether that is what was asked for, or a file of the same checksum, wherever its checksum was known from then."""
    digest = parse_digest(artifact.checksum)
    proven = {"checksum": artifact.checksum} if digest and str(digest) == stamp.digest else {}
    return {**stamp.request, **proven} == artifact.request()


def wrong_attributes(artifact: Artifact, stamp: Optional[Stamp]) -> Dict[str, Attributes]:
    """The files of an artifact that is up to date whose mode or owner are not as asked for."""
    wanted = {member.path: member.attributes for member in artifact.members}
    paths = list(stamp.files) if stamp else [artifact.dest]
    expected = {path: wanted.get(path, artifact.attributes) for path in paths}
    return {path: attributes for path, attributes in expected.items() if attributes.differ(path)}


def obsolete_files(before: Optional[Stamp], installed: Dict[str, Installed]) -> List[str]:
    """The files of an earlier version that the new one lacks; those that were changed since are not ours any more."""
    files = before.files if before else {}
    return sorted(path for path, old in files.items() if path not in installed and old.intact(path))


def pick_members(artifact: Artifact, archive: tarfile.TarFile) -> Iterator[Tuple[tarfile.TarInfo, Member]]:
    """The archive's files that are to be installed.

    Raises:
        ArtifactError: where one is missing, or would be written outside of the folder.
    """
    found = dict(_stripped(archive, artifact.strip))
    members = artifact.members
    if not members:
        unsafe = [name for name in found if _unsafe(name)]
        if unsafe:
            raise ArtifactError(f"the archive holds files outside of its own folder: {', '.join(sorted(unsafe))}")
        members = [
            Member(name, os.path.join(artifact.dest, name), artifact.attributes, optional=False)
            for name in sorted(found)
        ]
        if not members:
            raise ArtifactError("the archive holds no file")
    missing = [member.source for member in members if member.source not in found and not member.optional]
    if missing:
        raise ArtifactError(f"the archive has no {', '.join(missing)}; it holds {_examples(list(found))}")
    for member in members:
        if member.source in found:
            yield found[member.source], member


def _stripped(archive: tarfile.TarFile, strip: int) -> Iterator[Tuple[str, tarfile.TarInfo]]:
    for info in archive.getmembers():
        # A leading slash or '..' survives this, to be found and refused.
        parts = [part for part in info.name.split("/") if part != "."]
        if not info.isdir() and len(parts) > strip:
            yield "/".join(parts[strip:]), info


def _unsafe(name: str) -> bool:
    return name.startswith("/") or ".." in name.split("/")


def _examples(names: List[str]) -> str:
    shown = ", ".join(sorted(names)[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown or "nothing"


def open_member(archive: tarfile.TarFile, info: tarfile.TarInfo) -> BinaryIO:
    """A member's content; a link gives that of the file in the same archive that it points to.

    Raises:
        ArtifactError: for a link that leaves the archive, and for what is no file (a device, for one).
    """
    try:
        stream = archive.extractfile(info)
    except KeyError:
        raise ArtifactError(f"{info.name} is a link to {info.linkname}, which is not in the archive") from None
    except RecursionError:
        raise ArtifactError(f"{info.name} is a link that leads to itself") from None
    if stream is None:
        raise ArtifactError(f"{info.name} in the archive is no regular file")
    return stream  # type: ignore[return-value]


def check_members(artifact: Artifact, archive: tarfile.TarFile) -> None:
    """Make sure that all files to be installed can be read, and are not too much: each link is a further copy.

    Raises:
        ArtifactError: where one cannot, or they are.
    """
    total = 0
    for info, _member in pick_members(artifact, archive):
        with open_member(archive, info) as stream:
            total += stream.seek(0, os.SEEK_END)
        refuse_too_much(total)
