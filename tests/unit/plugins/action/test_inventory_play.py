"""The first play of every playbook, run by real Ansible: what it sees of the inventory, also under --limit."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[4]
FIRST = ROOT / "playbooks" / "plays" / "inventory.yml"
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
Play = Callable[..., Any]


def inventory(groups: dict[str, list[str]], **variables: Any) -> dict[str, Any]:
    children = {name: {"hosts": {host: {} for host in hosts}} for name, hosts in groups.items()}
    return {"all": {"vars": {**LOCAL, **variables}, "children": children}}


SOUND = {"kube_control_plane": ["cp1"], "kube_node": ["w1"], "web": ["a"]}
CASES: dict[str, tuple[dict[str, Any], list[str], int, str]] = {
    "sound, but for a host of others": (inventory(SOUND), [], 0, "[host-unplaced] a is in none"),
    "let pass": (inventory(SOUND, preflight_ignore=["host-unplaced"]), [], 0, ""),
    "misspelt": (inventory({"kube_control_plan": ["cp1"]}), [], 2, "error [group-similar] the group kube_control_plan"),
    "a limit to a host of others": (inventory(SOUND), ["--limit", "a"], 2, "error [run-empty] nothing would be done"),
    "a limit to a worker": (inventory(SOUND), ["--limit", "w1"], 0, ""),
    "a tag": (inventory(SOUND), ["--tags", "workers"], 2, "error [tag-unknown] no task has the tag workers of --tags"),
    "a tag to skip": (inventory(SOUND), ["--skip-tags", "etcd"], 0, "no task has the tag etcd of --skip-tags"),
    "no host": (
        {"all": {"children": {"kube_control_plane": {}}}},
        [],
        2,
        "error [group-missing] the inventory has no host",
    ),
    "a name in the inventory": (
        inventory({"masters": ["cp1"]}, kubernetes_control_plane_group="masters"),
        [],
        2,
        "error [group-variable] kubernetes_control_plane_group is masters on cp1",
    ),
    "a name on the command line": (
        inventory({"masters": ["cp1"]}),
        ["-e", "kubernetes_control_plane_group=masters"],
        0,
        "",
    ),
}
BAD = {"kubernetes_pod_cidr": "10.244.0.0", "kubernetes_version": "latest", "verify_timeout": "abc"}
ALL = ["-e", "__inventory_variables=all"]
VARIABLES: dict[str, tuple[dict[str, Any], list[str], list[str], list[str]]] = {
    "sound": ({"kubernetes_pod_cidr": "10.244.0.0/16"}, [], [], []),
    "a near miss": ({}, ["-e", "remove_node_power_off=w1"], ["[unknown-variable] remove_node_power_off"], []),
    "names and types at once": (
        {"verify_timeout": "abc"},
        ["-e", "verify_imge=foo", "-e", "backup_keep=foo"],
        ["[value-invalid] verify_timeout:", "[unknown-variable] verify_imge", "[value-invalid] backup_keep"],
        [],
    ),
    "what facts would tell": ({"kubernetes_node_ip": "{{ ansible_facts.default_ipv4.address }}"}, ALL, [], []),
    "the cluster as it is used": (BAD, [], ["verify_timeout"], ["kubernetes_pod_cidr", "kubernetes_version"]),
    "the cluster as it is built": (
        BAD,
        ALL,
        [
            "[value-invalid] verify_timeout",
            "[cidr-invalid] kubernetes_pod_cidr",
            "[version-invalid] kubernetes_version",
        ],
        [],
    ),
    "let pass": ({"preflight_ignore": ["value-invalid"], "verify_timeout": "abc"}, [], [], ["error ["]),
}


@pytest.mark.parametrize("name", VARIABLES)
def test_variables_before_any_host_is_reached(play: Play, tmp_path: Path, name: str) -> None:
    """The hosts' address answers nobody."""
    values, options, said, unsaid = VARIABLES[name]
    hosts = inventory({"kube_control_plane": ["cp1"], "kube_node": ["w1"]}, **values, ansible_connection="ssh")
    hosts["all"]["vars"] = {"ansible_host": "192.0.2.1", **hosts["all"]["vars"]}
    done = play(tmp_path, FIRST, *options, inventory=hosts)
    assert (done.rc != 0) == bool(said), done.output
    assert all(text in done.output for text in said), done.output
    assert not any(text in done.output for text in unsaid), done.output


def test_variables_of_hosts_of_others_are_theirs(play: Play, tmp_path: Path) -> None:
    hosts = inventory(SOUND)
    hosts["all"]["children"]["web"]["vars"] = {"worker_lables": {}}
    done = play(tmp_path, FIRST, inventory=hosts)
    assert done.rc == 0, done.output


@pytest.mark.parametrize("name", CASES)
def test_the_first_play(play: Play, tmp_path: Path, name: str) -> None:
    hosts, options, rc, expected = CASES[name]
    done = play(tmp_path, FIRST, *options, inventory=hosts)
    assert done.rc == rc, done.output
    assert expected in done.output
    assert ("unplaced" in done.output) == ("unplaced" in expected or "limit to a worker" in name or "a tag" in name)


def test_a_tag_that_an_import_gives(play: Play, tmp_path: Path) -> None:
    (tmp_path / "site.yml").write_text(yaml.safe_dump([{"import_playbook": str(FIRST), "tags": ["k8s"]}]))
    done = play(tmp_path, tmp_path / "site.yml", "--tags", "k8s", inventory=inventory(SOUND))
    assert (done.rc, "host-unplaced" in done.output) == (0, True), done.output


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_playbook_begins_with_it(path: Path) -> None:
    first = yaml.safe_load(path.read_text())[0]
    # Those that install by the variables of all roles.
    judged = {"vars": {"__inventory_variables": "all"}} if path.stem in {"site", "migrate_runtime"} else {}
    assert first == {"name": "Judge the inventory", "ansible.builtin.import_playbook": "plays/inventory.yml", **judged}
