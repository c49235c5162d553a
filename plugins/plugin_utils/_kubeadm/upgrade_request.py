# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known before an upgrade: of each host, of the cluster, and of what is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import yaml
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import ERROR, Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import minor_of
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.removals import Setting, settings_of

CONFIGURATION = "the ConfigMap kubeadm-config in kube-system"
# By etcd's minor version: which minor release's kubeadm brings the next one, and of which patch release a member must
# be before, and had better be (https://github.com/etcd-io/etcd/issues/19557 and 20793).
ETCD_HOPS: Mapping[tuple[int, ...], tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {
    (3, 5): ((1, 34), (3, 5, 24), (3, 5, 32)),
    (3, 6): ((1, 37), (3, 6, 11), (3, 6, 11)),
}
COMPONENT_KEYS = {
    "apiServer": "kube-apiserver",
    "controllerManager": "kube-controller-manager",
    "scheduler": "kube-scheduler",
}


def number(version: str) -> tuple[int, ...]:
    """A version as a tuple that compares; a pre-release counts as what it comes before."""
    return tuple(int(part) for part in version.removeprefix("v").partition("-")[0].split(".")[:3] if part.isdigit())


@dataclass(frozen=True)
class Host:
    """A host of the upgrade.

    Attributes:
        name: in the inventory.
        node: its node's name.
        control_plane: whether the inventory says that it is one.
        facts: what upgrade_info read of it.
        kept_flags: flags of the kubelet that variables set.
    """

    name: str
    node: str
    control_plane: bool
    facts: Mapping[str, Any]
    kept_flags: Sequence[str] = ()

    @property
    def api_server(self) -> str:
        """The version of its API server: of the one that answers, or else of its manifest."""
        return str(self.facts["api_server"] or self.facts["manifests"].get("kube-apiserver", ""))

    @cached_property
    def settings(self) -> list[Setting]:
        """What its components are started with, by its files."""
        return list(settings_of(self.facts["files"]))

    def fault(self, name: str, text: str, severity: str = ERROR) -> Fault:
        """A fault of this host."""
        return Fault(name, text, self.name, severity)


@dataclass(frozen=True)
class Request:
    """An upgrade that is asked for.

    Attributes:
        version: the target.
        hosts: those of the run.
        cluster: what upgrade_info read of the cluster.
        left_out: control planes of the inventory that the run leaves out.
        variables: settings that variables give components, to be applied after the upgrade.
        drains: whether nodes are drained.
        purposes: what nodes are cordoned for by this collection, by node, as the module drain tells.
        forbidden: why nodes cannot be drained, by node.
        etcd: of members on hosts of their own what etcd_info told, and the version that is wanted.
        runtime: the version of containerd that is wanted; empty where the upgrade does not choose it.
        etcd_tag: of the image to which stacked etcd that is too old for the target is raised before; empty for none.
    """

    version: str
    hosts: Sequence[Host]
    cluster: Mapping[str, Any]
    left_out: Sequence[str] = ()
    variables: Sequence[Setting] = field(default_factory=list)
    drains: bool = False
    purposes: Mapping[str, str] = field(default_factory=dict)
    forbidden: Mapping[str, Sequence[str]] = field(default_factory=dict)
    etcd: Mapping[str, Any] = field(default_factory=dict)
    runtime: str = ""
    etcd_tag: str = ""

    @property
    def control_planes(self) -> list[Host]:
        """The hosts with a control plane."""
        return [host for host in self.hosts if host.control_plane]

    @property
    def workers(self) -> list[Host]:
        """The other hosts."""
        return [host for host in self.hosts if not host.control_plane]

    @property
    def nodes(self) -> dict[str, Mapping[str, Any]]:
        """The cluster's nodes by name."""
        return {node["name"]: node for node in self.cluster["nodes"]}

    @property
    def minor(self) -> tuple[int, int]:
        """The target's minor release."""
        return minor_of(self.version)

    @cached_property
    def configuration(self) -> Mapping[str, Any]:
        """kubeadm's ClusterConfiguration as the cluster stores it."""
        found = yaml.safe_load(self.cluster["configuration"] or "{}")
        return found if isinstance(found, Mapping) else {}

    @property
    def stored_settings(self) -> list[Setting]:
        """What kubeadm's stored configuration gives components."""
        found = []
        for key, component in COMPONENT_KEYS.items():
            given = (self.configuration.get(key) or {}).get("extraArgs") or {}
            pairs = given.items() if isinstance(given, Mapping) else [(one["name"], one.get("value")) for one in given]
            found += [Setting(component, str(name), str(value), CONFIGURATION) for name, value in pairs]
        return found

    @property
    def stored_version(self) -> str:
        """The version that the cluster stores."""
        return str(self.configuration.get("kubernetesVersion") or "").removeprefix("v")

    def kubelet(self, host: Host) -> str:
        """The version of a host's kubelet: of the one that reports, or else of its program."""
        node = self.nodes.get(host.node) or {}
        return str(node.get("kubelet_version") or host.facts["kubelet"]).removeprefix("v")

    @property
    def etcd_members(self) -> dict[str, str]:
        """The versions of members on hosts of their own, by name."""
        return {member["name"]: member["version"] for member in self.etcd.get("members") or []}

    def etcd_needs(self, host: Host) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What stacked etcd must be, and had better be, before it gets the target's; empty where nothing is needed."""
        version = number(str(host.facts["etcd"]).partition("-")[0])
        if version[:2] not in ETCD_HOPS:
            return (), ()
        since, least, better = ETCD_HOPS[version[:2]]
        return (least, better) if self.minor >= since and version < better else ((), ())

    def raises_etcd(self, host: Host) -> bool:
        """Whether stacked etcd is raised to another patch release before."""
        least, _better = self.etcd_needs(host)
        version, wanted = (number(tag.partition("-")[0]) for tag in (str(host.facts["etcd"]), self.etcd_tag))
        return bool(least) and wanted[:2] == least[:2] and wanted >= least and wanted > version

    def runtime_change(self, host: Host) -> tuple[str, str]:
        """The versions of containerd that a host has, and gets with its kubelet; twice the same where it stays."""
        name, _scheme, version = str((self.nodes.get(host.node) or {}).get("runtime", "")).partition("://")
        return version, self.runtime if name == "containerd" and self.runtime else version

    @property
    def is_minor_hop(self) -> bool:
        """Whether anything is at another minor release than the target."""
        versions = [host.api_server for host in self.control_planes] + [self.kubelet(host) for host in self.hosts]
        return any(version and minor_of(version) != self.minor for version in versions)

    def is_cordoned(self, host: Host) -> bool:
        """Whether a host's node is cordoned for an upgrade, as a run that was cut off leaves it."""
        return self.purposes.get(host.node) == "upgrade"
