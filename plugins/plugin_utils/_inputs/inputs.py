# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges variables before anything is touched: types by the roles' argument specs, and what must fit together."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import (
    Address,
    normal_text,
    read_address,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster import endpoint
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import public_keys
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import (
    ERROR,
    WARNING,
    Fault,
    did_you_mean,
    listed,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import (
    api,
    backups,
    downloads,
    kubeadm,
    network,
    nodes,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import hardening as hardening_inputs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import settings as settings_inputs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import text as text_inputs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.kubelet_versions import older_minors
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.preflight import (
    CONTROL_PLANE,
    ETCD,
    LOAD_BALANCER,
    WORKER,
    runs_kubelet,
    version_tuple,
    wanted_ports,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import ReleaseError, release

Specs = Mapping[str, Mapping[str, Mapping[str, Any]]]
Groups = Mapping[str, Sequence[str]]

VERSION = re.compile(r"\d+\.\d+\.\d+(-(alpha|beta|rc)\.\d+)?")
CHECKSUM = re.compile(r"(sha256:)?[0-9a-fA-F]{64}|https?://\S+|file://\S+")
# How similar the rest of a name (after the role's prefix) is to a variable's.
SURELY_MEANT, PERHAPS_MEANT = 0.85, 0.6
# Prefixes that other people's variables are likely to have: those are only reported when they resemble one of ours.
COMMON_PREFIXES = ("backup_", "endpoint_", "verify_", "worker_")
# Variables that describe the whole cluster and must be the same on all its hosts.
CLUSTER_VARIABLES = (
    "kubernetes_cluster_name",
    "kubernetes_api_load_balancer",
    "kubernetes_api_endpoint",
    "kubernetes_api_port",
    "kubernetes_api_local_port",
    "endpoint_virtual_ip",
    "kubernetes_pod_cidr",
    "kubernetes_service_cidr",
    "kubernetes_dns_domain",
    "kubernetes_proxy_mode",
    "kubernetes_hardened",
    "kubernetes_kubelet_signed_certificates",
)
GROUP_VARIABLES = {
    CONTROL_PLANE: "kubernetes_control_plane_group",
    ETCD: "kubernetes_etcd_group",
    WORKER: "kubernetes_node_group",
    LOAD_BALANCER: "kubernetes_load_balancer_group",
}
# What is looked at of the cluster's hosts that a run leaves out.
OF_OTHERS = (
    *CLUSTER_VARIABLES,
    "kubernetes_node_name",
    "kubernetes_node_ip",
    "kubernetes_version",
    "control_plane_cluster_configuration",
)
# By which others know a host.
IDENTITY = ("kubernetes_node_name", "kubernetes_node_ip", "ansible_host")
ETCD_CA_CERTIFICATE, ETCD_CA_KEY = "etcd_ca_certificate", "etcd_ca_key"
ETCD_CAS = ((ETCD_CA_CERTIFICATE, ETCD_CA_KEY), ("etcd_peer_ca_certificate", "etcd_peer_ca_key"))
# More members make etcd slower, not safer (https://etcd.io/docs/latest/faq/).
ETCD_MEMBERS_MAX = 7
# Kubespray's names: its inventories work, its variables do not.
FOREIGN_VARIABLES = {
    "kube_version": "kubernetes_version",
    "kube_pods_subnet": "kubernetes_pod_cidr",
    "kube_service_addresses": "kubernetes_service_cidr",
    "kube_proxy_mode": "kubernetes_proxy_mode",
    "kube_image_repo": "kubernetes_image_repository",
    "container_manager": "kubernetes_container_runtime",
    "kube_apiserver_port": "kubernetes_api_port",
}
# Where a minor version changed what fits.
CRI_V1_ALPHA2_ONLY_BEFORE, CRI_V1_ONLY_SINCE = 23, 26
NFTABLES_SINCE, NFTABLES_UNGATED_SINCE = 29, 31
IPVS_DEPRECATED_SINCE = 35
POD_SECURITY_SINCE, PATCHES_SINCE, AUTHENTICATION_SINCE = 23, 22, 30
AUDIT_LEVELS = ("None", "Metadata", "Request", "RequestResponse")


@dataclass(frozen=True)
class HostInput:
    """A host's variables.

    Attributes:
        name: the inventory's name of the host.
        values: the roles' variables that are set for it, templated.
        problems: why a variable could not be templated.
        names: every variable that is set for it, of whomever.
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


@dataclass(frozen=True)
class Inputs:
    """Everything that is judged: hosts, the inventory's groups, the roles' argument specs."""

    hosts: Sequence[HostInput]
    groups: Groups
    specs: Specs

    @property
    def played(self) -> list[HostInput]:
        """The hosts of this play."""
        return [host for host in self.hosts if not host.limited]

    @property
    def known(self) -> dict[str, str]:
        """Each role's variables, with the role."""
        return {variable: role for role, options in self.specs.items() for variable in options}

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
        """Whether etcd's members are the control planes: kubeadm makes them so unless it is told of another etcd."""
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


def load_specs(roles: Path) -> dict[str, dict[str, Any]]:
    """The options of the main entry point of every role that has an argument spec."""
    specs = {}
    for path in sorted(roles.glob("*/meta/argument_specs.yml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        options = document.get("argument_specs", {}).get("main", {}).get("options") or {}
        specs[path.parents[1].name] = options
    return specs


def defaults(specs: Specs) -> dict[str, Any]:
    """The defaults of all variables; None where there is none, or where only the role itself can evaluate it."""
    plain = {}
    for options in specs.values():
        for variable, spec in options.items():
            default = spec.get("default")
            plain[variable] = None if "{{" in str(default) else default
    return plain


# One host's values


def types(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Types and choices, by the roles' argument specs."""
    for role, options in inputs.specs.items():
        for variable in sorted(options.keys() & host.values.keys()):
            spec = {name: value for name, value in options[variable].items() if name not in ("required", "default")}
            value = host.values[variable]
            if value is None:
                if options[variable].get("default") is not None:
                    yield host.fault("value-invalid", f"{variable} is set but empty; give it a value or remove it")
                continue
            result = ArgumentSpecValidator({variable: spec}).validate({variable: value})
            for message in result.error_messages:
                shown = (
                    "the value is not of the right form (not shown, it is secret)" if spec.get("no_log") else message
                )
                text = f"{variable}: {shown.rstrip('.')}; roles/{role}/README.md describes it"
                yield host.fault("value-invalid", text)


def undefined(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Values whose template failed."""
    for variable, problem in sorted(host.problems.items()):
        text = f"{variable} cannot be evaluated: {problem}; correct its value or define what it refers to"
        yield host.fault("value-undefined", text)


def names(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Variables that look like a role's but are no role's, and those of Kubespray."""
    known = inputs.known
    for name in sorted(host.names - known.keys()):
        if name in FOREIGN_VARIABLES:
            text = f"{name} has no effect; here the variable is {FOREIGN_VARIABLES[name]}"
            if FOREIGN_VARIABLES[name] not in host.names:
                yield host.fault("foreign-variable", text, WARNING)
            continue
        prefix = next((f"{role}_" for role in inputs.specs if name.startswith(f"{role}_")), "")
        if not prefix:
            continue
        rest = name[len(prefix) :]
        rests = {variable[len(prefix) :]: variable for variable in known if variable.startswith(prefix)}
        match = difflib.get_close_matches(rest, rests, n=1, cutoff=PERHAPS_MEANT)
        if match:
            closeness = difflib.SequenceMatcher(None, match[0], rest).ratio()
            text = f"{name} is no variable of the role {prefix[:-1]}; did you mean {rests[match[0]]}?"
            yield host.fault("unknown-variable", text, "error" if closeness >= SURELY_MEANT else WARNING)
        elif prefix not in COMMON_PREFIXES:
            text = f"{name} is no variable of the role {prefix[:-1]} and has no effect; remove or rename it"
            yield host.fault("unknown-variable", text, WARNING)


def version(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """kubernetes_version: its form, and whether the collection covers it."""
    value = host.text("kubernetes_version")
    if not value:
        return
    if not VERSION.fullmatch(value):
        yield host.fault(
            "version-invalid", f"kubernetes_version {value!r} is no full version; write it like 1.36.5, without v"
        )
        return
    try:
        release(value)
    except ReleaseError as error:
        yield host.fault("version-invalid", f"kubernetes_version: {error}")


def supplied_pki(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """The CAs that variables give to etcd."""
    days = host.values.get("preflight_certificate_days") or 0
    if ETCD not in inputs.roles_of(host.name):
        return
    for names in ETCD_CAS:
        certificate, key = ((name, host.text(name)) for name in names)
        for fault in public_keys.supplied_authority(certificate, key, datetime.now(timezone.utc), days):
            yield replace(fault, host=host.name)


def proxy_mode(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Whether kube-proxy of this version has the mode."""
    mode, minor = host.text("kubernetes_proxy_mode"), version_tuple(host.text("kubernetes_version"))[1]
    if mode == "nftables" and minor < NFTABLES_SINCE:
        text = f"kubernetes_proxy_mode nftables needs Kubernetes 1.{NFTABLES_SINCE}; use iptables"
        yield host.fault("proxy-mode-unsupported", text)
    elif mode == "nftables" and minor < NFTABLES_UNGATED_SINCE:
        gates = (host.values.get("kubernetes_proxy_configuration") or {}).get("featureGates") or {}
        if not gates.get("NFTablesProxyMode"):
            text = (
                f"kubernetes_proxy_mode nftables needs a feature gate before Kubernetes 1.{NFTABLES_UNGATED_SINCE}; "
                "use iptables, or set featureGates: {NFTablesProxyMode: true} in kubernetes_proxy_configuration"
            )
            yield host.fault("proxy-mode-unsupported", text)
    elif mode == "ipvs" and minor >= IPVS_DEPRECATED_SINCE:
        text = f"kubernetes_proxy_mode ipvs is deprecated since Kubernetes 1.{IPVS_DEPRECATED_SINCE}; use nftables"
        yield host.fault("proxy-mode-unsupported", text, WARNING)


def checksums(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """The form of every checksum."""
    for variable in sorted(inputs.known.keys() & host.values.keys()):
        if not re.search(r"_checksums?$", variable):
            continue
        for place, value in downloads.leaves(host.values[variable], variable):
            if value not in (None, "") and not CHECKSUM.fullmatch(str(value)):
                text = f"{place} {value!r} is no checksum; give SHA-256 as 64 hexadecimal digits, or a file's URL"
                yield host.fault("checksum-invalid", text)


def runtime(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Whether the kubelet and containerd speak the same version of the CRI."""
    variable = "container_runtime_containerd_version"
    containerd = host.text(variable)
    installed = (host.text("kubernetes_container_runtime"), host.text("container_runtime_install_method"))
    if not containerd or installed != ("containerd", "archive"):
        return
    (major, _minor), minor = version_tuple(containerd), version_tuple(host.text("kubernetes_version"))[1]
    kubernetes = f"Kubernetes {host.text('kubernetes_version')}"
    if major >= 2 and minor < CRI_V1_ALPHA2_ONLY_BEFORE:
        text = (
            f"{variable} {containerd} lacks CRI v1alpha2, the only one that the kubelet of {kubernetes} speaks; use 1.7"
        )
        yield host.fault("runtime-unsupported", text)
    elif version_tuple(containerd) < (1, 6) and minor >= CRI_V1_ONLY_SINCE:
        text = f"{variable} {containerd} lacks CRI v1, the only one that the kubelet of {kubernetes} speaks; use 2.x"
        yield host.fault("runtime-unsupported", text)


def hardening(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """What hardens the control plane: whether this version has it, and the form of the audit policy."""
    version_text = host.text("kubernetes_version")
    for variable, since in (
        ("control_plane_pod_security", POD_SECURITY_SINCE),
        ("control_plane_patches", PATCHES_SINCE),
        ("control_plane_authentication_configuration", AUTHENTICATION_SINCE),
    ):
        if host.values.get(variable) and version_tuple(version_text)[1] < since:
            text = f"{variable} needs Kubernetes 1.{since} or newer, not {version_text}; leave it empty"
            yield host.fault("value-invalid", text)
    yield from hardening_inputs.api_server(host)
    policy = host.values.get("control_plane_audit_policy")
    rules = policy.get("rules") if isinstance(policy, Mapping) else None
    if policy is not None and not (isinstance(rules, Sequence) and rules):
        text = "control_plane_audit_policy has no rules, so nothing would be written; give it some"
        yield host.fault("value-invalid", text)
        return
    for at, rule in enumerate(rules or []):
        if not isinstance(rule, Mapping) or rule.get("level") not in AUDIT_LEVELS:
            text = f"control_plane_audit_policy.rules[{at}] has no level; give it one of {', '.join(AUDIT_LEVELS)}"
            yield host.fault("value-invalid", text)


HOST_CHECKS: list[Callable[[HostInput, Inputs], Iterator[Fault]]] = [
    types,
    undefined,
    names,
    version,
    network.cidrs,
    network.masks,
    api.endpoint,
    api.ports,
    supplied_pki,
    nodes.node_name,
    nodes.node_address,
    nodes.identity,
    proxy_mode,
    checksums,
    downloads.sources,
    downloads.digest_forms,
    runtime,
    hardening,
    hardening_inputs.default_deny,
    kubeadm.kubeadm_fields,
    settings_inputs.settings,
    backups.backups,
    text_inputs.text,
]

# Across hosts


def _external_etcd(host: HostInput) -> bool:
    """Whether kubeadm's configuration names an etcd that is not its own."""
    configuration = host.values.get("control_plane_cluster_configuration")
    etcd = configuration.get("etcd") if isinstance(configuration, Mapping) else None
    return isinstance(etcd, Mapping) and bool(etcd.get("external"))


def groups(inputs: Inputs) -> Iterator[Fault]:
    """The inventory's groups: a control plane, and load balancers only where they are used."""
    if not inputs.grouped:
        return
    group, variable = inputs.group(CONTROL_PLANE)
    if not inputs.members(CONTROL_PLANE):
        similar = did_you_mean(group, inputs.groups.keys() - {group}, closeness=0.6)
        advice = similar or "add a host to it"
        yield Fault("group-missing", f"the inventory group {group} ({variable}) has no host; {advice}")
    if inputs.members(LOAD_BALANCER) and inputs.balanced_by != endpoint.HAPROXY:
        text = (
            f"the inventory group {inputs.group(LOAD_BALANCER)[0]} has hosts, but kubernetes_api_load_balancer "
            f"{inputs.balanced_by} does not use them; set it to haproxy, or empty the group"
        )
        yield Fault("load-balancer-unused", text, severity=WARNING)


def members(inputs: Inputs) -> Iterator[Fault]:
    """The number of etcd's members: odd, and not too many."""
    role = CONTROL_PLANE if inputs.stacked else ETCD
    number, where = len(inputs.members(role)), inputs.group(role)[0]
    if number > ETCD_MEMBERS_MAX:
        text = (
            f"{number} etcd members (group {where}) are more than {ETCD_MEMBERS_MAX}: each write waits for "
            f"{number // 2 + 1} of them; have {ETCD_MEMBERS_MAX} at the most"
        )
        if inputs.stacked:
            text += f", or put etcd on hosts of its own (group {inputs.group(ETCD)[0]})"
        yield Fault("members-too-many", text)
    elif number and number % 2 == 0:
        survived = {0: "no loss", 1: "1 loss"}.get(number // 2 - 1, f"{number // 2 - 1} losses")
        text = (
            f"{number} etcd members (group {where}) survive {survived}, no more than {number - 1} would, because "
            f"{number // 2 + 1} must agree; have {number - 1} or {number + 1}. To go on without a member that was "
            "lost, until it is replaced, set preflight_ignore: [members-even]"
        )
        # Two are worse than one: either loss stops both. More control planes than members need to be may have a reason.
        yield Fault("members-even", text, severity=WARNING if inputs.stacked and number > 2 else ERROR)


def agreement(inputs: Inputs) -> Iterator[Fault]:
    """What must be the same on all hosts of the cluster."""
    hosts = [host for host in inputs.hosts if inputs.roles_of(host.name)]
    for variable in CLUSTER_VARIABLES:
        holders: dict[str, list[str]] = {}
        for host in (host for host in hosts if variable in host.values):
            holders.setdefault(normal_text(host.text(variable)), []).append(host.name)
        if len(holders) > 1:
            found = "; ".join(f"{value or 'empty'} on {listed(having)}" for value, having in holders.items())
            text = f"{variable} differs: {found}; set it once for the whole cluster, in the group all"
            yield Fault("cluster-differs", text)


def skew(inputs: Inputs) -> Iterator[Fault]:
    """Versions of hosts against those of the control planes (https://kubernetes.io/releases/version-skew-policy/)."""
    valid = [host for host in inputs.hosts if VERSION.fullmatch(host.text("kubernetes_version"))]
    played = {host.name for host in inputs.played}
    minors = {host.name: version_tuple(host.text("kubernetes_version"))[1] for host in valid}
    planes = {name: minor for name, minor in minors.items() if name in inputs.members(CONTROL_PLANE)}
    if not planes:
        return
    oldest, newest = min(planes.values()), max(planes.values())
    if newest - oldest > 1:
        text = f"kubernetes_version of control planes ranges from 1.{oldest} to 1.{newest}; they may be one minor apart"
        yield Fault("skew-unsupported", text)
    behind = older_minors(newest)
    for name, minor in minors.items():
        if name in played - planes.keys() and not newest - behind <= minor <= oldest:
            text = (
                f"kubernetes_version 1.{minor} does not fit control planes of 1.{newest}; a node may be at most "
                f"{behind} minors older and never newer"
            )
            yield Fault("skew-unsupported", text, name)


CLUSTER_CHECKS: list[Callable[[Inputs], Iterator[Fault]]] = [
    groups,
    members,
    api.api_address,
    nodes.clashes,
    agreement,
    kubeadm.proxy_configuration,
    downloads.digests,
    skew,
    text_inputs.pinned_images,
]


def find_faults(inputs: Inputs) -> list[Fault]:
    """Every fault of every host's variables and across hosts."""
    return [
        *(fault for check in CLUSTER_CHECKS for fault in check(inputs)),
        *(fault for host in inputs.played for check in HOST_CHECKS for fault in check(host, inputs)),
    ]


# What preflight needs of the variables afterwards

SETTINGS = (
    "cni_plugin",
    "kubernetes_api_port",
    "kubernetes_ignore_preflight_errors",
    "kubernetes_kubelet_configuration",
    "kubernetes_node_ip",
    "kubernetes_node_name",
    "kubernetes_pod_cidr",
    "kubernetes_proxy_mode",
    "kubernetes_service_cidr",
    "kubernetes_version",
)


def settings(host: HostInput, inputs: Inputs) -> dict[str, Any]:
    """A host's part in the cluster and the variables by which preflight judges it."""
    found = {name: value for name, value in host.values.items() if name in SETTINGS or name.startswith("preflight_")}
    endpoint_value, split = "", endpoint.readable_endpoint(host.text("kubernetes_api_endpoint"))
    # A node's own proxy answers only when the node has joined.
    if split and inputs.balanced_by != endpoint.LOCAL:
        shown = f"[{split[0]}]" if ":" in split[0] else split[0]
        endpoint_value = f"{shown}:{split[1] or host.port('kubernetes_api_port', 6443)}"
    roles, folder = inputs.roles_of(host.name), host.text("etcd_data_dir") or "/var/lib/etcd"
    found.update(api.port_settings(host, inputs))
    planes = set(inputs.members(CONTROL_PLANE))
    return {
        **found,
        "roles": roles,
        "runs_kubelet": runs_kubelet(roles),
        "ports": sorted({port for port, _program in wanted_ports(roles, found)}),
        "limited": not planes <= {one.name for one in inputs.played},
        "api_servers": api.api_servers(host, inputs),
        "left_out_addresses": {str(ip): one.name for one in inputs.hosts if one.limited for ip in one.ips},
        "etcd_data_dir": folder,
        "fsync_folder": folder if ETCD in roles and (host.values.get("preflight_etcd_fsync_ms") or 0) > 0 else "",
        "external_etcd": not inputs.stacked,
        "etcd_hosts": bool(inputs.members(ETCD)),
        "etcd_ca": public_keys.public_keys(host.text(ETCD_CA_CERTIFICATE)),
        "etcd_ca_key_elsewhere": bool(host.text(ETCD_CA_KEY))
        or host.name not in (host.values.get("etcd_ca_hosts") or [host.name]),
        "api_endpoint": endpoint_value,
        "virtual_ip": inputs.virtual_ip(),
        "holds_virtual_ip": inputs.holds_virtual_ip(host),
    }
