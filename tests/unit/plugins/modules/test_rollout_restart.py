"""rollout_restart: exact calls of kubectl, answered by the test."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.modules import rollout_restart

Run = Callable[..., dict[str, Any]]
KUBECTL = ["/usr/bin/kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "--request-timeout=20s"]
GET = [*KUBECTL, "get", "deployments.apps,daemonsets.apps,statefulsets.apps"]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    made: list[list[str]] = []
    items = [{"kind": "DaemonSet", "metadata": {"name": "kube-proxy"}}]

    def run_command(_module: AnsibleModule, command: list[str], **_more: Any) -> tuple[int, str, str]:
        made.append(command)
        if command[3] == "get":
            return 0, json.dumps({"items": items if "--namespace=kube-system" in command else []}), ""
        return 0, "", ""

    monkeypatch.setattr(AnsibleModule, "run_command", run_command)
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_arguments, **_more: "/usr/bin/kubectl")
    monkeypatch.setattr(rollout_restart, "cluster_missing", lambda *_arguments: None)
    return made


def test_every_workload_is_restarted(run_module: Run, calls: list[list[str]]) -> None:
    result = run_module(rollout_restart, namespaces=["kube-system", "none"], _ansible_diff=True)
    assert (result["changed"], result["restarted"]) == (True, ["kube-system/daemonset/kube-proxy"])
    assert calls == [
        [*GET, "--namespace=kube-system", "--output=json"],
        [*GET, "--namespace=none", "--output=json"],
        [*KUBECTL, "rollout", "restart", "daemonset/kube-proxy", "--namespace=kube-system"],
    ]


def test_check_mode_only_asks(run_module: Run, calls: list[list[str]]) -> None:
    result = run_module(rollout_restart, namespaces=["kube-system"], _ansible_check_mode=True)
    assert result["changed"]
    assert [call[3] for call in calls] == ["get"]


def test_nothing_to_restart(run_module: Run, calls: list[list[str]]) -> None:
    assert not run_module(rollout_restart, namespaces=["none"])["changed"]


def test_an_api_server_that_does_not_answer(
    run_module: Run, calls: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AnsibleModule, "run_command", lambda *_arguments, **_more: (1, "", "refused"))
    result = run_module(rollout_restart, namespaces=["kube-system"], timeout=0)
    assert (result["failed"], "refused" in result["msg"]) == (True, True)


def test_no_cluster(run_module: Run, calls: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout_restart, "cluster_missing", lambda *_arguments: "there is no kubeconfig")
    assert not run_module(rollout_restart, namespaces=["x"], _ansible_check_mode=True)["changed"]
    assert "no kubeconfig" in run_module(rollout_restart, namespaces=["x"])["msg"]
