"""The action upgrade_report in a play of real Ansible."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Play = Callable[..., Any]
PLANE = dict.fromkeys(("kube-apiserver", "kube-controller-manager", "kube-scheduler"), "1.20.2")


def facts(plane: bool) -> dict[str, Any]:
    return {
        "joined": True,
        "control_plane": plane,
        "kubelet": "1.20.2",
        "files": {},
        "manifests": PLANE if plane else {},
        "kernel": "6.1.0",
        "cgroup": 2,
        "certificates": [],
        "api_server": "1.20.2" if plane else "",
        "api_error": "",
        "drift": "",
        "deprecated": [],
        "etcd": "",
        "kubelet_flags": [],
        "free_mb": {},
    }


def node(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "kubelet_version": "v1.20.2",
        "ready": True,
        "ready_message": "",
        "runtime": "containerd://2.0.0",
    }


def task(version: str, **more: Any) -> dict[str, Any]:
    options: dict[str, Any] = {
        "version": version,
        "results": {"cp1": facts(True), "w1": facts(False)},
        "cluster": {
            "configuration": "kubernetesVersion: v1.20.2",
            "kube_proxy": "",
            "nodes": [node("cp1"), node("w1")],
            "unready": {},
            "crds": [],
            "webhooks": [],
            "api_services": [],
            "backends": [],
        },
        "nodes": {"cp1": "cp1", "w1": "w1"},
        "control_planes": ["cp1"],
        **more,
    }
    return {"name": "report", "groundwork.kubernetes.upgrade_report": options, "run_once": True}


def test_a_plan(play: Play, tmp_path: Path) -> None:
    previews = [{"item": "w1", "plan": [{"evicts": ["shop/cart"]}]}]
    done = play(tmp_path, {"tasks": [task("1.21.0", drains=True, previews=previews, purposes={"w1": "upgrade"})]})
    assert done.rc == 0, done.output
    result = next(iter(done.tasks["report"].values()))
    assert (result["leader"], result["apply"], result["batches"]) == ("cp1", True, [["cp1"], ["w1"]])
    steps = [(step["host"], step["subject"], step["before"], step["evicts"]) for step in result["plan"]]
    assert steps[1:] == [
        ("cp1", "control plane", "1.20.2", []),
        ("cp1", "kubelet", "1.20.2", []),
        ("w1", "kubelet", "1.20.2, cordoned", ["shop/cart"]),
    ]


@pytest.mark.parametrize(
    ("version", "options", "message"),
    [
        ("1.22.0", {}, "[version-skipped] its API server runs 1.20.2"),
        ("1.20.1", {}, "[version-older] its API server runs 1.20.2"),
        ("1.20.3", {"batch": "none"}, "upgrade_batch is none; write a number"),
        ("1.99.0", {}, "is not covered by this collection"),
        ("1.20.3", {"previews": [{"item": "w1", "reasons": ["a bare pod"]}]}, "node w1 cannot be drained: a bare pod"),
    ],
)
def test_a_refusal(play: Play, tmp_path: Path, version: str, options: dict[str, Any], message: str) -> None:
    done = play(tmp_path, {"tasks": [task(version, **options)]})
    assert done.rc != 0
    assert message in " ".join(done.output.split())
