# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module backup_info: the archives in a folder, and whether they are good."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_info
short_description: List backups, their age, and whether they are good
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Lists the archives that M(groundwork.kubernetes.backup) made in a folder, newest first, and says of each whether
    it is whole, and what came of its proof.
  - Of an encrypted archive it reads the description beside it, and compares the archive's bytes with it. No private key
    is needed for that.
  - It needs no tools of etcd. A new trial restore of an archive is M(groundwork.kubernetes.backup) with
    C(state=verified).
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
options:
  directory:
    description: The folder. One that does not exist holds no backups.
    type: path
    required: true
  cluster:
    description: Only this cluster's. Without it, all clusters'.
    type: str
    default: ''
  verify:
    description:
      - Reads every archive in full and compares every part with its SHA-256, so the time it takes grows with the
        archives.
      - Without it, only the manifests and the sizes are looked at.
    type: bool
    default: true
seealso:
  - module: groundwork.kubernetes.backup
"""

EXAMPLES = r"""
- name: Look at the backups
  groundwork.kubernetes.backup_info:
    directory: /var/backups/kubernetes
  register: found

- name: Expect one that is good and not older than a day
  ansible.builtin.assert:
    that: found.backups | selectattr('valid') | selectattr('age', 'lt', 86400) | length > 0
"""

RETURN = r"""
backups:
  description: The archives, newest first, by the time in their names.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The archive.
      type: str
      sample: /var/backups/kubernetes/kubernetes-20261122T020000Z.tar
    cluster:
      description: Whose it is, by its name.
      type: str
      sample: kubernetes
    created:
      description: When it was made, in UTC, by its name.
      type: str
      sample: "2026-11-22T02:00:00Z"
    age:
      description: Seconds since then.
      type: int
      sample: 3600
    size:
      description: Bytes of the file.
      type: int
      sample: 4249600
    encrypted:
      description: Whether it is encrypted.
      type: bool
      sample: false
    valid:
      description: Whether it is whole and passed its proof.
      type: bool
      sample: true
    fault:
      description: In one word, why it is not valid, as M(groundwork.kubernetes.backup) returns it, or empty.
      type: str
      sample: ''
    message:
      description: The same for people.
      type: str
      sample: ''
    proof:
      description: What was done to prove it when it was made, and what came of it. Empty where it cannot be read.
      type: dict
      sample: {level: restore, passed: true, time: "2026-11-22T02:00:03Z", seconds: 1.4, keys: 1843}
    host:
      description: The host that made it, or empty.
      type: str
      sample: cp-1
    kubernetes_version:
      description: The version of Kubernetes, or empty.
      type: str
      sample: 1.36.5
    etcd:
      description: What its snapshot holds. Empty where it cannot be read.
      type: dict
      sample: {version: 3.6.8, revision: 48211, keys: 1843}
copies:
  description: What the last runs of M(groundwork.kubernetes.backup) say of copies, by cluster and name of the place.
  returned: success
  type: dict
  sample:
    kubernetes:
      offsite: {target: "offsite:my-bucket/kubernetes", ok: true, error: "", time: 1795312805,
        archive: kubernetes-20261122T020000Z.tar}
"""

import os
from datetime import datetime, timezone
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup import (
    TIME,
    BackupError,
    Listed,
    list_archives,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._copies import (
    copies_name,
    remembered,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._shelf import look_into

ARGUMENTS: Dict[str, Any] = {
    "directory": {"type": "path", "required": True},
    "cluster": {"type": "str", "default": ""},
    "verify": {"type": "bool", "default": True},
}


def look_at(item: Listed, verify: bool, now: datetime) -> Dict[str, Any]:
    """What one archive is."""
    found: Dict[str, Any] = {
        "path": item.path,
        "cluster": item.cluster,
        "created": item.time.strftime(TIME),
        "age": int((now - item.time).total_seconds()),
        "size": os.path.getsize(item.path),
        "encrypted": item.sealed,
        "valid": False,
        "proof": {},
        "host": "",
        "kubernetes_version": "",
        "etcd": {},
    }
    try:
        manifest = look_into(item, item.cluster, quick=not verify)
    except BackupError as error:
        return {**found, "fault": error.fault, "message": str(error)}
    known = manifest.as_dict()
    found.update({name: known[name] for name in ("proof", "host", "kubernetes_version", "etcd")})
    if item.bad or not manifest.proof.passed:
        reason = manifest.proof.reason or "is set aside as bad"
        return {**found, "fault": "proof", "message": f"{item.path} {reason}"}
    return {**found, "valid": True, "fault": "", "message": ""}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    now = datetime.now(timezone.utc)
    try:
        listed = list_archives(module.params["directory"], module.params["cluster"])
        backups = [look_at(item, module.params["verify"], now) for item in listed]
        clusters = sorted({item.cluster for item in listed})
        copies = {name: remembered(os.path.join(module.params["directory"], copies_name(name))) for name in clusters}
    except OSError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, backups=backups, copies=copies)


if __name__ == "__main__":
    main()
