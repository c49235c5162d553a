# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields of a program's configuration by its minor version, and what of a configuration is none of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Optional

from ansible.module_utils.common.yaml import yaml_load
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import did_you_mean
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.field_types import FieldTypes, WrongType

Minor = tuple[int, int]
# What stands in a path for any name, as of a container runtime.
ANY = "*"


class UnknownField(NamedTuple):
    """Something that is no field: where it is, below the top, and what to do."""

    place: str
    why: str


def _minor(text: str) -> Minor:
    major, minor = text.split(".")
    return int(major), int(minor)


class FieldList:
    """The fields that a file lists: those that each minor version brought, and those that are gone.

    What is below a field that is not listed as a parent itself is free.

    Args:
        path: the file, with C(newest), C(fields) by version and parent, C(gone), and C(types) where they are judged.
        program: what the versions are of.
    """

    def __init__(self, path: Path, program: str) -> None:
        data = yaml_load(path.read_text(encoding="utf-8"))
        self.program, self.newest = program, _minor(data["newest"])
        self.gone = {field: _minor(minor) for field, minor in data["gone"].items()}
        self.since: dict[str, Minor] = {}
        for minor, parents in data["fields"].items():
            for parent, names in parents.items():
                for name in names:
                    self.since.setdefault(f"{parent}.{name}", _minor(minor))
        self.parents = {field.rpartition(".")[0] for field in self.since}
        self.types = FieldTypes(data.get("types") or {}, self.since.__contains__, self.parents)

    def unknown(self, path: str, value: Any, minor: Optional[Minor]) -> Iterator[UnknownField]:
        """What is no field.

        Args:
            path: where the value is, from the top on.
            value: the configuration, or a part of it.
            minor: the program's; None where it is not known, and any version's fields count.
        """
        if isinstance(value, (list, tuple)):
            for item in value:
                yield from self.unknown(path, item, minor)
        elif isinstance(value, Mapping) and path in self.parents:
            for name, inner in value.items():
                below = f"{path}.{name}"
                if below in self.since:
                    outside = list(self._out_of_range(below, minor))
                    yield from outside or self.unknown(below, inner, minor)
                else:
                    yield self._no_field(path, str(name), minor)
        elif isinstance(value, Mapping) and f"{path}.{ANY}" in self.parents:
            for inner in value.values():
                yield from self.unknown(f"{path}.{ANY}", inner, minor)

    def wrong_types(self, kind: str, content: Mapping[str, Any]) -> Iterator[WrongType]:
        """The values that have another type than their field."""
        return self.types.wrong(kind, content)

    def _out_of_range(self, path: str, minor: Optional[Minor]) -> Iterator[UnknownField]:
        since, gone = self.since[path], self.gone.get(path)
        if minor and minor < since:
            why = f"is not supported before {self.program} {since[0]}.{since[1]}; remove it"
            yield UnknownField(_below_top(path), why)
        elif minor and gone and minor >= gone:
            why = f"is not supported from {self.program} {gone[0]}.{gone[1]} on; remove it"
            yield UnknownField(_below_top(path), why)

    def _no_field(self, path: str, name: str, minor: Optional[Minor]) -> UnknownField:
        siblings = sorted(
            known.rpartition(".")[2]
            for known, since in self.since.items()
            if known.rpartition(".")[0] == path and (not minor or since <= minor)
        )
        meant = next((known for known in siblings if known.lower() == name.lower()), "")
        question = f"did you mean {meant}?" if meant else did_you_mean(name, siblings)
        return UnknownField(_below_top(f"{path}.{name}"), f"is not supported; {question or 'remove it'}")


def _below_top(path: str) -> str:
    return path.partition(".")[2]
