"""Whether a host waits for a reboot."""

from __future__ import annotations

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.reboot import newer_kernel, reasons


@pytest.mark.parametrize(
    ("running", "files", "expected"),
    [
        ("6.1.0-40-amd64", ["vmlinuz-6.1.0-40-amd64", "initrd.img-6.1.0-41-amd64"], ""),
        ("6.1.0-40-amd64", ["vmlinuz-6.1.0-9-amd64", "vmlinuz-6.1.0-41-amd64"], "6.1.0-41-amd64"),
        ("6.1.0-40-amd64", ["vmlinuz-6.1.0-41-cloud-amd64"], ""),
        ("6.1.0-40-cloud-amd64", ["vmlinuz-6.1.0-41-amd64", "vmlinuz-6.1.0-41-cloud-amd64"], "6.1.0-41-cloud-amd64"),
        ("6.1.0-40-amd64", ["vmlinuz-6.12.9+deb13-amd64", "vmlinuz-6.1.0-41-amd64"], "6.1.0-41-amd64"),
        (
            "5.14.0-427.13.1.el9_4.x86_64",
            ["vmlinuz-5.14.0-503.11.1.el9_5.x86_64", "vmlinuz-0-rescue-5fa3c1", "vmlinuz-5.14.0-427.13.1.el9_4.x86_64"],
            "5.14.0-503.11.1.el9_5.x86_64",
        ),
        (
            "5.15.0-91-generic",
            ["vmlinuz", "vmlinuz-5.15.0-94-generic", "vmlinuz-5.15.0-99-lowlatency"],
            "5.15.0-94-generic",
        ),
        ("6.18.2", [], ""),
    ],
)
def test_a_newer_kernel(running: str, files: list[str], expected: str) -> None:
    assert newer_kernel(running, files) == expected


@pytest.mark.parametrize(
    ("required", "packages", "restarting", "newer", "expected"),
    [
        (False, "left-over", False, "", []),
        (True, "", False, "", ["/run/reboot-required is there"]),
        (True, "libc6\nlibc6\ndbus\n", False, "", ["/run/reboot-required is there because of dbus, libc6"]),
        (False, "", True, "6.1", ["needs-restarting says so", "kernel 6.1 is installed"]),
    ],
)
def test_reasons(required: bool, packages: str, restarting: bool, newer: str, expected: list[str]) -> None:
    assert reasons(required, packages, restarting, newer) == expected
