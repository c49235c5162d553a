"""The module kubelet_certificates against a played kubectl and kubelets that are real TLS servers."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import api, certificate_requests
from ansible_collections.groundwork.kubernetes.plugins.modules import kubelet_certificates
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Run = Callable[..., dict[str, Any]]
LIST = (
    "--raw=/apis/certificates.k8s.io/v1/certificatesigningrequests"
    "?fieldSelector=spec.signerName%3Dkubernetes.io/kubelet-serving"
)
KEY = ec.generate_private_key(ec.SECP256R1())
NOW = datetime.datetime.now(datetime.timezone.utc)
PEM = serialization.Encoding.PEM


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject: str, issuer: str, address: str = "", days: int = 30) -> bytes:
    builder = (
        x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer)).public_key(KEY.public_key())
    )
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(NOW - datetime.timedelta(days=1))
    builder = builder.not_valid_after(NOW + datetime.timedelta(days=days))
    extension: Any = x509.BasicConstraints(True, None)
    if address:
        extension = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    return builder.add_extension(extension, critical=not address).sign(KEY, hashes.SHA256()).public_bytes(PEM)


class Kubelet:
    """A TLS server on a port of loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        key = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (folder / "key.pem").write_bytes(KEY.private_bytes(PEM, *key))
        self.issuer, self.address = "self", "127.0.0.1"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _peer = self.socket.accept()
            except OSError:
                return
            (self.folder / "crt.pem").write_bytes(certificate("kubelet", self.issuer, self.address))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.folder / "crt.pem", self.folder / "key.pem")
            try:
                context.wrap_socket(connection, server_side=True).close()
            except OSError:
                connection.close()


class Server:
    """Requests as kubectl lists them; an approval makes the kubelet show another certificate."""

    def __init__(self, kubelet: Kubelet) -> None:
        self.kubelet = kubelet
        self.requests: list[dict[str, Any]] = []
        self.approvals: list[tuple[str, dict[str, Any]]] = []
        self.warnings: list[str] = []
        self.answer = ""
        self.listed = 0

    def add(self, node: str, address: str, request: str) -> None:
        subject = [(NameOID.ORGANIZATION_NAME, "system:nodes"), (NameOID.COMMON_NAME, f"system:node:{node}")]
        names = x509.Name([x509.NameAttribute(oid, text) for oid, text in subject])
        built = x509.CertificateSigningRequestBuilder().subject_name(names)
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        pem = built.add_extension(alternative, critical=False).sign(KEY, hashes.SHA256()).public_bytes(PEM)
        spec = {
            "signerName": "kubernetes.io/kubelet-serving",
            "username": f"system:node:{node}",
            "groups": ["system:nodes"],
            "usages": ["digital signature", "server auth"],
            "request": base64.b64encode(pem).decode(),
        }
        metadata = {"name": request, "uid": f"uid-{request}", "resourceVersion": "7"}
        self.requests.append({"metadata": metadata, "spec": spec, "status": {}})

    def run_command(self, argv: list[str], data: str | None) -> tuple[int, str, str]:
        call = argv[3:]
        if call == ["get", LIST]:
            self.listed += 1
            return 0, json.dumps({"items": self.requests}), ""
        assert call[0] == "replace"
        assert call[2] == "--filename=-"
        if self.answer:
            return 1, "", self.answer
        request = call[1].split("/")[-2]
        body = json.loads(data or "")
        self.approvals.append((request, body))
        next(item for item in self.requests if item["metadata"]["name"] == request)["status"] = body["status"]
        self.kubelet.issuer = "cluster"
        return 0, "", ""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    kubelet = Kubelet(tmp_path)
    played = Server(kubelet)
    (tmp_path / "ca.crt").write_bytes(certificate("cluster", "cluster"))
    (tmp_path / "admin.conf").touch()
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_args, **_options: "/usr/bin/kubectl")
    monkeypatch.setattr(
        AnsibleModule, "run_command", lambda _self, argv, data=None, **_options: played.run_command(argv, data)
    )
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text: played.warnings.append(text))
    monkeypatch.setattr(api, "INTERVAL", 0.01)
    # The played kubelet's address is every host's.
    monkeypatch.setattr(certificate_requests, "is_no_hosts", lambda text: text == "127.0.0.2")
    yield played
    kubelet.socket.close()


def options(server: Server, **more: Any) -> dict[str, Any]:
    folder = server.kubelet.folder
    return {
        "nodes": [{"name": "w1", "addresses": ["127.0.0.1"]}],
        "port": server.kubelet.port,
        "ca": str(folder / "ca.crt"),
        "kubeconfig": str(folder / "admin.conf"),
        **more,
    }


