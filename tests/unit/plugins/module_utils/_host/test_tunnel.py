"""The device of the tunnel: what leads from what a host has to what is wanted."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import routes, tunnel

OWN = tunnel.Tunnel(ip_address("192.0.2.1"), (ip_address("10.244.0.0"),))
MAC = tunnel.hardware_address(OWN.local)
OTHER = ip_address("192.0.2.2")
OTHER_MAC = tunnel.hardware_address(OTHER)
LINK: dict[str, Any] = {
    "ifname": "pod-vxlan",
    "address": MAC,
    "mtu": 1450,
    "flags": ["BROADCAST", "UP"],
    "linkinfo": {"info_kind": "vxlan", "info_data": {"id": 77, "port": 4789, "local": "192.0.2.1", "learning": False}},
    "addr_info": [{"local": "10.244.0.0"}, {"local": "fe80::1"}],
}
ROUTES = tunnel.through(
    routes.parse_wanted([{"cidr": "10.244.2.0/24", "via": "192.0.2.2", "endpoint": "192.0.2.2"}], 77),
    True,
    routes.Attached([]),
)
WHOLE = tunnel.Found(LINK, {f"10.244.2.0 lladdr {OTHER_MAC}"}, {f"{OTHER_MAC} dst 192.0.2.2"})


def data(**changes: Any) -> dict[str, Any]:
    return {**LINK, "linkinfo": {"info_kind": "vxlan", "info_data": {**LINK["linkinfo"]["info_data"], **changes}}}


def test_addresses_of_hardware_are_of_one_host() -> None:
    assert MAC != OTHER_MAC
    assert int(MAC[:2], 16) & 3 == 2  # locally administered, of one interface


@pytest.mark.parametrize(
    ("found", "before", "after"),
    [
        (WHOLE, [], []),
        (tunnel.Found({**LINK, "mtu": 1400}, WHOLE.neighbours, WHOLE.forwarding), ["link set pod-vxlan mtu 1450"], []),
        (tunnel.Found({**LINK, "flags": []}, WHOLE.neighbours, WHOLE.forwarding), ["link set pod-vxlan up"], []),
        (
            tunnel.Found({**LINK, "addr_info": [{"local": "10.244.9.0"}]}, WHOLE.neighbours, WHOLE.forwarding),
            ["address replace 10.244.0.0/32 dev pod-vxlan"],
            ["address del 10.244.9.0/32 dev pod-vxlan"],
        ),
        (
            tunnel.Found(LINK, {"10.244.2.0 lladdr 0e:00:00:00:00:00"}, WHOLE.forwarding),
            [f"neigh replace 10.244.2.0 lladdr {OTHER_MAC} dev pod-vxlan nud permanent"],
            [],
        ),
        (
            tunnel.Found(LINK, WHOLE.neighbours, {"0e:00:00:00:00:00 dst 192.0.2.9", *WHOLE.forwarding}),
            [],
            ["fdb del 0e:00:00:00:00:00 dev pod-vxlan dst 192.0.2.9 self"],
        ),
    ],
)
def test_what_differs(found: tunnel.Found, before: list[str], after: list[str]) -> None:
    changes = tunnel.lines(OWN, ROUTES, found)
    assert (changes.before, changes.after) == (before, after)


@pytest.mark.parametrize(
    "link",
    [
        data(id=78),
        data(port=8472),
        data(local="192.0.2.9"),
        data(local=None, local6="fd00::1"),
        data(learning=True),
        {**LINK, "address": OTHER_MAC},
    ],
)
def test_another_device_is_made_anew(link: dict[str, Any]) -> None:
    changes = tunnel.lines(OWN, ROUTES, tunnel.Found(link, WHOLE.neighbours, WHOLE.forwarding))
    assert changes.before[:2] == ["link del pod-vxlan", OWN.add()]
    assert (len(changes.before), changes.after, tunnel.is_made_anew(changes)) == (6, [], True)


def test_gateways_stand_for_nodes() -> None:
    wanted = routes.parse_wanted(
        [
            {"cidr": "10.244.2.0/24", "via": "192.0.2.2", "endpoint": "192.0.2.2"},
            {"cidr": "fd00:2::/64", "via": "2001:db8::2", "endpoint": "192.0.2.2"},
        ],
        77,
    )
    numbers = OTHER_MAC.split(":")
    # What the kernel gives the other device itself (RFC 4291).
    link_local = ip_address(
        f"fe80::{int(numbers[0], 16) ^ 2:x}{numbers[1]}:{numbers[2]}ff:fe{numbers[3]}:{numbers[4]}{numbers[5]}"
    )
    assert [route.via for route in tunnel.through(wanted, True, routes.Attached([]))] == [
        ip_address("10.244.2.0"),
        link_local,
    ]
