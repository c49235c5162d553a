"""Routes as ip prints them, routes as they are asked for, and the commands between the two."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import routes as routes_utils

PROTO = 77
LINK = {"dst": "10.0.0.0/24", "dev": "eth0", "protocol": "2", "scope": "253", "prefsrc": "10.0.0.1", "flags": []}
LINK6 = {"dst": "fd00::/64", "dev": "eth0", "protocol": "2", "metric": 256, "flags": [], "pref": "medium"}


def own(dst: str, via: str | None = None, **more: Any) -> dict[str, Any]:
    gateway = {"gateway": via, "dev": "eth0"} if via else {}
    return {"dst": dst, "protocol": "77", "flags": [], **gateway, **({"metric": 1024} if ":" in dst else {}), **more}


def running(*entries: dict[str, Any]) -> list[routes_utils.Running]:
    return [
        route
        for version in (4, 6)
        for route in routes_utils.parse_routes(
            json.dumps([entry for entry in entries if (":" in entry["dst"]) == (version == 6)]), version
        )
    ]


def wanted(**routes: str) -> list[routes_utils.Route]:
    return routes_utils.parse_wanted([{"cidr": cidr, "via": via} for cidr, via in routes.items()], PROTO)


@pytest.mark.parametrize(
    ("entry", "text", "attached"),
    [
        (LINK, "10.0.0.0/24 dev eth0 proto 2", True),
        (LINK6, "fd00::/64 dev eth0 metric 256 proto 2", True),
        (
            {"dst": "default", "gateway": "10.0.0.254", "dev": "eth0", "flags": []},
            "0.0.0.0/0 via 10.0.0.254 proto 3",
            False,
        ),
        ({"dst": "10.1.1.1", "dev": "eth0", "flags": ["linkdown"]}, "10.1.1.1/32 dev eth0 proto 3", True),
        (own("10.244.1.0/24", "10.0.0.2"), "10.244.1.0/24 via 10.0.0.2 proto 77", False),
        (own("10.244.1.0/24", "10.0.0.2", metric=5), "10.244.1.0/24 via 10.0.0.2 metric 5 proto 77", False),
        (own("fd01::/64", "fd00::2"), "fd01::/64 via fd00::2 proto 77", False),
        (own("10.244.1.0/24", nexthops=[{}, {}]), "10.244.1.0/24 proto 77", False),
        (own("10.244.1.0/24", type="6", dev="lo"), "10.244.1.0/24 dev lo proto 77", False),
        (
            own("10.244.1.0/24", via=None, dev="eth0") | {"via": {"family": "inet6", "host": "fe80::1"}},
            "10.244.1.0/24 dev eth0 proto 77",
            False,
        ),
    ],
)
def test_parse_routes(entry: dict[str, Any], text: str, attached: bool) -> None:
    version = 6 if ":" in entry["dst"] else 4
    [route] = routes_utils.parse_routes(json.dumps([entry]), version)
    assert (str(route), route.attached) == (text, attached)


@pytest.mark.parametrize("output", ["", "\n", "[]", "[ ]\n"])
def test_empty_table(output: str) -> None:
    assert routes_utils.parse_routes(output, 4) == []
    assert routes_utils.parse_addresses(output) == set()


def test_parse_addresses() -> None:
    output = (
        '[{"ifname":"lo","addr_info":[{"family":"inet","local":"127.0.0.1"}]},{},{"addr_info":[{"local":"fd00::1"}]}]'
    )
    assert {str(address) for address in routes_utils.parse_addresses(output)} == {"127.0.0.1", "fd00::1"}


def test_parse_wanted_sorts() -> None:
    routes = wanted(**{"fd01::/64": "fd00::2", "10.244.10.0/24": "10.0.0.3", "10.244.9.0/24": "10.0.0.2"})
    assert [str(route.cidr) for route in routes] == ["10.244.9.0/24", "10.244.10.0/24", "fd01::/64"]


A = ("10.244.1.0/24", "10.0.0.2")


@pytest.mark.parametrize(
    ("entries", "proto", "faults"),
    [
        ([A], 4, ["proto: 4 is"]),
        ([A], 256, ["proto: 256 is"]),
        ([A], 16, ["proto: 16 is"]),
        ([("pods", "node")], 77, ["routes[0]: cidr 'pods' is no network", "routes[0]: via 'node' is no address"]),
        ([("10.244.1.0", "10.0.0.2")], 77, ["has no prefix length"]),
        (
            [("10.244.1.7/24", "10.0.0.2")],
            77,
            ["routes[0]: cidr 10.244.1.7/24 is an address in 10.244.1.0/24: write 10.2"],
        ),
        ([("0.0.0.0/0", "10.0.0.2")], 77, ["cannot be a node's pods"]),
        ([("ff02::/64", "fd00::2")], 77, ["cannot be a node's pods"]),
        ([("fd01::/64", "fe80::1")], 77, ["via fe80::1 is not an address that other hosts reach"]),
        ([("fd01::/64", "10.0.0.2")], 77, ["cidr fd01::/64 is IPv6, via 10.0.0.2 is not"]),
        ([("10.0.0.0/24", "10.0.0.2")], 77, ["via 10.0.0.2 lies in cidr 10.0.0.0/24"]),
        ([A, A], 77, ["10.244.1.0/24 via 10.0.0.2 is there twice"]),
        ([A, ("10.244.1.0/24", "10.0.0.3")], 77, ["overlap"]),
        (
            [("10.244.3.0/24", "10.0.0.4"), ("10.244.1.0/24", "10.0.0.2"), ("10.244.0.0/16", "10.0.0.3")],
            77,
            [
                "routes: 10.244.0.0/16 via 10.0.0.3 and 10.244.1.0/24 via 10.0.0.2 overlap",
                "routes: 10.244.0.0/16 via 10.0.0.3 and 10.244.3.0/24 via 10.0.0.4 overlap",
            ],
        ),
        ([("x", "10.0.0.2"), A, A], 2, ["proto: 2", "routes[0]: cidr 'x'", "is there twice"]),
    ],
)
def test_bad_options(entries: list[tuple[str, str]], proto: int, faults: list[str]) -> None:
    with pytest.raises(routes_utils.RouteError) as error:
        routes_utils.parse_wanted([{"cidr": cidr, "via": via} for cidr, via in entries], proto)
    lines = str(error.value).splitlines()
    assert len(lines) == len(faults)
    for line, fault in zip(lines, faults):
        assert fault in line


@pytest.mark.parametrize(
    ("routes", "entries", "faults"),
    [
        ({"10.244.1.0/24": "10.0.0.2", "fd01::/64": "fd00::2"}, [], []),
        ({"10.244.1.0/24": "10.0.0.2"}, [own("10.244.1.0/24", "10.0.0.9")], []),
        ({"10.244.1.0/24": "10.0.0.2"}, [own("10.244.0.0/16", "10.0.0.9", protocol="12")], []),
        # Made by somebody else, but the same way: an administrator's, DHCP's, one of a metric of its own.
        ({"10.244.1.0/24": "10.0.0.2"}, [own("10.244.1.0/24", "10.0.0.2", protocol="12")], []),
        ({"10.244.1.0/24": "10.0.0.2"}, [own("10.244.1.0/24", "10.0.0.2", protocol="16", metric=100)], []),
        ({"fd01::/64": "fd00::2"}, [own("fd01::/64", "fd00:0:0::2", protocol="4")], []),
        (
            {"10.244.1.0/24": "10.0.0.2"},
            [own("10.244.1.0/24", "10.0.0.3", protocol="12")],
            ["route, 10.244.1.0/24 via 10.0.0.3 proto 12, where 10.0.0.2 is wanted: remove it"],
        ),
        (  # the same gateway, but through a tunnel
            {"10.244.1.0/24": "10.0.0.2"},
            [own("10.244.1.0/24", "10.0.0.2", protocol="12", dev="flannel.1", flags=["onlink"])],
            ["10.244.1.0/24: the host has another program's route"],
        ),
        (
            {"10.244.1.0/24": "10.0.0.2"},
            [own("10.244.1.0/24", protocol="12", nexthops=[{"gateway": "10.0.0.2"}, {"gateway": "10.0.0.3"}])],
            ["10.244.1.0/24 proto 12"],
        ),
        (
            {"10.244.1.0/24": "10.0.0.2"},
            [own("10.244.1.0/24", "10.0.0.2", protocol="12", type="7")],
            ["10.244.1.0/24 via 10.0.0.2 proto 12"],
        ),
        (
            {"10.244.1.0/24": "10.0.0.2"},
            [own("10.244.1.0/24", dev="cni0", protocol="2")],
            ["10.244.1.0/24 dev cni0 proto 2"],
        ),
        (
            {"10.244.1.0/24": "10.9.0.2", "10.244.2.0/24": "10.0.0.1", "fd01::/64": "fd09::2"},
            [{"dst": "default", "gateway": "10.0.0.254", "dev": "eth0", "flags": []}],
            ["10.9.0.2 is in no network", "10.0.0.1 is this host's own address", "fd09::2 is in no network"],
        ),
    ],
)
def test_check_host(routes: dict[str, str], entries: list[dict[str, Any]], faults: list[str]) -> None:
    addresses = routes_utils.parse_addresses('[{"addr_info":[{"local":"10.0.0.1"},{"local":"fd00::1"}]}]')
    table = running(LINK, LINK6, *entries)
    if not faults:
        routes_utils.check_host(wanted(**routes), table, addresses, PROTO)
        return
    with pytest.raises(routes_utils.RouteError) as error:
        routes_utils.check_host(wanted(**routes), table, addresses, PROTO)
    lines = str(error.value).splitlines()
    assert len(lines) == len(faults)
    for line, fault in zip(lines, faults):
        assert fault in line


FOREIGN = own("172.30.0.0/16", "10.0.0.9", protocol="12")
COMMANDS: list[tuple[str, dict[str, str], list[dict[str, Any]], list[str]]] = [
    ("nothing to do", {"10.244.1.0/24": "10.0.0.2"}, [own("10.244.1.0/24", "10.0.0.2")], []),
    ("new", {"10.244.1.0/24": "10.0.0.2"}, [], ["route replace 10.244.1.0/24 via 10.0.0.2 proto 77"]),
    (
        "another gateway",
        {"10.244.1.0/24": "10.0.0.2"},
        [own("10.244.1.0/24", "10.0.0.3")],
        ["route replace 10.244.1.0/24 via 10.0.0.2 proto 77"],
    ),
    ("stale", {}, [own("10.244.1.0/24", "10.0.0.3"), FOREIGN], ["route del 10.244.1.0/24 via 10.0.0.3 proto 77"]),
    (
        "several gateways",
        {"10.244.1.0/24": "10.0.0.2"},
        [own("10.244.1.0/24", nexthops=[{}, {}])],
        ["route replace 10.244.1.0/24 via 10.0.0.2 proto 77"],
    ),
    (
        "twice, IPv6",
        {"fd01::/64": "fd00::2"},
        [own("fd01::/64", "fd00::2"), own("fd01::/64", "fd00::3")],
        ["route replace fd01::/64 via fd00::2 proto 77"],
    ),
    (
        "again with a metric",
        {"10.244.1.0/24": "10.0.0.2"},
        [own("10.244.1.0/24", "10.0.0.2"), own("10.244.1.0/24", "10.0.0.2", metric=50)],
        ["route del 10.244.1.0/24 via 10.0.0.2 metric 50 proto 77"],
    ),
    (
        "another program's, taken over",
        {"10.244.1.0/24": "10.0.0.2", "fd01::/64": "fd00::2"},
        [own("10.244.1.0/24", "10.0.0.2", protocol="12"), own("fd01::/64", "fd00::2", protocol="4")],
        ["route replace 10.244.1.0/24 via 10.0.0.2 proto 77", "route replace fd01::/64 via fd00::2 proto 77"],
    ),
    ("another program's, not asked for any more", {}, [own("10.244.1.0/24", "10.0.0.2", protocol="12")], []),
    (
        "another program's of another metric stays beside ours",
        {"10.244.1.0/24": "10.0.0.2"},
        [own("10.244.1.0/24", "10.0.0.2"), own("10.244.1.0/24", "10.0.0.2", protocol="16", metric=100)],
        [],
    ),
    ("right, IPv6", {"fd01::/64": "fd00:0::2"}, [own("fd01::/64", "fd00::2")], []),
]


@pytest.mark.parametrize(
    ("routes", "entries", "lines"), [case[1:] for case in COMMANDS], ids=[case[0] for case in COMMANDS]
)
def test_commands(routes: dict[str, str], entries: list[dict[str, Any]], lines: list[str]) -> None:
    assert routes_utils.commands(wanted(**routes), running(LINK, LINK6, *entries), PROTO) == lines


class Counted:
    """Counts how often networks are made or compared, which is what reading and checking routes costs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        for kind in (ipaddress.IPv4Network, ipaddress.IPv6Network):
            for name in ("__init__", "__eq__", "__hash__", "__contains__", "overlaps"):
                monkeypatch.setattr(kind, name, self.counting(getattr(kind, name)))

    def counting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            return function(*arguments, **named)

        return counted


def work_of(number: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """The work of a host with so many nodes beside it, and as many pods of its own."""
    entries = [{"cidr": f"10.{n // 256}.{n % 256}.0/24", "via": f"192.168.0.{n % 250 + 2}"} for n in range(number)]
    pods = [
        {"dst": f"172.{16 + n // 65536}.{n // 256 % 256}.{n % 256}", "dev": f"veth{n}", "flags": []}
        for n in range(number)
    ]
    output = json.dumps([*pods, {"dst": "192.168.0.0/24", "dev": "eth0", "protocol": "2", "flags": []}])
    with monkeypatch.context() as patch:
        counted = Counted(patch)
        routes = routes_utils.parse_wanted(entries, PROTO)
        table = routes_utils.parse_routes(output, 4)
        routes_utils.check_host(routes, table, set(), PROTO)
        assert len(routes_utils.commands(routes, table, PROTO)) == number
        return counted.calls


def test_work_grows_with_the_routes_and_not_with_their_square(monkeypatch: pytest.MonkeyPatch) -> None:
    assert work_of(1600, monkeypatch) < 12 * work_of(160, monkeypatch)
