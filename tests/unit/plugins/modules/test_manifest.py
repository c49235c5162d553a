"""The module manifest against a played kubectl; tests/integration/_cluster/manifest has a real API server."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import api, server_side_apply
from ansible_collections.groundwork.kubernetes.plugins.modules import manifest

Run = Callable[..., dict[str, Any]]

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
SETTINGS = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s", "namespace": "n"}, "data": {"a": "1"}}
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.example.org"},
    "spec": {"group": "example.org", "names": {"kind": "Thing"}, "versions": [{"name": "v1"}]},
}
THING = {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "one"}}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d", "namespace": "n"},
    "spec": {"selector": {"matchLabels": {"app": "d"}}},
}
GET = ["get", "--ignore-not-found", "--output=json", "--filename=-"]
APPLY = ["apply", "--server-side", "--field-manager=groundwork", "--output=json", "--filename=-"]
DRY_RUN = [*APPLY[:4], "--dry-run=server", APPLY[4]]
DELETE = ["delete", "--ignore-not-found", "--wait=false", "--filename=-"]


class Server:
    """A cluster that remembers objects, as kubectl shows it."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.calls: list[tuple[list[str], list[str]]] = []
        self.refused = ""
        self.pods: list[dict[str, Any]] = []
        self.stubborn = False
        self.warnings: list[str] = []

    def keys(self) -> list[tuple[str, str]]:
        return sorted(self.objects)

    def run_command(self, argv: list[str], data: str | None) -> tuple[int, str, str]:
        assert argv[1:3] == [f"--kubeconfig={self.kubeconfig}", "--request-timeout=60s"]
        arguments = argv[3:]
        items = json.loads(data)["items"] if data else []
        self.calls.append((arguments, [f"{item['kind']} {item['metadata']['name']}" for item in items]))
        if arguments[:2] in (["get", "pods"], ["get", "events"]):
            return 0, json.dumps({"items": self.pods if arguments[1] == "pods" else []}), ""
        unknown = self.unknown(items)
        if unknown:
            return 1, "", unknown
        if arguments == GET:
            return self.out([self.objects[key] for key in map(self.key, items) if key in self.objects])
        if arguments == DELETE:
            for item in items if not self.stubborn else []:
                self.objects.pop(self.key(item), None)
            return 0, "", ""
        return self.apply(arguments, items)

    def apply(self, arguments: list[str], items: list[dict[str, Any]]) -> tuple[int, str, str]:
        if self.refused:
            return 1, "", self.refused
        results = [{**self.objects.get(self.key(item), {}), **copy.deepcopy(item)} for item in items]
        if "--dry-run=server" not in arguments:
            for item in results:
                item["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
                self.objects[self.key(item)] = item
        return self.out(results)

    def unknown(self, items: list[dict[str, Any]]) -> str:
        for item in items:
            namespace = item["metadata"].get("namespace")
            if item["kind"] == "Thing" and ("CustomResourceDefinition", "things.example.org") not in self.objects:
                return 'error: unable to recognize "STDIN": no matches for kind "Thing" in version "example.org/v1"'
            if namespace and ("Namespace", namespace) not in self.objects and self.calls[-1][0][0] == "apply":
                return f'Error from server (NotFound): namespaces "{namespace}" not found'
        return ""

    @staticmethod
    def key(item: dict[str, Any]) -> tuple[str, str]:
        return item["kind"], item["metadata"]["name"]

    @staticmethod
    def out(items: list[dict[str, Any]]) -> tuple[int, str, str]:
        if not items:
            return 0, "", ""
        return 0, json.dumps(items[0] if len(items) == 1 else {"kind": "List", "items": items}), ""

    kubeconfig = ""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    played = Server()
    played.kubeconfig = str(tmp_path / "admin.conf")
    Path(played.kubeconfig).touch()
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_args, **_options: "/usr/local/bin/kubectl")
    monkeypatch.setattr(
        AnsibleModule, "run_command", lambda _self, argv, data=None, **_options: played.run_command(argv, data)
    )
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text: played.warnings.append(text))
    monkeypatch.setattr(api, "INTERVAL", 0)
    return played


@pytest.fixture
def apply(run_module: Run, server: Server) -> Run:
    def run(*objects: dict[str, Any], **options: Any) -> dict[str, Any]:
        server.calls.clear()
        return run_module(manifest, objects=copy.deepcopy(list(objects)), kubeconfig=server.kubeconfig, **options)

    return run


