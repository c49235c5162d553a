# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module cluster_status: take API servers off the list that kubeadm keeps in the cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_status
short_description: Takes control planes off kubeadm's list of API servers
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - C(kubeadm) before 1.22 keeps C(ClusterStatus) in the ConfigMap C(kubeadm-config), with the API server of each
    control plane. C(kubeadm reset) takes a host off that list, if the host can still do so. This does it from any other
    control plane.
  - Newer versions have no such list. Then there is nothing to do.
  - Runs on a host with C(kubectl) and an administrator's kubeconfig.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.full
  - groundwork.kubernetes.kubeconfig
attributes:
  check_mode:
    details:
      - Where there is no cluster to ask, it fails, as the run would.
options:
  absent:
    description: The names of the nodes that are no control planes any more.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Forget the API server of a control plane that is gone
  groundwork.kubernetes.cluster_status:
    absent: [control-plane-3]
"""

RETURN = r"""
removed:
  description: Those of the nodes that were, or would be, taken off the list.
  returned: success
  type: list
  elements: str
  sample: [control-plane-3]
"""

import json
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api import require_cluster
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import (
    KUBECONFIG_OPTION,
    Kubectl,
    KubectlError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.diff import diff_lines
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.cluster_status import without

KEY = "ClusterStatus"
NAME = "kubeadm-config"
NAMESPACE = "--namespace=kube-system"
ATTEMPTS = 5


def run(module: AnsibleModule, kubectl: Kubectl) -> Dict[str, Any]:
    """Take them off, again if something else changed the list in between.

    Raises:
        KubectlError: if the API server does not answer, or refuses it.
    """
    for attempt in range(1, ATTEMPTS + 1):
        found = kubectl.get("configmap", NAME, NAMESPACE) or {}
        before = (found.get("data") or {}).get(KEY) or ""
        after, removed = without(before, module.params["absent"])
        result = {"changed": bool(removed), "removed": removed}
        result["diff"] = diff_lines(KEY, before.splitlines(), after.splitlines())
        if not removed or module.check_mode:
            break
        version = found["metadata"]["resourceVersion"]
        patch = json.dumps({"metadata": {"resourceVersion": version}, "data": {KEY: after}})
        try:
            kubectl.run("patch", "configmap", NAME, NAMESPACE, "--type=merge", f"--patch={patch}")
        except KubectlError as error:
            if "(Conflict)" not in error.stderr or attempt == ATTEMPTS:
                raise
        else:
            break
    return result


def main() -> None:
    """Run the module."""
    arguments: Dict[str, Any] = {
        "absent": {"type": "list", "elements": "str", "required": True},
        "kubeconfig": KUBECONFIG_OPTION,
    }
    module = AnsibleModule(argument_spec=arguments, supports_check_mode=True)
    require_cluster(module, module.params["kubeconfig"])
    try:
        module.exit_json(**run(module, Kubectl(module, module.params["kubeconfig"])))
    except KubectlError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
