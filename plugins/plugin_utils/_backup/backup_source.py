# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a backup comes from: the control plane that makes it, and the hosts of external etcd that keep its CAs."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Mapping, Sequence

HOLDS = {"admin.conf", "kube-apiserver.yaml"}


def find_source(
    results: Sequence[Mapping[str, Any]],
    control_planes: Sequence[str],
    lost: Sequence[str],
    exclude: Sequence[str],
    anywhere: bool = False,
) -> Dict[str, Any]:
    """Who may make the backup, who does, and of whom nothing is known.

    Args:
        results: what kubeadm_info returned of the candidates, which are the items; empty before it.
        control_planes: all of them, in their order, so that one host keeps the archives.
        lost: hosts that failed in this run or could not be reached.
        exclude: control planes that are taken away by what the backup precedes.
        anywhere: whether the first that answers makes the backup where none holds a cluster, as for an etcd that serves
            no Kubernetes.

    Returns:
        candidates: the control planes to search.
        host: the first that holds the cluster, or empty.
        silent: those that may hold it and could not be asked. One that is excluded is no reason to wait.
    """
    candidates = [name for name in control_planes if name not in lost and name not in exclude]
    unreachable = [str(result["item"]) for result in results if result.get("unreachable")]
    others = [result for result in results if anywhere and "traces" in result]
    unasked = [name for name in control_planes if name not in candidates and name not in exclude]
    return {
        "candidates": candidates,
        "host": next((str(result["item"]) for result in [*filter(_holds, results), *others]), ""),
        "silent": list(dict.fromkeys([*unreachable, *unasked])),
    }


def _holds(result: Mapping[str, Any]) -> bool:
    """Whether a host has an administrator's kubeconfig or an API server, also a stopped one."""
    return bool(HOLDS & {os.path.basename(path) for path in result.get("traces", [])})


def authority_hosts(etcd_hosts: Sequence[str], ca_hosts: Sequence[str], lost: Sequence[str]) -> List[str]:
    """Hosts of external etcd that are asked for the keys of its CAs, first those that are known to keep them.

    More than half of the members are enough: without so many there is no quorum, and so no backup.

    Args:
        etcd_hosts: all hosts of etcd.
        ca_hosts: those that keep the keys; others than etcd's are left out.
        lost: hosts that failed in this run or could not be reached.
    """
    ordered = dict.fromkeys([*(name for name in ca_hosts if name in etcd_hosts), *etcd_hosts])
    return [name for name in ordered if name not in lost][: len(etcd_hosts) // 2 + 1] if etcd_hosts else []
