# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Distribution packages: which are asked for, which are installed, and the files that describe a repository."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.download import unprotected
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.openpgp import (
    BEGIN,
    KeyFileError,
    fingerprints,
    normalize,
)
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


@dataclass(frozen=True)
class Repository:
    """A package repository. key is the URL of its armored OpenPGP key, or the key itself.

    Fingerprints are those of the keys that may be in it; none: of any.
    """

    name: str
    url: str
    key: str
    suite: str
    components: Tuple[str, ...]
    fingerprints: Tuple[str, ...] = ()
    signed_metadata: bool = True

    @property
    def own_key(self) -> Optional[bytes]:
        """The key, where it was given itself."""
        return self.key.strip().encode() + b"\n" if BEGIN in self.key else None

    def check_key(self, text: str) -> None:
        """Make sure that a key file holds keys, and only those that it may hold.

        Raises:
            ValueError: where it does not.
        """
        if BEGIN not in text:
            raise ValueError("is no armored OpenPGP key")
        if not self.fingerprints:
            return
        try:
            others = [found for found in fingerprints(text) if found not in self.fingerprints]
        except KeyFileError as error:
            raise ValueError(f"cannot be compared with a fingerprint: {error}") from None
        if others:
            raise ValueError(
                f"holds a key with the fingerprint {', '.join(others)}, not {' or '.join(self.fingerprints)}; find out "
                "who changed it, or correct the fingerprints"
            )

    def deb822(self, key_path: str) -> str:
        """The text for /etc/apt/sources.list.d (see sources.list(5))."""
        lines = ["Types: deb", f"URIs: {self.url}", f"Suites: {self.suite}"]
        lines += [f"Components: {' '.join(self.components)}"] if self.components else []
        return "\n".join([*lines, f"Signed-By: {key_path}"]) + "\n"

    def yum(self, key_path: str, excluded: List[str]) -> str:
        """The text for /etc/yum.repos.d (see yum.conf(5)).

        Args:
            key_path: where the key is on the host.
            excluded: packages that only this module may install or update.
        """
        lines = [f"[{self.name}]", f"name={self.name}", f"baseurl={self.url}", "enabled=1", "gpgcheck=1"]
        lines += [f"repo_gpgcheck={int(self.signed_metadata)}"]
        lines += [f"gpgkey=file://{key_path}"]
        lines += [f"exclude={' '.join(excluded)}"] if excluded else []
        return "\n".join(lines) + "\n"


def parse_request(text: str) -> Request:
    """Read 'name' or 'name=version'.

    Raises:
        ValueError: for anything else.
    """
    name, separator, version = text.partition("=")
    if not NAME.fullmatch(name) or (separator and not version):
        raise ValueError(f"packages: {text!r} is neither a name nor name=version")
    return Request(name, PRE_RELEASE.sub("~", version) or None)


def parse_repository(option: Optional[Dict[str, Any]], allow_http: bool = False) -> Optional[Repository]:
    """Read the module's option.

    Args:
        option: the option; None for no repository.
        allow_http: whether the repository and its key may come over other than https.

    Raises:
        ValueError: where a value makes no sense.
    """
    if option is None:
        return None
    if not NAME.fullmatch(option["name"]):
        raise ValueError(f"repository: name {option['name']!r} may hold letters, digits and . _ + - only")
    if not option["suite"].endswith("/") and not option["components"]:
        raise ValueError("repository: a suite that does not end in '/' needs components")
    components = tuple(option["components"] or ())
    words = {"url": option["url"], "suite": option["suite"], **{f"components {word!r}": word for word in components}}
    broken = [name for name, word in words.items() if not re.fullmatch(r"\S+", word) or not word.isprintable()]
    if broken:
        raise ValueError(f"repository: {', '.join(broken)} may have no spaces, line breaks or control characters")
    repository = Repository(
        option["name"],
        option["url"],
        option["key"],
        option["suite"],
        components,
        tuple(map(normalize, option["fingerprints"])),
        option["signed_metadata"],
    )
    for name, url in (("url", repository.url), ("key", repository.url if repository.own_key else repository.key)):
        refused = "" if allow_http else unprotected(url)
        if refused:
            raise ValueError(f"repository: {name} {url}: {refused}")
    if repository.own_key:
        try:
            repository.check_key(repository.key)
        except ValueError as error:
            raise ValueError(f"repository: the given key {error}") from None
    return repository


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
    """What to say of each package that is not installed as it was asked for, once the package manager is through."""
    wrong = [
        request for request in requests if request.name not in installed or not request.accepts(installed[request.name])
    ]
    said = {request: installed.get(request.name, "no version of it") for request in wrong}
    return [
        f"{request}: {found} is installed, though the package manager told of no error"
        for request, found in said.items()
    ]


def _not_offered(request: Request, offer: Offer, part: Key) -> str:
    if not offer.versions:
        return f"{request}: the host's repositories have no package of this name"
    newest = ", ".join(sorted(offer.versions, key=lambda version: order(version, part), reverse=True)[:5])
    if request.version is None:
        return f"{request}: apt has no candidate for it, as where a pin forbids all of its versions: {newest}"
    return f"{request}: the host's repositories have no such version; their newest are {newest}"
