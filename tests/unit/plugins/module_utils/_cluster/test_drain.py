"""Drains against an API in memory that keeps budgets and ends pods as it is told."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import drain as drain_module
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api_calls import Answer, ApiError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.cordon import ANNOTATION
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.drain import Drain, Outcome, attachments
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.pods_to_go import Allowed

sys.path.insert(0, str(Path(__file__).parent))

from eviction_objects import budget, node, pod

Object = dict[str, Any]


class Cluster:
    """Answers as an API server does; what happens to a pod that is told to end is up to the test."""

    def __init__(
        self, pods: list[Object], nodes: list[Object] | None = None, budgets: list[Object] | None = None
    ) -> None:
        self.pods = {one["metadata"]["uid"]: one for one in pods}
        self.nodes = {one["metadata"]["name"]: one for one in nodes or [node("w1"), node("w2")]}
        self.budgets = budgets or []
        self.attached: list[Object] = []
        self.calls: list[tuple[str, str, Object | None]] = []
        self.ends: Callable[[Object], bool] = lambda _pod: True
        self.judge: Callable[[Object], Answer | None] = lambda _pod: None
        self.looked: list[Callable[[], None]] = []
        self.version = "v1"

    def get(self, path: str, **_query: str) -> Object | None:
        if path == "/api/v1":
            return {"resources": [{"name": "pods/eviction", "group": "policy", "version": self.version}]}
        if path == "/apis/policy":
            return {"versions": [{"groupVersion": f"policy/{self.version}"}]}
        if path.startswith("/api/v1/nodes/"):
            return self.nodes.get(path.rsplit("/", 1)[1])
        return None

    def items(self, path: str) -> list[Object]:
        return {
            "/api/v1/nodes": list(self.nodes.values()),
            "/api/v1/pods": list(self.pods.values()),
            f"/apis/policy/{self.version}/poddisruptionbudgets": self.budgets,
            "/apis/storage.k8s.io/v1/volumeattachments": self.attached,
        }.get(path, [])

    def call(self, method: str, path: str, body: Object | None = None, _kind: str = "") -> Answer:
        if method != "GET":
            self.calls.append((method, path, body))
        if path.startswith("/api/v1/nodes/"):
            return self._node(method, path.rsplit("/", 1)[1].partition("?")[0], body)
        if method == "GET":
            if self.looked:
                self.looked.pop(0)()
            name = unquote(path).rpartition("=")[2]
            return Answer(200, {"items": [one for one in self.pods.values() if one["spec"]["nodeName"] == name]})
        name = path.split("/")[6]
        found = next((one for one in self.pods.values() if one["metadata"]["name"] == name), None)
        if found is None:
            return Answer(404)
        options: Object = (body or {}) if method == "DELETE" else (body or {})["deleteOptions"]
        if options["preconditions"]["uid"] != found["metadata"]["uid"]:
            return Answer(409)
        return self._end(found, method, "dryRun=All" in path)

    def _node(self, method: str, name: str, body: Object | None) -> Answer:
        one = self.nodes[name]
        if method == "PATCH" and body is not None:
            for key, value in body["metadata"]["annotations"].items():
                one["metadata"]["annotations"][key] = value
                if value is None:
                    del one["metadata"]["annotations"][key]
            one["spec"]["unschedulable"] = body["spec"]["unschedulable"]
        return Answer(200, one)

    def _end(self, one: Object, method: str, dry: bool) -> Answer:
        answer = self.judge(one) if method == "POST" else None
        own = [
            item
            for item in self.budgets
            if item["spec"]["selector"]["matchLabels"]["app"] == one["metadata"]["labels"]["app"]
        ]
        if answer is None and method == "POST" and own and not own[0]["status"]["disruptionsAllowed"]:
            answer = Answer(429, {"message": "budget"})
        if answer is None and own and method == "POST" and not dry:
            own[0]["status"]["disruptionsAllowed"] -= 1
        if answer is None and not dry:
            one["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:30Z"
            if self.ends(one):
                del self.pods[one["metadata"]["uid"]]
        return answer or Answer(201)

    def annotation(self, name: str = "w1") -> str:
        return str(self.nodes[name]["metadata"]["annotations"].get(ANNOTATION, ""))


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time passes when somebody sleeps."""
    now = [0.0]
    monkeypatch.setattr(drain_module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(drain_module.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


def run(cluster: Cluster, *names: str, volumes: bool = False, **allowed: Any) -> Outcome:
    one = Drain(cluster, list(names or ("w1",)), Allowed(**{"timeout": 60, **allowed}), volumes)  # type: ignore[arg-type]
    plan = one.plan()
    assert plan.refused == ()
    return one.run(plan)


def test_pods_are_evicted_by_their_uid() -> None:
    cluster = Cluster([pod("web-1"), pod("agent-1", owner="DaemonSet")])
    outcome = run(cluster)
    assert (outcome.reasons, outcome.evicted, outcome.cordoned) == ([], ["default/web-1"], ["w1"])
    assert {one.name: one.action for one in outcome.steps} == {"web-1": "gone", "agent-1": "ignore"}
    dry, cordon, real = cluster.calls
    assert (dry[1].endswith("/eviction?dryRun=All"), cordon[0], real[1].endswith("web-1/eviction")) == (
        True,
        "PATCH",
        True,
    )
    assert real[2] == {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": "web-1", "namespace": "default"},
        "deleteOptions": {"preconditions": {"uid": "uid-web-1"}},
    }
    assert cluster.annotation() == "drain"


def test_an_older_server_and_a_shorter_time() -> None:
    cluster = Cluster([pod("web-1", terminationGracePeriodSeconds=600)])
    cluster.version = "v1beta1"
    run(cluster, grace_period=20)
    body = cluster.calls[-1][2]
    assert body is not None
    assert (body["apiVersion"], body["deleteOptions"]["gracePeriodSeconds"]) == ("policy/v1beta1", 20)


def test_a_server_without_evictions() -> None:
    cluster = Cluster([])
    cluster.get = lambda _path, **_query: {}  # type: ignore[method-assign]
    with pytest.raises(ApiError, match="takes no evictions"):
        run(cluster)


def test_a_budget_is_waited_for() -> None:
    item = budget("one", "web", (1, 2, 1, 2))
    cluster = Cluster([pod("web-1"), pod("web-2")], budgets=[item])
    cluster.looked = [lambda: None, lambda: None, lambda: item["status"].update(disruptionsAllowed=1)]
    assert run(cluster).reasons == []
    assert len([call for call in cluster.calls if call[1].endswith("/eviction")]) == 4


def test_the_time_is_over() -> None:
    """The cordon of this run stays, since a pod went; its annotation has the reason."""
    item = budget("one", "web", (1, 2, 1, 2))
    cluster = Cluster([pod("web-1"), pod("web-2")], budgets=[item])
    outcome = run(cluster)
    wait = "waits for PodDisruptionBudget default/one: it needs 1 healthy pods of 2 and has 2"
    reason = f"default/web-2 (Deployment default/web) on w1: {wait}"
    assert (outcome.reasons, outcome.cordoned, outcome.pods_left) == ([reason], ["w1"], {"w1": 1})
    assert cluster.annotation() == f"drain failed: {reason}"
    assert [one.reason for one in outcome.steps if one.name == "web-2"] == [reason.partition("w1: ")[2]]


@pytest.mark.parametrize(
    ("first", "unschedulable", "annotation"),
    [
        (node("w1"), None, ""),
        (node("w1", unschedulable=True), True, ""),
        (
            node("w1", unschedulable=True, annotations={ANNOTATION: "drain"}),
            True,
            "drain failed: default/web-1 (Deployment default/web) on w1: not now",
        ),
    ],
)
def test_a_node_to_which_nothing_was_done(first: Object, unschedulable: bool | None, annotation: str) -> None:
    """This run's cordon is lifted, somebody else's stays, and one of an earlier run, which may have done something."""
    cluster = Cluster([pod("web-1")], [first, node("w2")])
    denied = iter([None])
    cluster.judge = lambda _pod: next(denied, Answer(403, {"message": "not now"}))
    outcome = run(cluster)
    assert outcome.reasons == ["default/web-1 (Deployment default/web) on w1: not now"]
    assert (cluster.nodes["w1"]["spec"].get("unschedulable"), cluster.annotation()) == (unschedulable, annotation)


def test_a_refusal_ends_it_at_once(clock: list[float]) -> None:
    cluster = Cluster([pod("web-1"), pod("web-2")])
    answers = iter([None, None, None])
    cluster.judge = lambda _pod: next(answers, Answer(403, {"message": "not now"}))
    cluster.ends = lambda _pod: False
    outcome = run(cluster)
    assert len(outcome.reasons) == 2
    assert "not now" in outcome.reasons[0]
    assert clock[0] == 0


def test_a_webhook_that_is_down_for_a_while_is_waited_for() -> None:
    cluster = Cluster([pod("web-1")])
    answers = iter([None, Answer(500, {"message": "failed calling webhook"}), Answer(0), None])
    cluster.judge = lambda _pod: next(answers)
    assert run(cluster).reasons == []


def test_budgets_are_passed_by_deleting(clock: list[float]) -> None:
    cluster = Cluster([pod("web-1"), pod("api-1")], budgets=[budget("never", "web", (0, 1, 1, 1))])
    outcome = run(cluster, past_budgets=True)
    assert sorted(outcome.evicted) == ["default/api-1", "default/web-1"]
    deleted = [call for call in cluster.calls if call[0] == "DELETE"]
    assert [(call[1], call[2]) for call in deleted] == [
        (
            "/api/v1/namespaces/default/pods/web-1",
            {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "uid-web-1"}},
        )
    ]


def test_what_ends_is_not_evicted_again() -> None:
    cluster = Cluster([pod("web-1")])
    cluster.ends = lambda _pod: False
    cluster.looked = [lambda: None] * 3 + [cluster.pods.clear]
    assert run(cluster).reasons == []
    assert len([call for call in cluster.calls if call[1].endswith("/eviction")]) == 1


def test_a_silent_kubelet_is_not_waited_for_for_ever(clock: list[float]) -> None:
    cluster = Cluster([pod("web-1")], [node("w1", "Unknown"), node("w2")])
    cluster.ends = lambda _pod: False
    outcome = run(cluster, timeout=900)
    assert "the kubelet of w1 is silent since 2026-01-01T00:00:00Z, so nothing ends on it" in outcome.reasons[0]
    assert clock[0] < 40
    assert outcome.cordoned == ["w1"]


def test_a_pod_that_comes_back_to_a_cordoned_node_is_left() -> None:
    """It tolerates the cordon; to evict it for ever would help nobody."""
    cluster = Cluster([pod("web-1", tolerations=[{"operator": "Exists"}])])
    again = pod("web-2", tolerations=[{"operator": "Exists"}])
    cluster.looked = [lambda: None, lambda: cluster.pods.update({"uid-web-2": again})]
    outcome = run(cluster)
    assert outcome.reasons == []
    assert [one.reason for one in outcome.steps if one.name == "web-2"] == [
        "started here again, since it tolerates the cordon"
    ]


def test_a_pod_that_came_meanwhile_is_judged_like_the_others() -> None:
    cluster = Cluster([pod("web-1")])
    cluster.looked = [lambda: cluster.pods.update({"uid-debug": pod("debug", owner="")})]
    outcome = run(cluster)
    assert "default/debug on w1: no controller would start it again" in outcome.reasons[0]
    assert "uid-debug" in cluster.pods


def test_volumes_are_waited_for() -> None:
    cluster = Cluster([pod("web-1")])
    spec = {"nodeName": "w1", "source": {"persistentVolumeName": "pv-1"}}
    cluster.attached = [{"metadata": {"name": "csi-1"}, "spec": spec}]
    assert run(cluster).reasons == []
    assert run(cluster, volumes=True).reasons == ["volume pv-1 is still attached to w1 (VolumeAttachment csi-1)"]
    cluster.looked = [lambda: None] * 2 + [cluster.attached.clear]
    assert run(cluster, volumes=True).reasons == []


def test_whose_volumes_count() -> None:
    items = [
        {"metadata": {"name": "b"}, "spec": {"nodeName": "w1", "source": {"persistentVolumeName": "pv-2"}}},
        {"metadata": {"name": "a"}, "spec": {"nodeName": "w1", "source": {"persistentVolumeName": "pv-1"}}},
        {"metadata": {"name": "c"}, "spec": {"nodeName": "w2", "source": {"persistentVolumeName": "pv-3"}}},
        {"metadata": {"name": "d"}, "spec": {"nodeName": "w1", "source": {"inlineVolumeSpec": {}}}},
    ]
    assert attachments(items, ["w1"], ["pv-2"]) == [("a", "w1", "pv-1"), ("d", "w1", "of its own")]


def test_an_api_server_that_is_away_is_waited_for(clock: list[float]) -> None:
    cluster = Cluster([pod("web-1")])
    one = Drain(cluster, ["w1"], Allowed(timeout=60))  # type: ignore[arg-type]
    plan, call = one.plan(), cluster.call
    away = iter([True, True, False])

    def sometimes(method: str, path: str, *rest: Any) -> Answer:
        return Answer(502) if "fieldSelector" in path and next(away, False) else call(method, path, *rest)

    cluster.call = sometimes  # type: ignore[method-assign]
    assert one.run(plan).reasons == []
    assert clock[0] == 3 * 2
