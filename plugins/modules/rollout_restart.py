# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module rollout_restart: restart all workloads of some namespaces, each as its own strategy has it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_restart
short_description: Restart the workloads of namespaces
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Restarts the deployments, daemon sets and stateful sets of namespaces with C(kubectl rollout restart), so that
    their pods are replaced as their own strategies have it.
  - It does not wait for the end of that.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.kubeconfig
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: none
options:
  namespaces:
    description: The namespaces. Those that do not exist have no workloads.
    type: list
    elements: str
    required: true
  timeout:
    description: Seconds that the API server may take to answer.
    type: int
    default: 120
seealso:
  - name: kubectl rollout restart
    description: What it does.
    link: https://kubernetes.io/docs/reference/kubectl/generated/kubectl_rollout/kubectl_rollout_restart/
"""

EXAMPLES = r"""
- name: Restart what watches the API
  groundwork.kubernetes.rollout_restart:
    namespaces: [kube-system]
"""

RETURN = r"""
restarted:
  description: The workloads that were, or would be, restarted.
  returned: success
  type: list
  elements: str
  sample: [kube-system/daemonset/kube-proxy]
"""

import time
from typing import Any, Dict, List, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api import cluster_missing, not_known
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import (
    KUBECONFIG_OPTION,
    Kubectl,
    KubectlError,
)

KINDS = "deployments.apps,daemonsets.apps,statefulsets.apps"
PAUSE = 2.0
Workload = Tuple[str, str, str]


def find(kubectl: Kubectl, namespaces: List[str]) -> List[Workload]:
    """Namespace, kind and name of the workloads."""
    found: List[Workload] = []
    for namespace in namespaces:
        items = (kubectl.get(KINDS, f"--namespace={namespace}") or {}).get("items", [])
        found += [(namespace, item["kind"].lower(), item["metadata"]["name"]) for item in items]
    return found


def patiently(kubectl: Kubectl, namespaces: List[str], timeout: float) -> List[Workload]:
    """The workloads, also from an API server that has started a moment ago and forbids what it will allow.

    Raises:
        KubectlError: if it does not answer in time.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            return find(kubectl, namespaces)
        except KubectlError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(PAUSE)


def run(module: AnsibleModule) -> Dict[str, Any]:
    """Restart them."""
    params = module.params
    if not_known(module, params["kubeconfig"]):
        return {"changed": False, "restarted": []}
    missing = cluster_missing(module, params["kubeconfig"])
    if missing and module.check_mode:
        return {"changed": False, "restarted": []}
    if missing:
        raise KubectlError([], 1, missing)
    kubectl = Kubectl(module, params["kubeconfig"], timeout=20)
    workloads = patiently(kubectl, params["namespaces"], 0 if module.check_mode else params["timeout"])
    names = ["/".join(workload) for workload in workloads]
    if not module.check_mode:
        for namespace, kind, name in workloads:
            kubectl.run("rollout", "restart", f"{kind}/{name}", f"--namespace={namespace}")
    result: Dict[str, Any] = {"changed": bool(names), "restarted": names}
    if module._diff and names:
        result["diff"] = {"before": dict.fromkeys(names, "running"), "after": dict.fromkeys(names, "restarted")}
    return result


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "namespaces": {"type": "list", "elements": "str", "required": True},
            "kubeconfig": KUBECONFIG_OPTION,
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except KubectlError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
