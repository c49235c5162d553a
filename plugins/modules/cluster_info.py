# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell what a cluster consists of."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_info
short_description: Tells what a Kubernetes cluster consists of
version_added: 0.1.0
description:
  - Returns the API server's version and address, the nodes, and how many pods are in which phase.
  - Tells whether CoreDNS and kube-proxy, which kubeadm installs, run, and waits for them on request.
  - Runs on a host with C(kubectl) and an administrator's kubeconfig, and only reads.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
  - groundwork.kubernetes.kubeconfig
attributes:
  check_mode:
    details:
      - Where kubectl or the kubeconfig is not there yet, check mode returns RV(exists=false) in place of an error.
      - Where the host has joined a cluster that cannot be asked, there is a warning, and all but RV(exists) is empty.
options:
  timeout:
    description: Seconds that each request to the API server may take.
    type: int
    default: 30
  wait_timeout:
    description:
      - Seconds to wait until CoreDNS and kube-proxy run on the nodes that are ready. What does not run then is no
        error, but is reported in RV(unready), in RV(summary), and in a warning.
      - It does not wait in check mode.
    type: int
    default: 0
requirements:
  - kubectl 1.20 or later
seealso:
  - module: groundwork.kubernetes.cluster_verify
author: groundwork.kubernetes contributors (@groundwork)
"""

EXAMPLES = r"""
- name: Read what the cluster consists of
  groundwork.kubernetes.cluster_info:
  register: cluster

- name: Print it
  ansible.builtin.debug:
    msg: '{{ cluster.summary.splitlines() }}'
"""

RETURN = r"""
exists:
  description: Whether there is a cluster. Only false in check mode.
  returned: success
  type: bool
  sample: true
endpoint:
  description: URL of the API server in the kubeconfig.
  returned: success
  type: str
  sample: https://192.0.2.10:6443
version:
  description: Version of the API server.
  returned: success
  type: str
  sample: v1.36.5
nodes:
  description: The nodes, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the node.
      type: str
    ready:
      description: Whether the node is ready.
      type: bool
    trouble:
      description: Why it is not ready.
      type: str
    takes_pods:
      description: Whether pods without tolerations may be scheduled to it.
      type: bool
    repels_pods:
      description: Why they may not; empty where they may.
      type: str
    roles:
      description: Its roles. A node that joined as a worker has none.
      type: list
      elements: str
    version:
      description: Version of its kubelet.
      type: str
    runtime:
      description: Name and version of its container runtime.
      type: str
    os_image:
      description: Its operating system.
      type: str
    internal_ips:
      description: Its internal addresses.
      type: list
      elements: str
  sample:
    - name: cp1
      ready: true
      trouble: ''
      takes_pods: false
      repels_pods: tainted node-role.kubernetes.io/control-plane
      roles: [control-plane]
      version: v1.36.5
      runtime: containerd://2.3.4
      os_image: Debian GNU/Linux 12 (bookworm)
      internal_ips: [192.0.2.10]
pods:
  description: How many pods of all namespaces are in which phase.
  returned: success
  type: dict
  sample: {Running: 12, Pending: 1}
unready:
  description: What kubeadm has installed and does not run, with what its pods say about it.
  returned: success
  type: list
  elements: str
  sample: ["Deployment kube-system/coredns has 0 of 2 pods ready"]
summary:
  description: All of it as text for people.
  returned: success
  type: str
"""

import json
from collections import Counter
from dataclasses import asdict
from typing import Any, Dict, List, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api import cluster_missing, not_known, poll
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import (
    KUBECONFIG_OPTION,
    Kubectl,
    KubectlError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.objects import items, parse_nodes, summary
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.workloads import explain, lacking, name_of

SPEC: Dict[str, Any] = {
    "kubeconfig": KUBECONFIG_OPTION,
    "timeout": {"type": "int", "default": 30},
    "wait_timeout": {"type": "int", "default": 0},
}
# The labels of CoreDNS and kube-proxy.
ADDONS = "k8s-app in (kube-dns, kube-proxy)"


def unready_addons(kubectl: Kubectl, timeout: float) -> List[str]:
    """What kubeadm has installed and does not run, and why; waits for it for so many seconds."""
    waiting: List[Tuple[Dict[str, Any], str]] = []

    def pending() -> str:
        nodes = [node.name for node in parse_nodes(kubectl.get("nodes")) if node.ready]
        addons = kubectl.get("deployments.apps,daemonsets.apps", "--namespace=kube-system", f"--selector={ADDONS}")
        faults = [(item, lacking(kubectl, item, nodes)[0]) for item in items(addons)]
        waiting[:] = [(item, fault) for item, fault in faults if fault]
        return "; ".join(f"{name_of(item)} {fault}" for item, fault in waiting)

    unknown = poll(pending, timeout)
    return [explain(kubectl, item, fault) for item, fault in waiting] or ([unknown] if unknown else [])


def read_cluster(kubectl: Kubectl, wait_timeout: float) -> Dict[str, Any]:
    """What the module returns about a cluster."""
    unready = unready_addons(kubectl, wait_timeout)
    endpoint = kubectl.run("config", "view", "--minify", "--output=jsonpath={.clusters[0].cluster.server}").strip()
    version = json.loads(kubectl.run("get", "--raw", "/version"))["gitVersion"]
    nodes = parse_nodes(kubectl.get("nodes"))
    # All pods as JSON would be many megabytes in a big cluster.
    phases = kubectl.run("get", "pods", "--all-namespaces", "--output=jsonpath={.items[*].status.phase}")
    pods = dict(sorted(Counter(phases.split()).items()))
    return {
        "exists": True,
        "endpoint": endpoint,
        "version": version,
        "nodes": [asdict(node) for node in nodes],
        "pods": pods,
        "unready": unready,
        "summary": "\n".join([summary(endpoint, version, nodes, pods), *(f"\nNot ready: {text}" for text in unready)]),
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    kubeconfig = module.params["kubeconfig"]
    nothing = {"endpoint": "", "version": "", "nodes": [], "pods": {}, "unready": []}
    if not_known(module, kubeconfig):
        module.exit_json(changed=False, exists=True, summary="The cluster cannot be asked now.", **nothing)
    missing = cluster_missing(module, kubeconfig)
    if missing and not module.check_mode:
        module.fail_json(msg=f"{missing}: ask a host of the control plane, or set kubeconfig")
    if missing:
        module.exit_json(changed=False, exists=False, summary=f"There is no cluster yet: {missing}.", **nothing)
    wait_timeout = 0 if module.check_mode else module.params["wait_timeout"]
    try:
        found = read_cluster(Kubectl(module, kubeconfig, module.params["timeout"]), wait_timeout)
        for text in found["unready"]:
            module.warn(f"Not ready: {text}")
        module.exit_json(changed=False, **found)
    except KubectlError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
