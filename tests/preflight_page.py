"""Writes docs/preflight.md from the checks in plugins/plugin_utils/_host/host_checks.py.

.venv/bin/python tests/preflight_page.py
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / ".build" / "collections"))

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.host_checks import (  # noqa: E402
    EITHER,
    HOST_CHECKS,
)

PAGE = ROOT / "docs" / "preflight.md"
HEAD = """# Preflight's checks of hosts
<!-- Made by tests/preflight_page.py from plugins/plugin_utils/_host/host_checks.py. -->
The role [preflight](../roles/preflight/README.md) reads all hosts in one round trip each, and new ones try in two more
what must pass between them ([ports.md](ports.md)). All faults of all hosts come in one message, before anything is
changed. A check changes nothing either: what listens for the others ends by itself, and the file in which writes are
timed has no name. What cannot be read is not known, and is no fault.

An error stops the run, a warning does not. A name in `preflight_ignore` makes an error a warning, and lets a warning
disappear: [configuration.md](configuration.md#preflight). The faults of variables are in
[troubleshooting.md](troubleshooting.md#preflights-faults).
"""


def section(name: str) -> str:
    """A check as people read it."""
    check = HOST_CHECKS[name]
    severity = "error or warning" if check.severity == EITHER else check.severity
    shown = check.source.removeprefix("https://")
    return (
        f"\n## `{name}`\n**{severity}**: {check.what}.\n\n"
        f"- Why: {check.why}\n- What to do: {check.advice}\n- Source: [{shown}]({check.source})\n"
    )


def page() -> str:
    """The whole page."""
    return HEAD + "".join(section(name) for name in sorted(HOST_CHECKS))


if __name__ == "__main__":
    PAGE.write_text(page())
