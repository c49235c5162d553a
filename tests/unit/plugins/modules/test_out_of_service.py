"""The module out_of_service against a played API."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import out_of_service as off
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api_calls import Answer
from ansible_collections.groundwork.kubernetes.plugins.modules import out_of_service

sys.path.insert(0, str(Path(__file__).parents[1] / "module_utils" / "_cluster"))

from eviction_objects import node, pod

Run = Callable[..., dict[str, Any]]
Object = dict[str, Any]


def attachment(name: str, place: str, volume: str) -> Object:
    return {"metadata": {"name": name}, "spec": {"nodeName": place, "source": {"persistentVolumeName": volume}}}


class FakeApi:
    """Nodes, pods and attachments; with the last pod that is deleted its attachments are gone, unless they stick."""

    def __init__(self, minor: str, attached: int, **spec: Any) -> None:
        self.nodes = {"w1": node("w1", ready="Unknown", **spec), "w2": node("w2")}
        static = pod("etcd-1", owner="", metadata={"annotations": {"kubernetes.io/config.mirror": "x"}})
        self.pods = [
            pod("db-1"),
            pod("set-1", owner="DaemonSet"),
            static,
            pod("web-1", metadata={"deletionTimestamp": "x"}),
        ]
        self.attachments = [attachment(f"csi-{number}", "w1", f"pv-{number}") for number in range(attached)]
        self.attachments.append(attachment("csi-other", "w2", "pv-other"))
        self.minor, self.sticks = minor, False
        self.changes: list[tuple[str, str, Any]] = []

    def __call__(self, _module: Any, _kubeconfig: str, seconds: float) -> FakeApi:
        assert seconds == 1200
        return self

    def __enter__(self) -> FakeApi:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def get(self, path: str) -> Object | None:
        return {"minor": self.minor} if path == "/version" else self.nodes.get(path.rpartition("/")[2])

    def items(self, path: str, **query: str) -> list[Object]:
        place = query.get("fieldSelector", "").partition("=")[2]
        return {
            "/api/v1/nodes": list(self.nodes.values()),
            "/api/v1/pods": [one for one in self.pods if one["spec"]["nodeName"] == place],
            "/apis/storage.k8s.io/v1/volumeattachments": list(self.attachments),
        }.get(path, [])

    def call(self, method: str, path: str, body: Any = None, _kind: str = "") -> Answer:
        place, _mark, query = path.partition("?")
        self.changes.append((method, place.rpartition("/")[2], body))
        if method == "PATCH":
            assert parse_qs(query) == {"fieldManager": ["groundwork"]}
            self.nodes["w1"]["spec"].update(body["spec"])
            self.nodes["w1"]["metadata"]["annotations"].update(body["metadata"].get("annotations") or {})
        else:
            self.pods = [one for one in self.pods if not place.endswith(f"/{one['metadata']['name']}")]
            if not off.going(self.pods) and not self.sticks:
                self.attachments = self.attachments[-1:]
        return Answer(200)


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeApi]:
    monkeypatch.setattr(out_of_service, "require_cluster", lambda *_arguments: None)
    monkeypatch.setattr(out_of_service, "Kubectl", lambda *_arguments: None)
    monkeypatch.setattr(out_of_service, "reporting", lambda *_arguments: [])
    monkeypatch.setattr(off, "PAUSE", 0)

    def it(minor: str = "24+", attached: int = 1, **spec: Any) -> FakeApi:
        api = FakeApi(minor, attached, **spec)
        monkeypatch.setattr(out_of_service, "Api", api)
        return api

    return it


@pytest.mark.parametrize(("minor", "tainted"), [("20", False), ("23", False), ("24+", True), ("36", True)])
def test_pods_and_volumes_are_freed(run_module: Run, make: Callable[..., FakeApi], minor: str, tainted: bool) -> None:
    api = make(minor)
    foreseen = run_module(out_of_service, name="w1", _ansible_check_mode=True, _ansible_diff=True)
    assert api.changes == []
    result = run_module(out_of_service, name="w1", _ansible_diff=True)
    for key in ("changed", "plan", "diff"):
        assert foreseen[key] == result[key]
    (item,) = result["plan"]
    assert (item["before"], item["evicts"]) == ("2 pods to go, 1 volume attached", ["default/db-1", "default/web-1"])
    assert ("six minutes" in item["disrupts"]) is not tainted
    assert (result["rows"][0]["after"], result["rows"][0]["result"]) == ("no pods, no volumes attached", "changed")
    assert api.nodes["w1"]["metadata"]["annotations"] == {"groundwork.kubernetes/cordoned": "removal"}
    assert (off.TAINT in (api.nodes["w1"]["spec"].get("taints") or [])) is tainted
    deleted = [(name, body) for method, name, body in api.changes if method == "DELETE"]
    assert [name for name, _body in deleted] == ["db-1", "web-1"]
    assert deleted[0][1] == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": "uid-db-1"},
    }
    again = run_module(out_of_service, name="w1")
    assert (again["changed"], again["plan"], again["rows"]) == (False, [], [])


def test_the_taint_is_set_where_only_it_is_missing(run_module: Run, make: Callable[..., FakeApi]) -> None:
    api = make(attached=0)
    api.pods = []
    assert run_module(out_of_service, name="w1")["plan"][0]["before"] == "no pods to go, no volumes attached"
    assert off.TAINT in api.nodes["w1"]["spec"]["taints"]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        (["w1", "w2"], "w2 is said to be powered off, and its kubelet reported until a minute ago at most"),
        (["w1", "w9"], "w9 is no node of this cluster"),
        ([""], "No node is named, or an empty name is"),
    ],
)
def test_what_is_refused(
    run_module: Run, make: Callable[..., FakeApi], name: list[str], said: str, check: bool
) -> None:
    api = make()
    result = run_module(out_of_service, name=name, _ansible_check_mode=check)
    assert (result["failed"], result["changed"], api.changes) == (True, False, [])
    assert [reason for reason in result["reasons"] if reason.startswith(said)]


def test_bare_pods_are_lost_only_where_that_is_allowed(run_module: Run, make: Callable[..., FakeApi]) -> None:
    api = make()
    api.pods.append(pod("bare-1", owner=""))
    result = run_module(out_of_service, name="w1")
    assert result["reasons"] == [
        "default/bare-1 on w1: no controller would start it again: remove it, or set allow_bare_pods to lose it"
    ]
    result = run_module(out_of_service, name="w1", allow_bare_pods=True)
    assert "default/bare-1 is lost" in result["plan"][0]["disrupts"]


def test_a_kubelet_that_reports_all_the_same(
    run_module: Run, make: Callable[..., FakeApi], monkeypatch: pytest.MonkeyPatch
) -> None:
    api = make()
    monkeypatch.setattr(out_of_service, "reporting", lambda _kubectl, nodes: [nodes[0]["metadata"]["name"]])
    result = run_module(out_of_service, name="w1")
    assert result["reasons"] == ["the kubelet of w1 reports, so its host is not powered off"]
    assert api.changes == []


def test_a_host_that_is_powered_on_meanwhile_keeps_its_pods(run_module: Run, make: Callable[..., FakeApi]) -> None:
    api = make()
    api.sticks = True
    delete = api.call

    def call(method: str, path: str, *more: Any) -> Answer:
        if method == "DELETE":
            # Its kubelet reports from here on, and a controller starts a pod on it.
            api.nodes["w1"]["status"] = node("w1")["status"]
            api.pods.append(pod("new-1"))
        return delete(method, path, *more)

    api.call = call  # type: ignore[method-assign]
    result = run_module(out_of_service, name="w1")
    assert result["reasons"] == ["the kubelet of w1 reports again, so its host is not powered off any more"]
    assert "new-1" not in [name for _method, name, _body in api.changes]


@pytest.mark.parametrize(("minor", "who"), [("20", "six minutes after their pods"), ("30", "by the volumes' attacher")])
def test_what_is_still_attached_when_the_time_is_over(
    run_module: Run, make: Callable[..., FakeApi], monkeypatch: pytest.MonkeyPatch, minor: str, who: str
) -> None:
    api = make(minor)
    api.sticks = True
    now = iter(range(0, 100000, 400))
    monkeypatch.setattr(off.time, "monotonic", lambda: next(now))
    result = run_module(out_of_service, name="w1")
    assert result["failed"]
    assert result["reasons"][0].startswith("volume pv-0 is still attached to w1 (VolumeAttachment csi-0): volume pv-0")
    assert who in result["reasons"][0]
    assert result["rows"][0]["result"] == "failed"
