# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is judged: hosts' variables, the inventory's groups, and what hosts are."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import (
    Address,
    read_address,
    split_addresses,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import FOLDER, kubeconfig
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster import endpoint
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import public_keys
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import ERROR, Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.spelling import Names

CONTROL_PLANE, ETCD, WORKER, LOAD_BALANCER = "control_plane", "etcd", "worker", "load_balancer"
GROUP_VARIABLES = {
    CONTROL_PLANE: "kubernetes_control_plane_group",
    ETCD: "kubernetes_etcd_group",
    WORKER: "kubernetes_node_group",
    LOAD_BALANCER: "kubernetes_load_balancer_group",
}
# By which others know a host.
IDENTITY = ("kubernetes_node_name", "kubernetes_node_ip", "ansible_host")

Specs = Mapping[str, Mapping[str, Mapping[str, Any]]]
Groups = Mapping[str, Sequence[str]]


def runs_kubelet(roles: Sequence[str]) -> bool:
    """Whether a host is a node; one of no group is taken for one."""
    return not roles or CONTROL_PLANE in roles or WORKER in roles


def version_tuple(text: str) -> tuple[int, int]:
    """The first two numbers of a version or kernel release."""
    match = re.match(r"v?(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


@dataclass(frozen=True)
class HostInput:
    """A host's variables.

    Attributes:
        name: the inventory's name of the host.
        values: the roles' variables that are set for it, templated.
        problems: why a variable could not be templated.
        names: every variable that is set for it, of whomever; no role's defaults.
        limited: whether the play leaves the host out; then only what the others depend on is looked at.
        inventory: those of IDENTITY that are known without anything that the host says of itself, its facts; None where
            that was not looked at.
    """

    name: str
    values: Mapping[str, Any]
    problems: Mapping[str, str] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    limited: bool = False
    inventory: Mapping[str, Any] | None = None

    def text(self, variable: str) -> str:
        """A value as text; empty where it is not set."""
        value = self.values.get(variable)
        return "" if value is None else str(value)

    @property
    def addresses(self) -> list[str]:
        """The node's addresses as they are written, of whatever form."""
        text = self.text("kubernetes_node_ip")
        return [part.strip() for part in text.split(",")] if text.strip() else []

    @property
    def ips(self) -> list[Address]:
        """Those of them that are addresses, in whatever spelling."""
        return [address for address in map(read_address, self.addresses) if address]

    def port(self, variable: str, usual: int) -> int:
        """A port's number; the usual one where it is not set or no number."""
        value = self.text(variable)
        return int(value) if value.isdigit() else usual

    def fault(self, name: str, text: str, severity: str = ERROR) -> Fault:
        """A fault of this host's variables."""
        return Fault(name, text, self.name, severity)


def _external_etcd(host: HostInput) -> bool:
    """Whether kubeadm's configuration names an etcd that is not its own."""
    configuration = host.values.get("control_plane_cluster_configuration")
    etcd = configuration.get("etcd") if isinstance(configuration, Mapping) else None
    return isinstance(etcd, Mapping) and bool(etcd.get("external"))


@dataclass(frozen=True)
class Inputs:
    """Everything that is judged.

    Attributes:
        hosts: the cluster's hosts with their variables.
        groups: the inventory's groups.
        specs: the roles' argument specs.
        folders: where files of the controller are looked for that are not named from the root on.
    """

    hosts: Sequence[HostInput]
    groups: Groups
    specs: Specs
    folders: Sequence[str] = ()

    @property
    def played(self) -> list[HostInput]:
        """The hosts of this play."""
        return [host for host in self.hosts if not host.limited]

    @cached_property
    def known(self) -> dict[str, str]:
        """Each role's variables, with the role."""
        return {variable: role for role, options in self.specs.items() for variable in options}

    @cached_property
    def spelling(self) -> Names:
        """Which other names resemble them."""
        return Names(self.known)

    def group(self, role: str) -> tuple[str, str]:
        """The inventory group of a part of the cluster, and the variable that names it."""
        variable = GROUP_VARIABLES[role]
        return next((host.text(variable) for host in self.hosts if host.text(variable)), ""), variable

    def members(self, role: str) -> list[str]:
        """The hosts of such a group."""
        return list(self.groups.get(self.group(role)[0], []))

    @property
    def grouped(self) -> bool:
        """Whether the inventory describes a cluster at all (a role may be used without)."""
        return any(self.members(role) for role in GROUP_VARIABLES)

    @cached_property
    def stacked(self) -> bool:
        """Whether etcd's members are the control planes: kubeadm makes them so unless it is given another etcd."""
        return not self.members(ETCD) and not any(_external_etcd(host) for host in self.hosts)

    def leader(self) -> HostInput:
        """The host whose variables stand for what the whole cluster shares: a control plane, if one is known."""
        planes = self.members(CONTROL_PLANE)
        return next((host for host in self.hosts if host.name in planes), self.hosts[0])

    @cached_property
    def balanced_by(self) -> str:
        """What distributes calls of the API: external, haproxy, kube_vip or local."""
        return self.leader().text("kubernetes_api_load_balancer") or "external"

    def roles_of(self, host: str) -> list[str]:
        """What a host is in the cluster.

        With stacked etcd, control planes are its members. With HAProxy and no hosts for it, control planes run it.
        """
        roles = [role for role in GROUP_VARIABLES if host in self.members(role)]
        if CONTROL_PLANE in roles and self.stacked:
            roles.append(ETCD)
        if CONTROL_PLANE in roles and self.balanced_by == endpoint.HAPROXY and not self.members(LOAD_BALANCER):
            roles.append(LOAD_BALANCER)
        return roles

    def balancer_ports(self, host: HostInput) -> dict[int, str]:
        """The ports on which a host's HAProxy listens, with what sets each; none where it does not run."""
        roles = self.roles_of(host.name)
        if self.balanced_by == endpoint.LOCAL and {CONTROL_PLANE, WORKER} & set(roles):
            return {host.port("kubernetes_api_local_port", 7443): "kubernetes_api_local_port"}
        if self.balanced_by == endpoint.HAPROXY and LOAD_BALANCER in roles:
            ports = {host.port("endpoint_health_port", 8404): "endpoint_health_port"}
            found = endpoint.readable_endpoint(host.text("kubernetes_api_endpoint"))
            if found:
                ports[found[1] or host.port("kubernetes_api_port", 6443)] = "the port of kubernetes_api_endpoint"
            return ports
        return {}

    def holds_virtual_ip(self, host: HostInput) -> bool:
        """Whether a host may hold the API's virtual address."""
        holder = {endpoint.HAPROXY: LOAD_BALANCER, endpoint.KUBE_VIP: CONTROL_PLANE}.get(self.balanced_by)
        return holder in self.roles_of(host.name)

    def virtual_ip(self) -> str:
        """The API's virtual address; empty where there is none or it cannot be read."""
        if self.balanced_by not in (endpoint.HAPROXY, endpoint.KUBE_VIP):
            return ""
        leader = self.leader()
        name, _port = endpoint.readable_endpoint(leader.text("kubernetes_api_endpoint")) or ("", None)
        return str(read_address(leader.text("endpoint_virtual_ip") or name) or "")


@dataclass(frozen=True)
class Node:
    """A host: what it is and what it is to be."""

    name: str
    facts: Mapping[str, Any]
    settings: Mapping[str, Any]

    def setting(self, name: str) -> Any:
        """A variable's value on this host; None where it is not set."""
        return self.settings.get(name)

    @property
    def roles(self) -> Sequence[str]:
        """What the host is in the cluster: control_plane, etcd, worker, load_balancer."""
        return self.settings.get("roles") or []

    @property
    def runs_kubelet(self) -> bool:
        """Whether it is a node (hosts of etcd or a load balancer alone are none)."""
        return runs_kubelet(self.roles)

    @property
    def in_cluster(self) -> bool:
        """Whether it has joined a cluster already."""
        cluster = self.facts["cluster"]
        state = cluster.get("node") or {}
        # A kubelet's kubeconfig that can be made again is merely lost.
        lost = kubeconfig(FOLDER, "kubelet") in state.get("missing", []) and not state.get("faults")
        return bool(cluster["kubelet_conf"] or lost)

    @property
    def addresses(self) -> list[str]:
        """The addresses at which the cluster reaches it: those that are set, or else those of the default interface."""
        return split_addresses(str(self.setting("kubernetes_node_ip") or "")) or [
            address
            for interface in self.facts["interfaces"]
            if interface["name"] == self.facts["default_interface"]
            for address in interface["addresses"]
            if not ipaddress.ip_address(address).is_link_local
        ]

    @cached_property
    def pki(self) -> public_keys.HostPki:
        """Its certificates and keys. Those of etcd on hosts of its own are issued by the role etcd."""
        files = self.facts.get("pki") or []
        managed = set()
        if self.setting("etcd_hosts") and CONTROL_PLANE in self.roles:
            managed |= {public_keys.STACKED_ETCD_CA, public_keys.ETCD_CLIENT}
        if self.setting("etcd_hosts") and ETCD in self.roles:
            paths = {file["path"] for file in files}
            if public_keys.ETCD_CA_KEY in paths or self.setting("etcd_ca_key_elsewhere"):
                managed |= {path for path in paths if path.startswith(f"{public_keys.ETCD_FOLDER}/")}
        # A control plane's own certificates are made good with whatever else it has lost.
        role = (self.facts["cluster"].get("node") or {}).get("role")
        return public_keys.HostPki(files, managed, mended=role == "control_plane")

    @property
    def minor(self) -> int:
        """The minor version of Kubernetes that it is to run."""
        return version_tuple(str(self.setting("kubernetes_version")))[1]

    def fault(self, name: str, text: str, severity: str = "error") -> Fault:
        """A fault of this host."""
        return Fault(name, text, self.name, severity)
