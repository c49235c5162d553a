"""The module node_info against played answers of kubectl."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import api
from ansible_collections.groundwork.kubernetes.plugins.modules import node_info

Run = Callable[..., dict[str, Any]]
OFF = "Kubelet stopped posting node status."


def node(name: str, ready: str, message: str = "") -> dict[str, Any]:
    condition = {"type": "Ready", "status": ready, "message": message}
    return {"metadata": {"name": name}, "spec": {}, "status": {"conditions": [condition]}}


@pytest.fixture
def ask(run_module: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    kubeconfig = tmp_path / "admin.conf"
    kubeconfig.touch()
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_args, **_options: "/usr/local/bin/kubectl")
    monkeypatch.setattr(api, "INTERVAL", 0)

    def run(*answers: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
        left = list(answers)

        def run_command(_self: AnsibleModule, argv: list[str], **_options: Any) -> tuple[int, str, str]:
            assert argv[3:] == ["get", "nodes", "--output=json"]
            return 0, json.dumps({"items": left.pop(0) if len(left) > 1 else left[0]}), ""

        warnings: list[str] = []
        monkeypatch.setattr(AnsibleModule, "run_command", run_command)
        monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text: warnings.append(text))
        result: dict[str, Any] = run_module(node_info, kubeconfig=str(kubeconfig), **options)
        return {**result, "warnings": warnings}

    return run


def test_waits_until_a_node_is_ready(ask: Run) -> None:
    result = ask([node("w1", "False", "no network")], [node("w1", "True")], wait_for=["ready"], timeout=60)
    assert (result["changed"], [one["ready"] for one in result["nodes"]]) == (False, [True])


@pytest.mark.parametrize(
    ("names", "skip", "msg", "warning"),
    [
        ([], False, f"after 0 seconds: node w2 is not ready: {OFF}", ""),
        (["w1"], False, "", ""),
        ([], True, "", "The kubelets of w2 do not report"),
        (["w1", "w2"], True, "", "The kubelets of w2 do not report"),
        (["w2"], True, "", "The kubelets of w2 do not report"),
        (["w1"], True, "", ""),
        (["w1", "w2", "w3"], True, "after 0 seconds: node w3 is not registered: see its kubelet's log", "The kubelets"),
    ],
)
def test_a_node_that_is_off(ask: Run, names: list[str], skip: bool, msg: str, warning: str) -> None:
    nodes = [node("w1", "True"), node("w2", "Unknown", OFF)]
    result = ask(nodes, names=names, wait_for=["ready"], skip_silent=skip, timeout=0)
    assert result.get("msg", "") == msg
    assert warning in "".join(result["warnings"])
    assert bool(result["warnings"]) is bool(warning)


def test_a_node_that_falls_silent_later_is_waited_for(ask: Run) -> None:
    result = ask(
        [node("w1", "False", "no network")],
        [node("w1", "Unknown", OFF)],
        [node("w1", "True")],
        wait_for=["ready"],
        skip_silent=True,
        timeout=60,
    )
    assert result["nodes"][0]["ready"]
    assert not result["warnings"]
