# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the key with which a host signs its backups, and tell its public half."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_key
short_description: Make the key with which a host signs its backups
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Makes a private key of ssh where there is none, for O(groundwork.kubernetes.backup#module:signing_key), and tells
    its public half. The private one never leaves the host.
  - M(groundwork.kubernetes.backup) does so too, but a timer's program may not write where the key is.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.no_diff]
options:
  path:
    description: The private key. Its folder is made with mode 0700. A key that is there stays.
    type: path
    default: /etc/groundwork/backup/signing_key
  comment:
    description: What the public key says of itself, such as the host's name.
    type: str
    default: ''
requirements:
  - ssh-keygen of OpenSSH on the host
seealso:
  - module: groundwork.kubernetes.backup
"""

EXAMPLES = r"""
- name: Have a key to sign backups with
  groundwork.kubernetes.backup_key:
    comment: '{{ inventory_hostname }}'
"""

RETURN = r"""
public_key:
  description: The public half with its comment. Empty in check mode where the key is still to come.
  returned: success
  type: str
  sample: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPLIJ/GXykftYmN1hmrIZ4M1wNe+Sl+ZX/r8N9Hla7yh cp-1
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import (
    SIGNING_KEY,
    SigningError,
    module_signer,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": SIGNING_KEY},
            "comment": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    path, signer = module.params["path"], module_signer(module)
    missing = not os.path.lexists(path)
    try:
        if missing and not module.check_mode:
            signer.make_key(path, module.params["comment"])
        public = "" if missing and module.check_mode else signer.public_key(path)
    except (SigningError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=missing, public_key=public)


if __name__ == "__main__":
    main()
