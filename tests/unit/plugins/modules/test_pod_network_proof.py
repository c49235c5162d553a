"""The module pod_network_proof against a cluster that is played: its objects are real."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import api
from ansible_collections.groundwork.kubernetes.plugins.modules import pod_network_proof

Run = Callable[..., dict[str, Any]]
SETTINGS = {"plugin": "bridge", "mtu": 1450}
RECORD = "groundwork-pod-network"


class Cluster:
    """Nodes, the record, and what was made; pods get ready unless they are ill."""

    def __init__(self) -> None:
        self.nodes = {"a": "uid-a", "b": "uid-b"}
        self.silent: set[str] = set()
        self.ill: set[str] = set()
        self.record: dict[str, Any] | None = None
        self.made: list[dict[str, Any]] = []
        self.deleted: list[str] = []
        self.left = [{"metadata": {"name": "groundwork-network-old", "creationTimestamp": "2020-01-01T00:00:00Z"}}]

    def node(self, name: str) -> dict[str, Any]:
        status = "Unknown" if name in self.silent else "True"
        conditions = [{"type": "Ready", "status": status}]
        return {"metadata": {"name": name, "uid": self.nodes[name]}, "spec": {}, "status": {"conditions": conditions}}

    def pod(self, item: dict[str, Any]) -> dict[str, Any]:
        node, number = item["spec"]["nodeName"], item["metadata"]["name"][-1]
        if node in self.ill:
            waiting = {"reason": "ErrImagePull", "message": "no such image"}
            return {**item, "status": {"phase": "Pending", "containerStatuses": [{"state": {"waiting": waiting}}]}}
        ready = {"podIP": f"10.244.{number}.5", "conditions": [{"type": "Ready", "status": "True"}]}
        return {**item, "metadata": {**item["metadata"], "uid": f"pod-{node}"}, "status": ready}

    def service(self, item: dict[str, Any]) -> dict[str, Any]:
        return {**item, "spec": {**item["spec"], "clusterIP": f"10.96.0.{item['metadata']['name'][-1]}"}}

    def objects(self) -> dict[str, Any]:
        shown = {"Pod": self.pod, "Service": self.service}
        return {"items": [shown[item["kind"]](item) for item in self.made if item["kind"] in shown]}

    def kubectl(self, argv: list[str], data: str | None) -> tuple[int, str, str]:
        verb, what = argv[3], argv[4]
        if verb == "get" and what == "nodes":
            return 0, json.dumps({"items": [self.node(name) for name in self.nodes]}), ""
        if verb == "get" and what == "configmap":
            return (0, json.dumps(self.record), "") if self.record else (1, "", "(NotFound)")
        if verb == "get":
            found = {"namespaces": {"items": self.left}, "serviceaccount": {}, "pods,services": self.objects()}
            return 0, json.dumps(found[what] or {"kind": "ServiceAccount"}), ""
        if verb == "create":
            self.made += json.loads(data or "")["items"]
        elif verb == "apply":
            self.record = json.loads(data or "")
        else:
            assert argv[3:5] == ["delete", "namespaces"]
            self.deleted += [word for word in argv[5:] if not word.startswith("--")]
        return 0, "", ""


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def prove(run_module: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cluster: Cluster) -> Run:
    kubeconfig = tmp_path / "admin.conf"
    kubeconfig.touch()
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_args, **_options: "/usr/local/bin/kubectl")
    monkeypatch.setattr(
        AnsibleModule, "run_command", lambda _module, argv, data=None, **_options: cluster.kubectl(argv, data)
    )
    monkeypatch.setattr(api, "INTERVAL", 0)
    monkeypatch.setattr(api, "unreachable", lambda *_args: "")

    def run(**options: Any) -> dict[str, Any]:
        given = {
            "nodes": ["a", "b"],
            "settings": SETTINGS,
            "image": "pause:3",
            "kubeconfig": str(kubeconfig),
            **options,
        }
        return run_module(pod_network_proof, **given)

    return run


def test_from_the_beginning_to_the_end_and_again(prove: Run, cluster: Cluster) -> None:
    begun = prove()
    assert (begun["changed"], begun["due"], begun["port"]) == (True, ["it was not proven before"], 7777)
    assert begun["places"] == [
        {"node": "a", "uid": "pod-a", "addresses": ["10.244.0.5"], "cluster_ips": ["10.96.0.0"]},
        {"node": "b", "uid": "pod-b", "addresses": ["10.244.1.5"], "cluster_ips": ["10.96.0.1"]},
    ]
    assert [item["kind"] for item in cluster.made] == ["Namespace", "Service", "Service", "Pod", "Pod"]
    assert cluster.deleted == ["groundwork-network-old"]
    assert prove(state="ended", namespace=begun["namespace"])["changed"]
    assert cluster.deleted[1:] == [begun["namespace"]]
    again = prove()
    assert (again["changed"], again["due"], again["places"], len(cluster.made)) == (False, [], [], 5)


@pytest.mark.parametrize(
    ("changes", "options", "due"),
    [
        ({}, {"settings": {**SETTINGS, "mtu": 1500}}, ["mtu was 1450 and is 1500"]),
        ({}, {"settings": {"plugin": "bridge"}}, ["mtu was 1450 and is None"]),
        ({"b": "uid-of-another-b"}, {}, ["node b is new"]),
        ({"c": "uid-c"}, {"nodes": ["a", "b", "c"]}, ["node c is new"]),
        ({"c": "uid-c"}, {}, []),
        ({}, {"nodes": ["a", "b", "gone"]}, []),
    ],
)
def test_when_it_is_due(
    prove: Run, cluster: Cluster, changes: dict[str, str], options: dict[str, Any], due: list[str]
) -> None:
    prove(state="ended")
    cluster.nodes.update(changes)
    checked = prove(**options, _ansible_check_mode=True)
    assert (checked["changed"], checked["due"], cluster.made) == (bool(due), due, [])
    assert prove(**options)["due"] == due


@pytest.mark.parametrize(
    ("joining", "due"),
    [(["b"], ["node b is new"]), (["c"], ["node c is new"]), (["b", "c"], ["node b is new", "node c is new"])],
    ids=["registered anew", "not registered", "both"],
)
def test_a_check_foresees_nodes_that_a_run_registers(
    prove: Run, cluster: Cluster, joining: list[str], due: list[str]
) -> None:
    prove(state="ended")
    cluster.silent = {"b"}
    checked = prove(nodes=["a", "b", "c"], joining=joining, _ansible_check_mode=True)
    assert (checked["changed"], checked["due"], cluster.made) == (True, due, [])
    run = prove(nodes=["a", "b", "c"], joining=joining)
    assert (run["changed"], run["due"]) == (False, [])


def test_a_new_node_is_kept_beside_the_others(prove: Run, cluster: Cluster) -> None:
    prove(state="ended")
    cluster.nodes["c"] = "uid-c"
    prove(state="ended", nodes=["a", "c"])
    assert cluster.record is not None
    assert json.loads(cluster.record["data"]["proof"])["nodes"] == {"a": "uid-a", "b": "uid-b", "c": "uid-c"}
    # Another network, and nothing of the former one counts.
    prove(state="ended", nodes=["a"], settings={"plugin": "flannel"})
    assert json.loads(cluster.record["data"]["proof"])["nodes"] == {"a": "uid-a"}


def test_faults_are_told_and_nothing_is_kept(prove: Run, cluster: Cluster) -> None:
    result = prove(state="ended", namespace="groundwork-network-x", faults=["a to b: no answer", "b to a: no answer"])
    assert result["msg"] == "Pods do not reach each other as they must:\na to b: no answer\nb to a: no answer"
    assert (cluster.record, cluster.deleted) == (None, ["groundwork-network-x"])


def test_a_node_that_is_silent_is_left_out(prove: Run, cluster: Cluster) -> None:
    cluster.nodes["c"] = "uid-c"
    cluster.silent.add("b")
    assert [place["node"] for place in prove(nodes=["a", "b", "c"])["places"]] == ["a", "c"]
    cluster.record = {"data": {"proof": "nonsense"}}
    assert prove(nodes=["a", "c"])["due"] == ["it was not proven before"]


@pytest.mark.parametrize("check", [True, False])
def test_one_node_has_nobody_to_talk_to(prove: Run, cluster: Cluster, check: bool) -> None:
    cluster.silent.add("b")
    result = prove(_ansible_check_mode=check)
    assert (result["changed"], result["due"], cluster.made) == (False, [], [])


def test_pods_that_do_not_come(prove: Run, cluster: Cluster) -> None:
    cluster.ill.add("b")
    result = prove(timeout=0)
    assert (
        "After 0 s, pods that are to prove the network are not ready: b: ErrImagePull: no such image" in result["msg"]
    )
    assert cluster.deleted[1:] == [cluster.made[0]["metadata"]["name"]]


def test_a_pod_that_no_policy_refuses(prove: Run, cluster: Cluster) -> None:
    prove()
    pod = next(item for item in cluster.made if item["kind"] == "Pod")
    assert pod["spec"]["tolerations"] == [{"operator": "Exists"}]
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert pod["spec"]["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_a_host_of_no_cluster(run_module: Run, tmp_path: Path) -> None:
    options = {"nodes": ["a", "b"], "image": "pause", "kubeconfig": str(tmp_path / "none.conf")}
    checked = run_module(pod_network_proof, **options, _ansible_check_mode=True)
    assert (checked["changed"], checked["due"]) == (True, ["the cluster is new"])
    assert run_module(pod_network_proof, **{**options, "nodes": ["a"]}, _ansible_check_mode=True)["changed"] is False
    assert "run this task on a control plane" in run_module(pod_network_proof, **options)["msg"]
