"""The action inventory_variables, and the filters over hostvars, beside a host whose every answer carries facts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Play = Callable[..., Any]
NAMES = [
    "kubernetes_node_name",
    "kubernetes_pod_cidr",
    "kubernetes_service_cidr",
    "worker_labels",
    "worker_taints",
    "cni_plugin",
    "cni_timeout",
    "cni_mtu",
    "cni_manifest_url",
]
FORGED = {
    **dict.fromkeys(NAMES, "forged"),
    "kubernetes_node_ip": "192.0.2.66",
    "own_cidr": "forged",
    "__told": {"nodes": "forged"},
    "ansible_hostname": "said-by-the-host",
    "ansible_default_ipv4": {"address": "192.0.2.5\nserver evil"},
    "ansible_host": "192.0.2.66",
}
ASKED = {
    "names": "{{ ['w1', 'w2', 'cp1'] | groundwork.kubernetes.node_names(hostvars) }}",
    "addresses": "{{ ['w1', 'cp1'] | groundwork.kubernetes.addresses(hostvars, skip_unknown=true) }}",
    "known": "{{ ['w1', 'w2', 'w3', 'cp1'] | groundwork.kubernetes.known_nodes(hostvars) }}",
    "told": "{{ ansible_play_hosts | groundwork.kubernetes.registered(hostvars, '__told') }}",
}


def inventory(folder: Path, **w1: Any) -> dict[str, Any]:
    python = folder / "hostile"
    python.write_text(f"#!{sys.executable}\nprint({json.dumps(json.dumps({'ansible_facts': FORGED}))})\n")
    python.chmod(0o755)
    hosts = {
        "w1": {"ansible_python_interpreter": str(python), "own_cidr": "10.1.0.0/16", **w1},
        "w3": {
            "ansible_python_interpreter": str(python),
            "ansible_host": "192.0.2.3",
            "kubernetes_node_ip": "{{ ansible_facts['default_ipv4']['address'] }}",
        },
        "w2": {"kubernetes_node_ip": "192.0.2.2", "kubernetes_node_name": "second"},
        "cp1": {"ansible_host": "192.0.2.1"},
    }
    own = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    return {"all": {"vars": {**own, "kubernetes_pod_cidr": "{{ own_cidr | default('none') }}"}, "hosts": hosts}}


def content(names: list[str]) -> dict[str, Any]:
    ask = {"names": names}
    return {
        "vars": {"cni_plugin": "of the play", "kubernetes_node_name": "{{ inventory_hostname }}-node"},
        "tasks": [
            {"name": "speak", "ansible.builtin.ping": {}},
            {"name": "set", "ansible.builtin.set_fact": {"cni_mtu": 1400}},
            {"name": "tell", "ansible.builtin.ping": {}, "register": "__told", "when": "inventory_hostname == 'cp1'"},
            {"name": "it", "groundwork.kubernetes.inventory_variables": ask, "register": "found", "run_once": True},
            {"name": "show", "ansible.builtin.debug": {"msg": ASKED}, "run_once": True},
            {"name": "override", "ansible.builtin.debug": {"msg": "{{ found.hosts.w1 }}"}, "run_once": True},
        ],
    }


@pytest.mark.parametrize("injected", ["true", "false"])
def test_facts_count_for_nothing(play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, injected: str) -> None:
    monkeypatch.setenv("ANSIBLE_INJECT_FACT_VARS", injected)
    labels = {"worker_labels": {"zone": "{{ ansible_facts['hostname'] }}"}}
    done = play(tmp_path, content(NAMES), "--extra-vars", "cni_timeout=9", inventory=inventory(tmp_path, **labels))
    assert done.rc == 0, done.output
    (result,) = done.tasks["it"].values()
    assert result["changed"] is False
    del result["hosts"]["w3"]
    assert result["hosts"] == {
        "w1": {
            "kubernetes_node_name": "w1-node",
            "kubernetes_pod_cidr": "10.1.0.0/16",
            "worker_labels": {"zone": "said-by-the-host"},
            "cni_plugin": "of the play",
            "cni_timeout": "9",
            "cni_mtu": 1400,
        },
        "w2": {
            "kubernetes_node_name": "w2-node",
            "kubernetes_pod_cidr": "none",
            "cni_plugin": "of the play",
            "cni_timeout": "9",
            "cni_mtu": 1400,
        },
        "cp1": {
            "kubernetes_node_name": "cp1-node",
            "kubernetes_pod_cidr": "none",
            "cni_plugin": "of the play",
            "cni_timeout": "9",
            "cni_mtu": 1400,
        },
    }
    # hostvars knows nothing of plays.
    (shown,) = (host["msg"] for host in done.tasks["show"].values())
    assert shown["names"] == ["w1", "second", "cp1"]
    assert shown["addresses"] == []
    assert shown["known"] == [
        {"name": "second", "addresses": ["192.0.2.2"], "names": []},
        {"name": "w3", "addresses": ["192.0.2.3"], "names": []},
        {"name": "cp1", "addresses": ["192.0.2.1"], "names": []},
    ]
    assert len(shown["told"]) == 4
    assert not [reported for reported in shown["told"] if "nodes" in reported]


def test_a_nodes_name_is_not_made_of_facts(play: Play, tmp_path: Path) -> None:
    hosts = inventory(tmp_path, worker_labels={"zone": "{{ nowhere }}"})
    name = json.dumps({"kubernetes_node_name": "{{ ansible_facts['hostname'] | default(undef()) }}"})
    names = ["kubernetes_node_name", "worker_labels"]
    done = play(tmp_path, content(names), "--extra-vars", name, inventory=hosts)
    assert done.rc == 2
    (message,) = {host["msg"] for host in done.tasks["it"].values() if "msg" in host}
    assert "worker_labels of w1 cannot be evaluated: 'nowhere' is undefined" in message
    assert "kubernetes_node_name of w1 cannot be evaluated" in message
    assert "facts of the host do not count for it" in message
