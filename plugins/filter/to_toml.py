# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter to_toml."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.collections import is_sequence

try:
    import tomli_w
except ImportError:
    tomli_w = None  # type: ignore[assignment]


def plain(value: Any) -> Any:
    """The value made of Python's own types only: the engine's marked strings, lists and maps are subclasses."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, str):
        return str(value)
    return [plain(item) for item in value] if is_sequence(value) else value


def to_toml(value: Any) -> str:
    """A map as TOML text."""
    if tomli_w is None:
        raise AnsibleFilterError(
            "the filter groundwork.kubernetes.to_toml needs the Python library tomli_w where Ansible runs:"
            " pip install tomli_w"
        )
    if not isinstance(value, dict):
        raise AnsibleFilterError(f"to_toml needs a map, but got {type(value).__name__}: {value!r}")
    try:
        return tomli_w.dumps(plain(value))
    except TypeError as error:
        raise AnsibleFilterError(f"to_toml cannot write this value: {error}") from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"to_toml": to_toml}
