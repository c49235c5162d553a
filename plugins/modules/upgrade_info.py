# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell what an upgrade has to know of a host and of its cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade_info
version_added: 0.1.0
short_description: What an upgrade has to know of a host and of its cluster
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Reads which versions a host has, where its kubelet takes arguments from, and the manifests of its static pods.
  - Of a control plane it also asks the host's own API server for its version, and for the deprecated API versions that
    somebody has asked it for. Each API server only knows of its own.
  - Tells what people changed in manifests, as C(kubeadm upgrade diff) sees it, where the host's kubeadm is of the
    minor release that runs.
  - A kubeadm that an earlier run has begun and that is still at work is waited for.
  - The action M(groundwork.kubernetes.upgrade_report) judges what was read.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.no_diff]
options:
  cluster:
    description: Whether to read the cluster as well, with the host's administrator kubeconfig.
    type: bool
    default: false
seealso:
  - module: groundwork.kubernetes.kubeadm_upgrade
  - module: groundwork.kubernetes.upgrade_report
"""

EXAMPLES = r"""
- name: See what the host is at
  groundwork.kubernetes.upgrade_info:
  register: upgrade_host

- name: See what the cluster is at
  groundwork.kubernetes.upgrade_info:
    cluster: true
  register: upgrade_cluster
  run_once: true
"""

RETURN = r"""
host:
  description: What was read of the host.
  returned: success
  type: dict
  contains:
    joined:
      description: Whether it is a node of a cluster.
      type: bool
    control_plane:
      description: Whether it has a manifest of a control plane.
      type: bool
    kubeadm:
      description: The version of kubeadm's program.
      type: str
    kubelet:
      description: The version of the kubelet's program.
      type: str
    files:
      description: The text of static pods' manifests and of the files that the kubelet reads, by path.
      type: dict
    manifests:
      description: The versions that the manifests name, by component.
      type: dict
    kernel:
      description: The kernel's release.
      type: str
    cgroup:
      description: The version of cgroups.
      type: int
    api_server:
      description: The version that the host's own API server says it has.
      type: str
    api_error:
      description: Why it is not ready, or what could not be read; empty if all is well.
      type: str
    drift:
      description: What people changed in the manifests, as a diff.
      type: str
    deprecated:
      description: The deprecated API versions that were asked for, as the labels of the metric.
      type: list
      elements: dict
    certificates:
      description: Certificates of the control plane and the kubelet, with the seconds that are C(left) until they end.
      type: list
      elements: dict
  sample: {joined: true, control_plane: false, kubeadm: 1.36.4, kubelet: 1.36.4, cgroup: 2}
cluster:
  description:
    - What was read of the cluster. The text of kubeadm's C(ClusterConfiguration), the image of C(kube_proxy), C(nodes),
      workloads that are not ready (C(unready)), C(crds), C(webhooks), C(api_services), and Services that
      have C(backends).
  returned: when O(cluster=true)
  type: dict
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import KubectlError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import FOLDER, kubeconfig
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import KubeadmError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.upgrade_facts import (
    cluster_facts,
    host_facts,
)


def main() -> None:
    """Read."""
    module = AnsibleModule({"cluster": {"type": "bool", "default": False}}, supports_check_mode=True)
    result: Dict[str, Any] = {}
    try:
        result["host"] = host_facts(module, FOLDER)
        if module.params["cluster"]:
            result["cluster"] = cluster_facts(module, kubeconfig(FOLDER, "admin"))
    except KubeadmError as error:
        module.fail_json(msg=str(error))
    except KubectlError as error:
        module.fail_json(msg=f"The cluster cannot be asked: {error}")
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
