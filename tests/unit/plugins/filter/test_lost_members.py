"""The filter lost_members."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.lost_members import lost_members


def member(name: str, address: str, healthy: bool = True) -> dict[str, Any]:
    return {"name": name, "peer_urls": [f"https://{address}:2380"], "healthy": healthy}


KNOWN = ["cp-1", "192.0.2.1", "cp-2", "192.0.2.2"]
ONE, TWO = member("cp-1", "192.0.2.1"), member("cp-2", "192.0.2.2")
TWO_DOWN = member("cp-2", "192.0.2.2", healthy=False)
GONE, UNKNOWN = member("cp-3", "192.0.2.3", healthy=False), member("cp-3", "192.0.2.3")
UNSTARTED = member("", "192.0.2.2", healthy=False)
MOVED = member("cp-2", "192.0.2.9", healthy=False)


@pytest.mark.parametrize(
    ("members", "joining", "lost"),
    [
        ([ONE, TWO], [], []),
        ([ONE, TWO_DOWN], [], []),  # its host is in the inventory and not about to join: it may come back
        ([ONE, GONE], [], [GONE]),
        ([ONE, UNKNOWN], [], []),
        ([ONE, TWO_DOWN], ["cp-2", "192.0.2.2"], [TWO_DOWN]),
        ([ONE, TWO], ["cp-2", "192.0.2.2"], [TWO]),
        ([ONE, UNSTARTED], ["cp-2", "192.0.2.2"], [UNSTARTED]),
        ([ONE, MOVED], ["cp-2", "192.0.2.2"], [MOVED]),
    ],
)
def test_lost(members: list[dict[str, Any]], joining: list[str], lost: list[dict[str, Any]]) -> None:
    assert lost_members(members, KNOWN, joining) == lost


def test_ipv6() -> None:
    assert lost_members([member("", "[2001:db8::1]", False)], [], ["2001:db8::1"])


def test_bad_input() -> None:
    with pytest.raises(AnsibleFilterError, match="lost_members needs the members"):
        lost_members([{}], KNOWN)


@pytest.mark.parametrize("written", ["2001:db8::2", "2001:DB8::2", "2001:0db8:0:0:0:0:0:2"])
@pytest.mark.parametrize("known", ["2001:db8::2", "2001:DB8:0::2"])
def test_addresses_are_compared_as_addresses(written: str, known: str) -> None:
    down, unstarted = member("old", f"[{written}]", healthy=False), member("", f"[{written}]", healthy=False)
    assert lost_members([ONE, down], [*KNOWN, known]) == []
    assert lost_members([ONE, unstarted], KNOWN, ["cp-2", known]) == [unstarted]
