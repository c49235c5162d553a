"""What goes host by host ends at the first host that fails: the roles' form, and what Ansible does with it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TASKS = [*(ROOT / "roles").glob("*/tasks/*.yml"), *(ROOT / "playbooks").glob("*.yml")]
COLLECTION = "groundwork.kubernetes"
BUILTIN = "ansible.builtin"
# What takes a part of a running cluster away for a while, so that one host at a time may do it.
DISRUPTIVE = {
    # Where no host is a control plane, the one that begins disrupts nothing.
    f"{COLLECTION}.kubeadm_init": lambda task: (
        not task.get("check_mode") and "__control_plane_ready | length == 0" not in (task.get("when") or "")
    ),
    f"{COLLECTION}.kubeadm_join": lambda task: "control_plane_config" in (task[f"{COLLECTION}.kubeadm_join"] or {}),
    f"{COLLECTION}.kubeadm_repair": lambda task: "etcd_data_dir" in task[f"{COLLECTION}.kubeadm_repair"],
    f"{COLLECTION}.etcd_service": lambda task: task[f"{COLLECTION}.etcd_service"]["state"] == "restarted",
}
OLDER = Path(sys.executable).with_name("ansible-playbook")
NEWER = ROOT / ".build" / "venv-newer" / "bin" / "ansible-playbook"

MODULE = """
import os
from ansible.module_utils.basic import AnsibleModule

names = ("documents", "kubelet_patch", "content", "skip_phases", "ignore_preflight_errors", "timeout")
module = AnsibleModule({name: {"type": "raw"} for name in names}, supports_check_mode=True)
host, wish = module.params["content"]["host"], module.params["content"]["wish"]
with open(os.path.join(os.environ["TURNS"], "log"), "a") as log:
    log.write(f"{'looks' if module.check_mode else 'begins'} {host}\\n")
if not module.check_mode:
    if wish == "fails":
        module.fail_json(msg="no such flag")
    with open(os.path.join(os.environ["TURNS"], "log"), "a") as log:
        log.write(f"ends {host}\\n")
action = "none" if wish == "none" else "reconcile"
module.exit_json(changed=action != "none", action=action)
"""
FILTER = """
class FilterModule:
    def filters(self):
        return {"kubeadm_skip_phases": lambda documents, version: []}
