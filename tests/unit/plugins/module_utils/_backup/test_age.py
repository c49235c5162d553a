"""age files: what their header and size tell, and what stands beside them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.age import (
    Age,
    EncryptionError,
    describe_sealed,
    lacking,
    read_description,
    read_sealed,
    read_sealed_archive,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.errors import BackupError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import (
    EtcdState,
    Manifest,
    Part,
    Proof,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.staging import NoSpaceError

HEADER = b"age-encryption.org/v1\n-> X25519 abc\nbody\n-> ssh-ed25519 W0KD2Q def\nbody\n--- mac\n"
MANIFEST = Manifest(
    "test", "cp-1", "2026-11-22T12:00:00Z", "1.36.5", EtcdState("3.5.30", "", 6, 11, sample_sha256="x"),
    Proof("restore", passed=True), [Part("files/etc/kubernetes/pki/ca.key", 5, "secret hash")],
)  # fmt: skip
RECIPIENTS = ["age1abc", "ssh-ed25519 AAAA"]


def sealed_size(header: int, plain: int) -> int:
    """Bytes of an age file: a nonce of 16 follows the header, and a tag of 16 each 64 KiB (https://age-encryption.org/v1)."""
    return header + 16 + plain + 16 * max(-(-plain // 65536), 1)


def age_file(plain: int, header: bytes = HEADER) -> bytes:
    """The frame of an age file with so many bytes of content."""
    return header + b"\x00" * (sealed_size(len(header), plain) - len(header))


@pytest.mark.parametrize(
    ("plain", "size"),
    # Sizes that age 1.1.1 wrote with a header of 278 bytes.
    [(0, 278 + 32), (1, 278 + 33), (65536, 278 + 32 + 65536), (65537, 278 + 48 + 65537), (200000, 200358)],
)
def test_the_size_tells_how_much_is_inside(tmp_path: Path, plain: int, size: int) -> None:
    assert sealed_size(278, plain) == size
    path = tmp_path / "x"
    path.write_bytes(age_file(plain))
    found = read_sealed(str(path))
    assert (found.plain_size, found.size, found.stanzas) == (plain, path.stat().st_size, ("X25519", "ssh-ed25519"))
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("content", "fault"),
    [(b"", "empty"), (b"PK", "not_an_archive"), (HEADER[:40], "truncated"), (HEADER[:-1], "truncated")],
)
def test_what_is_no_age_file(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(BackupError) as error:
        read_sealed(str(path))
    assert error.value.fault == fault
    with pytest.raises(BackupError, match="does not exist"):
        read_sealed(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("stanzas", "recipients", "fault"),
    [
        (["X25519"], ["age1a"], ""),
        (["X25519", "x-grease"], ["age1a"], ""),
        (["X25519"], ["age1a", "age1b"], "is encrypted for 1 of 2 recipients"),
        (["X25519", "X25519"], ["age1a", "ssh-ed25519 A"], "is encrypted for 0 of 1 keys of type ssh-ed25519"),
        (["ssh-rsa", "yubikey"], ["ssh-rsa A", "age1yubikey1q"], ""),
    ],
)
def test_whether_all_recipients_can_read_it(stanzas: list[str], recipients: list[str], fault: str) -> None:
    assert lacking(stanzas, recipients) == fault


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "test-20261122T120000Z.tar.age"
    path.write_bytes(age_file(5000))
    Path(f"{path}.json").write_bytes(describe_sealed(str(path), read_sealed(str(path)), RECIPIENTS, MANIFEST))
    return path


def test_what_stands_beside_an_archive_holds_no_secrets(archive: Path) -> None:
    text = Path(f"{archive}.json").read_text()
    assert "secret" not in text
    assert "ca.key" not in text
    found = read_description(str(archive))
    assert (found.archive, found.plain_size, found.recipients) == (archive.name, 5000, RECIPIENTS)
    assert (found.manifest.host, found.manifest.parts, found.manifest.etcd.sample_sha256) == ("cp-1", [], "")
    assert read_sealed_archive(str(archive), "test").etcd.revision == 6


def change(**values: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda data: {**data, **values}


@pytest.mark.parametrize(
    ("alter", "fault"),
    [
        (lambda data: [], "unknown_format"),
        (change(format=2), "unknown_format"),
        (change(size="5"), "manifest"),
        (change(unknown=1), "manifest"),
        (change(manifest={}), "unknown_format"),
        (lambda data: {key: data[key] for key in data if key != "manifest"}, "manifest"),
        (lambda data: {key: data[key] for key in data if key != "sha256"}, "manifest"),
        (change(size=1), "damaged"),
        (change(size=10**6), "truncated"),
        (change(sha256="0" * 64), "damaged"),
    ],
)
def test_a_description_that_cannot_be_trusted(archive: Path, alter: Any, fault: str) -> None:
    beside = Path(f"{archive}.json")
    beside.write_text(json.dumps(alter(json.loads(beside.read_text()))))
    with pytest.raises(BackupError) as error:
        read_sealed_archive(str(archive))
    assert error.value.fault == fault


def test_other_faults_of_an_encrypted_archive(archive: Path) -> None:
    def fault(cluster: str = "", quick: bool = False) -> str:
        with pytest.raises(BackupError) as error:
            read_sealed_archive(str(archive), cluster, quick)
        return error.value.fault

    assert fault("other") == "wrong_cluster"
    content = archive.read_bytes()
    archive.write_bytes(content[:-1] + b"!")
    assert fault() == "damaged"
    assert read_sealed_archive(str(archive), quick=True).cluster == "test"
    archive.write_bytes(b"")
    assert fault(quick=True) == "empty"
    Path(f"{archive}.json").write_text("{")
    assert fault() == "manifest"
    Path(f"{archive}.json").unlink()
    assert fault() == "no_manifest"
    archive.unlink()
    assert fault() == "missing"


class Program:
    """An age that is played."""

    def __init__(self, content: bytes = b"", answer: tuple[int, Any, Any] = (0, "", ""), there: bool = True) -> None:
        self.content, self.answer, self.there = content, answer, there
        self.asked: list[list[str]] = []

    def get_bin_path(self, name: str, opt_dirs: list[str]) -> str | None:
        return f"/usr/bin/{name}" if self.there else None

    def run_command(self, command: list[str], **_options: Any) -> tuple[int, Any, Any]:
        self.asked.append(command)
        if "--output" in command:
            Path(command[command.index("--output") + 1]).write_bytes(self.content)
        return self.answer


def test_encrypting(tmp_path: Path) -> None:
    plain, target = tmp_path / "plain", tmp_path / "sealed"
    plain.write_bytes(b"x" * 7000)
    program = Program(age_file(7000))
    assert Age(program).encrypt(str(plain), str(target), RECIPIENTS).plain_size == 7000  # type: ignore[arg-type]
    assert program.asked == [
        ["/usr/bin/age", "--encrypt", "--recipient", RECIPIENTS[0], "--recipient", RECIPIENTS[1],
         "--output", str(target), str(plain)],
    ]  # fmt: skip
    assert os.stat(target).st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (Program(age_file(6999)), "holds 6999 of 7000 bytes"),
        (Program(b"x"), "cannot be read back"),
        (Program(age_file(7000, HEADER.replace(b"ssh-ed25519", b"X25519"))), "0 of 1 keys of type ssh-ed25519"),
        (Program(answer=(1, "", "age: error: no\n")), "age failed with exit code 1: age: error: no"),
        (Program(there=False), "age is not installed"),
    ],
)
def test_encryption_that_went_wrong(tmp_path: Path, program: Program, message: str) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"x" * 7000)
    with pytest.raises(EncryptionError, match=message):
        Age(program).encrypt(str(plain), str(tmp_path / "sealed"), RECIPIENTS)  # type: ignore[arg-type]


def test_a_full_disk_is_told_from_other_faults(tmp_path: Path) -> None:
    program = Program(answer=(1, "", "age: error: write /x: no space left on device\n"))
    with pytest.raises(NoSpaceError):
        Age(program).encrypt(str(tmp_path / "plain"), str(tmp_path / "sealed"), RECIPIENTS)  # type: ignore[arg-type]


def test_recipients_are_tried_before_anything_is_made() -> None:
    refusing = Program(answer=(1, b"", b'age: error: unknown recipient type: "x"\n'))
    [fault] = Age(refusing).faults(["x"])  # type: ignore[arg-type]
    assert fault == "encrypt_to: 'x' is refused: age: error: unknown recipient type: \"x\""
    assert refusing.asked == [["/usr/bin/age", "--encrypt", "--recipient", "x"]]
    assert "not installed" in Age(Program(there=False)).faults(["x"])[0]  # type: ignore[arg-type]


ARMORED = "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n"


class Pipe:
    """The module, whose age gets a text and gives one."""

    def __init__(self, rc: int = 0, out: str = ARMORED, there: bool = True) -> None:
        self.answer, self.there = (rc, out, "age: error: unknown recipient"), there
        self.given: list[Any] = []

    def get_bin_path(self, name: str, **_more: Any) -> str | None:
        return f"/usr/bin/{name}" if self.there else None

    def run_command(self, command: list[str], data: str, **more: Any) -> tuple[int, str, str]:
        self.given = [command, data, more]
        return self.answer


def test_a_text_goes_through_pipes_alone() -> None:
    pipe = Pipe()
    assert Age(pipe).seal("key", RECIPIENTS) == ARMORED  # type: ignore[arg-type]
    command = ["/usr/bin/age", "--encrypt", "--armor", "--recipient", "age1abc", "--recipient", "ssh-ed25519 AAAA"]
    assert pipe.given == [command, "key", {"binary_data": False, "expand_user_and_vars": False}]


@pytest.mark.parametrize("pipe", [Pipe(rc=1), Pipe(out=""), Pipe(out="key"), Pipe(out=ARMORED[:40]), Pipe(there=False)])
def test_what_is_not_encrypted_is_not_given(pipe: Pipe) -> None:
    with pytest.raises(EncryptionError) as caught:
        Age(pipe).seal("key", RECIPIENTS)  # type: ignore[arg-type]
    assert "key" not in str(caught.value)
