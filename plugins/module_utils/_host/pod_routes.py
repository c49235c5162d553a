# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routes to the pods of other nodes on a host: what differs, and how it is set now and at every boot."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.confinement import confinement
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.diff import diff_lines
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import (
    FileChange,
    apply_file,
    diffs,
    plan_file,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.routes import (
    RouteError,
    Running,
    batch_file,
    check_host,
    commands,
    concerned,
    parse_addresses,
    parse_routes,
    parse_wanted,
)

HEADER = "# Written by groundwork.kubernetes.pod_routes; changes made here are lost.\n"
ROUTES_FILE = "etc/kubernetes/pod-routes"
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
ExecStart={ip} -force -batch {path}
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
    commands: List[str]  # lines of ip -batch
    files: List[FileChange]
    service_before: str
    service_after: str

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
            *diff_lines("running routes", self.before, self.after),
            *diff_lines(SERVICE, [self.service_before], [self.service_after]),
            *diffs(self.files),
        ]


def unit_text(ip: str) -> str:
    """The service that sets the routes at boot.

    Args:
        ip: the path of the program ip.
    """
    return UNIT.format(ip=ip, path=f"/{ROUTES_FILE}", confinement=confinement(UNIT_CONFINEMENT))


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

    def batch(self, lines: List[str]) -> None:
        """Run lines by ip, also those after one that fails.

        Raises:
            RouteError: with the kernel's message for each line that failed.
        """
        try:
            self.run(self.ip, "-force", "-batch", "-", stdin="".join(f"{line}\n" for line in lines))
        except RouteError as error:
            named = re.sub(r"Command failed -:(\d+)", lambda found: f"in: {lines[int(found.group(1)) - 1]}", str(error))
            raise RouteError(named) from error


def make_plan(host: RouteHost, parameters: Dict[str, Any]) -> RoutePlan:
    """Compare the host with what is asked for.

    Raises:
        RouteError: where the options are bad or the host cannot have these routes.
    """
    proto, present = parameters["proto"], parameters["state"] == "present"
    wanted = parse_wanted((parameters["routes"] or []) if present else [], proto)
    running = host.routes()
    own_addresses = parse_addresses(host.run(host.ip, "-json", "address", "show")) if wanted else set()
    check_host(wanted, running, own_addresses, proto)
    lines = commands(wanted, running, proto)
    routes_file, unit_file = os.path.join(host.root, ROUTES_FILE), os.path.join(host.root, UNIT_FILE)
    unit = unit_text(host.ip).encode()
    return RoutePlan(
        before=[str(route) for route in concerned(wanted, running, proto)] if lines else [],
        after=[f"{route} proto {proto}" for route in wanted] if lines else [],
        commands=lines,
        files=[
            plan_file(routes_file, batch_file(wanted, proto, HEADER) if present else None),
            plan_file(unit_file, unit if present else None),
        ],
        service_before=host.service(),
        service_after=WHOLE if present else "absent",
    )


def apply(host: RouteHost, plan: RoutePlan, present: bool) -> None:
    """Routes first: what the kernel refuses is not kept for the next boot.

    Raises:
        RouteError: with all routes the kernel refused, or what systemd complained of.
    """
    if plan.commands:
        host.batch(plan.commands)
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
