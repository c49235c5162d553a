"""The module addon_check: the API is played, and time does not pass."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.addon_proof import Question
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api_calls import Answer, ApiError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.chart_record import Record
from ansible_collections.groundwork.kubernetes.plugins.modules import addon_check

Result = dict[str, Any]
READY = {"conditions": [{"type": "Ready", "status": "True"}]}
PATH = "/apis/metrics.k8s.io/v1beta1/nodes"
ADDONS = {"kube-system/metrics-server": "metrics-server"}


class Cluster:
    """An API that gives the answers of a list to the question, the last one for ever."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [Answer(200, {"items": [{}, {}]})]
        self.releases = ["kube-system/metrics-server"]
        self.slept: list[float] = []
        self.starts = True

    def __enter__(self) -> Cluster:
        if not self.starts:
            raise ApiError("kubectl proxy did not start")
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def call(self, _method: str, path: str) -> Answer:
        assert path == PATH
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        if path == "/api/v1/nodes":
            return [{"status": READY}, {"status": READY}, {"status": {}}]
        assert query == {"fieldSelector": "type=groundwork.kubernetes/chart"}
        names = [release.split("/") for release in self.releases]
        return [Record(f"{name}-1.2.3", "", True, ()).secret(namespace, name) for namespace, name in names]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cluster:
    cluster, clock = Cluster(), itertools.count()
    (tmp_path / "admin.conf").touch()
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda _self, name, *_args, **_options: f"/bin/{name}")
    monkeypatch.setattr(addon_check, "not_known", lambda _module, _kubeconfig: False)
    monkeypatch.setattr(addon_check, "Api", lambda *_arguments: cluster)
    monkeypatch.setattr(addon_check.time, "sleep", cluster.slept.append)
    monkeypatch.setattr(addon_check.time, "monotonic", lambda: float(next(clock)))
    return cluster


@pytest.fixture
def check(cluster: Cluster, run_module: Callable[..., Result], tmp_path: Path) -> Callable[..., Result]:
    assert cluster.starts

    def run(**options: Any) -> Result:
        question = {"addon": "metrics-server", "what": "each node has figures", "path": PATH, "items": "nodes"}
        given = {"addons": ADDONS, "questions": [question], "kubeconfig": str(tmp_path / "admin.conf"), "timeout": 3}
        return run_module(addon_check, **{**given, **options})

    return run


def test_right_answers(check: Callable[..., Result], cluster: Cluster) -> None:
    result = check()
    assert not result["changed"]
    assert result["table"].splitlines() == [
        "ADD-ON          RELEASE               RESULT  DETAIL",
        "metrics-server  metrics-server-1.2.3  passed  each node has figures",
    ]
    assert (result["unnamed"], cluster.slept) == ([], [])


def test_it_is_asked_again(check: Callable[..., Result], cluster: Cluster) -> None:
    cluster.answers = [Answer(503, {"message": "no endpoints"}), Answer(200, {"items": [{}]}), *cluster.answers]
    assert check(timeout=30)["proofs"] == [
        {"addon": "metrics-server", "what": "each node has figures", "lacks": ""},
    ]
    assert cluster.slept == [3.0, 3.0]


def test_wrong_answers_fail(check: Callable[..., Result], cluster: Cluster) -> None:
    cluster.answers = [Answer(200, {"items": [{}]})]
    result = check()
    assert result["failed"]
    assert result["msg"] == (
        f"After 3 seconds add-ons do not do their work:\n- metrics-server: each node has figures: {PATH} has 1 of 2"
    )
    assert "FAILED" in result["table"]


def test_check_mode_asks_once(check: Callable[..., Result], cluster: Cluster) -> None:
    cluster.answers = [Answer(404, {"message": "not found"})]
    result = check(_ansible_check_mode=True, timeout=600)
    assert result["proofs"][0]["lacks"] == f"{PATH}: not found"
    assert cluster.slept == []


def test_check_mode_without_a_cluster(check: Callable[..., Result], tmp_path: Path) -> None:
    result = check(kubeconfig=str(tmp_path / "none"), _ansible_check_mode=True)
    assert (result["proofs"], result["table"]) == ([], "")
    assert check(kubeconfig=str(tmp_path / "none"))["failed"]


def test_what_nobody_names(check: Callable[..., Result], cluster: Cluster) -> None:
    cluster.releases += ["shop/shop", "logging/fluent-bit"]
    assert check(known=["shop"])["unnamed"] == ["logging/fluent-bit (fluent-bit-1.2.3)"]


def test_an_api_that_does_not_answer(check: Callable[..., Result], cluster: Cluster) -> None:
    cluster.starts = False
    assert check()["msg"] == "kubectl proxy did not start"


CONDITION = {"status": {"conditions": [{"type": "Available", "status": "False", "message": "no pods"}]}}


@pytest.mark.parametrize(
    ("question", "body", "lacks"),
    [
        ({}, {"kind": "IngressClass"}, ""),
        ({"condition": "Available"}, {"status": {"conditions": [{"type": "Available", "status": "True"}]}}, ""),
        ({"condition": "Available"}, CONDITION, "/x is not Available: no pods"),
        ({"condition": "Available"}, {}, "/x is not Available: nothing says so"),
        ({"items": "1"}, {"items": None}, "/x has 0 of 1"),
        ({"text": "^OK$"}, {"message": "OK"}, ""),
        ({"text": '"1"\\]'}, {"data": {"value": [1, "1"]}}, ""),
        ({"text": "up"}, {"message": "down"}, "/x says down, and not up"),
        ({"text": "up"}, {"message": ""}, "/x says nothing, and not up"),
    ],
)
def test_answers(question: dict[str, str], body: dict[str, Any], lacks: str) -> None:
    given = Question.of({"addon": "a", "what": "w", "path": "/x", **question})
    assert given.missing(Answer(200, body), 2) == lacks
