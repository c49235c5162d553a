# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Download, verify and install programs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: artifacts
short_description: Download, verify and install programs
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Downloads files and archives in parallel, verifies each one's checksum, and installs them or the files in them.
  - Nothing is installed before every download of the task is there and verified. All faults are reported together.
  - Each file is written beside its target and renamed over it, so that a running program can be replaced.
  - What is installed is recorded in O(state_dir), so that a later run that has nothing to do needs no network.
  - A file of an archive is never written outside of the folder that it belongs to, and links are never created;
    a link within an archive is installed as a copy of what it points to.
  - A download may have 1 GiB. An archive may hold 10000 files and unpack to 2 GiB.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.full]
attributes:
  check_mode:
    details: Uses no network, so that a wrong URL or checksum is found by the real run only.
  diff_mode:
    details: Shows which downloads are installed, not what is in them.
options:
  artifacts:
    description: The downloads.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the download, for messages and for the record of what is installed. Unique on the host.
        type: str
        required: true
      state:
        description:
          - With V(present), the files are installed, and those of an earlier version that this one lacks are removed.
          - With V(absent), the files that this module installed under this name are removed.
          - A file that was changed since it was installed is never removed.
        type: str
        choices: [present, absent]
        default: present
      url:
        description: Where to download from. Required for O(artifacts[].state=present).
        type: str
      checksum:
        description:
          - Required for O(artifacts[].state=present).
          - The SHA-256 or SHA-512 checksum as hexadecimal digits, which C(sha256:) or C(sha512:) may precede, or the
            URL of a file that holds it. Such a file proves nothing against who holds its server.
          - Such a file holds only the digits, or lines with the digits and a file name as C(sha256sum) writes them.
        type: str
      dest:
        description:
          - Absolute path of the file, or of the folder for the files of an archive.
          - Required for O(artifacts[].state=present).
        type: path
      members:
        description:
          - The files of an archive to install. All when not given and the URL ends in C(.tar), C(.tgz), C(.tar.gz),
            C(.tar.xz) or C(.tar.bz2).
        type: list
        elements: dict
        suboptions:
          source:
            description: Path within the archive, after O(artifacts[].strip).
            type: str
            required: true
          dest:
            description: Path of the file, relative to O(artifacts[].dest) or absolute. Its own name when not given.
            type: path
          mode:
            description: Permissions, where they differ from O(artifacts[].mode).
            type: str
          optional:
            description: Whether the archive may lack the file, as some versions do.
            type: bool
            default: false
      strip:
        description: How many leading folders to drop from the paths in the archive.
        type: int
        default: 0
      mode:
        description: Permissions of the installed files, as octal digits in quotes.
        type: str
        default: '0755'
      owner:
        description: Name or number of the user who owns the installed files.
        type: str
        default: '0'
      group:
        description: Name or number of the group that owns the installed files.
        type: str
        default: '0'
  state_dir:
    description: Folder for the record of what is installed, and for the downloads while they are being verified.
    type: path
    default: /var/lib/groundwork/artifacts
  timeout:
    description: How long a server may be silent, in seconds.
    type: int
    default: 30
  retries:
    description: How often a download is tried again after a fault of the network or of the server.
    type: int
    default: 3
  validate_certs:
    description: Whether servers' TLS certificates are verified.
    type: bool
    default: true
  allow_http:
    description:
      - Whether URLs may be C(http), which can be read and changed on its way.
      - A redirect from C(https) to anything else is never followed.
    type: bool
    default: false
  require_digests:
    description: Whether a checksum must be given as hexadecimal digits, so that no server is asked for it.
    type: bool
    default: false
notes:
  - A proxy is taken from the task's C(environment) (C(http_proxy), C(https_proxy), C(no_proxy)).
seealso:
  - module: ansible.builtin.get_url
  - module: ansible.builtin.unarchive
"""

EXAMPLES = r"""
- name: Install kubectl and the programs of containerd
  groundwork.kubernetes.artifacts:
    artifacts:
      - name: kubectl
        url: https://dl.k8s.io/release/v1.36.4/bin/linux/amd64/kubectl
        checksum: https://dl.k8s.io/release/v1.36.4/bin/linux/amd64/kubectl.sha256
        dest: /usr/local/bin/kubectl
      - name: containerd
        url: https://github.com/containerd/containerd/releases/download/v2.3.4/containerd-2.3.4-linux-amd64.tar.gz
        checksum: https://github.com/containerd/containerd/releases/download/v2.3.4/containerd-2.3.4-linux-amd64.tar.gz.sha256sum
        dest: /usr/local/bin
        members:
          - source: bin/containerd
          - source: bin/containerd-shim-runc-v2
          - source: bin/ctr
