"""The module kubelet_certificates on a real API server and a real signer; the requests are made as nodes make them.

GROUNDWORK_KUBERNETES_DIR names the folder with Kubernetes' programs, GROUNDWORK_ETCD_DIR the one with etcd.
"""

# ruff: noqa: D103

from __future__ import annotations

import base64
import contextlib
import datetime
import ipaddress
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "_kubeadm" / "encryption"))

from cluster import KUBERNETES, ApiServer, Cluster, missing, play

MANAGER = KUBERNETES / "kube-controller-manager"


def own_address() -> str:
    """An address of this machine that is no other's; loopback is every host's, and refused."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("198.51.100.1", 9))
        return str(probe.getsockname()[0])
    return ""


OWN = own_address()
LACKING = missing() or ("" if MANAGER.is_file() else f"there is no {MANAGER}")
LACKING = LACKING or ("" if OWN else "this machine has no address but loopback")
pytestmark = pytest.mark.skipif(bool(LACKING), reason=LACKING or "all is there")
SERVING = "kubernetes.io/kubelet-serving"
KEY = ec.generate_private_key(ec.SECP256R1())
PEM = serialization.Encoding.PEM
SERVICES, ENDPOINT = "10.96.0.0/12", "198.51.100.10"
NODES = [
    {"name": "w1", "addresses": [OWN, "2001:db8::1"], "names": ["w1.example.com"]},
    {"name": "w2", "addresses": ["198.51.100.2"]},
]


def subject(*pairs: tuple[Any, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, text) for oid, text in pairs])


def private_key() -> bytes:
    return KEY.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def write_authority(folder: Path) -> None:
    name, now = subject((NameOID.COMMON_NAME, "kubernetes")), datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(KEY.public_key())
    builder = builder.serial_number(1).not_valid_before(now - datetime.timedelta(hours=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=365))
    builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
    (folder / "ca.crt").write_bytes(builder.sign(KEY, hashes.SHA256()).public_bytes(PEM))
    (folder / "ca.key").write_bytes(private_key())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server, and a controller manager that only signs."""
    folder = tmp_path_factory.mktemp("cluster")
    cluster = Cluster(folder, ["cp-1"])
    made = cluster.servers["cp-1"]
    write_authority(folder)
    manager = None
    try:
        made.restart({})
        command = [
            str(MANAGER), f"--kubeconfig={made.kubeconfig}", "--controllers=csrsigning", "--leader-elect=false",
            f"--cluster-signing-cert-file={folder}/ca.crt", f"--cluster-signing-key-file={folder}/ca.key",
            "--secure-port=0", "--port=0",
        ]  # fmt: skip
        with (folder / "manager.log").open("wb") as log:
            manager = subprocess.Popen(command, stdout=log, stderr=log)
        yield made
    finally:
        if manager:
            manager.terminate()
            manager.wait(timeout=30)
        cluster.stop()


def general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def request(
    server: ApiServer,
    name: str,
    *names: str,
    user: str = "system:node:w1",
    subject_user: str = "",
    signer: str = SERVING,
    usages: tuple[str, ...] = ("digital signature", "key encipherment", "server auth"),
) -> None:
    """Make a request as this user, whose name and groups the API server writes into it."""
    pairs = (NameOID.ORGANIZATION_NAME, "system:nodes"), (NameOID.COMMON_NAME, subject_user or user)
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject(*pairs))
    general = [general_name(text) for text in names]
    if general:
        builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
    pem = builder.sign(KEY, hashes.SHA256()).public_bytes(PEM)
    item = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {"signerName": signer, "usages": list(usages), "request": base64.b64encode(pem).decode()},
    }
    who = [f"--as={user}", "--as-group=system:nodes", "--as-group=system:authenticated"]
    if not user.startswith("system:node:"):
        who = []
    server.kubectl(*who, "create", "--filename=-", "--validate=false", stdin=json.dumps(item))


