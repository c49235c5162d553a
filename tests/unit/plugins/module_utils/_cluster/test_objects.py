"""Nodes and pods read from kubectl's JSON."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import objects

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=timezone.utc)


def node(name: str = "n1", **changes: Any) -> dict[str, Any]:
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    item: dict[str, Any] = {
        "metadata": {"name": name, "labels": {"kubernetes.io/os": "linux"}},
        "spec": {},
        "status": {
            "conditions": [ready],
            "addresses": [
                {"type": "Hostname", "address": name},
                {"type": "InternalIP", "address": "192.0.2.1"},
                {"type": "InternalIP", "address": "2001:db8::1"},
            ],
            "nodeInfo": {
                "kubeletVersion": "v1.36.5",
                "containerRuntimeVersion": "containerd://2.3.4",
                "osImage": "Debian GNU/Linux 12 (bookworm)",
            },
        },
    }
    for part, values in changes.items():
        item[part].update(values)
    return item


NOT_READY = [
    {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "cni plugin\nnot initialized"}
]
UNKNOWN = [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting."}]


@pytest.mark.parametrize(
    ("item", "ready", "takes_pods", "trouble"),
    [
        (node(), True, True, ""),
        (
            node(status={"conditions": NOT_READY}),
            False,
            False,
            "NotReady (KubeletNotReady: cni plugin not initialized)",
        ),
        (
            node(status={"conditions": UNKNOWN}),
            False,
            False,
            "NotReady (NodeStatusUnknown: Kubelet stopped posting.)",
        ),
        (node(status={"conditions": []}), False, False, "the kubelet has not reported yet"),
        (node(spec={"unschedulable": True}), True, False, ""),
        (node(spec={"taints": [{"key": "k", "effect": "NoSchedule"}]}), True, False, ""),
        (node(spec={"taints": [{"key": "k", "effect": "NoExecute"}]}), True, False, ""),
        (node(spec={"taints": [{"key": "k", "effect": "PreferNoSchedule"}]}), True, True, ""),
        (node(metadata={"labels": {"kubernetes.io/os": "windows"}}), True, False, ""),
    ],
)
def test_node_state(item: dict[str, Any], ready: bool, takes_pods: bool, trouble: str) -> None:
    parsed = objects.parse_node(item)
    assert (parsed.ready, parsed.takes_pods, parsed.trouble) == (ready, takes_pods, trouble)


@pytest.mark.parametrize(
    ("labels", "roles"),
    [
        ({}, ()),
        ({"node-role.kubernetes.io/control-plane": ""}, ("control-plane",)),
        ({"node-role.kubernetes.io/master": "", "node-role.kubernetes.io/control-plane": ""}, ("control-plane",)),
        ({"node-role.kubernetes.io/master": ""}, ("control-plane",)),
        ({"node-role.kubernetes.io/etcd": "", "node-role.kubernetes.io/control-plane": ""}, ("control-plane", "etcd")),
    ],
)
def test_node_roles(labels: dict[str, str], roles: tuple[str, ...]) -> None:
    assert objects.parse_node(node(metadata={"labels": labels})).roles == roles


def test_nodes_are_sorted_and_may_lack_nearly_everything() -> None:
    nodes = objects.parse_nodes({"items": [{"metadata": {"name": "b"}}, node("a")]})
    assert [found.name for found in nodes] == ["a", "b"]
    assert nodes[0].address == "192.0.2.1"
    assert nodes[1].address == ""
    assert objects.parse_nodes(None) == []


def pod(name: str = "p", **status: Any) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {"nodeName": "n1"},
        "status": {"phase": "Running", "podIP": "10.244.0.5", "conditions": [{"type": "Ready", "status": "True"}]}
        | status,
    }


def container(state: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": "c", "state": state}]


NO_PODS_LEFT = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/3 nodes are available",
}
UNREADY = [{"type": "Ready", "status": "False", "message": "containers with unready status: [c]"}]
PULL = {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "x"'}}
CRASH = {"waiting": {"reason": "CrashLoopBackOff"}}
ENDED = {"terminated": {"reason": "Error", "exitCode": 1}}
COMPLETED = {"terminated": {"reason": "Completed", "exitCode": 0}}


@pytest.mark.parametrize(
    ("item", "trouble"),
    [
        (pod(), ""),
        (pod(phase="Succeeded", conditions=UNREADY), ""),
        (pod(phase="Pending", conditions=[NO_PODS_LEFT]), "Pending (0/3 nodes are available)"),
        (
            pod(phase="Pending", conditions=[], containerStatuses=container(PULL)),
            'Pending (container c: ImagePullBackOff: Back-off pulling image "x")',
        ),
        (pod(conditions=UNREADY, containerStatuses=container(CRASH)), "not ready (container c: CrashLoopBackOff)"),
        (pod(conditions=UNREADY, containerStatuses=container(ENDED)), "not ready (container c: Error, exit code 1)"),
        (pod(conditions=UNREADY, containerStatuses=container({"running": {}})), f"not ready ({UNREADY[0]['message']})"),
        (
            pod(
                phase="Pending",
                conditions=[],
                initContainerStatuses=[*container(COMPLETED), {"name": "d", "state": ENDED}],
                containerStatuses=container({"waiting": {"reason": "PodInitializing"}}),
            ),
            "Pending (container d: Error, exit code 1)",
        ),
        (pod(phase="Failed", reason="Evicted", message="low on memory"), "Failed (Evicted; low on memory)"),
        ({"metadata": {"name": "p"}}, "Unknown"),
    ],
)
def test_pod_trouble(item: dict[str, Any], trouble: str) -> None:
    assert objects.pod_trouble(item) == trouble


def test_pod_of_a_mixed_list() -> None:
    leaving = pod("b")
    leaving["metadata"].update(deletionTimestamp="2026-11-01T11:59:00Z")
    leaving["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "controller": True}]
    static = pod("a")
    static["metadata"]["ownerReferences"] = [{"kind": "Node", "controller": True}]
    first, second = objects.parse_pods({"items": [leaving, static, {"kind": "DaemonSet", "metadata": {"name": "d"}}]})
    assert (first.name, first.ready, first.leaving, first.replaced) == ("a", True, False, False)
    assert (second.name, second.ready, second.leaving, second.replaced) == ("b", False, True, True)
    assert (first.node, first.ip) == ("n1", "10.244.0.5")


@pytest.mark.parametrize(
    ("count", "finished", "printed"),
    [
        (0, None, []),
        (3, "2026-11-01T11:00:00Z", []),
        (
            3,
            "2026-11-01T11:56:30Z",
            [
                "pod kube-system/p: container c ended 3 min ago (Error, exit code 1) and was restarted, 3 times in all",
            ],
        ),
    ],
)
def test_recent_restarts(count: int, finished: str | None, printed: list[str]) -> None:
    ended = {"terminated": {"reason": "Error", "exitCode": 1, "finishedAt": finished}} if finished else {}
    item = pod(containerStatuses=[{"name": "c", "restartCount": count, "lastState": ended}])
    assert objects.recent_restarts(item, NOW, timedelta(minutes=10)) == printed


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-01T12:00:00Z", NOW),
        ("2026-11-01T12:00:00.500000Z", NOW + timedelta(milliseconds=500)),
        ("", None),
        (None, None),
    ],
)
def test_parse_time(text: str | None, time: datetime | None) -> None:
    assert objects.parse_time(text) == time


def test_short_texts() -> None:
    assert objects.one_line(" a\n b ") == "a b"
    assert objects.one_line("a" * 20, 10) == "aaaaaaa..."
    assert objects.listed(["a", "b"]) == "a, b"
    assert objects.listed((str(number) for number in range(12)), 2) == "0, 1 and 10 more"


def test_summary() -> None:
    control_plane = node("cp1", metadata={"labels": {"node-role.kubernetes.io/control-plane": ""}})
    away = node("worker-2", status={"conditions": NOT_READY})
    nodes = objects.parse_nodes({"items": [control_plane, away]})
    assert objects.summary("https://192.0.2.1:6443", "v1.36.5", nodes, {"Running": 9, "Pending": 1}).splitlines() == [
        "Kubernetes v1.36.5 at https://192.0.2.1:6443",
        "Nodes: 1 of 2 ready",
        "Pods: 1 Pending, 9 Running",
        "",
        "NODE      ROLES          STATUS    VERSION  ADDRESS    RUNTIME             SYSTEM",
        "cp1       control-plane  Ready     v1.36.5  192.0.2.1  containerd://2.3.4  Debian GNU/Linux 12 (bookworm)",
        "worker-2  worker         NotReady  v1.36.5  192.0.2.1  containerd://2.3.4  Debian GNU/Linux 12 (bookworm)",
        "",
        f"Not ready: worker-2: {nodes[1].trouble}",
    ]


UNSCHEDULABLE = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
PRESSURE = {"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        pytest.param(node(), "", id="nothing"),
        pytest.param(node(spec={"taints": [PRESSURE]}), "tainted node.kubernetes.io/disk-pressure", id="pressure"),
        pytest.param(
            node(spec={"unschedulable": True, "taints": [UNSCHEDULABLE, PRESSURE]}),
            "cordoned, tainted node.kubernetes.io/disk-pressure",
            id="cordon and pressure",
        ),
        pytest.param(
            node(spec={"taints": [UNSCHEDULABLE]}), "tainted node.kubernetes.io/unschedulable", id="a taint left over"
        ),
        pytest.param(node(status={"conditions": UNKNOWN}), "not ready", id="not ready"),
        pytest.param(node(metadata={"labels": {"kubernetes.io/os": "windows"}}), "not Linux", id="windows"),
    ],
)
def test_why_a_node_repels_pods(item: dict[str, Any], reason: str) -> None:
    assert objects.parse_node(item).repels_pods == reason
