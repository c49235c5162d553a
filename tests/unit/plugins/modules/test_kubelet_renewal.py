"""kubelet_renewal with a stand-in for the kubelet: whose certificate is renewed, how, and what is left on the host."""

from __future__ import annotations

import os
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
from ansible_collections.groundwork.kubernetes.plugins.modules import kubelet_renewal

sys.path.insert(0, str(Path(__file__).parents[1]))

import pki
from control_plane_files import ControlPlane, kubeconfig, signed

Run = Callable[..., dict[str, Any]]
BOOTSTRAP = "apiVersion: v1\nkind: Config\nusers: [{user: {token: abcdef.0123456789abcdef}}]\n"


class Host:
    """A node in a folder."""

    def __init__(self, plane: ControlPlane, run_module: Run) -> None:
        self.plane, self.run_module = plane, run_module
        self.calls: list[tuple[str, ...]] = []
        self.restarts: list[str] = []
        self.renews = True
        self.bootstrap = plane.kubernetes / "bootstrap-kubelet.conf"

    def kubeadm(self, *arguments: str) -> str:
        self.calls.append(arguments)
        certificate = signed("system:node:cp-1", "system:nodes", authority=self.plane.ca)
        return kubeconfig(certificate, self.plane.ca.crt, "https://192.0.2.9:6443", "NEW KEY\n")

    def restart(self, _module: object) -> None:
        """The kubelet starts: it asks for a certificate with the token, and makes itself one to serve."""
        self.restarts.append(self.bootstrap.read_text() if self.bootstrap.exists() else "")
        link = self.plane.kubelet / "pki" / "kubelet-client-current.pem"
        if self.bootstrap.exists() and self.renews:
            link.write_text(signed("system:node:cp-1", "system:nodes", authority=self.plane.ca))
        own = self.plane.kubelet / "pki" / "kubelet.crt"
        if not own.exists() and self.renews:
            own.write_text(pki.issue("cp-1@2").crt)

    def run(self, **options: Any) -> dict[str, Any]:
        return self.run_module(kubelet_renewal, timeout=1, **options)


@pytest.fixture
def host(tmp_path: Path, run_module: Run, monkeypatch: pytest.MonkeyPatch) -> Host:
    plane = ControlPlane(tmp_path)
    plane.write_kubelet()
    made = Host(plane, run_module)

    class Kubeadm:
        def __init__(self, _module: object, _timeout: int) -> None:
            self.run = made.kubeadm

    def ask(found: Found, _address: tuple[str, int]) -> Found:
        return Found(**{**vars(found), "served": found.serial})

    places = Places(str(plane.kubernetes), str(plane.kubelet), str(tmp_path / "etcd"), str(plane.proc))
    monkeypatch.setattr(kubelet_renewal, "PLACES", places)
    monkeypatch.setattr(kubelet_renewal, "Kubeadm", Kubeadm)
    monkeypatch.setattr(kubelet_renewal, "PAUSE", 0.01)
    monkeypatch.setattr(kubelet_renewal, "HostCertificates", lambda where: HostCertificates(where, ask))
    monkeypatch.setattr(kubelet_renewal, "recover_kubelet", made.restart)
    return made


def files(host: Host) -> list[str]:
    return sorted(os.listdir(host.plane.kubelet / "pki"))


def test_nothing_to_do(host: Host) -> None:
    before = files(host)
    for check in (True, False):
        done = host.run(_ansible_check_mode=check)
        assert (done["changed"], done["renewed"]) == (False, [])
    assert (files(host), host.calls, host.restarts) == (before, [], [])


@pytest.mark.parametrize("days", [-1, 10])
def test_on_a_control_plane_kubeadm_issues_it(host: Host, days: float) -> None:
    link = host.plane.write_kubelet(days)
    (host.plane.kubelet / "pki" / "kubelet.crt").write_text(pki.issue("cp-1@1").crt)
    conf = (host.plane.kubernetes / "kubelet.conf").read_text()
    checked = host.run(_ansible_check_mode=True, _ansible_diff=True)
    assert (checked["renewed"], host.calls, host.restarts) == (["kubelet-client"], [], [])
    assert [change["before_header"] for change in checked["diff"]] == [str(host.plane.kubernetes / "kubelet.conf")]
    assert checked["diff"][0]["after"] == "kubelet-client: renewed\n"
    done = host.run()
    user = ["--client-name=system:node:cp-1", "--org=system:nodes", "--config=/etc/kubernetes/kubeadm.yaml"]
    assert host.calls == [("kubeconfig", "user", *user)]
    assert (done["changed"], done["renewed"], host.restarts) == (True, ["kubelet-client"], [""])
    assert link.is_symlink()
    assert link.read_text().endswith("-----END CERTIFICATE-----\nNEW KEY\n")
    assert os.stat(link).st_mode & 0o777 == 0o600
    assert (host.plane.kubernetes / "kubelet.conf").read_text() == conf
    assert not host.run()["changed"]
    assert "NEW KEY" not in str(done)


