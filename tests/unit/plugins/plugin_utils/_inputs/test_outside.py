"""New hosts against those that a run leaves out: who is asked, and which clones are found."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.registered_machines import machines
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import Node
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.outside import clones, hosts_to_ask

SERVERS = {"cp1": "192.0.2.1:6443", "cp2": ""}


def facts(name: str, joined: bool = False, **more: Any) -> dict[str, Any]:
    """A host that shares nothing with others of other names."""
    return {
        "hostname": name,
        "machine_id": f"id-{name}",
        "product_uuid": f"uuid-{name}",
        "interfaces": [{"name": "eth0", "mac": f"mac-{name}", "physical": True}],
        "default_interface": "eth0",
        "cluster": {"kubelet_conf": joined, "api_server_version": "", "kubelet_version": "1.36.5" if joined else ""},
        "nodes": [],
        "api_servers": [{"server": SERVERS["cp1"], "version": "1.36.5", "error": ""}],
        **more,
    }


def worker(joined: bool = False, left_out: dict[str, str] | None = None, **more: Any) -> Node:
    settings = {
        "roles": ["worker"],
        "kubernetes_version": "1.36.5",
        "api_servers": {"cp1": SERVERS["cp1"]},
        "left_out": {"cp1": "cp1", "node-2": "w2"} if left_out is None else left_out,
    }
    return Node("w1", facts("w1", joined, **more), settings)


def machine(name: str, machine_id: str = "", product_uuid: str = "") -> dict[str, str]:
    return {"name": name, "machine_id": machine_id, "product_uuid": product_uuid}


PLANE = Node("cp1", facts("cp1", True, nodes=[machine("node-2")]), {"roles": ["control_plane"], "api_servers": {}})


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([worker()], ["cp1"]),
        ([worker(joined=True)], []),
        ([worker(left_out={})], []),
        ([PLANE, worker()], []),
    ],
    ids=["a new host", "a host that has joined", "all hosts take part", "a control plane of the run tells"],
)
def test_who_is_asked(nodes: list[Node], expected: list[str]) -> None:
    assert hosts_to_ask(nodes) == expected


EMPTY = "empty /etc/machine-id on the clones, run systemd-machine-id-setup and restart them"
CASES: list[tuple[str, list[Node], dict[str, Any], list[str]]] = [
    ("nothing shared", [worker()], {"cp1": facts("cp1", True, nodes=[machine("node-2", "x", "y")])}, []),
    (
        "a clone of a control plane",
        [worker(hostname="cp1", machine_id="id-cp1")],
        {"cp1": facts("cp1", True)},
        [
            "error w1 duplicate-hostname the host name cp1 is that of cp1 too, which this run leaves out; give each "
            "host "
            "its own",
            f"error w1 duplicate-machine-id the machine id id-cp1 is that of cp1 too, which this run leaves out; "
            f"{EMPTY}",
        ],
    ),
    (
        "a clone of a worker, as a control plane of the run knows it",
        [Node("cp1", {**PLANE.facts, "nodes": [machine("node-2", "id-w1", "")]}, PLANE.settings), worker()],
        {},
        [f"error w1 duplicate-machine-id the machine id id-w1 is that of w2 too, which this run leaves out; {EMPTY}"],
    ),
    (
        "the same, told twice, and by a control plane outside of it",
        [worker()],
        {
            "cp1": facts("cp1", True, nodes=[machine("node-2", "", "uuid-w1")]),
            "cp2": facts("cp2", True, nodes=[machine("node-2", "", "uuid-w1")]),
        },
        [
            "error w1 duplicate-product-uuid the product_uuid uuid-w1 is that of w2 too, which this run leaves out; "
            "give "
            "each machine its own, or add duplicate-product-uuid to preflight_ignore where they are containers"
        ],
    ),
    (
        "the host itself, which joined before, and a node of no host of the inventory",
        [worker(joined=True)],
        {"cp1": facts("cp1", True, nodes=[machine("w1", "id-w1"), machine("gone", "id-w1")])},
        [],
    ),
    ("no MAC address", [worker(interfaces=[])], {"cp1": facts("cp1", True, interfaces=[])}, []),
    (
        "nobody told",
        [worker(machine_id="", product_uuid="")],
        {"cp1": facts("cp1", machine_id="", product_uuid="")},
        [],
    ),
]


@pytest.mark.parametrize(("nodes", "left_out", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_clones(nodes: list[Node], left_out: dict[str, Any], expected: list[str]) -> None:
    found = clones(nodes, left_out)
    assert [f"{fault.severity} {fault.host} {fault.id} {fault.text}" for fault in found] == expected


def test_machines_of_nodes() -> None:
    info = {"machineID": "abc", "systemUUID": "ABCD-1"}
    items = [{"metadata": {"name": "a"}, "status": {"nodeInfo": info}}, {"metadata": {"name": "b"}}]
    assert machines({"items": items}) == [machine("a", "abc", "abcd-1"), machine("b")]
    assert machines(None) == []