"""

RETURN = r"""
artifacts:
  description: What was done for each download, by its name.
  returned: success
  type: dict
  sample:
    kubectl:
      changed: true
      checksum: sha256:94b1e2f1b4a7c1a2c7b0ac2b1b5ae5e0ee8e1a8f0a3a3ba1f3f0b2e6f9c9c111
      paths: [/usr/local/bin/kubectl]
changed_paths:
  description:
    - The files that were written, or that got another mode or owner. In check mode the files that would be, as far
      as they are known before the download (an archive's folder where the whole archive is installed).
  returned: success
  type: list
  elements: str
  sample: [/usr/local/bin/kubectl]
"""

import contextlib
import errno
import fcntl
import io
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule
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
    parse_artifact,
    parse_digest,
    pick_members,
    read_stamp,
    up_to_date,
    wrong_attributes,
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

    def __init__(self, module: AnsibleModule, downloader: Downloader) -> None:
        self.module = module
        self.downloader = downloader
        self.state_dir: str = module.params["state_dir"]

    def stamp_path(self, name: str) -> str:
        """Where the record of what an artifact installed is."""
        return os.path.join(self.state_dir, f"{name}.json")

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
        install_stream(self.module, io.BytesIO(stamp.dump().encode()), self.stamp_path(artifact.name), STAMP_ATTRIBUTES)
        os.unlink(self.download_path(artifact))
        return changed

    def remove(self, name: str, stamp: Stamp) -> None:
        """Remove what an artifact installed."""
        remove_files(obsolete_files(stamp, {}))
        os.unlink(self.stamp_path(name))

    def _contents(self, artifact: Artifact) -> Iterator[Tuple[BinaryIO, str, Attributes]]:
        path = self.download_path(artifact)
        if not artifact.archive:
            yield open(path, "rb"), artifact.dest, artifact.attributes  # noqa: SIM115 (closed where it is read)
            return
        with open_archive(path) as archive:
            for info, member in pick_members(artifact, archive):
                yield open_member(archive, info), member.path, member.attributes


@contextlib.contextmanager
def _only_one(folder: str) -> Iterator[None]:
    """Wait until no other run installs artifacts on this host."""
    with open(os.path.join(folder, ".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def collect(names: List[str], work: List[Callable[[], Any]], parallel: int = 1) -> List[Any]:
    """Do all the work and return its results, or raise one error with every fault.

    Raises:
        ArtifactError: naming each artifact that failed and why.
    """

    def attempt(step: Callable[[], Any]) -> Tuple[Any, Optional[str]]:
        try:
            return step(), None
        except ArtifactError as error:
            return None, str(error)

    with ThreadPoolExecutor(max_workers=parallel) as pool:
        outcomes = list(pool.map(attempt, work))
    faults = [f"{name}: {fault}" for name, (_result, fault) in zip(names, outcomes) if fault]
    if faults:
        raise ArtifactError("\n".join(faults))
    return [result for result, _fault in outcomes]


def parse(items: List[Dict[str, Any]], allow_http: bool, require_digests: bool) -> List[Artifact]:
    """Read the option, with all of its faults at once."""
    work: List[Callable[[], Any]] = [partial(parse_artifact, item, allow_http, require_digests) for item in items]
    artifacts = collect([item["name"] for item in items], work)
    names = [artifact.name for artifact in artifacts]
    paths = [
        path
        for artifact in artifacts
        for path in _known_paths(artifact)
        if path != artifact.dest or not artifact.archive
    ]
    faults = [f"{name}: is listed twice" for name in sorted(set(names)) if names.count(name) > 1]
    faults += [f"{path}: is installed by two entries" for path in sorted(set(paths)) if paths.count(path) > 1]
    if faults:
        raise ArtifactError("\n".join(faults))
    return artifacts


def _known_paths(artifact: Artifact) -> List[str]:
    return [member.path for member in artifact.members] or [artifact.dest]


def remove_files(paths: List[str]) -> List[str]:
    """Remove files; returns them."""
    for path in paths:
        os.unlink(path)
    return paths


def _describe(stamps: Dict[str, Optional[Stamp]]) -> str:
    return "".join(
        f"{name}: {stamp.request['url']} ({stamp.request['checksum']})\n" for name, stamp in stamps.items() if stamp
    )


@dataclass
class Plan:
    """What is to be done."""

    artifacts: List[Artifact]
    stamps: Dict[str, Optional[Stamp]]
    missing: List[Artifact]
    attributes: Dict[str, Dict[str, Attributes]]
    removed: Dict[str, Stamp]

    def changes(self) -> Dict[str, List[str]]:
        """The files that will change, by artifact, as far as they are known before the download."""
        changes = {name: sorted(paths) for name, paths in self.attributes.items()}
        changes.update({artifact.name: _known_paths(artifact) for artifact in self.missing})
        changes.update({name: obsolete_files(stamp, {}) for name, stamp in self.removed.items()})
        return changes

    def diff(self) -> Dict[str, str]:
        """The downloads before and after."""
        after = {artifact.name: Stamp(artifact.request(), "", {}) for artifact in self.missing}
        before = {name: self.stamps[name] for name in [*after, *self.removed]}
        return {"before": _describe(before), "after": _describe(dict(after))}


def make_plan(items: List[Dict[str, Any]], installer: Installer) -> Plan:
    """Compare what is asked for with what is there; no network is used."""
    present = [item for item in items if item["state"] == "present"]
    artifacts = parse(present, installer.downloader.allow_http, installer.module.params["require_digests"])
    stamps = {item["name"]: read_stamp(installer.stamp_path(item["name"])) for item in items}
    missing = [artifact for artifact in artifacts if not up_to_date(artifact, stamps[artifact.name])]
    return Plan(
        artifacts,
        stamps,
        missing,
        {
            artifact.name: wrong_attributes(artifact, stamps[artifact.name])
            for artifact in artifacts
            if artifact not in missing
        },
        {
            item["name"]: stamp
            for item in items
            for stamp in [stamps[item["name"]]]
            if stamp and item["state"] == "absent"
        },
    )


def act(plan: Plan, installer: Installer) -> Dict[str, Tuple[List[str], str]]:
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


def run(module: AnsibleModule) -> Dict[str, Any]:
    """What the module does; returns its result."""
    params = module.params
    downloader = Downloader(params["timeout"], params["retries"], params["validate_certs"], params["allow_http"])
    installer = Installer(module, downloader)
    plan = make_plan(params["artifacts"], installer)
    changed = plan.changes()
    digests = {name: stamp.digest for name, stamp in plan.stamps.items() if stamp}
    if not module.check_mode and (plan.missing or plan.removed or any(changed.values())):
        for name, (paths, digest) in act(plan, installer).items():
            changed[name] = paths
            digests[name] = digest
    result: Dict[str, Any] = {
        "changed": any(changed.values()),
        "changed_paths": [path for paths in changed.values() for path in paths],
        "artifacts": {
            artifact.name: {
                "changed": bool(changed[artifact.name]),
                "checksum": digests.get(artifact.name, artifact.checksum),
                "paths": changed[artifact.name],
            }
            for artifact in plan.artifacts
        },
    }
    if module._diff and result["changed"]:
        result["diff"] = plan.diff()
    return result


def main() -> None:
    """Run the module."""
    member = {
        "source": {"type": "str", "required": True},
        "dest": {"type": "path"},
        "mode": {"type": "str"},
        "optional": {"type": "bool", "default": False},
    }
    module = AnsibleModule(
        argument_spec={
            "artifacts": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
                    "url": {"type": "str"},
                    "checksum": {"type": "str"},
                    "dest": {"type": "path"},
                    "members": {"type": "list", "elements": "dict", "options": member},
                    "strip": {"type": "int", "default": 0},
                    "mode": {"type": "str", "default": "0755"},
                    "owner": {"type": "str", "default": "0"},
                    "group": {"type": "str", "default": "0"},
                },
                "required_if": [("state", "present", ("url", "checksum", "dest"))],
            },
            "state_dir": {"type": "path", "default": "/var/lib/groundwork/artifacts"},
            "timeout": {"type": "int", "default": 30},
            "retries": {"type": "int", "default": 3},
            "validate_certs": {"type": "bool", "default": True},
            "allow_http": {"type": "bool", "default": False},
            "require_digests": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (ArtifactError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
