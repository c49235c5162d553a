# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_init
version_added: 0.1.0
short_description: Initialize a cluster's first control plane
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Writes kubeadm's configuration and runs C(kubeadm init) with it.
  - A host that is a control plane already is left alone, whoever initialized it.
  - Before anything on the host is changed, all of kubeadm's preflight checks run. When one fails, nothing is changed.
  - While C(kubeadm init) works there is a marker file, C(/etc/kubernetes/.kubeadm-init-in-progress).
    Where an earlier run was interrupted, it is still there, and this module resumes the initialization.
    Its phases keep what an earlier run has made. Data of etcd is never removed.
extends_documentation_fragment: [groundwork.kubernetes.attributes]
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  content:
    description:
      - kubeadm's configuration as YAML, as the filter P(groundwork.kubernetes.kubeadm_config#filter) gives it.
      - Written to O(config). If left out, the file is used as it is.
    type: str
  config:
    description: The file that holds kubeadm's configuration. It can only be read by root.
    type: path
    default: /etc/kubernetes/kubeadm.yaml
  skip_phases:
    description:
      - Phases of C(kubeadm init) to leave out, such as V(addon/coredns). C(kubeadm init --help) lists them.
      - This replaces the C(skipPhases) of the configuration.
    type: list
    elements: str
    default: []
  ignore_preflight_errors:
    description: Names of preflight checks whose failure does not matter, such as V(NumCPU), or V(all).
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds after which kubeadm is stopped.
    type: int
    default: 900
seealso:
  - module: groundwork.kubernetes.kubeadm_join
  - plugin: groundwork.kubernetes.kubeadm_config
    plugin_type: filter
  - name: kubeadm init
    description: The command and its phases.
    link: https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-init/
"""

EXAMPLES = r"""
- name: Initialize the cluster
  groundwork.kubernetes.kubeadm_init:
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
  description: What was done, or would be in check mode, V(none), V(initialize) or V(resume).
  returned: success
  type: str
  sample: initialize
"""

import os
from typing import List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils import _kubeadm
from ansible_collections.groundwork.kubernetes.plugins.module_utils._files import (
    FileChange,
    apply_file,
    diffs,
    plan_file,
    read_bytes,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import (
    Kubeadm,
    KubeadmError,
    NodeState,
    list_option,
)


def choose_action(state: NodeState) -> str:
    """What a host's state calls for.

    Raises:
        KubeadmError: if the host is something else than a control plane.
    """
    if state.interrupted == "init":
        return "resume"
    if state.interrupted == "join" or state.role == "worker":
        raise KubeadmError(
            "This host has joined a cluster already, or began to, so no cluster can be initialized on it. "
            "Remove it from that cluster and run 'kubeadm reset' on it first."
        )
    return "none" if state.role == "control_plane" else "initialize"


def initialize(module: AnsibleModule, action: str) -> None:
    """Run kubeadm init with the configuration that is in place."""
    params = module.params
    kubeadm = Kubeadm(module, params["timeout"])
    config = f"--config={params['config']}"
    skip: List[str] = params["skip_phases"]
    if action == "initialize" and "preflight" not in skip:
        ignored = list_option("ignore-preflight-errors", params["ignore_preflight_errors"])
        kubeadm.run("init", "phase", "preflight", config, *ignored)
    with _kubeadm.in_progress(os.path.join(_kubeadm.FOLDER, _kubeadm.INIT_MARKER)):
        if action == "resume":
            _kubeadm.remove_files(_kubeadm.cut_off_files(_kubeadm.FOLDER))
        kubeadm.run("init", config, *list_option("skip-phases", sorted({"preflight", *skip})), "--skip-token-print")


def run(module: AnsibleModule) -> None:
    """Decide, then write the configuration and initialize."""
    params = module.params
    action = choose_action(_kubeadm.node_state(_kubeadm.FOLDER))
    if params["content"] is None:
        before = read_bytes(params["config"])
        if before is None and action != "none" and not module.check_mode:
            raise KubeadmError(f"There is no file {params['config']}. Set content, or write the file first.")
        change = FileChange(params["config"], before, before)
    else:
        change = plan_file(params["config"], params["content"].encode())
    changed = change.changed or action != "none"
    if changed and not module.check_mode:
        apply_file(module, change, mode=0o600)
        if action != "none":
            initialize(module, action)
    module.exit_json(changed=changed, action=action, diff=diffs([change]))


def main() -> None:
    """Initialize a control plane."""
    module = AnsibleModule(
        {
            "content": {"type": "str"},
            "config": {"type": "path", "default": "/etc/kubernetes/kubeadm.yaml"},
            **_kubeadm.COMMON_OPTIONS,
        },
        supports_check_mode=True,
    )
    try:
        run(module)
    except KubeadmError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
