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


ROTATE = PLAYBOOK.with_name("rotate_ca.yml")
OLD, NEW = ({"fingerprint": one * 64, "key_id": one * 40, "ends": 4e9, "pem": f"PEM {one}\n"} for one in "ab")
PKI = "/etc/kubernetes/pki"


def trust(*trusted: dict[str, Any], role: str = "control_plane") -> dict[str, Any]:
    """What ca_rotation_info returns of a host before a rotation, or after its stage trust."""
    rotating, plane = len(trusted) > 1, role == "control_plane"
    signing = f"{PKI}/rotation/signing.crt" if rotating else f"{PKI}/ca.crt"
    state = {
        "role": role,
        "authorities": list(trusted),
        "has_key": plane,
        "next": [NEW] if rotating and plane else [],
        "next_has_key": rotating and plane,
        "signs_with_next": False,
        "signing": OLD["fingerprint"] if rotating and plane else "",
        "signing_file": signing if plane else "",
        "signing_running": [signing] if plane else [],
        "trusts": {"/etc/kubernetes/admin.conf": [one["fingerprint"] for one in trusted]},
        "issued": {"kubelet-client": OLD["key_id"]},
        "shown": [OLD["fingerprint"]] if plane else [],
        "old": [],
        "errors": [],
    }
    return {"changed": False, "state": state}


@pytest.mark.parametrize(
    ("trusted", "stage", "expected"),
    [
        ((OLD,), "", {"hosts": [], "next": "", "new": "PEM made\n"}),
        ((OLD,), "trust", {"hosts": ["cp-1", "w-1"], "next": "", "new": "PEM made\n"}),
        ((OLD, NEW), "trust", {"hosts": [], "next": "issue", "new": "PEM b\n"}),
        ((OLD, NEW), "issue", {"hosts": ["cp-1", "w-1"], "next": "issue", "new": "PEM b\n"}),
    ],
)
def test_the_rotation_goes_by_what_was_read(
    tmp_path: Path, trusted: tuple[dict[str, Any], ...], stage: str, expected: dict[str, Any]
) -> None:
    variables = {"certificates_rotation": stage}
    hosts: dict[str, Any] = {
        "kube_control_plane": {"hosts": {"cp-1": {}}, "vars": variables},
        "kube_node": {"hosts": {"w-1": {}}, "vars": variables},
    }
    holders = {"holders": {"configmap kube-public/cluster-info": [one["fingerprint"] for one in trusted]}}
    registered = {
        "__certificates_trust": {"cp-1": trust(*trusted), "w-1": trust(*trusted, role="worker")},
        "__certificates_new_authority": {"cp-1": {"authority": "PEM made\n"}},
        "__certificates_holders": {
            "cp-1": {**holders, "since": "2026", "old_pods": [], "nodes": {"cp-1": True, "w-1": True}}
        },
        "__certificates_rotated": {"cp-1": {"seconds": 2.5}},
    }
    by_host: dict[str, dict[str, Any]] = {"cp-1": {}, "w-1": {}}
    for name, values in registered.items():
        for host, value in values.items():
            by_host[host][name] = value
    for group in hosts.values():
        for host, facts in group["hosts"].items():
            facts.update({f"fact_of_{name}": value for name, value in by_host[host].items()})
    shown = render(
        tmp_path,
        "certificates",
        {"children": hosts},
        {name: f"{{{{ fact_of_{name} | default({{}}) }}}}" for name in registered},
        {
            "plan": "{{ __certificates_rotation_plan }}",
            "new": "{{ __certificates_new }}",
            "seconds": "{{ __certificates_rotation_seconds }}",
            "helper": "{{ __certificates_rotation_hosts.helper }}",
        },
    )["w-1"]
    plan = shown["plan"]
    assert ({"hosts": plan["hosts"], "next": plan["next"], "new": shown["new"]}, plan["faults"]) == (expected, [])
    assert (shown["seconds"], shown["helper"]) == ({"cp-1": 2.5}, "cp-1")


def test_a_rotation_takes_one_control_plane_at_a_time_and_workers_last() -> None:
    parts = [
        (task["ansible.builtin.import_role"]["tasks_from"], play.get("serial"), play.get("any_errors_fatal"))
        for play in yaml.safe_load(ROTATE.read_text())
        for task in play.get("tasks", [])
    ]
    assert [part for part, *_more in parts] == [
        "rotation", "rotation_begin", "rotation_control_plane", "rotation_cluster", "rotation_nodes",
        "kubelet_certificates", "rotation_copies", "rotation_report",
    ]  # fmt: skip
    assert ("rotation_control_plane", 1, True) in parts
