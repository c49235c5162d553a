"""A control plane's certificates in a folder, as kubeadm writes them, made on the spot."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from datetime import timedelta
from pathlib import Path

import pki
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

AUTHORITIES = ("ca", "front-proxy-ca", "etcd/ca")
LEAVES = {
    "apiserver": "ca",
    "apiserver-kubelet-client": "ca",
    "front-proxy-client": "front-proxy-ca",
    "apiserver-etcd-client": "etcd/ca",
    "etcd/server": "etcd/ca",
    "etcd/peer": "etcd/ca",
    "etcd/healthcheck-client": "etcd/ca",
}
KUBECONFIGS = ("admin", "controller-manager", "scheduler")
KEY = pki.new_key("leaf")
MANIFEST = """spec:
  containers:
  - command:
    - {name}
    - --secure-port={port}
    livenessProbe:
      httpGet:
        host: 127.0.0.1
        path: /healthz
        port: {port}
        scheme: HTTPS
"""


def signed(user: str, *groups: str, authority: pki.Pair, days: float = 300, lasts: float = 365) -> str:
    """A client's or server's certificate, PEM."""
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    ends = pki.NOW + timedelta(days=days)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([*names, x509.NameAttribute(NameOID.COMMON_NAME, user)]))
        .issuer_name(authority.certificate.subject)
        .public_key(KEY.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends - timedelta(days=lasts))
        .not_valid_after(ends)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def serial(pem: str) -> str:
    """The serial number of a certificate, as the collection shows it."""
    return f"{x509.load_pem_x509_certificate(pem.encode()).serial_number:x}"


def kubeconfig(certificate: str, authority: str, server: str = "https://192.0.2.1:6443", key: str = "") -> str:
    """A kubeconfig as kubeadm writes it."""

    def data(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    return (
        f"apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {data(authority)}\n"
        f"    server: {server}\n  name: kubernetes\nkind: Config\nusers:\n- name: user\n  user:\n"
        f"    client-certificate-data: {data(certificate)}\n    client-key-data: {data(key or pki.private(KEY))}\n"
    )


class ControlPlane:
    """The folders of a control plane."""

    def __init__(self, root: Path, days: float = 300) -> None:
        """Write them.

        Args:
            root: where /etc/kubernetes and /var/lib/kubelet are.
            days: how long certificates hold from now on.
        """
        self.kubernetes, self.kubelet, self.proc = root / "kubernetes", root / "kubelet", root / "proc"
        self.pki = self.kubernetes / "pki"
        for folder in (self.pki / "etcd", self.kubernetes / "manifests", self.kubelet / "pki", self.proc):
            folder.mkdir(parents=True)
        (self.proc / "self").mkdir()
        self.authorities = {name: pki.issue(name) for name in AUTHORITIES}
        for name, pair in self.authorities.items():
            (self.pki / f"{name}.crt").write_text(pair.crt)
            (self.pki / f"{name}.key").write_text(pair.pem)
        for name in LEAVES:
            self.write_leaf(name, days)
        for name in KUBECONFIGS:
            self.write_kubeconfig(name, days)
        for name in ("kube-apiserver", "etcd"):
            (self.kubernetes / "manifests" / f"{name}.yaml").write_text(MANIFEST.format(name=name, port=1))

    @property
    def ca(self) -> pki.Pair:
        """The cluster's authority."""
        return self.authorities["ca"]

    def write_leaf(self, name: str, days: float = 300) -> str:
        """Issue a certificate; gives its serial number."""
        text = signed(name, authority=self.authorities[LEAVES[name]], days=days)
        (self.pki / f"{name}.crt").write_text(text)
        (self.pki / f"{name}.key").write_text(pki.private(KEY))
        return serial(text)

    def write_kubeconfig(self, name: str, days: float = 300) -> str:
        """Issue a kubeconfig; gives its text."""
        certificate = signed(f"system:{name}", "system:masters", authority=self.ca, days=days)
        text = kubeconfig(certificate, self.ca.crt)
        (self.kubernetes / f"{name}.conf").write_text(text)
        return text

    def write_kubelet(self, days: float = 300) -> Path:
        """A kubelet that renews its certificate; gives the link to that."""
        link = self.kubelet / "pki" / "kubelet-client-current.pem"
        file = self.kubelet / "pki" / "kubelet-client-1.pem"
        file.write_text(signed("system:node:cp-1", "system:nodes", authority=self.ca, days=days) + pki.private(KEY))
        link.unlink(missing_ok=True)
        link.symlink_to(file)
        text = kubeconfig("", self.ca.crt).splitlines()
        named = [f"    client-certificate: {link}", f"    client-key: {link}"]
        (self.kubernetes / "kubelet.conf").write_text("\n".join([*text[:-2], *named, ""]))
        own = pki.issue("cp-1@1", days=days)
        (self.kubelet / "pki" / "kubelet.crt").write_text(own.crt)
        (self.kubelet / "pki" / "kubelet.key").write_text(own.pem)
        (self.kubelet / "config.yaml").write_text("kind: KubeletConfiguration\nport: 1\nrotateCertificates: true\n")
        return link


class Server:
    """Something that speaks TLS on a port, with the certificate that is in a file at each connection."""

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None = None, *, old: bool = False) -> None:
        """Start it.

        Args:
            certificate: its file.
            key: the file of its key.
            client_ca: the authority of clients, without whose certificate nobody gets through.
            old: whether it speaks TLS 1.2 only.
        """
        self.certificate, self.key, self.client_ca, self.old = certificate, key, client_ca, old
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.socket.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _address = self.socket.accept()
            except OSError:
                return
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate, self.key)
            if self.old:
                context.maximum_version = ssl.TLSVersion.TLSv1_2
            if self.client_ca:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(self.client_ca)
            try:
                with context.wrap_socket(connection, server_side=True) as session:
                    session.recv(1)
            except OSError:
                connection.close()

    def close(self) -> None:
        """End it."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
