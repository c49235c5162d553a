"""How long a shutdown of the host waits for pods to end."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.components import (
    component_settings,
    graceful_shutdown,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

PERIOD, CRITICAL = "shutdownGracePeriod", "shutdownGracePeriodCriticalPods"
OWN, VARIABLE = "kubernetes_kubelet_configuration", "kubernetes_kubelet_shutdown"
DEFAULT = {PERIOD: "30s", CRITICAL: "10s"}
BY_PRIORITY = {"shutdownGracePeriodByPodPriority": [{"priority": 0, "shutdownGracePeriodSeconds": 9}]}


def gate(on: bool) -> dict[str, Any]:
    return {"featureGates": {"GracefulNodeShutdown": on}}


@pytest.mark.parametrize(
    ("version", "given", "own", "expected"),
    [
        ("1.36.5", DEFAULT, {}, []),
        ("1.36.5", DEFAULT, "no map", []),
        ("1.36.5", {}, {}, []),
        ("1.36.5", None, None, []),
        ("1.36.5", {PERIOD: "1m30s"}, {}, []),
        ("1.21.0", DEFAULT, {}, []),
        ("1.21.0", DEFAULT, gate(True), []),
        ("1.20.2", {}, {}, []),
        ("1.20.2", {PERIOD: "0s", CRITICAL: "0s"}, {}, []),
        ("1.20.2", DEFAULT, gate(True), []),
        ("1.36.5", {}, BY_PRIORITY, []),
        ("1.36.5", {}, gate(False), []),
        # The host's own win.
        ("1.36.5", DEFAULT, {PERIOD: "60s", CRITICAL: "20s"}, []),
        ("1.36.5", DEFAULT, {PERIOD: "0s", CRITICAL: "0s"}, []),
        (
            "1.36.5",
            DEFAULT,
            {PERIOD: "5s"},
            [
                f"{VARIABLE}.{CRITICAL} is 10s, and must not be more than {OWN}.{PERIOD}, which is 5s and contains "
                f"it; set both, or {VARIABLE}: {{}} for none"
            ],
        ),
        (
            "1.36.5",
            {CRITICAL: "10s"},
            {},
            [
                f"{VARIABLE}.{CRITICAL} is 10s, and must not be more than {VARIABLE}.{PERIOD}, which is 0s and "
                f"contains it; set both, or {VARIABLE}: {{}} for none"
            ],
        ),
        (
            "1.36.5",
            {PERIOD: 30, CRITICAL: "10 s"},
            {},
            [
                f"{VARIABLE}.{PERIOD} 30 is no time; write it like 30s, 1h30m or 8760h",
                f"{VARIABLE}.{CRITICAL} '10 s' is no time; write it like 30s, 1h30m or 8760h",
            ],
        ),
        ("1.36.5", {PERIOD: "500ms"}, {}, [f"{VARIABLE}.{PERIOD} is 500ms; give it a second or more, or 0s for none"]),
        (
            "1.20.2",
            DEFAULT,
            {},
            [f"{VARIABLE}.{PERIOD} needs Kubernetes 1.21 or newer, not 1.20.2; set it to 0s, or leave it out"],
        ),
        (
            "1.20.2",
            {},
            {PERIOD: "60s"},
            [f"{OWN}.{PERIOD} needs Kubernetes 1.21 or newer, not 1.20.2; set it to 0s, or leave it out"],
        ),
        (
            "1.36.5",
            DEFAULT,
            gate(False),
            [
                f"{VARIABLE}.{PERIOD} is set, and {OWN}.featureGates turns GracefulNodeShutdown off, so the kubelet "
                f"would not start; leave the gate out, or set {VARIABLE}: {{}}"
            ],
        ),
        (
            "1.36.5",
            DEFAULT,
            BY_PRIORITY,
            [
                f"{OWN}.shutdownGracePeriodByPodPriority and {VARIABLE}.{PERIOD} are both set, and the kubelet takes "
                f"one of them; for the first, set {VARIABLE}: {{}}"
            ],
        ),
    ],
)
def test_graceful_shutdown(version: str, given: Any, own: Any, expected: list[str]) -> None:
    host = HostInput("n1", {"kubernetes_version": version, OWN: own, VARIABLE: given})
    inputs = Inputs([host], {}, {})
    found = [fault for check in (component_settings, graceful_shutdown) for fault in check(host, inputs)]
    assert [fault.text for fault in found if fault.id == "value-invalid"] == expected