def status(server: ApiServer, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(server.kubectl("get", "csr", name, "--output=json").stdout)
    return found.get("status") or {}


def run(server: ApiServer, check: bool = False, **options: Any) -> dict[str, Any]:
    shared = server.folder.parent
    given = {"nodes": NODES, "kubeconfig": str(server.kubeconfig), "ca": f"{shared}/ca.crt", "timeout": 0, **options}
    task = {"name": "it", "check_mode": check, "groundwork.kubernetes.kubelet_certificates": given}
    result: dict[str, Any] = play(shared, {"tasks": [task]}, ["cp-1"], {})["plays"][0]["tasks"][0]["hosts"]["cp-1"]
    return result


GOOD = {
    "good": {"names": ["w1", OWN]},
    "good-all": {"names": ["w1", "w1.example.com", OWN, "2001:db8::1"]},
    # Newer kubelets ask like this; this signer does not know it yet.
    "good-new": {"names": ["w1"], "usages": ("digital signature", "server auth")},
    "good-w2": {"names": ["w2", "198.51.100.2"], "user": "system:node:w2"},
}
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "foreign-name": ({"names": ["w1", "kubernetes.default"]}, "'kubernetes.default' is not known to belong to w1"),
    "foreign-address": ({"names": ["w1", "198.51.100.2"]}, "'198.51.100.2' is not known to belong to w1"),
    "loopback": ({"names": ["w1", "127.0.0.1"]}, "'127.0.0.1' is not known to belong to w1"),
    "service": ({"names": ["w1", "10.96.0.1"]}, "'10.96.0.1' is not known to belong to w1"),
    "endpoint": ({"names": ["w1", ENDPOINT]}, f"'{ENDPOINT}' is not known to belong to w1"),
    "unknown-node": ({"names": ["w9"], "user": "system:node:w9"}, "'system:node:w9', who asks for it, is no node"),
    "other-subject": (
        {"names": ["w1"], "subject_user": "system:node:w2"},
        "its common name is 'system:node:w2' and not",
    ),
    "no-address": ({"names": []}, "it names no address"),
    "not-a-node": ({"names": ["w1"], "user": "admin", "subject_user": "system:node:w1"}, "'admin', who asks for it"),
    "more-usages": (
        {"names": ["w1"], "usages": ("digital signature", "server auth", "client auth")},
        "it is for 'digital signature', 'server auth', 'client auth'",
    ),
}


def test_only_what_is_known_is_approved(server: ApiServer) -> None:
    for name, made in {**GOOD, **{name: made for name, (made, _said) in BAD.items()}}.items():
        options = dict(made)
        request(server, name, *options.pop("names"), **options)  # type: ignore[arg-type]
    client = {"usages": ("digital signature", "key encipherment", "client auth")}
    request(server, "client", signer="kubernetes.io/kube-apiserver-client-kubelet", **client)

    foreseen = run(server, check=True)
    assert {item["name"] for item in foreseen["approved"]} == set(GOOD)
    assert not any(status(server, name) for name in (*GOOD, *BAD))

    result = run(server)
    assert result["changed"]
    assert {item["name"]: item["node"] for item in result["approved"]} == {
        name: "w2" if name == "good-w2" else "w1" for name in GOOD
    }
    reasons = {item["name"]: " ".join(item["reasons"]) for item in result["left"]}
    assert set(reasons) == set(BAD)
    for name, (_made, message) in BAD.items():
        assert message in reasons[name]
        assert status(server, name) == {}
    assert status(server, "client") == {}
    for name in GOOD:
        condition = status(server, name)["conditions"][0]
        assert (condition["type"], condition["reason"]) == ("Approved", "KnownNode")

    again = run(server)
    assert (again["changed"], again["approved"], {item["name"] for item in again["left"]}) == (False, [], set(BAD))


@pytest.mark.parametrize("address", ["127.0.0.1", "10.96.0.1", ENDPOINT, "198.51.100.2"])
def test_what_is_no_single_nodes_is_refused_for_any(server: ApiServer, address: str) -> None:
    name = f"shared-{address.replace('.', '-')}"
    request(server, name, "w1", address)
    nodes = [{"name": "w1", "addresses": [OWN, address]}, NODES[1]]
    result = run(server, nodes=nodes, reserved=[SERVICES, ENDPOINT])
    assert result["failed"]
    assert address in result["msg"]
    assert status(server, name) == {}
    server.kubectl("delete", "csr", name)


def test_what_was_decided_on_is_left_as_it_is(server: ApiServer) -> None:
    request(server, "denied", "w1")
    server.kubectl("certificate", "deny", "denied")
    assert not run(server)["changed"]
    assert [condition["type"] for condition in status(server, "denied")["conditions"]] == ["Denied"]


def test_the_certificate_that_was_signed_is_shown_by_the_kubelet(server: ApiServer) -> None:
    """From a request that is made while the module waits, to a kubelet that shows what the signer made of it."""
    shared = server.folder.parent
    shown = shared / "serving.pem"
    # Until it has a certificate that the cluster has signed, it shows one that is of no use.
    shown.write_bytes((shared / "ca.crt").read_bytes() + private_key())
    listener = socket.create_server((OWN, 0))

    def ask() -> None:
        time.sleep(3)
        request(server, "waiting", "w1", OWN)
        while not (certificate := status(server, "waiting").get("certificate")):
            time.sleep(0.5)
        shown.write_bytes(base64.b64decode(certificate) + private_key())

    def greet(connection: socket.socket) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(shown)
        with contextlib.suppress(OSError):
            context.wrap_socket(connection, server_side=True).close()
        connection.close()

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                greet(listener.accept()[0])

    for work in (ask, serve):
        threading.Thread(target=work, daemon=True).start()
    result = run(server, nodes=NODES[:1], timeout=120, port=listener.getsockname()[1])
    listener.close()
    assert not result.get("failed"), result
    assert [item["name"] for item in result["approved"]] == ["waiting"]
    (node,) = result["nodes"]
    assert node["state"] == "signed"
    assert node["expires"] > time.time() + 300 * 86400
