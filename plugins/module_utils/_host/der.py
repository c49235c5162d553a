# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads DER (X.690): what certificates and requests for them are written in.

Hosts need neither openssl nor a library of Python for it, and Python's own ssl has only a private function. The reader
is narrow: what it does not expect, is an error.
"""

from __future__ import annotations

from typing import Iterator, List, Tuple

SEQUENCE, SET, INTEGER, BOOLEAN, OID, OCTETS = 0x30, 0x31, 0x02, 0x01, 0x06, 0x04
TEXTS = {0x0C: "utf-8", 0x13: "ascii", 0x16: "ascii"}
# Of distinguished names (RFC 5280, appendix A).
COMMON_NAME, ORGANIZATION = "2.5.4.3", "2.5.4.10"


class DerError(ValueError):
    """Data that is not what was expected."""


class Reader:
    """Reads values of DER, one after the other."""

    def __init__(self, data: bytes) -> None:
        """Nothing is read yet."""
        self.data, self.at = data, 0

    def __bool__(self) -> bool:
        """Whether there is more."""
        return self.at < len(self.data)

    def _take(self, count: int) -> bytes:
        taken = self.data[self.at : self.at + count]
        if len(taken) != count:
            raise DerError("it ends early")
        self.at += count
        return taken

    def any(self) -> Tuple[int, bytes]:
        """The next value, with its tag."""
        tag, length = self._take(2)
        if length >= 0x80:
            size = length - 0x80
            if not 1 <= size <= 3:
                raise DerError("it has a length that is none")
            length = int.from_bytes(self._take(size), "big")
        return tag, self._take(length)

    def value(self, wanted: int) -> bytes:
        """The next value, which must have this tag."""
        tag, data = self.any()
        if tag != wanted:
            raise DerError(f"it has the tag {tag:#04x} where {wanted:#04x} belongs")
        return data

    def follows(self, tag: int) -> bool:
        """Whether the next value has this tag."""
        return self.data[self.at : self.at + 1] == bytes([tag])

    def inner(self, wanted: int) -> Reader:
        """A reader of what is inside the next value."""
        return Reader(self.value(wanted))

    def each(self, wanted: int) -> Iterator[Reader]:
        """Readers of what is inside each value up to the end."""
        while self:
            yield self.inner(wanted)

    def end(self) -> None:
        """Nothing must follow."""
        if self:
            raise DerError("it goes on where it should end")


def oid(data: bytes) -> str:
    """An object identifier, with dots."""
    if not data or data[-1] >= 0x80:
        raise DerError("it has an identifier that is none")
    numbers, number = [], 0
    for byte in data:
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, [first, numbers[0] - 40 * first, *numbers[1:]]))


def decoded(data: bytes, encoding: str) -> str:
    """A text."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise DerError("it has a text that is none") from None


def read_name(reader: Reader) -> List[Tuple[str, str]]:
    """A distinguished name: each attribute's identifier and text."""
    found = []
    for names in reader.each(SET):
        for pair in names.each(SEQUENCE):
            kind = oid(pair.value(OID))
            tag, data = pair.any()
            pair.end()
            if tag not in TEXTS:
                raise DerError("its subject has a text of an unusual kind")
            found.append((kind, decoded(data, TEXTS[tag])))
    return found
