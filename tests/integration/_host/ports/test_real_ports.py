"""Listeners and probes on real sockets: two hosts and a router between them, each a network namespace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes network namespaces")

ROOT = Path(__file__).resolve().parents[4]
HERE, THERE = "192.0.2.1", "198.51.100.1"
HERE6, THERE6 = "2001:db8:1::1", "2001:db8:2::1"
RUN = """
import json, sys
sys.path.insert(0, {path!r})
from ansible.module_utils.testing import patch_module_args
from ansible_collections.groundwork.kubernetes.plugins.modules import {module} as module
with patch_module_args(json.loads(sys.argv[1])):
    module.main()
"""


class Hosts:
    """Hosts a and b with a router between them."""

    def __init__(self) -> None:
        self.names = {name: f"groundwork-{name}-{os.getpid()}" for name in ("a", "b", "router")}
        try:
            for name in self.names.values():
                self.command("ip", "netns", "add", name)
                for scope in ("all", "default"):
                    self.command("ip", "netns", "exec", name, "sysctl", "-qw", f"net.ipv6.conf.{scope}.accept_dad=0")
            for host, number, other in (("a", "192.0.2", "1"), ("b", "198.51.100", "2")):
                self.command(
                    *("ip", "-n", self.names[host], "link", "add", "eth0", "type", "veth", "peer", "name", host),
                    *("netns", self.names["router"]),
                )
                self.run("router", "ip", "address", "add", f"{number}.254/24", "dev", host)
                self.run("router", "ip", "address", "add", f"2001:db8:{other}::fe/64", "dev", host, "nodad")
                self.run("router", "ip", "link", "set", "dev", host, "up")
                self.run(host, "ip", "address", "add", f"{number}.1/24", "dev", "eth0")
                self.run(host, "ip", "address", "add", f"2001:db8:{other}::1/64", "dev", "eth0", "nodad")
                for device in ("lo", "eth0"):
                    self.run(host, "ip", "link", "set", device, "up")
                self.run(host, "ip", "route", "add", "default", "via", f"{number}.254")
                self.run(host, "ip", "route", "add", "default", "via", f"2001:db8:{other}::fe")
            for setting in ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"):
                self.run("router", "sysctl", "-qw", setting)
        except subprocess.CalledProcessError:
            self.close()
            raise

    @staticmethod
    def command(*argv: str) -> str:
        """Run a command."""
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    def run(self, host: str, *argv: str) -> str:
        """Run a command on a host."""
        return self.command("ip", "netns", "exec", self.names[host], *argv)

    def module(self, host: str, module: str, **options: Any) -> dict[str, Any]:
        """Run a module on a host, with the interpreter that the tests have."""
        script = RUN.format(path=str(ROOT / ".build" / "collections"), module=module)
        out = self.run(host, sys.executable, "-c", script, json.dumps(options))
        result: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
        return result

    def listen(self, *places: tuple[str, str, int], expected: tuple[str, ...] = ("a",), seconds: float = 30) -> Any:
        """Listen on b."""
        named = [dict(zip(("protocol", "address", "number"), place)) for place in places]
        return self.module("b", "port_listener", name="b", places=named, expected=list(expected), seconds=seconds)

    def probe(self, *targets: tuple[str, str, int], **more: Any) -> dict[str, Any]:
        """Probe b from a."""
        named = [{"host": "b", **dict(zip(("protocol", "address", "number"), target)), **more} for target in targets]
        return self.module("a", "port_probe", name="a", targets=named, timeout=2)

    def listeners(self) -> str:
        """What listens on b: ports, packet sockets and processes."""
        return self.run("b", "ss", "-Hltunwp")

    def close(self) -> None:
        """Remove them."""
        for name in self.names.values():
            pids = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False).stdout
            for pid in pids.split():
                os.kill(int(pid), 9)
            subprocess.run(["ip", "netns", "delete", name], check=False)


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """The test's own hosts."""
    hosts = Hosts()
    yield hosts
    hosts.close()


def gone(hosts: Hosts) -> bool:
    """Whether nothing listens any more, in a while."""
    until = time.monotonic() + 3
    while hosts.listeners() and time.monotonic() < until:
        time.sleep(0.05)
    return hosts.listeners() == ""


ALL = [
    ("tcp", THERE, 6443),
    ("tcp", THERE6, 6443),
    ("udp", THERE, 8472),
    ("udp", THERE6, 8472),
    ("ip", THERE, 4),
    ("ip", THERE, 112),
]
NOTHING = {"closed": [], "narrow": [], "untold": []}


def found(result: dict[str, Any]) -> dict[str, Any]:
    """What a probe found."""
    return {name: result[name] for name in ("closed", "narrow", "untold")}


def test_everything_is_open_and_nothing_stays(hosts: Hosts) -> None:
    """Over every protocol and family."""
    assert hosts.listen(*ALL)["unheard"] == []
    assert "groundwork-port" in hosts.listeners()
    result = hosts.probe(*ALL, mtu=1500)
    assert found(result) == NOTHING
    assert not result["changed"]
    assert gone(hosts), hosts.listeners()
    # The ports are free for the programs at once.
    assert hosts.listen(*ALL)["unheard"] == []
    assert hosts.module("b", "port_listener", state="absent")["stopped"]
    assert hosts.listeners() == ""
    assert not hosts.module("b", "port_listener", state="absent")["stopped"]