def actions(result: dict[str, Any]) -> list[str]:
    return [item["action"] for item in result["objects"]]


def test_new_objects_are_created_in_order(apply: Run, server: Server) -> None:
    result = apply(SETTINGS, NAMESPACE)
    assert result["changed"]
    assert result["objects"] == [
        {"kind": "Namespace", "namespace": "", "name": "n", "action": "created"},
        {"kind": "ConfigMap", "namespace": "n", "name": "s", "action": "created"},
    ]
    assert server.calls == [
        (GET, ["Namespace n"]),
        (DRY_RUN, ["Namespace n"]),
        (APPLY, ["Namespace n"]),
        (APPLY, ["ConfigMap s"]),
    ]


def test_second_run_asks_and_changes_nothing(apply: Run, server: Server) -> None:
    apply(NAMESPACE, SETTINGS)
    result = apply(NAMESPACE, SETTINGS)
    assert not result["changed"]
    assert actions(result) == ["unchanged", "unchanged"]
    assert server.calls == [
        (GET, ["Namespace n"]),
        (GET, ["ConfigMap s"]),
        (DRY_RUN, ["Namespace n", "ConfigMap s"]),
    ]


def test_only_what_differs_is_written(apply: Run, server: Server) -> None:
    apply(NAMESPACE, SETTINGS)
    result = apply(NAMESPACE, {**SETTINGS, "data": {"a": "2"}}, _ansible_diff=True)
    assert actions(result) == ["unchanged", "updated"]
    assert server.calls[-1] == (APPLY, ["ConfigMap s"])
    assert [diff["after_header"] for diff in result["diff"]] == ["ConfigMap n/s"]


def test_definitions_are_established_before_their_objects_follow(apply: Run, server: Server) -> None:
    result = apply(THING, CRD)
    assert actions(result) == ["created", "created"]
    assert server.calls[2:] == [
        (APPLY, ["CustomResourceDefinition things.example.org"]),
        (GET, ["CustomResourceDefinition things.example.org"]),
        (APPLY, ["Thing one"]),
    ]


def test_check_mode_only_asks(apply: Run, server: Server) -> None:
    result = apply(NAMESPACE, SETTINGS, CRD, THING, _ansible_check_mode=True, _ansible_diff=True)
    assert result["changed"]
    assert actions(result) == ["created"] * 4
    assert len(result["diff"]) == 4
    assert server.objects == {}
    assert {call[0] for call, _items in server.calls} == {"get", "apply"}
    assert all("--dry-run=server" in call for call, _items in server.calls if call[0] == "apply")


def test_check_mode_knows_that_earlier_tasks_may_bring_what_is_missing(apply: Run, server: Server) -> None:
    result = apply(SETTINGS, THING, _ansible_check_mode=True)
    assert actions(result) == ["created", "created"]
    assert server.objects == {}


@pytest.mark.parametrize("item", [SETTINGS, THING])
def test_what_is_missing_fails_a_real_run(apply: Run, server: Server, item: dict[str, Any]) -> None:
    result = apply(item)
    assert result["failed"]
    assert server.objects == {}


def test_nothing_is_changed_if_the_server_refuses_the_dry_run(apply: Run, server: Server) -> None:
    apply(NAMESPACE)
    server.refused = 'The ConfigMap "s" is invalid: data: too long'
    result = apply(NAMESPACE, SETTINGS)
    assert result["failed"]
    assert "too long" in result["msg"]
    assert server.keys() == [("Namespace", "n")]


def test_conflicts_are_explained_and_can_be_forced(apply: Run, server: Server) -> None:
    apply(NAMESPACE)
    server.refused = 'Apply failed with 1 conflict: conflict with "kubectl-create" using v1: .data.a'
    assert "Set force_conflicts to true" in apply(SETTINGS)["msg"]
    server.refused = ""
    apply(SETTINGS, force_conflicts=True)
    assert server.calls[-1][0] == [*APPLY[:4], "--force-conflicts", APPLY[4]]


def test_waits_for_workloads_even_if_nothing_changed(apply: Run, server: Server) -> None:
    apply(NAMESPACE, DEPLOYMENT)
    server.objects["Deployment", "d"]["status"] = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    result = apply(NAMESPACE, DEPLOYMENT, wait=True)
    assert not result["changed"]
    assert server.calls[-1] == (GET, ["Deployment d"])


