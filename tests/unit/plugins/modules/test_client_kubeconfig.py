"""client_kubeconfig with a stand-in for kubeadm: when it issues, what it refuses, and that it leaves no key behind."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import kubeadm as kubeadm_utils
from ansible_collections.groundwork.kubernetes.plugins.modules import client_kubeconfig
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

sys.path.insert(0, str(Path(__file__).parents[1]))

import pki

Run = Callable[..., dict[str, Any]]
CA, OTHER_CA = pki.issue("kubernetes", ca=True), pki.issue("other", ca=True)
SERVER = "https://192.0.2.10:6443"
DAY = pki.timedelta(days=1)


def client(user: str = "kube-vip", groups: tuple[str, ...] = (), left: float = 300, lasts: float = 365) -> str:
    """A client certificate that ends in so many days."""
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    names.append(x509.NameAttribute(NameOID.COMMON_NAME, user))
    ends = pki.NOW + left * DAY
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(names))
        .issuer_name(CA.certificate.subject)
        .public_key(pki.new_key("client").public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends - lasts * DAY)
        .not_valid_after(ends)
        .sign(CA.key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def kubeconfig(certificate: str = "", authority: str = CA.crt, server: str = SERVER) -> str:
    def data(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    return (
        f"apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {data(authority)}\n"
        f"    server: {server}\n  name: kubernetes\nkind: Config\nusers:\n- name: kube-vip\n  user:\n"
        f"    client-certificate-data: {data(certificate or client())}\n    client-key-data: {data('PRIVATE')}\n"
    )


class Host:
    """A control plane in a folder."""

    def __init__(self, folder: Path, run_module: Run) -> None:
        self.folder, self.run_module = folder, run_module
        self.calls: list[tuple[str, ...]] = []
        self.issues, self.fails = kubeconfig(), 0
        self.path = folder / "kube-vip.conf"
        (folder / "admin.conf").write_text(kubeconfig(client("kubernetes-admin")))
        (folder / "ca.crt").write_text(CA.crt)

    def kubeadm(self, *arguments: str) -> str:
        self.calls.append(arguments)
        if len(self.calls) <= self.fails:
            raise kubeadm_utils.KubeadmError('kubeadm failed: unknown command "kubeconfig" for "kubeadm"')
        return self.issues

    def run(self, **more: Any) -> dict[str, Any]:
        files = {"path": self.path, "reference": self.folder / "admin.conf", "authority": self.folder / "ca.crt"}
        options = {**{name: str(path) for name, path in files.items()}, "user": "kube-vip", **more}
        return self.run_module(client_kubeconfig, **options)


@pytest.fixture
def host(tmp_path: Path, run_module: Run, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path, run_module)

    class Kubeadm:
        def __init__(self, _module: object, _timeout: int) -> None:
            self.run = made.kubeadm

    monkeypatch.setattr(client_kubeconfig, "Kubeadm", Kubeadm)
    # The tests need not run as root.
    monkeypatch.setattr(client_kubeconfig, "ATTRIBUTES", client_kubeconfig.Attributes(0o600))
    return made


def test_it_is_issued_once(host: Host) -> None:
    checked = host.run(_ansible_check_mode=True)
    assert (checked["changed"], checked["fingerprint"], checked["found"]) == (True, "new", "")
    assert (host.path.exists(), host.calls) == (False, [])
    issued = host.run()
    assert host.calls == [("kubeconfig", "user", "--client-name=kube-vip", "--config=/etc/kubernetes/kubeadm.yaml")]
    assert (issued["changed"], issued["found"], issued["reason"]) == (True, "", "it is not there or cannot be read")
    assert (host.path.read_text(), host.path.stat().st_mode & 0o777) == (host.issues, 0o600)
    for check in (True, False):
        again = host.run(_ansible_check_mode=check, _ansible_diff=True)
        assert (again["changed"], again["found"], again["fingerprint"]) == (False, *[issued["fingerprint"]] * 2)
    assert len(host.calls) == 1
    assert "PRIVATE" not in str(issued) + str(again)
    assert base64.b64encode(b"PRIVATE").decode() not in str(issued) + str(again)


def test_a_wider_mode_is_taken_back(host: Host) -> None:
    host.run()
    host.path.chmod(0o644)
    assert host.run(_ansible_check_mode=True)["changed"]
    assert host.path.stat().st_mode & 0o777 == 0o644
    assert host.run()["changed"]
    assert (host.path.stat().st_mode & 0o777, len(host.calls)) == (0o600, 1)
    assert not host.run()["changed"]


def test_a_warning_that_kubeadm_prints_before_it_is_no_part_of_it(host: Host) -> None:
    expected = host.issues
    host.issues = (
        "[endpoint] WARNING: port specified in controlPlaneEndpoint overrides bindPort in the controlplane address\n"
        + expected
    )
    assert host.run()["changed"]
    assert host.path.read_text() == expected


def test_up_to_1_20_the_command_is_below_alpha(host: Host) -> None:
    host.fails = 1
    assert host.run()["changed"]
    assert [call[:2] for call in host.calls] == [("kubeconfig", "user"), ("alpha", "kubeconfig")]


@pytest.mark.parametrize(
    ("before", "reason", "usable"),
    [
        (kubeconfig(client(left=122)), "", True),
        (kubeconfig(client(left=121)), "less than a third", True),
        (kubeconfig(client(left=20, lasts=30)), "", True),
        (kubeconfig(client(left=-1)), "less than a third", False),
        (kubeconfig(client("somebody")), "not that of kube-vip alone", True),
        (kubeconfig(client(groups=("system:masters",))), "not that of kube-vip alone", True),
        (kubeconfig(server="https://192.0.2.11:6443"), f"and not to {SERVER}", True),
        (kubeconfig(authority=OTHER_CA.crt), "authority is another one", False),
        (kubeconfig(authority=OTHER_CA.crt + CA.crt), "", True),
        ("", "cannot be read", False),
        (kubeconfig("nothing"), "cannot be read", False),
        (kubeconfig().replace("client-key-data", "client-key"), "cannot be read", False),
        (kubeconfig().replace("client-certificate-data: ", "client-certificate-data: !"), "cannot be read", False),
        (kubeconfig().replace(f"server: {SERVER}", "servers: []"), "cannot be read", False),
    ],
)
def test_when_it_is_issued_anew(host: Host, before: str, reason: str, usable: bool) -> None:
    host.path.write_text(before)
    host.path.chmod(0o600)
    result = host.run(_ansible_check_mode=True)
    assert (reason in result["reason"], result["changed"]) == (True, bool(reason))
    assert bool(result["found"]) is usable
    assert host.run()["changed"] is bool(reason)
    assert host.path.read_text() == (host.issues if reason else before)


def test_what_does_not_fit_is_not_written(host: Host) -> None:
    host.issues = kubeconfig(client(groups=("system:masters",)))
    failed = host.run()
    assert "does not fit: it is not that of kube-vip alone" in failed["msg"]
    assert not host.path.exists()


def test_no_control_plane(host: Host) -> None:
    (host.folder / "ca.crt").unlink()
    assert "run this on a control plane" in host.run()["msg"]
    assert host.run(_ansible_check_mode=True)["fingerprint"] == "new"
