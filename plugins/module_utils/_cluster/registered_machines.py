# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On which machines the nodes of a cluster run, as their kubelets have told the API."""

from __future__ import annotations

from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api import cluster_missing
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import Kubectl, KubectlError

ADMIN = "/etc/kubernetes/admin.conf"
TIMEOUT = 10


def machines(document: Any) -> List[Dict[str, str]]:
    """Each node's name, and what its machine is told from others by."""
    return [
        {
            "name": str(item["metadata"]["name"]),
            "machine_id": str(info.get("machineID") or ""),
            "product_uuid": str(info.get("systemUUID") or "").lower(),
        }
        for item in (document or {}).get("items", [])
        for info in [item.get("status", {}).get("nodeInfo") or {}]
    ]


def registered_machines(module: AnsibleModule, kubeconfig: str = ADMIN) -> List[Dict[str, str]]:
    """The machines of the cluster that this control plane is of; none where that cannot be asked."""
    if cluster_missing(module, kubeconfig):
        return []
    try:
        return machines(Kubectl(module, kubeconfig, TIMEOUT).get("nodes"))
    except KubectlError:
        return []
