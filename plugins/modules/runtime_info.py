# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module runtime_info: the container runtime that a host's kubelet uses, and what of Docker's is not Kubernetes'."""

from __future__ import annotations

DOCUMENTATION = r"""
module: runtime_info
short_description: Tells which container runtime a kubelet uses, and what else Docker runs
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Reads the kubelet's files, and asks Docker, where it runs, whether it has containers that are not Kubernetes'.
    Fails where Docker does not tell.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
options: {}
seealso:
  - module: groundwork.kubernetes.runtime_end
"""

EXAMPLES = r"""
- name: See which runtime the kubelet uses
  groundwork.kubernetes.runtime_info:
  register: runtime
"""

RETURN = r"""
socket:
  description: The socket that the kubelet uses, as kubeadm has told it; empty where its files do not say.
  returned: success
  type: str
  sample: unix:///run/containerd/containerd.sock
runtime:
  description: Whose socket that is. V(docker) where the kubelet speaks to Docker itself, before Kubernetes 1.24.
  returned: success
  type: str
  sample: containerd
foreign:
  description:
    - Containers of Docker that run and are not Kubernetes'. Where there are some, the module
      M(groundwork.kubernetes.runtime_end) does not stop Docker.
  returned: success
  type: list
  elements: str
  sample: []
keeps_containers:
  description: Whether Docker's containers outlive its restart (C(live-restore)). True where Docker does not run.
  returned: success
  type: bool
  sample: true
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.reset_paths import ResetError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.running_settings import runtime_socket
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.runtimes import describe


def text_of(path: str) -> str:
    """A file's text; empty where there is none."""
    return (read_bytes(path) or b"").decode("utf-8", "replace")


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    try:
        module.exit_json(changed=False, **describe(module, runtime_socket(text_of)))
    except ResetError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
