# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kubeadm has made of a host, by every trace: a host with any of a control plane is one, in whatever state.

A file that is missing proves nothing. An administrator who looks for a fault moves manifests aside, and an interrupted
restore leaves them in a folder beside. So what is missing is named, and either written again or left to people.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Sequence, Tuple

FOLDER = "/etc/kubernetes"
CONFIG = "/etc/kubernetes/kubeadm.yaml"
# The configuration that was applied to the host last, in JSON.
STAMP = "/var/lib/groundwork/kubeadm.json"
INIT_MARKER = ".kubeadm-init-in-progress"
JOIN_MARKER = ".kubeadm-join-in-progress"
# With it a kubelet asks for its first certificate. kubeadm removes it when the kubelet has joined.
BOOTSTRAP = "bootstrap-kubelet.conf"
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
ETCD = "etcd"
# Those that kubeadm can issue again with the key of the cluster's authority, by the names of its phases.
KUBECONFIGS = ("admin", "controller-manager", "scheduler")
# A kubelet that has joined has this; kubeadm reset removes it, also where it cannot end.
KUBELET_CERTIFICATE = "/var/lib/kubelet/pki/kubelet-client-current.pem"
AUTHORITY = "pki/ca.crt"
AUTHORITY_KEY = "pki/ca.key"
MANIFESTS, ASIDE = "manifests", "manifests.stopped"
# People copy it to workers, so by itself it makes no control plane.
WEAK = ("admin.conf",)
RESTORE = "run the playbook restore again to end it, or with restore_rollback=true to go back"


@dataclass(frozen=True)
class NodeState:
    """What kubeadm has made of a host.

    Attributes:
        role: none, worker or control_plane.
        interrupted: the command that was begun and never finished: init, join or nothing.
        traces: the files of a control plane that are there.
        missing: what a control plane has and this one lacks; of a worker, the kubeconfig of its kubelet.
        faults: why what is missing is not written again; nothing if it can be.
        signs: whether a control plane has the key of the cluster's authority.
    """

    role: str
    interrupted: str = ""
    traces: Tuple[str, ...] = ()
    missing: Tuple[str, ...] = ()
    faults: Tuple[str, ...] = ()
    signs: bool = False

    def describe(self) -> Dict[str, Any]:
        """As a module returns it."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}


def manifest(folder: str, name: str, place: str = MANIFESTS) -> str:
    """The path of a static pod's manifest."""
    return os.path.join(folder, place, f"{name}.yaml")


def kubeconfig(folder: str, name: str) -> str:
    """The path of a kubeconfig."""
    return os.path.join(folder, f"{name}.conf")


def node_state(
    folder: str,
    etcd_data: str = "",
    exists: Callable[[str], bool] = os.path.lexists,
    applied: Tuple[str, ...] = (CONFIG, STAMP),
) -> NodeState:
    """A host's state.

    Args:
        folder: kubeadm's.
        etcd_data: the data directory of the member of etcd that kubeadm runs on a control plane; empty if it runs none.
        exists: whether there is a file.
        applied: the files that tell which configuration was applied.
    """
    marked = [
        name for name, marker in (("init", INIT_MARKER), ("join", JOIN_MARKER)) if exists(os.path.join(folder, marker))
    ]
    interrupted = marked[0] if marked else ""
    pods = (*COMPONENTS, *([ETCD] if etcd_data else []))
    kept = [kubeconfig(folder, name) for name in (*KUBECONFIGS, "super-admin")]
    kept += [manifest(folder, name, place) for place in (MANIFESTS, ASIDE) for name in pods]
    kept += [os.path.join(etcd_data, "member")] if etcd_data else []
    traces = tuple(path for path in kept if exists(path))
    joined = exists(kubeconfig(folder, "kubelet"))
    if all(os.path.relpath(path, folder) in WEAK for path in traces):
        has_joined = exists(KUBELET_CERTIFICATE) and exists(os.path.join(folder, AUTHORITY))
        if not (interrupted or joined or has_joined) and exists(os.path.join(folder, BOOTSTRAP)):
            interrupted = "join"  # without our marker, as others began it
        lost = () if joined or interrupted or not has_joined else (kubeconfig(folder, "kubelet"),)
        return NodeState("worker" if joined or lost else "none", interrupted, traces, lost)
    needed = [kubeconfig(folder, name) for name in ("kubelet", *KUBECONFIGS)] + [
        manifest(folder, name) for name in pods
    ]
    missing = tuple(path for path in needed if not exists(path))
    signs = exists(os.path.join(folder, AUTHORITY_KEY))
    if interrupted or not missing:
        return NodeState("control_plane", interrupted, traces, signs=signs)
    faults = _faults(folder, etcd_data, traces, missing, [path for path in applied if not exists(path)])
    return NodeState("control_plane", interrupted, traces, missing, tuple(faults), signs)


def unsigned(missing: Sequence[str], signs: bool) -> str:
    """Which missing kubeconfigs of a control plane cannot be issued again without the authority's key; or nothing."""
    return "" if signs else ", ".join(path for path in missing if path.endswith(".conf"))


def _faults(
    folder: str, etcd_data: str, traces: Tuple[str, ...], missing: Tuple[str, ...], unknown: List[str]
) -> List[str]:
    """What must be put right by people."""
    if etcd_data and traces == (os.path.join(etcd_data, "member"),):
        return [
            f"{etcd_data} holds data of etcd, and nothing else of a control plane is there. If the data is of no use, "
            "move it away; else restore the cluster from it or from a backup (docs/restore.md)"
        ]
    faults = []
    aside = [
        manifest(folder, name, ASIDE)
        for name in (*COMPONENTS, ETCD)
        if manifest(folder, name) in missing and manifest(folder, name, ASIDE) in traces
    ]
    if aside:
        faults.append(
            f"{', '.join(aside)} {'is' if len(aside) == 1 else 'are'} stopped, as an interrupted restore leaves it: "
            f"{RESTORE}. If somebody stopped it by hand, move it back to {os.path.join(folder, MANIFESTS)}"
        )
    away = [path for path in missing if not any(os.path.basename(path) == os.path.basename(one) for one in aside)]
    if manifest(folder, ETCD) in away and os.path.join(etcd_data, "member") not in traces:
        faults.append(
            f"{manifest(folder, ETCD)} is missing, and so is the member's data in {etcd_data}: put them back from "
            "where they were moved to. If the member is lost for good, set the host up anew "
            "(docs/repair-a-control-plane.md)"
        )
    lost = [manifest(folder, name) for name in (ETCD, *COMPONENTS) if manifest(folder, name) in away]
    if lost and unknown:
        faults.append(
            f"{', '.join(lost)} cannot be written again, as {' and '.join(unknown)}, which would tell how, "
            f"{'is' if len(unknown) == 1 else 'are'} not there: put back what is missing. If others "
            "began kubeadm init or join here and it was cut off, clear the host with the playbook reset (docs/reset.md)"
        )
    return faults
