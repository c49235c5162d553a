"""The filter lost_members."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.lost_members import lost_members


def member(name: str, address: str, healthy: bool = True, version: str = "3.6.8") -> dict[str, Any]:
    return {
        "name": name,
        "peer_urls": [f"https://{address}:2380"],
        "healthy": healthy,
        "version": version if healthy else "",
    }


KNOWN = ["cp-1", "192.0.2.1", "cp-2", "192.0.2.2"]
TWO_HOST = ["cp-2", "192.0.2.2"]
ONE, TWO = member("cp-1", "192.0.2.1"), member("cp-2", "192.0.2.2")
TWO_DOWN = member("cp-2", "192.0.2.2", healthy=False)
TWO_SICK = {**TWO_DOWN, "version": "3.6.8"}  # it answers, and is not healthy
GONE, UNKNOWN = member("cp-3", "192.0.2.3", healthy=False), member("cp-3", "192.0.2.3")
UNKNOWN_SICK = {**GONE, "version": "3.6.8"}
UNSTARTED = member("", "192.0.2.2", healthy=False)
MOVED, MOVED_DOWN = member("cp-2", "192.0.2.9"), member("cp-2", "192.0.2.9", healthy=False)
RENAMED, RENAMED_DOWN = member("old", "192.0.2.2"), member("old", "192.0.2.2", healthy=False)


@pytest.mark.parametrize(
    ("members", "options", "lost"),
    [
        ([ONE, TWO], {}, []),
        ([ONE, TWO_DOWN], {}, []),  # its host is in the inventory and not about to join: it may come back
        ([ONE, GONE], {}, [GONE]),
        ([ONE, GONE], {"complete": False}, []),  # which hosts there are is not known
        ([ONE, UNKNOWN], {}, []),
        ([ONE, UNKNOWN_SICK], {}, []),
        ([ONE, TWO_DOWN], {"joining": TWO_HOST}, [TWO_DOWN]),
        ([ONE, TWO_DOWN], {"joining": TWO_HOST, "complete": False}, [TWO_DOWN]),
        ([ONE, UNSTARTED], {"joining": TWO_HOST}, [UNSTARTED]),
        ([ONE, MOVED_DOWN], {"joining": TWO_HOST}, [MOVED_DOWN]),
        ([ONE, RENAMED_DOWN], {"joining": TWO_HOST}, [RENAMED_DOWN]),
        # Its join was begun and not finished, so that the member is a part of it, works or not.
        ([ONE, TWO], {"resuming": TWO_HOST}, [TWO]),
        ([ONE, TWO_DOWN], {"resuming": TWO_HOST}, [TWO_DOWN]),
        ([ONE, UNSTARTED], {"resuming": TWO_HOST}, [UNSTARTED]),
        ([ONE, MOVED_DOWN], {"resuming": TWO_HOST}, [MOVED_DOWN]),
        # A variable gives it up.
        ([ONE, UNKNOWN], {"named": ["cp-3"]}, [UNKNOWN]),
        ([ONE, UNKNOWN_SICK], {"named": ["192.0.2.3"]}, [UNKNOWN_SICK]),
        ([ONE, TWO], {"joining": TWO_HOST, "named": ["cp-2"]}, [TWO]),
    ],
)
def test_lost(members: list[dict[str, Any]], options: dict[str, Any], lost: list[dict[str, Any]]) -> None:
    assert lost_members(members, KNOWN, **options) == {"lost": lost, "faults": []}


@pytest.mark.parametrize(
    ("found", "options", "message"),
    [
        (TWO, {"joining": TWO_HOST}, "etcd's member cp-2 (https://192.0.2.2:2380) works, and the host of that name"),
        (TWO_SICK, {"joining": TWO_HOST}, "control_plane_lost_nodes: [cp-2]"),
        (MOVED, {"joining": TWO_HOST}, "Give the new host a name and an address of its own"),
        (RENAMED, {"joining": TWO_HOST}, "etcd's member old (https://192.0.2.2:2380) works"),
        (MOVED, {"resuming": TWO_HOST}, "etcd's member cp-2 (https://192.0.2.9:2380) works"),
        (TWO, {"named": ["cp-2"]}, "control_plane_lost_nodes names cp-2 (https://192.0.2.2:2380), whose host is a"),
    ],
)
def test_a_member_that_works_is_never_lost(found: dict[str, Any], options: dict[str, Any], message: str) -> None:
    result = lost_members([ONE, found], KNOWN, **options)
    assert result["lost"] == []
    (fault,) = result["faults"]
    assert message in fault


def test_ipv6() -> None:
    one = member("", "[2001:db8::1]", False)
    assert lost_members([one], [], ["2001:db8::1"])["lost"] == [one]


def test_bad_input() -> None:
    with pytest.raises(AnsibleFilterError, match="lost_members needs the members"):
        lost_members([{}], KNOWN)


@pytest.mark.parametrize("written", ["2001:db8::2", "2001:DB8::2", "2001:0db8:0:0:0:0:0:2"])
@pytest.mark.parametrize("known", ["2001:db8::2", "2001:DB8:0::2"])
def test_addresses_are_compared_as_addresses(written: str, known: str) -> None:
    down, unstarted = member("old", f"[{written}]", healthy=False), member("", f"[{written}]", healthy=False)
    assert lost_members([ONE, down], [*KNOWN, known])["lost"] == []
    assert lost_members([ONE, unstarted], KNOWN, ["cp-2", known])["lost"] == [unstarted]
