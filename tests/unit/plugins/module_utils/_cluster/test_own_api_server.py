"""Where a host's own API server is asked."""

from __future__ import annotations

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.own_api_server import own_server


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--advertise-address=192.0.2.11", "--secure-port=6443"], ["--server=https://192.0.2.11:6443"]),
        (["--advertise-address=2001:db8::11", "--secure-port=8443"], ["--server=https://[2001:db8::11]:8443"]),
        (["--advertise-address=192.0.2.11"], ["--server=https://192.0.2.11:6443"]),
        (["--secure-port=7443"], ["--server=https://127.0.0.1:7443", "--tls-server-name=kubernetes"]),
    ],
)
def test_own_server(flags: list[str], expected: list[str]) -> None:
    assert own_server("".join(f"    - {flag}\n" for flag in flags)) == expected
