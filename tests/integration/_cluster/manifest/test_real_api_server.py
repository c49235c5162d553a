"""The modules manifest, node and node_info on a real API server."""

# ruff: noqa: D103

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from api_server import ApiServer, Task

EXAMPLE = Path(__file__).resolve().parents[4] / "tests" / "lab" / "manifests" / "example.yml"

OPERATOR = """
apiVersion: example.org/v1
kind: Thing
metadata: {name: one, namespace: operator}
spec: {size: 1}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org}
spec:
  group: example.org
  names: {kind: Thing, plural: things}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, properties: {size: {type: integer}}}
---
apiVersion: v1
kind: Namespace
metadata: {name: operator}
"""


def actions(result: dict[str, Any]) -> list[str]:
    assert "objects" in result, result
    return [item["action"] for item in result["objects"]]


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_a_manifest_is_foreseen_applied_and_then_unchanged(server: ApiServer, task: Task) -> None:
    options = {
        "path": str(EXAMPLE),
        "image_mirrors": {"registry.k8s.io": "mirror.example.org/k8s"},
        "patches": [{"kind": "Deployment", "patch": {"spec": {"replicas": 3}}}],
    }
    foreseen = task("manifest", options, check=True, diff=True)
    assert foreseen["changed"]
    assert actions(foreseen) == ["created"] * 3
    assert [diff["before"] for diff in foreseen["diff"]] == [""] * 3
    assert not server.exists("namespace", "example")

    result = task("manifest", options)
    assert actions(result) == ["created"] * 3
    deployment = server.get("deployment", "pause", "--namespace=example")
    assert deployment["spec"]["replicas"] == 3
    assert (
        deployment["spec"]["template"]["spec"]["containers"][0]["image"]
        == "mirror.example.org/k8s/groundwork/busybox:1"
    )

    version = deployment["metadata"]["resourceVersion"]
    for check in (False, True):
        again = task("manifest", options, check=check, diff=True)
        assert not again["changed"]
        assert again["diff"] == []
    assert server.get("deployment", "pause", "--namespace=example")["metadata"]["resourceVersion"] == version


def test_a_changed_field_is_updated_and_a_dropped_one_removed(server: ApiServer, task: Task) -> None:
    task("manifest", {"objects": [config_map("fields", kept="1", changed="1", dropped="1")]})
    result = task("manifest", {"objects": [config_map("fields", kept="1", changed="2")]}, diff=True)
    assert actions(result) == ["updated"]
    assert '"dropped"' in result["diff"][0]["before"]
    assert '"dropped"' not in result["diff"][0]["after"]
    assert server.get("configmap", "fields")["data"] == {"kept": "1", "changed": "2"}


def test_what_others_set_stays_and_conflicts_are_said(server: ApiServer, task: Task) -> None:
    server.create(config_map("shared", theirs="1", disputed="1"))
    options: dict[str, Any] = {"objects": [config_map("shared", ours="1", disputed="2")]}
    for check in (True, False):
        refused = task("manifest", options, check=check)
        assert refused["failed"]
        assert "conflict" in refused["msg"]
        assert "Set force_conflicts to true" in refused["msg"]
    result = task("manifest", {**options, "force_conflicts": True})
    assert actions(result) == ["updated"]
    assert server.get("configmap", "shared")["data"] == {"theirs": "1", "ours": "1", "disputed": "2"}


def test_definitions_namespaces_and_their_objects_in_one_manifest(server: ApiServer, task: Task) -> None:
    foreseen = task("manifest", {"content": OPERATOR}, check=True)
    assert actions(foreseen) == ["created"] * 3
    assert not server.exists("crd", "things.example.org")
    assert actions(task("manifest", {"content": OPERATOR})) == ["created"] * 3
    assert server.get("things", "one", "--namespace=operator")["spec"] == {"size": 1}
    assert not task("manifest", {"content": OPERATOR})["changed"]

    # A namespace ends only with a controller manager, which this API server lacks.
    parts = OPERATOR.rpartition("---")[0]
    foreseen = task("manifest", {"content": parts, "state": "absent"}, check=True)
    assert actions(foreseen) == ["deleted"] * 2
    result = task("manifest", {"content": parts, "state": "absent", "wait": True, "timeout": 60})
    assert actions(result) == ["deleted"] * 2
    assert not server.exists("crd", "things.example.org")
    assert not task("manifest", {"content": parts, "state": "absent"})["changed"]


def test_what_an_earlier_task_would_create_does_not_break_check_mode(task: Task) -> None:
    other = OPERATOR.replace("example.org", "other.org").split("---")[0]
    item = {**config_map("x"), "metadata": {"name": "x", "namespace": "not-yet"}}
    for options in ({"content": other}, {"objects": [item]}):
        assert actions(task("manifest", options, check=True)) == ["created"]
        assert task("manifest", options)["failed"]


def test_a_refused_object_leaves_the_others_alone(server: ApiServer, task: Task) -> None:
    bad = {**config_map("bad"), "data": {"not/a/key": "1"}}
    result = task("manifest", {"objects": [config_map("good", a="1"), bad]})
    assert result["failed"]
    assert "not/a/key" in result["msg"]
    assert not server.exists("configmap", "good")


