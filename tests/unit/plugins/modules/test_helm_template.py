"""The half of helm_template that asks the cluster, with the API played."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api_calls import Answer
from ansible_collections.groundwork.kubernetes.plugins.modules import helm_template

Run = Callable[..., dict[str, Any]]
RECORD = {"metadata": {"name": "groundwork-chart-shop"}}


class Played:
    objects: dict[str, Any]
    owned: dict[str, list[str]]

    def __init__(self, *_arguments: Any) -> None:
        self.asked: list[str] = []

    def __enter__(self) -> Played:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def get(self, path: str) -> Any:
        return self.objects.get(path)

    def call(self, _method: str, _path: str) -> Answer:
        return Answer(200, {"resources": [{"name": "pods", "kind": "Pod", "namespaced": True}]})

    def items(self, path: str, labelSelector: str) -> list[Any]:  # noqa: N803  the API's own name
        assert labelSelector == "owner=helm,name=shop"
        return [{"metadata": {"name": name}} for name in self.owned.get(path.rpartition("/")[2], [])]


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    path = tmp_path / "admin.conf"
    path.touch()
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_args, **_options: "/usr/local/bin/kubectl")
    monkeypatch.setattr(helm_template, "Api", Played)
    Played.objects = {
        "/version": {"gitVersion": "v1.36.5"},
        "/apis": {"groups": []},
        "/api/v1/namespaces/n": {},
        "/api/v1/namespaces/n/secrets/groundwork-chart-shop": RECORD,
    }
    Played.owned = {}
    return str(path)


@pytest.mark.parametrize("check_mode", [True, False])
def test_what_the_cluster_is_and_has(run_module: Run, kubeconfig: str, check_mode: bool) -> None:
    Played.objects["/api/v1/namespaces/n"] = {"kind": "Namespace"}
    Played.owned = {"secrets": ["sh.helm.release.v1.shop.v1"], "configmaps": ["shop.v1"]}
    result = run_module(
        helm_template, name="shop", namespace="n", kubeconfig=kubeconfig, _ansible_check_mode=check_mode
    )
    assert result["changed"] is False
    assert result["cluster"] == {
        "served": {"version": "v1.36.5", "kinds": {"v1/Pod": True}, "api_versions": ["v1"], "silent": []},
        "namespace": True,
        "record": RECORD,
        "helm": ["Secret sh.helm.release.v1.shop.v1", "ConfigMap shop.v1"],
    }


def test_a_namespace_that_is_not_there(run_module: Run, kubeconfig: str) -> None:
    found = run_module(helm_template, name="shop", namespace="m", kubeconfig=kubeconfig)["cluster"]
    assert (found["namespace"], found["record"], found["helm"]) == (False, None, [])


def test_a_server_that_does_not_tell(run_module: Run, kubeconfig: str) -> None:
    del Played.objects["/version"]
    assert "does not tell its version" in run_module(helm_template, name="shop", kubeconfig=kubeconfig)["msg"]


def test_a_host_without_a_cluster(run_module: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_args, **_options: None)
    options = {"name": "shop", "kubeconfig": str(tmp_path / "none")}
    result = run_module(helm_template, **options, _ansible_check_mode=True)
    assert {name: result.get(name) for name in ("changed", "known", "cluster")} == {
        "changed": False,
        "known": True,
        "cluster": None,
    }
    assert "run this task on a control plane" in run_module(helm_template, **options)["msg"]
