# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API server knows of the nodes."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_info
short_description: Read Kubernetes' nodes, and wait for them
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Returns all registered nodes with their addresses, pod subnets and readiness.
  - Waits, on request, until the named nodes are registered and have what is needed of them.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
  - groundwork.kubernetes.kubeconfig
attributes:
  check_mode:
    details:
      - Does not wait. On a host that has no kubectl or kubeconfig yet, there are no nodes.
      - Where the host has joined a cluster that cannot be asked, nothing is known. This is a warning, and RV(known) is
        false.
options:
  names:
    description:
      - Names of the nodes that must be registered and that O(wait_for) is about.
      - Without it, O(wait_for) is about all registered nodes.
    type: list
    elements: str
    default: []
  wait_for:
    description:
      - What to wait for.
      - V(pod_cidr) is the subnet that the controller manager gives a node, V(internal_ip) its address, V(ready) its
        condition of that name.
    type: list
    elements: str
    choices: [pod_cidr, internal_ip, ready]
    default: []
  skip_silent:
    description:
      - Whether nodes whose kubelets are silent when this begins are left out of O(wait_for), with a warning.
      - So one node that is off does not keep the others waiting.
    type: bool
    default: false
  images:
    description:
      - Whether to tell which images the pods of each node have, without those of pods that have secrets for registries
        (C(imagePullSecrets)).
    type: bool
    default: false
  timeout:
    description: How long to wait, in seconds.
    type: int
    default: 300
seealso:
  - module: groundwork.kubernetes.node
"""

EXAMPLES = r"""
- name: Wait until two nodes are ready
  groundwork.kubernetes.node_info:
    names: [worker-1, worker-2]
    wait_for: [ready]
    timeout: 600
"""

RETURN = r"""
answered:
  description: Whether an API server was asked. In check mode, a host that has joined no cluster has none.
  returned: success
  type: bool
  sample: true
known:
  description: Whether RV(nodes) are all there are. It is false in check mode where the cluster cannot be asked.
  returned: success
  type: bool
  sample: true
nodes:
  description: All registered nodes, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The node's name.
      type: str
    labels:
      description: Its labels.
      type: dict
    taints:
      description: Its taints.
      type: list
      elements: dict
    unschedulable:
      description: Whether it is cordoned.
      type: bool
    cordoned_for:
      description: What M(groundwork.kubernetes.drain) has cordoned it for; empty where it did not.
      type: str
    pod_cidrs:
      description: The pod subnets it was given.
      type: list
      elements: str
    internal_ips:
      description: Its addresses of the type InternalIP.
      type: list
      elements: str
    kubelet_version:
      description: The version of its kubelet.
      type: str
    container_runtime:
      description: The container runtime with its version, as its kubelet reports it, such as V(containerd://1.7.34).
      type: str
    cri_socket:
      description: The socket of its container runtime, as kubeadm has noted it.
      type: str
    images:
      description: The images of its pods, with O(images).
      type: list
      elements: str
    ready:
      description: Whether its condition Ready is true.
      type: bool
    reports:
      description: Whether its kubelet reports. Where it has fallen silent, the condition Ready is unknown.
      type: bool
    ready_message:
      description: What the condition Ready says.
      type: str
  sample: [{name: worker-1, pod_cidrs: [10.244.1.0/24], internal_ips: [192.0.2.11], ready: true, reports: true}]
"""

from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api import cluster_missing, not_known, poll
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import (
    KUBECONFIG_OPTION,
    Kubectl,
    KubectlError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.node import (
    NodeError,
    Object,
    faults,
    pod_images,
    summary,
)

ARGUMENTS: Dict[str, Any] = {
    "names": {"type": "list", "elements": "str", "default": []},
    "wait_for": {"type": "list", "elements": "str", "choices": ["pod_cidr", "internal_ip", "ready"], "default": []},
    "skip_silent": {"type": "bool", "default": False},
    "images": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 300},
    "kubeconfig": KUBECONFIG_OPTION,
}


def run(module: AnsibleModule) -> Dict[str, Any]:
    """The module's result, with the nodes as soon as they have what they must have.

    Raises:
        NodeError: saying what is missing when the time is over.
    """
    params = module.params
    if not_known(module, params["kubeconfig"]):
        return {"answered": False, "known": False, "nodes": []}
    missing = cluster_missing(module, params["kubeconfig"])
    if missing:
        if module.check_mode:
            return {"answered": False, "known": True, "nodes": []}
        raise NodeError(f"{missing}; run this task on a control plane")
    kubectl = Kubectl(module, params["kubeconfig"])
    nodes: List[Object] = []
    silent: List[str] = []

    def pending() -> str:
        first = not nodes
        nodes[:] = [summary(node) for node in kubectl.get("nodes")["items"]]
        if first and params["skip_silent"]:
            silent[:] = [node["name"] for node in nodes if not node["reports"]]
        names = params["names"] or [node["name"] for node in nodes]
        wanted = [name for name in names if name not in silent]
        return "; ".join(faults(nodes, wanted, params["wait_for"])) if wanted else ""

    lacking = poll(pending, 0 if module.check_mode else params["timeout"])
    skipped = [name for name in silent if name in (params["names"] or silent)]
    if skipped:
        module.warn(f"The kubelets of {', '.join(skipped)} do not report, so that these nodes were not waited for.")
    if lacking and not module.check_mode:
        raise NodeError(f"after {params['timeout']} seconds: {lacking}")
    if params["images"]:
        images = pod_images(kubectl.get("pods", "--all-namespaces")["items"])
        for node in nodes:
            node["images"] = images.get(node["name"], [])
    return {"answered": True, "known": True, "nodes": sorted(nodes, key=lambda node: str(node["name"]))}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        module.exit_json(changed=False, **run(module))
    except (NodeError, KubectlError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
