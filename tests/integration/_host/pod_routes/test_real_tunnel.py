"""The tunnel of pod_routes on a real kernel: hosts with a router between them, which knows nothing of pods."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import pod_routes, tunnel
from ansible_collections.groundwork.kubernetes.plugins.modules.pod_routes import SPEC

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes network namespaces")

# Two hosts of one network and one behind the router, each with its pods' networks.
HOSTS = {
    "a": ("192.0.2.11", "2001:db8:a::11", "10.244.1.0/24", "fd00:1::/64"),
    "b": ("192.0.2.12", "2001:db8:a::12", "10.244.2.0/24", "fd00:2::/64"),
    "c": ("198.51.100.13", "2001:db8:b::13", "10.244.3.0/24", "fd00:3::/64"),
}


class Net:
    """Namespaces of the hosts, of a router, and of a pod on each host."""

    def __init__(self) -> None:
        self.prefix = f"gw{os.getpid()}"
        self.spaces: list[str] = []

    def name(self, space: str) -> str:
        """What the namespace is really called."""
        return f"{self.prefix}-{space}"

    def add(self, space: str) -> None:
        """Make a namespace that forwards and has strict filters."""
        subprocess.run(["ip", "netns", "add", self.name(space)], check=True)
        self.spaces.append(space)
        self.run(space, "ip", "link", "set", "lo", "up")
        for setting in ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=1"):
            self.run(space, "sysctl", "-qw", setting)

    def run(self, space: str, *command: str, stdin: str = "", check: bool = True) -> str:
        """Run a command there."""
        whole = ["ip", "netns", "exec", self.name(space), *command]
        done = subprocess.run(whole, input=stdin, check=False, capture_output=True, text=True)
        assert not check or done.returncode == 0, (command, done.stderr)
        return done.stdout

    def cable(self, one: str, device: str, other: str, other_device: str) -> None:
        """Connect two."""
        peer = ("peer", "name", other_device, "netns", self.name(other))
        self.run(one, "ip", "link", "add", device, "type", "veth", *peer)
        self.run(one, "ip", "link", "set", device, "up")
        self.run(other, "ip", "link", "set", other_device, "up")

    def address(self, space: str, device: str, *addresses: str) -> None:
        """Give a device addresses."""
        for address in addresses:
            nodad = ["nodad"] if ":" in address else []
            self.run(space, "ip", "address", "add", address, "dev", device, *nodad)

    def close(self) -> None:
        """Remove all."""
        for space in self.spaces:
            subprocess.run(["ip", "netns", "delete", self.name(space)], check=True)

    def python(self, space: str, program: str, *arguments: str) -> str:
        """Run a program there that has the collection's code."""
        path = [entry for entry in sys.path if entry.endswith(".build/collections")]
        begin = f"import sys; sys.path[:0] = {path!r}\n{IMPORTS}"
        return self.run(space, sys.executable, "-c", begin + program, *arguments)


COLLECTION = "ansible_collections.groundwork.kubernetes.plugins.module_utils._host"
IMPORTS = f"""
import json
from {COLLECTION} import port_listener, port_messages, port_probe
def place(address): return port_messages.Place("udp", address, 7777)
"""
LISTEN = "port_listener.start(sys.argv[1], [place(one) for one in sys.argv[2:]], ['nobody'], 60)"
# Which of the given pods answer to a packet of a size that nobody may divide.
PROBE = """
from concurrent.futures import ThreadPoolExecutor
probe, size = port_probe.Probe(sys.argv[1], 2), int(sys.argv[2])
targets = [port_probe.Target(host, place(address), True, size) for host, address in json.loads(sys.argv[3])]
with ThreadPoolExecutor(8) as pool:
    print(json.dumps(list(pool.map(lambda target: probe.passes(target, size, False), targets))))
"""


def addresses(host: str, version: int) -> tuple[str, str]:
    """The addresses of a host's bridge and of its pod."""
    base = HOSTS[host][2 if version == 4 else 3].rpartition("/")[0]
    base = base.rpartition(".")[0] + "." if version == 4 else base
    return f"{base}1", f"{base}5"


