# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of an upgrade, and its plan: decided by the versions that run, so that it can be resumed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.images import image_version
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.plan import PlanItem
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import COMPONENTS
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import release
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.upgrade_request import Host, Request


def leader(request: Request) -> Host | None:
    """The control plane on which kubeadm applies the upgrade: one that has begun, else the first that is ready."""
    ready = [host for host in request.control_planes if not host.facts["api_error"]]
    begun = [host for host in ready if request.version in host.facts["manifests"].values()]
    return next(iter(begun or ready or request.control_planes), None)


def batch_size(wanted: str, hosts: int, variable: str = "upgrade_batch") -> int:
    """How many workers are changed at a time.

    Args:
        wanted: a number, or a percentage of the workers, of which at least one is meant.
        hosts: how many workers there are.
        variable: where that is set.

    Raises:
        ValueError: if it is neither.
    """
    number, percent = (wanted[:-1], True) if wanted.endswith("%") else (wanted, False)
    if not number.isdigit() or int(number) < 1 or (percent and int(number) > 100):
        raise ValueError(f"{variable} is {wanted}; write a number from 1 on, or a percentage such as 25%")
    return max(1, math.floor(hosts * int(number) / 100)) if percent else int(number)


def batches(request: Request, size: int) -> list[list[str]]:
    """Whose kubelets are replaced together, of those that are due: each control plane alone, then the workers."""
    workers = [host.name for host in kubelets(request.workers, request)]
    return [[host.name] for host in kubelets(request.control_planes, request)] + [
        workers[start : start + size] for start in range(0, len(workers), size)
    ]


def kubelets(hosts: Sequence[Host], request: Request) -> list[Host]:
    """Those whose kubelets are due: first the ones that are cordoned already, which then have room for others' pods."""
    return sorted(
        (host for host in hosts if kubelet_is_due(host, request)), key=lambda host: not request.is_cordoned(host)
    )


def control_plane_versions(host: Host, request: Request) -> str:
    """What a control plane is at; more than one version where an upgrade was cut off."""
    return ", ".join(sorted({version for version in host.facts["manifests"].values() if version}))


def is_due(host: Host, request: Request) -> bool:
    """Whether a control plane's manifests are not at the target."""
    return any(host.facts["manifests"].get(name) != request.version for name in COMPONENTS)


def kubelet_is_due(host: Host, request: Request) -> bool:
    """Whether a host's kubelet is not at the target, or a run that was cut off has left its node cordoned."""
    return request.kubelet(host) != request.version or request.is_cordoned(host)


def cluster_is_due(request: Request) -> bool:
    """Whether what the cluster has once is not at the target."""
    proxy = image_version(request.cluster["kube_proxy"])
    return request.stored_version != request.version or proxy not in ("", request.version)


def steps(request: Request, evicted: Mapping[str, Sequence[str]], backup: bool) -> Iterator[PlanItem]:
    """Each step in its order.

    Args:
        request: the upgrade.
        evicted: the pods that a drain evicts, by node.
        backup: whether a backup is made before.
    """
    first = leader(request)
    due = [host for host in request.control_planes if is_due(host, request)]
    members = [(name, runs) for name, runs in request.etcd_members.items() if runs != request.etcd["version"]]
    if first and backup and (due or cluster_is_due(request) or members):
        yield PlanItem(first.name, "backup", "", "proven")
    for name, runs in members:
        yield PlanItem(name, "etcd", runs, request.etcd["version"], restarts=("etcd",))
    for host in request.control_planes:
        if request.raises_etcd(host):
            yield PlanItem(host.name, "etcd", host.facts["etcd"], request.etcd_tag, restarts=("etcd",))
    if first and (first in due or cluster_is_due(request)):
        yield _control_plane(first, request)
    for host in due:
        if host is not first:
            yield _control_plane(host, request)
    proxy = image_version(request.cluster["kube_proxy"])
    if proxy not in ("", request.version):
        yield PlanItem("all nodes", "kube-proxy", proxy, request.version, restarts=("kube-proxy",))
    for host in [*kubelets(request.control_planes, request), *kubelets(request.workers, request)]:
        before, cordoned = request.kubelet(host), request.is_cordoned(host)
        text = "is drained and cordoned meanwhile" if request.drains else ""
        has, gets = request.runtime_change(host)
        runtime = has != gets or _sandbox_changes(before, request)
        restarts = (*(("containerd",) if runtime else ()), *(("kubelet",) if before != request.version else ()))
        yield PlanItem(
            host.name,
            "kubelet",
            f"{before}, cordoned" if cordoned else before,
            request.version,
            restarts=restarts,
            evicts=tuple(evicted.get(host.node, ())),
            disrupts="; ".join(filter(None, [text, f"containerd {has} becomes {gets}" if has != gets else ""])),
        )


def _sandbox_changes(before: str, request: Request) -> bool:
    """Whether containerd gets another sandbox image, with which its configuration changes."""
    if not request.runtime or not before:
        return False
    return bool(release(before)["pause_image_tag"] != release(request.version)["pause_image_tag"])


def _control_plane(host: Host, request: Request) -> PlanItem:
    before = control_plane_versions(host, request)
    return PlanItem(
        host.name,
        "control plane",
        before,
        request.version,
        restarts=COMPONENTS,
        disrupts="etcd restarts too, where this kubeadm brings another one" if request.is_minor_hop else "",
    )
