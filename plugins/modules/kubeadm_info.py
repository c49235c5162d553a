# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell what kubeadm has made of a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_info
version_added: 0.1.0
short_description: What kubeadm has made of a host
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Tells from the files in C(/etc/kubernetes) whether a host is a control plane, a worker or neither.
  - A host with any trace of a control plane is one, in whatever state. What it lacks is in RV(missing).
  - Tells whether an initialization or a join was begun on the host and never finished.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.no_diff]
options:
  timeout:
    description:
      - Seconds to wait where an earlier run was killed and its kubeadm still works on the host.
      - It does not wait in check mode.
    type: int
    default: 900
  check_api:
    description:
      - Whether to ask the host's own API server whether it is ready, and its version, with the host's administrator
        kubeconfig. Others behind the endpoint are not asked.
    type: bool
    default: false
  etcd_data_dir:
    description:
      - The data directory of the member of etcd that kubeadm runs on a control plane. Data in it, and the member's
        manifest, then count as well.
      - Leave it out where etcd is not run by kubeadm.
    type: path
  losses:
    description:
      - Whether to look for what the node has lost of what kubeadm made on it.
      - kubeadm writes the static pods' manifests into a folder of its own for that, to compare them.
    type: bool
    default: false
  jobs:
    description:
      - The folder with the records of asynchronous jobs, C(ansible_async_dir) of the task that began them.
      - Leave it out where there is none that is only for jobs of kubeadm.
    type: path
seealso:
  - module: groundwork.kubernetes.kubeadm_init
  - module: groundwork.kubernetes.kubeadm_join
  - module: groundwork.kubernetes.kubeadm_repair
"""

EXAMPLES = r"""
- name: See what the host is
  groundwork.kubernetes.kubeadm_info:
  register: node

- name: Say so
  ansible.builtin.debug:
    msg: The host is a worker.
  when: node.role == 'worker'
"""

RETURN = r"""
role:
  description:
    - What the host is, V(none), V(worker) or V(control_plane).
    - A host with C(admin.conf) alone is none, as people copy that to workers.
  returned: success
  type: str
  sample: worker
interrupted:
  description: The command that was begun on the host and never finished, V(init) or V(join); empty if there is none.
  returned: success
  type: str
  sample: ''
traces:
  description: The files of a control plane that the host has, also in C(manifests.stopped).
  returned: success
  type: list
  elements: str
  sample: [/etc/kubernetes/admin.conf, /etc/kubernetes/manifests/kube-apiserver.yaml]
missing:
  description: What a control plane has and this one lacks. Empty where RV(interrupted) is not.
  returned: success
  type: list
  elements: str
  sample: [/etc/kubernetes/manifests/kube-apiserver.yaml]
faults:
  description:
    - Why what is missing must be put right by people. If there is none, M(groundwork.kubernetes.kubeadm_init) writes
      again what is missing.
  returned: success
  type: list
  elements: str
  sample: []
signs:
  description: Whether a control plane has the key of the cluster's authority, with which kubeconfigs are issued again.
  returned: success
  type: bool
  sample: true
reads_more:
  description:
    - Whether the host has files in C(audit), C(admission), C(authentication), C(patches) or C(encryption) of
      C(/etc/kubernetes), or an API server with C(--encryption-provider-config).
  returned: success
  type: bool
  sample: false
ended_jobs:
  description: Records in O(jobs) whose jobs have ended, and which nobody has taken up where the run was killed.
  returned: when O(jobs) is given
  type: list
  elements: str
  sample: [/root/.ansible_async/groundwork-kubeadm/j496462234591.1491]
losses:
  description:
    - What the node has lost of what kubeadm made on it by the configuration that was applied. What cannot be read is
      not called lost.
    - C(kind) is V(missing), V(altered), V(unusable), V(ended) for a certificate that no longer holds, V(unfinished) for
      a run of kubeadm that was cut off, or V(rights) where the administrator may not do everything.
    - C(by) is the playbook that makes it good, V(site), V(certificates) or V(upgrade), and empty where people have to.
    - C(needs) is the key of an authority that it takes and that is not on the host. Another control plane may have it.
  returned: when O(losses=true)
  type: list
  elements: dict
  sample:
    - path: /etc/kubernetes/manifests/kube-scheduler.yaml
      kind: missing
      what: it is missing
      by: site
      diff: ''
      needs: ''
authorities:
  description:
    - Which files of authorities and of the service accounts' key there are, with the SHA-256 of those that are no
      secret.
  returned: when O(losses=true)
  type: dict
  sample: {ca.crt: 3f1c, ca.key: ''}
rotating:
  description: Whether the host has a part of a rotation of the cluster's authority that has not ended.
  returned: when O(losses=true)
  type: bool
  sample: false
named_authorities:
  description: Which of these files the static pods are started with.
  returned: when O(losses=true)
  type: list
  elements: str
  sample: [ca.crt, ca.key, sa.key]
api_ready:
  description: Whether the host's own API server says that it is ready.
  returned: when O(check_api=true)
  type: bool
api_version:
  description: The version of the host's own API server; empty where it is not ready.
  returned: when O(check_api=true)
  type: str
  sample: v1.36.5
etcd_endpoints:
  description:
    - Where the API server finds the members of an etcd that kubeadm does not run, by the configuration that was applied
      last. Empty where kubeadm runs etcd, or nobody remembers what was applied.
  returned: success
  type: list
  elements: str
  sample: ['https://192.0.2.21:2379', 'https://192.0.2.22:2379', 'https://192.0.2.23:2379']
"""

from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import KubectlError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.own_api_server import OwnApi
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import kubeadm
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubelet_configuration import read_stamp
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.node_losses import NodeLosses
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.reconcile import external_etcd


def version_of(api: OwnApi) -> str:
    """Its version; empty where it does not answer any more, or with something else."""
    try:
        return api.version()
    except (KubectlError, ValueError, KeyError):
        return ""


def etcd_endpoints() -> List[str]:
    """Those of the configuration that was applied last; none where what is remembered of it is damaged."""
    try:
        return external_etcd(read_stamp(read_bytes(kubeadm.STAMP)))
    except kubeadm.KubeadmError:
        return []


def main() -> None:
    """Look at the host's files and, if asked to, at the API server."""
    module = AnsibleModule(
        {
            "check_api": {"type": "bool", "default": False},
            "etcd_data_dir": {"type": "path"},
            "jobs": {"type": "path"},
            "losses": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 900},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        state = kubeadm.settled_state(module, kubeadm.FOLDER, params["timeout"], params["etcd_data_dir"] or "")
        result: Dict[str, Any] = state.describe()
        if params["losses"]:
            node = NodeLosses(module, state, params["etcd_data_dir"] or "")
            result["losses"] = [loss.describe() for loss in node.all()]
            result["authorities"], result["named_authorities"] = node.authorities(), node.named()
            result["rotating"] = node.rotating
    except kubeadm.KubeadmError as error:
        module.fail_json(msg=str(error))
    result["reads_more"] = kubeadm.reads_more(kubeadm.FOLDER)
    result["etcd_endpoints"] = etcd_endpoints()
    if params["jobs"]:
        result["ended_jobs"] = kubeadm.ended_jobs(params["jobs"])
    if params["check_api"]:
        api = OwnApi(module, kubeadm.FOLDER)
        result["api_ready"] = state.role == "control_plane" and api.ready()
        result["api_version"] = version_of(api) if result["api_ready"] else ""
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
