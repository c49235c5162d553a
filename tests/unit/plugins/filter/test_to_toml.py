"""The filter to_toml."""

from __future__ import annotations

from typing import Any

import pytest
import tomllib
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter import to_toml as plugin

to_toml = plugin.FilterModule().filters()["to_toml"]


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"version": 3, "plugins": {"io.containerd.cri.v1.images": {"registry": {"config_path": "/etc/x"}}}},
        {"a": [1, 2.5, True, "x"], "b": [{"c": 1}, {"c": 2}], "d": 'quote " and \\ and é'},
    ],
)
def test_can_be_read_again(value: dict[str, Any]) -> None:
    assert tomllib.loads(to_toml(value)) == value


def test_null_is_left_out() -> None:
    assert to_toml({"a": None, "b": {"c": None}, "d": 1}) == "d = 1\n\n[b]\n"


def test_order_is_kept() -> None:
    assert to_toml({"b": 1, "a": 2}) == "b = 1\na = 2\n"


def test_subclasses_of_text_are_text() -> None:
    class Marked(str):
        pass

    assert to_toml({Marked("a"): (Marked("b"),)}) == 'a = [\n    "b",\n]\n'


@pytest.mark.parametrize(("value", "message"), [([1], "needs a map, but got list"), ({"a": object()}, "cannot write")])
def test_refuses(value: Any, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        to_toml(value)


def test_missing_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "tomli_w", None)
    with pytest.raises(AnsibleFilterError, match="pip install tomli_w"):
        to_toml({})