@pytest.fixture
def net() -> Iterator[Net]:
    """The network of the tests."""
    net = Net()
    try:
        build(net)
        yield net
    finally:
        net.close()


def build(net: Net) -> None:
    """Router, hosts, and pods that listen."""
    net.add("r")
    for side, gateways in (
        ("west", ("192.0.2.1/24", "2001:db8:a::1/64")),
        ("east", ("198.51.100.1/24", "2001:db8:b::1/64")),
    ):
        net.run("r", "ip", "link", "add", side, "type", "bridge")
        net.run("r", "ip", "link", "set", side, "up")
        net.address("r", side, *gateways)
    for host, (v4, v6, *_pods) in HOSTS.items():
        side, gateways = (
            ("east", ("198.51.100.1", "2001:db8:b::1")) if host == "c" else ("west", ("192.0.2.1", "2001:db8:a::1"))
        )
        net.add(host)
        net.cable(host, "eth0", "r", f"to-{host}")
        net.run("r", "ip", "link", "set", f"to-{host}", "master", side)
        net.address(host, "eth0", f"{v4}/24", f"{v6}/64")
        for gateway in gateways:
            net.run(host, "ip", "route", "add", "default", "via", gateway)
        net.add(f"pod-{host}")
        net.run(host, "ip", "link", "add", "cni0", "type", "bridge")
        net.run(host, "ip", "link", "set", "cni0", "up")
        net.cable(host, "veth0", f"pod-{host}", "eth0")
        net.run(host, "ip", "link", "set", "veth0", "master", "cni0")
        for version, length in ((4, 24), (6, 64)):
            bridge, own = addresses(host, version)
            net.address(host, "cni0", f"{bridge}/{length}")
            net.address(f"pod-{host}", "eth0", f"{own}/{length}")
            net.run(f"pod-{host}", "ip", "route", "add", "default", "via", bridge)
        net.python(f"pod-{host}", LISTEN, host, addresses(host, 4)[1], addresses(host, 6)[1])


def parameters(host: str, encapsulation: str, **more: Any) -> dict[str, Any]:
    """The module's options for a host, as the role gives them."""
    others = [one for name, one in HOSTS.items() if name != host]
    defaults = {key: option.get("default") for key, option in SPEC.items()}
    routes = [
        {"cidr": cidr, "via": via, "endpoint": v4} for v4, v6, *cidrs in others for cidr, via in zip(cidrs, (v4, v6))
    ]
    own = {"local": HOSTS[host][0], "cidrs": list(HOSTS[host][2:]), "mtu": 1450, "vni": 77, "port": 4789}
    return {**defaults, "routes": routes, "encapsulation": encapsulation, "tunnel": own, **more}