@pytest.mark.parametrize(
    ("nodes", "observed", "msg"),
    [
        ([], 2, "not ready after 0 seconds"),
        (["w2"], 2, "not ready after 0 seconds"),
        (["w1"], 2, ""),
        (["w1"], 0, "not ready after 0 seconds"),
    ],
)
def test_pods_on_other_nodes_are_not_waited_for(
    apply: Run, server: Server, nodes: list[str], observed: int, msg: str
) -> None:
    apply(NAMESPACE, DEPLOYMENT)
    server.objects["Deployment", "d"]["metadata"]["generation"] = 2
    server.objects["Deployment", "d"]["status"] = {"observedGeneration": observed, "replicas": 1, "updatedReplicas": 1}
    server.pods = [{"metadata": {"name": "d-1", "labels": {"app": "d"}}, "spec": {"nodeName": "w2"}, "status": {}}]
    result = apply(NAMESPACE, DEPLOYMENT, wait=True, wait_nodes=nodes, timeout=0)
    assert result.get("msg", "").partition(":")[0] == msg
    elsewhere = ["Deployment n/d is not ready on w2; nobody waited for that."]
    assert server.warnings == (elsewhere if nodes == ["w1"] else [])


def test_an_answer_that_breaks_off_is_no_answer(apply: Run, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    second = {**DEPLOYMENT, "metadata": {**DEPLOYMENT["metadata"], "name": "e"}}
    apply(NAMESPACE, DEPLOYMENT, second)
    for name in ("d", "e"):
        status = {"replicas": 1, "updatedReplicas": 0, "availableReplicas": 0}
        server.objects["Deployment", name]["status"] = status
    server.pods = [{"metadata": {"name": "d-1", "labels": {"app": "d"}}, "spec": {"nodeName": "w2"}, "status": {}}]
    asked: list[str] = []

    def lacking(_kubectl: Any, item: dict[str, Any], _nodes: list[str]) -> tuple[str, list[str]]:
        asked.append(item["metadata"]["name"])
        if len(asked) > 1:
            raise manifest.KubectlError(["get", "pods"], 1, "the connection was refused")
        return "has 0 of 1 pods updated", ["w2"]

    monkeypatch.setattr(server_side_apply, "lacking", lacking)
    result = apply(NAMESPACE, DEPLOYMENT, second, wait=True, wait_nodes=["w1"], timeout=0)
    assert asked == ["d", "e"]
    assert "the connection was refused" in result["msg"]
    assert server.warnings == []


def test_says_which_pods_are_not_ready_and_why(apply: Run, server: Server) -> None:
    waiting = {"name": "c", "state": {"waiting": {"reason": "ErrImagePull", "message": "no such host"}}}
    labels = {"name": "d-1", "labels": {"app": "d"}}
    server.pods = [{"metadata": labels, "spec": {}, "status": {"containerStatuses": [waiting]}}]
    result = apply(NAMESPACE, DEPLOYMENT, wait=True, timeout=0)
    assert result["msg"] == (
        "not ready after 0 seconds:\nDeployment n/d has 0 of 1 pods updated\n"
        "  pod d-1: container c: ErrImagePull: no such host"
    )


@pytest.mark.parametrize("check_mode", [True, False])
def test_absent_deletes_the_last_first(apply: Run, server: Server, check_mode: bool) -> None:
    apply(NAMESPACE, SETTINGS, CRD, THING)
    result = apply(NAMESPACE, SETTINGS, CRD, THING, state="absent", wait=True, _ansible_check_mode=check_mode)
    assert result["changed"]
    assert actions(result) == ["deleted"] * 4
    deleted = [items for call, items in server.calls if call == DELETE]
    order = ["Thing one", "ConfigMap s", "CustomResourceDefinition things.example.org", "Namespace n"]
    assert deleted == ([] if check_mode else [order])
    assert bool(server.objects) == check_mode


def test_absent_again_changes_nothing(apply: Run, server: Server) -> None:
    result = apply(NAMESPACE, SETTINGS, THING, state="absent", wait=True)
    assert not result["changed"]
    assert not any(call == DELETE for call, _items in server.calls)


def test_absent_says_what_stays(apply: Run, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(NAMESPACE)
    server.stubborn = True
    clock = iter(range(100))
    monkeypatch.setattr(api.time, "monotonic", lambda: next(clock))
    result = apply(NAMESPACE, state="absent", wait=True, timeout=5)
    assert result["msg"].startswith("still there after 5 seconds: Namespace n;")
    assert len([call for call, _items in server.calls if call == DELETE]) == 1


@pytest.mark.parametrize("state", ["present", "absent"])
def test_host_without_a_cluster(run_module: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_args, **_options: None)
    options = {"objects": [NAMESPACE], "kubeconfig": str(tmp_path / "none"), "state": state}
    result = run_module(manifest, **options, _ansible_check_mode=True)
    assert result["changed"] == (state == "present")
    result = run_module(manifest, **options)
    assert result["failed"]
    assert "kubectl is not installed on this host" in result["msg"]


def test_faults_of_the_manifest(apply: Run, server: Server) -> None:
    result = apply({"kind": "Pod"}, NAMESPACE, NAMESPACE)
    assert "object 1 (Pod no name) lacks apiVersion, metadata.name; Namespace n is there twice" in result["msg"]
    assert server.calls == []


def test_the_manifest_itself_is_read_by_the_action_plugin(run_module: Run) -> None:
    assert "action plugin" in run_module(manifest, content="a: b")["msg"]


OWNER = "groundwork.kubernetes/owner"


def test_objects_tell_whose_they_are(apply: Run, server: Server) -> None:
    assert actions(apply(NAMESPACE, SETTINGS, owner="n/shop")) == ["created"] * 2
    assert server.objects["ConfigMap", "s"]["metadata"]["annotations"] == {OWNER: "n/shop"}
    assert "annotations" not in server.objects["Namespace", "n"]["metadata"]
    assert not apply(NAMESPACE, SETTINGS, owner="n/shop")["changed"]


@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({}, "ConfigMap n/s was made by something else"),
        ({OWNER: "n/other"}, "ConfigMap n/s is of n/other"),
        (
            {"meta.helm.sh/release-name": "r", "meta.helm.sh/release-namespace": "n"},
            "ConfigMap n/s is of the release n/r of Helm",
        ),
    ],
)
def test_what_is_of_others_is_taken_over_by_a_word_only(
    apply: Run, server: Server, found: dict[str, str], expected: str, check_mode: bool
) -> None:
    apply(NAMESPACE, {**SETTINGS, "metadata": {**SETTINGS["metadata"], "annotations": found}})
    options = {"owner": "n/shop", "_ansible_check_mode": check_mode}
    assert apply(NAMESPACE, SETTINGS, **options)["msg"].startswith(
        f"not of n/shop, so nothing was changed: {expected}."
    )
    assert apply(SETTINGS, state="absent", **options)["changed"] is False
    assert server.warnings == [f"These stay, as they are not of n/shop: {expected}"]
    assert apply(NAMESPACE, SETTINGS, take_over=True, **options)["changed"]


