# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of Debian and Ubuntu with all that they depend on, as the controller's apt resolves them for other machines.

apt verifies the sources by their keys. It sees an empty machine of the wanted architecture, and of the controller
nothing but keys and proxies, so that the same sources give the same packages, whatever is installed anywhere.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.package_versions import debian_part
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.packages import (
    choose_all,
    parse_policy,
    parse_request,
)

URI = re.compile(r"'([^']+)' (\S+)_(\S+)_(\S+)\.deb (\d+) SHA256:([0-9a-f]{64})")
SETTINGS = (
    "Dir::Etc::SourceParts=/dev/null",
    "Dir::Etc::Preferences=/dev/null",
    "Dir::Etc::PreferencesParts=/dev/null",
    # Only an ordinary user's files would be hidden from its sandbox.
    "APT::Sandbox::User=root",
    "APT::Update::Error-Mode=any",
    "Acquire::Languages=none",
    "Acquire::ForceHash=sha256",
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
)
TIMEOUT = 900


class AptError(Exception):
    """Why apt does not say what it is asked."""


@dataclass(frozen=True)
class Package:
    """A package as a repository has it.

    Attributes:
        name: of the package.
        version: with epoch and revision.
        architecture: as Debian calls it; all for packages that fit each.
        url: where it is.
        sha256: of the file.
        size: in bytes.
    """

    name: str
    version: str
    architecture: str
    url: str
    sha256: str
    size: int


@dataclass
class Apt:
    """apt for one architecture, with the given sources and a folder of its own.

    Attributes:
        sources: lines of a sources.list.
        architecture: of the machines that get the packages.
        folder: where it keeps its lists.
    """

    sources: Sequence[str]
    architecture: str
    folder: Path
    options: list[str] = field(init=False)

    def __post_init__(self) -> None:
        """Make the folder fit for apt."""
        for name in ("state/lists/partial", "cache/archives/partial"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "status").touch()
        (self.folder / "sources.list").write_text("".join(f"{line}\n" for line in self.sources), encoding="utf-8")
        own = (
            f"Dir::Etc::SourceList={self.folder}/sources.list",
            f"Dir::State={self.folder}/state",
            f"Dir::State::status={self.folder}/status",
            f"Dir::Cache={self.folder}/cache",
            f"APT::Architecture={self.architecture}",
            f"APT::Architectures={self.architecture}",
        )
        self.options = [f"--option={setting}" for setting in (*own, *SETTINGS)]

    def update(self) -> None:
        """Fetch what the sources have, verified by their keys."""
        self._call("apt-get", "update")

    def exact(self, requests: Sequence[str]) -> list[tuple[str, str]]:
        """The version that apt would install of each package that is asked for by name, or name=version.

        Raises:
            AptError: naming all that the sources do not have.
        """
        parsed = [parse_request(request) for request in requests]
        offers = parse_policy(self._call("apt-cache", "policy", *(request.name for request in parsed)))
        try:
            return sorted(choose_all(parsed, offers, debian_part).items())
        except ValueError as error:
            raise AptError(str(error).replace("the host's repositories", "the sources")) from None

    def closure(self, name: str, version: str) -> list[Package]:
        """A package with everything that it depends on; nothing that it merely recommends."""
        command = ["install", "--print-uris", "--yes", "--no-install-recommends", f"{name}={version}"]
        return parse_uris(self._call("apt-get", *command))

    def _call(self, program: str, *arguments: str) -> str:
        path = shutil.which(program)
        if path is None:
            raise AptError(
                f"{program} is not on this machine, which resolves what packages depend on: use Debian or Ubuntu"
            )
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
        command = [path, *self.options, *arguments]
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.startswith("E:")] or done.stderr.splitlines()[
                -5:
            ]
            raise AptError(f"{program} {arguments[0]}: {' '.join(lines)}")
        return done.stdout


def parse_uris(text: str) -> list[Package]:
    """What apt-get would download.

    Raises:
        AptError: where a line has no SHA-256.
    """
    found = []
    for line in text.splitlines():
        if not line.startswith("'"):
            continue
        match = URI.fullmatch(line)
        if match is None:
            raise AptError(f"apt-get tells no SHA-256 of {line}")
        url, name, version, architecture, size, sha256 = match.groups()
        found.append(Package(name, unquote(version), architecture, url, sha256, int(size)))
    return found
