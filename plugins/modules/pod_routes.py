# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes to the pods of other nodes, now and after every boot."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pod_routes
short_description: Routes to the pods of other nodes
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.full]
description:
  - Gives a host one route for each other node, from the node's pod CIDR to the node's address. It is what the reference
    CNI plugin C(bridge) needs between hosts of one network.
  - The routes carry a routing protocol number of their own. Routes with that number that are not asked for any more are
    removed; no route with another number ever is.
  - A route of another program that is asked for, to the same CIDR by the same gateway, is taken over. It gets the
    number and is like any other route of this module from then on. If its metric is another one, it stays beside the
    module's. A route of another program to the same CIDR by another way is an error.
  - Only the main routing table is used.
  - The routes are kept in C(/etc/kubernetes/pod-routes), which C(kubernetes-pod-routes.service) sets at boot, after the
    network is online and before the kubelet starts.
  - All faults are reported at once, before anything is changed.
options:
  routes:
    description:
      - The routes this host has to have, IPv4 and IPv6, without one to its own pods.
      - Required for O(state=present).
    type: list
    elements: dict
    suboptions:
      cidr:
        description: A node's pod CIDR.
        type: str
        required: true
      via:
        description: The node's address, of the same family and in a network this host is attached to.
        type: str
        required: true
  state:
    description:
      - V(present) leads to exactly the routes of O(routes).
      - V(absent) removes all routes with this protocol number, the file and the service. O(routes) is not used then.
    type: str
    choices: [present, absent]
    default: present
  proto:
    description:
      - The routing protocol number that marks the routes, from 5 to 255 without those of other programs.
      - Remove the routes (O(state=absent)) before giving another number, or the old ones count as another program's.
    type: int
    default: 77
notes:
  - systemd-networkd removes other programs' routes from links it sets up, when it starts and when it sets a link up
    again, unless C(networkd.conf) has C(ManageForeignRoutes=no). See
    U(https://www.freedesktop.org/software/systemd/man/latest/networkd.conf.html).
    NetworkManager may do so when a connection is set up again, and the kernel does when an interface goes down.
  - The service is bound to those programs by C(PartOf), so a restart of one sets the routes again. After a reload, or
    after an interface was down, run C(systemctl restart kubernetes-pod-routes).
  - Needs iproute2 with C(-Numeric), which is 5.2 or later, and systemd.
seealso:
  - module: groundwork.kubernetes.bridge_nf
"""

EXAMPLES = r"""
- name: Route to the pods of two other nodes
  groundwork.kubernetes.pod_routes:
    routes:
      - cidr: 10.244.1.0/24
        via: 192.0.2.11
      - cidr: 10.244.2.0/24
        via: 192.0.2.12

- name: Remove all routes to pods
  groundwork.kubernetes.pod_routes:
    state: absent
"""

RETURN = r"""
commands:
  description: The lines that were, or would be, given to C(ip -batch).
  type: list
  elements: str
  returned: success
  sample: [route replace 10.244.1.0/24 via 192.0.2.11 proto 77]
changed_paths:
  description: Files that were, or would be, written or removed.
  type: list
  elements: str
  returned: success
  sample: [/etc/kubernetes/pod-routes]
"""

import os
import re
from dataclasses import dataclass
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import routes as routes_utils
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.diff import diff_lines
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import (
    FileChange,
    apply_file,
    diffs,
    plan_file,
)

ROOT = "/"  # tests put a folder here
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
CapabilityBoundingSet=CAP_NET_ADMIN
LockPersonality=yes
MemoryDenyWriteExecute=yes
NoNewPrivileges=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectSystem=strict
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
UMask=0077

[Install]
WantedBy=multi-user.target
"""
)

SPEC: Dict[str, Any] = {
    "routes": {
        "type": "list",
        "elements": "dict",
        "options": {"cidr": {"type": "str", "required": True}, "via": {"type": "str", "required": True}},
    },
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "proto": {"type": "int", "default": 77},
}


@dataclass(frozen=True)
class Plan:
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


class Host:
    """The programs that know a host's routes and services."""

    def __init__(self, module: AnsibleModule) -> None:
        """Find the programs.

        Args:
            module: runs them.
        """
        self.module = module
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
            raise routes_utils.RouteError(f"{' '.join(command)} failed with exit code {rc}: {(err or out).strip()}")
        return str(out)

    def routes(self) -> List[routes_utils.Running]:
        """The main table, of both families where the kernel has both."""
        versions = [4, 6] if os.path.exists(os.path.join(ROOT, "proc/sys/net/ipv6")) else [4]
        return [
            route
            for version in versions
            for route in routes_utils.parse_routes(
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
            RouteError: with what the kernel said of each line that failed.
        """
        try:
            self.run(self.ip, "-force", "-batch", "-", stdin="".join(f"{line}\n" for line in lines))
        except routes_utils.RouteError as error:
            named = re.sub(r"Command failed -:(\d+)", lambda found: f"in: {lines[int(found.group(1)) - 1]}", str(error))
            raise routes_utils.RouteError(named) from error


def make_plan(host: Host, parameters: Dict[str, Any]) -> Plan:
    """Compare the host with what is asked for.

    Raises:
        RouteError: where the options are bad or the host cannot have these routes.
    """
    proto, present = parameters["proto"], parameters["state"] == "present"
    wanted = routes_utils.parse_wanted((parameters["routes"] or []) if present else [], proto)
    running = host.routes()
    own_addresses = routes_utils.parse_addresses(host.run(host.ip, "-json", "address", "show")) if wanted else set()
    routes_utils.check_host(wanted, running, own_addresses, proto)
    lines = routes_utils.commands(wanted, running, proto)
    routes_file, unit_file = os.path.join(ROOT, ROUTES_FILE), os.path.join(ROOT, UNIT_FILE)
    unit = UNIT.format(ip=host.ip, path=f"/{ROUTES_FILE}").encode()
    return Plan(
        before=[str(route) for route in routes_utils.concerned(wanted, running, proto)] if lines else [],
        after=[f"{route} proto {proto}" for route in wanted] if lines else [],
        commands=lines,
        files=[
            plan_file(routes_file, routes_utils.batch_file(wanted, proto, HEADER) if present else None),
            plan_file(unit_file, unit if present else None),
        ],
        service_before=host.service(),
        service_after=WHOLE if present else "absent",
    )


def apply(host: Host, plan: Plan, present: bool) -> None:
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


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=SPEC, required_if=[("state", "present", ["routes"])], supports_check_mode=True)
    try:
        host = Host(module)
        plan = make_plan(host, module.params)
        if plan.changed and not module.check_mode:
            apply(host, plan, module.params["state"] == "present")
    except routes_utils.RouteError as error:
        module.fail_json(msg=str(error))
    result: Dict[str, Any] = {
        "changed": plan.changed,
        "commands": plan.commands,
        "changed_paths": [change.path for change in plan.files if change.changed],
    }
    if module._diff:
        result["diff"] = plan.diff()
    module.exit_json(**result)


if __name__ == "__main__":
    main()
