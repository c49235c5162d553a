"""A small OIDC provider on loopback: its description, its keys, and the tokens that it signs."""

from __future__ import annotations

import base64
import datetime
import http.server
import ipaddress
import json
import ssl
import threading
import time
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from real_etcd import free_port

DESCRIPTION, KEYS = "/.well-known/openid-configuration", "/keys"


def encoded(data: bytes) -> str:
    """Bytes as JSON Web Tokens have them."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    """A number as JSON Web Keys have it."""
    return encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class Issuer:
    """The provider; start it before an API server is told of it."""

    def __init__(self, folder: Path) -> None:
        """Make its keys and its certificate, which is its own authority."""
        self.folder = folder
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.authority = folder / "issuer.crt"
        self._write_certificate()

    def start(self) -> None:
        """Answer from now on."""
        numbers = self.key.public_key().public_numbers()
        key = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one", "n": number(numbers.n), "e": number(numbers.e)}
        answers = {
            DESCRIPTION: {
                "issuer": self.url,
                "jwks_uri": self.url + KEYS,
                "authorization_endpoint": f"{self.url}/login",
                "token_endpoint": f"{self.url}/token",
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            },
            KEYS: {"keys": [key]},
        }

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(answers.get(self.path, {})).encode()
                self.send_response(200 if self.path in answers else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority, self.folder / "issuer.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Answer no longer."""
        self.server.shutdown()
        self.server.server_close()

    def configuration(self, **issuer: Any) -> dict[str, Any]:
        """What control_plane_authentication_configuration has of it, as docs/users.md; further fields of the issuer."""
        known = {"url": self.url, "audiences": ["kubernetes"], "certificateAuthority": self.authority.read_text()}
        mappings = {
            "username": {"claim": "email", "prefix": ""},
            "groups": {"claim": "groups", "prefix": "oidc:"},
        }
        return {"jwt": [{"issuer": {**known, **issuer}, "claimMappings": mappings}]}

    def token(self, **claims: Any) -> str:
        """A token with these claims beside the usual ones; those that are None are left out."""
        now = int(time.time())
        usual = {"iss": self.url, "aud": "kubernetes", "sub": "1", "iat": now, "exp": now + 600}
        all_claims = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        parts = [{"alg": "RS256", "kid": "one", "typ": "JWT"}, all_claims]
        text = ".".join(encoded(json.dumps(part).encode()) for part in parts)
        signature = self.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{text}.{encoded(signature)}"

    def _write_certificate(self) -> None:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")])
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self.key.public_key())
        builder = builder.serial_number(1).not_valid_before(now - datetime.timedelta(hours=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        self.authority.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (self.folder / "issuer.key").write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