def test_a_certificate_within_the_kubeconfig(host: Host) -> None:
    old = signed("system:node:cp-1", "system:nodes", authority=host.plane.ca, days=-1)
    path = host.plane.kubernetes / "kubelet.conf"
    path.write_text(kubeconfig(old, host.plane.ca.crt, "https://192.0.2.1:6443"))
    assert host.run()["renewed"] == ["kubelet-client"]
    # The address of the API stays as the node has it.
    assert "server: https://192.0.2.1:6443\n" in path.read_text()
    assert not host.run()["changed"]


def test_a_worker_asks_for_it_with_a_token(host: Host) -> None:
    (host.plane.pki / "ca.key").unlink()
    host.plane.write_kubelet(-1)
    (host.plane.kubelet / "pki" / "kubelet.crt").write_text(pki.issue("cp-1@1").crt)
    refused = host.run()
    assert "Nothing was changed: give kubeconfig a token" in refused["msg"]
    assert host.restarts == []
    done = host.run(kubeconfig=BOOTSTRAP)
    assert (done["changed"], host.restarts, host.calls) == (True, [BOOTSTRAP], [])
    assert not host.bootstrap.exists()
    assert "abcdef" not in str(done)
    assert not host.run(kubeconfig=BOOTSTRAP)["changed"]


def test_the_token_goes_also_where_it_did_not_help(host: Host) -> None:
    (host.plane.pki / "ca.key").unlink()
    host.plane.write_kubelet(-1)
    host.renews = False
    assert "has no new certificate" in host.run(kubeconfig=BOOTSTRAP)["msg"]
    assert not host.bootstrap.exists()


def test_on_a_worker_one_that_holds_is_the_kubelets_to_renew(host: Host) -> None:
    (host.plane.pki / "ca.key").unlink()
    host.plane.write_kubelet(10)
    assert "whether its configuration has rotateCertificates" in host.run()["msg"]
    assert (host.restarts, host.bootstrap.exists()) == ([""], False)


def test_what_it_serves_is_made_anew(host: Host) -> None:
    (host.plane.kubelet / "pki" / "kubelet.crt").write_text(pki.issue("cp-1@1", days=-1, since=-365).crt)
    assert host.run(_ansible_check_mode=True)["renewed"] == ["kubelet-serving"]
    done = host.run()
    assert (done["renewed"], host.calls, host.restarts) == (["kubelet-serving"], [], [""])
    assert not host.run()["changed"]


NEXT = pki.issue("kubernetes", key="the next")


def test_on_a_control_plane_what_another_authority_signed_is_renewed(host: Host) -> None:
    link = host.plane.kubelet / "pki" / "kubelet-client-current.pem"
    assert not host.run(authority=host.plane.ca.crt)["changed"]
    host.plane.authorities["ca"] = NEXT
    done = host.run(authority=NEXT.crt)
    assert (done["renewed"], host.restarts, link.is_symlink()) == (["kubelet-client"], [""], True)
    assert not host.run(authority=NEXT.crt)["changed"]


def test_a_worker_asks_anew_where_another_authority_signed(host: Host) -> None:
    (host.plane.pki / "ca.key").unlink()
    host.plane.authorities["ca"] = NEXT
    before = files(host)
    assert "or is of another authority. Nothing was changed: give" in host.run(authority=NEXT.crt)["msg"]
    assert (files(host), host.restarts) == (before, [])
    done = host.run(authority=NEXT.crt, kubeconfig=BOOTSTRAP)
    assert (done["renewed"], host.restarts) == (["kubelet-client"], [BOOTSTRAP])
    assert not host.bootstrap.exists()
    assert files(host) == before
    assert not host.run(authority=NEXT.crt, kubeconfig=BOOTSTRAP)["changed"]


def test_a_worker_that_gets_none_keeps_the_one_that_it_has(host: Host) -> None:
    (host.plane.pki / "ca.key").unlink()
    link = host.plane.kubelet / "pki" / "kubelet-client-current.pem"
    old = link.read_text()
    host.renews = False
    assert "has no new certificate" in host.run(authority=NEXT.crt, kubeconfig=BOOTSTRAP)["msg"]
    assert (link.is_symlink(), link.read_text(), host.bootstrap.exists()) == (True, old, False)
    assert host.restarts == [BOOTSTRAP, ""]
    # As a run leaves it that was killed in between.
    link.rename(f"{link}.before")
    host.renews = True
    host.plane.authorities["ca"] = NEXT
    assert host.run(authority=NEXT.crt, kubeconfig=BOOTSTRAP)["renewed"] == ["kubelet-client"]
    assert not Path(f"{link}.before").is_symlink()


def test_a_serving_certificate_of_another_authority_is_asked_for(host: Host) -> None:
    config = host.plane.kubelet / "config.yaml"
    config.write_text(f"{config.read_text()}serverTLSBootstrap: true\n")
    serving = host.plane.kubelet / "pki" / "kubelet-server-current.pem"
    serving.write_text(signed("system:node:cp-1", "system:nodes", authority=host.plane.ca))
    assert not host.run(authority=host.plane.ca.crt)["changed"]
    host.plane.authorities["ca"] = NEXT
    assert host.run(authority=NEXT.crt)["renewed"] == ["kubelet-client", "kubelet-serving"]
    assert not serving.exists()
