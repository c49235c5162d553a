# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between Kubernetes' minor releases, read from releases.yml."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any, Dict, List, Tuple

from ansible.module_utils.common.yaml import yaml_load

DATA = Path(__file__).with_name("releases.yml")


class ReleaseError(ValueError):
    """A version that is none, or that the data file does not cover."""


def minor_of(version: str) -> Tuple[int, int]:
    """The major and minor number of a version: '1.36', '1.36.5', 'v1.36.5' and '1.36.0-rc.1' are (1, 36).

    Raises:
        ReleaseError: if it is no version.
    """
    found = re.fullmatch(r"v?(\d+)\.(\d+)(?:\.\d+(?:[-+][0-9A-Za-z.+-]+)?)?", version)
    if found is None:
        raise ReleaseError(f"'{version}' is no Kubernetes version; write it like 1.36.5")
    return int(found.group(1)), int(found.group(2))


@functools.lru_cache(maxsize=1)
def _data() -> Dict[str, Any]:
    with DATA.open(encoding="utf-8") as stream:
        data: Dict[str, Any] = yaml_load(stream)
    return data


def release(version: str) -> Dict[str, Any]:
    """Everything that the data file says of a version's minor, and the minor itself as C(minor).

    Raises:
        ReleaseError: if it is no version, or older or newer than the data file covers.
    """
    data = _data()
    minor = minor_of(version)
    oldest, newest = minor_of(data["oldest"]), minor_of(data["newest"])
    if not oldest <= minor <= newest:
        raise ReleaseError(
            f"Kubernetes {version} is not covered by this collection, which knows "
            f"{data['oldest']} to {data['newest']}; choose another version"
            + (" or a newer release of the collection" if minor > newest else "")
        )
    name = f"{minor[0]}.{minor[1]}"
    found: Dict[str, Any] = {"minor": name}
    for setting, values in data["settings"].items():
        since = max(start for start in map(minor_of, values) if start <= minor)
        value = values[f"{since[0]}.{since[1]}"]
        found[setting] = value.replace("%s", name) if isinstance(value, str) else value
    return found


def minors() -> List[str]:
    """The minor releases that the data file covers, oldest first."""
    (major, oldest), (_major, newest) = minor_of(_data()["oldest"]), minor_of(_data()["newest"])
    return [f"{major}.{minor}" for minor in range(oldest, newest + 1)]


def first_minor(setting: str, value: Any) -> str:
    """The minor release from which on a setting has a value."""
    return next(str(minor) for minor, found in _data()["settings"][setting].items() if found == value)


def oldest_with(setting: str) -> str:
    """The first minor release that has something for a setting."""
    return next(str(minor) for minor, found in _data()["settings"][setting].items() if found)
