"""What the checks of a cluster conclude."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import judgement
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.judgement import Lease, Verdict
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.objects import Node, Pod, parse_nodes

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=timezone.utc)
WINDOW = timedelta(minutes=10)
UUID = "9b2f1c6e-3f0a-4f5e-8a53-1d2c3b4a5f60"


def node(name: str, ready: bool = True, takes_pods: bool = True) -> Node:
    trouble, repels = "" if ready else "NotReady", "" if takes_pods else "cordoned"
    address = f"192.0.2.{name[-1]}"
    return Node(name, ready, trouble, takes_pods, repels, (), "v1.36.5", "containerd://2.3.4", "Debian", (address,))


def pod(name: str, on: str, ready: bool = True) -> Pod:
    return Pod(name, "ns", on, f"10.244.0.{name[-1]}", "Running", ready, "" if ready else "not ready", True, False)


READYZ = r"""Error from server (InternalError): an error on the server ("[+]ping ok\n[+]log ok\n[-]etcd failed: reason
withheld\n[-]poststarthook/rbac failed: not finished\nreadyz check failed") has prevented the request from succeeding"""


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[+]ping ok\n[+]etcd ok\nreadyz check passed\n", []),
        (
            READYZ.replace("\nwithheld", " withheld"),
            ["etcd failed: reason withheld", "poststarthook/rbac failed: not finished"],
        ),
        ("[+]ping ok\n[-]etcd failed: timed out\n", ["etcd failed: timed out"]),
        ("The connection to the server was refused", []),
    ],
)
def test_failed_parts(text: str, parts: list[str]) -> None:
    assert judgement.failed_parts(text) == parts


def test_api_servers() -> None:
    annotated = {
        "metadata": {"name": "kube-apiserver-cp1", "annotations": {judgement.API_SERVER_ANNOTATION: "192.0.2.1:6443"}}
    }
    assert judgement.api_servers({"items": [annotated, {"metadata": {"name": "other"}}]}) == {
        "kube-apiserver-cp1": "192.0.2.1:6443"
    }
    assert judgement.api_servers(None) == {}


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        (["kube-apiserver-cp1", "kube-apiserver-cp2"], []),
        (["kube-apiserver-cp1"], ["kube-apiserver-cp2"]),
        ([], []),  # kubeadm does not run them
    ],
)
def test_control_planes_without_an_api_server(pods: list[str], expected: list[str]) -> None:
    labels = [("cp1", "control-plane"), ("cp2", "master"), ("w1", "worker")]
    nodes = parse_nodes(
        {
            "items": [
                {"metadata": {"name": name, "labels": {f"node-role.kubernetes.io/{role}": ""}}} for name, role in labels
            ]
        }
    )
    found = judgement.without_api_server(nodes, {"items": [{"metadata": {"name": name}} for name in pods]})
    assert list(found) == expected


@pytest.mark.parametrize(
    ("replies", "verdict"),
    [
        ({"b": "", "a": ""}, Verdict(True, "ready: a, b")),
        ({"a": "", "b": "etcd failed"}, Verdict(False, "b: etcd failed")),
        ({str(n): "no" for n in range(7)}, Verdict(False, "0: no; 1: no; 2: no; 3: no; 4: no; and 2 more")),
    ],
)
def test_judge_replies(replies: dict[str, str], verdict: Verdict) -> None:
    assert judgement.judge_replies(replies, "ready") == verdict


