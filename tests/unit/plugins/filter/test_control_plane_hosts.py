"""The filter control_plane_hosts: who leads, joins and begins anew, by what the hosts are."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.control_plane_hosts import control_plane_hosts


def state(role: str, interrupted: str = "", *missing: str) -> dict[str, Any]:
    return {"role": role, "interrupted": interrupted, "missing": list(missing)}


NEW, WHOLE, LACKS = state("none"), state("control_plane"), state("control_plane", "", "scheduler.conf")
LOST = {**WHOLE, "losses": [{"path": "admin.conf"}], "authorities": {"ca.key": ""}}
KEYLESS = {**WHOLE, "losses": [], "authorities": {}}
INIT, JOIN, SKIPPED = state("control_plane", "init"), state("worker", "join"), {"skipped": True}


@pytest.mark.parametrize(
    ("states", "run", "expected"),
    [
        # A new cluster: the first of the run leads.
        ([NEW, NEW, NEW], "abc", {"leader": "a", "joining": ["b", "c"], "ready": []}),
        ([NEW, NEW, NEW], "bc", {"leader": "b", "joining": ["c"], "unseen": []}),
        # A second run.
        ([WHOLE, WHOLE, WHOLE], "abc", {"leader": "a", "joining": [], "ready": ["a", "b", "c"]}),
        # Any that holds the cluster leads, one that lacks nothing first.
        ([NEW, LACKS, WHOLE], "abc", {"leader": "c", "joining": ["a"], "ready": ["c", "b"]}),
        ([NEW, LACKS, NEW], "ac", {"leader": "b", "joining": ["a", "c"]}),
        ([KEYLESS, LOST, {**LOST, "losses": []}], "abc", {"ready": ["c", "a", "b"]}),
        # What was begun is finished.
        ([NEW, INIT, NEW], "abc", {"leader": "b", "joining": ["a", "c"], "interrupted": ["b"]}),
        ([JOIN, WHOLE, NEW], "abc", {"leader": "b", "joining": ["a", "c"], "resuming": ["a"]}),
        ([JOIN, WHOLE, NEW], "c", {"joining": ["c"], "resuming": []}),
        # Hosts that were not asked.
        ([SKIPPED, WHOLE, None], "b", {"leader": "b", "joining": [], "unseen": ["a", "c"]}),
        ([None, None, None], "", {"leader": "", "joining": [], "unseen": ["a", "b", "c"], "states": {}}),
    ],
)
def test_hosts(states: list[dict[str, Any] | None], run: str, expected: dict[str, Any]) -> None:
    hostvars = {host: {"node": one} if one else {} for host, one in zip("abc", states, strict=True)}
    found = control_plane_hosts(list("abc"), hostvars, "node", list(run))
    assert {name: found[name] for name in expected} == expected
    assert found["states"] == {host: one for host, one in zip("abc", states, strict=True) if one and "role" in one}


def test_bad_input() -> None:
    with pytest.raises(AnsibleFilterError, match="needs results of kubeadm_info"):
        control_plane_hosts(["a"], {"a": {"node": {"role": "none"}}}, "node", ["a"])
