# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A package repository: the files that describe it to apt and dnf, and the key that signs it."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.download import (
    Downloader,
    DownloadError,
    unprotected,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import FileChange, plan_file
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.install import Attributes, install_stream
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.openpgp import (
    BEGIN,
    KeyFileError,
    fingerprints,
    normalize,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.packages import NAME, PackagesError

READABLE = Attributes(0o644, 0, 0)


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


def key_is_due(repository: Repository, path: str) -> bool:
    """Whether the host lacks the repository's key, or has one that it may not have."""
    found = plan_file(path, repository.own_key)
    if repository.own_key or found.before is None:
        return found.changed or found.before is None
    try:
        repository.check_key(found.before.decode("utf-8", "replace"))
    except ValueError:
        return True
    return False


def fetch_key(repository: Repository, allow_http: bool) -> bytes:
    """The repository's key, armored.

    Raises:
        PackagesError: where it cannot be had, or is something else or another one.
    """
    if repository.own_key:
        return repository.own_key
    try:
        text = Downloader(allow_http=allow_http).text(repository.key)
    except DownloadError as error:
        raise PackagesError(f"repository {repository.name}: {error}") from None
    try:
        repository.check_key(text)
    except ValueError as error:
        raise PackagesError(f"repository {repository.name}: {repository.key} {error}") from None
    return text.strip().encode() + b"\n"


def write_key(module: AnsibleModule, repository: Repository, path: str, allow_http: bool) -> None:
    """Fetch the repository's key, and write it where it differs.

    Raises:
        PackagesError: where it cannot be had, or is something else or another one.
    """
    write_source(module, plan_file(path, fetch_key(repository, allow_http)))


def write_source(module: AnsibleModule, change: FileChange) -> None:
    """Write a file that everyone may read, as apt's own user must."""
    if change.changed and change.after is not None:
        install_stream(module, io.BytesIO(change.after), change.path, READABLE)
