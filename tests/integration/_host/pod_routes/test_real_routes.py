"""The routes of pod_routes on a real kernel, in a network namespace of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import routes as routes_utils

PROTO = 77
WANTED = routes_utils.parse_wanted(
    [
        {"cidr": "10.244.1.0/24", "via": "192.0.2.11"},
        {"cidr": "10.244.2.0/24", "via": "192.0.2.12"},
        {"cidr": "2001:db8:1::/64", "via": "2001:db8::11"},
    ],
    PROTO,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes network namespaces")


class Namespace:
    """A network namespace with one interface."""

    def __init__(self) -> None:
        self.name = f"groundwork-{os.getpid()}"
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        try:
            self.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
            for device in ("eth0", "eth1"):
                self.ip("link", "set", device, "up")
            self.ip("address", "add", "192.0.2.1/24", "dev", "eth0")
            self.ip("address", "add", "2001:db8::1/64", "dev", "eth0", "nodad")
        except subprocess.CalledProcessError:
            self.close()
            raise

    def close(self) -> None:
        """Remove it."""
        subprocess.run(["ip", "netns", "delete", self.name], check=True)

    def ip(self, *arguments: str, stdin: str = "") -> str:
        """Run ip there."""
        command = ["ip", "-n", self.name, *arguments]
        return subprocess.run(command, input=stdin, check=True, capture_output=True, text=True).stdout

    def routes(self) -> list[routes_utils.Running]:
        """The main table, read as the module reads it."""
        return [
            route
            for version in (4, 6)
            for route in routes_utils.parse_routes(
                self.ip("-Numeric", "-json", f"-{version}", "route", "show", "table", "main"), version
            )
        ]

    def pods(self) -> list[str]:
        """The routes with a gateway."""
        return [str(route) for route in self.routes() if route.via]

    def lead_to(self, wanted: list[routes_utils.Route]) -> list[str]:
        """Have the wanted routes; the lines that it took."""
        running = self.routes()
        own = routes_utils.parse_addresses(self.ip("-json", "address", "show"))
        routes_utils.check_host(wanted, running, own, PROTO)
        lines = routes_utils.commands(wanted, running, PROTO)
        if lines:
            self.ip("-force", "-batch", "-", stdin="".join(f"{line}\n" for line in lines))
        return lines


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A namespace of the test's own."""
    namespace = Namespace()
    yield namespace
    namespace.close()


def test_takes_over_and_leaves_what_is_not_ours(namespace: Namespace) -> None:
    """The same route by the same way becomes ours; routes of other programs stay, also at the end."""
    namespace.ip("route", "add", "10.244.1.0/24", "via", "192.0.2.11")
    namespace.ip("route", "add", "10.244.2.0/24", "via", "192.0.2.12", "metric", "100", "proto", "16")
    namespace.ip("route", "add", "2001:db8:1::/64", "via", "2001:db8::11", "proto", "4")
    namespace.ip("route", "add", "10.9.0.0/16", "via", "192.0.2.9", "proto", "4")
    assert len(namespace.lead_to(WANTED)) == 3
    assert sorted(namespace.pods()) == [
        "10.244.1.0/24 via 192.0.2.11 proto 77",
        "10.244.2.0/24 via 192.0.2.12 metric 100 proto 16",
        "10.244.2.0/24 via 192.0.2.12 proto 77",
        "10.9.0.0/16 via 192.0.2.9 proto 4",
        "2001:db8:1::/64 via 2001:db8::11 proto 77",
    ]
    assert namespace.lead_to(WANTED) == []
    assert len(namespace.lead_to([])) == 3
    assert sorted(namespace.pods()) == [
        "10.244.2.0/24 via 192.0.2.12 metric 100 proto 16",
        "10.9.0.0/16 via 192.0.2.9 proto 4",
    ]


def test_another_way_is_refused(namespace: Namespace) -> None:
    """Nothing is changed where another program has a route to the same pods by another way."""
    namespace.ip("route", "add", "10.244.1.0/24", "via", "192.0.2.13")
    namespace.ip(
        "route", "add", "10.244.2.0/24", "nexthop", "via", "192.0.2.12", "dev", "eth0", "nexthop", "via", "192.0.2.13"
    )
    before = namespace.pods()
    with pytest.raises(routes_utils.RouteError) as error:
        namespace.lead_to(WANTED)
    assert [line.partition(":")[0] for line in str(error.value).splitlines()] == ["10.244.1.0/24", "10.244.2.0/24"]
    assert namespace.pods() == before


def test_sixteen_thousand_routes(namespace: Namespace) -> None:
    """Many routes are set at once, and a second run finds them right."""
    many = routes_utils.parse_wanted(
        [{"cidr": f"10.{n // 256}.{n % 256}.0/24", "via": f"192.0.2.{n % 250 + 2}"} for n in range(16000)], PROTO
    )
    assert len(namespace.lead_to(many)) == 16000
    assert namespace.lead_to(many) == []
