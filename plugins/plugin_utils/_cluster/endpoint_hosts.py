# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts take part in the endpoint of the API, and what each of them does for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# What each choice runs on the hosts that take part, as services of their own; keepalived gives the address away first.
SERVICES = {"external": [], "haproxy": ["keepalived", "haproxy"], "kube_vip": [], "local": ["haproxy"]}
ALL_SERVICES = ("keepalived", "haproxy")
HIGHEST_PRIORITY = 254
# Variables that turn on parts of kube-vip that need further rights in the cluster (pkg/kubevip/config_envvar.go).
NEED_RULES = ("annotation", "enable_node_labeling", "lb_enable", "svc_enable", "vip_routingtable", "vip_wireguard")
OFF = (None, False, "", "0", "f", "F", "false", "False", "FALSE")


def part(
    load_balancer: str, host: str, control_planes: Sequence[str], balancers: Sequence[str], nodes: Sequence[str]
) -> dict[str, Any]:
    """What a host does for the endpoint.

    Before a host gets its part, the settings are judged, and what an earlier choice set up is stopped on all hosts: an
    address must not be at two places. What is external has no settings here that could be judged. Workers are never
    looked at: they only ever have a part with local, whose endpoint leads to themselves and cannot be changed. With
    haproxy nothing of the role's own is left over on its hosts.

    Args:
        load_balancer: kubernetes_api_load_balancer.
        host: the host's name.
        control_planes: all control planes.
        balancers: the hosts of load balancers, which may be the control planes.
        nodes: the workers.

    Returns:
        takes_part, the preparations (check, leave), the services that an earlier choice may have left (unwanted), and
        the host's priority for the virtual address, which is 0 where it is no load balancer.

    Raises:
        KeyError: for another load balancer.
    """
    taking_part = {
        "external": [],
        "haproxy": balancers,
        "kube_vip": control_planes,
        "local": [*control_planes, *nodes],
    }[load_balancer]
    takes_part = host in taking_part
    looked_at = host in control_planes or host in balancers
    judged = (takes_part or looked_at) and load_balancer != "external"
    leaves = looked_at and not (takes_part and load_balancer == "haproxy")
    wanted = SERVICES[load_balancer] if takes_part else []
    return {
        "takes_part": takes_part,
        "preparations": ["check"] * judged + ["leave"] * leaves,
        "unwanted": [service for service in ALL_SERVICES if service not in wanted],
        "priority": priority(balancers, host),
    }


def priority(balancers: Sequence[str], host: str) -> int:
    """254 for the first host, and evenly less for the others.

    Two hosts that want the address at the same time then do not announce themselves at the same time.
    """
    if host not in balancers:
        return 0
    return HIGHEST_PRIORITY * (len(balancers) - balancers.index(host)) // len(balancers)


def asked_hosts(
    load_balancer: str, control_planes: Sequence[str], balancers: Sequence[str], nodes: Sequence[str]
) -> list[str]:
    """The hosts whose addresses the endpoint's configuration holds.

    Args:
        load_balancer: kubernetes_api_load_balancer.
        control_planes: all control planes.
        balancers: the group of load balancers.
        nodes: the workers that the run is for.
    """
    more = {"haproxy": balancers, "local": nodes}.get(load_balancer, [])
    return [] if load_balancer == "external" else list(dict.fromkeys([*control_planes, *more]))


def kube_vip_hosts(
    nodes: Mapping[str, Mapping[str, Any]], control_planes: Sequence[str], play_hosts: Sequence[str]
) -> dict[str, str]:
    """Who starts kube-vip first, and where its rights in the cluster are applied.

    Args:
        nodes: by host what kubeadm_info returned, where it has been asked.
        control_planes: all control planes.
        play_hosts: the hosts of the run.

    Returns:
        begins: the control plane that initializes the cluster, empty where there is one already; rights: a control
        plane of the run, or the host that would be the first, empty where the run has neither.
    """
    seen = {host: nodes[host] for host in control_planes if nodes.get(host, {}).get("role") is not None}
    ready = [
        host for host, node in seen.items() if node["role"] == "control_plane" and node.get("interrupted", "") == ""
    ]
    beginning = [host for host, node in seen.items() if node.get("interrupted") == "init"]
    beginning += [host for host in control_planes if host in play_hosts]
    return {
        "begins": "" if ready else next(iter(beginning), ""),
        "rights": next((host for host in ready or beginning if host in play_hosts), ""),
    }


def needing_rules(environment: Mapping[str, Any]) -> list[str]:
    """The variables of kube-vip that turn on what needs further rights in the cluster."""
    return sorted(name for name, value in environment.items() if name in NEED_RULES and value not in OFF)