"""


def tasks_of(path: Path) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each task of a file with the blocks, and the play, around it."""

    def walk(items: Any, around: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
        for item in items or []:
            inner = [name for name in ("block", "rescue", "always", "tasks", "pre_tasks", "post_tasks") if name in item]
            for name in inner:
                yield from walk(item[name], [*around, item])
            if not inner:
                yield item, around

    yield from walk(yaml.safe_load(path.read_text()), [])


@pytest.mark.parametrize("path", TASKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_throttled(path: Path) -> None:
    """With throttle the next host has its turn after a failure too, whatever any_errors_fatal says."""
    assert [
        task.get("name") for task, around in tasks_of(path) if any("throttle" in one for one in [task, *around])
    ] == []


def turns(path: Path) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    for task, around in tasks_of(path):
        if str(task.get("loop_control", {}).get("loop_var", "")).endswith("_turn"):
            yield task, around


def test_turns_are_passes_of_a_looped_include_of_which_each_host_has_its_own() -> None:
    found = [(task, around) for path in TASKS for task, around in turns(path)]
    assert len(found) >= 5
    for task, around in found:
        assert "ansible.builtin.include_tasks" in task, task["name"]
        # Hosts with the same item would go through the file together.
        assert task["loop"].startswith("{{ [inventory_hostname]"), task["name"]
        assert any(block.get("any_errors_fatal") is True for block in around), task["name"]


def serial(path: Path) -> Iterator[Path]:
    """The roles' tasks that a play runs on one host at a time, and on no further one after a failure."""
    for task, around in tasks_of(path):
        if any(play.get("serial") == 1 and play.get("any_errors_fatal") is True for play in around):
            role = task.get("ansible.builtin.import_role") or task.get("ansible.builtin.include_role")
            if role:
                folder = ROOT / "roles" / role["name"].rpartition(".")[2] / "tasks"
                yield folder / f"{role.get('tasks_from', 'main')}.yml"


def test_what_disrupts_is_done_in_turns() -> None:
    by_turn = {path.parent / task["ansible.builtin.include_tasks"] for path in TASKS for task, _around in turns(path)}
    by_turn |= {tasks for path in TASKS for tasks in serial(path)}
    seen = set()
    for path in TASKS:
        for task, _around in tasks_of(path):
            for module, disrupts in DISRUPTIVE.items():
                if module in task and disrupts(task):
                    assert path in by_turn, f"{path}: {task['name']}"
                    seen.add(module)
    assert seen == set(DISRUPTIVE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A play that uses the role's own tasks, without any_errors_fatal, and a module that only writes down its turns."""
    plugins = tmp_path / "ansible_collections" / "groundwork" / "kubernetes" / "plugins"
    for path, text in ((plugins / "modules" / "kubeadm_init.py", MODULE), (plugins / "filter" / "skip.py", FILTER)):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    tasks = ROOT / "roles" / "control_plane" / "tasks"
    play = {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [
            {"ansible.builtin.include_tasks": f"{tasks}/apply.yml"},
            {"ansible.builtin.shell": "echo after {{ inventory_hostname }} >> {{ lookup('env', 'TURNS') }}/log"},
        ],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    return tmp_path


@pytest.mark.parametrize(
    ("program", "wishes", "options", "counts"),
    [
        (OLDER, {"a": "change", "b": "none", "c": "change"}, [], {"looks": 3, "begins": 2, "ends": 2, "after": 3}),
        (OLDER, {"a": "change", "b": "change", "c": "none"}, ["--check"], {"looks": 5}),
        (OLDER, {"a": "fails", "b": "fails", "c": "none"}, [], {"looks": 3, "begins": 1}),
        (NEWER, {"a": "fails", "b": "fails", "c": "none"}, [], {"looks": 3, "begins": 1}),
    ],
)
def test_turns_end_at_the_first_that_fails(
    folder: Path, program: Path, wishes: dict[str, str], options: list[str], counts: dict[str, int]
) -> None:
    if not program.exists():
        pytest.skip("there is no newer ansible-core")
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "kubernetes_version": "1.36.0",
        "__control_plane_joining": [],
        "__control_plane_init_options": {"content": {"host": "{{ inventory_hostname }}", "wish": "{{ wish }}"}},
    }
    hosts = {name: {"wish": wish} for name, wish in wishes.items()}
    (folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": variables}}))
    settings = {"ANSIBLE_COLLECTIONS_PATH": str(folder), "ANSIBLE_INJECT_FACT_VARS": "false", "TURNS": str(folder)}
    environment = {name: value for name, value in os.environ.items() if name != "ANSIBLE_CONFIG"}
    done = subprocess.run(
        [program, "--inventory=inventory.yml", "play.yml", *options],
        check=False,
        capture_output=True,
        text=True,
        env={**environment, **settings},
        cwd=folder,
    )
    assert done.returncode == (2 if "fails" in wishes.values() else 0), done.stdout + done.stderr
    log = [line.split() for line in (folder / "log").read_text().splitlines()]
    assert {word: sum(word == first for first, _host in log) for word, _host in log} == counts
    # A host begins when the one before has ended.
    turns_taken = [line for line in log if line[0] in ("begins", "ends")]
    for begun, ended in zip(turns_taken[::2], turns_taken[1::2], strict=False):
        assert (begun[0], ended[0], begun[1]) == ("begins", "ends", ended[1])
    if options == ["--check"]:
        assert [line.count("changed=1") for line in done.stdout.partition("PLAY RECAP")[2].splitlines()[1:4]] == [
            1,
            1,
            0,
        ]


STEP = """
import os
from ansible.module_utils.basic import AnsibleModule

names = ("server", "content", "timeout", "documents", "labels", "name", "names", "wait_for")
module = AnsibleModule({name: {"type": "raw"} for name in names}, supports_check_mode=True)
with open(os.path.join(os.environ["TURNS"], "log"), "a") as log:
    log.write(f"STEP {os.environ['NODE']}\\n")
if os.environ["WISH"] == "STEP":
    module.fail_json(msg="not so")
module.exit_json()
"""
ALL = ["kubeadm_repair", "kubeadm_join", "node", "node_info"]


@pytest.mark.parametrize(
    ("program", "wish", "reached"),
    [
        (OLDER, "", {"a", "b", "c"}),
        (OLDER, "kubeadm_repair", {"a"}),
        (NEWER, "kubeadm_join", {"a"}),
        (OLDER, "node_info", {"a"}),  # it does not get ready with its labels and taints
    ],
)
def test_the_first_worker_ends_the_play_for_the_others(
    tmp_path: Path, program: Path, wish: str, reached: set[str]
) -> None:
    if not program.exists():
        pytest.skip("there is no newer ansible-core")
    modules = tmp_path / "ansible_collections" / "groundwork" / "kubernetes" / "plugins" / "modules"
    modules.mkdir(parents=True)
    for name in ALL:
        (modules / f"{name}.py").write_text(STEP.replace("STEP", name))
    tasks = ROOT / "roles" / "worker" / "tasks"
    loop = next(
        task
        for task, _around in tasks_of(tasks / "main.yml")
        if "apply.yml" in str(task.get(f"{BUILTIN}.include_tasks"))
    )
    play = {
        "hosts": "all",
        "gather_facts": False,
        "environment": {"NODE": "{{ inventory_hostname }}", "WISH": "{{ wish }}"},
        "tasks": [{**loop, f"{BUILTIN}.include_tasks": f"{tasks}/apply.yml"}],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "worker_timeout": 9,
        "__worker_changes": {"batches": [["a"], ["b", "c"]], "lost": ["a", "b", "c"], "settings": ["a", "b", "c"]},
        "__worker_due": {"action": "reconcile"},
        "__worker_settings_due": {"nodes": [{"ready": True}]},
        "__worker_own": {"kubernetes_node_name": "{{ inventory_hostname }}"},
        "__worker_helper": "c",
        **{f"__worker_{name}": {} for name in ("server", "repair_config", "join_options", "node_options")},
    }
    hosts = {name: {"wish": wish if name == "a" else ""} for name in "abc"}
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": variables}}))
    settings = {"ANSIBLE_COLLECTIONS_PATH": str(tmp_path), "ANSIBLE_INJECT_FACT_VARS": "false", "TURNS": str(tmp_path)}
    environment = {name: value for name, value in os.environ.items() if name != "ANSIBLE_CONFIG"}
    done = subprocess.run(
        [program, "--inventory=inventory.yml", "play.yml"],
        check=False,
        capture_output=True,
        text=True,
        env={**environment, **settings},
        cwd=tmp_path,
    )
    assert done.returncode == (2 if wish else 0), done.stdout + done.stderr
    log = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    steps = ALL[: ALL.index(wish) + 1] if wish else ALL
    assert log[: len(steps)] == [[step, "a"] for step in steps]
    assert {host for _step, host in log} == reached


@pytest.mark.parametrize("path", TASKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_host_that_may_be_away_ends_no_play(path: Path) -> None:
    """With run_once or any_errors_fatal Ansible ends the play where a host is away, in part without a word."""
    for task, around in tasks_of(path):
        if not task.get("ignore_unreachable"):
            continue
        assert task.get("any_errors_fatal") is False, task["name"]
        assert not task.get("run_once"), task["name"]
        assert not any(block.get("run_once") for block in around), task["name"]


AWAY = """
- hosts: a:b
  gather_facts: false
  any_errors_fatal: true
  tasks:
    - name: Ask
      ansible.builtin.ping:
      loop: "{{ ['away', 'a'] if inventory_hostname == ansible_play_batch | first else [] }}"
      delegate_to: '{{ item }}'
      ignore_unreachable: true
      any_errors_fatal: false
      register: asked
    - name: Go on
      ansible.builtin.debug:
        msg: "went on with {{ answers | selectattr('ping', 'defined') | map(attribute='item') | join }}"
      vars:
        seen: "{{ ansible_play_hosts_all | map('extract', hostvars) | selectattr('asked.results', 'defined') }}"
        answers: "{{ seen | map(attribute='asked.results') | flatten(1) }}"
"""


def test_a_play_goes_on_where_a_host_is_away(tmp_path: Path) -> None:
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    away = {"ansible_host": "127.0.0.1", "ansible_port": 1}
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": {"a": here, "b": here, "away": away}}}))
    (tmp_path / "play.yml").write_text(AWAY)
    for program in filter(Path.exists, (OLDER, NEWER)):
        done = subprocess.run(
            [program, "-i", "inventory.yml", "play.yml"],
            cwd=tmp_path,
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("went on with a") == 2, done.stdout


SERIAL = """
- hosts: b:away:a
  serial: 1
  gather_facts: false
  any_errors_fatal: true
  tasks:
    - ansible.builtin.include_tasks: first.yml
    - ansible.builtin.ping:
    - ansible.builtin.debug:
        msg: went on with {{ inventory_hostname }}
"""


def lost(tmp_path: Path, program: Path) -> str:
    """What Ansible says of the play, with a host that cannot be reached; it must fail."""
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    away = {"ansible_host": "127.0.0.1", "ansible_port": 1}
    groups = {
        "kube_control_plane": {"hosts": {"b": here, "away": away}},
        "kube_node": {"hosts": {"a": here}},
    }
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump({"all": {"children": groups}}))
    settings = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "collections"), "ANSIBLE_CONFIG": "none.cfg"}
    done = subprocess.run(
        [program, "-i", "inventory.yml", "play.yml"],
        cwd=tmp_path,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert re.search("The run has ended for [a-z, ]*away", said), said
    return said


@pytest.mark.parametrize(
    "path",
    [
        "roles/migrate_runtime/tasks/host.yml",
        "roles/reboot/tasks/host.yml",
        "roles/certificates/tasks/control_plane.yml",
        "roles/certificates/tasks/rotation_control_plane.yml",
    ],
)
def test_a_host_that_cannot_be_reached_ends_a_play_of_batches(tmp_path: Path, path: str) -> None:
    """Ansible itself goes on with the next batch, whatever any_errors_fatal says."""
    (tmp_path / "play.yml").write_text(SERIAL)
    (tmp_path / "first.yml").write_text(yaml.safe_dump(yaml.safe_load((ROOT / path).read_text())[:1]))
    for program in filter(Path.exists, (OLDER, NEWER)):
        said = lost(tmp_path, program)
        assert ("went on with b" in said, "went on with a" in said) == (True, False), said


PLAYS = """
- hosts: kube_control_plane
  gather_facts: false
  any_errors_fatal: true
  tasks:
    - ansible.builtin.ping:
- ansible.builtin.import_playbook: {lost}
- hosts: kube_node
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: went on with {{{{ inventory_hostname }}}}
"""


def test_a_host_that_cannot_be_reached_ends_the_plays_of_others(tmp_path: Path) -> None:
    """Ansible itself goes on with plays of other hosts, whatever any_errors_fatal says."""
    (tmp_path / "play.yml").write_text(PLAYS.format(lost=ROOT / "playbooks" / "plays" / "lost_hosts.yml"))
    for program in filter(Path.exists, (OLDER, NEWER)):
        assert "went on with a" not in lost(tmp_path, program)


@pytest.mark.parametrize(
    ("playbook", "tasks_from", "before"),
    [
        ("site", "begin", "Install the container runtime and Kubernetes' programs on new workers"),
        ("site", "finish", "Join the workers"),
        ("rotate_ca", "rotation_control_plane", "Do the stage in the cluster"),
        ("rotate_ca", "rotation_cluster", "Do the stage on the workers"),
    ],
)
def test_workers_come_after_it_was_seen_that_no_control_plane_was_lost(
    playbook: str, tasks_from: str, before: str
) -> None:
    plays = yaml.safe_load((ROOT / "playbooks" / f"{playbook}.yml").read_text())
    place = next(number for number, play in enumerate(plays) if play["name"] == before)
    assert plays[place - 1].get("ansible.builtin.import_playbook") == "plays/lost_hosts.yml"
    roles = [
        task["ansible.builtin.import_role"]
        for task in plays[place - 2]["tasks"]
        if "ansible.builtin.import_role" in task
    ]
    assert tasks_from in [role.get("tasks_from") for role in roles]