def test_a_later_listener_takes_the_place_of_an_earlier_one(hosts: Hosts) -> None:
    """As after a run that was killed."""
    for _time in range(3):
        assert hosts.listen(("tcp", THERE, 2379))["unheard"] == []
    assert found(hosts.probe(("tcp", THERE, 2379))) == NOTHING
    assert gone(hosts)


def test_its_time_ends(hosts: Hosts) -> None:
    """Whether or not anybody came."""
    hosts.listen(("tcp", THERE, 2379), seconds=0.3)
    assert gone(hosts)


@pytest.mark.parametrize(
    ("where", "rule", "state"),
    [
        ("b", "DROP", "timeout"),
        ("b", "REJECT --reject-with tcp-reset", "refused"),
        ("b", "REJECT --reject-with icmp-admin-prohibited", "unreachable"),
        ("router", "DROP", "timeout"),
    ],
)
def test_a_firewall_closes_one_port_of_one_family(hosts: Hosts, where: str, rule: str, state: str) -> None:
    """Of IPv4; by IPv6 the same port is open."""
    chain = "FORWARD" if where == "router" else "INPUT"
    hosts.run(where, "iptables", "-A", chain, "-p", "tcp", "--dport", "2380", "-j", *rule.split())
    places = [("tcp", THERE, 2379), ("tcp", THERE, 2380), ("tcp", THERE6, 2380)]
    hosts.listen(*places)
    result = hosts.probe(*places)
    assert [(one["number"], one["address"], one["state"]) for one in result["closed"]] == [(2380, THERE, state)]
    assert result["untold"] == []
    assert gone(hosts)


@pytest.mark.parametrize(
    ("rule", "place"),
    [("udp --dport 8472", ("udp", THERE, 8472)), ("4", ("ip", THERE, 4))],
)
def test_protocols_without_connections(hosts: Hosts, rule: str, place: tuple[str, str, int]) -> None:
    """A packet that is dropped is never answered."""
    hosts.run("router", "iptables", "-A", "FORWARD", "-p", *rule.split(), "-j", "DROP")
    hosts.listen(place)
    result = hosts.probe(place)
    assert [one["state"] for one in result["closed"]] == ["timeout"]
    assert result["untold"] == ["b"]
    assert hosts.module("b", "port_listener", state="absent")["stopped"]


def test_a_router_that_cannot_take_large_packets(hosts: Hosts) -> None:
    """One that says so, and one that does not, over each protocol and family."""
    hosts.run("router", "ip", "link", "set", "dev", "b", "mtu", "1400")
    hosts.listen(*ALL, expected=("a", "c"))
    places = [("tcp", THERE, 6443), ("tcp", THERE6, 6443), ("udp", THERE, 8472)]
    told = hosts.probe(*places, mtu=1500)
    assert told["closed"] == []
    assert {(one["address"], one["mtu"], one["told"]) for one in told["narrow"]} == {
        (THERE, 1400, True),
        (THERE6, 1400, True),
    }
    for host in ("a", "b"):
        hosts.run(host, "ip", "route", "flush", "cache")
        hosts.run(host, "ip", "-6", "route", "flush", "cache")
    hosts.run("router", "iptables", "-A", "OUTPUT", "-p", "icmp", "-j", "DROP")
    too_big = ("-p", "icmpv6", "--icmpv6-type", "packet-too-big")
    hosts.run("router", "ip6tables", "-A", "OUTPUT", *too_big, "-j", "DROP")
    silent = hosts.probe(*places, mtu=1500)
    assert silent["closed"] == []
    assert {(one["address"], one["wanted"], one["mtu"], one["told"]) for one in silent["narrow"]} == {
        (THERE, 1500, 1400, False),
        (THERE6, 1500, 1400, False),
    }


def test_somebody_else_answers(hosts: Hosts) -> None:
    """Another host at the address, and a port that is taken."""
    hosts.listen(("tcp", THERE, 6443), ("udp", THERE, 8472))
    taken = hosts.module("b", "port_listener", state="absent")
    assert taken["stopped"]
    with subprocess.Popen(
        ["ip", "netns", "exec", hosts.names["b"], sys.executable, "-m", "http.server", "--bind", THERE, "6443"],
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            until = time.monotonic() + 10
            while "6443" not in hosts.listeners() and time.monotonic() < until:
                time.sleep(0.1)
            (unheard,) = hosts.listen(("tcp", THERE, 6443))["unheard"]
            assert unheard["error"] == "Address already in use"
            result = hosts.probe(("tcp", THERE, 6443))
            assert [(one["state"], one["error"]) for one in result["closed"]] == [
                ("other", "another program or host answers")
            ]
            assert result["untold"] == ["b"]
            assert found(hosts.probe(("tcp", THERE, 6443), listener=False)) == NOTHING
        finally:
            server.kill()


def test_a_wrong_name_gets_no_answer(hosts: Hosts) -> None:
    """It is another host than the one that was meant."""
    hosts.module(
        "b", "port_listener", name="c", places=[{"protocol": "tcp", "address": THERE, "number": 1}], expected=["a"]
    )
    assert [one["state"] for one in hosts.probe(("tcp", THERE, 1))["closed"]] == ["other"]
