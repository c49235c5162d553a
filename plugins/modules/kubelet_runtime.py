# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module kubelet_runtime: which container runtime a kubelet uses."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubelet_runtime
short_description: Sets which container runtime a kubelet that kubeadm has set up uses
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Names a runtime's socket where kubeadm has told the kubelet of one, in C(/var/lib/kubelet/kubeadm-flags.env) or
    C(/var/lib/kubelet/instance-config.yaml), in kubeadm's configuration of a control plane,
    C(/etc/kubernetes/kubeadm.yaml), and in what this collection remembers as applied.
  - Flags with which the kubelet of Kubernetes before 1.24 speaks to Docker itself go. All others stay.
  - The kubelet is not restarted. It is to be stopped meanwhile, and the pods of the former runtime ended.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.full]
options:
  socket:
    description: The runtime's socket, such as V(unix:///run/containerd/containerd.sock).
    type: str
    required: true
  version:
    description: The version of Kubernetes, without v. It decides the flags.
    type: str
    required: true
seealso:
  - module: groundwork.kubernetes.runtime_end
"""

EXAMPLES = r"""
- name: Use containerd
  groundwork.kubernetes.kubelet_runtime:
    socket: unix:///run/containerd/containerd.sock
    version: 1.23.17
"""

RETURN = r"""
files:
  description: The files that were, or would be, changed.
  returned: success
  type: list
  elements: str
  sample: [/var/lib/kubelet/kubeadm-flags.env]
"""

from typing import Any, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import (
    FileChange,
    apply_file,
    diffs,
    plan_file,
    read_bytes,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.running_settings import ARGUMENTS, INSTANCE
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import kubeadm
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubelet_configuration import (
    read_stamp,
    stamp_text,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubelet_runtime import (
    OF_CONFIG,
    OF_INSTANCE,
    documents_with_socket,
    flags_with_socket,
    yaml_with_socket,
)


def changes(socket: str, version: str) -> List[FileChange]:
    """The files as they are and as they should be; those that are not there are left out.

    What the kubelet reads comes last: as long as it names the former socket, all of this is done again.
    """
    found = []
    stamp, config, instance, flags = (read_bytes(path) for path in (kubeadm.STAMP, kubeadm.CONFIG, INSTANCE, ARGUMENTS))
    named = instance is not None and f"{OF_INSTANCE}:".encode() in instance
    major, minor = version.split(".")[:2]
    if stamp is not None:
        documents = read_stamp(stamp)
        wanted = documents_with_socket(documents, socket)
        if wanted != documents:
            found.append(plan_file(kubeadm.STAMP, stamp_text(wanted)))
    if config is not None:
        found.append(plan_file(kubeadm.CONFIG, yaml_with_socket(config.decode(), OF_CONFIG, socket).encode()))
    if instance is not None:
        found.append(plan_file(INSTANCE, yaml_with_socket(instance.decode(), OF_INSTANCE, socket).encode()))
    if flags is not None:
        text = flags_with_socket(flags.decode(), socket, (int(major), int(minor)), named)
        found.append(plan_file(ARGUMENTS, text.encode()))
    return [change for change in found if change.changed]


def diff(due: List[FileChange]) -> List[Dict[str, Any]]:
    """The diffs without secrets: of kubeadm's configuration only the line that changes, of what is remembered none."""
    shown = [change for change in due if change.path not in (kubeadm.STAMP, kubeadm.CONFIG)]
    config = [
        FileChange(change.path, socket_lines(change.before), socket_lines(change.after))
        for change in due
        if change.path == kubeadm.CONFIG
    ]
    return diffs(config + shown)


def socket_lines(content: Optional[bytes]) -> bytes:
    """The lines of kubeadm's configuration that name the socket."""
    return b"".join(line for line in (content or b"").splitlines(True) if line.strip().startswith(OF_CONFIG.encode()))


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"socket": {"type": "str", "required": True}, "version": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    try:
        due = changes(module.params["socket"], module.params["version"])
    except kubeadm.KubeadmError as error:
        module.fail_json(msg=str(error))
    if not module.check_mode:
        for change in due:
            apply_file(module, change)
    result = {"diff": diff(due)} if module._diff else {}
    module.exit_json(changed=bool(due), files=[change.path for change in due], **result)


if __name__ == "__main__":
    main()
