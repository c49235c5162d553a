# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Join a host to a cluster and keep its kubelet as it is configured."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_join
version_added: 0.1.0
short_description: Join a host to a cluster and keep its kubelet as it is configured
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Runs C(kubeadm join) on a host that is not part of a cluster yet.
  - While C(kubeadm join) works there is a marker file, C(/etc/kubernetes/.kubeadm-join-in-progress).
    Where an earlier run was interrupted, it is still there. This module then stops the kubelet, removes the files
    that the interrupted join has written, and joins afresh. Images, volumes and the network's files stay.
  - A control plane that has joined is waited for until its own API server is ready.
  - A join that fails because the kubelet took longer than kubeadm waits for is taken back and made once more.
  - With O(control_plane_config) the host joins as a control plane. Where that was interrupted, C(kubeadm reset) runs
    first and etcd's data on the host is removed, so the host's member must have been removed from etcd before. A member
    that still works is left alone, and the module fails.
  - On a worker that has joined, a changed configuration or changed arguments of the kubelet are applied.
    The kubelet is proven healthy then. If it does not come up, or ends three times, its former settings are put back;
    where the run is cut off in between, by the next one.
  - A worker that has joined by other means gets the kubelet's arguments that it lacks, and O(kubelet_patch).
    Its other configuration is taken to be the one that is given, and later changes of that are applied.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
  - groundwork.kubernetes.kubeadm
options:
  config:
    description:
      - kubeadm's C(JoinConfiguration) as YAML, as the filter P(groundwork.kubernetes.kubeadm_config#filter) gives it.
      - It may hold the key of certificates, so it is never shown. kubeadm gets it in a temporary file that only root
        can read.
      - Only needed to join. A host that has joined can do without.
    type: str
  discovery_kubeconfig:
    description:
      - The kubeconfig with which the host finds the cluster, trusts it and asks to join, as
        M(groundwork.kubernetes.kubeadm_token) gives it. It holds a token, so it is never shown.
      - Lies in C(/etc/kubernetes/kubeadm-discovery.conf), which only root can read, while the host joins.
        O(config) names that file as C(discovery.file.kubeConfigPath).
      - Unlike with C(discovery.bootstrapToken), kubeadm need not wait for the cluster to sign with the token, which
        a new cluster only does after a while.
    type: str
  control_plane_config:
    description:
      - The configuration with which the module M(groundwork.kubernetes.kubeadm_init) keeps the control plane later, as
        YAML. It is written to C(/etc/kubernetes/kubeadm.yaml), which only root can read.
      - Given, the host joins as a control plane, and O(config) must hold C(controlPlane).
    type: str
  documents:
    description:
      - The C(JoinConfiguration), and the C(KubeletConfiguration) that the control planes store in the cluster, as data
        in the form of C(kubeadm.k8s.io/v1beta4).
      - For a control plane the documents that M(groundwork.kubernetes.kubeadm_init) gets.
      - What was applied is remembered in C(/var/lib/groundwork/kubeadm.json), to tell later what has changed.
        If left out, changes are not applied to a worker that has joined.
      - Must not hold C(discovery), which is a secret and of no use after the join.
    type: list
    elements: dict
  kubelet_patch:
    description:
      - What this host's C(KubeletConfiguration) differs from the cluster's in O(documents), as the filter
        P(groundwork.kubernetes.kubelet_patch#filter) gives it. A key that is null is taken out.
      - From Kubernetes 1.25 on kubeadm applies it, where O(documents) name C(/etc/kubernetes/patches/kubelet) as the
        folder of patches, into which this module writes it, or for a control plane a folder that holds it as
        C(kubeletconfiguration#host+merge.json).
      - Else it is merged into the file that kubeadm has written, and the kubelet restarts.
    type: dict
    default: {}
seealso:
  - module: groundwork.kubernetes.kubeadm_token
  - module: groundwork.kubernetes.kubeadm_info
  - plugin: groundwork.kubernetes.kubeadm_config
    plugin_type: filter
  - name: kubeadm join
    description: The command and its phases.
    link: https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-join/
"""

EXAMPLES = r"""
- name: Join the cluster
  groundwork.kubernetes.kubeadm_join:
    config: '{{ [document | combine(discovery)] | groundwork.kubernetes.kubeadm_config(kubernetes_version) }}'
    discovery_kubeconfig: '{{ join.kubeconfig }}'
    documents: ['{{ document }}']
  vars:
    document:
      kind: JoinConfiguration
      nodeRegistration:
        name: '{{ inventory_hostname }}'
    discovery:
      discovery:
        file:
          kubeConfigPath: /etc/kubernetes/kubeadm-discovery.conf
"""

RETURN = r"""
action:
  description:
    - What was done, or would be in check mode.
    - V(join), V(resume) an interrupted join, V(reconcile) what runs with a changed configuration,
      V(adopt) what was joined by other means, or V(none).
  returned: success
  type: str
  sample: join
changes:
  description: The fields that differ from what was applied before.
  returned: success
  type: list
  elements: str
  sample: [KubeletConfiguration.maxPods]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.join import Join
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import COMMON_OPTIONS, KubeadmError

ADOPTED = (
    "This host has joined by other means. Its kubelet gets arguments that it lacks; its other configuration is taken "
    "to be the one given, without having been compared. Later changes are applied."
)


def main() -> None:
    """Join a host, or apply what has changed."""
    module = AnsibleModule(
        {
            "config": {"type": "str", "no_log": True},
            "discovery_kubeconfig": {"type": "str", "no_log": True},
            "control_plane_config": {"type": "str"},
            **COMMON_OPTIONS,
        },
        supports_check_mode=True,
    )
    try:
        join = Join(module)
        if join.action == "adopt":
            module.warn(ADOPTED)
        if join.action != "none" and not module.check_mode:
            join.apply()
        module.exit_json(changed=join.action != "none", action=join.action, changes=join.plan.paths)
    except KubeadmError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
