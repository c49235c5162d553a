# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make good what a node has lost of what kubeadm made on it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_repair
version_added: 0.1.0
short_description: Make good what a node has lost of what kubeadm made on it
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Lets kubeadm write again what is missing, was altered, or is of no use, by the configuration that was applied. What
    that is M(groundwork.kubernetes.kubeadm_info) tells.
  - Each part is proven healthy, and what was there is put back if it is not.
  - On a control plane these are certificates with their keys, kubeconfigs, manifests of static pods, the kubelet's
    configuration and flags, and the rights of administrators. On a worker the kubelet's kubeconfig, configuration and
    flags.
  - Authorities and the key of service accounts are never made anew. The manifest of etcd is written again where the
    member has its data, and where it was altered, only if the member does not answer.
  - Certificates that have ended are left to M(groundwork.kubernetes.kubelet_renewal) and
    M(groundwork.kubernetes.kubeadm_certificates), and a run of kubeadm that was cut off to what has begun it.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.full]
options:
  etcd_data_dir:
    description:
      - The data directory of the member of etcd that kubeadm runs on a control plane.
      - Leave it out where etcd is not run by kubeadm.
    type: path
  server:
    description: The URL of the API, for the kubeconfig of a worker's kubelet.
    type: str
  content:
    description:
      - kubeadm's configuration as YAML, with an C(InitConfiguration) that has the C(nodeRegistration) of a worker.
      - The flags of its kubelet are written by it.
    type: str
  timeout:
    description: Seconds after which kubeadm is stopped.
    type: int
    default: 900
seealso:
  - module: groundwork.kubernetes.kubeadm_info
  - module: groundwork.kubernetes.kubeadm_init
  - module: groundwork.kubernetes.restore_files
"""

EXAMPLES = r"""
- name: Make good what a control plane has lost
  groundwork.kubernetes.kubeadm_repair:
    etcd_data_dir: /var/lib/etcd
  register: repair

- name: Restart what reads its kubeconfig only when it starts
  groundwork.kubernetes.static_pods:
    names: '{{ repair.restart }}'
    state: restarted
"""

RETURN = r"""
mended:
  description: What was made good, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [/etc/kubernetes/manifests/kube-scheduler.yaml]
restart:
  description: Static pods that have to be restarted to read a kubeconfig that was written again.
  returned: success
  type: list
  elements: str
  sample: [kube-scheduler]
"""

from typing import Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import KubeadmError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.losses import Loss
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.repair import Repair


def diff_of(todo: List[Loss]) -> Dict[str, str]:
    """What is made good; of altered manifests, how they differ from what kubeadm writes."""
    return {"prepared": "".join(f"{loss.diff or f'{loss.path}: {loss.what}'}\n" for loss in todo)}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        {
            "etcd_data_dir": {"type": "path"},
            "server": {"type": "str"},
            "content": {"type": "str"},
            "timeout": {"type": "int", "default": 900},
        },
        supports_check_mode=True,
    )
    try:
        repair = Repair(module)
        if repair.todo and not module.check_mode:
            repair.run()
        module.exit_json(
            changed=bool(repair.todo), mended=repair.paths, restart=repair.restart, diff=diff_of(repair.todo)
        )
    except KubeadmError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
