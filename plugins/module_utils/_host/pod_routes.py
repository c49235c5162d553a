# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routes to the pods of other nodes on a host: what differs, and how it is set now and at every boot."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import tunnel as tunnels
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.confinement import confinement
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.diff import diff_lines
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import (
    FileChange,
    apply_file,
    diffs,
    plan_file,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.routes import (
    Attached,
    Route,
    RouteError,
    Running,
    batch_file,
    check_host,
    commands,
    concerned,
    parse_routes,
    parse_wanted,
)

HEADER = "# Written by groundwork.kubernetes.pod_routes; changes made here are lost.\n"
ROUTES_FILE = "etc/kubernetes/pod-routes"
FORWARDING_FILE = "etc/kubernetes/pod-forwarding"
SERVICE = "kubernetes-pod-routes.service"
UNIT_FILE = f"etc/systemd/system/{SERVICE}"
WHOLE = "enabled, active"  # the service as it should be
UNIT = (
    HEADER
    + """\
[Unit]
Description=Routes to the pods of other Kubernetes nodes
Documentation=man:ip-route(8)
Wants=network-online.target
After=network-online.target systemd-networkd.service NetworkManager.service networking.service
PartOf=systemd-networkd.service NetworkManager.service networking.service
Before=kubelet.service

[Service]
Type=oneshot
RemainAfterExit=yes
{tunnel}ExecStart={ip} -force -batch {path}
{confinement}
[Install]
WantedBy=multi-user.target
"""
)
UNIT_CONFINEMENT = {
    "CapabilityBoundingSet": "CAP_NET_ADMIN",
    "MemoryDenyWriteExecute": "true",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_NETLINK AF_UNIX",
}


@dataclass(frozen=True)
class RoutePlan:
    """What differs from what was asked for."""

    before: List[str]  # own routes
    after: List[str]
    tunnel_lines: List[str]  # lines of ip -batch and bridge -batch, before the routes
    route_lines: List[str]
    last_lines: List[str]
    files: List[FileChange]
    service_before: str
    service_after: str

    @property
    def commands(self) -> List[str]:
        """All lines, in the order in which they are given."""
        return [*self.tunnel_lines, *self.route_lines, *self.last_lines]

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.commands or self.service_changed or any(change.changed for change in self.files))

    @property
    def service_changed(self) -> bool:
        """Whether the service has to be enabled and started, or stopped and disabled."""
        return self.service_before != self.service_after

    def diff(self) -> List[Dict[str, Any]]:
        """Running routes, files and the service's state, where they differ."""
        return [
            *diff_lines("tunnel", [], [*self.tunnel_lines, *self.last_lines]),
            *diff_lines("running routes", self.before, self.after),
            *diff_lines(SERVICE, [self.service_before], [self.service_after]),
            *diffs(self.files),
        ]


def unit_text(ip: str, bridge: str = "", tunnel: Optional[tunnels.Tunnel] = None) -> str:
    """The service that sets the routes at boot.

    Args:
        ip: the path of the program ip.
        bridge: that of the program bridge, where there is a tunnel.
        tunnel: what some of the routes lead by.
    """
    # The device is there already where the service is started again. It comes up before its forwarding entries are set.
    lines = (
        f"ExecStartPre=-{ip} {tunnel.add()}\n"
        f"ExecStartPre={ip} link set {tunnels.DEVICE} up\n"
        f"ExecStartPre={bridge} -force -batch /{FORWARDING_FILE}\n"
        if tunnel
        else ""
    )
    return UNIT.format(ip=ip, path=f"/{ROUTES_FILE}", tunnel=lines, confinement=confinement(UNIT_CONFINEMENT))


