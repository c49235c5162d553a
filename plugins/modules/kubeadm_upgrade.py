# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a host to another version of Kubernetes with kubeadm."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_upgrade
version_added: 0.1.0
short_description: Take a host to another version of Kubernetes with kubeadm
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Runs C(kubeadm upgrade plan) and C(apply) on the first control plane, and C(kubeadm upgrade node) on all
    other hosts. The kubeadm of the version must be there; the kubelet is replaced afterwards.
  - What is due is read from manifests, cluster and the kubelet's program, so that a run that was killed is
    taken up where it ended. A kubeadm that outlived such a run is waited for, and a manifest that it has moved away
    is put back.
  - Nothing is taken for done because kubeadm says so. The manifests must name the version, and the own API server
    must run it and be ready.
  - Where a component does not come up, kubeadm puts the former one back, or this module does where kubeadm takes it for
    running. The message has the last lines of the containers that ended.
  - What kubeadm leaves as it is and should not, is brought up to date as well. Kubeconfigs of controllers that
    lead to another host's API server lead to the own one, and certificates of etcd that are older than the API server's
    are renewed.
  - kubeadm copies etcd's data into C(/etc/kubernetes/tmp) each time, and leaves the copy where it fails or is killed.
    Once an upgrade has been proven, copies that are there are removed.
  - kubeadm's patches and what the host's kubelet has beside the cluster's configuration are kept.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.no_diff]
options:
  version:
    description: The version to upgrade to, without v.
    type: str
    required: true
  command:
    description:
      - V(apply) upgrades the host and what the cluster has once, such as the stored configuration and kube-proxy.
        From Kubernetes 1.28 on kubeadm brings kube-proxy and CoreDNS up with the last control plane, by either command.
      - V(node) upgrades a further control plane, or the configuration of a worker's kubelet.
    type: str
    choices: [apply, node]
    required: true
  ignore_preflight_errors:
    description: Names of preflight checks whose failure does not matter, such as V(ImagePull), or V(all).
    type: list
    elements: str
    default: []
  timeout:
    description:
      - Seconds after which kubeadm is stopped.
      - kubeadm itself gives up after five minutes for each component. It is never stopped before 2400 seconds.
    type: int
    default: 3600
seealso:
  - module: groundwork.kubernetes.upgrade_info
"""

EXAMPLES = r"""
- name: Upgrade the first control plane
  groundwork.kubernetes.kubeadm_upgrade:
    version: 1.36.5
    command: apply
"""

RETURN = r"""
due:
  description: What was not at the version.
  returned: success
  type: list
  elements: str
  sample: [kube-apiserver, kube-controller-manager, kube-scheduler, kubeadm-config, kube-proxy]
removed:
  description: The copies of etcd's data that were removed.
  returned: success
  type: list
  elements: str
  sample: [/etc/kubernetes/tmp/kubeadm-backup-etcd-2026-11-28-16-07-11]
plan:
  description: What C(kubeadm upgrade plan) said.
  returned: when it was run
  type: list
  elements: str
"""

from typing import List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import KubeadmError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.upgrade import Upgrade, settle


def main() -> None:
    """Upgrade what is due."""
    module = AnsibleModule(
        {
            "version": {"type": "str", "required": True},
            "command": {"type": "str", "choices": ["apply", "node"], "required": True},
            "ignore_preflight_errors": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 3600},
        },
        supports_check_mode=True,
    )
    try:
        upgrade = Upgrade(module)
        if not module.check_mode:
            settle(module.params["timeout"])
        due = upgrade.due()
        plan: List[str] = upgrade.run() if due and not module.check_mode else []
        module.exit_json(changed=bool(due), due=due, plan=plan, removed=upgrade.removed)
    except KubeadmError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
