"""The module encryption_info on real files."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.modules import encryption_info
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm import encryption_at_rest

Run = Callable[..., dict[str, Any]]
MANIFEST = """spec:
  containers:
  - command:
    - kube-apiserver
    - --advertise-address=192.0.2.1
    - {quote}--encryption-provider-config={path}{quote}
    - --etcd-servers=https://127.0.0.1:2379
"""


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_what_an_api_server_reads(run_module: Run, tmp_path: Path, quote: str, check: bool) -> None:
    manifest, config = tmp_path / "kube-apiserver.yaml", tmp_path / "config-1.yaml"
    config.write_text("keys")
    manifest.write_text(MANIFEST.format(path=config, quote=quote))
    result = run_module(encryption_info, manifest=str(manifest), folder=str(tmp_path), _ansible_check_mode=check)
    result.pop("invocation", None)
    found = {"exists": True, "file": str(config), "config": "keys", "files": [str(config)], "stored": []}
    assert result == {"changed": False, **found}


def test_a_host_without_an_api_server(run_module: Run, tmp_path: Path) -> None:
    result = run_module(encryption_info, manifest=str(tmp_path / "none"), folder=str(tmp_path / "none"))
    assert (result["exists"], result["file"], result["config"], result["files"]) == (False, "", "", [])
    assert "key" not in result


def test_what_a_backup_put_back(run_module: Run, tmp_path: Path) -> None:
    for name in ("config-1.yaml", "config-2.yaml", "other.yaml"):
        (tmp_path / name).write_text(name)
    result = run_module(encryption_info, manifest=str(tmp_path / "none"), folder=str(tmp_path))
    assert (result["exists"], result["stored"]) == (False, ["config-1.yaml", "config-2.yaml"])


def test_an_api_server_without_encryption_and_one_whose_file_is_gone(run_module: Run, tmp_path: Path) -> None:
    manifest = tmp_path / "kube-apiserver.yaml"
    manifest.write_text("- --profiling=false\n")
    result = run_module(encryption_info, manifest=str(manifest))
    assert (result["exists"], result["file"]) == (True, "")
    manifest.write_text(MANIFEST.format(path="/none/config.yaml", quote=""))
    result = run_module(encryption_info, manifest=str(manifest))
    assert (result["file"], result["config"]) == ("/none/config.yaml", "")


def test_a_fresh_key(run_module: Run, tmp_path: Path) -> None:
    keys = [
        run_module(encryption_info, generate_key=True, manifest=str(tmp_path / "none"))["key"] for _time in range(2)
    ]
    assert keys[0]["secret"] != keys[1]["secret"]
    assert [len(base64.b64decode(key["secret"])) for key in keys] == [32, 32]


def test_its_name_tells_the_planner_when_it_was_made() -> None:
    now = datetime(2026, 11, 22, 10, 15, tzinfo=timezone.utc)
    made = encryption_info.new_key(now)
    assert made["name"] == "key-20261122t101500z"
    assert encryption_at_rest.Provider("secretbox", made["name"]).created == now


def test_a_file_that_cannot_be_read(run_module: Run, tmp_path: Path) -> None:
    result = run_module(encryption_info, manifest=str(tmp_path))
    assert result["failed"]
    assert result["msg"] == f"{tmp_path} cannot be read: Is a directory"
