# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether kubelets report: each renews its node's lease every ten seconds.

The condition Ready tells it late, and not at all where no controller manager runs. Two of the lease's own times are
compared, so that the clocks of hosts do not matter.
"""

from __future__ import annotations

import time
from typing import Any, Dict, List, Sequence

from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubectl import Kubectl

Object = Dict[str, Any]

NAMESPACE = "--namespace=kube-node-lease"
WATCH = 25.0
PAUSE = 3.0


def _status(node: Object) -> str:
    conditions = (node.get("status") or {}).get("conditions") or []
    return next((str(one["status"]) for one in conditions if one["type"] == "Ready"), "Unknown")


def _renewed(kubectl: Kubectl, name: str) -> str:
    lease = kubectl.get("leases", name, NAMESPACE) or {}
    return str((lease.get("spec") or {}).get("renewTime") or "")


def reporting(kubectl: Kubectl, nodes: Sequence[Object]) -> List[str]:
    """Those of these nodes whose kubelets report.

    Raises:
        KubectlError: if the API server does not answer; then nothing is known.
    """
    asked = {str(node["metadata"]["name"]): _status(node) for node in nodes}
    before = {name: _renewed(kubectl, name) for name in asked}
    # Without a lease only the condition is known.
    alive = [name for name, status in asked.items() if not before[name] and status != "Unknown"]
    watched = [name for name in asked if before[name]]
    end = time.monotonic() + WATCH
    while watched and time.monotonic() < end:
        time.sleep(PAUSE)
        found = [name for name in watched if _renewed(kubectl, name) != before[name]]
        alive += found
        watched = [name for name in watched if name not in found]
    return [name for name in asked if name in alive]
