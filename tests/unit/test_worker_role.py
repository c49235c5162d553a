"""The role worker's look at labels and taints, with a stand-in for the module: what is not known is not unchanged."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "plugins" / "modules"
COLLECTION = "groundwork.kubernetes"
NODE = """
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule({"name": {}, "known": {"type": "bool"}}, supports_check_mode=True)
module.exit_json(changed=False, changed_nodes=[], known=module.params["known"], msg="the cluster cannot be asked")
"""


def tasks_of(path: Path) -> list[dict[str, Any]]:
    def walk(items: Any) -> list[dict[str, Any]]:
        found = []
        for item in items or []:
            inner = [name for name in ("block", "rescue", "always") if name in item]
            found += [one for name in inner for one in walk(item[name])] or [item]
        return found

    return walk(yaml.safe_load(path.read_text()))


def test_a_look_before_a_run_says_what_becomes_of_what_is_not_known() -> None:
    """A module that answers in check mode without the cluster has not seen that all is well."""
    looks = [
        (path, task)
        for path in (ROOT / "roles").glob("*/tasks/*.yml")
        for task in tasks_of(path)
        if task.get("check_mode") is True and task.get("register")
        for name in task
        if name.startswith(COLLECTION)
        if "not_known(" in (MODULES / f"{name.removeprefix(f'{COLLECTION}.')}.py").read_text()
    ]
    assert len(looks) >= 2
    for path, task in looks:
        assert ".known" in str(task.get("failed_when")) + str(task.get("until")), f"{path}: {task['name']}"


@pytest.mark.parametrize(
    ("known", "options", "code"), [(True, [], 0), (True, ["--check"], 0), (False, [], 2), (False, ["--check"], 0)]
)
def test_labels_that_cannot_be_read_end_the_run(tmp_path: Path, known: bool, options: list[str], code: int) -> None:
    modules = tmp_path / "ansible_collections" / "groundwork" / "kubernetes" / "plugins" / "modules"
    modules.mkdir(parents=True)
    (modules / "node.py").write_text(NODE)
    (look,) = [
        task
        for task in tasks_of(ROOT / "roles" / "worker" / "tasks" / "main.yml")
        if task["name"] == "See what labels and taints change there"
    ]
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{"hosts": "w-1", "gather_facts": False, "tasks": [look]}]))
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "__worker_helper": "w-1",
        "__worker_joining": [],
        "__worker_has_settings": True,
        "__worker_node_options": {"name": "w-1", "known": known},
    }
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": {"w-1": {}}, "vars": variables}}))
    settings = {"ANSIBLE_COLLECTIONS_PATH": str(tmp_path), "ANSIBLE_INJECT_FACT_VARS": "false"}
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "--inventory=inventory.yml", "play.yml", *options],
        check=False,
        capture_output=True,
        text=True,
        env={**{name: value for name, value in os.environ.items() if name != "ANSIBLE_CONFIG"}, **settings},
        cwd=tmp_path,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert code == 0 or "the cluster cannot be asked" in done.stdout
