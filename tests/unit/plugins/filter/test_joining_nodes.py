"""The filters joining_nodes and, for loops, registered: what tasks have registered of hosts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.filter.joining_nodes import joining_nodes
from ansible_collections.groundwork.kubernetes.plugins.filter.registered import registered

LOOP = {"results": [{"item": "x", "nodes": []}, {"item": "y", "unreachable": True}]}
HOSTVARS: dict[str, Any] = {
    "a": {"asked": LOOP},
    "b": {"asked": {"skipped": True}},
    "c": {"asked": {"results": [{"item": "z", "nodes": [1]}]}},
}


@pytest.mark.parametrize(
    ("hosts", "having", "expected"),
    [
        ("abcd", None, [*LOOP["results"], {"item": "z", "nodes": [1]}]),
        ("cba", "nodes", [{"item": "z", "nodes": [1]}, LOOP["results"][0]]),
        ("bd", None, []),
    ],
)
def test_registered_of_a_loop(hosts: str, having: str | None, expected: Any) -> None:
    assert registered(list(hosts), HOSTVARS, "asked", having, of_loop=True) == expected


def test_who_joins() -> None:
    states = {
        "new": {"role": "none", "interrupted": ""},
        "worker": {"role": "worker", "interrupted": ""},
        "begun": {"role": "worker", "interrupted": "join"},
        "plane": {"role": "control_plane", "interrupted": ""},
        "failed": {"failed": True},
    }
    hostvars = {**{host: {"node": state} for host, state in states.items()}, "silent": {}}
    assert joining_nodes(list(hostvars), hostvars, "node") == ["new", "begun"]
