# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove that a bundle is whole and who has signed it, and that a web server gives it so."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle_proof
short_description: Prove that a bundle is whole, and that a web server gives it so
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Reads every byte of the bundle that M(groundwork.kubernetes.bundle) has made, and compares it with C(SHA256SUMS).
    Everything that is missing or altered is named in one message.
  - With O(allowed_signers), C(SHA256SUMS) must have been signed by one of them. That is looked at first. It needs no
    network.
  - With O(url), everything below C(files) and C(packages) is asked for there, too.
  - It changes nothing.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.full
options:
  folder:
    description: The bundle.
    type: path
    required: true
  allowed_signers:
    description:
      - Public keys of OpenSSH, each as in a file that ends in C(.pub). The signature must be of one of them.
      - None if it does not matter who has made the bundle.
    type: list
    elements: str
    default: []
  url:
    description: Where the folder is served, such as V(https://mirror.example.com). Empty if it is not to be asked.
    type: str
    default: ''
  ca:
    description: File with the certificate of the authority that has signed that of O(url). The system's if left out.
    type: path
  timeout:
    description: How long the server may be silent, in seconds.
    type: int
    default: 60
requirements:
  - ssh-keygen of OpenSSH 8.1 or newer, with O(allowed_signers)
seealso:
  - module: groundwork.kubernetes.bundle
"""

EXAMPLES = r"""
- name: Prove what was carried here
  groundwork.kubernetes.bundle_proof:
    folder: /srv/bundle
    allowed_signers: ["{{ lookup('ansible.builtin.file', 'signer.pub') }}"]
"""

RETURN = r"""
files:
  description: How many files the bundle has.
  returned: success
  type: int
served:
  description: How many of them the server gives.
  returned: success
  type: int
signed:
  description: Whether one of O(allowed_signers) has signed it.
  returned: success
  type: bool
"""

import os
import tempfile
from typing import Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.bundle_files import (
    SIGNATURE,
    SUMS,
    NoBundleError,
    allowed_signers,
    examine,
    load_sums,
    report,
    verify_command,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.bundle_served import served_faults


def verify(module: AnsibleModule, folder: str, keys: List[str]) -> None:
    """Make sure that one of the keys has signed the checksums."""
    signers = allowed_signers(keys)
    if not os.path.exists(os.path.join(folder, SIGNATURE)):
        raise NoBundleError(f"{folder} has no {SIGNATURE}, and allowed_signers wants a signature")
    program = module.get_bin_path("ssh-keygen")
    if not program:
        raise NoBundleError("ssh-keygen, which verifies the signature, is not installed")
    with open(os.path.join(folder, SUMS), encoding="utf-8") as stream:
        sums = stream.read()
    with tempfile.NamedTemporaryFile("w", dir=module.tmpdir, encoding="utf-8") as file:
        file.write(signers)
        file.flush()
        command = verify_command(program, file.name, folder)
        rc, out, err = module.run_command(command, data=sums, binary_data=True, expand_user_and_vars=False)
    if rc:
        said = (err.strip() or out.strip()).splitlines()
        raise NoBundleError(f"{SUMS} is not signed by one of allowed_signers: {said[0] if said else 'no reason given'}")


def served(sums: Dict[str, str]) -> Dict[str, str]:
    """What of a bundle a web server gives."""
    return {path: digest for path, digest in sums.items() if path.split("/")[0] in ("files", "packages")}


def main() -> None:
    """Verify, read, ask."""
    module = AnsibleModule(
        {
            "folder": {"type": "path", "required": True},
            "allowed_signers": {"type": "list", "elements": "str", "default": []},
            "url": {"type": "str", "default": ""},
            "ca": {"type": "path"},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    params = module.params
    folder, asked = params["folder"], {}
    try:
        if params["allowed_signers"]:
            verify(module, folder, params["allowed_signers"])
        sums = load_sums(folder)
        faults = report(*examine(folder, sums))
        if not faults and params["url"]:
            asked = served(sums)
            faults = report(*served_faults(params["url"], asked, params["ca"], params["timeout"]), where=" when served")
    except (NoBundleError, OSError) as error:
        module.fail_json(msg=f"{folder} cannot be used.\n{error}")
    if faults:
        module.fail_json(msg=f"{folder} is not what it was when it was made.\n{faults}")
    module.exit_json(changed=False, files=len(sums), served=len(asked), signed=bool(params["allowed_signers"]))


if __name__ == "__main__":
    main()
