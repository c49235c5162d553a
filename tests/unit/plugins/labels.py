"""An AnsibleModule on a host with SELinux, as far as files are labelled."""

from __future__ import annotations

import os


class Labels:
    """Notes which files were given which context, and what was at their final place then."""

    def __init__(self) -> None:
        """Nothing is labelled yet."""
        self.noted: list[tuple[str, str, str | None]] = []

    def selinux_default_context(self, path: str, _mode: int = 0) -> list[str]:
        """The context of a path tells the path."""
        return ["system_u", "object_r", path]

    def set_context_if_different(self, path: str, context: list[str], changed: bool) -> bool:
        """Label a file that is there."""
        assert os.path.lexists(path), path
        final = context[2]
        there = None
        if os.path.isfile(final):
            with open(final, encoding="utf-8") as stream:
                there = stream.read()
        self.noted.append((path, final, there))
        return changed
