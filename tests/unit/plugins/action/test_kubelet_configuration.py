"""The action kubelet_configuration in real plays: inventory, role defaults, limits and facts that are missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[4]
SHUTDOWN = {"shutdownGracePeriod": "30s", "shutdownGracePeriodCriticalPods": "10s"}
FACT = "{{ ansible_facts['memtotal_mb'] // 20 }}Mi"


def ask(
    folder: Path,
    inventory: dict[str, dict[str, Any]],
    hosts: str = "all",
    limit: str = "all",
    play_variables: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What the module gives in a play of some hosts.

    Args:
        folder: where the play is put.
        inventory: control planes, and a worker w1, with their variables.
        hosts: the play's hosts.
        limit: which of them are run.
        play_variables: what the play sets.
    """
    role = folder / "roles" / "asks"
    (role / "tasks").mkdir(parents=True)
    (role / "defaults").mkdir()
    (role / "defaults" / "main.yml").write_text((ROOT / "roles/kubernetes/defaults/main.yml").read_text())
    task = {
        "groundwork.kubernetes.kubelet_configuration": {"control_planes": "{{ groups['kube_control_plane'] }}"},
        "register": "found",
        "run_once": True,
    }
    result = {"ansible.builtin.copy": {"content": "{{ found | to_json }}", "dest": f"{folder}/out", "mode": "0600"}}
    (role / "tasks" / "main.yml").write_text(yaml.safe_dump([task, {**result, "run_once": True}]))
    play = {"hosts": hosts, "gather_facts": False, "roles": ["asks"], "vars": play_variables or {}}
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    own = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    groups = {
        "kube_control_plane": {"hosts": {name: more for name, more in inventory.items() if name != "w1"}},
        "kube_node": {"hosts": {"w1": inventory.get("w1", {})}},
    }
    (folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"vars": own, "children": groups}}))
    program = Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run(
        [program, "--inventory", folder / "inventory.yml", "--limit", limit, folder / "play.yml"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_ROLES_PATH": str(folder / "roles")},
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads((folder / "out").read_text())
    return {"configuration": found["configuration"], "differs": found["differs"]}


def setting(**fields: Any) -> dict[str, Any]:
    return {"kubernetes_kubelet_configuration": fields}


@pytest.mark.parametrize(
    ("inventory", "options", "configuration", "differs"),
    [
        pytest.param({"cp1": {}}, {}, {"cgroupDriver": "systemd"}, False, id="defaults"),
        pytest.param(
            {"cp1": setting(maxPods=5, podsPerCore="{{ 2 + 1 }}"), "w1": setting(maxPods=9)},
            {"limit": "w1", "hosts": "kube_node", "play_variables": setting(maxPods=7)},
            {"cgroupDriver": "systemd", "maxPods": 5, "podsPerCore": 3},
            False,
            id="a play of workers",
        ),
        pytest.param(
            {"cp1": {}, "cp2": {}},
            {"limit": "cp2", "hosts": "kube_control_plane", "play_variables": setting(maxPods=7)},
            {"cgroupDriver": "systemd", "maxPods": 7},
            False,
            id="what the play of the control planes sets",
        ),
        pytest.param(
            {"cp1": setting(maxPods=5, a={"b": 1, "c": 2}), "cp2": setting(a={"c": 2}), "cp3": setting(a={"c": 2})},
            {"limit": "cp3"},
            {"cgroupDriver": "systemd", "a": {"c": 2}},
            True,
            id="what they share",
        ),
        pytest.param(
            {"cp1": setting(maxPods=5, systemReserved={"memory": FACT, "cpu": 1})},
            {"limit": "w1"},
            {"cgroupDriver": "systemd", "maxPods": 5, "systemReserved": {"cpu": "1"}},
            False,
            id="facts of a host that is not there",
        ),
    ],
)
def test_configuration(
    tmp_path: Path,
    inventory: dict[str, dict[str, Any]],
    options: dict[str, Any],
    configuration: dict[str, Any],
    differs: bool,
) -> None:
    expected = {"configuration": {**SHUTDOWN, **configuration}, "differs": differs}
    assert ask(tmp_path, inventory, **options) == expected