def test_a_known_node_gets_its_certificate(run_module: Run, server: Server) -> None:
    server.add("w1", "127.0.0.1", "csr-1")
    server.add("w9", "127.0.0.1", "csr-2")
    foreseen = run_module(kubelet_certificates, **options(server), _ansible_check_mode=True)
    assert (foreseen["changed"], foreseen["approved"]) == (True, [{"name": "csr-1", "node": "w1"}])
    assert foreseen["nodes"][0]["state"] == "unsigned"
    assert server.approvals == []

    result = run_module(kubelet_certificates, **options(server))
    assert (result["changed"], result["approved"]) == (True, foreseen["approved"])
    ((request, body),) = server.approvals
    assert (request, body["metadata"]["uid"], body["metadata"]["resourceVersion"]) == ("csr-1", "uid-csr-1", "7")
    (node,) = result["nodes"]
    assert (node["name"], node["state"]) == ("w1", "signed")
    assert abs(node["expires"] - NOW.timestamp() - 30 * 86400) < 5
    assert [(item["name"], item["username"]) for item in result["left"]] == [("csr-2", "system:node:w9")]
    assert "csr-2 is left pending: 'system:node:w9', who asks for it, is no node" in server.warnings[-1]

    listed = server.listed
    for check in (True, False):
        again = run_module(kubelet_certificates, **options(server), _ansible_check_mode=check)
        assert (again["changed"], again["approved"]) == (False, [])
    assert server.listed == listed + 2


def test_a_foreign_address_is_not_approved_and_said(run_module: Run, server: Server) -> None:
    server.add("w1", "192.0.2.99", "csr-1")
    result = run_module(kubelet_certificates, **options(server, timeout=1))
    assert result["failed"]
    assert server.approvals == []
    assert "w1: its request is not approved, because '192.0.2.99' is not known to belong to w1" in result["msg"]
    assert result["left"][0]["name"] == "csr-1"


@pytest.mark.parametrize(
    ("issuer", "address"), [("self", "127.0.0.1"), ("cluster", "192.0.2.1")], ids=["self-signed", "other-address"]
)
def test_a_kubelet_that_does_not_ask(run_module: Run, server: Server, issuer: str, address: str) -> None:
    server.kubelet.issuer, server.kubelet.address = issuer, address
    result = run_module(kubelet_certificates, **options(server, timeout=1))
    assert "w1: it has not asked for a certificate (" in result["msg"]
    once = run_module(kubelet_certificates, **options(server, timeout=0))
    assert "failed" not in once
    assert once["nodes"][0]["state"] == "unsigned"


def test_a_node_that_is_down_is_not_waited_for(
    run_module: Run, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubelet_certificates, "RESTART_TIME", 0.05)
    server.kubelet.socket.close()
    result = run_module(kubelet_certificates, **options(server, timeout=60))
    assert "failed" not in result
    assert result["nodes"][0]["state"] == "unreachable"
    assert "The kubelet of w1 cannot be reached" in server.warnings[-1]


def test_who_was_faster_is_no_error(run_module: Run, server: Server) -> None:
    server.add("w1", "127.0.0.1", "csr-1")
    server.kubelet.issuer = "cluster"
    server.answer = "Error from server (Conflict): the object has been modified"
    result = run_module(kubelet_certificates, **options(server))
    assert (result["changed"], result["approved"]) == (False, [])
    server.answer = "Error from server (Forbidden): no"
    assert "(Forbidden)" in run_module(kubelet_certificates, **options(server, timeout=0))["msg"]


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([{"name": "a", "addresses": []}], "node a has no addresses"),
        ([{"name": "a", "addresses": ["192.0.2.1"]}] * 2, "nodes names a more than once"),
        ([{"name": "a", "addresses": ["192.0.2.1", "127.0.0.2"]}], "127.0.0.2 of node a is no single host's"),
        ([{"name": "a", "addresses": ["10.96.0.1"]}], "10.96.0.1 of node a is reserved"),
    ],
)
def test_bad_options(run_module: Run, server: Server, nodes: list[dict[str, Any]], message: str) -> None:
    server.add("a", "10.96.0.1", "csr-1")
    assert message in run_module(kubelet_certificates, **options(server, nodes=nodes, reserved=["10.96.0.0/12"]))["msg"]
    assert server.approvals == []


@pytest.mark.parametrize("missing", ["admin.conf", "ca.crt"])
def test_host_without_a_cluster(run_module: Run, server: Server, missing: str) -> None:
    (server.kubelet.folder / missing).unlink()
    assert run_module(kubelet_certificates, **options(server), _ansible_check_mode=True)["changed"]
    assert "run this task on a control plane" in run_module(kubelet_certificates, **options(server))["msg"]
