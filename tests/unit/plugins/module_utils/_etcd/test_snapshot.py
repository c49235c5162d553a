"""The snapshot file format: every way in which a file is not a good snapshot."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd import snapshot
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.snapshot import (
    SnapshotError,
    check_file,
    describe,
)

MakeSnapshot = Callable[..., bytes]
Damage = Callable[[bytes], bytes]


def flip(offset: int) -> Damage:
    return lambda data: data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :]


def sealed(database: bytes) -> bytes:
    return database + hashlib.sha256(database).digest()


FAULTS: list[tuple[str, Damage, str, str]] = [
    ("nothing in it", lambda data: b"", "empty", "is empty"),
    ("text", lambda data: b"hello\n", "not_a_snapshot", "holds no bbolt database"),
    ("text with a right hash", lambda data: sealed(b"x" * 8192), "not_a_snapshot", "holds no bbolt database"),
    ("zeros", lambda data: bytes(20512), "not_a_snapshot", "holds no bbolt database"),
    ("less than a meta page", lambda data: data[:79], "not_a_snapshot", "holds no bbolt database"),
    ("only the first page", lambda data: data[:4096], "truncated", "has 4096 of 20512 bytes"),
    ("cut in a page", lambda data: data[:10000], "truncated", "has 10000 of 20512 bytes"),
    ("cut at a size that a snapshot could have", lambda data: data[: 8192 + 32], "truncated", "has 8224 of 20512"),
    ("one byte short", lambda data: data[:-1], "truncated", "has 20511 of 20512 bytes"),
    ("without its hash", lambda data: data[:-32], "no_hash", "ends in no hash"),
    (
        "a member's db, larger than what is in use",
        lambda data: data[:-32] + bytes(12288),
        "no_hash",
        "member's db file",
    ),
    ("a key's byte", flip(9000), "damaged", "its bytes have SHA-256"),
    ("a byte of the first meta page", flip(40), "damaged", "its bytes have SHA-256"),
    ("a byte of the first magic", flip(16), "damaged", "its bytes have SHA-256"),
    ("a byte of each meta page", lambda data: flip(4096 + 40)(flip(40)(data)), "damaged", "its bytes have SHA-256"),
    ("a byte of the hash", flip(20500), "damaged", "its bytes have SHA-256"),
    ("a newline at the end", lambda data: data + b"\n", "damaged", "has 20513 bytes, 1 more than were saved"),
    ("both meta pages and a cut", lambda data: flip(4136)(flip(40)(data))[:9999], "truncated", "no whole snapshot"),
]


@pytest.mark.parametrize(("damage", "fault", "message"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_faults(make_snapshot: MakeSnapshot, tmp_path: Path, damage: Damage, fault: str, message: str) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(damage(make_snapshot()))

    with pytest.raises(SnapshotError) as caught:
        check_file(str(path))

    assert caught.value.fault == fault
    assert str(caught.value).startswith(f"{path} ")
    assert message in str(caught.value)


@pytest.mark.parametrize("page_size", [1024, 4096, 16384, 65536])
@pytest.mark.parametrize("chunk", [512, 1000, 1024 * 1024])
def test_a_good_file(
    make_snapshot: MakeSnapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page_size: int, chunk: int
) -> None:
    monkeypatch.setattr(snapshot, "CHUNK", chunk)
    data = make_snapshot(pages=7, page_size=page_size)
    path = tmp_path / "a.db"
    path.write_bytes(data)

    content = check_file(str(path))

    assert content.size == 7 * page_size + 32
    assert content.sha256 == content.recorded == data[-32:].hex()
    assert content.file_sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("make", "fault"),
    [(lambda path: None, "missing"), (Path.mkdir, "not_a_snapshot")],
    ids=["missing", "folder"],
)
def test_no_file(tmp_path: Path, make: Callable[[Path], None], fault: str) -> None:
    make(tmp_path / "a.db")

    with pytest.raises(SnapshotError) as caught:
        check_file(str(tmp_path / "a.db"), shown_as="/backups/a.db")

    assert caught.value.fault == fault
    assert str(caught.value).startswith("/backups/a.db ")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(
            {"hash": 3356522230, "revision": 6, "totalKey": 11, "totalSize": 20480},
            (3356522230, 6, 11, "3.5.30"),
            id="3.5",
        ),
        pytest.param(
            {"hash": 1, "revision": 6, "totalKey": 5, "totalSize": 20480, "version": "3.6.0"},
            (1, 6, 5, "3.6.0"),
            id="3.6",
        ),
        pytest.param({"totalSize": 20480, "version": ""}, (0, 0, 0, "3.5.30"), id="fields left out"),
    ],
)
def test_describe(
    make_snapshot: MakeSnapshot, tmp_path: Path, status: dict[str, object], expected: tuple[int, int, int, str]
) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(make_snapshot())

    found = describe(str(path), check_file(str(path)), status, "3.5.30")

    assert (found.hash, found.revision, found.total_keys, found.etcd_version) == expected
    assert found.as_dict()["size"] == 20512


def test_describe_wants_the_tool_to_have_read_the_whole_file(make_snapshot: MakeSnapshot, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(make_snapshot())

    with pytest.raises(SnapshotError, match="a database of 20480 bytes, but snapshot status says 16384") as caught:
        describe(str(path), check_file(str(path)), {"totalSize": 16384})

    assert caught.value.fault == "inconsistent"
