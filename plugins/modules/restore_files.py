# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module restore_files: put files of a backup back where they came from."""

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_files
short_description: Put files of a backup back where they came from
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Reads an archive of M(groundwork.kubernetes.backup) in full, proves that it is whole and who made it, and puts files
    of the host that it holds back in their places, each in one step.
  - Only files that are named are put back, and none but in C(/etc/kubernetes) and C(/etc/etcd/pki). A static pod's
    manifest never is, whoever made the archive.
  - They belong to root. Certificates, C(*.crt), get mode 0644, all others 0600, whatever the archive says.
  - A file that is there with other content is never overwritten, unless O(force). Then nothing is written at all.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.signature
attributes:
  check_mode:
    support: full
  diff_mode:
    support: partial
    details: Names the files, and never shows what is in them.
  idempotent:
    support: full
options:
  path:
    description: The archive, with its name as it was made and its signature C(.sig) beside it.
    type: path
    required: true
  cluster:
    description: The cluster's name. An archive of another one is refused. Empty for anybody's.
    type: str
    default: ''
  include:
    description:
      - Absolute paths, in which C(*) stands for any characters but a slash. A file of more than 1 MiB is refused.
      - The default has the authorities, the key of service accounts, and the keys of encryption at rest.
    type: list
    elements: str
    default:
      - /etc/kubernetes/pki/ca.crt
      - /etc/kubernetes/pki/ca.key
      - /etc/kubernetes/pki/front-proxy-ca.crt
      - /etc/kubernetes/pki/front-proxy-ca.key
      - /etc/kubernetes/pki/sa.key
      - /etc/kubernetes/pki/sa.pub
      - /etc/kubernetes/pki/etcd/ca.crt
      - /etc/kubernetes/pki/etcd/ca.key
      - /etc/kubernetes/encryption/*.yaml
      - /etc/kubernetes/encryption*.yaml
  force:
    description: Overwrites files that are there with other content.
    type: bool
    default: false
seealso:
  - module: groundwork.kubernetes.backup
  - module: groundwork.kubernetes.restore
"""

EXAMPLES = r"""
- name: Put the authorities of a cluster on a new control plane
  groundwork.kubernetes.restore_files:
    path: /var/backups/kubernetes/kubernetes-20261122T020000Z-1f0c6a52.tar
    cluster: kubernetes
    trusted_signers: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPLIJ/GXykftYmN1hmrIZ4M1wNe+Sl+ZX/r8N9Hla7yh cp-1]
"""

RETURN = r"""
files:
  description: The files of the archive that O(include) means.
  returned: success
  type: list
  elements: str
  sample: [/etc/kubernetes/pki/ca.crt]
left_out:
  description: Files of the archive that it does not mean, which are not put back.
  returned: success
  type: list
  elements: str
  sample: [/etc/kubernetes/admin.conf]
changed_paths:
  description: Those that were, or would be, written.
  returned: success
  type: list
  elements: str
  sample: [/etc/kubernetes/pki/ca.crt]
fault:
  description:
    - In one word, why an archive is not good, as M(groundwork.kubernetes.backup) returns it, V(unverified) or
      V(conflict).
  returned: on failure because of an archive
  type: str
  sample: damaged
"""

import hashlib
import io
import os
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive import (
    CHUNK,
    FILES,
    examine,
    extract_part,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.errors import BackupError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import Part
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.restored_files import (
    KNOWN,
    chosen,
    mode_of,
    path_faults,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import (
    SIGNER_OPTIONS,
    module_signer,
    require_signer,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.install import Attributes, install_stream

ROOT = 0


def digest(path: str) -> str:
    """A file's SHA-256; empty where there is no such file."""
    found = hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            for chunk in iter(lambda: stream.read(CHUNK), b""):
                found.update(chunk)
    except FileNotFoundError:
        return ""
    return found.hexdigest()


def read(archive: str, parts: Dict[str, Part]) -> Dict[str, bytes]:
    """The contents of parts, each proven once more while it is read."""
    found = {}
    for path, part in parts.items():
        content = io.BytesIO()
        extract_part(archive, part, content)
        found[path] = content.getvalue()
    return found


def run(module: AnsibleModule) -> Dict[str, Any]:
    """Compare, and write what is not there."""
    params = module.params
    faults = path_faults(params["include"])
    if faults:
        module.fail_json(msg="; ".join(faults))
    archive = os.path.abspath(params["path"])
    examined = examine(archive, params["cluster"])
    signature = module_signer(module).examine(archive, examined.manifest, examined.sha256)
    require_signer(archive, signature, params)
    parts = examined.manifest.parts
    wanted = chosen(archive, parts, params["include"])
    found = {path: digest(path) for path in wanted}
    others = [path for path, sha256 in found.items() if sha256 not in ("", wanted[path].sha256)]
    if others and not params["force"]:
        raise BackupError(
            "conflict",
            f"{', '.join(others)}: there already, with other content than in {params['path']}. Nothing was changed: "
            "remove what is not needed, or set force",
        )
    changed = sorted(path for path, part in wanted.items() if found[path] != part.sha256)
    contents = read(archive, {path: wanted[path] for path in changed})
    for path in changed if not module.check_mode else []:
        install_stream(module, io.BytesIO(contents[path]), path, Attributes(mode_of(path), ROOT, ROOT))
    files = {part.name[len(FILES) :] for part in parts if part.name.startswith(f"{FILES}/")}
    result: Dict[str, Any] = {
        "changed": bool(changed),
        "files": sorted(wanted),
        "left_out": sorted(files - set(wanted)),
        "changed_paths": changed,
    }
    if module._diff and changed:
        result["diff"] = {
            "before": {path: "other content" if found[path] else "absent" for path in changed},
            "after": dict.fromkeys(changed, "as in the backup"),
        }
    return result


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "cluster": {"type": "str", "default": ""},
            "include": {"type": "list", "elements": "str", "default": KNOWN},
            "force": {"type": "bool", "default": False},
            **SIGNER_OPTIONS,
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except BackupError as error:
        module.fail_json(msg=str(error), fault=error.fault)
    except OSError as error:
        module.fail_json(msg=f"{error.filename or module.params['path']}: {error.strerror or error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
