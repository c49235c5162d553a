"""What the playbook and the role certificates make of the hosts, in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.groundwork.kubernetes.tests.unit.rendering import render

PLAYBOOK = Path(__file__).resolve().parents[2] / "playbooks" / "certificates.yml"
PART = "groundwork.kubernetes.certificates"


def test_control_planes_take_their_turns_in_the_order_of_the_plan() -> None:
    """Of an include that hosts loop over, the host has the first turn that has answered first."""
    plays = {
        task["ansible.builtin.import_role"]["tasks_from"]: play
        for play in yaml.safe_load(PLAYBOOK.read_text())
        for task in play.get("tasks", [])
        if task["ansible.builtin.import_role"]["name"] == PART
    }
    turn = plays["control_plane"]
    assert (turn["serial"], turn["any_errors_fatal"]) == (1, True)
    assert list(plays).index("ended") < list(plays).index("control_plane") < list(plays).index("nodes")


SKIPPED = {"skipped": True, "changed": False}


@pytest.mark.parametrize(
    ("facts", "seconds"),
    [
        ({"renewal": {"seconds": 12.5}, "ended": SKIPPED, "kubelet": SKIPPED}, 12.5),
        ({"renewal": {"seconds": 0.3}, "ended": {"seconds": 7.0}, "kubelet": {"seconds": 1.0}}, 7.0),
        ({"renewal": SKIPPED, "ended": SKIPPED, "kubelet": {"seconds": 6.0}}, 6.0),
    ],
    ids=["in its turn", "ended", "kubelet only"],
)
def test_seconds_are_those_of_the_renewal(tmp_path: Path, facts: dict[str, Any], seconds: float) -> None:
    inventory = {"children": {"kube_control_plane": {"hosts": {"cp-1": {}}}}}
    registered = {f"__certificates_{name}": value for name, value in facts.items()}
    shown = render(tmp_path, "certificates", inventory, registered, {"seconds": "{{ __certificates_seconds }}"})
    assert shown["cp-1"]["seconds"] == {"cp-1": seconds}
