# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_join
version_added: 0.1.0
short_description: Join a host to a cluster
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Runs C(kubeadm join) on a host that is not part of a cluster yet.
  - A host that has joined is left alone.
  - While C(kubeadm join) works there is a marker file, C(/etc/kubernetes/.kubeadm-join-in-progress).
    Where an earlier run was interrupted, it is still there. This module then stops the kubelet, removes the files
    that the interrupted join has written, and joins afresh. Images, volumes and the network's files stay.
extends_documentation_fragment: [groundwork.kubernetes.attributes]
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  config:
    description:
      - kubeadm's C(JoinConfiguration) as YAML, as the filter P(groundwork.kubernetes.kubeadm_config#filter) gives it.
      - It holds a token, so it is never shown. kubeadm gets it in a temporary file that only root can read.
    type: str
    required: true
  skip_phases:
    description:
      - Phases of C(kubeadm join) to leave out. C(kubeadm join --help) lists them.
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
    config: '{{ [document] | groundwork.kubernetes.kubeadm_config(kubernetes_version) }}'
  vars:
    document:
      kind: JoinConfiguration
      nodeRegistration:
        name: '{{ inventory_hostname }}'
      discovery:
        bootstrapToken:
          token: '{{ join.token }}'
          apiServerEndpoint: '{{ join.endpoint }}'
          caCertHashes: '{{ join.ca_cert_hashes }}'
"""

RETURN = r"""
action:
  description: What was done, or would be in check mode, V(none), V(join) or V(resume).
  returned: success
  type: str
  sample: join
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils import _kubeadm
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import (
    Kubeadm,
    KubeadmError,
    NodeState,
    list_option,
)

# What a worker's join writes, and its preflight checks refuse to find.
WORKER_FILES = ("kubelet.conf", "bootstrap-kubelet.conf", "pki/ca.crt")
# The API server calls a node ready for up to 50 seconds after its kubelet has stopped.
STALE_NODE = 'status "Ready" already exists'
STALE_NODE_WAIT, STALE_NODE_PAUSE = 120, 5


def choose_action(state: NodeState) -> str:
    """What a host's state calls for.

    Raises:
        KubeadmError: if an initialization was begun on the host.
    """
    if state.interrupted == "init":
        raise KubeadmError(
            "An initialization was begun on this host and never finished. Finish it by running the play of the "
            "control planes on this host again, or run 'kubeadm reset' on it."
        )
    if state.interrupted == "join":
        if state.role == "control_plane":
            raise KubeadmError(
                "The join of this control plane was begun and never finished. Remove its member from etcd and run "
                "'kubeadm reset' on it, then join it again."
            )
        return "resume"
    return "join" if state.role == "none" else "none"


def clear(module: AnsibleModule) -> None:
    """Take back what an interrupted join of a worker has done.

    Raises:
        KubeadmError: if the kubelet cannot be stopped.
    """
    rc, _out, err = module.run_command([module.get_bin_path("systemctl", required=True), "stop", "kubelet"])
    if rc != 0:
        raise KubeadmError(f"The kubelet cannot be stopped before the join is resumed: {err.strip()}")
    _kubeadm.remove_files([os.path.join(_kubeadm.FOLDER, name) for name in WORKER_FILES])


def join(module: AnsibleModule, resume: bool) -> None:
    """Run kubeadm join; where it is resumed, wait until the API server has noticed that the kubelet stopped.

    Raises:
        KubeadmError: if kubeadm fails.
    """
    params = module.params
    kubeadm = Kubeadm(module, params["timeout"])
    options = list_option("ignore-preflight-errors", params["ignore_preflight_errors"])
    options += list_option("skip-phases", params["skip_phases"])
    deadline = time.monotonic() + (STALE_NODE_WAIT if resume else 0)
    while True:
        try:
            with _kubeadm.private_file(module, params["config"]) as path:
                kubeadm.run("join", f"--config={path}", *options)
            return
        except KubeadmError as error:
            if STALE_NODE not in str(error) or time.monotonic() >= deadline:
                raise
        time.sleep(STALE_NODE_PAUSE)
        clear(module)


def run(module: AnsibleModule) -> None:
    """Decide, then join."""
    action = choose_action(_kubeadm.node_state(_kubeadm.FOLDER))
    if action != "none" and not module.check_mode:
        with _kubeadm.in_progress(os.path.join(_kubeadm.FOLDER, _kubeadm.JOIN_MARKER)):
            if action == "resume":
                clear(module)
            join(module, resume=action == "resume")
    module.exit_json(changed=action != "none", action=action)


def main() -> None:
    """Join a host."""
    module = AnsibleModule(
        {"config": {"type": "str", "required": True, "no_log": True}, **_kubeadm.COMMON_OPTIONS},
        supports_check_mode=True,
    )
    try:
        run(module)
    except KubeadmError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
