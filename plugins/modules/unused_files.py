# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove files whose names tell their content and that nothing names any more."""

from __future__ import annotations

DOCUMENTATION = r"""
module: unused_files
version_added: 0.1.0
short_description: Remove files that nothing names any more
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Some files carry a part of their content's hash in their name, such as C(policy-0123456789abcdef.yaml).
    Another content is another file, and what reads it names the new one. The old one stays.
  - Removes files of such names, and folders named by such a hash with their files, if none of O(mentions) names them.
  - Files with other names are never touched.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.no_diff]
options:
  folders:
    description: Where the files are. A folder that does not exist is an empty one.
    type: list
    elements: path
    required: true
  mentions:
    description:
      - Files that name, by their whole path, what is used.
      - If one of them does not exist or is empty, as after a power cut, it is not known what is used. Then nothing is
        removed.
    type: list
    elements: path
    required: true
  keep:
    description: Paths that are kept in any case.
    type: list
    elements: path
    default: []
"""

EXAMPLES = r"""
- name: Remove audit policies that the API server does not read any more
  groundwork.kubernetes.unused_files:
    folders: [/etc/kubernetes/audit]
    mentions: [/etc/kubernetes/manifests/kube-apiserver.yaml]
"""

RETURN = r"""
removed:
  description: What was removed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [/etc/kubernetes/audit/policy-0123456789abcdef.yaml]
"""

import os
import re
import shutil
from typing import List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes

NAMED_BY_CONTENT = re.compile(r"([a-z][a-z-]*-)?[0-9a-f]{16}(\.yaml)?")


def unused(folders: List[str], mentions: List[str], keep: List[str]) -> List[str]:
    """The files and folders that can go."""
    texts = [read_bytes(path) for path in mentions]
    if not all((text or b"").strip(b"\0 \t\r\n") for text in texts):
        return []
    used = b"\n".join(text for text in texts if text is not None)
    found = [
        os.path.join(folder, name)
        for folder in folders
        if os.path.isdir(folder)
        for name in sorted(os.listdir(folder))
        if NAMED_BY_CONTENT.fullmatch(name)
    ]
    return [path for path in found if path not in keep and path.encode() not in used]


def remove(path: str) -> None:
    """Remove a file, or a folder with its files."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def main() -> None:
    """Find what is not named, and remove it."""
    module = AnsibleModule(
        {
            "folders": {"type": "list", "elements": "path", "required": True},
            "mentions": {"type": "list", "elements": "path", "required": True},
            "keep": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        found = unused(params["folders"], params["mentions"], params["keep"])
        if not module.check_mode:
            for path in found:
                remove(path)
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    module.exit_json(changed=bool(found), removed=found)


if __name__ == "__main__":
    main()
