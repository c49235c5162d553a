"""What crictl tells of a pod."""

from __future__ import annotations

import json

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.reset_runtime import Pod, parse_pod


def answer(state: str, network: str, path: str = "") -> str:
    """As crictl inspectp gives it."""
    spaces = [{"type": "pid"}, {"type": "network", "path": path}]
    status = {"metadata": {"name": "web", "namespace": "shop"}, "state": state}
    status["linux"] = {"namespaces": {"options": {"network": network}}}
    return json.dumps({"status": status, "info": {"runtimeSpec": {"linux": {"namespaces": spaces}}}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            answer("SANDBOX_READY", "POD", "/var/run/netns/cni-1"),
            Pod("abc", "shop/web", True, False, "/var/run/netns/cni-1"),
        ),
        (answer("SANDBOX_NOTREADY", "NODE", "/proc/1/ns/net"), Pod("abc", "shop/web", False, True)),
        ("{}", Pod("abc", "abc", True, False)),
        ("no JSON", Pod("abc", "abc", True, False)),
    ],
)
def test_a_pod_is_read(text: str, expected: Pod) -> None:
    """What is not told counts as a pod that runs in a network of its own."""
    assert parse_pod("abc", text) == expected
