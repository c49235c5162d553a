"""The module drain: what it returns and how it fails; the drain itself has its own tests."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import drain as drain_run
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api_calls import Answer, ApiError
from ansible_collections.groundwork.kubernetes.plugins.modules import drain

sys.path.insert(0, str(Path(__file__).parents[1] / "module_utils" / "_cluster"))

from eviction_objects import node, pod

Run = Callable[..., dict[str, Any]]
ANNOTATION = "groundwork.kubernetes/cordoned"
OURS: dict[str, Any] = {"unschedulable": True, "annotations": {ANNOTATION: "drain"}}


class FakeApi:
    """Nodes and pods of which each is as the test wants it; an eviction ends a pod at once."""

    def __init__(self, nodes: list[dict[str, Any]], pods: list[dict[str, Any]]) -> None:
        self.nodes, self.pods = nodes, pods
        self.answer = Answer(201)
        self.changes: list[tuple[str, str]] = []

    def __call__(self, _module: Any, kubeconfig: str, seconds: float) -> FakeApi:
        assert (kubeconfig, seconds) == ("/etc/kubernetes/admin.conf", 1200)
        return self

    def __enter__(self) -> FakeApi:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def get(self, path: str, **_query: str) -> dict[str, Any] | None:
        if path == "/api/v1":
            return {"resources": [{"name": "pods/eviction", "group": "policy", "version": "v1"}]}
        return next((one for one in self.nodes if path.endswith(f"/nodes/{one['metadata']['name']}")), None)

    def items(self, path: str) -> list[dict[str, Any]]:
        return {"/api/v1/nodes": self.nodes, "/api/v1/pods": self.pods}.get(path, [])

    def call(self, method: str, path: str, body: Any = None, _kind: str = "") -> Answer:
        if method == "GET" and "/nodes/" in path:
            return Answer(200, self.nodes[0])
        if method == "GET":
            return Answer(200, {"items": [one for one in self.pods if path.endswith(one["spec"]["nodeName"])]})
        if "dryRun" in path:
            return self.answer
        self.changes.append((method, path))
        if method == "PATCH":
            self.nodes[0]["spec"]["unschedulable"] = body["spec"]["unschedulable"]
            self.nodes[0]["metadata"]["annotations"] = body["metadata"]["annotations"]
        else:
            self.pods.clear()
        return Answer(201)


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeApi]:
    """make(nodes, pods): the API that the module asks."""
    monkeypatch.setattr(drain, "require_cluster", lambda *_arguments: None)
    monkeypatch.setattr(drain_run, "PAUSE", 0)

    def it(nodes: list[dict[str, Any]], pods: list[dict[str, Any]]) -> FakeApi:
        api = FakeApi(nodes, pods)
        monkeypatch.setattr(drain, "Api", api)
        return api

    return it


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the module warned of."""
    texts: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: texts.append(text))
    return texts


def test_a_drain(run_module: Run, make: Callable[..., FakeApi]) -> None:
    api = make([node("w1"), node("w2")], [pod("web-1")])
    foreseen = run_module(drain, name="w1", _ansible_check_mode=True, _ansible_diff=True)
    assert api.changes == []
    result = run_module(drain, name="w1", _ansible_diff=True)
    for key in ("changed", "plan", "cordons", "diff"):
        assert foreseen[key] == result[key]
    assert (result["changed"], result["evicted"], result["cordons"]) == (True, ["default/web-1"], {"w1": "none"})
    assert [(item["host"], item["evicts"]) for item in result["plan"]] == [("w1", ["default/web-1"])]
    (row,) = result["rows"]
    assert (row["before"], row["after"], row["result"]) == ("schedulable, 1 pod to go", "drained", "changed")
    assert (foreseen["pods"][0]["action"], result["pods"][0]["action"]) == ("evict", "gone")
    assert result["diff"][0]["after"] == "w1 cordoned, drained\n"
    assert api.changes == [
        ("PATCH", "/api/v1/nodes/w1?fieldManager=groundwork"),
        ("POST", "/api/v1/namespaces/default/pods/web-1/eviction"),
    ]
    again = run_module(drain, name="w1", _ansible_diff=True)
    assert (again["changed"], again["plan"], again["diff"], again["evicted"]) == (False, [], [], [])
    assert again["rows"][0]["result"] == "unchanged"


