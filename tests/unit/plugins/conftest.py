"""What tests of different folders share."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable

import pytest

MakeSnapshot = Callable[..., bytes]


def _fnv1a(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return value


def _meta_page(page_size: int, number: int, pages: int, transaction: int) -> bytes:
    """A meta page as bbolt writes it: magic, version, page size, flags, root and sequence, freelist, pages, txid."""
    meta = struct.pack("<4I5Q", 0xED0CDAED, 2, page_size, 0, 2, 0, 2**64 - 1, pages, transaction)
    page = struct.pack("<QHHI", number, 4, 0, 0) + meta + struct.pack("<Q", _fnv1a(meta))
    return page.ljust(page_size, b"\0")


@pytest.fixture
def make_snapshot() -> MakeSnapshot:
    """make_snapshot(pages=5, page_size=4096): the bytes of a snapshot that has a true frame and filler for data."""

    def make(pages: int = 5, page_size: int = 4096, filler: bytes = b"k") -> bytes:
        database = _meta_page(page_size, 0, pages, 9) + _meta_page(page_size, 1, pages, 8)
        database += filler * (page_size * (pages - 2))
        return database + hashlib.sha256(database).digest()

    return make
