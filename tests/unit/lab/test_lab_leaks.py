"""The search for secrets: what it takes for one, in which forms it finds it, and what it leaves alone."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))

from lab.leaks import Leaks, Secret, public_in, search, secrets_in  # noqa: E402  it is no part of the collection
from lab.settings import Settings  # noqa: E402

LINES = [
    "MIIEowIBAAKCAQEAu1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gun",
    "VTLw7onLRnrq0/IzW7yWR7QkrmBL7jTKEn5u",
    "short==",
]
PEM = "-----BEGIN {0}PRIVATE KEY-----\n{1}\n-----END {0}PRIVATE KEY-----\n"
RSA = PEM.format("RSA ", "\n".join(LINES))
TOKEN = "abcdef." + "0123456789abcdef"
AT_REST = "MDEyMzQ1Njc4OWFiY2RlZg=="
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJlLW9mLXRva2Vu"


@pytest.mark.parametrize(
    ("text", "kinds", "values"),
    [
        (RSA, {"private key"}, LINES[:2]),
        (RSA.replace("\n", "\\n"), {"private key"}, LINES[:2]),
        (PEM.format("EC ", "\n".join(LINES)), {"private key"}, LINES[:1]),
        (PEM.format("OPENSSH ", "\n".join(LINES)), {"private key"}, LINES[1:2]),
        (f"    - name: k\n      secret: {AT_REST}\n", {"key of encryption at rest"}, [AT_REST]),
        ("pass = obscured-by-rclone\n", {"password of a copy"}, ["obscured-by-rclone"]),
        ("secret: short\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", set(), []),
    ],
)
def test_what_is_a_secret(text: str, kinds: set[str], values: list[str]) -> None:
    found = list(secrets_in(text, "file"))
    assert {secret.kind for secret in found} == kinds
    assert [secret.value for secret in found] == values


def test_a_kubeconfig_has_its_key_in_two_forms() -> None:
    data = base64.b64encode(RSA.encode()).decode()
    found = list(secrets_in(f"users:\n- user:\n    client-key-data: {data}\n", "admin.conf"))
    assert {secret.value for secret in found if secret.kind == "private key"} == set(LINES[:2])
    assert "".join(secret.value for secret in found if secret.kind == "key of a kubeconfig") in data


SECRET = Secret("private key", LINES[0], "ca.key")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"plain {LINES[0]}", "private key of ca.key"),
        (json.dumps({"content": f"x\n{LINES[0]}\n"}), "private key of ca.key"),
        (base64.b64encode(f"{LINES[0]}".encode()).decode(), "private key of ca.key"),
        (base64.b64encode(f"1{LINES[0]}2".encode()).decode(), "private key of ca.key"),
        (base64.b64encode(f"12{LINES[0]}1".encode()).decode(), "private key of ca.key"),
        (base64.b64encode(b"a -----END PRIVATE KEY-----\n").decode(), "private key of a key"),
        ("-----BEGIN RSA PRIVATE KEY-----", "private key"),
        (f"--token {TOKEN}", "bootstrap token"),
        (f"token: '{TOKEN}'", "bootstrap token"),
        (json.dumps({"certificate_key": "ab" * 32}), "key of uploaded certificates"),
        ("certificateKey: " + "ab" * 32, "key of uploaded certificates"),
        (f"bearer {JWT}", "token of a service account"),
        ("AGE-SECRET-KEY-1QQ", "private key"),
    ],
)
def test_where_it_is_found(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "log").write_text(f"first line\n{text}\n")
    where = list(search([SECRET], tmp_path / "log"))
    assert f"line 2: {found}" in where
    assert not any(LINES[0] in line or TOKEN in line for line in where)


@pytest.mark.parametrize(
    "text",
    [
        "sha256:" + "ab" * 32,
        "checkm.0000000000000000",
        "certificate_key: " + "0" * 64,
        "pod/web-abcdef.0123456789abcdef",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH",
        "the private key is in ca.key",
    ],
)
def test_what_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "log").write_text(text)
    assert list(search([SECRET], tmp_path / "log")) == []


def test_public_halves() -> None:
    certificate = f"-----BEGIN CERTIFICATE-----\n{LINES[0]}\n{LINES[1]}\n-----END CERTIFICATE-----\n"
    assert public_in(certificate) == [LINES[0] + LINES[1]]
    assert public_in("ssh-ed25519 AAAAC3Nz lab\n") == ["AAAAC3Nz"]
    assert public_in(RSA) == []


def test_hosts_without_a_password_are_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(cache=tmp_path, remembered={}, given={})
    settings.state.mkdir(parents=True)
    leaks = Leaks(settings)
    searched: list[str] = []
    monkeypatch.setattr(leaks, "_journals", lambda: iter(searched.append("journals") or []))
    monkeypatch.setattr(leaks, "_files", lambda _folders: [])
    with pytest.raises(RuntimeError, match="lab up --user ops"):
        leaks.report([])
    (settings.state / "sudo_password").write_text("a password of sudo")
    assert leaks.report([]) == [
        f"the hosts have no {kind}: the search would say nothing" for kind in ("private key", "key of a kubeconfig")
    ]
    assert searched == []
