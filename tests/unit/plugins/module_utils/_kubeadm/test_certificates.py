"""The certificates of a host: real files, real ports that speak TLS."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.served import served_certificate
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.certificates import (
    Found,
    HostCertificates,
    Places,
    asked,
    copies,
    reads_older,
    started_at,
)

sys.path.insert(0, str(Path(__file__).parents[2]))

from control_plane_files import MANIFEST, ControlPlane, Server, serial


@pytest.fixture
def plane(tmp_path: Path) -> ControlPlane:
    return ControlPlane(tmp_path)


def places(plane: ControlPlane, etcd: Path | None = None) -> Places:
    return Places(str(plane.kubernetes), str(plane.kubelet), str(etcd or plane.kubernetes / "none"), str(plane.proc))


def silent(found: Found, _address: tuple[str, int], _pair: tuple[str, str] = ("", "")) -> Found:
    return found


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    started: list[Server] = []
    yield started
    for server in started:
        server.close()


def test_all_of_a_control_plane_are_read(plane: ControlPlane) -> None:
    plane.write_kubelet()
    found = {one.name: one for one in HostCertificates(places(plane), silent).all()}
    assert list(found) == [
        "apiserver", "apiserver-kubelet-client", "front-proxy-client", "apiserver-etcd-client", "etcd-server",
        "etcd-peer", "etcd-healthcheck-client", "admin.conf", "controller-manager.conf", "scheduler.conf", "ca",
        "front-proxy-ca", "etcd/ca", "kubelet-client", "kubelet-serving",
    ]  # fmt: skip
    assert {one.error for one in found.values()} == {""}
    assert found["apiserver"].serial == serial((plane.pki / "apiserver.crt").read_text())
    assert (found["etcd-peer"].signer, found["etcd-peer"].kind) == ("etcd/ca", "leaf")
    assert (found["admin.conf"].user, found["admin.conf"].groups) == ("system:admin", ("system:masters",))
    assert found["kubelet-client"].user == "system:node:cp-1"
    assert found["kubelet-client"].path.endswith("kubelet-client-current.pem")
    assert 299 < (found["admin.conf"].ends - time.time()) / 86400 <= 300
    assert HostCertificates(places(plane)).keys() == ["ca", "front-proxy-ca", "etcd/ca"]


def test_a_host_that_is_nothing_has_none(tmp_path: Path) -> None:
    nothing = Places(*(str(tmp_path / name) for name in ("kubernetes", "kubelet", "etcd", "proc")))
    assert HostCertificates(nothing).all() == []


def test_with_external_etcd_its_client_is_not_kubeadms(plane: ControlPlane) -> None:
    (plane.kubernetes / "manifests" / "etcd.yaml").unlink()
    found = {one.name: one.kind for one in HostCertificates(places(plane), silent).control_plane()}
    assert (found["apiserver-etcd-client"], found["apiserver"]) == ("etcd", "leaf")


@pytest.mark.parametrize(
    "content", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_cannot_be_read_is_said(plane: ControlPlane, content: str) -> None:
    (plane.pki / "apiserver.crt").write_text(content)
    (plane.kubernetes / "admin.conf").write_text(content)
    found = {one.name: one for one in HostCertificates(places(plane), silent).control_plane()}
    for name in ("apiserver", "admin.conf"):
        assert found[name].error
        assert not found[name].due(1000, time.time())
        assert not found[name].ended(time.time())


def test_what_is_served_is_compared_with_the_file(plane: ControlPlane, servers: list[Server]) -> None:
    live = plane.pki / "apiserver.crt"
    served = plane.kubernetes / "served.crt"
    served.write_text(live.read_text())
    server = Server(served, plane.pki / "apiserver.key")
    servers.append(server)
    text = MANIFEST.format(name="kube-apiserver", port=server.port)
    (plane.kubernetes / "manifests" / "kube-apiserver.yaml").write_text(text)

    def found() -> Found:
        return HostCertificates(places(plane)).control_plane()[0]

    assert (found().served, found().pod, found().address) == (found().serial, "", f"127.0.0.1:{server.port}")
    plane.write_leaf("apiserver")
    assert (found().served, found().pod) == (serial(served.read_text()), "kube-apiserver")
    served.write_text(live.read_text())
    assert found().pod == ""
    server.close()
    servers.clear()
    assert (found().served, found().pod) == ("", "")
    assert "does not show its certificate" in found().error


@pytest.mark.parametrize("old", [False, True])
def test_a_server_that_wants_a_clients_certificate(plane: ControlPlane, servers: list[Server], old: bool) -> None:
    server = Server(
        plane.pki / "etcd/server.crt", plane.pki / "etcd/server.key", client_ca=plane.pki / "etcd/ca.crt", old=old
    )
    servers.append(server)
    pair = (str(plane.pki / "etcd/healthcheck-client.crt"), str(plane.pki / "etcd/healthcheck-client.key"))
    assert served_certificate("127.0.0.1", server.port, pair).user == "etcd/server"
    found = Found("etcd-server", "leaf", "x", serial="1")
    assert asked(found, ("127.0.0.1", server.port), pair).served == serial((plane.pki / "etcd/server.crt").read_text())
    assert "does not show" in asked(found, ("127.0.0.1", server.port), ("/missing", "/missing")).error


def test_one_in_memory_is_read_from_its_port(plane: ControlPlane, servers: list[Server]) -> None:
    server = Server(plane.pki / "front-proxy-client.crt", plane.pki / "front-proxy-client.key")
    servers.append(server)
    text = MANIFEST.format(name="kube-scheduler", port=server.port)
    (plane.kubernetes / "manifests" / "kube-scheduler.yaml").write_text(text)
    found = {one.name: one for one in HostCertificates(places(plane)).control_plane()}["kube-scheduler"]
    assert (found.kind, found.path, found.user) == ("memory", "", "front-proxy-client")
    assert found.serial == found.served == serial((plane.pki / "front-proxy-client.crt").read_text())


@pytest.mark.parametrize(
    ("config", "kind", "file", "signer"),
    [
        ("", "kubelet", "kubelet.crt", ""),
        ("serverTLSBootstrap: true\n", "kubelet", "kubelet-server-current.pem", "ca"),
        ("tlsCertFile: '/etc/own.crt'\nserverTLSBootstrap: true\n", "given", "own.crt", ""),
    ],
)
def test_which_certificate_a_kubelet_serves(
    plane: ControlPlane, config: str, kind: str, file: str, signer: str
) -> None:
    plane.write_kubelet()
    (plane.kubelet / "config.yaml").write_text(f"address: 0.0.0.0\n{config}port: 1\n")
    found = HostCertificates(places(plane), silent).kubelet()[1]
    assert (found.kind, os.path.basename(found.path), found.signer) == (kind, file, signer)


def test_a_member_that_systemd_runs(plane: ControlPlane, tmp_path: Path) -> None:
    pki = tmp_path / "etcd"
    pki.mkdir()
    for name in ("member", "peer", "ca"):
        (pki / f"{name}.crt").write_text((plane.pki / "etcd/server.crt").read_text())
    found = HostCertificates(places(plane, pki), silent).etcd()
    assert [(one.name, one.kind) for one in found] == [
        ("etcd-member", "etcd"),
        ("etcd-peer", "etcd"),
        ("etcd-ca", "authority"),
    ]


def test_a_program_that_was_started_before_its_kubeconfig(plane: ControlPlane) -> None:
    path = plane.kubernetes / "scheduler.conf"
    folder = plane.proc / "7"
    folder.mkdir()
    (folder / "cmdline").write_bytes(b"kube-scheduler\0--x\0")
    (folder / "cgroup").write_text("0::/kubepods/x\n")
    (folder / "stat").write_text(f"7 (kube (x) y) {' '.join(['0'] * 19)} {100 * os.sysconf('SC_CLK_TCK')} 0\n")
    (plane.proc / "stat").write_text("cpu 1\nbtime 1000\n")
    assert started_at(7, str(plane.proc)) == 1100
    assert started_at(8, str(plane.proc)) is None
    for changed, older in ((1099, False), (1102, True)):
        os.utime(path, (changed, changed))
        assert reads_older("kube-scheduler", str(path), str(plane.proc)) is older
    scheduler = plane.kubernetes / "manifests" / "kube-scheduler.yaml"
    assert [one.pod for one in HostCertificates(places(plane), silent).control_plane() if one.pod] == []
    scheduler.write_text(MANIFEST.format(name="x", port=1))
    found = {one.name: one.pod for one in HostCertificates(places(plane), silent).control_plane()}
    assert (found["scheduler.conf"], found["controller-manager.conf"]) == ("kube-scheduler", "")


def test_this_process_has_been_started() -> None:
    started = started_at(os.getpid(), "/proc")
    assert started is not None
    assert time.time() - 3600 < started < time.time() + 2


def test_copies_that_are_there(plane: ControlPlane) -> None:
    found = copies([str(plane.kubernetes / "admin.conf"), str(plane.kubernetes / "none")])
    assert [(one.kind, one.user) for one in found] == [("copy", "system:admin")]
    assert len(found[0].authority) == 64
    assert Found.of(found[0].describe()) == found[0]
