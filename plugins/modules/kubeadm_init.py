# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Initialize a control plane and keep it as it is configured."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_init
version_added: 0.1.0
short_description: Initialize a control plane and keep it as it is configured
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Writes kubeadm's configuration and runs C(kubeadm init) with it.
  - Before anything else on the host is changed, all of kubeadm's preflight checks run.
  - While C(kubeadm init) works there is a marker file, C(/etc/kubernetes/.kubeadm-init-in-progress).
    Where an earlier run was interrupted, it is still there, and this module resumes the initialization.
    Certificates and kubeconfigs are issued again, by the authorities that are there. Data of etcd is never removed.
  - On a control plane that runs, a changed configuration is applied, one component after the other.
    Each is proven healthy before the next. One that does not come up, or ends three times, gets its former settings
    back.
  - What is about to be changed is kept in C(/var/lib/groundwork/kubeadm-attempt.json) until it is proven or put back.
    Where a run is cut off in between, the next one puts it back if the API server is not ready, and does again what was
    begun.
  - Where manifests of its components or their kubeconfigs are missing, kubeadm writes them again, by the configuration
    that is in O(config) before this module changes it, and they are proven healthy. What cannot be written again is
    named, and nothing is changed. Whether etcd has a quorum without a member whose manifest is missing is not asked.
  - Settings that cannot be changed any more are refused before anything is changed.
  - A control plane that was initialized by other means is left alone at first, but for arguments that its kubelet lacks
    and O(kubelet_patch).
    The configuration that is given is held against the C(ClusterConfiguration) in the cluster. Where they differ in
    what cannot be changed, it is refused. Other differences are named, and applied with the first later change.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.full
  - groundwork.kubernetes.kubeadm
options:
  content:
    description:
      - kubeadm's configuration as YAML, as the filter P(groundwork.kubernetes.kubeadm_config#filter) gives it.
      - Written to O(config). If left out, the file is used as it is.
    type: str
  documents:
    description:
      - The same configuration as data in the form of C(kubeadm.k8s.io/v1beta4).
      - What was applied is remembered in C(/var/lib/groundwork/kubeadm.json), to tell later what has changed.
        If left out, changes of the configuration are not applied to a control plane that runs.
    type: list
    elements: dict
  kubelet_patch:
    description:
      - What this host's C(KubeletConfiguration) differs from the cluster's in O(documents), as the filter
        P(groundwork.kubernetes.kubelet_patch#filter) gives it. A key that is null is taken out.
      - Where kubeadm's folder of patches holds it as C(kubeletconfiguration#host+merge.json), kubeadm applies it, from
        Kubernetes 1.25 on. Else it is merged into the file that kubeadm has written, and the kubelet restarts.
    type: dict
    default: {}
  config:
    description: The file that holds kubeadm's configuration. It can only be read by root.
    type: path
    default: /etc/kubernetes/kubeadm.yaml
seealso:
  - module: groundwork.kubernetes.kubeadm_join
  - plugin: groundwork.kubernetes.kubeadm_config
    plugin_type: filter
  - name: kubeadm init
    description: The command and its phases.
    link: https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-init/
  - name: Reconfiguring a kubeadm cluster
    description: What can be changed in a cluster that runs, and how.
    link: https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-reconfigure/
"""

EXAMPLES = r"""
- name: Initialize the cluster
  groundwork.kubernetes.kubeadm_init:
    documents: '{{ documents }}'
    content: '{{ documents | groundwork.kubernetes.kubeadm_config(kubernetes_version) }}'
    skip_phases: '{{ documents | groundwork.kubernetes.kubeadm_skip_phases(kubernetes_version) }}'
    ignore_preflight_errors: [NumCPU]
  vars:
    documents:
      - kind: ClusterConfiguration
        kubernetesVersion: v{{ kubernetes_version }}
        networking:
          podSubnet: 10.244.0.0/16
"""

RETURN = r"""
action:
  description:
    - What was done, or would be in check mode.
    - V(initialize), V(resume) an interrupted initialization, V(reconcile) what runs with a changed configuration,
      V(adopt) what was initialized by other means, V(mend) what is missing only, V(write) the file only, or V(none).
  returned: success
  type: str
  sample: initialize
mended:
  description: The files that were missing, and were written again, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [/etc/kubernetes/manifests/kube-apiserver.yaml]
changes:
  description: The fields that differ from what was applied before; with V(adopt), from what the cluster has stored.
  returned: success
  type: list
  elements: str
  sample: [ClusterConfiguration.apiServer.extraArgs]
steps:
  description:
    - What applies these changes, in this order.
    - V(certificate), V(control-plane), V(kubelet), V(upload-config), V(coredns), V(kube-proxy), V(restart-kube-proxy).
  returned: success
  type: list
  elements: str
  sample: [control-plane, upload-config]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import adoption
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.initialization import Initialization
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import (
    COMMON_OPTIONS,
    CONFIG,
    KubeadmError,
)


def main() -> None:
    """Initialize a control plane, or apply what has changed."""
    module = AnsibleModule(
        {
            "content": {"type": "str"},
            "config": {"type": "path", "default": CONFIG},
            **COMMON_OPTIONS,
        },
        supports_check_mode=True,
    )
    try:
        initialization = Initialization(module)
        if initialization.action == "adopt":
            module.warn(adoption.warning(initialization.adopted))
        for warning in initialization.plan.warnings:
            module.warn(warning)
        if initialization.action != "none" and not module.check_mode:
            initialization.apply()
        module.exit_json(**initialization.result())
    except KubeadmError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
