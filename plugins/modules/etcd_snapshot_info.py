# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module etcd_snapshot_info: the snapshots in a folder, each one verified."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_snapshot_info
short_description: List the etcd snapshots in a folder and verify each of them
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Lists the files in a folder whose names match a pattern, newest first, and says of each whether it is a good
    snapshot.
  - What counts as verified is described in M(groundwork.kubernetes.etcd_snapshot).
  - Every file is read in full, so the time it takes grows with the snapshots.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
  - groundwork.kubernetes.etcd.tools
options:
  directory:
    description: The folder. One that does not exist holds no snapshots.
    type: path
    required: true
  patterns:
    description: Shell patterns of the file names; a file is listed if one matches.
    type: list
    elements: str
    default: ["*.db"]
seealso:
  - module: groundwork.kubernetes.etcd_snapshot
"""

EXAMPLES = r"""
- name: Look at the snapshots
  groundwork.kubernetes.etcd_snapshot_info:
    directory: /var/backups/kubernetes
  register: backups

- name: Name the newest good one
  ansible.builtin.debug:
    msg: "{{ backups.snapshots | selectattr('valid') | map(attribute='path') | first | default('there is none') }}"
"""

RETURN = r"""
snapshots:
  description: The files that matched, the one written last first.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The file.
      type: str
      sample: /var/backups/kubernetes/kubernetes-20261122T044300Z.db
    modified:
      description: When it was last written, in UTC.
      type: str
      sample: "2026-11-22T04:43:00Z"
    valid:
      description: Whether it is a good snapshot.
      type: bool
      sample: true
    fault:
      description: In one word, why it is not, or empty.
      type: str
      choices: ['', empty, not_a_snapshot, truncated, no_hash, damaged, inconsistent]
      sample: ''
    message:
      description: The same for people.
      type: str
      sample: ''
    size:
      description: Bytes of the file.
      type: int
      sample: 4128800
    sha256:
      description: SHA-256 of the database, as recorded at the end of a good snapshot.
      type: str
      sample: 0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8
    file_sha256:
      description: SHA-256 of the whole file of a good snapshot, as C(sha256sum) prints it.
      type: str
      sample: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    hash:
      description: etcd's own hash of the keys of a good snapshot.
      type: int
      sample: 3356522230
    revision:
      description: The newest revision in a good snapshot.
      type: int
      sample: 48211
    total_keys:
      description: Number of keys in a good snapshot.
      type: int
      sample: 1843
    etcd_version:
      description: Version of the member a good snapshot is from, if the file tells (etcd 3.6 and newer).
      type: str
      sample: 3.6.15
"""

import os
from datetime import datetime, timezone
from fnmatch import fnmatch
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import (
    TOOL_OPTIONS,
    Etcd,
    EtcdError,
    verify_snapshot,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.snapshot import SnapshotError

ARGUMENTS: Dict[str, Any] = {
    "directory": {"type": "path", "required": True},
    "patterns": {"type": "list", "elements": "str", "default": ["*.db"]},
    **TOOL_OPTIONS,
}


def newest_first(directory: str, patterns: List[str]) -> List[os.DirEntry[str]]:
    """The files of a folder that match, by the time they were written."""
    if not os.path.isdir(directory):
        return []
    with os.scandir(directory) as entries:
        files = [entry for entry in entries if entry.is_file() and any(fnmatch(entry.name, one) for one in patterns)]
    return sorted(files, key=lambda entry: (entry.stat().st_mtime_ns, entry.name), reverse=True)


def look_at(etcd: Etcd, entry: os.DirEntry[str]) -> Dict[str, Any]:
    """What one file is."""
    state = entry.stat()
    modified = datetime.fromtimestamp(int(state.st_mtime), tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    found: Dict[str, Any] = {"path": entry.path, "modified": modified, "size": state.st_size}
    try:
        snapshot = verify_snapshot(etcd, entry.path).as_dict()
    except SnapshotError as error:
        return {**found, "valid": False, "fault": error.fault, "message": str(error)}
    return {**found, **snapshot, "valid": True, "fault": "", "message": ""}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    etcd = Etcd(module)
    try:
        files = newest_first(module.params["directory"], module.params["patterns"])
        snapshots = [look_at(etcd, entry) for entry in files]
    except (EtcdError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, snapshots=snapshots)


if __name__ == "__main__":
    main()
