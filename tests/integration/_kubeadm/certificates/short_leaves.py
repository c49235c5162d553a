"""Signs kubeadm's certificates and kubeconfigs anew, so that they end when a test wants; their keys stay.

python short_leaves.py FOLDER DAYS does so below /etc/kubernetes of a host that was copied to FOLDER.
"""

from __future__ import annotations

import base64
import datetime
import re
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

AUTHORITIES = {"front-proxy-client": "front-proxy-ca", "apiserver-etcd-client": "etcd/ca"}
DATA = re.compile(r"(client-certificate-data: )(\S+)")


def shortened(pem: bytes, folder: Path, authority: str, days: float) -> bytes:
    """The certificate with another end and serial number."""
    old = x509.load_pem_x509_certificate(pem)
    issuer = x509.load_pem_x509_certificate((folder / f"{authority}.crt").read_bytes())
    key = serialization.load_pem_private_key((folder / f"{authority}.key").read_bytes(), None)
    ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    builder = x509.CertificateBuilder().subject_name(old.subject).issuer_name(issuer.subject)
    builder = builder.public_key(old.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(ends - datetime.timedelta(days=365)).not_valid_after(ends)
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)  # type: ignore[arg-type]


def shorten(folder: Path, days: float) -> None:
    """Give all that kubeadm renews in a folder so many days from now on."""
    pki = folder / "pki"
    for path in [*pki.glob("*.crt"), *pki.glob("etcd/*.crt")]:
        name = str(path.relative_to(pki))[: -len(".crt")]
        if name.endswith("ca"):
            continue
        authority = "etcd/ca" if name.startswith("etcd/") else AUTHORITIES.get(name, "ca")
        path.write_bytes(shortened(path.read_bytes(), pki, authority, days))
    for name in ("admin", "controller-manager", "scheduler"):
        path = folder / f"{name}.conf"

        def replaced(found: re.Match[str]) -> str:
            new = shortened(base64.b64decode(found[2]), pki, "ca", days)
            return found[1] + base64.b64encode(new).decode()

        path.write_text(DATA.sub(replaced, path.read_text()))


if __name__ == "__main__":
    shorten(Path(sys.argv[1]), float(sys.argv[2]))
