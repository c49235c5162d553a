# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads, verifies and installs what a plan says, and removes what is no longer wanted."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import shutil
from functools import partial
from typing import BinaryIO, Dict, Iterator, List, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.artifact_plan import (
    ArtifactPlan,
    collect,
    stamp_path,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.artifacts import (
    Artifact,
    Digest,
    Installed,
    Stamp,
    check_members,
    file_digest,
    find_digest,
    obsolete_files,
    open_member,
    parse_digest,
    pick_members,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.download import Downloader, DownloadError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.install import (
    Attributes,
    install_stream,
    make_folder,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.unpacking import ArtifactError, open_archive

PARALLEL = 8
STAMP_ATTRIBUTES = Attributes(0o644)


class Installer:
    """Brings a host's artifacts to what is asked for."""

    def __init__(self, module: AnsibleModule, downloader: Downloader, state_dir: str) -> None:
        self.module = module
        self.downloader = downloader
        self.state_dir = state_dir

    def download_path(self, artifact: Artifact) -> str:
        """Where the download is kept until it is installed."""
        return os.path.join(self.state_dir, f"{artifact.name}.download")

    def fetch(self, artifact: Artifact) -> Digest:
        """Download one artifact and verify it, along with the members that are to be installed."""
        path = self.download_path(artifact)
        try:
            digest = parse_digest(artifact.checksum) or find_digest(
                self.downloader.text(artifact.checksum), artifact.filename
            )
            self.downloader.file(artifact.url, path)
        except DownloadError as error:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            raise ArtifactError(str(error)) from None
        except OSError as error:
            if error.errno == errno.ENOSPC:
                free = shutil.disk_usage(self.state_dir).free // 1024**2
                raise ArtifactError(f"no space left in {self.state_dir} for the download ({free} MiB free)") from None
            raise ArtifactError(f"cannot write to {self.state_dir}: {error}") from None
        found = file_digest(path, digest.algorithm)
        if found != digest.value:
            os.unlink(path)
            origin = "the option checksum" if parse_digest(artifact.checksum) else artifact.checksum
            raise ArtifactError(
                f"{artifact.url} has the checksum {digest.algorithm}:{found}, but {origin} says {digest.value};"
                " correct the option, or find out who changed the file"
            )
        if artifact.archive:
            with open_archive(path) as archive:
                check_members(artifact, archive)
        return digest

    def install(self, artifact: Artifact, digest: Digest, before: Optional[Stamp]) -> List[str]:
        """Install a verified download and record it. Returns the files that differ from what was there."""
        installed: Dict[str, Installed] = {}
        changed: List[str] = []
        for stream, path, attributes in self._contents(artifact):
            old = file_digest(path) if os.path.isfile(path) and not os.path.islink(path) else None
            with stream:
                install_stream(self.module, stream, path, attributes)
            found = os.stat(path)
            installed[path] = Installed(file_digest(path), found.st_size, found.st_mtime_ns)
            if installed[path].sha256 != old:
                changed.append(path)
        changed += remove_files(obsolete_files(before, installed))
        stamp = Stamp(artifact.request(), str(digest), installed)
        install_stream(
            self.module, io.BytesIO(stamp.dump().encode()), stamp_path(self.state_dir, artifact.name), STAMP_ATTRIBUTES
        )
        os.unlink(self.download_path(artifact))
        return changed

    def remove(self, name: str, stamp: Stamp) -> None:
        """Remove what an artifact installed."""
        remove_files(obsolete_files(stamp, {}))
        os.unlink(stamp_path(self.state_dir, name))

    def _contents(self, artifact: Artifact) -> Iterator[Tuple[BinaryIO, str, Attributes]]:
        path = self.download_path(artifact)
        if not artifact.archive:
            yield open(path, "rb"), artifact.dest, artifact.attributes  # noqa: SIM115 (closed where it is read)
            return
        with open_archive(path) as archive:
            for info, member in pick_members(artifact, archive):
                yield open_member(archive, info), member.path, member.attributes


def act(plan: ArtifactPlan, installer: Installer) -> Dict[str, Tuple[List[str], str]]:
    """Do what is planned. Returns the changed files and the checksum of each artifact that was downloaded."""
    done: Dict[str, Tuple[List[str], str]] = {}
    make_folder(installer.state_dir, installer.module)
    with _only_one(installer.state_dir):
        digests = collect(
            [artifact.name for artifact in plan.missing],
            [partial(installer.fetch, artifact) for artifact in plan.missing],
            parallel=PARALLEL,
        )
        for paths in plan.attributes.values():
            for path, wanted in paths.items():
                wanted.apply(path)
        for artifact, digest in zip(plan.missing, digests):
            changed = installer.install(artifact, digest, plan.stamps[artifact.name])
            done[artifact.name] = (changed, str(digest))
        for name, stamp in plan.removed.items():
            installer.remove(name, stamp)
    return done


@contextlib.contextmanager
def _only_one(folder: str) -> Iterator[None]:
    """Wait until no other run installs artifacts on this host."""
    with open(os.path.join(folder, ".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def remove_files(paths: List[str]) -> List[str]:
    """Remove files; returns them."""
    for path in paths:
        os.unlink(path)
    return paths
