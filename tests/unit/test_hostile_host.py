"""Real roles on a host that was taken over, beside a control plane and a worker that stand in for real ones.

Everything that the hostile host returns carries facts named like the variables of the collection. Nothing of them may
be in what the others are sent.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

COLLECTIONS = Path(__file__).resolve().parents[2] / ".build" / "collections"
PROGRAM = Path(__file__).with_name("hostile_python.py")
EVIL, OURS = "Evil31415", "Ours27182"
TOKEN = {
    "token": f"abcdef.{OURS}abcdef01",
    "endpoint": "192.0.2.10:6443",
    "kubeconfig": f"with abcdef.{OURS}abcdef01",
    "refused": {},
}
NODE = {"name": "w1", "internal_ips": ["192.0.2.21"], "pod_cidrs": ["10.244.1.0/24"], "reports": True, "ready": True}
STATE = {"changed": False, "interrupted": "", "missing": [], "traces": [], "faults": [], "reads_more": False}
PLANE = {**STATE, "role": "control_plane", "api_ready": True, **TOKEN, "nodes": [NODE], "answered": True, "known": True}
EVIL_TOKEN = {**TOKEN, "token": f"abcdef.{EVIL}abcdef01", "kubeconfig": f"with abcdef.{EVIL}abcdef01"}
EVIL_WORKER = {
    "kubernetes_control_plane_group": "kube_node",
    "kubernetes_node_name": EVIL,
    "worker_labels": {EVIL: "yes"},
    "worker_taints": [{"key": EVIL, "effect": "NoExecute"}],
    "worker_token_ttl": EVIL,
}
EVIL_NETWORK = {"cni_plugin": "manifests", "cni_manifests": [{"content": EVIL}], "cni_kubeconfig": EVIL}
FORGED = {
    **EVIL_WORKER,
    **EVIL_NETWORK,
    "cni_timeout": 31415,
    "own": EVIL,
    "kubernetes_kubelet_configuration": {EVIL: 1},
    "ansible_kubernetes_node_name": EVIL,
    "__worker_inventory": {"hosts": {"w0": EVIL_WORKER, "w1": EVIL_WORKER, "w2": EVIL_WORKER}},
    "__worker_own": EVIL_WORKER,
    "__worker_helper": "w0",
    "__worker_helpers": ["w0"],
    "__worker_control_planes": ["w0"],
    "__worker_control_plane_states": {"results": [{"api_ready": True, "item": "w0"}]},
    "__worker_token": EVIL_TOKEN,
    "__worker_kubelets": {"configuration": {EVIL: 1}},
    "__cni_inventory": {"hosts": {"w0": EVIL_NETWORK, "w1": EVIL_NETWORK}},
    "__cni_asked": {"results": [{"item": "w0", "nodes": [{**NODE, "name": EVIL}], "answered": True, "known": True}]},
    "__cni_answer": {"item": "w0", "nodes": []},
    "__cni_helper": "w0",
    "__cni_manifests": [{"content": EVIL}],
    # What it would like to hear, should a step be taken on it.
    "ansible_default_ipv4": {"address": "192.0.2.20"},
}
SPOKEN = {**PLANE, "role": "worker", **EVIL_TOKEN, "ansible_facts": FORGED}
Run = Callable[..., tuple[subprocess.CompletedProcess[str], dict[str, str]]]


@pytest.fixture(params=["true", "false"], ids=["injected", "apart"])
def run(tmp_path: Path, request: pytest.FixtureRequest) -> Run:
    """run(role, answers by host, **variables): the role on the workers; the run, and what each host was sent."""

    def python(name: str, answer: dict[str, Any]) -> str:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "answer.json").write_text(json.dumps(answer))
        (folder / "heard").touch()
        program = folder / "python"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {PROGRAM} {folder} "$@"\n')
        program.chmod(0o755)
        return str(program)

    def play(
        role: str, answers: dict[str, dict[str, Any]], **variables: Any
    ) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
        hosts = {name: {"ansible_python_interpreter": python(name, answer)} for name, answer in answers.items()}
        planes = {name: hosts.pop(name) for name in list(hosts) if name.startswith("cp")}
        own = {"ansible_connection": "local", "kubernetes_node_ip": "192.0.2.21", "own": OURS, **variables}
        groups = {"kube_control_plane": {"hosts": planes}, "kube_node": {"hosts": hosts}}
        (tmp_path / "inventory.yml").write_text(yaml.safe_dump({"all": {"vars": own, "children": groups}}))
        speak = {"name": "Let it speak", "ansible.builtin.ping": {}}
        roles = [f"groundwork.kubernetes.{role}"]
        content = {"hosts": "kube_node", "gather_facts": False, "pre_tasks": [speak], "roles": roles}
        (tmp_path / "play.yml").write_text(yaml.safe_dump([content]))
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(tmp_path / "none.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": f"{COLLECTIONS}:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}",
            "ANSIBLE_INJECT_FACT_VARS": request.param,
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"),
        }
        command = [sys.executable, "-m", "ansible", "playbook", "--inventory=inventory.yml", "play.yml"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        return done, {name: (tmp_path / name / "heard").read_text() for name in answers}

    return play


def test_labels_and_taints_are_those_of_the_inventory(run: Run) -> None:
    taint = {"key": "tier", "effect": "NoSchedule", "value": "{{ own }}"}
    done, heard = run("worker", {"cp1": PLANE, "w0": SPOKEN}, worker_labels={"tier": OURS}, worker_taints=[taint])
    assert done.returncode == 0, done.stdout + done.stderr
    assert heard["cp1"].count(OURS) >= 2
    assert EVIL not in heard["cp1"]


def test_another_host_joins_the_real_cluster(run: Run) -> None:
    """Though the hostile one comes first, or is out of the play by then."""
    joining = {**STATE, "role": "none"}
    hosts = {
        "cp1": PLANE,
        "w0": {**SPOKEN, "only kubeadm_info": {"failed": True, "msg": "no"}},
        "w1": SPOKEN,
        "w2": joining,
    }
    done, heard = run("worker", hosts)
    assert "w2 " in done.stdout
    assert TOKEN["token"] in heard["w2"], done.stdout + done.stderr
    assert EVIL not in heard["w2"] + heard["cp1"]
    assert "31415" not in heard["cp1"]
    # The token goes to whom it is for.
    assert TOKEN["token"] not in heard["w0"] + heard["w1"]


def test_a_host_that_is_refused_gets_no_token(run: Run) -> None:
    plane = {**PLANE, "refused": {"w1": f"{OURS}: at work"}}
    new = {**STATE, "role": "none"}
    done, heard = run("worker", {"cp1": plane, "w1": {**SPOKEN, "role": "none"}, "w2": new})
    assert f"{OURS}: at work" in done.stdout
    assert TOKEN["token"] not in heard["w1"]
    assert TOKEN["token"] in heard["w2"]
    assert '"nodes": ["w1", "w2"]' in heard["cp1"].replace("\\", "")


def test_manifests_are_those_of_the_inventory(run: Run) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ own | lower }}"}}
    variables = {"cni_plugin": "manifests", "cni_manifests": [{"objects": [manifest]}]}
    done, heard = run("cni", {"cp1": PLANE, "w0": SPOKEN, "w1": STATE}, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert OURS.lower() in heard["cp1"]
    assert EVIL not in heard["cp1"]
    assert "31415" not in heard["cp1"]


def test_routes_are_those_of_the_cluster(run: Run) -> None:
    nodes = [{**NODE, "name": name} for name in ("cp1", "w0", "w1")]
    honest = {**STATE, "changed_paths": [], "tunnel": False}
    spoken = {**SPOKEN, "tunnel": False}
    done, heard = run("cni", {"cp1": {**PLANE, "nodes": nodes}, "w0": spoken, "w1": honest}, cni_plugin="bridge")
    # What another host than the first one is sent, and the control plane that the play leaves out.
    for name in ("w1", "cp1"):
        assert "pod_routes" in heard[name], done.stdout + done.stderr
        assert EVIL not in heard[name]