class RouteHost:
    """The programs that know a host's routes and services."""

    def __init__(self, module: AnsibleModule, root: str) -> None:
        """Find the programs.

        Args:
            module: runs them.
            root: what stands before the paths of files.
        """
        self.module, self.root = module, root
        # The path goes into the unit: the same one whatever the PATH of this run.
        self.ip = module.get_bin_path("ip", required=True, opt_dirs=["/usr/sbin", "/sbin"])
        self.bridge: Optional[str] = module.get_bin_path("bridge", opt_dirs=["/usr/sbin", "/sbin"])
        self.systemctl = module.get_bin_path("systemctl", required=True)

    def run(self, *command: str, stdin: str = "") -> str:
        """Standard output of a command.

        Raises:
            RouteError: with what it complained of.
        """
        rc, out, err = self.module.run_command(list(command), data=stdin or None, expand_user_and_vars=False)
        if rc != 0:
            raise RouteError(f"{' '.join(command)} failed with exit code {rc}: {(err or out).strip()}")
        return str(out)

    def routes(self) -> List[Running]:
        """The main table, of both families where the kernel has both."""
        versions = [4, 6] if os.path.exists(os.path.join(self.root, "proc/sys/net/ipv6")) else [4]
        return [
            route
            for version in versions
            for route in parse_routes(
                self.run(self.ip, "-Numeric", "-json", f"-{version}", "route", "show", "table", "main"), version
            )
        ]

    def service(self) -> str:
        """The service's state as WHOLE, or what it is instead, or "absent" where there is none."""
        out = self.run(
            self.systemctl, "show", SERVICE, "--property=LoadState,UnitFileState,ActiveState,NeedDaemonReload"
        )
        state = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
        if state.get("LoadState") == "not-found":
            return "absent"
        stale = ", changed on disk" if state.get("NeedDaemonReload") == "yes" else ""
        return f"{state.get('UnitFileState') or 'disabled'}, {state.get('ActiveState')}{stale}"

    def links(self) -> List[Dict[str, Any]]:
        """The host's links with their addresses."""
        return tunnels.parse_links(self.run(self.ip, "-json", "-details", "address", "show"))

    def tunnel(self, links: List[Dict[str, Any]]) -> tunnels.Found:
        """What the host has of the tunnel."""
        link = next((link for link in links if link["ifname"] == tunnels.DEVICE), None)
        if link is None:
            return tunnels.Found()
        if tunnels.kind(link) != "vxlan":
            raise RouteError(f"{tunnels.DEVICE} is a device of another program: remove or rename it")
        device = ("dev", tunnels.DEVICE)
        return tunnels.Found(
            link,
            tunnels.parse_neighbours(self.run(self.ip, "-json", "neigh", "show", *device, "nud", "permanent")),
            tunnels.parse_forwarding(self.run(self.forwarder, "-json", "fdb", "show", *device)),
        )

    @property
    def forwarder(self) -> str:
        """The program bridge.

        Raises:
            RouteError: where the host has none.
        """
        if not self.bridge:
            raise RouteError("the program bridge is missing, which iproute2 brings: install all of it")
        return self.bridge

    def batch(self, lines: List[str]) -> None:
        """Run lines by ip, and those that begin with fdb by bridge, also those after one that fails.

        Raises:
            RouteError: with the kernel's message for each line that failed.
        """
        forwarding = [line for line in lines if line.startswith("fdb ")]
        for program, own in ((self.ip, [line for line in lines if line not in forwarding]), ("", forwarding)):
            if own:
                self._batch(program or self.forwarder, own)

    def _batch(self, program: str, lines: List[str]) -> None:
        try:
            self.run(program, "-force", "-batch", "-", stdin="".join(f"{line}\n" for line in lines))
        except RouteError as error:
            named = re.sub(r"Command failed -:(\d+)", lambda found: f"in: {lines[int(found.group(1)) - 1]}", str(error))
            raise RouteError(named) from error


def parse_tunnel(options: Dict[str, Any], link: Optional[Dict[str, Any]]) -> tunnels.Tunnel:
    """The tunnel of the module's options; where they have no MTU, with that of the device that is there.

    Raises:
        RouteError: with what is no address.
    """
    try:
        return tunnels.Tunnel(
            local=ip_address(options["local"]),
            addresses=tunnels.addresses_of(ip_network(cidr) for cidr in options["cidrs"]),
            mtu=options["mtu"] or (link or {}).get("mtu") or tunnels.DEFAULT_MTU,
            vni=options["vni"],
            port=options["port"],
        )
    except ValueError as error:
        raise RouteError(f"tunnel: {error}") from error


