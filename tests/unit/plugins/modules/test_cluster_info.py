"""The module cluster_info against played answers of kubectl."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import api
from ansible_collections.groundwork.kubernetes.plugins.modules import cluster_info

Run = Callable[..., dict[str, Any]]

NODE = {
    "metadata": {"name": "cp1", "labels": {"node-role.kubernetes.io/control-plane": ""}},
    "status": {
        "conditions": [{"type": "Ready", "status": "True"}],
        "addresses": [{"type": "InternalIP", "address": "192.0.2.1"}],
        "nodeInfo": {"kubeletVersion": "v1.36.5", "containerRuntimeVersion": "containerd://2.3.4", "osImage": "Debian"},
    },
}
ADDONS = (
    "get",
    "deployments.apps,daemonsets.apps",
    "--namespace=kube-system",
    "--selector=k8s-app in (kube-dns, kube-proxy)",
    "--output=json",
)
COREDNS = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "coredns", "namespace": "kube-system", "generation": 1},
    "spec": {"replicas": 2, "selector": {"matchLabels": {"k8s-app": "kube-dns"}}},
    "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2},
}
PENDING = {
    "metadata": {"name": "coredns-1", "labels": {"k8s-app": "kube-dns"}},
    "spec": {"nodeName": "cp1"},
    "status": {"containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}}]},
}
ANSWERS = {
    ("config", "view", "--minify", "--output=jsonpath={.clusters[0].cluster.server}"): "https://192.0.2.1:6443",
    ("get", "--raw", "/version"): json.dumps({"gitVersion": "v1.36.5"}),
    ("get", "nodes", "--output=json"): json.dumps({"items": [NODE]}),
    ADDONS: json.dumps({"items": []}),
    ("get", "pods", "--all-namespaces", "--output=jsonpath={.items[*].status.phase}"): "Running Pending Running",
}


@pytest.fixture
def kubeconfig(tmp_path: Path) -> str:
    path = tmp_path / "admin.conf"
    path.write_text("")
    return str(path)


def play(
    monkeypatch: pytest.MonkeyPatch, answers: dict[tuple[str, ...], str], path: str | None = "/usr/bin/kubectl"
) -> None:
    def run_command(_module: AnsibleModule, argv: list[str], **_options: Any) -> tuple[int, str, str]:
        assert argv[0] == path
        assert argv[2] == "--request-timeout=30s"
        answer = answers.get(tuple(argv[3:]))
        return (1, "", "The connection to the server was refused") if answer is None else (0, answer, "")

    monkeypatch.setattr(AnsibleModule, "run_command", run_command)
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_arguments, **_options: path)


def test_cluster(run_module: Run, monkeypatch: pytest.MonkeyPatch, kubeconfig: str) -> None:
    play(monkeypatch, ANSWERS)
    result = run_module(cluster_info, kubeconfig=kubeconfig)
    assert result["changed"] is False
    assert result["exists"] is True
    assert result["endpoint"] == "https://192.0.2.1:6443"
    assert result["version"] == "v1.36.5"
    assert result["pods"] == {"Pending": 1, "Running": 2}
    assert result["nodes"] == [
        {
            "name": "cp1",
            "ready": True,
            "trouble": "",
            "takes_pods": True,
            "repels_pods": "",
            "roles": ["control-plane"],
            "version": "v1.36.5",
            "runtime": "containerd://2.3.4",
            "os_image": "Debian",
            "internal_ips": ["192.0.2.1"],
        }
    ]
    assert result["summary"].startswith("Kubernetes v1.36.5 at https://192.0.2.1:6443\nNodes: 1 of 1 ready")


def test_what_does_not_run_is_told(run_module: Run, monkeypatch: pytest.MonkeyPatch, kubeconfig: str) -> None:
    events = ("--field-selector=type=Warning", "--sort-by=.metadata.creationTimestamp", "--output=json")
    pending = {
        ADDONS: json.dumps({"items": [COREDNS]}),
        ("get", "pods", "--namespace=kube-system", "--output=json"): json.dumps({"items": [PENDING]}),
        ("get", "events", "--namespace=kube-system", *events): json.dumps({"items": []}),
    }
    play(monkeypatch, {**ANSWERS, **pending})
    warnings: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: warnings.append(text))
    result = run_module(cluster_info, kubeconfig=kubeconfig)
    fault = (
        "Deployment kube-system/coredns has 0 of 2 pods ready\n  pod coredns-1 on cp1: container c: ErrImagePull: no"
    )
    assert result["unready"] == [fault]
    assert result["summary"].endswith(f"\n\nNot ready: {fault}")
    assert warnings == [f"Not ready: {fault}"]


def test_what_is_about_to_run_is_waited_for(run_module: Run, monkeypatch: pytest.MonkeyPatch, kubeconfig: str) -> None:
    answers = {**ANSWERS, ADDONS: json.dumps({"items": [COREDNS]})}
    answers["get", "pods", "--namespace=kube-system", "--output=json"] = json.dumps({"items": []})
    ready = {**COREDNS, "status": {**COREDNS["status"], "availableReplicas": 2}}
    play(monkeypatch, answers)
    waits: list[float] = []

    def pause(seconds: float) -> None:
        waits.append(seconds)
        answers[ADDONS] = json.dumps({"items": [ready]})

    monkeypatch.setattr(api.time, "sleep", pause)
    result = run_module(cluster_info, kubeconfig=kubeconfig, wait_timeout=60)
    assert (result["unready"], len(waits)) == ([], 1)


def test_an_api_server_that_is_away(run_module: Run, monkeypatch: pytest.MonkeyPatch, kubeconfig: str) -> None:
    play(monkeypatch, dict(list(ANSWERS.items())[:1]))
    monkeypatch.setattr(api, "INTERVAL", 0)
    result = run_module(cluster_info, kubeconfig=kubeconfig)
    assert result["failed"]
    assert result["msg"].endswith("The connection to the server was refused")


@pytest.mark.parametrize(
    ("binary", "missing"),
    [
        (None, "kubectl is not installed on this host"),
        ("/usr/bin/kubectl", "there is no kubeconfig at /nowhere/admin.conf on this host"),
    ],
)
def test_no_cluster_yet(run_module: Run, monkeypatch: pytest.MonkeyPatch, binary: str | None, missing: str) -> None:
    play(monkeypatch, {}, binary)
    result = run_module(cluster_info, kubeconfig="/nowhere/admin.conf")
    assert result["failed"]
    assert result["msg"] == f"{missing}: ask a host of the control plane, or set kubeconfig"
    result = run_module(cluster_info, kubeconfig="/nowhere/admin.conf", _ansible_check_mode=True)
    assert not result.get("failed")
    assert (result["exists"], result["changed"], result["nodes"]) == (False, False, [])
    assert result["summary"] == f"There is no cluster yet: {missing}."
