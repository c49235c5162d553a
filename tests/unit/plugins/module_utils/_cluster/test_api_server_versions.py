"""Asking API servers for their versions: real TLS, played servers."""

from __future__ import annotations

import http.server
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import api_server_versions
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Certificate = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def issue(name: str, issuer: Certificate | None = None, address: str = "") -> Certificate:
    """An authority, or what one issues: with an address for a server."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(timezone.utc)
    builder = (
        x509.CertificateBuilder(
            subject_name=subject, public_key=key.public_key(), serial_number=x509.random_serial_number()
        )
        .issuer_name(issuer[0].subject if issuer else subject)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if address:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


def pem(certificate: Certificate, *, key: bool = False) -> bytes:
    text = certificate[0].public_bytes(serialization.Encoding.PEM)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return text + (certificate[1].private_bytes(*form) if key else b"")


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as an API server does, to nodes alone where it is strict."""

    def do_GET(self) -> None:
        server: Any = self.server
        connection: Any = self.connection
        known = connection.getpeercert() or not server.strict
        body = server.body if known else b"{}"
        self.send_response(200 if known and self.path == "/version" else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Silent."""


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    authority = issue("ca")
    (tmp_path / "ca.crt").write_bytes(pem(authority))
    (tmp_path / "server.pem").write_bytes(pem(issue("api", authority, "127.0.0.1"), key=True))
    (tmp_path / "client.pem").write_bytes(pem(issue("system:node:w1", authority), key=True))
    (tmp_path / "other.crt").write_bytes(pem(issue("other")))
    return tmp_path


@contextmanager
def api_server(pki: Path, body: bytes, strict: bool = False) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "server.pem")
    context.load_verify_locations(pki / "ca.crt")
    context.verify_mode = ssl.CERT_OPTIONAL
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.body, server.strict = body, strict  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


VERSION = json.dumps({"major": "1", "minor": "36", "gitVersion": "v1.36.5"}).encode()


def asked(server: str, pki: Path, authority: str = "ca.crt", client: str = "client.pem") -> dict[str, Any]:
    (found,) = api_server_versions.ask_all([server, server], 5, str(pki / authority), str(pki / client))
    assert found.pop("server") == server
    return found


@pytest.mark.parametrize("strict", [False, True])
def test_a_version(pki: Path, strict: bool) -> None:
    with api_server(pki, VERSION, strict) as server:
        assert asked(server, pki) == {"version": "1.36.5", "error": ""}


def test_a_host_without_a_certificate_of_its_own(pki: Path) -> None:
    with api_server(pki, VERSION) as server:
        assert asked(server, pki, client="none.pem") == {"version": "1.36.5", "error": ""}
    with api_server(pki, VERSION, strict=True) as server:
        assert asked(server, pki, client="none.pem") == {"version": "", "error": "it answers 401 Unauthorized"}


def test_the_server_of_another_cluster_is_not_believed(pki: Path) -> None:
    with api_server(pki, VERSION) as server:
        found = asked(server, pki, authority="other.crt")
        assert found["version"] == ""
        assert found["error"].startswith("it is not trusted: ")
        assert asked(server, pki, authority="none.crt")["error"] == f"there is no {pki / 'none.crt'} to trust it by"


@pytest.mark.parametrize("body", [b"", b"ok", b"[]", b"{}", b'{"gitVersion": "v1.36.5"'])
def test_no_version(pki: Path, body: bytes) -> None:
    with api_server(pki, body) as server:
        found = asked(server, pki)
        assert found["version"] == ""
        assert found["error"]


def test_nobody_answers(pki: Path) -> None:
    assert asked("127.0.0.1:1", pki) == {"version": "", "error": "Connection refused"}
    assert asked("no-port", pki)["error"]
    assert api_server_versions.ask_all([], 5) == []
