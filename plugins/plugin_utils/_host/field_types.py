# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What type each field of a program's configuration has, and which values are of another.

The program refuses those when it reads its configuration: with text instead of a number, no part of it is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

# A time in the form of Go (time.ParseDuration), without its sign and its rarer units.
DURATION = re.compile(r"0|(?:\d+(?:\.\d+)?(?:ns|us|ms|[smh]))+")


class WrongType(NamedTuple):
    """A value of another type than its field: where it is, below the top, and what to do."""

    place: str
    why: str


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


# By type: what a value must be, and the message about one that is not.
TYPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "boolean": (lambda value: isinstance(value, bool), "is no boolean; give it true or false, without quotes"),
    "integer": (
        lambda value: _is_number(value) and float(value).is_integer(),
        "is no whole number; give it one, unquoted",
    ),
    "number": (_is_number, "is no number; give it one, without quotes"),
    "text": (lambda value: isinstance(value, str), "is no text; put it in quotes"),
    "time": (
        lambda value: isinstance(value, str) and bool(DURATION.fullmatch(value)),
        "is no time; write it like 30s, 1h30m or 8760h",
    ),
    "mapping": (lambda value: isinstance(value, Mapping), "is no map; give it one"),
    "texts": (_is_list, "is no list; give it a list of texts"),
    "integers": (_is_list, "is no list; give it a list of whole numbers"),
    "objects": (_is_list, "is no list; give it a list of maps"),
    "switches": (lambda value: isinstance(value, Mapping), "is no map; give it names with true or false"),
    "text_map": (lambda value: isinstance(value, Mapping), "is no map; give it names with texts"),
    "any": (lambda _value: True, ""),
}
# What a list or a map of these types holds.
HOLDS = {"texts": "text", "integers": "integer", "objects": "mapping", "switches": "boolean", "text_map": "text"}
# Fields whose value is not shown, nor what is below them.
SECRETS = ("bootstrapToken", "bootstrapTokens", "certificateKey", "tlsBootstrapToken", "token")


class FieldTypes:
    """The types of fields; one that is not listed is a text, or a map where other fields are below it.

    Args:
        names: by type, the names of the fields; also with their parent's, C(parent.name), where a name is not enough.
        known: whether a path from the top on, as C(KubeletConfiguration.maxPods), is a field.
        parents: the paths that have fields below them.
    """

    def __init__(
        self, names: Mapping[str, Sequence[str]], known: Callable[[str], bool], parents: AbstractSet[str]
    ) -> None:
        self.by_name = {name: kind for kind, listed in names.items() for name in listed}
        self.known, self.parents = known, parents

    def wrong(self, kind: str, content: Mapping[str, Any]) -> Iterator[WrongType]:
        """The values that have another type; what is no field at all is left out.

        Args:
            kind: the configuration's.
            content: the configuration.
        """
        yield from self._of_fields(kind, "", content)

    def _of_fields(self, path: str, place: str, content: Mapping[str, Any]) -> Iterator[WrongType]:
        for name, value in content.items():
            below = f"{path}.{name}"
            if value is not None and self.known(below):
                yield from self._of_field(below, f"{place}{name}", value)

    def _of_field(self, path: str, place: str, value: Any) -> Iterator[WrongType]:
        kind = self._kind(path)
        fits, why = TYPES[kind]
        if not fits(value):
            yield WrongType(place, f"{_shown(place, value)} {why}")
            return
        items = [(place, value)]
        if kind in HOLDS:
            fits, why = TYPES[HOLDS[kind]]
            items = list(_items(place, value))
            yield from (WrongType(at, f"{_shown(at, inner)} {why}") for at, inner in items if not fits(inner))
        if path in self.parents:
            for below, inner in items:
                if isinstance(inner, Mapping):
                    yield from self._of_fields(path, f"{below}.", inner)

    def _kind(self, path: str) -> str:
        words = path.split(".")
        for name in (".".join(words[-2:]), words[-1]):
            if name in self.by_name:
                return self.by_name[name]
        return "mapping" if path in self.parents else "text"


def _shown(place: str, value: Any) -> str:
    if any(word.partition("[")[0] in SECRETS for word in place.split(".")):
        return "(not shown)"
    if isinstance(value, Mapping):
        return "(a map)"
    return "(a list)" if _is_list(value) else repr(value)


def _items(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What a list or a map holds; nothing may stand for a map's value."""
    if isinstance(value, Mapping):
        yield from ((f"{place}.{name}", inner) for name, inner in value.items() if inner is not None)
    else:
        yield from ((f"{place}[{at}]", inner) for at, inner in enumerate(value))
