"""The role's tasks between facts and report, by real Ansible: each host is a network namespace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from .test_real_ports import HERE, ROOT, THERE, Hosts, gone, hosts  # noqa: F401  a fixture

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes network namespaces")

TASKS = yaml.safe_load((ROOT / "roles/preflight/tasks/main.yml").read_text())
FIRST = next(number for number, task in enumerate(TASKS) if task["name"].startswith("Plan which ports"))
SETTINGS = {
    "a": {"roles": ["control_plane", "etcd"], "kubernetes_node_ip": HERE, "kubernetes_version": "1.36.5"},
    "b": {"roles": ["worker"], "kubernetes_node_ip": THERE, "kubernetes_version": "1.36.5"},
}
# Both hosts are this machine.
SHARED = [
    "duplicate-hostname",
    "duplicate-machine-id",
    "duplicate-product-uuid",
    "systemd-missing",
    "cgroup-v1",
    "etcd-leftover",
]


JOINED = {"kubelet_conf": True, "etcd_data": True, "node": {"role": "worker", "interrupted": "", "missing": []}}


def play(
    hosts: Hosts,  # noqa: F811
    folder: Path,
    *ignored: str,
    cluster: dict[str, Any] | None = None,
) -> tuple[int, dict[str, Any]]:
    """Run the tasks; the exit code, and the results by task and host."""
    joined = "{{ __preflight_host | combine({'host': {'cluster': " + str(cluster or {}) + "}}, recursive=true) }}"
    named = {}
    for host in ("a", "b"):
        wrapper = folder / f"python-{host}"
        wrapper.write_text(f'#!/bin/sh\nexec ip netns exec {hosts.names[host]} {sys.executable} "$@"\n')
        wrapper.chmod(0o755)
        named[host] = {"ansible_connection": "local", "ansible_python_interpreter": str(wrapper)}
    tasks = TASKS[FIRST : 1 + next(number for number, task in enumerate(TASKS) if task["name"] == "Check all hosts")]
    tasks[-1]["groundwork.kubernetes.preflight_report"]["ignore"] = [*SHARED, *ignored]
    content = [
        {
            "hosts": "all",
            "gather_facts": False,
            "any_errors_fatal": True,
            "vars": {"preflight_connect_timeout": 2},
            "vars_files": [str(ROOT / "roles/preflight/vars/main.yml")],
            "tasks": [
                {"name": "facts", "groundwork.kubernetes.host_facts": {}, "register": "__preflight_host"},
                {
                    "name": "settings",
                    "ansible.builtin.set_fact": {
                        "__preflight_inputs": {"settings": SETTINGS},
                        "__preflight_host": joined,
                    },
                },
                *tasks,
            ],
        }
    ]
    (folder / "play.yml").write_text(yaml.safe_dump(content, sort_keys=False))
    (folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": named}}))
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(folder / "none.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "collections"),
    }
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "inventory.yml", "play.yml"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    start = done.stdout.find("{")
    assert start >= 0, done.stdout + done.stderr
    results = json.loads(done.stdout[start:])["plays"][0]["tasks"]
    return done.returncode, {task["task"]["name"]: task["hosts"] for task in results}


def said(results: dict[str, Any]) -> list[str]:
    """What the report says of ports."""
    report = results["Check all hosts"]["a"]
    lines = [*report["msg"].splitlines(), *report.get("warnings", [])]
    return [line.strip() for line in lines if "[port-" in line or "[path-mtu]" in line]


def test_open_ways_are_no_fault_and_nothing_stays(hosts: Hosts, tmp_path: Path) -> None:  # noqa: F811
    """And nobody has to be ended."""
    rc, results = play(hosts, tmp_path, *[f"{name}-missing" for name in ("program", "machine-id", "node-address")])
    assert said(results) == []
    assert rc == 0, results["Check all hosts"]
    probes = results["Try the ports of the other hosts, and the size of packets"]
    assert {name: (probe["closed"], probe["untold"]) for name, probe in probes.items()} == {
        "a": ([], []),
        "b": ([], []),
    }
    assert all(
        result.get("skipped") for result in results["End what still listens for hosts that could not reach it"].values()
    )
    assert gone(hosts)


def test_closed_ways_are_all_named_and_nothing_stays(hosts: Hosts, tmp_path: Path) -> None:  # noqa: F811
    """Also where one is ignored."""
    hosts.run("b", "iptables", "-A", "INPUT", "-p", "tcp", "--dport", "10250", "-j", "DROP")
    hosts.run("a", "iptables", "-A", "INPUT", "-p", "tcp", "--dport", "6443", "-j", "DROP")
    rc, results = play(hosts, tmp_path)
    assert rc == 2
    advice = "let it pass in the firewalls of the hosts and between them (docs/ports.md)"
    error = "error [port-blocked] TCP"
    assert said(results) == [
        f"{error} 6443 (the API server) at {HERE} cannot be reached from b: no answer within 2 s; {advice}",
        f"{error} 10250 (the kubelet) at {THERE} cannot be reached from a: no answer within 2 s; {advice}",
    ]
    assert hosts.listeners() == ""


def test_hosts_that_have_joined_have_no_part_in_it(hosts: Hosts, tmp_path: Path) -> None:  # noqa: F811
    """Not one task more runs on them than before."""
    _rc, results = play(hosts, tmp_path, cluster=JOINED)
    assert said(results) == []
    ran = {
        name
        for name, outcomes in results.items()
        for outcome in outcomes.values()
        if not outcome.get("skipped") and name not in ("facts", "settings")
    }
    assert ran == {"Check all hosts"}
