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
    description: Whether to ask the API server whether it is ready, with the host's administrator kubeconfig.
    type: bool
    default: false
seealso:
  - module: groundwork.kubernetes.kubeadm_init
  - module: groundwork.kubernetes.kubeadm_join
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
  description: What the host is, V(none), V(worker) or V(control_plane).
  returned: success
  type: str
  sample: worker
interrupted:
  description: The command that was begun on the host and never finished, V(init) or V(join); empty if there is none.
  returned: success
  type: str
  sample: ''
reads_more:
  description:
    - Whether the host has files in C(audit), C(admission), C(patches) or C(encryption) of C(/etc/kubernetes), or an API
      server with C(--encryption-provider-config).
  returned: success
  type: bool
  sample: false
api_ready:
  description: Whether the API server that the host's administrator kubeconfig names says that it is ready.
  returned: when O(check_api=true)
  type: bool
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils import _kubeadm
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubectl import Kubectl, KubectlError


def api_ready(module: AnsibleModule) -> bool:
    """Whether the API server answers and is ready."""
    try:
        return Kubectl(module, f"{_kubeadm.FOLDER}/admin.conf", timeout=10).run("get", "--raw=/readyz").strip() == "ok"
    except KubectlError:
        return False


def main() -> None:
    """Look at the host's files and, if asked to, at the API server."""
    module = AnsibleModule(
        {"check_api": {"type": "bool", "default": False}, "timeout": {"type": "int", "default": 900}},
        supports_check_mode=True,
    )
    try:
        state = _kubeadm.settled_state(module, _kubeadm.FOLDER, module.params["timeout"])
    except _kubeadm.KubeadmError as error:
        module.fail_json(msg=str(error))
    result: Dict[str, Any] = {"role": state.role, "interrupted": state.interrupted}
    result["reads_more"] = _kubeadm.reads_more(_kubeadm.FOLDER)
    if module.params["check_api"]:
        result["api_ready"] = state.role == "control_plane" and api_ready(module)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
