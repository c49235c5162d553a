"""The module reboot_info."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.modules import reboot_info

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A host without any reason; its files are in this folder."""
    for name in ("REQUIRED", "PACKAGES", "BOOT_ID", "BOOT"):
        monkeypatch.setattr(reboot_info, name, str(tmp_path / name.lower()))
    (tmp_path / "boot_id").write_text("0e1f\n")
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_arguments, **_more: None)
    return tmp_path


def test_nothing_waits(run_module: Run, host: Path) -> None:
    result = run_module(reboot_info, _ansible_check_mode=True)
    assert (result["changed"], result["needed"], result["reasons"], result["boot_id"]) == (False, False, [], "0e1f")
    assert result["kernel"] == os.uname().release


def test_a_file_that_says_so(run_module: Run, host: Path) -> None:
    (host / "required").touch()
    (host / "packages").write_text("libc6\n")
    assert run_module(reboot_info)["reasons"] == ["/run/reboot-required is there because of libc6"]


def test_a_newer_kernel(run_module: Run, host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (host / "boot").mkdir()
    (host / "boot" / "vmlinuz-6.1.0-41-amd64").touch()
    monkeypatch.setattr(reboot_info.os, "uname", lambda: type("Uname", (), {"release": "6.1.0-40-amd64"}))
    assert run_module(reboot_info)["reasons"] == ["kernel 6.1.0-41-amd64 is installed"]


@pytest.mark.parametrize(("rc", "needed"), [(0, False), (1, True)])
def test_needs_restarting(run_module: Run, host: Path, monkeypatch: pytest.MonkeyPatch, rc: int, needed: bool) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_arguments, **_more: "/usr/bin/needs-restarting")

    def run_command(_module: AnsibleModule, command: list[str], **_options: Any) -> tuple[int, str, str]:
        called.append(command)
        return rc, "", ""

    monkeypatch.setattr(AnsibleModule, "run_command", run_command)
    assert run_module(reboot_info)["needed"] is needed
    assert called == [["/usr/bin/needs-restarting", "-r"]]


def test_needs_restarting_that_fails(run_module: Run, host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not known is no answer."""
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_arguments, **_more: "/usr/bin/needs-restarting")
    monkeypatch.setattr(AnsibleModule, "run_command", lambda *_arguments, **_more: (2, "", "locked"))
    result = run_module(reboot_info)
    assert (result["failed"], "exit code 2: locked" in result["msg"]) == (True, True)
