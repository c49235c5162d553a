# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes move to another container runtime, and what forbids it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.running_settings import DOCKERSHIM
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.reboot_plan import (
    Seen,
    WalkPlan,
    Work,
    make_plan,
)

Result = Mapping[str, Any]

MIGRATION = Work(
    "runtime", "", "the kubelet, the container runtime, every container of the node", "a move", "migrate_runtime"
)
# How a kubelet calls the runtimes.
REPORTED = {"containerd": "containerd", "crio": "cri-o", "docker": "docker"}


class Target(NamedTuple):
    """The runtime that the inventory names for a host.

    Attributes:
        runtime: containerd, crio or docker.
        version: where it is known before it is installed.
        socket: where it listens.
    """

    runtime: str
    version: str
    socket: str

    @property
    def reported(self) -> str:
        """What the kubelet is to report, as far as it is known."""
        name = f"{REPORTED[self.runtime]}://"
        return f"{name}{self.version}" if self.version else name

    @property
    def shown(self) -> str:
        """As a plan shows it."""
        return f"{REPORTED[self.runtime]} {self.version}".strip()


def same_socket(one: str, other: str) -> bool:
    """Whether two sockets are one; /var/run is /run, and the scheme may be left out."""
    return _plain(one) == _plain(other)


def _plain(socket: str) -> str:
    return re.sub(r"^(unix://)?(/var)?/run/", "/run/", socket)


def needs_exchange(node: Result, host: Result, target: Target) -> bool:
    """Whether a node reports, or its kubelet is told of, another runtime than it is to have."""
    name, _scheme, version = str(node.get("container_runtime") or "").partition("://")
    if name != REPORTED[target.runtime] or not same_socket(str(host.get("socket") or ""), target.socket):
        return True
    # Packages add to upstream's version.
    number = re.match(r"[\d.]*\d", version)
    return bool(target.version) and (number[0] if number else version) != target.version


def faults_of(host: Result, target: Target, unavailable: list[str]) -> list[str]:
    """Why a node cannot be moved."""
    found = []
    if target.socket == DOCKERSHIM:
        found.append(
            "kubernetes_container_runtime is docker, and before Kubernetes 1.24 no node is moved to it, as 1.24 could "
            "not use it as it is then; set containerd or crio"
        )
    if not host.get("socket"):
        found.append(
            "the kubelet's files do not say which runtime it uses, as /var/lib/kubelet/kubeadm-flags.env is missing or "
            "not kubeadm's; run site first"
        )
    if not host.get("keeps_containers", True) and target.runtime == "containerd":
        found.append(
            "Docker would end all containers when the containerd below it is restarted; set live-restore: true in "
            "/etc/docker/daemon.json, and run 'systemctl reload docker', which ends none"
        )
    return [*found, *unavailable]


def plan_migration(
    seen: Seen, hosts: Mapping[str, Result], targets: Mapping[str, Target], unavailable: Mapping[str, list[str]]
) -> tuple[WalkPlan, list[str]]:
    """The plan, and the hosts whose runtime is still to be exchanged.

    Args:
        seen: the cluster; its hosts are made here.
        hosts: by host, what runtime_info returned.
        targets: by host, the runtime that it is to have.
        unavailable: by host, what is wrong with images that it would need.
    """
    nodes = {node["name"]: node for node in seen.nodes}
    judged: dict[str, Result] = {}
    exchanged = []
    for host, found in hosts.items():
        node, target = nodes.get(seen.names[host], {}), targets[host]
        runs = str(node.get("container_runtime") or "").replace("://", " ")
        if needs_exchange(node, found, target):
            exchanged.append(host)
            reasons = [runs or "no runtime that is known"]
            judged[host] = {
                "reasons": reasons,
                "faults": faults_of(found, target, unavailable.get(host, [])),
                "after": target.shown,
            }
        else:
            judged[host] = {"reasons": [], "after": target.shown}
    return make_plan(replace(seen, hosts=judged), True, MIGRATION), exchanged
