"""What hosts try between them, and what is said of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import between
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import Node

DOCS = Path(__file__).resolve().parents[5] / "docs"
NEW = {"kubelet_conf": False, "etcd_data": False, "node": {"role": "none", "interrupted": "", "missing": []}}
JOINED = {"kubelet_conf": True, "etcd_data": True, "node": {"role": "worker", "interrupted": "", "missing": []}}
PLANE, WORKER = ["control_plane", "etcd"], ["worker"]


def host(name: str, roles: list[str], number: int, cluster: dict[str, Any] | None = None, **more: Any) -> Node:
    """A new host with an address of each IP version."""
    addresses = [f"192.0.2.{number}", *([f"2001:db8::{number}"] if more.pop("both", False) else [])]
    facts = {
        "cluster": cluster or NEW,
        "listeners": more.pop("listeners", []),
        "interfaces": [{"name": "eth0", "mtu": more.pop("mtu", 1500), "addresses": addresses}],
        "default_interface": "eth0",
    }
    return Node(name, facts, {"roles": roles, "kubernetes_node_ip": ",".join(addresses), "cni_plugin": "none", **more})


def listening(port: int, process: str) -> dict[str, Any]:
    return {"port": port, "address": "::", "process": process}


def shown(planned: dict[str, Any]) -> dict[str, list[str]]:
    """A plan as text: where each host listens, and what it tries (in brackets: a program that runs)."""

    def place(one: dict[str, Any]) -> str:
        return f"{one['protocol']} {one['address']} {one['number']}"

    return {
        name: [
            *(f"listen {place(one)}" for one in part["places"]),
            *(
                f"try {one['host']} {place(one)}" + (f" mtu {one['mtu']}" if one["mtu"] else "")
                if one["listener"]
                else f"(try {one['host']} {place(one)})"
                for one in part["targets"]
            ),
        ]
        for name, part in planned.items()
    }


PLANS: list[tuple[str, list[Node], dict[str, list[str]]]] = [
    ("one host alone", [host("a", PLANE, 1)], {}),
    (
        "a control plane and a worker",
        [host("a", PLANE, 1), host("w", WORKER, 2)],
        {
            "a": ["listen tcp 192.0.2.1 6443", "try w tcp 192.0.2.2 10250"],
            "w": ["listen tcp 192.0.2.2 10250", "try a tcp 192.0.2.1 6443 mtu 1500"],
        },
    ),
    (
        "both IP versions, another port, the smaller MTU",
        [host("a", PLANE, 1, both=True, kubernetes_api_port=443, mtu=9000), host("w", WORKER, 2, both=True)],
        {
            "a": [
                "listen tcp 192.0.2.1 443",
                "listen tcp 2001:db8::1 443",
                "try w tcp 192.0.2.2 10250",
                "try w tcp 2001:db8::2 10250",
            ],
            "w": [
                "listen tcp 192.0.2.2 10250",
                "listen tcp 2001:db8::2 10250",
                "try a tcp 192.0.2.1 443 mtu 1500",
                "try a tcp 2001:db8::1 443 mtu 1500",
            ],
        },
    ),
    (
        "members of etcd among themselves",
        [host("a", ["etcd"], 1, external_etcd=True), host("b", ["etcd"], 2, external_etcd=True)],
        {
            "a": [
                "listen tcp 192.0.2.1 2379",
                "listen tcp 192.0.2.1 2380",
                "try b tcp 192.0.2.2 2379",
                "try b tcp 192.0.2.2 2380",
            ],
            "b": [
                "listen tcp 192.0.2.2 2379",
                "listen tcp 192.0.2.2 2380",
                "try a tcp 192.0.2.1 2379 mtu 1500",
                "try a tcp 192.0.2.1 2380",
            ],
        },
    ),
    (
        "workers with Calico",
        [host("v", WORKER, 1, cni_plugin="calico"), host("w", WORKER, 2, both=True, cni_plugin="calico")],
        {
            "v": [
                "listen tcp 192.0.2.1 179",
                "listen ip 192.0.2.1 4",
                "try w tcp 192.0.2.2 179",
                "try w ip 192.0.2.2 4",
            ],
            "w": [
                "listen tcp 192.0.2.2 179",
                "listen ip 192.0.2.2 4",
                "try v tcp 192.0.2.1 179 mtu 1500",
                "try v ip 192.0.2.1 4",
            ],
        },
    ),
    (
        "workers with Flannel",
        [host("v", WORKER, 1, cni_plugin="flannel"), host("w", WORKER, 2, cni_plugin="flannel")],
        {
            "v": ["listen udp 192.0.2.1 8472", "try w udp 192.0.2.2 8472"],
            "w": ["listen udp 192.0.2.2 8472", "try v udp 192.0.2.1 8472 mtu 1500"],
        },
    ),
    (
        "workers with a bridge and a tunnel",
        [
            host("v", WORKER, 1, cni_plugin="bridge", cni_encapsulation="always"),
            host("w", WORKER, 2, cni_plugin="bridge", cni_encapsulation="always"),
        ],
        {
            "v": ["listen udp 192.0.2.1 4789", "try w udp 192.0.2.2 4789"],
            "w": ["listen udp 192.0.2.2 4789", "try v udp 192.0.2.1 4789 mtu 1500"],
        },
    ),
    (
        "load balancers of our own",
        [
            host(
                name,
                ["load_balancer"],
                number,
                api_endpoint="192.0.2.9:8443",
                balancer_ports=[8404, 8443],
                virtual_ip="v",
            )
            for name, number in (("a", 1), ("b", 2))
        ]
        + [host("w", WORKER, 3, api_endpoint="192.0.2.9:8443")],
        {
            "a": ["listen tcp 192.0.2.1 8443", "listen ip 192.0.2.1 112", "try b ip 192.0.2.2 112"],
            "b": ["listen tcp 192.0.2.2 8443", "listen ip 192.0.2.2 112", "try a ip 192.0.2.1 112"],
            "w": ["try a tcp 192.0.2.1 8443 mtu 1500", "try b tcp 192.0.2.2 8443 mtu 1500"],
        },
    ),
    (
        "all have joined",
        [host("a", PLANE, 1, JOINED, listeners=[listening(6443, "kube-apiserver")]), host("w", WORKER, 2, JOINED)],
        {},
    ),
    (
        "a worker joins: programs that run are tried, what has joined tries nothing",
        [
            host("a", PLANE, 1, JOINED, listeners=[listening(6443, "kube-apiserver"), listening(10250, "kubelet")]),
            host("b", PLANE, 2, JOINED),
            host("w", WORKER, 3),
        ],
        {"w": ["(try a tcp 192.0.2.1 6443)"]},
    ),
    (
        "a worker joins, alone in the run",
        [host("w", WORKER, 3, api_servers={"a": "192.0.2.1:6443", "b": "[2001:db8::2]:6443", "c": ""})],
        {"w": ["(try a tcp 192.0.2.1 6443)", "(try b tcp 2001:db8::2 6443)"]},
    ),
    (
        "a join that was interrupted, and a member whose data is gone",
        [
            host("a", PLANE, 1, {**JOINED, "etcd_data": False}, listeners=[listening(6443, "kube-apiserver")]),
            host("w", WORKER, 2, {**JOINED, "node": {"interrupted": "join", "missing": []}}),
        ],
        {
            "a": ["try w tcp 192.0.2.2 10250 mtu 1500"],
            "w": ["listen tcp 192.0.2.2 10250", "(try a tcp 192.0.2.1 6443)"],
        },
    ),
    (
        "an earlier listener is no program",
        [host("a", PLANE, 1, listeners=[listening(6443, "groundwork-port")]), host("w", WORKER, 2)],
        {
            "a": ["listen tcp 192.0.2.1 6443", "try w tcp 192.0.2.2 10250"],
            "w": ["listen tcp 192.0.2.2 10250", "try a tcp 192.0.2.1 6443 mtu 1500"],
        },
    ),
]


@pytest.mark.parametrize(("nodes", "expected"), [case[1:] for case in PLANS], ids=[case[0] for case in PLANS])
def test_plan(nodes: list[Node], expected: dict[str, list[str]]) -> None:
    assert shown(between.plan(nodes)) == expected


def test_who_is_expected_and_how_long() -> None:
    planned = between.plan([host("a", PLANE, 1), host("v", WORKER, 2), host("w", WORKER, 3)])
    assert {name: part["expected"] for name, part in planned.items()} == {"a": ["v", "w"], "v": ["a"], "w": ["a"]}
    assert {part["seconds"] for part in planned.values()} == {75}


def closed(to: str, number: int, state: str = "timeout", protocol: str = "tcp", address: str = "") -> dict[str, Any]:
    """What a probe says of a place that it cannot reach."""
    place = {"protocol": protocol, "address": address or "192.0.2.1", "number": number}
    error = {"timeout": "no answer within 3 s", "refused": "Connection refused", "other": "another host answers"}
    return {"host": to, **place, "state": state, "error": error[state]}


HOSTS = [
    host("a", PLANE, 1, cni_plugin="calico"),
    host("v", WORKER, 2),
    host("w", WORKER, 3),
    host("old", PLANE, 4, JOINED, listeners=[listening(6443, "kube-apiserver")]),
]
FIREWALLS = "let it pass in the firewalls of the hosts and between them (docs/ports.md)"
MESSAGES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("nothing was tried", {}, []),
    ("all is open", {"listened": {"a": {"unheard": []}}, "probed": {"w": {"closed": [], "narrow": []}}}, []),
    ("hosts without a part", {"listened": {"a": {"skipped": True}}, "probed": {"a": {"skipped": True}}}, []),
    (
        "a port that two hosts cannot reach",
        {"probed": {"v": {"closed": [closed("a", 6443)]}, "w": {"closed": [closed("a", 6443)]}}},
        [
            f"error a port-blocked TCP 6443 (the API server) at 192.0.2.1 cannot be reached from v, w: no answer "
            f"within 3 s; {FIREWALLS}"
        ],
    ),
    (
        "a protocol of its own, and a program on the way",
        {"probed": {"v": {"closed": [closed("a", 4, protocol="ip"), closed("a", 179, "other")]}}},
        [
            f"error a port-blocked IP protocol 4 (Calico's IP in IP) at 192.0.2.1 cannot be reached from v: no answer "
            f"within 3 s; {FIREWALLS}",
            "error a port-blocked TCP 179 (Calico's BGP) at 192.0.2.1 cannot be reached from v: another "
            "host answers; see whether another host has the address, or something on the way answers in its place",
        ],
    ),
    (
        "a firewall that refuses, and a program that does",
        {
            "probed": {
                "v": {"closed": [closed("a", 6443, "refused"), closed("old", 6443, "refused", address="192.0.2.4")]},
                "w": {"closed": [closed("old", 6443, address="192.0.2.4")]},
            }
        },
        [
            f"error a port-blocked TCP 6443 (the API server) at 192.0.2.1 cannot be reached from v: Connection "
            f"refused; {FIREWALLS}",
            f"error old port-blocked TCP 6443 (the API server) at 192.0.2.4 cannot be reached from w: no answer within "
            f"3 s; {FIREWALLS}",
        ],
    ),
    (
        "a host that the run leaves out",
        {"probed": {"v": {"closed": [closed("b", 6443), closed("c", 6443, "refused")]}}},
        [
            "warning  port-blocked TCP 6443 at 192.0.2.1 of b, which this run leaves out, cannot be reached from v: no "
            "answer within 3 s; if the host is up, let it pass"
        ],
    ),
    (
        "what could not listen, and what ended early",
        {
            "listened": {
                "a": {
                    "unheard": [
                        {"protocol": "tcp", "address": "192.0.2.1", "number": 179, "error": "Address already in use"}
                    ]
                }
            },
            "probed": {
                "v": {"closed": [closed("a", 179, "other"), closed("w", 10250, "refused", address="192.0.2.3")]}
            },
            "gone": ["w"],
        },
        [
            "warning a port-unknown whether TCP 179 (Calico's BGP) at 192.0.2.1 can be reached from v is not known: "
            "Address already in use; see that it is (docs/ports.md)",
            "warning w port-unknown whether TCP 10250 (the kubelet) at 192.0.2.3 can be reached from v is not known: "
            "what listened there for this check ended early; see that it is (docs/ports.md)",
        ],
    ),
    (
        "ways for small packets only",
        {
            "probed": {
                "v": {
                    "narrow": [
                        {"host": "a", "address": "192.0.2.1", "wanted": 1500, "mtu": 1400, "told": False},
                        {"host": "w", "address": "192.0.2.3", "wanted": 1500, "mtu": 1400, "told": False},
                    ]
                },
                "w": {
                    "narrow": [
                        {"host": "a", "address": "192.0.2.1", "wanted": 9000, "mtu": 1500, "told": True},
                        {"host": "v", "address": "192.0.2.2", "wanted": 1500, "mtu": 0, "told": False},
                    ]
                },
            }
        },
        [
            "error v path-mtu packets of 1500 bytes, which the interfaces allow, do not pass between this host and a, "
            "w, and nothing on the way says so; 1400 is the largest size found that does: set the interfaces' MTU to "
            "that, or let ICMP pass",
            "warning w path-mtu packets on the way to a may have 1500 bytes, and the interfaces allow 9000; set the "
            "interfaces' MTU to 1500, or let the network plugin's follow it",
            "error w path-mtu packets of 1500 bytes, which the interfaces allow, do not pass between this host and v, "
            "and nothing on the way says so; no smaller size was found that does: set the interfaces' MTU to that, "
            "or let "
            "ICMP pass",
        ],
    ),
]


@pytest.mark.parametrize(("outcomes", "expected"), [case[1:] for case in MESSAGES], ids=[case[0] for case in MESSAGES])
def test_messages(outcomes: dict[str, Any], expected: list[str]) -> None:
    found = between.faults(HOSTS, outcomes)
    assert [f"{fault.severity} {fault.host} {fault.id} {fault.text}" for fault in found] == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"cni_plugin": "calico"}, ["TCP 179", "IP protocol 4"]),
        ({"cni_plugin": "calico", "cni_tunnel": "vxlan"}, ["TCP 179", "UDP 4789"]),
        ({"cni_plugin": "calico", "cni_encapsulation": "never", "cni_wireguard": True}, ["TCP 179", "UDP 51820"]),
        ({"cni_plugin": "calico", "cni_install": "chart", "cni_tunnel": "vxlan"}, ["TCP 5473", "UDP 4789"]),
        (
            {"cni_plugin": "flannel", "cni_wireguard": True, "kubernetes_pod_cidr": "fd00::/56"},
            ["UDP 51820", "UDP 51821"],
        ),
        ({"cni_plugin": "canal", "cni_encapsulation": "never"}, []),
        ({"cni_plugin": "cilium", "cni_tunnel": "geneve"}, ["TCP 4240", "UDP 6081"]),
        ({"cni_plugin": "cilium", "cni_wireguard": True}, ["TCP 4240", "UDP 8472", "UDP 51871"]),
    ],
)
def test_ways_of_pods(settings: dict[str, Any], expected: list[str]) -> None:
    found = [way.shown for way in between.ways_to(host("a", ["worker"], 1, **settings))]
    assert found == ["TCP 10250", *expected]


def test_the_page_of_ports_has_all_of_them() -> None:
    every = [
        host("a", ["control_plane", "worker", "etcd"], 1, cni_plugin=plugin)
        for plugin in ("calico", "flannel", "canal", "bridge", "manifests", "none")
    ]
    every += [host("w", ["worker"], 4, cni_plugin=name, cni_wireguard=True) for name in ("calico", "flannel", "cilium")]
    every.append(host("g", ["worker"], 5, cni_plugin="cilium", cni_tunnel="geneve"))
    every.append(host("o", ["worker"], 6, cni_plugin="calico", cni_install="chart"))
    every.append(host("t", ["worker"], 3, cni_plugin="bridge", cni_encapsulation="cross-subnet"))
    every.append(host("l", ["load_balancer"], 2, api_endpoint="a:8443", balancer_ports=[8443], virtual_ip="v"))
    text = (DOCS / "ports.md").read_text().partition("## From outside")[0]
    numbers = {way.number for node in every for way in between.ways_to(node)} - {8443}
    assert {number for number in numbers if not re.search(rf"\b{number}\b", text)} == set()
