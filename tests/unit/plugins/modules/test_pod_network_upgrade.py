"""Which version of a network plugin may become which other one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.network_upgrade import (
    Installed,
    installed,
    lacking,
    refusal,
)


def daemon_set(namespace: str, name: str, container: str, image: str, **labels: str) -> dict[str, Any]:
    containers = [{"name": "other", "image": "other:v9.9.9"}, {"name": container, "image": image}]
    metadata = {"namespace": namespace, "name": name, "labels": labels}
    return {"metadata": metadata, "spec": {"template": {"spec": {"containers": containers}}}}


DIGEST = "@sha256:" + "0" * 64
CILIUM = daemon_set("kube-system", "cilium", "cilium-agent", f"quay.io:443/cilium/cilium:v1.18.2{DIGEST}")


@pytest.mark.parametrize(
    ("plugin", "found", "expected"),
    [
        ("cilium", CILIUM, ("kube-system/cilium", "1.18.2")),
        (
            "calico",
            daemon_set("calico-system", "calico-node", "calico-node", "r/node:v3.32.1"),
            ("calico-system/calico-node", "3.32.1"),
        ),
        ("canal", daemon_set("kube-system", "canal", "calico-node", "r/node:3.31.7"), ("kube-system/canal", "3.31.7")),
        (
            "flannel",
            daemon_set("kube-flannel", "kube-flannel-ds", "kube-flannel", "r/f:v0.28.9-amd64"),
            ("kube-flannel/kube-flannel-ds", "0.28.9"),
        ),
        (
            "cilium",
            daemon_set(
                "kube-system", "cilium", "cilium-agent", f"r/c{DIGEST}", **{"app.kubernetes.io/version": "1.19.1"}
            ),
            ("kube-system/cilium", "1.19.1"),
        ),
        ("cilium", daemon_set("kube-system", "cilium", "cilium-agent", f"r/c{DIGEST}"), ("kube-system/cilium", "")),
        ("cilium", daemon_set("mine", "cilium", "cilium-agent", "r/c:v1.1.1"), None),
        ("calico", daemon_set("kube-system", "canal", "calico-node", "r/node:v3.32.1"), None),
    ],
)
def test_what_is_there(plugin: str, found: dict[str, Any], expected: Any) -> None:
    told = installed([daemon_set("kube-system", "kube-proxy", "kube-proxy", "p:v1.36.5"), found], plugin)
    assert (told and (told.place, told.version)) == expected


@pytest.mark.parametrize(
    ("plugin", "before", "after", "first"),
    [
        ("cilium", "1.18.2", "1.18.9", ""),
        ("cilium", "1.18.2", "1.19.0", ""),
        ("cilium", "1.19.0", "1.18.2", ""),
        ("cilium", "1.18.2", "1.20.1", "Go to 1.19 first"),
        ("cilium", "1.20.1", "1.18.2", "Go to 1.19 first"),
        ("cilium", "1.20.1", "2.0.0", ""),
        ("cilium", "1.20.1", "2.1.0", "Go to 1.21 first"),
        ("cilium", "", "1.20.1", ""),
        ("calico", "3.29.1", "3.33.0", ""),
        ("calico", "3.32.1", "3.31.7", "Set cni_calico_version: 3.32.1, or a newer one"),
        ("canal", "3.32.1", "3.31.7", "cni_calico_version is 3.31.7"),
        ("flannel", "0.28.9", "0.20.2", ""),
    ],
)
def test_ways_between_versions(plugin: str, before: str, after: str, first: str) -> None:
    refused = refusal(plugin, Installed("kube-system/x", before, "x"), after, "manifest")
    assert bool(refused) == bool(first)
    assert first in refused
    assert not refused or "Nothing was changed" in refused


def test_calicos_operator_does_not_give_way_to_the_manifest() -> None:
    found = Installed("calico-system/calico-node", "3.32.1", "x")
    assert "Set cni_install: chart" in refusal("calico", found, "3.32.1", "manifest")
    assert refusal("calico", found, "3.32.1", "chart") == ""
    # The other way the operator takes over by itself.
    assert refusal("calico", Installed("kube-system/calico-node", "3.32.1", "x"), "3.32.1", "chart") == ""


@pytest.mark.parametrize(
    ("found", "nodes", "expected"),
    [
        ([], 2, "there is no calico-system/calico-node yet"),
        ([("kube-system", "3.33.0", 2, 2)], 2, "there is no calico-system/calico-node yet"),
        ([("calico-system", "3.32.1", 2, 2)], 2, "calico-system/calico-node has 3.32.1 still"),
        ([("calico-system", "3.33.0", 1, 2)], 2, "calico-system/calico-node has 1 of 2 pods updated"),
        ([("calico-system", "3.33.0", 2, 1)], 2, "calico-system/calico-node has 1 of 2 pods ready"),
        ([("calico-system", "3.33.0", 2, 1)], 1, ""),
        ([("kube-system", "3.32.1", 2, 2), ("calico-system", "3.33.0", 2, 2)], 2, ""),
    ],
)
def test_what_the_operator_still_lacks(found: Any, nodes: int, expected: str) -> None:
    items = []
    for namespace, version, updated, ready in found:
        item = daemon_set(namespace, "calico-node", "calico-node", f"quay.io/calico/node:v{version}")
        counts = {"updatedNumberScheduled": updated, "numberAvailable": ready, "numberReady": ready}
        items.append(
            {"kind": "DaemonSet", "apiVersion": "apps/v1", "status": {"desiredNumberScheduled": 2, **counts}, **item}
        )
    assert lacking(items, "calico", "3.33.0", nodes) == expected


def test_the_message() -> None:
    assert refusal("cilium", Installed("kube-system/cilium", "1.18.2", "x"), "1.20.1", "chart") == (
        "the cluster has cilium 1.18.2 (kube-system/cilium), and cni_cilium_version is 1.20.1: Cilium goes from one "
        "minor version to the next alone, or back by one. Nothing was changed. Go to 1.19 first, with its chart"
    )


def test_json_of_kubectl_is_read() -> None:
    assert installed(json.loads(json.dumps([CILIUM])), "cilium")
