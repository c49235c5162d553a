"""Signatures of archives, by a real ssh-keygen: what is good, and what an attacker might try."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup import signature as signature_utils
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive import examine, write_archive
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.copies import file_sha256
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.errors import BackupError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import (
    EtcdState,
    Manifest,
    Proof,
    manifest_sha256,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import (
    LIMIT,
    MARK,
    Signature,
    Signer,
    SigningError,
    distrust,
    fingerprint,
    public_part,
    require_signer,
    signer_faults,
    state_statement,
)

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen of OpenSSH")
UID, OTHER = "1f0c6a52-7f3e-4f0e-9a53-0d5f3f6a2b11", "2ab4c9d0-11aa-4bbb-8ccc-d0d1d2d3d4d5"
NAME = "test-20261122T120000Z-1f0c6a52.tar"
MANIFEST = Manifest(
    "test", "cp-1", "2026-11-22T12:00:00Z", "1.36.5", EtcdState("3.5.30", "", 6, 11), Proof("restore", passed=True),
    cluster_uid=UID,
)  # fmt: skip


def run(command: list[str], data: bytes) -> tuple[int, str, str]:
    done = subprocess.run(command, check=False, input=data, capture_output=True)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


SIGNER = Signer(shutil.which("ssh-keygen"), run)
Make = Callable[..., Path]


@pytest.fixture
def key(tmp_path: Path) -> str:
    path = str(tmp_path / "keys" / "ours")
    SIGNER.make_key(path, "cp-1")
    return path


@pytest.fixture
def make(tmp_path: Path, key: str, make_snapshot: Callable[..., bytes]) -> Make:
    """Makes a signed archive."""

    def build(name: str = NAME, manifest: Manifest = MANIFEST, key: str = key) -> Path:
        database, path = tmp_path / "db", tmp_path / name
        database.write_bytes(make_snapshot())
        path.unlink(missing_ok=True)
        whole = write_archive(str(path), manifest, str(database), [], [("/etc/kubernetes/pki/ca.key", b"secret")])
        sign(path, whole, key)
        return path

    return build


def sign(path: Path, manifest: Manifest, key: str, **more: str) -> None:
    made = state_statement(str(path), manifest, path.stat().st_size, file_sha256(str(path)), manifest_sha256(manifest))
    beside(path).write_bytes(SIGNER.sign(replace(made, **more), key))


def beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.sig")


def look(path: Path) -> Signature:
    found = examine(str(path))
    return SIGNER.examine(str(path), found.manifest, found.sha256)


def test_a_key_is_made_once_and_stays(key: str) -> None:
    public = SIGNER.public_key(key)
    assert public.endswith(" cp-1")
    assert os.stat(key).st_mode & 0o777 == 0o600
    assert os.listdir(os.path.dirname(key)) == ["ours"]
    SIGNER.make_key(key, "cp-2")
    assert SIGNER.public_key(key) == public
    assert subprocess.run(["ssh-keygen", "-lf", key], check=True, capture_output=True, text=True).stdout.split()[
        1
    ] == fingerprint(public)


def test_what_a_killed_run_left_of_a_key_goes(key: str) -> None:
    os.unlink(key)
    for end in (".draft", ".draft.pub"):
        Path(key + end).write_text("half")
    SIGNER.make_key(key, "cp-1")
    assert os.listdir(os.path.dirname(key)) == ["ours"]


def test_a_good_one(make: Make, key: str) -> None:
    path = make()
    found = look(path)
    assert (found.state, found.key) == ("good", public_part(SIGNER.public_key(key)))
    assert SIGNER.examine(str(path), sha256=file_sha256(str(path))) == found
    unread = SIGNER.examine(str(path), MANIFEST, examine(str(path), quick=True).sha256, whole=False)
    assert (unread.state, unread.key) == ("unread", found.key)
    assert distrust(unread.as_dict(), [found.key]) == "has a signature, but its bytes were not read"
    printed = json.loads(beside(path).read_bytes().partition(MARK)[0])
    assert (printed["archive"], printed["cluster"], printed["cluster_uid"], printed["host"]) == (
        NAME,
        "test",
        UID,
        "cp-1",
    )


def test_it_holds_for_what_was_decrypted(make: Make) -> None:
    path = make()
    sealed = path.with_name(f"{NAME}.age")
    sealed.write_bytes(b"sealed")
    sign(sealed, examine(str(path)).manifest, str(path.parent / "keys" / "ours"))
    shutil.copy(beside(sealed), beside(path))
    assert look(path).state == "good"
    assert SIGNER.examine(str(sealed), sha256=file_sha256(str(sealed))).state == "good"
    sealed.write_bytes(b"another")
    assert "was signed" in SIGNER.examine(str(sealed), sha256=file_sha256(str(sealed))).message


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_keys_of_other_kinds(make: Make, tmp_path: Path, kind: str) -> None:
    other = str(tmp_path / kind)
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", other], check=True)
    assert distrust(look(make(key=other)).as_dict(), [SIGNER.public_key(other)]) == ""


def other_content(path: Path, make: Make) -> None:
    kept = beside(path).read_bytes()
    make(manifest=replace(MANIFEST, host="evil"))
    beside(path).write_bytes(kept)


def renamed(path: Path, make: Make) -> None:
    """An older archive takes the place of the newest."""
    old = make("test-20260101T000000Z-1f0c6a52.tar")
    old.replace(path)
    beside(old).replace(beside(path))


def other_cluster(path: Path, make: Make) -> None:
    """The same key signs for two clusters of one name, and somebody exchanges the archives."""
    make(manifest=replace(MANIFEST, cluster_uid=OTHER))
    sign(path, examine(str(path)).manifest, str(path.parent / "keys" / "ours"), cluster_uid=UID)


def statement_changed(path: Path, make: Make) -> None:
    """Another archive's hash is written into the statement."""
    good = look(path)
    assert good.state == "good"
    old = examine(str(path)).sha256.encode()
    text = beside(path).read_bytes()
    kept = text
    make(manifest=replace(MANIFEST, host="evil"))
    beside(path).write_bytes(kept.replace(old, examine(str(path)).sha256.encode()))


