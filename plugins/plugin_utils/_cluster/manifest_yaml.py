# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML as kubectl reads it: what a plain value means there, which differs from YAML 1.1, from 1.2 and from Ansible."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Dict, List, Tuple

import yaml

INT = re.compile(r"[-+]?(?:0[bB][01]+|0[oO]?[0-7]+|0[xX][0-9a-fA-F]+|[1-9][0-9]*|0)$")
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$")
NO_NUMBER = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$")
# Beyond this kubectl has no whole numbers.
LEAST, MOST = -(2**63), 2**64 - 1
NUMBER_STARTS = list("-+.0123456789")
BYTE_ORDER_MARK = re.compile("^\ufeff", re.MULTILINE)


class Unclear:
    """Plain values that look like text and are none: numbers with underscores, and those that JSON does not have."""

    @staticmethod
    def match(value: str) -> bool:
        """Whether a value is one, asked as of a regular expression."""
        if "_" not in value:
            return bool(NO_NUMBER.match(value))
        digits = value.replace("_", "")
        return not value.startswith("._") and bool(INT.match(digits) or FLOAT.match(digits))


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads plain values as kubectl does: no dates, no numbers to base 60, a lone '=' is text, y and n are not."""

    yaml_implicit_resolvers: ClassVar[Dict[str, Any]] = {
        first: [(tag, regexp) for tag, regexp in resolvers if tag.rpartition(":")[2] in ("bool", "merge", "null")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    bool_values: ClassVar[Dict[str, bool]] = {**yaml.SafeLoader.bool_values, "y": True, "n": False}

    def __init__(self, stream: str) -> None:
        """Read a text."""
        super().__init__(stream)
        self.faults: List[Tuple[int, str]] = []  # line and text

    def fault(self, node: Any, text: str) -> None:
        """Note a fault with its line."""
        self.faults.append((node.start_mark.line + 1, text))

    def construct_mapping(self, node: Any, deep: bool = False) -> Dict[str, Any]:
        """A mapping, whose keys are text, as in JSON."""
        if not isinstance(node, yaml.MappingNode):
            return super().construct_mapping(node, deep)  # says what is wrong
        self.flatten_mapping(node)
        return {self._key(key): self.construct_object(value, deep=deep) for key, value in node.value}

    def _key(self, node: Any) -> str:
        key = self.construct_object(node, deep=True)
        if not isinstance(key, (str, int, float)):
            self.fault(node, "a key is null, a list or a mapping: quote it if it is text")
        if isinstance(key, bool):
            return "true" if key else "false"
        return f"{key:g}" if isinstance(key, float) else str(key)

    def construct_int(self, node: Any) -> Any:
        """A whole number, as large as kubectl has them."""
        text = self.construct_scalar(node)
        number = int(re.sub(r"^([-+]?)0[oO]?(?=[0-7])", r"\g<1>0o", text), 0)
        if LEAST <= number <= MOST:
            return number
        return float(text) if text.lstrip("-+").isdigit() else text

    def construct_number(self, node: Any) -> Any:
        """A number; one that is too large is text."""
        text = self.construct_scalar(node)
        number = float(text)
        return text if number in (float("inf"), float("-inf")) else number

    def construct_unclear(self, node: Any) -> str:
        """A value that may be meant as text, which is a fault."""
        text: str = self.construct_scalar(node)
        number = text.replace("_", "")
        says = f"kubectl reads it as the number {number}" if "_" in text else "Kubernetes has no such number"
        self.fault(
            node,
            f'{text} is not clear, {says}: quote it ("{text}") if it is text'
            + (f", else write {number}" if "_" in text else ""),
        )
        return text


Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"[yYnN]$"), list("yYnN"))
Loader.add_implicit_resolver("tag:yaml.org,2002:int", INT, NUMBER_STARTS)
Loader.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, NUMBER_STARTS)
Loader.add_implicit_resolver("!unclear", Unclear, NUMBER_STARTS)
Loader.add_constructor("tag:yaml.org,2002:int", Loader.construct_int)
Loader.add_constructor("tag:yaml.org,2002:float", Loader.construct_number)
Loader.add_constructor("!unclear", Loader.construct_unclear)


def load_all(text: str) -> Tuple[List[Any], List[str]]:
    """The documents of a text, and what is wrong with their values.

    A byte order mark may begin every document, as where files were put one after the other.

    Raises:
        yaml.YAMLError: if it is no YAML.
    """
    loader = Loader(BYTE_ORDER_MARK.sub("", text))
    documents: List[Any] = []
    try:
        while loader.check_data():
            documents.append(loader.get_data())
    finally:
        loader.dispose()
    return documents, [f"line {line}: {text}" for line, text in sorted(loader.faults)]
