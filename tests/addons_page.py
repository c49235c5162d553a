"""Writes docs/addons-list.md from the entries in plugins/plugin_utils/_cluster/addons.

.venv/bin/python tests/addons_page.py
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
ENTRIES = ROOT / "plugins" / "plugin_utils" / "_cluster" / "addons"
PAGE = ROOT / "docs" / "addons-list.md"
HEAD = """# The collection's add-ons
<!-- Made by tests/addons_page.py from plugins/plugin_utils/_cluster/addons. -->
How they are chosen is told in [addons.md](addons.md), and what of them was run in the
[README](../README.md#what-is-supported). Each needs the checksum of what you looked at.
"""


def names(values: Any, between: str = ", ") -> str:
    """Names as code."""
    return between.join(f"`{value}`" for value in values)


def rows(entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What there is to tell of an add-on."""
    version = str(entry["version"])
    needs = entry.get("needs") or {}
    variables = [
        f"`{name}: {' or '.join(str(value).lower() for value in values)}`"
        for name, values in (needs.get("variables") or {}).items()
    ]
    wanted = [*variables, *(f"a value for {names(group, ' or ')}" for group in needs.get("values") or [])]
    oldest, newest = entry.get("oldest_kubernetes"), entry.get("newest_kubernetes")
    found = {
        "version": version,
        "from": f"<{str(entry['url']).replace('${version}', version)}>",
        "Kubernetes": f"{oldest}{f' to {newest}' if newest else ' or newer'}" if oldest else "",
        "namespace": f"`{entry['namespace']}`"
        + "".join(f", `{name}: {value}`" for name, value in (entry.get("namespace_labels") or {}).items()),
        "needs": "; ".join(wanted),
        "defines resources of": names(entry.get("crds") or []),
        "webhooks": "waited for" if entry.get("accepts") else "",
        "proof": "; ".join(one["what"] for one in entry["proof"]),
        "images that no object names": names(entry.get("images") or []),
        "ports": "; ".join(entry.get("ports") or []),
        "upgrade": "one minor version at a time" if entry.get("one_minor") else "",
        "what stays when it goes": entry.get("stays") or "",
    }
    return [(name, text) for name, text in found.items() if text]


def section(entry: Mapping[str, Any]) -> str:
    """An add-on as people read it."""
    about = str(entry["about"])
    table = "".join(f"| {name} | {text} |\n" for name, text in rows(entry))
    return f"\n## {entry['name']}\n{about[0].upper()}{about[1:]}.\n\n| | |\n|---|---|\n{table}"


def page() -> str:
    """The whole page."""
    entries = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in ENTRIES.glob("*.yml")]
    return HEAD + "".join(section(entry) for entry in sorted(entries, key=lambda entry: str(entry["name"])))


if __name__ == "__main__":
    PAGE.write_text(page())
