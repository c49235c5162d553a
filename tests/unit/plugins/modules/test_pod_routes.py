"""The module pod_routes on a host whose ip and systemctl are played; its files are real."""

from __future__ import annotations

import json
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import tunnel
from ansible_collections.groundwork.kubernetes.plugins.modules import pod_routes

Run = Callable[..., dict[str, Any]]
SERVICE = "kubernetes-pod-routes.service"
ROUTES = [{"cidr": "10.244.2.0/24", "via": "10.0.0.3"}, {"cidr": "10.244.1.0/24", "via": "10.0.0.2"}]
LINES = ["route replace 10.244.1.0/24 via 10.0.0.2 proto 77", "route replace 10.244.2.0/24 via 10.0.0.3 proto 77"]

SHOW4 = ["/sbin/ip", "-Numeric", "-json", "-4", "route", "show", "table", "main"]
SHOW6 = ["/sbin/ip", "-Numeric", "-json", "-6", "route", "show", "table", "main"]
ADDRESSES = ["/sbin/ip", "-json", "-details", "address", "show"]
STATE = ["/sbin/systemctl", "show", SERVICE, "--property=LoadState,UnitFileState,ActiveState,NeedDaemonReload"]
BATCH = ["/sbin/ip", "-force", "-batch", "-"]
BRIDGE_BATCH = ["/sbin/bridge", "-force", "-batch", "-"]
NEIGHBOURS = ["/sbin/ip", "-json", "neigh", "show", "dev", "pod-vxlan", "nud", "permanent"]
FORWARDING = ["/sbin/bridge", "-json", "fdb", "show", "dev", "pod-vxlan"]
RELOAD = ["/sbin/systemctl", "daemon-reload"]
ENABLE = ["/sbin/systemctl", "enable", "--now", SERVICE]
DISABLE = ["/sbin/systemctl", "disable", "--now", SERVICE]
READS = [SHOW4, SHOW6, ADDRESSES, STATE]


