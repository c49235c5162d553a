"""Objects of a manifest: their faults, their order, what changes, and what they lack to be ready."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import (
    Change,
    ManifestError,
    Ref,
    Unknown,
    check,
    defined_by,
    flatten,
    from_output,
    in_order,
    unknown_in,
    unready,
)


def thing(kind: str = "ConfigMap", name: str = "x", api: str = "v1", **rest: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, **rest.pop("metadata", {})}, **rest}


CRD = thing(
    "CustomResourceDefinition",
    "things.example.org",
    "apiextensions.k8s.io/v1",
    spec={"group": "example.org", "names": {"kind": "Thing"}, "versions": [{"name": "v1"}, {"name": "v2"}]},
)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (thing(), Ref("", "ConfigMap", "", "x")),
        (thing("Deployment", api="apps/v1", metadata={"namespace": "n"}), Ref("apps", "Deployment", "n", "x")),
        (thing(metadata={"namespace": None}), Ref("", "ConfigMap", "", "x")),
    ],
)
def test_ref(item: dict[str, Any], expected: Ref) -> None:
    assert Ref.of(item) == expected


def test_a_ref_reads_as_a_person_names_it() -> None:
    assert str(Ref("apps", "Deployment", "kube-system", "coredns")) == "Deployment kube-system/coredns"
    assert str(Ref("", "Namespace", "", "shop")) == "Namespace shop"


def test_lists_are_flattened_and_empty_documents_dropped() -> None:
    nested = {"kind": "List", "items": [thing(name="a"), {"kind": "ConfigMapList", "items": [thing(name="b")]}]}
    assert [item["metadata"]["name"] for item in flatten([None, nested, {}, thing(name="c")])] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ([], ["holds no object"]),
        (["text"], ["object 1 is not a mapping but str"]),
        ([{"kind": "Pod"}], ["object 1 (Pod no name) lacks apiVersion, metadata.name"]),
        ([thing(), thing()], ["ConfigMap x is there twice"]),
        ([thing(kind=""), thing(name="")], ["object 1 (no kind x) lacks kind", "object 2", "metadata.name"]),
    ],
)
def test_all_faults_are_named_at_once(objects: list[Any], message: list[str]) -> None:
    with pytest.raises(ManifestError) as error:
        check(objects)
    for text in message:
        assert text in str(error.value)


def test_same_name_in_two_namespaces_is_no_fault() -> None:
    objects = [thing(metadata={"namespace": "a"}), thing(metadata={"namespace": "b"})]
    assert check(objects) == objects


def test_namespaces_and_definitions_come_first_in_their_order() -> None:
    objects = [thing(name="1"), CRD, thing(name="2"), thing("Namespace", "n")]
    assert [item["metadata"]["name"] for item in in_order(objects)] == ["things.example.org", "n", "1", "2"]


def test_what_foundations_define() -> None:
    unknown = defined_by([CRD, thing("Namespace", "n")])
    assert unknown == Unknown({("example.org/v1", "Thing"), ("example.org/v2", "Thing")}, {"n"})
    assert unknown.holds(thing("Thing", api="example.org/v1"))
    assert unknown.holds(thing(metadata={"namespace": "n"}))
    assert not unknown.holds(thing())


def test_old_definitions_have_one_version() -> None:
    old = thing(
        "CustomResourceDefinition",
        api="apiextensions.k8s.io/v1beta1",
        spec={"group": "g", "names": {"kind": "K"}, "version": "v1"},
    )
    assert defined_by([old]).kinds == {("g/v1", "K")}


@pytest.mark.parametrize(
    ("stderr", "expected"),
    [
        (
            'error: unable to recognize "STDIN": no matches for kind "Thing" in version "example.org/v1"',
            Unknown({("example.org/v1", "Thing")}, set()),
        ),
        (
            'error: resource mapping not found for name: "one" namespace: "" from "STDIN": '
            'no matches for kind "Thing" in version "example.org/v1"\nensure CRDs are installed first',
            Unknown({("example.org/v1", "Thing")}, set()),
        ),
        ('Error from server (NotFound): namespaces "demo" not found', Unknown(set(), {"demo"})),
        ("Unable to connect to the server: EOF", Unknown(set(), set())),
    ],
)
def test_what_kubectl_says_is_unknown(stderr: str, expected: Unknown) -> None:
    assert unknown_in(stderr) == expected
    assert bool(expected) == bool(expected.kinds or expected.namespaces)


@pytest.mark.parametrize(
    ("output", "count"), [("", 0), ('{"kind": "Pod"}', 1), ('{"kind": "List", "items": [{"a": 1}, {"b": 1}]}', 2)]
)
def test_kubectl_prints_none_one_or_a_list(output: str, count: int) -> None:
    assert len(from_output(output)) == count


SERVER = {"uid": "1", "resourceVersion": "7", "generation": 2, "managedFields": [{}], "creationTimestamp": "now"}
APPLIED = {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}


@pytest.mark.parametrize(
    ("before", "after", "action"),
    [
        (None, thing(), "created"),
        (None, None, "unchanged"),
        (thing(), None, "deleted"),
        (
            thing(metadata=SERVER, status={"a": 1}),
            thing(metadata={"resourceVersion": "8"}, status={"a": 2}),
            "unchanged",
        ),
        (thing(metadata=APPLIED), thing(), "unchanged"),
        (thing(data={"a": "1"}), thing(data={"a": "2"}), "updated"),
        (thing(metadata={"labels": {"a": "1"}}), thing(), "updated"),
    ],
)
def test_action(before: dict[str, Any] | None, after: dict[str, Any] | None, action: str) -> None:
    assert Change(Ref("", "ConfigMap", "", "x"), before, after).action == action


def test_diff_of_a_secret_hides_its_values() -> None:
    before = thing("Secret", data={"same": "c2FtZQ==", "old": "b2xk", "changed": "MQ=="}, metadata=APPLIED)
    after = thing("Secret", data={"same": "c2FtZQ==", "changed": "Mg=="}, stringData={"new": "plain"})
    shown = Change(Ref.of(after), before, after).diff()
    text = shown["before"] + shown["after"]
    for secret in ("c2FtZQ==", "b2xk", "MQ==", "Mg==", "plain", "last-applied"):
        assert secret not in text
    assert '"same": "hidden"' in shown["before"]
    assert '"same": "hidden"' in shown["after"]
    assert '"changed": "hidden (before)"' in shown["before"]
    assert '"changed": "hidden (after)"' in shown["after"]
    assert '"new": "hidden (after)"' in shown["after"]


def test_diff_of_a_new_object_begins_empty() -> None:
    shown = Change(Ref.of(thing()), None, thing(data={"a": "1"})).diff()
    assert shown["before"] == ""
    assert '"a": "1"' in shown["after"]
    assert shown["after_header"] == "ConfigMap x"


def workload(kind: str, spec: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    return thing(kind, api="apps/v1", metadata={"generation": 2}, spec=spec, status=status)


@pytest.mark.parametrize(
    ("item", "lacking"),
    [
        (thing(), ""),
        (CRD, "is not established"),
        ({**CRD, "status": {"conditions": [{"type": "Established", "status": "True"}]}}, ""),
        (workload("Deployment", {}, {}), "is not seen by its controller yet"),
        (
            workload("Deployment", {}, {"observedGeneration": 1, "availableReplicas": 1}),
            "is not seen by its controller yet",
        ),
        (workload("Deployment", {"replicas": 0}, {"observedGeneration": 2}), ""),
        (
            workload("Deployment", {"replicas": 3}, {"observedGeneration": 2, "updatedReplicas": 2}),
            "has 2 of 3 pods updated",
        ),
        (
            workload(
                "Deployment", {}, {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 2}
            ),
            "has 1 old pods to end",
        ),
        (
            workload("Deployment", {}, {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1}),
            "has 0 of 1 pods ready",
        ),
        (
            workload(
                "Deployment", {}, {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
            ),
            "",
        ),
        (workload("DaemonSet", {}, {"observedGeneration": 2, "desiredNumberScheduled": 2}), "has 0 of 2 pods updated"),
        (
            workload(
                "DaemonSet",
                {"updateStrategy": {"type": "OnDelete"}},
                {"observedGeneration": 2, "desiredNumberScheduled": 2},
            ),
            "has 0 of 2 pods ready",
        ),
        (
            workload(
                "DaemonSet",
                {},
                {
                    "observedGeneration": 2,
                    "desiredNumberScheduled": 2,
                    "updatedNumberScheduled": 2,
                    "numberAvailable": 2,
                },
            ),
            "",
        ),
        (
            workload(
                "StatefulSet", {"replicas": 2}, {"observedGeneration": 2, "updatedReplicas": 2, "readyReplicas": 1}
            ),
            "has 1 of 2 pods ready",
        ),
    ],
)
def test_what_an_object_lacks(item: dict[str, Any], lacking: str) -> None:
    assert unready(item) == lacking
