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
  - Reads an archive of M(groundwork.kubernetes.backup) in full, proves that it is whole, and puts files of the host
    that it holds back in their places, each in one step and with its mode and owner.
  - A file that is there with other content is never overwritten, unless O(force). Then nothing is written at all.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
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
    description: The archive.
    type: path
    required: true
  cluster:
    description: The cluster's name. An archive of another one is refused. Empty for anybody's.
    type: str
    default: ''
  include:
    description: Shell patterns of absolute paths; C(*) also stands for slashes.
    type: list
    elements: str
    required: true
  exclude:
    description: Patterns of files that are left out.
    type: list
    elements: str
    default: []
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
    include: [/etc/kubernetes/pki/ca.*, /etc/kubernetes/pki/sa.*, /etc/kubernetes/pki/*/ca.*]
"""

RETURN = r"""
files:
  description: The files of the archive that the patterns mean.
  returned: success
  type: list
  elements: str
  sample: [/etc/kubernetes/pki/ca.crt]
changed_paths:
  description: Those that were, or would be, written.
  returned: success
  type: list
  elements: str
  sample: [/etc/kubernetes/pki/ca.crt]
fault:
  description: In one word, why an archive is not good, as M(groundwork.kubernetes.backup) returns it, or V(conflict).
  returned: on failure because of an archive
  type: str
  sample: damaged
"""

import fnmatch
import hashlib
import os
import stat
import tarfile
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup import (
    CHUNK,
    FILES,
    BackupError,
    Part,
    read_archive,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._install import Attributes, install_stream


def matches(path: str, patterns: List[str]) -> bool:
    """Whether one of the patterns means a path."""
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


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


def write(module: AnsibleModule, parts: List[Part]) -> None:
    """Put parts of the archive, which was proven before, in their places."""
    with tarfile.open(module.params["path"], "r:") as tar:
        for part in parts:
            info = tar.getmember(part.name)
            content = tar.extractfile(info)
            if content is not None:
                path = part.name[len(FILES) :]
                attributes = Attributes(stat.S_IMODE(info.mode), info.uid, info.gid)
                install_stream(module, content, path, attributes)  # type: ignore[arg-type]


def run(module: AnsibleModule) -> Dict[str, Any]:
    """Compare, and write what is not there."""
    params = module.params
    manifest = read_archive(os.path.abspath(params["path"]), params["cluster"])
    wanted = {part.name[len(FILES) :]: part for part in manifest.parts if part.name.startswith(f"{FILES}/")}
    wanted = {
        path: part
        for path, part in wanted.items()
        if matches(path, params["include"]) and not matches(path, params["exclude"])
    }
    found = {path: digest(path) for path in wanted}
    others = [path for path, sha256 in found.items() if sha256 not in ("", wanted[path].sha256)]
    if others and not params["force"]:
        raise BackupError(
            "conflict",
            f"{', '.join(others)}: there already, with other content than in {params['path']}. Nothing was changed: "
            "remove what is not needed, or set force",
        )
    changed = [path for path, part in wanted.items() if found[path] != part.sha256]
    if not module.check_mode:
        write(module, [wanted[path] for path in changed])
    result: Dict[str, Any] = {"changed": bool(changed), "files": sorted(wanted), "changed_paths": sorted(changed)}
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
            "include": {"type": "list", "elements": "str", "required": True},
            "exclude": {"type": "list", "elements": "str", "default": []},
            "force": {"type": "bool", "default": False},
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
