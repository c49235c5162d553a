"""kubeadm_certificates with a stand-in for kubeadm: what it renews, in which words, and what it names for a restart."""

from __future__ import annotations

import base64
import os
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.certificates import (
    Found,
    HostCertificates,
    Places,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.client_kubeconfig import parse_kubeconfig
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import KubeadmError
from ansible_collections.groundwork.kubernetes.plugins.modules import kubeadm_certificates

sys.path.insert(0, str(Path(__file__).parents[1]))

import pki
from control_plane_files import KUBECONFIGS, LEAVES, ControlPlane, kubeconfig, signed

Run = Callable[..., dict[str, Any]]
NAMES = {name.replace("/", "-"): name for name in LEAVES}


class Host:
    """A control plane in a folder, whose API server and etcd read new files as late as the test says."""

    def __init__(self, plane: ControlPlane, run_module: Run) -> None:
        self.plane, self.run_module = plane, run_module
        self.calls: list[tuple[str, ...]] = []
        self.shown: dict[str, str] = {}
        self.lasts, self.fails = 365.0, ""
        self.reads = True
        self.config = plane.kubernetes / "kubeadm.yaml"
        self.config.write_text("kind: ClusterConfiguration\n")

    def kubeadm(self, *arguments: str) -> str:
        self.calls.append(arguments)
        name = arguments[2]
        if name == self.fails:
            raise KubeadmError("kubeadm certs renew failed")
        if name in NAMES:
            self.plane.write_leaf(NAMES[name], self.lasts)
        else:
            self.plane.write_kubeconfig(name.replace(".conf", ""), self.lasts)
        return ""

    def ask(self, found: Found, _address: tuple[str, int], _pair: tuple[str, str] = ("", "")) -> Found:
        served = found.serial if self.reads else self.shown.setdefault(found.name, found.serial)
        self.shown[found.name] = served
        return Found(**{**vars(found), "served": served})

    def run(self, **options: Any) -> dict[str, Any]:
        return self.run_module(kubeadm_certificates, config=str(self.config), reload_timeout=0, **options)


@pytest.fixture
def host(tmp_path: Path, run_module: Run, monkeypatch: pytest.MonkeyPatch) -> Host:
    plane = ControlPlane(tmp_path)
    made = Host(plane, run_module)

    class Kubeadm:
        def __init__(self, _module: object, _timeout: int) -> None:
            self.run = made.kubeadm

    places = Places(str(plane.kubernetes), str(plane.kubelet), str(tmp_path / "etcd"), str(plane.proc))
    monkeypatch.setattr(kubeadm_certificates, "PLACES", places)
    monkeypatch.setattr(kubeadm_certificates, "Kubeadm", Kubeadm)
    monkeypatch.setattr(kubeadm_certificates, "HostCertificates", lambda where: HostCertificates(where, made.ask))
    return made


def test_what_is_near_its_end_is_renewed_once(host: Host) -> None:
    for name in ("apiserver", "etcd/server"):
        host.plane.write_leaf(name, 10)
    host.plane.write_kubeconfig("admin", 10)
    checked = host.run(_ansible_check_mode=True)
    assert (checked["changed"], checked["renewed"], host.calls) == (
        True,
        ["apiserver", "etcd-server", "admin.conf"],
        [],
    )
    done = host.run()
    config = f"--config={host.config}"
    assert host.calls == [
        ("certs", "renew", "apiserver", config),
        ("certs", "renew", "etcd-server", config),
        ("certs", "renew", "admin.conf", config),
    ]
    assert (done["changed"], done["renewed"], done["stale"]) == (True, checked["renewed"], [])
    for check in (True, False):
        again = host.run(_ansible_check_mode=check)
        assert (again["changed"], again["renewed"], again["stale"]) == (False, [], [])


def test_without_its_configuration_kubeadm_asks_the_cluster(host: Host) -> None:
    host.plane.write_leaf("apiserver", 10)
    host.config.unlink()
    host.run()
    assert host.calls == [("certs", "renew", "apiserver")]


def test_nothing_is_renewed_early(host: Host) -> None:
    assert not host.run(renew_days=299)["changed"]
    assert sorted(host.run(renew_days=301)["renewed"]) == sorted([*NAMES, *(f"{name}.conf" for name in KUBECONFIGS)])


def test_what_still_serves_the_old_one_is_named(host: Host) -> None:
    host.run()
    host.reads = False
    host.plane.write_leaf("apiserver", 10)
    host.shown["apiserver"] = "0ld"
    assert host.run()["stale"] == ["kube-apiserver"]
    # An interrupted run has renewed it, and not come to the restart.
    again = host.run()
    assert (again["changed"], again["stale"]) == (False, ["kube-apiserver"])
    assert host.run(_ansible_check_mode=True)["stale"] == ["kube-apiserver"]
    host.reads = True
    assert host.run()["stale"] == []


def test_who_reads_a_kubeconfig_at_its_start_only_is_named(host: Host) -> None:
    proc = host.plane.proc
    (proc / "7").mkdir()
    (proc / "7" / "cmdline").write_bytes(b"kube-scheduler\0")
    (proc / "7" / "cgroup").write_text("0::/kubepods/x\n")
    (proc / "stat").write_text("btime 0\n")

    def start(seconds: float) -> None:
        ticks = int(seconds * os.sysconf("SC_CLK_TCK"))
        (proc / "7" / "stat").write_text(f"7 (kube-scheduler) {' '.join(['0'] * 19)} {ticks}\n")

    path = host.plane.kubernetes / "scheduler.conf"
    (host.plane.kubernetes / "manifests" / "kube-scheduler.yaml").write_text("kind: Pod\n")
    host.plane.write_kubeconfig("scheduler", 10)
    start(path.stat().st_mtime + 10)
    assert host.run(_ansible_check_mode=True)["stale"] == ["kube-scheduler"]
    start(path.stat().st_mtime - 3600)
    done = host.run()
    assert (done["renewed"], done["stale"]) == (["scheduler.conf"], ["kube-scheduler"])
    start(path.stat().st_mtime + 10)
    assert host.run()["stale"] == []


def test_only_files_of_what_has_ended(host: Host) -> None:
    host.plane.write_leaf("etcd/peer", -1)
    host.plane.write_leaf("apiserver", 10)
    host.reads = False
    host.shown["apiserver"] = "0ld"
    done = host.run(files_only=True)
    assert (done["renewed"], done["stale"]) == (["etcd-peer"], [])
    assert not host.run(files_only=True)["changed"]


def test_an_external_authority_is_refused(host: Host) -> None:
    host.plane.write_leaf("apiserver", 10)
    (host.plane.pki / "ca.key").unlink()
    failed = host.run()
    assert "The keys of ca are not in" in failed["msg"]
    assert host.calls == []
    host.plane.write_leaf("apiserver", 300)
    assert not host.run()["changed"]


def test_what_ends_too_soon_again_is_an_error(host: Host) -> None:
    host.plane.write_leaf("apiserver", 5)
    host.lasts = 10
    assert "hold for less than renew_days (30)" in host.run()["msg"]
    assert host.run(renew_days=7)["changed"] is False


def test_the_first_failure_ends_it(host: Host) -> None:
    for name in LEAVES:
        host.plane.write_leaf(name, 10)
    host.fails = "apiserver-kubelet-client"
    assert host.run()["msg"] == "kubeadm certs renew failed"
    assert [call[2] for call in host.calls] == ["apiserver", "apiserver-kubelet-client"]
    host.fails = ""
    assert "apiserver" not in host.run()["renewed"]


def test_a_kubeconfig_goes_on_trusting_two_authorities(host: Host) -> None:
    """While the authority is rotated. kubeadm lets what it renews trust the first one alone."""
    both = host.plane.ca.crt + pki.issue("kubernetes", key="the next").crt
    path = host.plane.kubernetes / "admin.conf"
    path.write_text(kubeconfig(signed("admin", authority=host.plane.ca, days=10), both))
    assert host.run()["renewed"] == ["admin.conf"]
    renewed = parse_kubeconfig(path.read_text())
    assert len(renewed.authorities) == 2
    assert base64.b64decode(path.read_text().partition("authority-data: ")[2].split()[0]).decode() == both
    assert path.stat().st_mode & 0o777 == 0o600
    assert not host.run()["changed"]


def test_a_kubeconfig_trusts_the_authority_that_was_renewed(host: Host) -> None:
    path = host.plane.kubernetes / "admin.conf"
    stale = pki.issue("kubernetes", key="ca", days=5)
    path.write_text(kubeconfig(signed("admin", authority=host.plane.ca, days=10), stale.crt))
    assert host.run()["renewed"] == ["admin.conf"]
    assert parse_kubeconfig(path.read_text()).authorities == (ssl.PEM_cert_to_DER_cert(host.plane.ca.crt),)
