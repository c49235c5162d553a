# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of distribution packages, [epoch:]upstream[-release]: how dpkg and rpm order them, and which will do."""

from __future__ import annotations

import re
from typing import Any, Callable, NamedTuple, Optional, Tuple

Key = Callable[[str], Tuple[Any, ...]]
# What may follow the upstream part that was asked for. After a tilde stands what comes before a version, such as a
# release candidate, unless it is one of the marks by which Debian tells that upstream's archive was packed anew.
_SAME_UPSTREAM = re.compile(r"$|-|\+(?!really)|~(ds|dfsg|repack|bpo|deb|ubuntu)")
# What may follow a release that was asked for: the distribution's own part of it.
_SAME_RELEASE = re.compile(r"$|[~+]|\.[a-z]")
_DEBIAN_PART = re.compile(r"(\D*)(\d*)")
_RPM_PART = re.compile(r"\d+|[A-Za-z]+|~|\^")


class Version(NamedTuple):
    """The parts of a version; those that are not written are None."""

    epoch: Optional[str]
    upstream: str
    release: Optional[str]


def split_version(text: str) -> Version:
    """Split a version at its first colon and its last hyphen."""
    epoch, colon, rest = text.partition(":")
    if not colon or not epoch.isdigit():
        epoch, rest = "", text
    upstream, hyphen, release = rest.rpartition("-")
    return Version(epoch or None, upstream if hyphen else rest, release if hyphen else None)


def accepts(wanted: str, found: str) -> bool:
    """Whether a version will do; an epoch and a release count where they are asked for.

    1.36.5 accepts 0:1.36.5-1.1 and 1.36.5~ds1-1, but neither 1.36.50-1.1 nor 1.36.5~rc.0-1.1.
    """
    asked, there = split_version(wanted), split_version(found)
    if asked.epoch is not None and int(asked.epoch) != int(there.epoch or 0):
        return False
    text, body = (_without_epoch(version) for version in (wanted, found))
    if body.startswith(text):
        rest = _SAME_UPSTREAM if asked.release is None else _SAME_RELEASE
        return rest.match(body[len(text) :]) is not None
    # Debian goes back to an older upstream version without going back itself.
    return asked.release is None and re.match(rf".*\+really{re.escape(text)}$", there.upstream) is not None


def is_newer(found: str, wanted: str, key: Key) -> bool:
    """Whether a version is newer than one that is asked for, by the parts that are asked for.

    Args:
        found: the whole version of a package.
        wanted: what is asked for.
        key: how the package manager orders versions.
    """
    asked, there = split_version(wanted), split_version(found)
    return _key(there, asked, key) > _key(asked, asked, key)


def order(version: str, part: Key) -> Tuple[Any, ...]:
    """Sorts whole versions; part is debian_part or rpm_part."""
    epoch, upstream, release = split_version(version)
    return int(epoch or 0), part(upstream), part(release or "")


def debian_part(text: str) -> Tuple[Any, ...]:
    """Sorts upstream parts and releases as dpkg does (see deb-version(7))."""
    parts = _DEBIAN_PART.findall(text)
    return tuple(((*map(_debian_letter, other), 0), int(digits or 0)) for other, digits in parts)


def rpm_part(text: str) -> Tuple[Any, ...]:
    """Sorts upstream parts and releases as rpm does (see rpm-version(7))."""
    return (*map(_rpm_rank, _RPM_PART.findall(text)), (0,))


def _debian_letter(letter: str) -> int:
    if letter == "~":
        return -1
    return ord(letter) if letter.isalpha() else ord(letter) + 256


def _rpm_rank(part: str) -> Tuple[Any, ...]:
    if part in "~^":
        return (-1,) if part == "~" else (1,)
    return (3, int(part)) if part.isdigit() else (2, part)


def _key(version: Version, asked: Version, part: Key) -> Tuple[Any, ...]:
    epoch = int(version.epoch or 0) if asked.epoch is not None else 0
    return epoch, part(version.upstream), part(version.release or "") if asked.release is not None else ()


def _without_epoch(version: str) -> str:
    return re.sub(r"^\d+:", "", version)
