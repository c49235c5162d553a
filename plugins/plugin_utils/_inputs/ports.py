# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports of Kubernetes: which a host's programs are to listen on, two programs on one, and strangers on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.port_listener import PROCESS as LISTENER
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.ports import (
    API_SERVER,
    LOOPBACK_PORTS,
    PORTS,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    CONTROL_PLANE,
    HostInput,
    Inputs,
    Node,
)

# The kernel shows so many characters of a process' name.
PROCESS_NAME = 15
BALANCER = "haproxy"


def wanted_ports(roles: Sequence[str], settings: Mapping[str, Any]) -> list[tuple[int, str]]:
    """The ports that a host's part of the cluster listens on, each with the program that does.

    Args:
        roles: what the host is in the cluster.
        settings: kubernetes_api_port, kubernetes_proxy_mode, and balancer_ports, which is empty where no HAProxy runs.
    """
    wanted = {(port, program) for role in roles for port, program in PORTS.get(role, {}).items()}
    if settings.get("kubernetes_proxy_mode") == "none":
        wanted = {(port, program) for port, program in wanted if program != "kube-proxy"}
    if CONTROL_PLANE in roles:
        wanted.add((int(settings.get("kubernetes_api_port") or 6443), API_SERVER))
    wanted |= {(int(port), BALANCER) for port in settings.get("balancer_ports") or []}
    return sorted(wanted)


def port_settings(host: HostInput, inputs: Inputs) -> dict[str, Any]:
    """The ports of the API server and of HAProxy on a host."""
    return {
        "kubernetes_api_port": host.port("kubernetes_api_port", 6443),
        "balancer_ports": sorted(inputs.balancer_ports(host)),
    }


def port_clashes(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Programs of a host that are to listen on one port."""
    roles = inputs.roles_of(host.name)
    programs: dict[int, set[str]] = defaultdict(set)
    for port, program in wanted_ports(roles, {**host.values, **port_settings(host, inputs)}):
        programs[port].add(program)
    for role in roles:
        for port, program in LOOPBACK_PORTS.get(role, {}).items():
            programs[port].add(program)
    for port, rivals in sorted(programs.items()):
        if len(rivals) > 1:
            variable = inputs.balancer_ports(host).get(port, "kubernetes_api_port")
            text = f"{' and '.join(sorted(rivals))} of this host would all listen on port {port}; change {variable}"
            yield host.fault("port-clash", text)


def taken_ports(node: Node) -> Iterator[Fault]:
    """Strangers on the ports of Kubernetes."""
    wanted = dict(wanted_ports(node.roles, node.settings))
    seen = set()
    for listener in node.facts["listeners"]:
        port, process = listener["port"], listener["process"]
        if port not in wanted or (port, process) in seen:
            continue
        seen.add((port, process))
        # What listens for preflight itself is of an earlier run, and a later one takes its place.
        own = process in (wanted[port][:PROCESS_NAME], LISTENER) or (not process and node.in_cluster)
        if not own:
            text = f"{process or 'an unknown process'} listens on port {port}, which {wanted[port]} needs; stop it"
            yield node.fault("port-taken", text)
