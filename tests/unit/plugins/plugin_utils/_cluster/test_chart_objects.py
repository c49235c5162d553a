"""What Helm renders, sorted and judged."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import ManifestError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.chart_objects import (
    differing,
    placed,
    split,
    unserved,
)

Object = dict[str, Any]


def item(kind: str, name: str, api: str = "v1", namespace: str = "", **annotations: str) -> Object:
    metadata: Object = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if annotations:
        metadata["annotations"] = {f"helm.sh/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return {"apiVersion": api, "kind": kind, "metadata": metadata}


CRD = {
    **item("CustomResourceDefinition", "orders.x.org", "apiextensions.k8s.io/v1"),
    "spec": {"group": "x.org", "scope": "Cluster", "names": {"kind": "Order"}, "versions": [{"name": "v1"}]},
}


def test_definitions_objects_and_hooks() -> None:
    late = item("Job", "late", hook="post-install,test", hook_weight="7", hook_delete_policy="hook-succeeded")
    early = item("Job", "early", hook="pre-install, pre-upgrade", hook_weight="-3")
    objects = [item("Service", "s"), CRD, late, item("Pod", "t", hook="test"), early]
    found = split(objects)
    assert found.crds == [CRD]
    assert found.objects == [item("Service", "s")]
    assert [(hook.item["metadata"]["name"], hook.events, hook.weight, hook.removed) for hook in found.hooks] == [
        ("early", ("pre-install", "pre-upgrade"), -3, False),
        ("late", ("post-install",), 7, True),
    ]
    assert found.digest == split(objects[::-1]).digest != split(objects[1:]).digest


@pytest.mark.parametrize(
    ("hook", "weight", "skip", "expected"),
    [
        ("pre-delete", "0", [], "Job x is a hook of pre-delete: only hooks before and after"),
        ("pre-install,pre-rollback", "0", [], "Job x is a hook of pre-rollback: "),
        ("pre-install", "high", [], "Job x has the weight high, which is no number: "),
        ("pre-delete", "0", ["pre-delete"], ""),
        ("test-success", "0", [], ""),
    ],
)
def test_hooks_that_are_not_run(hook: str, weight: str, skip: list[str], expected: str) -> None:
    objects = [item("Job", "x", hook=hook, hook_weight=weight)]
    if expected:
        with pytest.raises(ManifestError) as caught:
            split(objects, skip)
        assert str(caught.value).startswith(expected)
    else:
        assert split(objects, skip).everything == []


def test_what_differs() -> None:
    first = [item("Secret", "a"), item("Secret", "b", namespace="n"), item("Secret", "c")]
    second = [{**first[0], "data": {}}, first[1], item("Secret", "d")]
    assert differing(first, second) == ["Secret a", "Secret c", "Secret d"]


@pytest.mark.parametrize(
    ("wanted", "kinds", "expected"),
    [
        (item("Service", "s"), {}, "n"),
        (item("Service", "s", namespace="other"), {}, "other"),
        (item("ClusterRole", "s", "rbac.authorization.k8s.io/v1"), {}, None),
        (item("Order", "s", "x.org/v1"), {}, None),  # as its definition says
        (item("Thing", "s", "y.org/v1"), {"y.org/v1/Thing": False}, None),
        (item("Thing", "s", "y.org/v1"), {"y.org/v1/Thing": True}, "n"),
    ],
)
def test_namespaces(wanted: Object, kinds: dict[str, bool], expected: str | None) -> None:
    hook = {**wanted, "metadata": {**wanted["metadata"], "annotations": {"helm.sh/hook": "pre-install"}}}
    found = placed(split([CRD, wanted, hook]), "n", kinds)
    for one in (found.objects[0], found.hooks[0].item):
        assert one["metadata"].get("namespace") == expected
    assert "namespace" not in found.crds[0]["metadata"]


def test_what_a_cluster_does_not_serve() -> None:
    objects = [CRD, item("Order", "o", "x.org/v1"), item("Budget", "b", "policy/v1"), item("Metric", "m", "slow/v1")]
    kinds = {"apiextensions.k8s.io/v1/CustomResourceDefinition": False}
    assert unserved(split(objects), kinds, ["slow/v1"]) == ["Budget b (policy/v1)"]
