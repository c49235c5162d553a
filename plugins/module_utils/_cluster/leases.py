# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether kubelets report: each renews its node's lease every ten seconds.

The condition Ready tells it late, and not at all where no controller manager runs. Two of the lease's own times are
compared, so that the clocks of hosts do not matter.
"""

from __future__ import annotations

import json
import time
from typing import Any, Dict, List, Sequence, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import Kubectl

Object = Dict[str, Any]

NAMESPACE = "--namespace=kube-node-lease"
WATCH = 25.0
PAUSE = 3.0
# A lease is renewed each quarter of its duration, 40 seconds unless the kubelet's configuration says otherwise.
USUAL_DURATION = 40
# The node controller calls a node's state unknown when its kubelet has been silent for 50 seconds, before Kubernetes
# 1.32 for 40 (node-monitor-grace-period), and looks every 5.
GRACE = 55.0


def _status(node: Object) -> str:
    conditions = (node.get("status") or {}).get("conditions") or []
    return next((str(one["status"]) for one in conditions if one["type"] == "Ready"), "Unknown")


def _lease(kubectl: Kubectl, name: str) -> Tuple[str, int]:
    """When it was renewed, empty where there is none, and for how many seconds it holds."""
    spec = (kubectl.get("leases", name, NAMESPACE) or {}).get("spec") or {}
    return str(spec.get("renewTime") or ""), int(spec.get("leaseDurationSeconds") or USUAL_DURATION)


def reporting(kubectl: Kubectl, nodes: Sequence[Object]) -> List[str]:
    """Those of these nodes whose kubelets report.

    Raises:
        KubectlError: if the API server does not answer; then nothing is known.
    """
    asked = {str(node["metadata"]["name"]): _status(node) for node in nodes}
    leases = {name: _lease(kubectl, name) for name in asked}
    # Without a lease only the condition is known.
    alive = [name for name, status in asked.items() if not leases[name][0] and status != "Unknown"]
    watched = [name for name in asked if leases[name][0]]
    longest = max((leases[name][1] for name in watched), default=0)
    end = time.monotonic() + WATCH * max(longest / USUAL_DURATION, 1)
    while watched and time.monotonic() < end:
        time.sleep(PAUSE)
        found = [name for name in watched if _lease(kubectl, name)[0] != leases[name][0]]
        alive += found
        watched = [name for name in watched if name not in found]
    return [name for name in asked if name in alive]


def at_work(kubectl: Kubectl, names: Sequence[str]) -> List[str]:
    """Those of these names that are nodes whose kubelets still report when the grace period is over.

    A host that was set up anew has no kubelet that reports, though its node is called ready for a while.

    Raises:
        KubectlError: if the API server does not answer; then nothing is known.
    """
    end, left = time.monotonic() + GRACE, list(names)
    while left:
        left = reporting(kubectl, _nodes(kubectl, left))
        if time.monotonic() >= end:
            break
        time.sleep(PAUSE if left else 0)
    return left


def _nodes(kubectl: Kubectl, names: Sequence[str]) -> List[Object]:
    output = kubectl.run("get", "nodes", *names, "--ignore-not-found", "--output=json").strip()
    found: Object = json.loads(output or "{}")
    nodes: List[Object] = [found] if "metadata" in found and "items" not in found else found.get("items") or []
    return nodes
