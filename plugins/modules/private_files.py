# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take from everyone but root what only root needs to read."""

from __future__ import annotations

DOCUMENTATION = r"""
module: private_files
short_description: Take from everyone but root what only root needs to read
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Makes files and folders root's, and takes from group and others every permission, in one round trip to the host.
  - Contents are not touched, so nothing restarts. What others have written anew since is put right by the next run.
  - A link is left as it is, and so are folders that O(folders) does not name.
  - In check mode a host that has none of O(paths) yet is one where kubeadm is to write them, which is a change.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.full]
options:
  paths:
    description:
      - The files, each a path or a pattern. C(**) stands for any number of folders. One that does not exist is none.
      - The default is what kubeadm, the kubelet and its packages write on a node, certificates, kubeconfigs,
        manifests of static pods, the kubelet's configuration and its unit.
    type: list
    elements: path
    default:
      - /etc/kubernetes/*.conf
      - /etc/kubernetes/manifests/*.yaml
      - /etc/kubernetes/pki/**
      - /var/lib/kubelet/config.yaml
      - /usr/lib/systemd/system/kubelet.service
      - /usr/lib/systemd/system/kubelet.service.d/*.conf
  folders:
    description:
      - Folders that nobody but root may enter, such as the data of a member of etcd. What is in them stays as it is.
      - kubeadm makes that one so, but a disk that is mounted there brings permissions of its own.
    type: list
    elements: path
    default: []
seealso:
  - module: groundwork.kubernetes.files
  - module: groundwork.kubernetes.hardening_info
"""

EXAMPLES = r"""
- name: Leave the node's files to root
  groundwork.kubernetes.private_files:

- name: Leave the certificates of etcd to root
  groundwork.kubernetes.private_files:
    paths: [/etc/kubernetes/pki/etcd/*]
    folders: [/var/lib/etcd]
"""

RETURN = r"""
changed_paths:
  description: The files and folders that got another mode or owner, or would in check mode.
  returned: success
  type: list
  elements: str
  sample: [/etc/kubernetes/pki/ca.crt]
"""

import glob
import os
import stat
from typing import Any, Dict, List, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.install import (
    Attributes,
)

PATHS = [
    "/etc/kubernetes/*.conf",
    "/etc/kubernetes/manifests/*.yaml",
    "/etc/kubernetes/pki/**",
    "/var/lib/kubelet/config.yaml",
    "/usr/lib/systemd/system/kubelet.service",
    "/usr/lib/systemd/system/kubelet.service.d/*.conf",
]
OWNER = 0


def find(patterns: List[str], folders: List[str]) -> List[Tuple[str, os.stat_result]]:
    """The files of these patterns, and those of these folders, that anyone but root owns or may use."""
    paths = sorted({path for pattern in patterns for path in glob.glob(pattern, recursive=True)})
    # Older versions of Python find the folder of a pattern with ** that is not there.
    found = [(path, os.lstat(path)) for path in paths if os.path.lexists(path)]
    files = [(path, state) for path, state in found if stat.S_ISREG(state.st_mode)]
    there = [(path, os.lstat(path)) for path in folders if os.path.isdir(path)]
    return [(path, state) for path, state in files + there if not stat.S_ISLNK(state.st_mode) and _is_open(state)]


def _is_open(state: os.stat_result) -> bool:
    return bool(stat.S_IMODE(state.st_mode) & 0o077) or (
        state.st_uid,
        state.st_gid,
    ) != (OWNER, OWNER)


def close(path: str, state: os.stat_result) -> None:
    """Give one file or folder to root alone."""
    attributes = Attributes(_closed(state), OWNER, OWNER)
    if not stat.S_ISDIR(state.st_mode):
        attributes.apply(path)
        return
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        attributes.give(handle)
    finally:
        os.close(handle)


def _closed(state: os.stat_result) -> int:
    return stat.S_IMODE(state.st_mode) & 0o700


def difference(path: str, state: os.stat_result) -> Dict[str, str]:
    """What differs, as the diff mode shows it."""
    header = f"{path} (mode and owner)"
    return {
        "before_header": header,
        "after_header": header,
        "before": f"mode {stat.S_IMODE(state.st_mode):04o} owner {state.st_uid} group {state.st_gid}\n",
        "after": f"mode {_closed(state):04o} owner {OWNER} group {OWNER}\n",
    }


def main() -> None:
    """Find the files, and close them."""
    module = AnsibleModule(
        {
            "paths": {"type": "list", "elements": "path", "default": PATHS},
            "folders": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        found = find(module.params["paths"], module.params["folders"])
        if not module.check_mode:
            for path, state in found:
                close(path, state)
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}; nothing after it was changed")
    # Where there is none of the files yet, kubeadm is to write them, for others to read.
    patterns: List[str] = module.params["paths"]
    is_new = module.check_mode and bool(patterns) and not any(map(glob.glob, patterns))
    result: Dict[str, Any] = {
        "changed": bool(found) or is_new,
        "changed_paths": [path for path, _state in found],
    }
    if module._diff:
        result["diff"] = [difference(path, state) for path, state in found]
    module.exit_json(**result)


if __name__ == "__main__":
    main()
