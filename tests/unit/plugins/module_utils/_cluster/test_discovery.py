"""What an API server serves."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api_calls import Answer, ApiError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.discovery import discover

GROUPS = {
    "groups": [{"versions": [{"groupVersion": "apps/v1"}]}, {"versions": [{"groupVersion": "metrics.k8s.io/v1"}]}]
}
RESOURCES = {
    "/api/v1": [("pods", "Pod", True), ("pods/log", "Pod", True), ("nodes", "Node", False)],
    "/apis/apps/v1": [("deployments", "Deployment", True)],
}


class Played:
    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def get(self, path: str) -> Any:
        return self.answers.get(path.strip("/"))

    def call(self, _method: str, path: str) -> Answer:
        if path not in RESOURCES:
            return Answer(503, {"message": "no endpoints"})
        rows = [{"name": name, "kind": kind, "namespaced": within} for name, kind, within in RESOURCES[path]]
        return Answer(200, {"resources": rows})


def test_kinds_and_an_api_that_does_not_answer() -> None:
    api: Any = Played(version={"gitVersion": "v1.20.2"}, apis=GROUPS)
    found = discover(api)
    assert found.version == "v1.20.2"
    assert found.api_versions == ["v1", "apps/v1", "metrics.k8s.io/v1"]
    assert found.kinds == {"v1/Pod": True, "v1/Node": False, "apps/v1/Deployment": True}
    assert found.silent == ["metrics.k8s.io/v1"]


def test_a_server_that_tells_nothing() -> None:
    api: Any = Played()
    with pytest.raises(ApiError, match="does not tell its version"):
        discover(api)
