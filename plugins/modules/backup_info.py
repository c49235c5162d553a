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
    description: Only archives of this name. Without it, of any.
    type: str
    default: ''
  cluster_uid:
    description:
      - Only archives of the cluster with this identity, the UID of its namespace C(kube-system). Clusters can have the
        same name. Where it is given but empty, the cluster is not known, and no archive is taken for its own.
      - Without it, archives of all.
    type: str
  kubeconfig:
    description: An administrator's kubeconfig on the host, with which the API is asked for the cluster's identity.
    type: path
  adopt_unidentified:
    description: With O(cluster_uid) or O(kubeconfig), whether archives without an identity are the cluster's, too.
    type: bool
    default: false
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
      sample: /var/backups/kubernetes/kubernetes-20261122T020000Z-1f0c6a52.tar
    cluster:
      description: The cluster's name, by that of the archive.
      type: str
      sample: kubernetes
    cluster_uid:
      description:
        - The UID of the cluster's namespace C(kube-system). Where the archive cannot be read, the beginning that is in
          its name. Empty where it carries none.
      type: str
      sample: 1f0c6a52-7f3e-4f0e-9a53-0d5f3f6a2b11
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
    signature:
      description:
        - What is known of its signature. C(state) is V(good), V(none), V(wrong) where it does not belong to the
          archive, which is then not valid, V(unknown), or without O(verify) V(unread) where it fits the manifest.
          C(key) and C(fingerprint) tell whose it is.
        - Whom to trust is not judged.
        - Empty where the archive cannot be read.
      type: dict
      sample: {state: good, key: ssh-ed25519 AAAAC3Nza..., fingerprint: "SHA256:GoiEUm8rNwsj...", message: ""}
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
unidentified:
  description: With O(cluster_uid) or O(kubeconfig), archives that carry no identity and were left out.
  returned: success
  type: list
  elements: str
  sample: []
others:
  description: With O(cluster_uid) or O(kubeconfig), archives of other clusters that were left out.
  returned: success
  type: list
  elements: str
  sample: []
copies:
  description:
    - What the last runs of M(groundwork.kubernetes.backup) say of copies, by cluster and name of the place. A cluster
      is its name and the beginning of its identity.
  returned: success
  type: dict
  sample:
    kubernetes-1f0c6a52:
      offsite: {target: "offsite:my-bucket/kubernetes", ok: true, error: "", time: 1795312805,
        archive: kubernetes-20261122T020000Z-1f0c6a52.tar}
"""

import os
from datetime import datetime, timezone
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_folder import look_closer
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_names import Listed, list_archives
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.copies import (
    copies_name,
    remembered,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.errors import BackupError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import TIME
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.owner import Owner, ask_api
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import (
    WRONG,
    Signer,
    module_signer,
)

ARGUMENTS: Dict[str, Any] = {
    "directory": {"type": "path", "required": True},
    "cluster": {"type": "str", "default": ""},
    "cluster_uid": {"type": "str"},
    "kubeconfig": {"type": "path"},
    "adopt_unidentified": {"type": "bool", "default": False},
    "verify": {"type": "bool", "default": True},
}


def look_at(item: Listed, verify: bool, now: datetime, signer: Signer) -> Dict[str, Any]:
    """What one archive is."""
    found: Dict[str, Any] = {
        "path": item.path,
        "cluster": item.cluster,
        "cluster_uid": item.uid,
        "created": item.time.strftime(TIME),
        "age": int((now - item.time).total_seconds()),
        "size": os.path.getsize(item.path),
        "encrypted": item.sealed,
        "valid": False,
        "signature": {},
        "proof": {},
        "host": "",
        "kubernetes_version": "",
        "etcd": {},
    }
    try:
        manifest, signature = look_closer(item, signer, quick=not verify)
    except BackupError as error:
        return {**found, "fault": error.fault, "message": str(error)}
    known = manifest.as_dict()
    found["signature"] = signature.as_dict()
    found["cluster_uid"] = manifest.cluster_uid or item.uid
    found.update({name: known[name] for name in ("proof", "host", "kubernetes_version", "etcd")})
    if item.bad or not manifest.proof.passed:
        reason = manifest.proof.reason or "is set aside as bad"
        return {**found, "fault": "proof", "message": f"{item.path} {reason}"}
    if signature.state == WRONG:
        return {**found, "fault": "signature", "message": f"{item.path} {signature.message}"}
    return {**found, "valid": True, "fault": "", "message": ""}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS, mutually_exclusive=[("cluster_uid", "kubeconfig")], supports_check_mode=True
    )
    now, signer = datetime.now(timezone.utc), module_signer(module)
    try:
        listed = list_archives(module.params["directory"], module.params["cluster"])
        found = [look_at(item, module.params["verify"], now, signer) for item in listed]
        uid = module.params["cluster_uid"]
        if module.params["kubeconfig"]:
            uid, reason = ask_api(module, module.params["kubeconfig"])
            if reason:
                module.warn(
                    f"the API does not tell which cluster this is, so no archive is taken for its own: {reason}"
                )
        owner = Owner("", uid or "", module.params["adopt_unidentified"])
        backups = [item for item in found if uid is None or owner.owns(item["cluster_uid"])]
        rest = [item for item in found if item not in backups]
        stems = sorted({Owner(item["cluster"], item["cluster_uid"]).stem for item in backups})
        copies = {stem: remembered(os.path.join(module.params["directory"], copies_name(stem))) for stem in stems}
    except OSError as error:
        module.fail_json(msg=str(error))
    unidentified = [item["path"] for item in rest if not item["cluster_uid"]]
    others = [item["path"] for item in rest if item["cluster_uid"]]
    module.exit_json(changed=False, backups=backups, unidentified=unidentified, others=others, copies=copies)


if __name__ == "__main__":
    main()
