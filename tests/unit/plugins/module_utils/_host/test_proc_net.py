# ruff: noqa: E501 (the kernel writes long lines)
"""Routes, sockets and addresses of a host: parsers on the kernel's texts."""

from __future__ import annotations

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import proc_net
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.proc_net import Route

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
tun0\t0000000A\t010200C0\t0003\t0\t0\t0\t000000FF\t0\t0\t0
eth0\t0000640A\t00000000\t0201\t0\t0\t0\t0000FFFF\t0\t0\t0
"""
ROUTES6 = """\
fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 1 0 00000001 eth0
fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 1 0 00000001 eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000400 1 0 00000003 eth0
00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 1 0 80200001 lo
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 1 0 00200200 lo
"""


def test_ipv4_routes() -> None:
    assert list(proc_net.parse_ipv4_routes(ROUTES)) == [
        Route("0.0.0.0/0", "eth0", False, 100),
        Route("192.0.2.0/24", "eth0", True, 100),
        Route("10.0.0.0/8", "tun0", False, 0),
    ]


def test_ipv6_routes_leave_out_what_stays_on_the_link() -> None:
    assert list(proc_net.parse_ipv6_routes(ROUTES6)) == [
        Route("fd00::/64", "eth0", True, 256),
        Route("::/0", "eth0", False, 1024),
    ]


def test_default_route_prefers_ipv4_and_the_lower_metric() -> None:
    routes = [
        Route("::/0", "wan6", False, 1),
        Route("0.0.0.0/0", "wlan0", False, 600),
        Route("0.0.0.0/0", "eth0", False, 100),
    ]
    best = proc_net.default_route(routes)
    assert best is not None
    assert best.interface == "eth0"
    assert proc_net.default_route([]) is None


def test_own_addresses() -> None:
    assert "127.0.0.1" in proc_net.ipv4_addresses()["lo"]


def test_route_facts_of_many_routes_compare_none_with_all() -> None:
    asked = 0

    class Text(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            nonlocal asked
            asked += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    routes = [Route(Text(f"10.{n // 256}.{n % 256}.0/24"), Text("eth0"), False, 0) for n in range(2000)]
    assert len(proc_net.route_facts(routes)) == 2000
    assert asked < 10 * len(routes)


def test_route_facts_are_unique_and_without_default() -> None:
    twice = Route("10.0.0.0/8", "tun0", False, 0)
    assert proc_net.route_facts(
        [Route("0.0.0.0/0", "eth0", False, 0), twice, Route("10.0.0.0/8", "tun0", False, 9)]
    ) == [{"destination": "10.0.0.0/8", "interface": "tun0", "on_link": False}]
