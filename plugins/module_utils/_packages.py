# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Distribution packages: which are asked for, which are installed, and the files that describe a repository."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")
ARMORED_KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----"


@dataclass(frozen=True)
class Request:
    """A package that is asked for; a version of None means any."""

    name: str
    version: Optional[str] = None

    def accepts(self, version: str) -> bool:
        """Whether an installed or offered version will do: '1.36.5' accepts '1.36.5-1.1' and '0:1.36.5-1.1' too."""
        if self.version is None or version == self.version:
            return True
        return re.match(re.escape(self.version) + r"($|[-~+])", re.sub(r"^\d+:", "", version)) is not None

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name}={self.version}"


@dataclass(frozen=True)
class Repository:
    """A package repository. key is the URL of its armored OpenPGP key, or the key itself."""

    name: str
    url: str
    key: str
    suite: str
    components: Tuple[str, ...]

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
        lines += [f"gpgkey=file://{key_path}"]
        lines += [f"exclude={' '.join(excluded)}"] if excluded else []
        return "\n".join(lines) + "\n"


def parse_request(text: str) -> Request:
    """Read 'name' or 'name=version'.

    Raises:
        ValueError: for anything else.
    """
    name, separator, version = text.partition("=")
    if not NAME.match(name) or (separator and not version):
        raise ValueError(f"packages: {text!r} is neither a name nor name=version")
    return Request(name, version or None)


def parse_repository(option: Optional[Dict[str, Any]]) -> Optional[Repository]:
    """Read the module's option.

    Raises:
        ValueError: where a value makes no sense.
    """
    if option is None:
        return None
    if not NAME.match(option["name"]):
        raise ValueError(f"repository: name {option['name']!r} may hold letters, digits and . _ + - only")
    if not option["suite"].endswith("/") and not option["components"]:
        raise ValueError("repository: a suite that does not end in '/' needs components")
    return Repository(option["name"], option["url"], option["key"], option["suite"], tuple(option["components"] or ()))


def parse_dpkg(text: str) -> Dict[str, str]:
    """Installed packages and their versions, of lines 'name<tab>version<tab>status' by dpkg-query."""
    rows = (line.split("\t") for line in text.splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 3 and row[2][1:2] == "i"}


def parse_rpm(text: str) -> Dict[str, str]:
    """Installed packages and their versions, of lines 'name<tab>version' by rpm."""
    rows = (line.split("\t") for line in text.splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 2}


def parse_madison(text: str) -> Dict[str, List[str]]:
    """The versions on offer, newest first, of lines 'name | version | source' by apt-cache madison."""
    offers: Dict[str, List[str]] = {}
    for line in text.splitlines():
        name, _bar, rest = line.partition("|")
        version = rest.partition("|")[0].strip()
        if version and version not in offers.setdefault(name.strip(), []):
            offers[name.strip()].append(version)
    return offers


def choose_all(requests: List[Request], offers: Dict[str, List[str]]) -> List[str]:
    """For each package the newest version on offer that will do, as 'name=version'.

    Raises:
        ValueError: naming every package that has none.
    """
    accepted = {
        request: [version for version in offers.get(request.name, []) if request.accepts(version)]
        for request in requests
    }
    faults = [_fault(request, offers.get(request.name, [])) for request in requests if not accepted[request]]
    if faults:
        raise ValueError("\n".join(faults))
    return [f"{request.name}={versions[0]}" for request, versions in accepted.items()]


def _fault(request: Request, offered: List[str]) -> str:
    if not offered:
        return f"{request}: the host's repositories have no package of this name"
    newest = ", ".join(offered[:5])
    return f"{request}: the host's repositories have no such version; their newest are {newest}"
