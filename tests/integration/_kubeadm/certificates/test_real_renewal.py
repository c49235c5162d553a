"""Certificates of ten days on a real etcd and a real API server, renewed by a real kubeadm while they run."""

# ruff: noqa: D103

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.certificates import Places
from ansible_collections.groundwork.kubernetes.plugins.modules import certificates_info, kubeadm_certificates

sys.path.insert(0, str(Path(__file__).parent))

from real_control_plane import NEEDS, Host
from real_etcd import Run, wait
from short_leaves import shorten

pytestmark = NEEDS
NAMES = [
    "apiserver", "apiserver-kubelet-client", "front-proxy-client", "apiserver-etcd-client", "etcd-server", "etcd-peer",
    "etcd-healthcheck-client", "admin.conf", "controller-manager.conf", "scheduler.conf",
]  # fmt: skip


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    made = Host(tmp_path)
    (tmp_path / "proc").mkdir()  # the pods of other clusters on this machine are none of this host's
    places = Places(str(tmp_path), str(tmp_path / "kubelet"), str(tmp_path / "etcd"), str(tmp_path / "proc"))
    for module in (certificates_info, kubeadm_certificates):
        monkeypatch.setattr(module, "PLACES", places)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    yield made
    made.stop()


def found(run: Run) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in run(certificates_info)["certificates"]}


def test_ten_days_left(host: Host, run: Run) -> None:
    shorten(host.folder, 10)
    host.start()
    wait(host.ready, host.folder / "kube-apiserver.log")
    processes = [process.pid for process in host.processes]
    before = found(run)
    assert [name for name in NAMES if before[name]["error"]] == []
    for name in ("apiserver", "etcd-server"):
        assert before[name]["served"] == before[name]["serial"]

    checked = run(kubeadm_certificates, config=str(host.config), _ansible_check_mode=True)
    assert (checked["changed"], checked["renewed"]) == (True, NAMES)
    assert found(run) == before

    done = run(kubeadm_certificates, config=str(host.config), reload_timeout=180)
    assert (done["changed"], done["renewed"], done["stale"]) == (True, NAMES, [])
    after = found(run)
    for name in NAMES:
        assert after[name]["ends"] > before[name]["ends"] + 300 * 86400
        assert after[name]["serial"] != before[name]["serial"]
    for name in ("apiserver", "etcd-server"):
        assert after[name]["served"] == after[name]["serial"]
    assert [process.pid for process in host.processes if process.poll() is None] == processes
    assert host.ready()

    for check in (True, False):
        again = run(kubeadm_certificates, config=str(host.config), _ansible_check_mode=check)
        assert (again["changed"], again["renewed"], again["stale"]) == (False, [], [])


def test_what_has_ended_is_mended_while_nothing_answers(host: Host, run: Run) -> None:
    shorten(host.folder, -1)
    done = run(kubeadm_certificates, config=str(host.config), files_only=True)
    assert done.get("renewed") == NAMES, done
    host.start()
    wait(host.ready, host.folder / "kube-apiserver.log")
    assert not run(kubeadm_certificates, config=str(host.config), files_only=True)["changed"]


def test_an_api_server_that_has_not_read_it_yet_is_named(host: Host, run: Run) -> None:
    host.start()
    wait(host.ready, host.folder / "kube-apiserver.log")
    shorten(host.folder, 10)
    assert found(run)["apiserver"]["pod"] == "kube-apiserver"
    assert found(run)["etcd-server"]["pod"] == ""
