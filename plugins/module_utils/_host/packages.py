# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Distribution packages: which are asked for, which are installed, and which are on offer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import FileChange, diffs
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.package_versions import (
    Key,
    accepts,
    is_newer,
    order,
)

NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")
# How upstream writes a pre-release; packages have a tilde there, which sorts it before the release.
PRE_RELEASE = re.compile(r"-(?=(alpha|beta|rc)[.\d])")
# apt-cache policy: a package's own line, its candidate, and a row of its table of versions.
POLICY_NAME = re.compile(r"^(\S+):$")
POLICY_CANDIDATE = re.compile(r"^  Candidate: ([^(\s]\S*)$")
POLICY_VERSION = re.compile(r"^ (?:\*{3}|   ) (\S+)( .*)?$")


class PackagesError(Exception):
    """Why the packages cannot be installed."""


@dataclass(frozen=True)
class Request:
    """A package that is asked for; a version of None means any."""

    name: str
    version: Optional[str] = None

    def accepts(self, version: str) -> bool:
        """Whether an installed or offered version will do."""
        return self.version is None or accepts(self.version, version)

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name}={self.version}"


@dataclass(frozen=True)
class Offer:
    """What repositories have of a package; the candidate is what the package manager itself would install."""

    versions: Tuple[str, ...] = ()
    candidate: Optional[str] = None


def parse_request(text: str) -> Request:
    """Read 'name' or 'name=version'.

    Raises:
        ValueError: for anything else.
    """
    name, separator, version = text.partition("=")
    if not NAME.fullmatch(name) or (separator and not version):
        raise ValueError(f"packages: {text!r} is neither a name nor name=version")
    return Request(name, PRE_RELEASE.sub("~", version) or None)


def parse_dpkg(text: str) -> Dict[str, str]:
    """Installed packages and their versions, of lines 'name<tab>version<tab>status' by dpkg-query."""
    rows = (line.split("\t") for line in text.splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 3 and row[2][1:2] == "i"}


def parse_rpm(text: str) -> Dict[str, str]:
    """Installed packages and their versions, of lines 'name<tab>version' by rpm."""
    rows = (line.split("\t") for line in text.splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 2}


def parse_policy(text: str) -> Dict[str, Offer]:
    """What is on offer, as apt-cache policy tells it: pins and suites are weighed already."""
    candidates: Dict[str, str] = {}
    versions: Dict[str, List[str]] = {}
    name = ""
    for line in text.splitlines():
        heading, candidate, row = (form.match(line) for form in (POLICY_NAME, POLICY_CANDIDATE, POLICY_VERSION))
        if heading:
            name = heading[1]
        elif candidate:
            candidates[name] = candidate[1]
        elif row:
            versions.setdefault(name, []).append(row[1])
    return {name: Offer(tuple(found), candidates.get(name)) for name, found in versions.items()}


def parse_repoquery(text: str) -> Dict[str, Offer]:
    """What is on offer, of lines 'name<tab>epoch:version-release' by dnf repoquery."""
    versions: Dict[str, List[str]] = {}
    for name, tab, version in (line.partition("\t") for line in text.splitlines()):
        if tab and version not in versions.setdefault(name, []):
            versions[name].append(version)
    return {name: Offer(tuple(found)) for name, found in versions.items()}


def choose(request: Request, offer: Offer, part: Key) -> Optional[str]:
    """The version to install: the package manager's own candidate if it will do, else the newest that will.

    None where there is none.
    """
    if offer.candidate is not None and request.accepts(offer.candidate):
        return offer.candidate
    if request.version is None:
        return None
    accepted = [version for version in offer.versions if request.accepts(version)]
    return max(accepted, key=lambda version: order(version, part)) if accepted else None


def choose_all(requests: List[Request], offers: Dict[str, Offer], part: Key) -> Dict[str, str]:
    """The version to install of each package.

    Raises:
        ValueError: naming every package that has none.
    """
    chosen = {request: choose(request, offers.get(request.name, Offer()), part) for request in requests}
    faults = [
        _not_offered(request, offers.get(request.name, Offer()), part)
        for request, version in chosen.items()
        if version is None
    ]
    if faults:
        raise ValueError("\n".join(faults))
    return {request.name: version for request, version in chosen.items() if version is not None}


def refuse_downgrades(requests: List[Request], installed: Dict[str, str], part: Key) -> None:
    """Make sure that nothing that is installed is newer than what is asked for.

    Raises:
        ValueError: naming every package that is.
    """
    faults = [
        f"{request}: {installed[request.name]} is installed, which is newer; packages are never downgraded: ask for a"
        f" version that is not older, or remove the package"
        for request in requests
        if request.name in installed
        and request.version is not None
        and not request.accepts(installed[request.name])
        and is_newer(installed[request.name], request.version, part)
    ]
    if faults:
        raise ValueError("\n".join(faults))


def find_unfulfilled(requests: List[Request], installed: Dict[str, str]) -> List[str]:
    """The fault of each package that is not installed as it was asked for, once the package manager is through."""
    wrong = [
        request for request in requests if request.name not in installed or not request.accepts(installed[request.name])
    ]
    return [
        f"{request}: {installed.get(request.name, 'no version of it')} is installed, though the package manager "
        "reported no error"
        for request in wrong
    ]


def _not_offered(request: Request, offer: Offer, part: Key) -> str:
    if not offer.versions:
        return f"{request}: the host's repositories have no package of this name"
    newest = ", ".join(sorted(offer.versions, key=lambda version: order(version, part), reverse=True)[:5])
    if request.version is None:
        return f"{request}: apt has no candidate for it, as where a pin forbids all of its versions: {newest}"
    return f"{request}: the host's repositories have no such version; their newest are {newest}"


@dataclass
class PackagePlan:
    """What is to be done. The key is fetched where it is due."""

    source: Optional[FileChange]
    key_path: str
    key_due: bool
    missing: List[Request]
    unheld: List[str]

    @property
    def changed(self) -> bool:
        """Whether that is anything."""
        return bool(self.missing or self.unheld or self.key_due or (self.source and self.source.changed))

    def diffs(self, versions: Dict[str, str]) -> List[Dict[str, Any]]:
        """The repository's file and the packages, before and after."""
        shown = diffs([self.source]) if self.source else []
        if self.key_due:
            key = {"before_header": self.key_path, "after_header": self.key_path}
            shown.append({**key, "before": "", "after": "the repository's key\n"})
        before = [f"{request.name}={versions[request.name]}" for request in self.missing if request.name in versions]
        after = [str(request) for request in self.missing] + [f"{name} on hold" for name in self.unheld]
        header = "packages"
        if after:
            text = {"before": "".join(f"{line}\n" for line in before), "after": "".join(f"{line}\n" for line in after)}
            shown.append({"before_header": header, "after_header": header, **text})
        return shown
