"""The module host_facts on this machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.public_keys import key_hash
from ansible_collections.groundwork.kubernetes.plugins.modules import host_facts
from ansible_collections.groundwork.kubernetes.tests.unit.plugins.pki import issue, new_key, private

Run = Callable[..., dict[str, Any]]


def test_returns_all_that_is_documented(run_module: Run, tmp_path: Path) -> None:
    result = run_module(
        host_facts,
        paths=[str(tmp_path)],
        ports=[1],
        programs=["sh", "no-such-program"],
        connect=["127.0.0.1:1"],
        fsync_folder=str(tmp_path / "etcd"),
    )
    assert not result["changed"]
    host = result["host"]
    documented = yaml.safe_load(host_facts.RETURN)["host"]["contains"]
    assert host.keys() == documented.keys()
    kinds = {"str": str, "int": int, "bool": bool, "list": list, "dict": dict}
    assert {name: type(value) for name, value in host.items()} == {
        name: kinds[about["type"]] for name, about in documented.items()
    }
    assert host["programs"]["no-such-program"] == ""
    assert host["programs"]["sh"].endswith("/sh")
    assert host["connections"][0]["state"] == "refused"
    assert host["fsync"]["folder"] == str(tmp_path)
    assert host["clock"]["duration"] > 0


def test_certificates_and_keys(run_module: Run, tmp_path: Path) -> None:
    """openssl tells the public half of real keys; what is private stays where it is."""
    good = issue("ca")
    files = {
        "ca.crt": good.crt,
        "ca.key": good.pem,
        "bad.key": good.pem.replace("M", "A"),
        "locked.key": private(new_key("ca"), b"secret"),
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    result = run_module(host_facts, pki_folders=[str(tmp_path)])
    found = {Path(fact["path"]).name: fact for fact in result["host"]["pki"]}
    assert found["ca.crt"]["certificates"] == good.crt
    assert found["ca.key"]["public_keys"] == [key_hash(good.pub)]
    for name in ("bad.key", "locked.key"):
        assert found[name]["error"] == "openssl cannot read it; it may be damaged or encrypted"
    assert "PRIVATE" not in str(result)


def test_check_mode_does_not_write(run_module: Run, tmp_path: Path) -> None:
    result = run_module(host_facts, fsync_folder=str(tmp_path), _ansible_check_mode=True)
    assert result["host"]["fsync"] is None


@pytest.mark.parametrize("target", ["https://", "host:port"])
def test_bad_target(run_module: Run, target: str) -> None:
    result = run_module(host_facts, connect=[target])
    assert result["failed"]
    assert "cannot read the host" in result["msg"]


def test_options_are_documented() -> None:
    documented = yaml.safe_load(host_facts.DOCUMENTATION)["options"]
    assert documented.keys() == host_facts.OPTIONS.keys()
    for name, option in host_facts.OPTIONS.items():
        assert option["type"] == documented[name]["type"]
        assert option.get("default") == documented[name].get("default")


def test_a_node_tells_its_kubelet_and_asks_api_servers(
    run_module: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = {"kubelet_conf": True, "admin_conf": False, "etcd_data": False, "ca_sha256": "", "api_server_version": ""}
    monkeypatch.setattr(host_facts.HostReader, "cluster", lambda *_: cluster)
    kubelet = tmp_path / "kubelet"
    kubelet.write_text("#!/bin/sh\necho Kubernetes v1.36.5\n")
    kubelet.chmod(0o755)
    host = run_module(host_facts, bin_dir=str(tmp_path), api_servers=["127.0.0.1:1"])["host"]
    assert host["cluster"]["kubelet_version"] == "1.36.5"
    (answer,) = host["api_servers"]
    assert (answer["server"], answer["version"], bool(answer["error"])) == ("127.0.0.1:1", "", True)


def test_a_host_that_is_no_node_asks_nobody(run_module: Run) -> None:
    host = run_module(host_facts, api_servers=["127.0.0.1:1"])["host"]
    assert host["api_servers"] == []
    assert host["cluster"]["kubelet_version"] == ""
