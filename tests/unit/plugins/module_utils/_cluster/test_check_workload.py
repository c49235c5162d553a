"""What the checks run in a cluster."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import check_workload
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.objects import Pod

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=timezone.utc)
WORKLOAD = check_workload.Workload("groundwork-verify-x", "web:1", ("serve", "--port={port}"), 8080, "/", 2)


def pod(name: str, on: str, ready: bool = True) -> Pod:
    return Pod(name, "ns", on, f"10.244.0.{name[-1]}", "Running", ready, "" if ready else "not ready", True, False)


def test_manifests_meet_the_restricted_standard() -> None:
    namespace, config, secret, service, deployment = check_workload.manifests(WORKLOAD)["items"]
    assert config["data"] == {"content": "ConfigMap of groundwork-verify-x"}
    assert secret["stringData"] == {"content": "Secret of groundwork-verify-x"}
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert namespace["metadata"] == {
        "name": "groundwork-verify-x",
        "labels": {"app.kubernetes.io/part-of": "groundwork-verify"},
    }
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert deployment["spec"]["selector"]["matchLabels"] == service["spec"]["selector"]
    assert deployment["spec"]["replicas"] == 2
    assert container["command"] == ["serve", "--port=8080"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert {kind for volume in spec["volumes"] for kind in volume if kind != "name"} == {
        *("configMap", "emptyDir", "secret"),
    }
    assert not {"hostNetwork", "hostPID", "hostIPC", "tolerations"} & spec.keys()
    json.dumps(check_workload.manifests(WORKLOAD))


def test_without_a_command_the_image_has_its_own() -> None:
    deployment = check_workload.deployment_manifest(check_workload.Workload("ns", "web:1", (), 80, "/", 1))
    assert "command" not in deployment["spec"]["template"]["spec"]["containers"][0]


def test_filled_leaves_other_braces() -> None:
    assert check_workload.filled(["sh", "-c", "echo ${x} {port} {url}"], port="80") == [
        "sh",
        "-c",
        "echo ${x} 80 {url}",
    ]


@pytest.mark.parametrize(
    ("name", "created", "found"),
    [
        ("groundwork-verify-a", "2026-11-01T11:00:00Z", ["groundwork-verify-a"]),
        ("groundwork-verify-a", "2026-11-01T11:55:00Z", []),
        ("production", "2026-11-01T11:00:00Z", []),
    ],
)
def test_leftovers(name: str, created: str, found: list[str]) -> None:
    namespace = {"metadata": {"name": name, "creationTimestamp": created}}
    assert check_workload.leftovers({"items": [namespace]}, NOW, timedelta(minutes=10)) == found
    namespace["metadata"]["deletionTimestamp"] = created
    assert check_workload.leftovers({"items": [namespace]}, NOW, timedelta(minutes=10)) == []


@pytest.mark.parametrize(
    ("document", "count"),
    [(None, 0), ({}, 0), ({"subsets": [{"notReadyAddresses": [{}]}]}, 0), ({"subsets": [{"addresses": [{}, {}]}]}, 2)],
)
def test_endpoints(document: dict[str, Any] | None, count: int) -> None:
    assert check_workload.endpoints(document) == count


def test_node_port() -> None:
    assert check_workload.node_port({"spec": {"ports": [{"port": 80, "nodePort": 31234}]}}) == 31234
    assert check_workload.node_port(None) == 0


@pytest.mark.parametrize(
    ("count", "peers", "names"),
    [
        (1, 4, []),
        (2, 4, ["01", "10"]),
        (3, 4, ["01", "02", "12", "10", "20", "21"]),
        (4, 1, ["01", "12", "23", "30"]),
    ],
)
def test_pairs(count: int, peers: int, names: list[str]) -> None:
    pods = [pod(str(number), f"n{number}") for number in range(count)]
    assert [a.name + b.name for a, b in check_workload.pairs(pods, peers)] == names


def test_url() -> None:
    assert check_workload.url("192.0.2.1", 8080, "/x") == "http://192.0.2.1:8080/x"
    assert check_workload.url("2001:db8::1", 80, "/") == "http://[2001:db8::1]:80/"
