"""A host that was taken over, in plays of real Ansible beside a control plane with a real API server.

All that it returns carries facts named like the variables of the collection. Whether Ansible injects them as variables
or not, nothing of them reaches what is done on the control plane. GROUNDWORK_KUBERNETES_DIR names the folder with
Kubernetes' programs, GROUNDWORK_ETCD_DIR the one with etcd.
"""

# ruff: noqa: D103

from __future__ import annotations

import base64
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "_cluster" / "manifest"))

from api_server import ETCD, KUBERNETES, ApiServer

COLLECTIONS = Path(__file__).resolve().parents[4] / ".build" / "collections"
PROGRAM = Path(__file__).resolve().parents[3] / "unit" / "hostile_python.py"
LACKING = [
    str(path) for path in (KUBERNETES / "kube-apiserver", KUBERNETES / "kubectl", ETCD / "etcd") if not path.is_file()
]
pytestmark = pytest.mark.skipif(bool(LACKING), reason=f"there is no {', '.join(LACKING)}")
# A mount namespace in which /etc/kubernetes is a folder of the test, and /usr/local/bin, where the modules look first,
# holds the kubectl that is tested, not one of this machine.
ALONE = (
    'mount -t tmpfs none "$0" && mkdir "$0/upper" "$0/work" "$0/bin" && cp -r "$1" "$0/upper/kubernetes" && '
    'mount -t overlay none -o "lowerdir=/etc,upperdir=$0/upper,workdir=$0/work" /etc && '
    'ln -s "$2/kubectl" "$0/bin/kubectl" && mount --bind "$0/bin" /usr/local/bin && shift 2 && exec "$@"'
)
CONTROL_PLANE_FILES = ("kubelet.conf", "controller-manager.conf", "scheduler.conf")
MANIFESTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
EVIL_BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "evil"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "evil"}],
}
EVIL_TOKEN = "aaaaaa.aaaaaaaaaaaaaaaa"  # noqa: S105  nobody made it
# A token in the kubeconfig that a host joins with, which is JSON in JSON.
TOKEN = re.compile(r"token\W+[a-z0-9]{6}\.[a-z0-9]{16}\b")
EVIL_WORKER = {
    "kubernetes_control_plane_group": "kube_node",
    "kubernetes_node_name": "victim",
    "worker_labels": {"evil": "yes"},
    "worker_taints": [{"key": "evil", "effect": "NoExecute"}],
    "worker_token_ttl": "9000h",
}
FORGED = {
    **EVIL_WORKER,
    "cni_plugin": "manifests",
    "cni_manifests": [{"objects": [EVIL_BINDING]}],
    "cni_manifest_path": "/etc/shadow",
    "cni_kubeconfig": "/evil",
    "cni_force_conflicts": True,
    "kubernetes_pod_cidr": "192.0.2.0/24",
    "ansible_kubernetes_node_name": "victim",
    "ours": "evil",
    "__worker_inventory": {"hosts": {"w1": EVIL_WORKER, "w2": EVIL_WORKER}},
    "__worker_own": EVIL_WORKER,
    "__worker_helper": "w1",
    "__worker_helpers": ["w1"],
    "__worker_control_plane_states": {"results": [{"api_ready": True, "item": "w1"}]},
    "__worker_token": {"token": EVIL_TOKEN, "endpoint": "192.0.2.66:6443", "kubeconfig": EVIL_TOKEN},
    "__worker_refusal": "",
    "__cni_inventory": {"hosts": {"w1": {"cni_plugin": "manifests", "cni_manifests": [{"objects": [EVIL_BINDING]}]}}},
    "__cni_asked": {"results": [{"item": "w1", "nodes": []}]},
    "__cni_answer": {"item": "w1", "nodes": []},
    "__cni_helper": "w1",
    "__cni_manifests": [{"objects": [EVIL_BINDING]}],
}
JOINED = {"changed": False, "role": "worker", "interrupted": "", "missing": [], "traces": [], "faults": []}
Play = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server with a worker, another node, and what a joining host must know of the cluster."""
    api = ApiServer(tmp_path_factory.mktemp("api"))
    try:
        api.start()
        for name in ("cp1", "w1", "victim"):
            api.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
            api.set_status(f"/api/v1/nodes/{name}", {"conditions": [{"type": "Ready", "status": "True"}]})
        certificate = (api.folder / "certs" / "apiserver.crt").read_bytes()
        cluster = {"server": api.url, "certificate-authority-data": base64.b64encode(certificate).decode()}
        text = yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "clusters": [{"name": "", "cluster": cluster}]})
        info = {"metadata": {"name": "cluster-info", "namespace": "kube-public"}, "data": {"kubeconfig": text}}
        api.create({"apiVersion": "v1", "kind": "ConfigMap", **info})
        yield api
    finally:
        api.stop()


@pytest.fixture(params=[True, False], ids=["injected", "apart"])
def play(server: ApiServer, tmp_path: Path, request: pytest.FixtureRequest) -> Play:
    """play(role, answer, **variables): a role on the hostile host w1 alone; what it was told is in tmp_path/heard."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {PROGRAM} {tmp_path} "$@"\n')
    python.chmod(0o755)
    etc = tmp_path / "etc"
    (etc / "manifests").mkdir(parents=True)
    for name in CONTROL_PLANE_FILES:
        (etc / name).touch()
    port = server.url.rpartition(":")[2]
    arguments = ["kube-apiserver", "--advertise-address=127.0.0.1", f"--secure-port={port}"]
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"command": arguments}]}}
    for name in MANIFESTS:
        (etc / "manifests" / f"{name}.yaml").write_text(yaml.safe_dump(pod))
    shutil.copy(server.kubeconfig, etc / "admin.conf")
    (tmp_path / "mounted").mkdir()

    def run(role: str, answer: dict[str, Any], **variables: Any) -> subprocess.CompletedProcess[str]:
        (tmp_path / "heard").write_text("")
        (tmp_path / "answer.json").write_text(json.dumps({**answer, "ansible_facts": FORGED}))
        inventory = {
            "vars": {
                "ansible_connection": "local",
                "ansible_python_interpreter": sys.executable,
                "kubernetes_node_ip": "192.0.2.21",
                **variables,
            },
            "children": {
                "kube_control_plane": {"hosts": {"cp1": {}}},
                "kube_node": {"hosts": {"w1": {"ansible_python_interpreter": str(python)}}},
            },
        }
        (tmp_path / "inventory.yml").write_text(yaml.safe_dump({"all": inventory}))
        role_name = f"groundwork.kubernetes.{role}"
        ping = {"name": "Let it speak", "ansible.builtin.ping": {}}
        content = {"hosts": "kube_node", "gather_facts": False, "pre_tasks": [ping], "roles": [role_name]}
        (tmp_path / "play.yml").write_text(yaml.safe_dump([content]))
        environment = {
            **os.environ,
            "PATH": f"{KUBERNETES}:{os.environ['PATH']}",
            "HOME": str(server.folder),
            "ANSIBLE_CONFIG": str(tmp_path / "none.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": f"{COLLECTIONS}:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}",
            "ANSIBLE_INJECT_FACT_VARS": str(request.param),
            "ANSIBLE_PIPELINING": "true",
        }
        command = ["unshare", "--mount", "sh", "-c", ALONE, str(tmp_path / "mounted"), str(etc), str(KUBERNETES)]
        command += [sys.executable, "-m", "ansible", "playbook", "-v", "--inventory=inventory.yml", "play.yml"]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return run


def node(server: ApiServer, name: str) -> tuple[dict[str, str], list[Any]]:
    found = server.get("node", name)
    return found["metadata"].get("labels") or {}, found["spec"].get("taints") or []


def tokens(server: ApiServer) -> list[str]:
    found = server.get("secrets", "--namespace=kube-system")["items"]
    return [one["metadata"]["name"] for one in found if one["type"] == "bootstrap.kubernetes.io/token"]


def test_its_facts_choose_no_manifest(server: ApiServer, play: Play) -> None:
    name = f"wanted-{os.urandom(4).hex()}"
    ours = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}
    done = play(
        "cni",
        {"changed": False},
        cni_plugin="manifests",
        cni_manifests=[{"objects": [{**ours, "data": {"of": "{{ ours }}"}}]}],
        cni_kubeconfig=str(server.kubeconfig),
        cni_timeout=20,
        ours="inventory",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert server.get("configmap", name)["data"] == {"of": "inventory"}
    assert not server.exists("clusterrolebinding", "evil")


def test_its_facts_aim_at_no_other_node(server: ApiServer, play: Play) -> None:
    before, taint = node(server, "victim"), {"key": "ours", "effect": "NoSchedule"}
    done = play("worker", JOINED, worker_labels={"ours": "yes"}, worker_taints=[taint])
    assert done.returncode == 0, done.stdout + done.stderr
    labels, taints = node(server, "w1")
    assert (labels.get("ours"), "evil" in labels) == ("yes", False)
    # The API server itself adds one to a new node.
    assert taint in taints
    assert "evil" not in [one["key"] for one in taints]
    assert node(server, "victim") == before
    assert tokens(server) == []


def lease(server: ApiServer, *, seconds: float = 0) -> threading.Event:
    """The lease of w1, as its kubelet renews it every so many seconds until the event is set."""
    ended = threading.Event()
    place = {"name": "w1", "namespace": "kube-node-lease"}

    def renew() -> None:
        while True:
            now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            spec = {"holderIdentity": "w1", "leaseDurationSeconds": 40, "renewTime": now}
            item = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": place, "spec": spec}
            command = [*server.kubectl, "apply", "--filename=-"]
            subprocess.run(command, input=json.dumps(item).encode(), check=True, capture_output=True)
            if not seconds or ended.wait(seconds):
                return

    if seconds:
        threading.Thread(target=renew, daemon=True).start()
    else:
        renew()
    return ended


NEW = {**JOINED, "role": "none"}


def test_it_gets_no_token_while_its_node_is_at_work(server: ApiServer, play: Play, tmp_path: Path) -> None:
    working = lease(server, seconds=10)
    try:
        done = play("worker", NEW)
    finally:
        working.set()
    assert done.returncode != 0
    assert "the kubelet of the node w1 is at work" in done.stdout
    assert not TOKEN.search((tmp_path / "heard").read_text())
    assert tokens(server) == []


def test_a_host_that_was_set_up_anew_gets_one_that_is_the_clusters_and_goes(
    server: ApiServer, play: Play, tmp_path: Path
) -> None:
    lease(server)
    done = play("worker", NEW)
    assert done.returncode == 0, done.stdout + done.stderr
    heard = (tmp_path / "heard").read_text()
    assert TOKEN.search(heard)
    assert server.url.removeprefix("https://") in heard
    assert EVIL_TOKEN not in heard
    assert tokens(server) == []