def lease(holder: str = f"cp1_{UUID}", renewed: str = "2026-11-01T12:00:00.000000Z") -> dict[str, Any]:
    return {"spec": {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": 15}}


@pytest.mark.parametrize(
    ("first", "last", "verdict"),
    [
        (lease(), lease(renewed="2026-11-01T12:00:02.000000Z"), Verdict(True, "led by cp1")),
        (lease("my_host"), lease("my_host", "later"), Verdict(True, "led by my_host")),
        (
            lease(),
            lease(),
            Verdict(False, "held by cp1, which has not renewed it for 60 s (2026-11-01T12:00:00.000000Z)"),
        ),
        (lease(), lease(holder=""), Verdict(False, "nobody holds the lease")),
        (None, None, Verdict(False, "there is no lease in kube-system: the component has never led here")),
    ],
)
def test_judge_lease(first: dict[str, Any] | None, last: dict[str, Any] | None, verdict: Verdict) -> None:
    assert judgement.judge_lease(judgement.parse_lease(first), judgement.parse_lease(last), 60) == verdict


def test_parse_lease_of_an_empty_one() -> None:
    assert judgement.parse_lease({"spec": {}}) == Lease("", "", 15)


@pytest.mark.parametrize(
    ("text", "mode", "port"),
    [
        ('kind: KubeProxyConfiguration\nmetricsBindAddress: ""\nmode: ""\n', "", 10249),
        ("metricsBindAddress: 0.0.0.0:10250\nmode: ipvs\nnodePortAddresses: null", "ipvs", 10250),
        ('mode: "nftables"\nmetricsBindAddress: "[::1]:10251"', "nftables", 10251),
        ("iptables:\n  mode: wrong\n", "", 10249),
        ("", "", 10249),
    ],
)
def test_parse_proxy_configuration(text: str, mode: str, port: int) -> None:
    assert judgement.parse_proxy_configuration({"data": {"config.conf": text}}) == (mode, port)
    assert judgement.parse_proxy_configuration(None) == ("", 10249)


@pytest.mark.parametrize(
    ("wanted", "modes", "errors", "verdict"),
    [
        ("iptables", {"b": "iptables", "a": "iptables"}, {}, Verdict(True, "mode iptables on a, b")),
        ("", {"a": "iptables"}, {}, Verdict(True, "mode iptables on a")),
        ("ipvs", {"a": "ipvs", "b": "iptables"}, {}, Verdict(False, "b: iptables in place of ipvs")),
        (
            "",
            {"a": "ipvs", "b": "iptables"},
            {},
            Verdict(False, "a: ipvs, and others iptables; b: iptables, and others ipvs"),
        ),
        ("ipvs", {"a": "ipvs"}, {"b": "refused"}, Verdict(False, "b: refused")),
    ],
)
def test_judge_proxy_modes(wanted: str, modes: dict[str, str], errors: dict[str, str], verdict: Verdict) -> None:
    assert judgement.judge_proxy_modes(wanted, modes, errors) == verdict


@pytest.mark.parametrize(
    ("nodes", "expected", "verdict"),
    [
        ([node("n1"), node("n2")], [], Verdict(True, "2 ready: n1, n2")),
        ([node("n1"), node("n2")], ["n1"], Verdict(True, "2 ready: n1, n2; not in the list of expected nodes: n2")),
        ([node("n1"), node("n2", ready=False)], ["n3"], Verdict(False, "n3: not in the cluster; n2: NotReady")),
        ([], [], Verdict(False, "the cluster has no node")),
    ],
)
def test_judge_nodes(nodes: list[Node], expected: list[str], verdict: Verdict) -> None:
    assert judgement.judge_nodes(nodes, expected) == verdict


def system_pod(name: str, phase: str = "Running", owner: str = "DaemonSet", **changes: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "kube-system", "ownerReferences": [{"kind": owner, "controller": True}]}
    status = {"phase": phase, "conditions": [{"type": "Ready", "status": "True"}]}
    status.update(changes.pop("status", {}))
    return {"kind": "Pod", "metadata": metadata | changes, "spec": {"nodeName": "n1"}, "status": status}


def controller(kind: str, ready: int, wanted: int) -> dict[str, Any]:
    status = {"desiredNumberScheduled": wanted, "numberReady": ready, "availableReplicas": ready}
    metadata = {"name": "x", "namespace": "kube-system"}
    return {"kind": kind, "metadata": metadata, "spec": {"replicas": wanted}, "status": status}


RESTARTED = {"terminated": {"reason": "OOMKilled", "exitCode": 137, "finishedAt": "2026-11-01T11:58:00Z"}}


@pytest.mark.parametrize(
    ("objects", "passed", "detail", "warnings"),
    [
        ([system_pod("a"), controller("DaemonSet", 1, 1)], True, "1 pods are healthy", 0),
        ([system_pod("a", "Pending")], False, "pod kube-system/a on n1: Pending", 0),
        ([system_pod("a"), system_pod("b", "Failed")], True, "2 pods are healthy; 1 warnings", 1),
        ([system_pod("b", "Failed", owner="Node")], False, "pod kube-system/b on n1: Failed", 0),
        ([system_pod("a"), system_pod("b", "Pending", deletionTimestamp="x")], True, "1 pods are healthy", 0),
        ([system_pod("a"), controller("DaemonSet", 1, 2)], False, "DaemonSet kube-system/x: 1 of 2 pods ready", 0),
        ([system_pod("a"), controller("Deployment", 0, 2)], False, "Deployment kube-system/x: 0 of 2 pods ready", 0),
        (
            [system_pod("a", status={"containerStatuses": [{"name": "c", "restartCount": 1, "lastState": RESTARTED}]})],
            True,
            "1 pods are healthy; 1 warnings",
            1,
        ),
        ([], False, "there are no pods in the system's namespaces", 0),
    ],
)
def test_judge_system(objects: list[dict[str, Any]], passed: bool, detail: str, warnings: int) -> None:
    verdict = judgement.judge_system({"items": objects}, NOW, WINDOW)
    assert (verdict.passed, verdict.detail, len(verdict.warnings)) == (passed, detail, warnings)


def event(reason: str, when: str | None, message: str = "m", kind: str = "Warning") -> dict[str, Any]:
    return {
        "type": kind,
        "reason": reason,
        "message": message,
        "lastTimestamp": when,
        "involvedObject": {"kind": "Pod", "name": "web-1"},
        "metadata": {"creationTimestamp": "2026-11-01T11:00:00Z"},
    }


def test_warning_events_newest_first_and_once() -> None:
    events = [
        event("Old", None),
        event("Failed", "2026-11-01T11:30:00Z"),
        event("Failed", "2026-11-01T11:20:00Z"),
        event("Pulled", "2026-11-01T11:50:00Z", kind="Normal"),
        event("FailedScheduling", "2026-11-01T11:40:00Z", "0/2 nodes\nare available"),
    ]
    assert judgement.warning_events({"items": events}) == [
        "event FailedScheduling of pod web-1: 0/2 nodes are available",
        "event Failed of pod web-1: m",
        "event Old of pod web-1: m",
    ]
    assert len(judgement.warning_events({"items": events}, 1)) == 1


def test_judge_deployment() -> None:
    deployment = controller("Deployment", 1, 2)
    refused = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}
    deployment["status"]["conditions"] = [refused]
    objects = {"items": [deployment, system_pod("web-1"), system_pod("web-2", "Pending")]}
    assert judgement.judge_deployment(objects, None, 1, 3.4) == Verdict(True, "1 pods available after 3 s")
    assert judgement.judge_deployment(objects, {"items": [event("Failed", None)]}, 2, 200) == Verdict(
        False,
        "1 of 2 pods available after 200 s; pod web-2 on n1: Pending; exceeded quota; event Failed of pod web-1: m",
    )
    assert judgement.judge_deployment(None, None, 2, 1).detail == "0 of 2 pods available after 1 s"


@pytest.mark.parametrize(
    ("pods", "verdict"),
    [
        ([pod("p2", "n2"), pod("p3", "n3")], Verdict(True, "a pod on each of n2, n3; not meant for pods: n1")),
        ([pod("p2", "n2"), pod("p3", "n3", ready=False)], Verdict(False, "no ready pod on n3")),
        ([pod("p2", "n2"), pod("p3", "n2")], Verdict(False, "no ready pod on n3")),
    ],
)
def test_judge_spread(pods: list[Pod], verdict: Verdict) -> None:
    assert judgement.judge_spread(pods, [node("n1", takes_pods=False), node("n2"), node("n3")]) == verdict


@pytest.mark.parametrize(
    ("faults", "asked", "every", "verdict"),
    [
        ({}, ["a", "b"], 2, Verdict(True, "ran on a, b")),
        ({}, ["a", "b"], 9, Verdict(True, "ran on a, b (2 of 9)")),
        ({"b": "refused"}, ["a", "b"], 9, Verdict(False, "b: refused")),
    ],
)
def test_judge_answers(faults: dict[str, str], asked: list[str], every: int, verdict: Verdict) -> None:
    assert judgement.judge_answers("ran on", faults, asked, every) == verdict


NODES = [node("n1"), node("n2")]
PODS = [pod("p1", "n1"), pod("p2", "n2")]
SILENT = "port 30000 answers (the answers do not tell which pods gave them) on n1, n2"


@pytest.mark.parametrize(
    ("seen", "missing"),
    [
        ({"n1": {"p1", "p2"}, "n2": {"p1"}}, ""),
        ({"n1": {"p1"}, "n2": {"p1"}}, "no pod on another node has answered"),
        ({"n1": {"<html>"}, "n2": {"<html>"}}, ""),
        ({"n1": {"p1"}, "n2": set()}, "no pod on another node has answered"),
    ],
)
def test_unseen(seen: dict[str, set[str]], missing: str) -> None:
    assert judgement.unseen(NODES[0], seen, PODS) == missing


@pytest.mark.parametrize(
    ("faults", "seen", "verdict"),
    [
        ({}, {"n1": {"p1", "p2"}, "n2": {"p1"}}, Verdict(True, "port 30000 answers on n1, n2")),
        ({}, {"n1": {"<html>"}, "n2": {"<html>"}}, Verdict(True, SILENT)),
        ({NODES[1]: "timed out"}, {"n1": {"p2"}}, Verdict(False, "n2 (192.0.2.2:30000): timed out")),
    ],
)
def test_judge_node_port(faults: dict[Node, str], seen: dict[str, set[str]], verdict: Verdict) -> None:
    assert judgement.judge_node_port(30000, NODES, faults, seen, PODS) == verdict


def test_judge_node_port_of_one_node() -> None:
    assert not judgement.unseen(NODES[0], {"n1": {"p1"}}, PODS[:1])
    verdict = judgement.judge_node_port(30000, NODES[:1], {}, {"n1": {"p1"}}, PODS[:1])
    assert verdict == Verdict(True, "port 30000 answers on n1")
