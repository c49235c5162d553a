"""Which swap may stay."""

from __future__ import annotations

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import swap
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.swap_sources import Active


def same(path: str) -> str:
    return path


@pytest.mark.parametrize(
    ("allow", "allowed"),
    [
        ([], []),
        (["zram"], ["/dev/zram0"]),
        (["file", "partition"], ["/dev/sda2", "/swapfile"]),
        (["/swapfile"], ["/swapfile"]),
        (["UUID=1"], []),
    ],
)
def test_allow(allow: list[str], allowed: list[str]) -> None:
    rule = swap.parse_allow(allow, same)
    swaps = [Active("/dev/sda2", "partition", 1, 0, 0), Active("/swapfile", "file", 1, 0, 0)]
    swaps.append(Active("/dev/zram0", "zram", 1, 0, 0))
    assert sorted(swap.path for swap in swaps if rule(swap)) == allowed
    assert rule.faults == []


@pytest.mark.parametrize("value", ["swapfile", "Zram", "", "UUID=", "NAME=x"])
def test_allow_refuses_what_it_does_not_know(value: str) -> None:
    assert swap.parse_allow(["zram", value], same).faults == [
        f"allow: {value!r} is neither a kind (partition, file, zram) nor an absolute path nor a tag such as UUID="
    ]