def test_absent_takes_what_is_the_owners(apply: Run, server: Server) -> None:
    apply(NAMESPACE, SETTINGS, owner="n/shop")
    assert actions(apply(SETTINGS, state="absent", owner="n/shop")) == ["deleted"]
    assert server.keys() == [("Namespace", "n")]


JOB = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "n"}}


@pytest.mark.parametrize("check_mode", [True, False])
def test_recreate_deletes_first_and_asks_for_no_change(apply: Run, server: Server, check_mode: bool) -> None:
    apply(NAMESPACE, {**JOB, "spec": {"a": 1}})
    result = apply({**JOB, "spec": {"a": 2}}, SETTINGS, recreate=True, _ansible_check_mode=check_mode)
    assert actions(result) == ["updated", "created"]
    written = [(call[0], items) for call, items in server.calls if call != GET]
    dry_run = ("apply", ["ConfigMap s"])
    assert written == [dry_run] + ([] if check_mode else [("delete", ["Job j"]), ("apply", ["Job j", "ConfigMap s"])])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Complete", None),
        ("Failed", "Job n/j has failed: no reason is given; the logs of its pods tell more"),
        ("Suspended", "not done after 0 seconds: Job n/j is not complete"),
    ],
)
def test_recreate_waits_for_the_end(
    apply: Run, server: Server, monkeypatch: pytest.MonkeyPatch, kind: str, expected: str | None
) -> None:
    apply(NAMESPACE)
    real = server.apply

    def ended(arguments: list[str], items: list[dict[str, Any]]) -> tuple[int, str, str]:
        answer = real(arguments, items)
        for key in server.objects:
            server.objects[key]["status"] = {"conditions": [{"type": kind, "status": "True"}]}
        return answer

    monkeypatch.setattr(server, "apply", ended)
    assert apply(JOB, recreate=True, wait=True, timeout=0).get("msg") == expected
