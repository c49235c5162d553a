"""The judgement of what hardens the API server and denies traffic, as a table."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.hardening import control_plane, default_deny
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.inputs import HOST_CHECKS
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"control_plane_request_timeout": ""}, []),
        ({"control_plane_request_timeout": "1h0m1.5s"}, []),
        (
            {"control_plane_request_timeout": "60"},
            ["control_plane_request_timeout '60' is no time"],
        ),
        (
            {"control_plane_event_rate_limits": [{"type": "Server", "qps": 1, "burst": 1}]},
            [],
        ),
        (
            {"control_plane_event_rate_limits": [{"type": "User", "qps": 0, "burst": "-1", "cacheSize": 0}]},
            [
                "control_plane_event_rate_limits[0].qps is 0",
                "control_plane_event_rate_limits[0].burst is -1",
                "control_plane_event_rate_limits[0].cacheSize is 0",
            ],
        ),
        # Another form is told by its type.
        (
            {
                "control_plane_event_rate_limits": ["x"],
                "control_plane_admission_plugins": "x",
            },
            [],
        ),
        (
            {
                "control_plane_admission_plugins": [
                    "DenyServiceExternalIPs",
                    "AlwaysPullImages",
                ]
            },
            [],
        ),
        (
            {
                "control_plane_admission_plugins": ["DenyServiceExternalIPs"],
                "kubernetes_version": "1.20.2",
            },
            ["control_plane_admission_plugins: DenyServiceExternalIPs needs Kubernetes 1.21 or newer"],
        ),
    ],
)
def test_api_server(values: dict[str, Any], expected: list[str]) -> None:
    host = HostInput("h1", {"kubernetes_version": "1.36.5", **values})
    texts = [fault.text for fault in control_plane(host, Inputs([host], {}, {}))]
    assert [text.partition(";")[0] for text in texts] == expected
    assert all("; " in text for text in texts)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"cni_default_deny": {}}, []),
        (
            {
                "cni_plugin": "calico",
                "cni_default_deny": {"shop": ["Ingress", "Egress"]},
            },
            [],
        ),
        ({"cni_plugin": "manifests", "cni_default_deny": {"shop": ["Ingress"]}}, []),
        (
            {"cni_default_deny": {"shop": ["Ingress"]}},
            ["cni_default_deny has no effect, as the network plugin bridge has no network policies"],
        ),
        (
            {"cni_plugin": "flannel", "cni_default_deny": {"shop": ["Ingress"]}},
            ["cni_default_deny has no effect, as the network plugin flannel has no network policies"],
        ),
        (
            {"cni_plugin": "none", "cni_default_deny": {"shop": ["Ingress"]}},
            ["cni_default_deny is not applied with cni_plugin none"],
        ),
        (
            {
                "cni_plugin": "canal",
                "cni_default_deny": {"a": [], "b": "Ingress", "c": ["ingress"]},
            },
            [f"cni_default_deny.{name} must be a list of Ingress and Egress" for name in "abc"],
        ),
        (
            {"cni_plugin": "canal", "cni_default_deny": {"kube-system": ["Ingress"]}},
            ["cni_default_deny.kube-system would cut the cluster off from its DNS"],
        ),
    ],
)
def test_default_deny(values: dict[str, Any], expected: list[str]) -> None:
    host = HostInput("h1", values)
    texts = [fault.text for fault in default_deny(host, Inputs([host], {}, {}))]
    assert [text.partition(";")[0] for text in texts] == expected


def test_they_are_among_the_checks() -> None:
    assert {control_plane, default_deny} <= set(HOST_CHECKS)
