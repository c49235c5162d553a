"""Kubelets against the API servers that run, as tables: what is known, who must be asked, which faults are found."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.kubelet_versions import (
    kubelet_versions,
    sort_key,
    to_ask,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import Node

SERVERS = {"cp1": "192.0.2.1:6443", "cp2": "192.0.2.2:6443"}


def facts(kubelet: str = "", api: str = "", joined: bool = True, **answers: str) -> dict[str, Any]:
    """What host_facts tells; the answers of API servers by their host, a version or why there is none."""
    return {
        "cluster": {"kubelet_conf": joined, "api_server_version": api, "kubelet_version": kubelet},
        "api_servers": [
            {
                "server": SERVERS[host],
                "version": message if message[:1] == "1" else "",
                "error": "" if message[:1] == "1" else message,
            }
            for host, message in answers.items()
        ],
    }


def worker(wanted: str = "1.36.5", servers: dict[str, str] | None = None, name: str = "w1", **reported: Any) -> Node:
    """A worker of a run that leaves the control planes out."""
    settings = {
        "kubernetes_version": wanted,
        "roles": ["worker"],
        "api_servers": SERVERS if servers is None else servers,
    }
    return Node(name, facts(**reported), settings)


def plane(wanted: str = "1.36.5", name: str = "cp1", **reported: Any) -> Node:
    """A control plane that takes part, and asks its own API server."""
    settings = {"kubernetes_version": wanted, "roles": ["control_plane"], "api_servers": {name: SERVERS[name]}}
    return Node(name, facts(**reported), settings)


SAME = {"cp1": "1.36.5", "cp2": "1.36.5"}
NEWER = "error skew-unsupported w1"
CASES = [
    # A node of the cluster; the API servers tell their versions
    ("nothing changes", [worker(kubelet="1.36.5", **SAME)], {}, [], []),
    ("as new as the API servers", [worker(kubelet="1.35.1", **SAME)], {}, [], []),
    ("newer by a minor", [worker("1.37.0", kubelet="1.36.5", **SAME)], {}, [], [NEWER]),
    ("newer by a patch", [worker("1.36.6", kubelet="1.36.5", **SAME)], {}, [], [NEWER]),
    ("newer than one of two", [worker("1.37.0", kubelet="1.36.5", cp1="1.37.0", cp2="1.36.5")], {}, [], [NEWER]),
    ("older by three minors", [worker("1.33.1", kubelet="1.33.0", **SAME)], {}, [], []),
    ("older by four minors", [worker("1.32.1", kubelet="1.32.0", **SAME)], {}, [], [NEWER]),
    ("newer already, and stays", [worker("1.37.0", kubelet="1.37.0", **SAME)], {}, [], ["warning skew-unsupported w1"]),
    (
        "the release after its candidate",
        [worker("1.37.0", kubelet="1.36.5", cp1="1.37.0-rc.1", cp2="1.37.0")],
        {},
        [],
        [NEWER],
    ),
    # An API server that does not tell
    ("one silent, nothing changes", [worker(kubelet="1.36.5", cp1="1.36.5", cp2="timed out")], {}, [], []),
    ("all silent, nothing changes", [worker(kubelet="1.36.5", cp1="refused", cp2="timed out")], {}, [], []),
    (
        "one silent, and a newer kubelet",
        [worker(kubelet="1.35.1", cp1="1.36.5", cp2="timed out")],
        {},
        ["cp2"],
        ["error version-unknown w1"],
    ),
    (
        "one silent, but newer than the other anyway",
        [worker("1.37.0", kubelet="1.35.1", cp1="1.36.5", cp2="timed out")],
        {},
        ["cp2"],
        [NEWER],
    ),
    ("silent, and an older kubelet", [worker("1.35.0", kubelet="1.36.5", cp1="refused", cp2="refused")], {}, [], []),
    (
        "silent, and a kubelet that does not tell",
        [worker(kubelet="", cp1="refused", cp2="refused")],
        {},
        ["cp1", "cp2"],
        ["error version-unknown w1"],
    ),
    (
        "silent, but the host told",
        [worker(kubelet="1.35.1", cp1="1.36.5", cp2="refused")],
        {"cp2": facts("1.36.5", "1.36.5")},
        ["cp2"],
        [],
    ),
    (
        "silent, and the host told of an older one",
        [worker(kubelet="1.35.1", cp1="1.36.5", cp2="refused")],
        {"cp2": facts("1.35.9", "1.35.9")},
        ["cp2"],
        [NEWER],
    ),
    (
        "silent, and its manifest is away",
        [worker(kubelet="1.35.1", cp1="1.36.5", cp2="refused")],
        {"cp2": facts("1.36.5", "")},
        ["cp2"],
        ["error version-unknown w1"],
    ),
    (
        "silent, because the host is in no cluster yet",
        [worker(kubelet="1.35.1", cp1="1.36.5", cp2="refused")],
        {"cp2": facts("", "", joined=False)},
        ["cp2"],
        [],
    ),
    (
        "an address that is not known",
        [worker(kubelet="1.35.1", servers={"cp1": "", "cp2": SERVERS["cp2"]}, cp2="1.36.5")],
        {},
        ["cp1"],
        ["error version-unknown w1"],
    ),
    # A host that joins cannot ask
    (
        "a new node, all hosts told",
        [worker(joined=False)],
        {h: facts("1.36.5", "1.36.5") for h in SERVERS},
        ["cp1", "cp2"],
        [],
    ),
    (
        "a new node that would be newer",
        [worker("1.37.0", joined=False)],
        {h: facts("1.36.5", "1.36.5") for h in SERVERS},
        ["cp1", "cp2"],
        [NEWER],
    ),
    (
        "a new node while a control plane is off",
        [worker(joined=False)],
        {"cp1": facts("1.36.5", "1.36.5")},
        ["cp1", "cp2"],
        [],
    ),
    ("a new node, and nobody told", [worker(joined=False)], {}, ["cp1", "cp2"], ["warning version-unknown w1"]),
    (
        "a new node beside one of the cluster, which asks",
        [worker("1.37.0", joined=False), worker("1.36.5", name="w2", kubelet="1.36.5", **SAME)],
        {},
        [],
        [NEWER],
    ),
    # Control planes that take part
    ("a new cluster", [plane(joined=False), worker(servers={}, joined=False)], {}, [], []),
    ("all of a cluster", [plane(kubelet="1.36.5", api="1.36.5"), worker(servers={}, kubelet="1.35.1")], {}, [], []),
    (
        "all of a cluster, one manifest away, nothing changes",
        [plane(kubelet="1.36.5"), worker(servers={}, kubelet="1.36.5")],
        {},
        [],
        [],
    ),
    (
        "all of a cluster, one manifest away",
        [plane("1.37.0", kubelet="1.36.5"), worker("1.37.0", servers={}, kubelet="1.36.5")],
        {},
        [],
        ["error version-unknown cp1", "error version-unknown w1"],
    ),
    (
        "a manifest that names no version, and its API server tells",
        [plane("1.36.5", kubelet="1.35.1", cp1="1.36.5"), worker(servers={}, kubelet="1.35.1")],
        {},
        [],
        [],
    ),
    (
        "a manifest of a version that does not run yet",
        [plane("1.37.0", kubelet="1.36.5", api="1.37.0", cp1="1.36.5"), worker("1.37.0", servers={}, kubelet="1.36.5")],
        {},
        [],
        [NEWER],
    ),
    ("another version, which is message elsewhere", [plane("1.37.0", kubelet="1.36.5", api="1.36.5")], {}, [], []),
    (
        "a worker beside a control plane of another version",
        [plane("1.36.5", kubelet="1.36.5", api="1.36.5"), worker("1.37.0", servers={}, kubelet="1.36.5")],
        {},
        [],
        [NEWER],
    ),
    # Not a node
    (
        "a host of etcd alone",
        [Node("e1", facts(joined=False), {"kubernetes_version": "1.37.0", "roles": ["etcd"], "api_servers": SERVERS})],
        {},
        [],
        [],
    ),
    ("no control planes in the inventory", [worker("1.37.0", servers={}, kubelet="1.36.5")], {}, [], []),
]


@pytest.mark.parametrize(("nodes", "left_out", "asked", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_versions(nodes: list[Node], left_out: dict[str, Any], asked: list[str], expected: list[str]) -> None:
    assert to_ask(nodes) == asked
    found = list(kubelet_versions(nodes, left_out))
    assert [f"{fault.severity} {fault.id} {fault.host}" for fault in found] == expected
    for fault in found:
        assert fault.text.startswith("kubernetes_version 1.")
        assert "; " in fault.text


def test_the_message_names_who_is_older_and_what_to_set() -> None:
    (fault,) = kubelet_versions([worker("1.37.0", kubelet="1.36.5", cp1="1.37.1", cp2="1.36.4")], {})
    assert "the API server of cp2 (1.36.4)" in fault.text
    assert fault.text.endswith("set kubernetes_version to 1.36.4")


def test_the_message_names_who_is_silent_and_why() -> None:
    (fault,) = kubelet_versions([worker(kubelet="1.35.1", cp1="1.36.5", cp2="timed out")], {})
    assert "(cp2: timed out)" in fault.text
    assert fault.text.endswith("or set kubernetes_version to 1.35.1")


def test_order() -> None:
    versions = [
        "1.9.11",
        "1.36.0-alpha.1",
        "1.36.0-beta.2",
        "1.36.0-rc.1",
        "1.36.0-rc.10",
        "1.36.0",
        "1.36.1",
        "1.37.0",
    ]
    assert sorted(set(versions), key=sort_key) == versions
    assert sort_key("1.36.1+build") == sort_key("v1.36.1")
