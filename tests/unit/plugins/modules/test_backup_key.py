"""backup_key with a real ssh-keygen."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.modules import backup_key

Run = Callable[..., dict[str, Any]]


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen of OpenSSH")
def test_a_key_is_made_once(run_module: Run, tmp_path: Path) -> None:
    path = tmp_path / "backup" / "signing_key"
    options = {"path": str(path), "comment": "cp-1"}
    foreseen = run_module(backup_key, **options, _ansible_check_mode=True)
    assert (foreseen["changed"], foreseen["public_key"], path.parent.exists()) == (True, "", False)

    made = run_module(backup_key, **options)
    assert (made["changed"], made["public_key"].split()[::2]) == (True, ["ssh-ed25519", "cp-1"])
    assert [oct(item.stat().st_mode & 0o777) for item in (path.parent, path)] == ["0o700", "0o600"]
    for check in (False, True):
        again = run_module(backup_key, **{**options, "comment": "x"}, _ansible_check_mode=check)
        assert (again["changed"], again["public_key"]) == (False, made["public_key"])

    path.write_text("nonsense")
    assert f"signing_key: {path} cannot be read" in run_module(backup_key, **options)["msg"]


def test_without_the_program(run_module: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_arguments, **_options: None)
    options = {"path": str(tmp_path / "backup" / "signing_key")}
    assert run_module(backup_key, **options, _ansible_check_mode=True)["changed"]
    assert "ssh-keygen is not installed" in run_module(backup_key, **options)["msg"]
