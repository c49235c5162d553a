"""Feature gates, admission plugins and flags that a version does not have, wherever variables give them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.switches import switches

KUBELET, PROXY = "kubernetes_kubelet_configuration", "kubernetes_proxy_configuration"
INIT, JOIN, CLUSTER = (
    "control_plane_init_configuration",
    "worker_join_configuration",
    "control_plane_cluster_configuration",
)

GROUPS = {"kubernetes_control_plane_group": "planes", "kubernetes_node_group": "nodes"}


def arguments(component: str, **given: str) -> dict[str, Any]:
    return {component: {"extraArgs": [{"name": name.replace("_", "-"), "value": given[name]} for name in given]}}


@pytest.mark.parametrize(
    ("version", "variable", "value", "expected"),
    [
        ("1.36.5", KUBELET, {"featureGates": {"NodeSwap": True, "AllAlpha": False}}, []),
        (
            "1.36.5",
            KUBELET,
            {"featureGates": {"NodeSwapp": True}},
            [
                f"{KUBELET}.featureGates: feature gate NodeSwapp is none that Kubernetes 1.36.5 knows; "
                "did you mean NodeSwap?"
            ],
        ),
        # 1.22 brought it; what a version did not have yet is none that it knows.
        (
            "1.20.2",
            KUBELET,
            {"featureGates": {"NodeSwap": True}},
            [f"{KUBELET}.featureGates: feature gate NodeSwap is none that Kubernetes 1.20.2 knows; take it out"],
        ),
        (
            "1.36.5",
            KUBELET,
            {"featureGates": {"CPUManager": True}},
            [f"{KUBELET}.featureGates: feature gate CPUManager is gone from Kubernetes 1.33 on; take it out"],
        ),
        (
            "1.36.5",
            PROXY,
            {"featureGates": {"NoSuchGate": True}},
            [f"{PROXY}.featureGates: feature gate NoSuchGate is none that Kubernetes 1.36.5 knows; take it out"],
        ),
        (
            "1.36.5",
            CLUSTER,
            arguments("apiServer", feature_gates="NoSuchGate=true,AllBeta=false"),
            [
                f"{CLUSTER}.apiServer.extraArgs: feature gate NoSuchGate is none that Kubernetes 1.36.5 "
                "knows; take it out"
            ],
        ),
        (
            "1.36.5",
            CLUSTER,
            {"apiServer": {"extraArgs": {"enable-admission-plugins": "NodeRestriction,PodSecurityPolicy,Pods"}}},
            [
                f"{CLUSTER}.apiServer.extraArgs: admission plugin PodSecurityPolicy is gone from Kubernetes 1.25 on; "
                "take it out",
                f"{CLUSTER}.apiServer.extraArgs: admission plugin Pods is none that Kubernetes 1.36.5 knows; "
                "take it out",
            ],
        ),
        (
            "1.36.5",
            CLUSTER,
            arguments("controllerManager", pod_eviction_timeout="1m"),
            [
                f"{CLUSTER}.controllerManager.extraArgs: --pod-eviction-timeout is gone from Kubernetes 1.27 on; "
                "take it out"
            ],
        ),
        ("1.26.0", CLUSTER, arguments("controllerManager", pod_eviction_timeout="1m"), []),
        (
            "1.36.5",
            JOIN,
            {"nodeRegistration": {"kubeletExtraArgs": [{"name": "network-plugin", "value": "cni"}]}},
            [
                f"{JOIN}.nodeRegistration.kubeletExtraArgs: --network-plugin is gone from Kubernetes 1.24 on; "
                "take it out"
            ],
        ),
        (
            "1.36.5",
            INIT,
            {"nodeRegistration": {"kubeletExtraArgs": {"feature-gates": "NoSuchGate=true"}}},
            [
                f"{INIT}.nodeRegistration.kubeletExtraArgs: feature gate NoSuchGate is none that Kubernetes 1.36.5 "
                "knows; take it out"
            ],
        ),
        # Of what is newer than the lists, nothing is said.
        ("1.37.0", KUBELET, {"featureGates": {"NoSuchGate": True}}, []),
        ("none", KUBELET, {"featureGates": {"NoSuchGate": True}}, []),
        ("1.36.5", KUBELET, {"featureGates": ["NodeSwap"]}, []),
        ("1.36.5", KUBELET, "x", []),
    ],
)
def test_switches(version: str, variable: str, value: Any, expected: list[str]) -> None:
    host = HostInput("n1", {"kubernetes_version": version, variable: value})
    found = list(switches(host, Inputs([host], {}, {})))
    assert [fault.text for fault in found] == expected
    assert {(fault.id, fault.severity) for fault in found} <= {("unknown-field", "error")}


def test_the_control_planes_arguments_are_not_a_workers() -> None:
    host = HostInput(
        "n1", {**GROUPS, "kubernetes_version": "1.36.5", CLUSTER: arguments("apiServer", feature_gates="No=true")}
    )
    groups = {"planes": ["other"], "nodes": ["n1"]}
    assert list(switches(host, Inputs([host], groups, {}))) == []