def lead_to(net: Net, host: str, tmp_path: Any, encapsulation: str, **more: Any) -> list[str]:
    """Bring a host to what is asked for, as the module does but for files and service; the lines that it took."""

    def run_command(argv: list[str], data: str | None = None, **_options: Any) -> tuple[int, str, str]:
        if argv[0] == "systemctl":
            return 0, "LoadState=not-found\n", ""
        whole = ["ip", "netns", "exec", net.name(host), *argv]
        done = subprocess.run(whole, input=data, check=False, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    module = SimpleNamespace(run_command=run_command, get_bin_path=lambda name, **_options: name)
    (tmp_path / "proc/sys/net/ipv6").mkdir(parents=True, exist_ok=True)
    machine = pod_routes.RouteHost(cast(AnsibleModule, module), str(tmp_path))
    plan = pod_routes.make_plan(machine, parameters(host, encapsulation, **more))
    for lines in (plan.tunnel_lines, plan.route_lines, plan.last_lines):
        machine.batch(lines)
    return plan.commands


def ways(net: Net, size: int) -> dict[str, bool]:
    """Between which pods packets of a size pass, by both IP versions."""
    found = {}
    for one in HOSTS:
        others = [other for other in HOSTS if other != one]
        targets = [(other, addresses(other, version)[1]) for other in others for version in (4, 6)]
        passed = json.loads(net.python(f"pod-{one}", PROBE, one, str(size), json.dumps(targets)))
        for at, other in enumerate(others):
            found[f"{one}{other}"] = all(passed[2 * at : 2 * at + 2])
    return found


def test_pods_behind_a_router(net: Net, tmp_path: Any) -> None:
    """Each host in turn comes to each kind, twice; what does not fit is left out, and at the end nothing is left."""
    with pytest.raises(pod_routes.RouteError, match="encapsulation cross-subnet"):
        lead_to(net, "a", tmp_path, "never")
    assert not any(ways(net, 1000).values())
    for host in HOSTS:
        assert lead_to(net, host, tmp_path, "cross-subnet")
    assert all(ways(net, 1450).values()), ways(net, 1450)
    large = ways(net, 1500)
    assert {way for way, passes in large.items() if passes} == {"ab", "ba"}
    for host in HOSTS:
        assert lead_to(net, host, tmp_path, "cross-subnet") == []
    # From one kind to another, while the hosts have both for a time: what a strict filter of reverse paths would drop.
    for host in HOSTS:
        net.run(host, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=2")
    for host in HOSTS:
        assert lead_to(net, host, tmp_path, "always")
        assert all(ways(net, 1400).values()), (host, ways(net, 1400))
    assert not any(ways(net, 1500).values())
    for host in HOSTS:
        assert lead_to(net, host, tmp_path, "always") == []
    for host in HOSTS:
        lead_to(net, host, tmp_path, "never", state="absent")
        assert tunnel.DEVICE not in net.run(host, "ip", "link", "show")
        assert "proto 77" not in net.run(host, "ip", "-N", "route", "show", "table", "all")


def test_the_host_itself_reaches_pods(net: Net, tmp_path: Any) -> None:
    """With an address of its own pods' network, so that answers come back by the tunnel."""
    for host in HOSTS:
        lead_to(net, host, tmp_path, "always")
    targets = json.dumps([("c", addresses("c", version)[1]) for version in (4, 6)])
    assert json.loads(net.python("a", PROBE, "a", "1400", targets)) == [True, True]


def test_what_differs_is_mended(net: Net, tmp_path: Any) -> None:
    """A device of other settings is made anew, with all that led by it; lost entries come back."""
    lead_to(net, "a", tmp_path, "always")
    net.run("a", "ip", "link", "del", tunnel.DEVICE)
    net.run("a", "ip", "link", "add", tunnel.DEVICE, "type", "vxlan", "id", "5", "dstport", "4789")
    for host in HOSTS:
        lead_to(net, host, tmp_path, "always")
    assert all(ways(net, 1450).values())
    net.run("a", "ip", "neigh", "flush", "dev", tunnel.DEVICE, "nud", "permanent")
    mac = tunnel.hardware_address(pod_routes.ip_address(HOSTS["c"][0]))
    net.run("a", "bridge", "fdb", "del", mac, "dev", tunnel.DEVICE, "dst", HOSTS["c"][0], "self")
    assert len(lead_to(net, "a", tmp_path, "always")) == 5
    assert all(ways(net, 1450).values())
    # A node that has left.
    less = [one for one in parameters("a", "always")["routes"] if one["endpoint"] != HOSTS["c"][0]]
    gone = lead_to(net, "a", tmp_path, "always", routes=less)
    assert sorted(line.split()[0] for line in gone) == ["fdb", "neigh", "neigh", "route", "route"]
    assert HOSTS["c"][0] not in net.run("a", "bridge", "fdb", "show", "dev", tunnel.DEVICE)


def test_a_device_of_another_program_is_refused(net: Net, tmp_path: Any) -> None:
    """It may be somebody's who has the same taste in names."""
    net.run("a", "ip", "link", "add", tunnel.DEVICE, "type", "bridge")
    with pytest.raises(pod_routes.RouteError, match="of another program"):
        lead_to(net, "a", tmp_path, "always")