def test_a_secret_is_never_shown(server: ApiServer, task: Task) -> None:
    def secret(value: str) -> dict[str, Any]:
        metadata = {"name": "password"}
        return {"objects": [{"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"p": value}}]}

    results = [task("manifest", secret(value), diff=True) for value in ("first-one", "second-one", "second-one")]
    assert [actions(result) for result in results] == [["created"], ["updated"], ["unchanged"]]
    for value in ("first-one", "second-one"):
        assert value not in str(results)
        assert base64.b64encode(value.encode()).decode() not in str(results)
    assert base64.b64decode(server.get("secret", "password")["data"]["p"]) == b"second-one"


def test_waits_and_says_why_not(server: ApiServer, task: Task) -> None:
    options = {"path": str(EXAMPLE), "wait": True, "timeout": 1}
    task("manifest", {"path": str(EXAMPLE)})
    generation = server.get("deployment", "pause", "--namespace=example")["metadata"]["generation"]
    path = "/apis/apps/v1/namespaces/example/deployments/pause"
    server.set_status(path, {"observedGeneration": generation, "replicas": 2, "updatedReplicas": 2})
    server.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "pause-1", "namespace": "example", "labels": {"app.kubernetes.io/name": "pause"}},
            "spec": {"containers": [{"name": "pause", "image": "x"}]},
        }
    )
    waiting = {"reason": "ErrImagePull", "message": "no such host"}
    container = {"name": "pause", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
    pod_status = {"containerStatuses": [{**container, "state": {"waiting": waiting}}]}
    server.set_status("/api/v1/namespaces/example/pods/pause-1", pod_status)
    assert task("manifest", options)["msg"] == (
        "not ready after 1 seconds:\nDeployment example/pause has 0 of 2 pods ready\n"
        "  pod pause-1: container pause: ErrImagePull: no such host"
    )
    server.set_status(path, {"availableReplicas": 2, "readyReplicas": 2})
    assert not task("manifest", options)["changed"]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A web server with the file manifest.yml."""
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "manifest.yml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: web}}\n")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder))) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{web.server_address[1]}/manifest.yml"
        web.shutdown()


def test_a_url_needs_its_checksum(server: ApiServer, task: Task, url: str, tmp_path: Path) -> None:
    checksum = "sha256:" + hashlib.sha256((tmp_path / "web" / "manifest.yml").read_bytes()).hexdigest()
    http = {"allow_http": True}
    for options, message in (
        ({**http, "url": url}, checksum),
        ({**http, "url": url, "checksum": "sha256:" + "0" * 64}, checksum),
        ({**http, "url": url + "x", "checksum": checksum}, "cannot download"),
        ({**http, "url": url, "checksum": checksum, "pod_cidr": "10.0.0.0/8"}, "holds neither Calico"),
        ({**http, "url": url, "path": "x"}, "mutually exclusive"),
        ({}, "one of the following is required"),
    ):
        result = task("manifest", options)
        assert result["failed"]
        assert message in result["msg"]
    assert not server.exists("configmap", "web")
    assert actions(task("manifest", {**http, "url": url, "checksum": checksum})) == ["created"]


def test_nodes(server: ApiServer, task: Task) -> None:
    for number, name in enumerate(("w1", "w2")):
        subnet = {"podCIDR": f"10.244.{number}.0/24", "podCIDRs": [f"10.244.{number}.0/24"]}
        server.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": subnet})
        server.set_status(
            f"/api/v1/nodes/{name}", {"addresses": [{"type": "InternalIP", "address": f"192.0.2.{number}"}]}
        )
    taint = {"key": "example.org/pool", "value": "database", "effect": "NoSchedule"}
    wishes = [
        {"name": "w1", "labels": {"pool": "database", "gone": None}, "taints": [taint], "unschedulable": True},
        {"name": "w2", "annotations": {"note": "x"}},
    ]
    foreseen = task("node", {"nodes": wishes}, check=True, diff=True)
    assert foreseen["changed_nodes"] == ["w1", "w2"]
    assert "labels" not in server.get("node", "w1")["metadata"]
    result = task("node", {"nodes": wishes}, diff=True)
    assert result["diff"] == foreseen["diff"]
    # The API server's admission adds the taint of a cordoned node only where a controller runs.
    assert server.get("node", "w1")["spec"]["unschedulable"] is True
    assert taint in server.get("node", "w1")["spec"]["taints"]
    assert not task("node", {"nodes": wishes})["changed"]

    back = {"name": "w1", "labels": {"pool": None}, "taints_absent": [{"key": taint["key"]}], "unschedulable": False}
    assert task("node", back)["changed"]
    assert not task("node", back)["changed"]
    node = server.get("node", "w1")
    assert "unschedulable" not in node["spec"]
    assert taint not in node["spec"].get("taints", [])

    refused = task("node", {"name": "w9", "unschedulable": True})
    assert "not registered in the cluster: w9" in refused["msg"]
    assert task("node", {"name": "w9", "unschedulable": True}, check=True)["changed"]

    info = task("node_info", {"names": ["w1", "w2"], "wait_for": ["pod_cidr", "internal_ip"]})
    assert [(item["pod_cidrs"], item["internal_ips"]) for item in info["nodes"]] == [
        (["10.244.0.0/24"], ["192.0.2.0"]),
        (["10.244.1.0/24"], ["192.0.2.1"]),
    ]
    late = task("node_info", {"names": ["w1"], "wait_for": ["ready"], "timeout": 1})
    assert late["msg"] == "after 1 seconds: node w1 is not ready: its kubelet has not reported yet"
