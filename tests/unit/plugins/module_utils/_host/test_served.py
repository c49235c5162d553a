"""Which certificate a port shows, and by which authority it is good."""

from __future__ import annotations

import sys
from pathlib import Path

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.certificate import (
    certificates,
    parse_certificate,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.served import is_shown_by, served_certificate

sys.path.insert(0, str(Path(__file__).parents[2]))

import pki
from control_plane_files import Server


def test_by_which_authority_it_is_good(tmp_path: Path) -> None:
    """Two authorities of one name, as in a rotation."""
    old, new = pki.issue("kubernetes"), pki.issue("kubernetes", key="the next")
    leaf = pki.issue("kube-apiserver", new)
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    certificate.write_text(leaf.crt)
    key.write_text(leaf.pem)
    server = Server(certificate, key)
    try:
        port = server.port
        assert is_shown_by("127.0.0.1", port, new.crt)
        assert not is_shown_by("127.0.0.1", port, old.crt)
        assert is_shown_by("127.0.0.1", port, old.crt + new.crt)
        assert not is_shown_by("127.0.0.1", port, "no certificate")
        authorities = [parse_certificate(certificates(one.crt.encode())[0]) for one in (old, new)]
        assert served_certificate("127.0.0.1", port).issuer_key == authorities[1].key_id != authorities[0].key_id
    finally:
        server.close()
    assert not is_shown_by("127.0.0.1", port, new.crt)