class Host:
    """A host's routing table and one service, moved by ip and systemctl."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.routes: dict[str, dict[str, Any]] = {
            "10.0.0.0/24": {"dst": "10.0.0.0/24", "dev": "eth0", "protocol": "2", "flags": []}
        }
        self.service = {"LoadState": "not-found", "UnitFileState": "", "ActiveState": "inactive"}
        self.calls: list[list[str]] = []
        self.links: list[dict[str, Any]] = []
        self.lines: list[str] = []
        self.refused = ""
        (root / "proc/sys/net/ipv6").mkdir(parents=True)

    def files(self) -> dict[str, str]:
        return {str(path.relative_to(self.root)): path.read_text() for path in self.root.rglob("*") if path.is_file()}

    def run_command(self, argv: list[str], data: str | None) -> tuple[int, str, str]:
        self.calls.append(argv)
        if argv == SHOW4:
            return 0, json.dumps(list(self.routes.values())), ""
        if argv in (SHOW6, NEIGHBOURS, FORWARDING):
            return 0, "[ ]\n", ""
        if argv == ADDRESSES:
            return (
                0,
                json.dumps([{"ifname": "eth0", "mtu": 1500, "addr_info": [{"local": "10.0.0.1"}]}, *self.links]),
                "",
            )
        if argv == BATCH:
            return self.batch(data or "")
        if argv == BRIDGE_BATCH:
            self.lines += (data or "").splitlines()
            return 0, "", ""
        return self.systemctl(argv)

    def batch(self, lines: str) -> tuple[int, str, str]:
        errors = ""
        for number, line in enumerate(lines.splitlines(), 1):
            noun, verb, dst, *rest = line.split()
            if noun != "route":
                self.lines.append(line)
            elif verb == "del":
                del self.routes[dst]
            elif dst == self.refused:
                errors += f"Error: Nexthop has invalid gateway.\nCommand failed -:{number}\n"
            else:
                self.routes[dst] = {"dst": dst, "gateway": rest[1], "dev": "eth0", "protocol": rest[3], "flags": []}
        return int(bool(errors)), "", errors

    def systemctl(self, argv: list[str]) -> tuple[int, str, str]:
        if argv == ENABLE:
            self.service = {"LoadState": "loaded", "UnitFileState": "enabled", "ActiveState": "active"}
        elif argv == DISABLE:
            self.service = {"LoadState": "loaded", "UnitFileState": "disabled", "ActiveState": "inactive"}
        elif argv == RELOAD:
            if not (self.root / "etc/systemd/system" / SERVICE).exists():
                self.service = {"LoadState": "not-found", "UnitFileState": "", "ActiveState": "inactive"}
            self.service.pop("NeedDaemonReload", None)
        elif argv != STATE:
            return 1, "", f"unexpected: {argv}"
        return 0, "".join(f"{key}={value}\n" for key, value in self.service.items()), ""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path)
    monkeypatch.setattr(pod_routes, "ROOT", str(tmp_path))
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda _module, name, *_a, **_k: f"/sbin/{name}")
    monkeypatch.setattr(
        AnsibleModule, "run_command", lambda _module, argv, data=None, **_k: host.run_command(argv, data)
    )
    return host


def test_from_nothing_and_again(host: Host, run_module: Run) -> None:
    result = run_module(pod_routes, routes=ROUTES)
    assert result["changed"], result
    assert result["commands"] == LINES
    assert host.calls == [*READS, BATCH, RELOAD, ENABLE]
    files = host.files()
    assert files["etc/kubernetes/pod-routes"].splitlines()[1:] == LINES
    unit = files[f"etc/systemd/system/{SERVICE}"]
    assert "ExecStart=/sbin/ip -force -batch /etc/kubernetes/pod-routes\n" in unit
    assert "Before=kubelet.service\n" in unit
    for check in (False, True):
        host.calls.clear()
        again = run_module(pod_routes, routes=ROUTES, _ansible_check_mode=check, _ansible_diff=True)
        assert (again["changed"], again["commands"], again["changed_paths"], again["diff"]) == (False, [], [], [])
        assert host.calls == READS


def test_check_mode_shows_all_and_changes_nothing(host: Host, run_module: Run) -> None:
    routes = dict(host.routes)
    result = run_module(pod_routes, routes=ROUTES, _ansible_check_mode=True, _ansible_diff=True)
    assert result["changed"], result
    assert result["commands"] == LINES
    assert [entry["before_header"] for entry in result["diff"]] == [
        "running routes",
        SERVICE,
        str(host.root / "etc/kubernetes/pod-routes"),
        str(host.root / "etc/systemd/system" / SERVICE),
    ]
    assert result["diff"][0]["after"] == "10.244.1.0/24 via 10.0.0.2 proto 77\n10.244.2.0/24 via 10.0.0.3 proto 77\n"
    assert (host.calls, host.files(), host.routes) == (READS, {}, routes)


def test_changed_and_stale_routes(host: Host, run_module: Run) -> None:
    run_module(pod_routes, routes=ROUTES)
    host.routes["172.30.0.0/16"] = {"dst": "172.30.0.0/16", "gateway": "10.0.0.9", "protocol": "12", "flags": []}
    host.calls.clear()
    result = run_module(pod_routes, routes=[{"cidr": "10.244.2.0/24", "via": "10.0.0.4"}], _ansible_diff=True)
    assert result["commands"] == [
        "route replace 10.244.2.0/24 via 10.0.0.4 proto 77",
        "route del 10.244.1.0/24 via 10.0.0.2 proto 77",
    ]
    assert host.calls == [*READS, BATCH]  # the service stays as it is
    assert sorted(host.routes) == ["10.0.0.0/24", "10.244.2.0/24", "172.30.0.0/16"]
    assert result["diff"][0]["before"] == "10.244.1.0/24 via 10.0.0.2 proto 77\n10.244.2.0/24 via 10.0.0.3 proto 77\n"


def test_takes_over_what_is_there_already(host: Host, run_module: Run) -> None:
    host.routes["10.244.1.0/24"] = {
        "dst": "10.244.1.0/24", "gateway": "10.0.0.2", "dev": "eth0", "protocol": "4", "flags": []
    }  # fmt: skip
    result = run_module(pod_routes, routes=ROUTES, _ansible_diff=True)
    assert result["commands"] == LINES, result
    assert result["diff"][0]["before"] == "10.244.1.0/24 via 10.0.0.2 proto 4\n"
    assert run_module(pod_routes, routes=ROUTES)["changed"] is False
    # It is one of ours from then on.
    assert run_module(pod_routes, routes=ROUTES[:1])["commands"] == ["route del 10.244.1.0/24 via 10.0.0.2 proto 77"]
    host.routes["10.244.2.0/24"]["protocol"] = "4"
    assert run_module(pod_routes, state="absent")["commands"] == []


@pytest.mark.parametrize(
    ("service", "calls"),
    [
        ({"UnitFileState": "disabled"}, [RELOAD, ENABLE]),
        ({"ActiveState": "failed"}, [RELOAD, ENABLE]),
        ({"NeedDaemonReload": "yes"}, [RELOAD, ENABLE]),
    ],
)
def test_repairs_the_service(host: Host, run_module: Run, service: dict[str, str], calls: list[list[str]]) -> None:
    run_module(pod_routes, routes=ROUTES)
    host.service.update(service)
    host.calls.clear()
    assert run_module(pod_routes, routes=ROUTES)["changed"] is True
    assert host.calls == [*READS, *calls]
    assert run_module(pod_routes, routes=ROUTES)["changed"] is False


def test_absent(host: Host, run_module: Run) -> None:
    run_module(pod_routes, routes=ROUTES)
    host.calls.clear()
    assert run_module(pod_routes, state="absent", _ansible_check_mode=True)["changed"] is True
    assert host.calls == READS
    host.calls.clear()
    assert run_module(pod_routes, state="absent")["changed"] is True
    assert host.calls == [*READS, BATCH, DISABLE, RELOAD]
    assert host.files() == {}
    assert list(host.routes) == ["10.0.0.0/24"]
    assert run_module(pod_routes, state="absent")["changed"] is False


def test_no_other_nodes(host: Host, run_module: Run) -> None:
    assert run_module(pod_routes, routes=[])["commands"] == []
    assert run_module(pod_routes, routes=[])["changed"] is False


def test_kernel_without_ipv6(host: Host, run_module: Run) -> None:
    (host.root / "proc/sys/net/ipv6").rmdir()
    assert run_module(pod_routes, routes=ROUTES)["changed"] is True
    assert SHOW6 not in host.calls


def test_refused_by_the_kernel(host: Host, run_module: Run) -> None:
    host.refused = "10.244.2.0/24"
    result = run_module(pod_routes, routes=ROUTES)
    assert result["failed"]
    assert f"Nexthop has invalid gateway.\nin: {LINES[1]}" in result["msg"]
    assert host.files() == {}
    host.refused = ""
    assert run_module(pod_routes, routes=ROUTES)["commands"] == [LINES[1]]


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        ({}, ["state is present but all of the following are missing: routes"]),
        ({"routes": [{"cidr": "x", "via": "y"}], "proto": 2}, ["proto: 2", "cidr 'x'", "via 'y'"]),
        (
            {"routes": [{"cidr": "10.0.0.0/24", "via": "10.9.0.1"}, {"cidr": "10.244.1.0/24", "via": "10.0.0.1"}]},
            ["10.9.0.1 is in no network", "10.0.0.1 is this host's own", "10.0.0.0/24 dev eth0 proto 2"],
        ),
    ],
)
def test_faults_change_nothing(host: Host, run_module: Run, options: dict[str, Any], messages: list[str]) -> None:
    routes = dict(host.routes)
    result = run_module(pod_routes, **options)
    assert result["failed"]
    for message in messages:
        assert message in result["msg"]
    assert (host.files(), host.routes) == ({}, routes)
    assert BATCH not in host.calls


def test_program_that_fails(host: Host, run_module: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "systemctl", lambda _argv: (1, "", "System has not been booted with systemd\n"))
    result = run_module(pod_routes, routes=ROUTES)
    assert "systemctl show" in result["msg"]
    assert "System has not been booted with systemd" in result["msg"]


FAR = {"cidr": "10.244.2.0/24", "via": "192.0.2.3", "endpoint": "192.0.2.3"}
NEAR = {"cidr": "10.244.1.0/24", "via": "10.0.0.2", "endpoint": "10.0.0.2"}
TUNNEL = {"local": "10.0.0.1", "cidrs": ["10.244.0.0/24"], "mtu": 1450}
ADD = "link add pod-vxlan address {mac} mtu 1450 type vxlan id 77 local 10.0.0.1 dstport 4789 nolearning"


def mac(address: str) -> str:
    return tunnel.hardware_address(ip_address(address))


def test_a_tunnel_for_what_is_behind_a_router(host: Host, run_module: Run) -> None:
    result = run_module(pod_routes, routes=[NEAR, FAR], encapsulation="cross-subnet", tunnel=TUNNEL)
    assert result["commands"] == [
        ADD.format(mac=mac("10.0.0.1")),
        "link set pod-vxlan up",
        "address replace 10.244.0.0/32 dev pod-vxlan",
        f"neigh replace 10.244.2.0 lladdr {mac('192.0.2.3')} dev pod-vxlan nud permanent",
        f"fdb replace {mac('192.0.2.3')} dev pod-vxlan dst 192.0.2.3 self",
        "route replace 10.244.1.0/24 via 10.0.0.2 proto 77",
        "route replace 10.244.2.0/24 via 10.244.2.0 dev pod-vxlan onlink proto 77",
    ]
    files = host.files()
    unit = files[f"etc/systemd/system/{SERVICE}"]
    assert f"ExecStartPre=-/sbin/ip {ADD.format(mac=mac('10.0.0.1'))}\n" in unit
    assert "ExecStartPre=/sbin/bridge -force -batch /etc/kubernetes/pod-forwarding\n" in unit
    assert files["etc/kubernetes/pod-forwarding"].splitlines()[1:] == [result["commands"][4]]
    assert files["etc/kubernetes/pod-routes"].splitlines()[1:] == [*result["commands"][2:4], *result["commands"][5:]]


def test_a_tunnel_alone_changes_no_route(host: Host, run_module: Run) -> None:
    options = {"routes": [NEAR, FAR], "encapsulation": "always", "tunnel": TUNNEL, "tunnel_only": True}
    result = run_module(pod_routes, **options)
    assert [line.split()[0] for line in result["commands"]] == ["link", "link", "address", *["neigh"] * 2, *["fdb"] * 2]
    assert (host.files(), list(host.routes)) == ({}, ["10.0.0.0/24"])


@pytest.mark.parametrize(("keep", "gone"), [(True, []), (False, ["link del pod-vxlan"])])
def test_a_tunnel_that_nobody_wants(host: Host, run_module: Run, keep: bool, gone: list[str]) -> None:
    host.links.append({"ifname": "pod-vxlan", "linkinfo": {"info_kind": "vxlan"}})
    result = run_module(pod_routes, routes=[NEAR], keep_tunnel=keep)
    assert result["commands"] == ["route replace 10.244.1.0/24 via 10.0.0.2 proto 77", *gone]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"routes": [FAR]}, "encapsulation cross-subnet"),
        ({"routes": [FAR], "encapsulation": "always"}, "missing: tunnel"),
        (
            {"routes": [FAR], "encapsulation": "always", "tunnel": {**TUNNEL, "local": "10.0.0.9"}},
            "10.0.0.9 is no address",
        ),
        ({"routes": [FAR], "encapsulation": "always", "tunnel": {**TUNNEL, "local": "node-1"}}, "'node-1' does not"),
        ({"routes": [{**FAR, "endpoint": None}], "encapsulation": "always", "tunnel": TUNNEL}, "has no endpoint"),
        ({"routes": [{**FAR, "endpoint": "x"}], "encapsulation": "always", "tunnel": TUNNEL}, "endpoint 'x' is no"),
        ({"routes": [{**FAR, "endpoint": "fd00::1"}], "encapsulation": "always", "tunnel": TUNNEL}, "same family"),
        ({"routes": [{**FAR, "endpoint": "10.0.0.1"}], "encapsulation": "always", "tunnel": TUNNEL}, "this host's own"),
    ],
)
def test_faults_of_a_tunnel(host: Host, run_module: Run, options: dict[str, Any], message: str) -> None:
    result = run_module(pod_routes, **options)
    assert message in result["msg"]
    assert (host.files(), host.lines, BATCH in host.calls) == ({}, [], False)
