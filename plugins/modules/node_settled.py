# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until a node is back after work on it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_settled
version_added: 0.1.0
short_description: Wait until a node is back after work on it
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Waits until a node and all pods on it are ready, and Deployments, DaemonSets and StatefulSets of the cluster have
    their pods ready again, wherever they moved to.
  - All of it must be so twice, O(interval) seconds apart, so that a pod which is ready for a moment does not count.
  - Pods that have ended, or end, and pods of Jobs are not waited for.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
  - groundwork.kubernetes.kubeconfig
attributes:
  check_mode:
    details: It does not wait in check mode.
options:
  name:
    description: The node's name.
    type: str
    required: true
  kubelet_version:
    description: The version, without v, that the node's kubelet must report. Any, if it is left out.
    type: str
    default: ''
  container_runtime:
    description:
      - The container runtime that the node's kubelet must report, such as V(containerd) or V(containerd://1.7.34). Any,
        if it is left out.
    type: str
    default: ''
  excused:
    description: Workloads that are not waited for, such as V(Deployment shop/cart), since they were not ready before.
    type: list
    elements: str
    default: []
  workloads:
    description:
      - Whether to wait for the cluster's workloads. Without, for the node and the pods on it alone.
      - Of a DaemonSet whose pod on the node is ready, those on other nodes are not waited for.
    type: bool
    default: true
  since:
    description:
      - When the node was restarted, in seconds since 1970 by its own clock. Its kubelet must have reported since, and
        the containers of its pods must have been started since. What the API has until then was so before.
      - V(0) for a node that was not restarted.
    type: float
    default: 0
  interval:
    description: Seconds between the two looks.
    type: int
    default: 10
  timeout:
    description: Seconds to wait in all.
    type: int
    default: 600
seealso:
  - module: groundwork.kubernetes.node_info
"""

EXAMPLES = r"""
- name: Wait until the node works with its new kubelet
  groundwork.kubernetes.node_settled:
    name: worker-1
    kubelet_version: 1.36.5

- name: Wait until a node that was rebooted and is still cordoned works again
  groundwork.kubernetes.node_settled:
    name: worker-1
    workloads: false
    since: '{{ rebooted_at }}'
"""

RETURN = r"""
seconds:
  description: How long was waited.
  returned: success
  type: float
  sample: 12.3
"""

import time
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import (
    KUBECONFIG_OPTION,
    Kubectl,
    KubectlError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.objects import items
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.settled import Wanted, pending

ARGUMENTS: Dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "kubelet_version": {"type": "str", "default": ""},
    "container_runtime": {"type": "str", "default": ""},
    "excused": {"type": "list", "elements": "str", "default": []},
    "workloads": {"type": "bool", "default": True},
    "since": {"type": "float", "default": 0},
    "interval": {"type": "int", "default": 10},
    "timeout": {"type": "int", "default": 600},
    "kubeconfig": KUBECONFIG_OPTION,
}
WORKLOADS = "deployments.apps,daemonsets.apps,statefulsets.apps"
PAUSE = 2.0


def look(kubectl: Kubectl, params: Dict[str, Any]) -> List[str]:
    """What is missing now; an API server that does not answer is waited for as well."""
    try:
        node = kubectl.get("node", params["name"])
        if node is None:
            return [f"there is no node {params['name']}"]
        pods = items(kubectl.get("pods", "--all-namespaces", f"--field-selector=spec.nodeName={params['name']}"))
        workloads = items(kubectl.get(WORKLOADS, "--all-namespaces")) if params["workloads"] else []
    except KubectlError as error:
        return [str(error)]
    wanted = Wanted(params["kubelet_version"], params["container_runtime"])
    return pending(node, wanted, pods, workloads, params["excused"], since=params["since"])


def main() -> None:
    """Wait."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if module.check_mode:
        module.exit_json(changed=False, seconds=0.0)
    kubectl, params, start = Kubectl(module, module.params["kubeconfig"], 30), module.params, time.monotonic()
    good = 0
    while good < 2:
        missing = look(kubectl, params)
        good = 0 if missing else good + 1
        if missing and time.monotonic() - start >= params["timeout"]:
            lines = "\n".join(f"- {text}" for text in missing)
            module.fail_json(msg=f"After {params['timeout']} seconds node {params['name']} is not back:\n{lines}")
        if good < 2:
            time.sleep(params["interval"] if good else PAUSE)
    module.exit_json(changed=False, seconds=round(time.monotonic() - start, 1))


if __name__ == "__main__":
    main()