@pytest.mark.parametrize("check", [False, True])
def test_what_waiting_cannot_cure_is_refused(run_module: Run, make: Callable[..., FakeApi], check: bool) -> None:
    api = make([node("w1"), node("w2")], [pod("bare-1", owner=""), pod("web-1")])
    api.answer = Answer(403, {"message": "denied"})
    result = run_module(drain, name="w1", _ansible_check_mode=check)
    assert (result["failed"], result["changed"], len(result["reasons"]), api.changes) == (True, False, 2, [])
    assert result["msg"].splitlines()[0] == "w1 cannot be drained. Nothing was changed."
    assert "default/web-1 on w1: its eviction is refused: denied" in result["msg"]
    assert result["plan"][0]["evicts"] == ["default/bare-1", "default/web-1"]


def test_a_drain_that_fails(run_module: Run, make: Callable[..., FakeApi], monkeypatch: pytest.MonkeyPatch) -> None:
    make([node("w1"), node("w2")], [pod("web-1", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})])
    now = iter(range(0, 100000, 100))
    monkeypatch.setattr(drain_run.time, "monotonic", lambda: next(now))
    result = run_module(drain, name="w1")
    assert (result["failed"], result["changed"]) == (True, False)
    assert result["msg"].splitlines()[0] == "w1 is not drained. w1 is given back, as nothing was evicted from it."
    assert result["reasons"] == [
        "default/web-1 (Deployment default/web) on w1: terminating, with 0 s to end by 2026-01-01T00:00:00Z"
    ]
    assert (result["rows"][0]["after"], result["rows"][0]["result"]) == ("1 pod to go", "failed")


@pytest.mark.parametrize(
    ("one", "cordon"),
    [(node("w1"), "none"), (node("w1", **OURS), "ours"), (node("w1", unschedulable=True), "foreign")],
)
def test_uncordoned(
    run_module: Run, make: Callable[..., FakeApi], warnings: list[str], one: dict[str, Any], cordon: str
) -> None:
    changed = cordon == "ours"
    api = make([one], [])
    foreseen = run_module(drain, name="w1", state="uncordoned", _ansible_check_mode=True)
    assert api.changes == []
    result = run_module(drain, name="w1", state="uncordoned")
    assert (foreseen["changed"], foreseen["cordons"], foreseen["plan"]) == (changed, {"w1": cordon}, result["plan"])
    assert (result["changed"], result["cordons"]) == (changed, {"w1": cordon})
    assert result["rows"][0]["result"] == ("changed" if changed else "unchanged")
    assert len(warnings) == 2 * (cordon == "foreign")


def test_purposes(run_module: Run, make: Callable[..., FakeApi]) -> None:
    """A cordon belongs to its purpose: another one drains the node and leaves the cordon."""
    api = make([node("w1", **OURS), node("w2")], [pod("web-1")])
    result = run_module(drain, name="w1", purpose="reboot")
    assert (result["evicted"], result["purposes"]) == (["default/web-1"], {"w1": "drain"})
    result = run_module(drain, name="w1", purpose="reboot", state="uncordoned")
    assert (result["changed"], result["purposes"], result["cordons"]) == (False, {"w1": "drain"}, {"w1": "ours"})
    assert run_module(drain, name="w1", state="uncordoned")["purposes"] == {"w1": "drain"}
    for check in (True, False):
        assert run_module(drain, name="w1", purpose="reboot", _ansible_check_mode=check)["purposes"] == {}
    assert run_module(drain, name="w1", purpose="reboot", _ansible_check_mode=True)["purposes"] == {"w1": "reboot"}
    assert run_module(drain, name="w1", purpose="reboot", state="uncordoned")["changed"]
    assert run_module(drain, name="w1", purpose="two words")["msg"] == "purpose is 'two words': give one word"
    assert [change[0] for change in api.changes] == ["POST", "PATCH", "PATCH", "PATCH"]


@pytest.mark.parametrize("state", ["drained", "uncordoned"])
@pytest.mark.parametrize("names", [[], [" "], ["w9"]])
def test_names_that_are_no_nodes(run_module: Run, make: Callable[..., FakeApi], state: str, names: list[str]) -> None:
    api = make([node("w1", **OURS)], [])
    result = run_module(drain, name=names, state=state)
    assert (result["failed"], "Nothing was changed" in result["msg"], api.changes) == (True, True, [])


def test_an_api_that_cannot_be_read(
    run_module: Run, make: Callable[..., FakeApi], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not known is not gone: nothing is done."""
    api = make([node("w1")], [pod("web-1")])

    def items(path: str) -> list[dict[str, Any]]:
        raise ApiError(f"{path} cannot be read: no")

    monkeypatch.setattr(api, "items", items)
    result = run_module(drain, name="w1")
    assert (result["failed"], "cannot be read" in result["msg"], api.changes) == (True, True, [])
