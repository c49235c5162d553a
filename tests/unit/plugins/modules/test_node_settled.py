"""The module node_settled: kubectl is played, and time does not pass."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.modules import node_settled

Result = dict[str, Any]


class Cluster:
    """A node that is ready, or not, each time it is asked for."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        self.asked: list[list[str]] = []
        self.slept: list[float] = []

    def run_command(self, arguments: list[str], **_options: Any) -> tuple[int, str, str]:
        self.asked.append(arguments[3:])
        if arguments[4] != "node":
            return 0, json.dumps({"items": []}), ""
        ready = self.answers.pop(0) if self.answers else "True"
        if ready == "gone":
            return 1, "", "Error from server (NotFound)"
        if ready == "down":
            return 1, "", "connection refused"
        status = {"conditions": [{"type": "Ready", "status": ready}], "nodeInfo": {"kubeletVersion": "v1.20.3"}}
        return 0, json.dumps({"metadata": {"name": "w1"}, "status": status}), ""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    cluster = Cluster()
    clock = itertools.count()
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda _self, name, *_args, **_options: f"/bin/{name}")
    monkeypatch.setattr(
        AnsibleModule, "run_command", lambda _self, *args, **options: cluster.run_command(*args, **options)
    )
    monkeypatch.setattr(node_settled.time, "sleep", cluster.slept.append)
    monkeypatch.setattr(node_settled.time, "monotonic", lambda: float(next(clock)))
    return cluster


@pytest.mark.parametrize(
    ("answers", "slept"),
    [
        ([], [10]),
        (["down", "False"], [2.0, 2.0, 10]),
        # Ready for a moment does not count.
        (["True", "False"], [10, 2.0, 10]),
    ],
)
def test_twice(cluster: Cluster, run_module: Callable[..., Result], answers: list[str], slept: list[float]) -> None:
    cluster.answers = answers
    result = run_module(node_settled, name="w1", kubelet_version="1.20.3")
    assert (result["changed"], cluster.slept) == (False, slept)
    base = ["get", "pods", "--all-namespaces", "--field-selector=spec.nodeName=w1", "--output=json"]
    assert base in cluster.asked


@pytest.mark.parametrize(("answer", "message"), [("False", "node w1 is not ready"), ("gone", "there is no node w1")])
def test_the_time_is_over(cluster: Cluster, run_module: Callable[..., Result], answer: str, message: str) -> None:
    cluster.answers = [answer] * 50
    result = run_module(node_settled, name="w1", timeout=5)
    assert result["failed"]
    assert f"After 5 seconds node w1 is not back:\n- {message}" in result["msg"]


def test_check_mode(cluster: Cluster, run_module: Callable[..., Result]) -> None:
    assert run_module(node_settled, name="w1", _ansible_check_mode=True)["changed"] is False
    assert cluster.asked == []


def test_the_node_alone(cluster: Cluster, run_module: Callable[..., Result]) -> None:
    result = run_module(node_settled, name="w1", workloads=False, since=100.0, timeout=5)
    assert "the kubelet of node w1 has not reported since the restart" in result["msg"]
    assert [arguments[1] for arguments in cluster.asked if arguments[1] not in ("node", "pods")] == []
