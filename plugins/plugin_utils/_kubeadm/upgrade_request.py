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
    """

    version: str
    hosts: Sequence[Host]
    cluster: Mapping[str, Any]
    left_out: Sequence[str] = ()
    variables: Sequence[Setting] = field(default_factory=list)
    drains: bool = False
    purposes: Mapping[str, str] = field(default_factory=dict)
    forbidden: Mapping[str, Sequence[str]] = field(default_factory=dict)

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
    def stored_version(self) -> str:
        """The version that the cluster stores."""
        return str(self.configuration.get("kubernetesVersion") or "").removeprefix("v")

    def kubelet(self, host: Host) -> str:
        """The version of a host's kubelet: of the one that reports, or else of its program."""
        node = self.nodes.get(host.node) or {}
        return str(node.get("kubelet_version") or host.facts["kubelet"]).removeprefix("v")

    @property
    def is_minor_hop(self) -> bool:
        """Whether anything is at another minor release than the target."""
        versions = [host.api_server for host in self.control_planes] + [self.kubelet(host) for host in self.hosts]
        return any(version and minor_of(version) != self.minor for version in versions)

    def is_cordoned(self, host: Host) -> bool:
        """Whether a host's node is cordoned for an upgrade, as a run that was cut off leaves it."""
        return self.purposes.get(host.node) == "upgrade"
