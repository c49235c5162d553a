# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges what decides on a host's packets: firewalls, filters, other managers of interfaces and routes, names."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import ERROR, WARNING, Fault, listed
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.networks import ranges
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import between
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import Node

POLICY_PLUGINS = ("calico", "canal")
LOOSE, STRICT = 2, 1


def firewalls(nodes: Sequence[Node]) -> Iterator[Fault]:
    """Firewalls that may block the cluster: what must pass, and from where."""
    for node in nodes:
        for name in (name for name in ("firewalld", "ufw") if node.facts["security"][name]):
            pods = (
                f" and all from kubernetes_pod_cidr {node.setting('kubernetes_pod_cidr')}" if node.runs_kubelet else ""
            )
            text = (
                f"{name} is active; let {_ways(node, nodes) or 'what the cluster needs from its hosts'}{pods} pass "
                "(docs/ports.md), or stop it"
            )
            yield node.fault("firewall-active", text, WARNING)


def _ways(node: Node, nodes: Sequence[Node]) -> str:
    """What must pass to a host, those ways together that come from the same hosts."""
    by_sources: dict[tuple[str, ...], list[str]] = {}
    for way in between.ways_to(node):
        by_sources.setdefault(tuple(_sources(way, node, nodes)), []).append(f"{way.shown} ({way.what})")
    return ", ".join(
        f"{' and '.join(ways)} from {' '.join(sources) or 'hosts of the cluster'}"
        for sources, ways in by_sources.items()
    )


def _sources(way: between.Way, target: Node, nodes: Sequence[Node]) -> list[str]:
    """The addresses of the hosts from which something must pass to another one, as ranges."""
    found = {
        address
        for node in nodes
        if node.name != target.name and way.sources & set(node.roles)
        for address in node.addresses
    }
    roles = target.setting("left_out_roles") or {}
    found |= {
        address
        for address, name in (target.setting("left_out_addresses") or {}).items()
        if way.sources & set(roles.get(name, ()))
    }
    return ranges(found)


def managers(node: Node) -> Iterator[Fault]:
    """systemd-networkd, where it would disturb the network of pods. The role cni keeps NetworkManager away from it."""
    if node.facts["traffic"]["foreign_routes"] and node.runs_kubelet and node.setting("cni_plugin") == "bridge":
        text = (
            "systemd-networkd removes routes that it did not make when it restarts, those to pods too; set "
            "ManageForeignRoutes=no under [Network] in /etc/systemd/networkd.conf.d/kubernetes.conf and restart it"
        )
        yield node.fault("networkd-routes", text, WARNING)


def filters(node: Node) -> Iterator[Fault]:
    """Two kinds of iptables' rules, and reverse path filters."""
    if not node.runs_kubelet:
        return
    traffic = node.facts["traffic"]
    # In a cluster, kube-proxy chooses the kind for itself.
    if traffic["iptables"] == "nf_tables" and traffic["legacy_tables"] and not node.in_cluster:
        text = (
            f"iptables uses nftables, and there are rules of the legacy kind in {', '.join(traffic['legacy_tables'])}; "
            "remove those (iptables-legacy-save shows them), or have all programs use one kind"
        )
        yield node.fault("iptables-mixed", text, WARNING)
    by_interface = traffic["rp_filter"]
    if by_interface.get("all") == LOOSE and node.setting("cni_plugin") in POLICY_PLUGINS:
        text = (
            "net.ipv4.conf.all.rp_filter is 2 (loose), with which Calico does not start; set it to 1 or 0 in a file of "
            "/etc/sysctl.d"
        )
        yield node.fault("rp-filter", text, WARNING if node.in_cluster else ERROR)
    yield from _strict(node, by_interface)


def _strict(node: Node, by_interface: dict[str, int]) -> Iterator[Fault]:
    own = next((one["name"] for one in node.facts["interfaces"] if set(one["addresses"]) & set(node.addresses)), "")
    # Of what is set for all and for an interface, the larger counts.
    strict = max(by_interface.get("all", 0), by_interface.get(own, 0)) == STRICT
    if strict and own and node.facts["default_interface"] not in ("", own):
        text = (
            f"net.ipv4.conf.{own}.rp_filter is strict (1), and the default route is at "
            f"{node.facts['default_interface']}: packets of pods that come by {own} from other networks are dropped; "
            f"set net.ipv4.conf.{own}.rp_filter to 2 in a file of /etc/sysctl.d"
        )
        yield node.fault("rp-filter", text, WARNING)


def names(node: Node) -> Iterator[Fault]:
    """The servers that CoreDNS would ask."""
    if not node.runs_kubelet or (node.setting("kubernetes_kubelet_configuration") or {}).get("resolvConf"):
        return
    servers = node.facts["traffic"]["name_servers"]
    if servers and not all(_is_loopback(server) for server in servers):
        return
    found = f"only names {', '.join(servers)}, the host itself," if servers else "names no server"
    text = (
        f"/etc/resolv.conf {found} and CoreDNS could not ask it for other names; set resolvConf in "
        "kubernetes_kubelet_configuration to a file with the true servers"
    )
    yield node.fault("dns-loop", text, WARNING)


def _is_loopback(server: str) -> bool:
    try:
        return ipaddress.ip_address(server.partition("%")[0]).is_loopback
    except ValueError:
        return False


def virtual_address(nodes: Sequence[Node]) -> Iterator[Fault]:
    """Whether a machine that is none of the run's has the API's virtual address, before the cluster exists."""
    if any(node.in_cluster or node.setting("limited") for node in nodes):
        return
    own = {one["mac"] for node in nodes for one in node.facts["interfaces"]}
    answers: dict[tuple[Any, str], list[str]] = {}
    for node in nodes:
        mac = node.facts["traffic"]["virtual_ip_at"]
        if mac and mac not in own:
            answers.setdefault((node.setting("virtual_ip"), mac), []).append(node.name)
    for (address, mac), sources in answers.items():
        text = (
            f"the API's virtual address {address} is taken by the machine with the MAC address {mac}, which answers "
            f"{listed(sources)}; choose a free address"
        )
        yield Fault("virtual-ip-taken", text)
