"""The filter ignored_faults: what preflight_ignore has for the cluster or a host."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.ignored_faults import ignored_faults


@pytest.mark.parametrize(
    ("value", "host", "expected"),
    [
        ([], "", []),
        (None, "", []),
        (["members-even", "address-clash"], "", ["address-clash", "members-even"]),
        ({"*": ["members-even"], "cp-1": ["port-clash"]}, "", ["members-even"]),
        ({"*": ["members-even"], "cp-1": ["port-clash"]}, "cp-1", ["members-even", "port-clash"]),
        ({"*": ["members-even"], "cp-1": ["port-clash"]}, "cp-2", ["members-even"]),
        ({"cp-1": ["members-even"]}, "", []),
    ],
)
def test_both_forms(value: Any, host: str, expected: list[str]) -> None:
    assert ignored_faults(value, host) == expected


def test_no_list() -> None:
    with pytest.raises(AnsibleFilterError, match="preflight_ignore: it must be a list"):
        ignored_faults("members-even")
