# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give root the administrator's kubeconfig, and leave no old ones of it behind."""

from __future__ import annotations

DOCUMENTATION = r"""
module: root_kubeconfig
short_description: Give root the administrator's kubeconfig
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Copies the administrator's kubeconfig to where C(kubectl) looks for it, with mode 0600.
  - What was there is overwritten if it is an earlier one of this cluster, which differs in certificate, key and server
    only. Anything else is somebody's own, and is kept beside it as C(<name>.<process>.<time>~).
  - Of files kept so, those that are earlier kubeconfigs of this cluster are removed. Each gives all rights in it
    until its certificate expires.
  - In check mode a kubeconfig that does not exist yet counts as one that would be copied, as an earlier task writes
    it.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.no_diff]
options:
  src:
    description: The administrator's kubeconfig.
    type: path
    default: /etc/kubernetes/admin.conf
  dest:
    description: Where root's C(kubectl) looks for it. Its folder gets mode 0700. Empty, it is not copied.
    type: path
    default: /root/.kube/config
  return_content:
    description: Whether the kubeconfig is returned, for whoever writes it elsewhere. Set C(no_log) on the task then.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Let root use kubectl
  groundwork.kubernetes.root_kubeconfig:
"""

RETURN = r"""
content:
  description: The administrator's kubeconfig. It is a secret.
  returned: with O(return_content=true)
  type: str
kept:
  description: Where a file of somebody's own was kept, or would be in check mode. Empty where there was none.
  returned: success
  type: str
  sample: ''
removed:
  description: Earlier kubeconfigs of this cluster that were removed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: ["/root/.kube/config.4711.2026-11-22@02:00:00~"]
"""

import io
import os
import time
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.install import Attributes, install_stream
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import (
    open_folder,
    read_file,
    remove_file,
    resolve,
    stat_file,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.root_kubeconfig import is_earlier, leftovers

FOLDER = 0o700


def run(module: AnsibleModule) -> Dict[str, Any]:
    """Compare, then copy and remove."""
    current = read_file(module.params["src"]) or b""
    if not current and module.check_mode and module.params["dest"]:
        return {"changed": True, "kept": "", "removed": []}
    if not current:
        module.fail_json(msg=f"src: {module.params['src']} does not exist or is empty. Nothing was changed")
    content = {"content": current.decode()} if module.params["return_content"] else {}
    if not module.params["dest"]:
        return {"changed": False, "kept": "", "removed": [], **content}
    dest = resolve(os.path.abspath(module.params["dest"]))
    before = read_file(dest)
    removed = leftovers(dest, current)
    attributes = Attributes(0o600)
    kept = ""
    if before and before != current and not is_earlier(before, current):
        kept = f"{dest}.{os.getpid()}.{time.strftime('%Y-%m-%d@%H:%M:%S~')}"
    write = before != current
    folder_path = os.path.dirname(dest)
    closed = os.path.isdir(folder_path) and os.stat(folder_path).st_mode & 0o777 == FOLDER
    changed = write or bool(removed) or not closed or attributes.differ(dest)
    if changed and not module.check_mode:
        with open_folder(folder_path, FOLDER) as folder:
            os.chmod(folder.entry("."), FOLDER)
        if kept:
            found = stat_file(dest)
            install_stream(module, io.BytesIO(before or b""), kept, Attributes(0o600, found.st_uid, found.st_gid))
        if write:
            install_stream(module, io.BytesIO(current), dest, attributes)
        attributes.apply(dest)
        for path in removed:
            remove_file(path)
    return {"changed": changed, "kept": kept, "removed": removed, **content}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "src": {"type": "path", "default": "/etc/kubernetes/admin.conf"},
            "dest": {"type": "path", "default": "/root/.kube/config"},
            "return_content": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (OSError, UnicodeDecodeError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