@dataclass(frozen=True)
class Wish:
    """What is asked for, with all that the host has in mind.

    Attributes:
        routes: those that are set now.
        boot: the lines of ip -batch at boot before those of the routes.
        lines: what is done with the tunnel before and after the routes are set.
        running: the routes that will be there then.
        tunnel: the device at boot.
    """

    routes: List[Route]
    boot: List[str]
    lines: tunnels.Lines
    running: List[Running]
    tunnel: Optional[tunnels.Tunnel]


def wish(host: RouteHost, parameters: Dict[str, Any], routes: List[Route], running: List[Running]) -> Wish:
    """Decide which routes lead by the tunnel, and what becomes of it.

    Raises:
        RouteError: where the host cannot have what is asked for.
    """
    links = host.links()
    own = {address for link in links for address in tunnels.link_addresses(link)}
    found = host.tunnel(links)
    encapsulation, tunnel = parameters["encapsulation"], None
    if parameters["state"] == "present" and encapsulation != "never":
        tunnel = parse_tunnel(parameters["tunnel"], found.link)
        tunnels.check(tunnel, routes, own)
        routes = tunnels.through(routes, encapsulation == "always", Attached(running))
    check_host(routes, running, own, parameters["proto"])
    if tunnel is None:
        gone = [] if found.link is None or parameters["keep_tunnel"] else [f"link del {tunnels.DEVICE}"]
        return Wish(routes, [], tunnels.Lines([], gone), running, None)
    lines = tunnels.lines(tunnel, routes, found)
    left = tunnels.without_device(running) if tunnels.is_made_anew(lines) else running
    return Wish(routes, tunnels.boot_lines(tunnel, routes), lines, left, tunnel)


def make_plan(host: RouteHost, parameters: Dict[str, Any]) -> RoutePlan:
    """Compare the host with what is asked for.

    Raises:
        RouteError: where the options are bad or the host cannot have these routes.
    """
    proto, present = parameters["proto"], parameters["state"] == "present"
    asked = parse_wanted((parameters["routes"] or []) if present else [], proto)
    running = host.routes()
    wanted = wish(host, parameters, asked, running)
    if parameters["tunnel_only"]:
        return RoutePlan([], [], [*wanted.lines.before], [], [], [], "", "")
    routes = wanted.routes
    lines = commands(routes, wanted.running, proto)
    unit = unit_text(host.ip, host.forwarder if wanted.tunnel else "", wanted.tunnel).encode()
    forwarding = "".join(f"{line}\n" for line in tunnels.boot_forwarding(routes))
    files = {
        ROUTES_FILE: batch_file(routes, proto, HEADER + "".join(f"{line}\n" for line in wanted.boot))
        if present
        else None,
        UNIT_FILE: unit if present else None,
        FORWARDING_FILE: (HEADER + forwarding).encode() if wanted.tunnel else None,
    }
    return RoutePlan(
        before=[str(route) for route in concerned(routes, running, proto)] if lines else [],
        after=[f"{route} proto {proto}" for route in routes] if lines else [],
        tunnel_lines=wanted.lines.before,
        route_lines=lines,
        last_lines=wanted.lines.after,
        files=[plan_file(os.path.join(host.root, path), content) for path, content in files.items()],
        service_before=host.service(),
        service_after=WHOLE if present else "absent",
    )


def apply(host: RouteHost, plan: RoutePlan, present: bool) -> None:
    """Routes first: what the kernel refuses is not kept for the next boot.

    Raises:
        RouteError: with all routes the kernel refused, or what systemd complained of.
    """
    host.batch(plan.tunnel_lines)
    host.batch(plan.route_lines)
    host.batch(plan.last_lines)
    if not plan.files:
        return
    unit = plan.files[1]
    if not present and unit.before is not None:
        host.run(host.systemctl, "disable", "--now", SERVICE)
    for change in plan.files:
        apply_file(host.module, change)
    if unit.changed or plan.service_changed:
        host.run(host.systemctl, "daemon-reload")
    if present and plan.service_changed:
        # A service that failed at boot, because a node was away, is started again.
        host.run(host.systemctl, "enable", "--now", SERVICE)
