"""The steps in which releases are installed, changed and removed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.chart_record import Record, read_record
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.chart_objects import Rendering, split
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.chart_steps import (
    Release,
    Step,
    install_steps,
    removal_steps,
)

Object = dict[str, Any]


def item(kind: str, name: str, hook: str = "", weight: int = 0, *, policy: str = "", keep: str = "") -> Object:
    found = {
        "helm.sh/hook": hook,
        "helm.sh/hook-weight": str(weight) if weight else "",
        "helm.sh/hook-delete-policy": policy,
        "helm.sh/resource-policy": keep,
    }
    annotations = {key: value for key, value in found.items() if value}
    api = "apiextensions.k8s.io/v1" if kind == "CustomResourceDefinition" else "v1"
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "annotations": annotations}}


CRD = {**item("CustomResourceDefinition", "orders.x.org"), "spec": {"group": "x.org"}}
PLAIN = [item("Service", "s"), item("ConfigMap", "c")]
HOOKS = [
    item("Job", "pre", "pre-install,pre-upgrade", 1, policy="hook-succeeded"),
    item("ServiceAccount", "account", "pre-install", 1),
    item("Job", "up", "post-upgrade"),
]


def record_of(step: Step) -> Record | None:
    secrets = [one for one in step.objects if one["kind"] == "Secret"]
    return read_record(secrets[0]) if secrets else None


def shown(steps: list[Step]) -> list[tuple[str, str, list[str]]]:
    names = [[f"{one['kind']} {one['metadata']['name']}" for one in step.objects] for step in steps]
    states = ["again" if step.recreate else step.state for step in steps]
    return [(step.name.partition(": ")[2], state, name) for step, state, name in zip(steps, states, names)]


def done(rendering: Rendering) -> Record | None:
    return record_of(install_steps(Release("shop", "n"), "shop-1", rendering)[-1])


RECORD = "Secret groundwork-chart-shop"


def test_a_chart_without_hooks() -> None:
    rendering = split([CRD, *PLAIN])
    steps = install_steps(Release("shop", "n", namespace_exists=False), "shop-1", rendering)
    names = ["CustomResourceDefinition orders.x.org", "Service s", "ConfigMap c", RECORD]
    assert shown(steps) == [
        ("make the namespace", "present", ["Namespace n"]),
        ("apply shop-1", "present", names),
        ("the record", "present", [RECORD]),
    ]
    assert [step.owner for step in steps] == ["", "n/shop", "n/shop"]
    begun, ended = record_of(steps[1]), record_of(steps[2])
    assert begun
    assert ended
    assert (begun.digest, begun.installed) == ("", False)
    assert (ended.digest, ended.installed) == (rendering.digest, True)
    assert begun.entries == ended.entries
    again = install_steps(Release("shop", "n", ended), "shop-1", rendering)
    assert shown(again) == [("apply shop-1", "present", names)]
    assert record_of(again[0]) == ended


@pytest.mark.parametrize("namespace", ["default", "kube-system"])
def test_no_namespace_is_made_that_every_cluster_has(namespace: str) -> None:
    steps = install_steps(Release("shop", namespace, namespace_exists=False), "shop-1", split(PLAIN))
    assert "make the namespace" not in steps[0].name


def test_hooks_of_an_installation() -> None:
    steps = install_steps(Release("shop", "n"), "shop-1", split([CRD, *PLAIN, *HOOKS]))
    assert shown(steps) == [
        ("definitions of resources, and the record", "present", ["CustomResourceDefinition orders.x.org", RECORD]),
        ("before: Job pre", "again", ["Job pre"]),
        ("remove Job pre", "absent", ["Job pre"]),
        ("before: ServiceAccount account", "again", ["ServiceAccount account"]),
        ("apply shop-1", "present", ["CustomResourceDefinition orders.x.org", "Service s", "ConfigMap c"]),
        ("the record", "present", [RECORD]),
    ]


@pytest.mark.parametrize("finished", [True, False])
def test_an_upgrade(finished: bool) -> None:
    old = done(split([CRD, *PLAIN, item("Secret", "kept", keep="keep"), item("PersistentVolumeClaim", "p")]))
    assert old
    if not finished:  # a run was cut off
        old = Record(old.chart, "", False, old.entries)
    steps = install_steps(Release("shop", "n", old), "shop-2", split([PLAIN[0], *HOOKS]))
    names = [name for name, _state, _objects in shown(steps)]
    before = ["before: Job pre", "remove Job pre"] + ["before: ServiceAccount account"] * (not finished)
    after = ["after: Job up"] * finished
    middle = [*before, "apply shop-2", *after]
    assert names == ["the record", *middle, "remove what shop-2 no longer has", "the record"]
    begun, ended = record_of(steps[0]), record_of(steps[-1])
    assert begun
    assert ended
    assert {entry.name for entry in begun.entries} >= {"orders.x.org", "c", "kept", "p", "s"}
    assert [one["metadata"]["name"] for one in steps[-2].objects] == ["c"]
    assert not {"c", "kept"} & {entry.name for entry in ended.entries}


def test_a_hook_that_changes_makes_a_release_new() -> None:
    old = done(split([*PLAIN, item("Job", "up", "post-upgrade")]))
    steps = install_steps(Release("shop", "n", old), "shop-1", split([*PLAIN, item("Job", "up", "post-upgrade", 5)]))
    assert [name for name, _state, _objects in shown(steps)] == ["apply shop-1", "after: Job up", "the record"]


@pytest.mark.parametrize("crds", [True, False])
def test_a_removal(crds: bool) -> None:
    kept = [item("Secret", "kept", keep="keep"), item("PersistentVolumeClaim", "p"), item("Namespace", "n")]
    steps, stays = removal_steps(Release("shop", "n", done(split([CRD, *PLAIN, *kept]))), crds)
    middle = [("remove definitions of resources", "absent", ["CustomResourceDefinition orders.x.org"])]
    assert shown(steps) == [
        ("remove shop-1", "absent", ["Service s", "ConfigMap c"]),
        *(middle if crds else []),
        ("remove the record", "absent", [RECORD]),
    ]
    left = [] if crds else ["CustomResourceDefinition orders.x.org"]
    assert stays == ["Secret kept", "PersistentVolumeClaim p", "Namespace n", *left, "Namespace n"]


def test_nothing_to_remove() -> None:
    assert removal_steps(Release("shop", "n"), crds=True) == ([], [])
