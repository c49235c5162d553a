# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of all variables of the roles, and which others are nearly one of them or begin like one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from functools import cached_property

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import ERROR, WARNING

# How similar the rest of a name (after the role's prefix) is to a variable's.
SURELY_MEANT, PERHAPS_MEANT = 0.85, 0.6
# Prefixes that other people's variables are likely to have: those are only reported when they resemble one of ours.
COMMON_PREFIXES = (
    *(
        "backup_",
        "certificates_",
        "drain_",
        "endpoint_",
        "migrate_runtime_",
        "reboot_",
        "reset_",
        "restore_",
        "upgrade_",
    ),
    *("user_", "verify_", "worker_"),
)


class Names:
    """The names of all variables of the roles, and which other names resemble them.

    Args:
        known: each variable with its role.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        self.known = known
        self.judged: dict[str, tuple[str, str] | None] = {}

    @cached_property
    def _shortened(self) -> dict[str, str]:
        """Every name, and what is left of it without one of its letters, with the name."""
        return {part: name for name in sorted(self.known) for part in _shortenings(name)}

    def nearest(self, name: str) -> str:
        """The variable that a name is but for one letter: one too many, missing, wrong, or at another place."""
        return next((self._shortened[part] for part in _shortenings(name) if part in self._shortened), "")

    def judge(self, name: str) -> tuple[str, str] | None:
        """What is wrong with a name, and how bad that is; None where it is somebody else's."""
        if name not in self.judged:
            self.judged[name] = self._judge(name)
        return self.judged[name]

    def _judge(self, name: str) -> tuple[str, str] | None:
        near = self.nearest(name)
        if near:
            text = f"{name} is no variable of the role {self.known[near]}; did you mean {near}?"
            return text, ERROR
        role = max((role for role in set(self.known.values()) if name.startswith(f"{role}_")), key=len, default="")
        if not role:
            return None
        rest = name[len(role) + 1 :]
        rests = {known[len(role) + 1 :]: known for known, owner in self.known.items() if owner == role}
        match = difflib.get_close_matches(rest, rests, n=1, cutoff=PERHAPS_MEANT)
        if match:
            closeness = difflib.SequenceMatcher(None, match[0], rest).ratio()
            text = f"{name} is no variable of the role {role}; did you mean {rests[match[0]]}?"
            return text, ERROR if closeness >= SURELY_MEANT else WARNING
        if f"{role}_" in COMMON_PREFIXES:
            return None
        return f"{name} is no variable of the role {role} and has no effect; remove or rename it", WARNING


def is_near(name: str, other: str) -> bool:
    """Whether names are the same but for one letter: one too many, missing, wrong, or at another place."""
    return not set(_shortenings(name)).isdisjoint(_shortenings(other))


def _shortenings(name: str) -> Iterable[str]:
    return [name, *(name[:at] + name[at + 1 :] for at in range(len(name)))]