def other_namespace(path: Path, make: Make) -> None:
    """A signature that the key made for something else."""
    text = beside(path).read_bytes().partition(MARK)[0]
    command = ["ssh-keygen", "-Y", "sign", "-f", str(path.parent / "keys" / "ours"), "-n", "file"]
    beside(path).write_bytes(text + subprocess.run(command, check=True, input=text, capture_output=True).stdout)


WRONG: dict[str, tuple[Callable[[Path, Make], None], str]] = {
    "other content": (other_content, "has another manifest than the archive that was signed"),
    "an older one": (renamed, "has the signature of another archive, test-20260101T000000Z-1f0c6a52.tar"),
    "another cluster's": (other_cluster, f"has the signature of another cluster, test {UID}"),
    "another statement": (statement_changed, "has a signature that is not right: ssh-keygen says"),
    "for another purpose": (other_namespace, "has a signature that is not right: ssh-keygen says"),
    "nothing": (lambda path, make: beside(path).write_bytes(b""), "that cannot be understood"),
    "noise": (lambda path, make: beside(path).write_bytes(b"{}" + MARK + os.urandom(99)), "cannot be understood"),
    "no statement": (
        lambda path, make: beside(path).write_bytes(MARK + beside(path).read_bytes().partition(MARK)[2]),
        "cannot be understood",
    ),
    "huge": (lambda path, make: beside(path).write_bytes(b" " * (LIMIT + 1)), "cannot be understood"),
}


@pytest.mark.parametrize("case", WRONG)
def test_signatures_that_do_not_belong_to_the_archive(make: Make, key: str, case: str) -> None:
    change, message = WRONG[case]
    path = make()
    change(path, make)
    found = look(path)
    assert (found.state, found.key) == ("wrong", "")
    assert message in found.message
    options = {"trusted_signers": [SIGNER.public_key(key)], "allow_unverified": True}
    with pytest.raises(BackupError, match="do not trust it") as caught:
        require_signer(str(path), found, options)
    assert caught.value.fault == "signature"


def test_unsigned_and_by_others(make: Make, key: str, tmp_path: Path) -> None:
    trusted = [SIGNER.public_key(key)]
    theirs = str(tmp_path / "keys" / "theirs")
    SIGNER.make_key(theirs, "cp-1")
    by_others = make(key=theirs)
    found = look(by_others)
    assert (found.state, found.key) == ("good", public_part(SIGNER.public_key(theirs)))
    expected = f"is signed by the key {fingerprint(found.key)}, which is not among those that are trusted"
    assert distrust(found.as_dict(), trusted) == expected
    beside(by_others).unlink()
    unsigned = look(by_others)
    unread = Signer(None, run).examine(str(make()), sha256="0")
    for signature, message in ((found, expected), (unsigned, "is not signed"), (unread, "ssh-keygen, which")):
        with pytest.raises(BackupError, match=re.escape(message)) as caught:
            require_signer("x.tar", signature, {"trusted_signers": trusted, "allow_unverified": False})
        assert caught.value.fault == "unverified"
        require_signer("x.tar", signature, {"trusted_signers": trusted, "allow_unverified": True})


def test_several_keys_are_trusted_while_they_change(make: Make, key: str, tmp_path: Path) -> None:
    new = str(tmp_path / "keys" / "new")
    SIGNER.make_key(new, "cp-1")
    trusted = [SIGNER.public_key(path) for path in (key, new)]
    assert [distrust(look(make(key=path)).as_dict(), trusted) for path in (key, new)] == ["", ""]


def test_a_signature_that_cannot_be_read(make: Make) -> None:
    path = make()
    beside(path).unlink()
    beside(path).mkdir()
    assert look(path).state == "unknown"


def test_keys_that_cannot_sign(tmp_path: Path) -> None:
    locked = str(tmp_path / "locked")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "words", "-f", locked], check=True)
    with pytest.raises(SigningError, match="It must not have a passphrase"):
        SIGNER.public_key(locked)
    with pytest.raises(SigningError, match="ssh-keygen is not installed"):
        Signer(None, run).public_key(locked)
    for answer in ((1, "", "no\n"), (0, "nonsense", "")):
        broken = Signer("x", lambda command, data, answer=answer: answer)  # type: ignore[misc]
        with pytest.raises(SigningError):
            broken.sign(state_statement("x.tar", MANIFEST, 1, "", ""), locked)
    with pytest.raises(SigningError, match="cannot be made"):
        Signer("x", lambda command, data: (1, "", "no")).make_key(str(tmp_path / "none"), "")


@pytest.mark.parametrize(
    "line", ["", "ssh-ed25519", "ssh-ed25519 !", "ssh-ed25519 AAAA", "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIA==", "x y z"]
)
def test_what_is_no_public_key(line: str) -> None:
    assert (public_part(line), fingerprint(line), len(signer_faults([line]))) == ("", "", 1)


def test_a_signature_of_nothing_is_refused() -> None:
    statement = state_statement("x.tar", MANIFEST, 1, "a", "b")
    assert signature_utils.mismatch(statement, "x.tar", None, "", "") == "has neither a manifest nor a hash to compare"
    assert signature_utils.read_statement(b'{"format": 1}') is None
