"""Fingerprints of OpenPGP keys: of one that is known, as gpg tells them, and of files that are made to deceive."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.openpgp import (
    BEGIN,
    END,
    KeyFileError,
    fingerprints,
    normalize,
)

# A key of gpg's (ed25519, made for this test) and what gpg --show-keys says of it.
KEY = """\
-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawj4ZhYJKwYBBAHaRw8BAQdAdz0Rz3DgXkhz+nKNd4NeHGnjf5ik5H7Z3E18
eGlyoui0EGdyb3VuZHdvcmstdGVzdHOIkAQTFggAOBYhBIZ01A25/dLovTnFHtxB
cnU3aMhvBQJrCPhmAhsDBQsJCAcCBhUKCQgLAgQWAgMBAh4BAheAAAoJENxBcnU3
aMhvhLYBALgIK4iN9/9Mk/haDDRT/EcrV2vFeqWNUq+1SjLgvDkCAP9S1wP0zVn+
I6NOyWWMe1xWBHtHZnSXLvkw0cmWLNJJAQ==
=EtWV
-----END PGP PUBLIC KEY BLOCK-----
"""
FINGERPRINT = "8674D40DB9FDD2E8BD39C51EDC4172753768C86F"
BODY = base64.b64decode("".join(KEY.splitlines()[2:-2]))


def armor(data: bytes, head: str = "") -> str:
    """A block with that content."""
    return f"{BEGIN}\n{head}\n{base64.encodebytes(data).decode()}{END}\n"


def packet(tag: int, body: bytes, form: str = "new") -> bytes:
    """A packet with a length of one of the forms."""
    if form == "old":
        return bytes([0x80 | tag << 2 | 1]) + len(body).to_bytes(2, "big") + body
    if form == "long":
        return bytes([0xC0 | tag, 255]) + len(body).to_bytes(4, "big") + body
    return bytes([0xC0 | tag, len(body)]) + body


V4, V6 = b"\x04" + b"k" * 40, b"\x06" + b"k" * 40


def test_a_key_of_gpg() -> None:
    assert fingerprints(KEY) == [FINGERPRINT]
    assert fingerprints(armor(BODY, "Version: GnuPG v2\nComment: one\n")) == [FINGERPRINT]
    assert fingerprints(armor(BODY + BODY)) == [FINGERPRINT] * 2


@pytest.mark.parametrize("kind", ["rsa2048", "ed25519"])
def test_it_says_what_gpg_says(tmp_path: Path, kind: str) -> None:
    if not shutil.which("gpg"):
        pytest.skip("gpg is not installed")
    gpg = ["gpg", "--homedir", str(tmp_path), "--batch", "--quiet"]
    tmp_path.chmod(0o700)
    for name in ("one", "two"):
        make = ["--passphrase", "", "--quick-generate-key", name, kind, "sign", "never"]
        subprocess.run([*gpg, *make], check=True, capture_output=True)
    run = subprocess.run([*gpg, "--armor", "--export"], check=True, capture_output=True, text=True)
    shown = subprocess.run(
        [*gpg, "--with-colons", "--list-keys"], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    reported = [line.split(":")[9] for line in shown if line.startswith("fpr:")]
    assert fingerprints(run.stdout) == reported
    assert len(reported) == 2
    subprocess.run(["gpgconf", "--homedir", str(tmp_path), "--kill", "all"], check=False, capture_output=True)


def test_forms_of_packets() -> None:
    found = {fingerprints(armor(packet(6, V4, form)))[0] for form in ("new", "old", "long")}
    assert {len(fingerprint) for fingerprint in found} == {40}
    assert len(found) == 1
    assert [len(fingerprint) for fingerprint in fingerprints(armor(packet(6, V6)))] == [64]
    long = packet(6, b"\x04" + b"k" * 300, "old")
    assert fingerprints(armor(bytes([0xC6, 192, 109]) + long[3:])) == fingerprints(armor(long))


DECEIVING = {
    "two blocks": (KEY + KEY, "base64"),
    "text before": ("hello\n" + KEY, "does not begin with"),
    "text after": (KEY + "hello\n", "does not begin with"),
    "nothing": ("", "does not begin with"),
    "an empty block": (armor(b""), "holds no key"),
    "no blank line": (f"{BEGIN}\n{base64.b64encode(BODY).decode()}\n{END}\n", "no blank line"),
    "no base64": (f"{BEGIN}\n\n!!!!\n{END}\n", "no base64"),
    "a compressed packet, in which gpg looks for keys": (armor(BODY + packet(8, b"x")), "type 8 belongs to no"),
    "a secret key": (armor(packet(5, V4)), "type 5 belongs to no"),
    "a user's name first": (armor(packet(13, b"x") + BODY), "type 13 belongs to no"),
    "cut off": (armor(BODY[:-5]), "cut off"),
    "a packet in parts": (armor(packet(6, V4) + bytes([0xC2, 0xE1, 0, 0])), "comes in parts"),
    "a packet without a length": (armor(packet(6, V4) + bytes([0x80 | 2 << 2 | 3, 0])), "no length"),
    "no packet": (armor(packet(6, V4) + b"\x00"), "no packet at byte"),
    "an old version": (armor(packet(6, b"\x03" + b"k" * 40)), "version 3 has no fingerprint"),
    "an empty key": (armor(packet(6, b"")), "version 0 has no fingerprint"),
}


@pytest.mark.parametrize(("text", "message"), DECEIVING.values(), ids=DECEIVING.keys())
def test_files_that_deceive(text: str, message: str) -> None:
    with pytest.raises(KeyFileError, match=message):
        fingerprints(text)


def test_normalize() -> None:
    assert normalize("de15 b144 86cd 377b 9e87  6e1a 2346 54da 9a29 6436") == "DE15B14486CD377B9E876E1A234654DA9A296436"
    for wrong in ("", "234654DA9A296436", "X" * 40):
        with pytest.raises(KeyFileError, match="is no fingerprint of 40 or 64"):
            normalize(wrong)
