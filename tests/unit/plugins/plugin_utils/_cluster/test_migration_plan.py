"""Which nodes move to another container runtime, and what forbids it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.migration_plan import migration_plan

SHIM, CONTAINERD = "/var/run/dockershim.sock", "unix:///run/containerd/containerd.sock"
TARGET = {"runtime": "containerd", "version": "1.7.24", "socket": CONTAINERD}


def node(runtime: str, ready: bool = True) -> dict[str, Any]:
    return {"name": "node-a", "container_runtime": runtime, "ready": ready, "ready_message": "stopped"}


def host(socket: str, **more: Any) -> dict[str, Any]:
    return {"socket": socket, "keeps_containers": True, **more}


def plan(nodes: Any, hosts: Any, target: Any = None, **more: Any) -> dict[str, Any]:
    return migration_plan(hosts, targets={"a": target or TARGET}, names={"a": "node-a"}, nodes=nodes, **more)


@pytest.mark.parametrize(
    ("runs", "socket", "target", "before"),
    [
        ("docker://20.10.24", SHIM, TARGET, "docker 20.10.24"),
        ("containerd://1.6.20~ds1", CONTAINERD, TARGET, "containerd 1.6.20~ds1"),
        ("containerd://1.7.24~ds1", CONTAINERD, TARGET, None),
        ("containerd://1.7.24", "/var/run/containerd/containerd.sock", TARGET, None),
        # What a package brings is not known.
        ("containerd://1.6.20", CONTAINERD, {**TARGET, "version": ""}, None),
        # The flags were written, and the kubelet was not started again.
        ("docker://20.10.24", CONTAINERD, TARGET, "docker 20.10.24"),
        ("containerd://1.7.24", SHIM, TARGET, "containerd 1.7.24"),
        (
            "cri-o://1.36.0",
            "unix:///var/run/crio/crio.sock",
            {"runtime": "crio", "version": "", "socket": "unix:///var/run/crio/crio.sock"},
            None,
        ),
    ],
)
def test_which_nodes_are_due(runs: str, socket: str, target: Any, before: str | None) -> None:
    found = plan([node(runs)], {"a": host(socket)}, target)
    assert [item["before"] for item in found["plan"]] == ([] if before is None else [before])
    assert found["exchange"] == found["due"] == [item["host"] for item in found["plan"]]
    assert found["faults"] == []


def test_a_node_that_was_not_given_back_is_due_without_an_exchange() -> None:
    previews = {"a": {"plan": [], "purposes": {"node-a": "runtime"}}}
    found = plan([node("containerd://1.7.24")], {"a": host(CONTAINERD)}, previews=previews)
    assert (found["due"], found["exchange"]) == (["a"], [])
    assert found["plan"][0]["before"] == "a move of it was begun and has not ended"
    assert found["plan"][0]["after"] == "containerd 1.7.24"
    assert found["reported"] == {"a": "containerd://1.7.24"}


def test_everything_that_forbids_it_is_named_at_once() -> None:
    missing = [
        {"image": image, "errors": [{"url": "https://r.example.com/v2", "error": "HTTP status 401", "answered": True}]}
        for image in ("r.example.com/a:1", "r.example.com/b:1")
    ]
    found = plan(
        [node("docker://20.10.24")],
        {"a": host(SHIM, keeps_containers=False)},
        previews={"a": {"plan": [], "purposes": {}, "reasons": ["default/debug: no controller would start it again"]}},
        guards={"a": {"reasons": ["it is the only member"]}},
        missing={"a": missing},
    )
    assert found["faults"] == [
        "a: Docker would end all containers when the containerd below it is restarted; set live-restore: true in "
        "/etc/docker/daemon.json, and run 'systemctl reload docker', which ends none",
        "a: r.example.com/a:1, r.example.com/b:1 cannot be pulled: https://r.example.com/v2 says HTTP status 401; "
        "correct container_runtime_registry_mirrors, its certificate or account, or put what is missing there",
        "a: default/debug: no controller would start it again",
        "a: it is the only member",
    ]


@pytest.mark.parametrize(
    ("socket", "target", "fault"),
    [
        (CONTAINERD, {"runtime": "docker", "version": "", "socket": SHIM}, "before Kubernetes 1.24 no node is moved"),
        ("", TARGET, "do not say which runtime it uses"),
    ],
)
def test_what_cannot_be_done(socket: str, target: Any, fault: str) -> None:
    (found,) = plan([node("containerd://1.6.20")], {"a": host(socket)}, target)["faults"]
    assert fault in found


def test_what_came_of_it() -> None:
    row = {"host": "a", "subject": "runtime", "before": "x", "after": "y", "seconds": 1.0, "result": "changed"}
    found = plan([node("docker://20.10.24")], {"a": host(SHIM)}, done={"a": row})
    assert found["rows"] == [row]
    assert plan([node("docker://20.10.24")], {"a": host(SHIM)})["rows"][0]["result"] == "not reached"


def test_what_no_module_returns_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="migration_plan needs what the modules return"):
        plan([], {"a": 1})
