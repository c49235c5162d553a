"""What of certificates and keys leaves a host: real files, never a private key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import public_keys
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.public_keys import PkiError
from ansible_collections.groundwork.kubernetes.tests.unit.plugins.pki import issue

CA = issue("ca")


def test_files(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("subject=CN = ca\n" + CA.crt)
    (tmp_path / "ca.key").write_text(CA.pem)
    (tmp_path / "sa.pub").write_text(CA.pub)
    (tmp_path / "notes.txt").write_text("no PKI")
    (tmp_path / "folder.crt").mkdir()
    (tmp_path / "ca.key").chmod(0o600)
    (tmp_path / "ca.crt").chmod(0o644)
    facts = public_keys.read_folders([str(tmp_path), str(tmp_path / "missing")], lambda path: CA.pub)
    assert [Path(fact["path"]).name for fact in facts] == ["ca.crt", "ca.key", "sa.pub"]
    certificate, key, public = facts
    assert (certificate["certificates"], certificate["mode"]) == (CA.crt, "0644")
    assert (key["public_keys"], key["mode"]) == ([public_keys.key_hash(CA.pub)], "0600")
    assert public["public_keys"] == key["public_keys"]
    assert {fact["error"] for fact in facts} == {""}


def test_a_private_key_beside_a_certificate_stays_on_the_host(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text(CA.pem + CA.crt)
    (tmp_path / "ca.key").write_text(CA.pem)
    facts = json.dumps(public_keys.read_folders([str(tmp_path)], None))
    assert "BEGIN CERTIFICATE" in facts
    assert "PRIVATE" not in facts
    assert not any(line in facts for line in CA.pem.splitlines()[1:-1])


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("a.crt", "", "it is empty"),
        ("a.crt", "text", "it holds no PEM block CERTIFICATE"),
        ("a.crt", CA.pem, "it holds no PEM block CERTIFICATE"),
        ("a.key", CA.crt, "it holds no PEM block PRIVATE KEY"),
        ("a.key", CA.pem, "openssl says no"),
        ("a.pub", CA.pub.replace("\n", "!\n", 2), "it holds no PEM block PUBLIC KEY"),
        ("a.pub", CA.pub.replace("M", "!"), "it holds no readable public key"),
    ],
)
def test_damaged(tmp_path: Path, name: str, content: str, error: str) -> None:
    def refuse(_path: str) -> str:
        raise PkiError("openssl says no")

    (tmp_path / name).write_text(content)
    (fact,) = public_keys.read_folders([str(tmp_path)], refuse)
    assert fact["error"] == error
    assert (fact["certificates"], fact["public_keys"]) == ("", [])


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "a.crt").symlink_to(tmp_path / "gone")
    (fact,) = public_keys.read_folders([str(tmp_path)], None)
    assert fact["error"] == "No such file or directory"


def test_keys_are_not_read_without_openssl(tmp_path: Path) -> None:
    (tmp_path / "a.key").write_text(CA.pem)
    (fact,) = public_keys.read_folders([str(tmp_path)], None)
    assert (fact["public_keys"], fact["error"]) == ([], "")
