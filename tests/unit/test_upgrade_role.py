"""What the role upgrade asks of its modules."""

from __future__ import annotations

import os
import subprocess
import sys
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


def nodes(*versions: str) -> dict[str, Any]:
    listed = [{"name": f"n{number}", "kubelet_version": f"v{version}"} for number, version in enumerate(versions)]
    return {"cluster": {"nodes": listed}}


@pytest.mark.parametrize(
    ("versions", "patches", "expected"),
    [
        (["1.35.2", "1.35.2"], False, True),
        (["1.36.1", "1.36.1"], False, False),
        (["1.36.1", "1.36.1"], True, True),
        (["1.36.5", "1.35.2"], False, True),
        # A single node has nowhere to drain to.
        (["1.35.2"], True, False),
    ],
)
def test_what_is_drained(tmp_path: Path, versions: list[str], patches: bool, expected: bool) -> None:
    inventory = {"hosts": {"cp-1": {"kubernetes_version": "1.36.5", "upgrade_drain_patches": patches}}}
    facts = {
        "system": "Linux",
        "__upgrade_cluster": nodes(*versions),
        "__upgrade_inventory": {"hosts": {f"h{number}": {"kubernetes_node_name": f"n{number}"} for number in range(2)}},
    }
    shown = render(tmp_path, "upgrade", inventory, facts, {"drains": "{{ __upgrade_drains }}"})
    assert shown["cp-1"]["drains"] is expected


BACKUP = {"host": "cp-1", "subject": "backup", "before": "", "after": "proven"}
STEP = {"host": "cp-1", "subject": "control plane", "before": "1.35.2", "after": "1.36.5"}
STAYS = {**BACKUP, "before": "a.tar was proven 12 minutes ago", "after": "stays"}


@pytest.mark.parametrize(
    ("due", "plan", "expected"),
    [
        ({"reason": STAYS["before"]}, [BACKUP, STEP], [STAYS, STEP]),
        ({"reason": ""}, [BACKUP, STEP], [BACKUP, STEP]),
        ({"skipped": True}, [STEP], [STEP]),
        ({"skipped": True}, [], []),
    ],
    ids=["a new one", "none that is new", "without", "nothing to do"],
)
def test_the_plan_tells_which_backup_stays(tmp_path: Path, due: Any, plan: Any, expected: Any) -> None:
    facts = {"system": "Linux", "__upgrade_report": {"plan": plan}, "__backup_due": due}
    shown = render(tmp_path, "upgrade", {"hosts": {"cp-1": {}}}, facts, {"plan": "{{ __upgrade_plan }}"})
    assert shown["cp-1"]["plan"] == expected


@pytest.mark.parametrize(
    ("failed", "allowed", "expected"),
    [
        ([], 0, True),
        (["w-1"], 0, False),
        (["w-1"], 1, True),
        (["w-1", "w-2"], 1, False),
        # A control plane always stops it.
        (["cp-1"], 5, False),
    ],
)
def test_how_many_may_fail(tmp_path: Path, failed: list[str], allowed: int, expected: bool) -> None:
    inventory = {
        "children": {"kube_control_plane": {"hosts": {"cp-1": {"upgrade_max_failures": allowed}}}},
        "vars": {"kubernetes_control_plane_group": "kube_control_plane"},
    }
    # What has failed is Ansible's to say, so it is given instead.
    goes_on = yaml.safe_load((ROOT / "roles/upgrade/vars/main.yml").read_text())["__upgrade_goes_on"]
    shown = render(
        tmp_path,
        "upgrade",
        inventory,
        {"system": "Linux"},
        {"goes_on": goes_on.replace("__upgrade_failed", str(failed))},
    )
    assert shown["cp-1"]["goes_on"] is expected


def test_the_images_that_are_known_before(tmp_path: Path) -> None:
    plan = [{"host": "cp-1", "subject": "control plane"}, {"host": "cp-1", "subject": "kubelet"}]
    plan.append({"host": "w-1", "subject": "kubelet"})
    hosts = {name: {"kubernetes_version": "1.21.0"} for name in ("cp-1", "w-1")}
    facts = {"system": "Linux", "__upgrade_report": {"plan": plan}}
    images = {"images": "{{ __upgrade_known_images }}"}
    shown = render(tmp_path, "upgrade", {"hosts": hosts}, facts, images)
    nodes_images = ["registry.k8s.io/kube-proxy:v1.21.0", "registry.k8s.io/pause:3.4.1"]
    assert shown["w-1"]["images"] == nodes_images
    assert shown["cp-1"]["images"] == [
        *(f"registry.k8s.io/kube-{name}:v1.21.0" for name in ("apiserver", "controller-manager", "scheduler")),
        *nodes_images,
    ]


def test_a_batch_comes_to_its_end_where_a_host_of_it_is_away(tmp_path: Path) -> None:
    """Else the others stay as they are in the middle of it, and the next batch does not begin either way."""
    role = ROOT / "roles" / "upgrade"
    first, turn = yaml.safe_load((role / "tasks" / "node.yml").read_text())
    of_role = yaml.safe_load((role / "vars" / "main.yml").read_text())
    steps = [
        {"name": "Reach it", "ansible.builtin.command": {"argv": ["true"]}},
        {
            "name": "Go on",
            "ansible.builtin.file": {"path": f"{tmp_path}/{{{{ inventory_hostname }}}}", "state": "touch"},
        },
    ]
    (tmp_path / "node.yml").write_text(yaml.safe_dump([first, {"name": "It", "when": turn["when"], "block": steps}]))
    play = {
        "hosts": "all",
        "gather_facts": False,
        "vars": {
            **{name: of_role[name] for name in ("__upgrade_failed", "__upgrade_goes_on")},
            "__upgrade_control_planes": [],
            "upgrade_max_failures": 0,
            "ansible_python_interpreter": sys.executable,
        },
        "tasks": [
            {
                "ansible.builtin.include_tasks": "node.yml",
                "loop": [["a", "away"], ["b"]],
                "loop_control": {"loop_var": "__upgrade_batch"},
            }
        ],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    hosts = "\n".join(f"{name} ansible_connection=local" for name in ("a", "b"))
    (tmp_path / "hosts").write_text(f"{hosts}\naway ansible_host=127.0.0.1 ansible_port=1\n")
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", f"--inventory={tmp_path}/hosts", str(tmp_path / "play.yml")],
        capture_output=True, text=True, check=False, env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
    )  # fmt: skip
    assert "away" in done.stdout, done.stderr
    assert [(tmp_path / name).exists() for name in ("a", "b")] == [True, False], done.stdout
