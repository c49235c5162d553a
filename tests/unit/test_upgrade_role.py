"""What the role upgrade asks of its modules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.groundwork.kubernetes.tests.unit.rendering import ROOT, render

DRAIN = "groundwork.kubernetes.drain"
OPTIONS = "{{ __upgrade_drain_options }}"


def drains(items: list[dict[str, Any]], defaults: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Each task that drains or uncordons: its name, the state, and the options that it has by default."""
    for item in items:
        inner = {**defaults, **item.get("module_defaults", {})}
        if DRAIN in item:
            yield item["name"], item[DRAIN].get("state", "drained"), inner.get(DRAIN)
        for part in ("block", "rescue", "always"):
            yield from drains(item.get(part, []), inner)


def test_cordons_have_the_purpose_of_an_upgrade(tmp_path: Path) -> None:
    """So that what the playbook drain has cordoned is neither seen as a cordon of an upgrade nor lifted with it."""
    shown = render(tmp_path, "upgrade", {"hosts": {"cp-1": {}}}, {"system": "Linux"}, {"options": OPTIONS})
    assert shown["cp-1"]["options"] == {
        "purpose": "upgrade",
        "timeout": 600,
        "allow_bare_pods": False,
        "allow_emptydir": False,
        "allow_past_budgets": False,
    }


@pytest.mark.parametrize(("file", "states"), [("main", ["uncordoned", "drained"]), ("node", ["drained", "uncordoned"])])
def test_all_drains_have_these_options(file: str, states: list[str]) -> None:
    found = list(drains(yaml.safe_load((ROOT / f"roles/upgrade/tasks/{file}.yml").read_text()), {}))
    assert [state for _name, state, _options in found] == states
    assert [name for name, _state, options in found if options != OPTIONS] == []
