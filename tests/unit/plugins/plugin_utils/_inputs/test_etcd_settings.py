"""Settings of etcd that its version does not know, or that the role manages."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.etcd import settings
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

GROUPS = {"kubernetes_control_plane_group": "planes", "kubernetes_etcd_group": "etcd"}


def judged(given: Any, version: str = "3.6.15", groups: dict[str, list[str]] | None = None) -> list[str]:
    host = HostInput("n1", {**GROUPS, "etcd_settings": given, "etcd_version": version})
    return [fault.text for fault in settings(host, Inputs([host], groups or {}, {}))]


@pytest.mark.parametrize(
    ("given", "version", "expected"),
    [
        ({}, "3.6.15", []),
        (None, "3.6.15", []),
        ({"max-request-bytes": 3145728, "heartbeat-interval": 100}, "3.6.15", []),
        ({"max-reqest-bytes": 1}, "3.6.15", ["etcd_settings.max-reqest-bytes: etcd has no such flag; did you mean "]),
        ({"data-dir": "/x", "cert-file": "/y"}, "3.6.15", ["etcd_settings.cert-file: ", "etcd_settings.data-dir: "]),
        (
            {"election-timeout": 200, "heartbeat-interval": 100},
            "3.6.15",
            ["etcd_settings.election-timeout: 200 is less"],
        ),
        # No version is another check's.
        ({"no-such-flag": 1}, "latest", []),
    ],
)
def test_settings(given: Any, version: str, expected: list[str]) -> None:
    found = judged(given, version)
    assert len(found) == len(expected), found
    assert all(text.startswith(start) for text, start in zip(found, expected, strict=True)), found


def test_only_members_on_hosts_of_their_own_are_given_settings() -> None:
    assert judged({"no-such-flag": 1}, groups={"planes": ["n1"]}) == []
    assert len(judged({"no-such-flag": 1}, groups={"planes": ["n0"], "etcd": ["n1"]})) == 1
