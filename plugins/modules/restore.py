# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module restore: gives one member of etcd the data of a backup, and can be interrupted and undone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: restore
short_description: Give a member of etcd the data of a backup
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Makes a member's new data of an archive of M(groundwork.kubernetes.backup), puts it in the place of the old data,
    and proves that the member works with it. Each is a state of its own, since all members must have come as far
    before the next.
  - The old data is kept beside the new, in C(before-restore-<id>) of the data directory, so that all can be undone.
  - A journal on the host tells how far it has come. Interrupted anywhere, each state can be asked for again.
  - It does not stop or start etcd. It refuses to touch data that an etcd has open.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.full
  - groundwork.kubernetes.etcd
  - groundwork.kubernetes.etcd.tools
  - groundwork.kubernetes.etcd.restore
  - groundwork.kubernetes.signature
attributes:
  check_mode:
    details:
      - In check mode nothing is extracted, so O(state=staged) reads the archive and the versions, and the later
        states say what they would do.
options:
  state:
    description:
      - V(staged) reads the archive in full, and makes the new data beside the old. The member may run meanwhile.
      - V(switched) puts the new data in place, and keeps the old beside. The member must not run.
      - V(proven) waits until the member is healthy with all the others, and compares revision and number of keys with
        the archive.
      - V(finished) ends the restore, and removes the old data unless O(keep_old).
      - V(rolled_back) puts the old data back and removes the new. The member must not run, unless nothing was switched.
    type: str
    choices: [staged, switched, proven, finished, rolled_back]
    required: true
  id:
    description: The restore's name, a time such as V(20261122T081500Z). It must be the same on all members.
    type: str
    required: true
  path:
    description: The archive. Needed for O(state=staged).
    type: path
  cluster:
    description: The cluster's name. An archive of another one is refused. Empty for anybody's.
    type: str
    default: ''
  identity:
    description:
      - What RV(groundwork.kubernetes.restore_info#module:archives) calls the archive, to be sure it is that one.
    type: str
    default: ''
  data_dir:
    description: The member's data directory. It may be a mount point.
    type: path
    default: /var/lib/etcd
  name:
    description: The member's name. Needed for O(state=staged).
    type: str
  initial_cluster:
    description: Every member's name with its list of peer URLs. Needed for O(state=staged) and O(state=proven).
    type: dict
  member_version:
    description: The version of etcd that is going to run on the data. Without it, that of the tools.
    type: str
    default: ''
  wait_timeout:
    description: With O(state=proven), seconds that the member may take.
    type: int
    default: 180
  keep_old:
    description: With O(state=finished), whether the old data stays.
    type: bool
    default: true
  journal:
    description: File with the state of the restore.
    type: path
    default: /var/lib/groundwork/restore.json
seealso:
  - module: groundwork.kubernetes.restore_info
  - module: groundwork.kubernetes.backup
  - module: groundwork.kubernetes.static_pods
"""

EXAMPLES = r"""
- name: Make the new data, while the member still runs
  groundwork.kubernetes.restore:
    state: staged
    id: 20261122T081500Z
    path: /var/backups/kubernetes/kubernetes-20261122T020000Z-1f0c6a52.tar
    cluster: kubernetes
    name: cp-1
    initial_cluster: {cp-1: ["https://192.0.2.11:2380"]}
    trusted_signers: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPLIJ/GXykftYmN1hmrIZ4M1wNe+Sl+ZX/r8N9Hla7yh cp-1]

- name: Stop the control plane
  groundwork.kubernetes.static_pods:
    names: [kube-apiserver, kube-controller-manager, kube-scheduler, etcd]
    state: stopped

- name: Put the new data in place
  groundwork.kubernetes.restore:
    state: switched
    id: 20261122T081500Z
    path: /var/backups/kubernetes/kubernetes-20261122T020000Z-1f0c6a52.tar
    cluster: kubernetes
    name: cp-1
    initial_cluster: {cp-1: ["https://192.0.2.11:2380"]}
"""

RETURN = r"""
journal:
  description: How far the restore has come, C(id), C(stage), C(path), C(created), C(revision), C(keys) and so on.
  returned: success, except for a restore that check mode did not begin
  type: dict
bumps_revision:
  description: Whether the tools of this host can raise the revision.
  returned: state=staged
  type: bool
old_data:
  description: The folder with the old data, or empty where there is none.
  returned: success
  type: str
  sample: /var/lib/etcd/before-restore-20261122T081500Z
seconds:
  description: How long the run took.
  returned: success
  type: float
  sample: 1.9
fault:
  description: In one word, why it cannot be done. Besides these, those of M(groundwork.kubernetes.backup).
  returned: on failure because of an archive or of what is on the host
  type: str
  choices: [version, identity, journal, in_use, stray, not_staged, nothing_to_go_back_to, unproven, unverified]
  sample: in_use
"""

from typing import Any, Dict

from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.restore_journal import (
    FINISHED,
    JOURNAL,
    PROVEN,
    ROLLED_BACK,
    STAGED,
    SWITCHED,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.restore_steps import MemberRestore
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import SIGNER_OPTIONS
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.data_directory import RESTORE_OPTIONS

ARGUMENTS: Dict[str, Any] = {
    "state": {"type": "str", "choices": [STAGED, SWITCHED, PROVEN, FINISHED, ROLLED_BACK], "required": True},
    "id": {"type": "str", "required": True},
    "path": {"type": "path"},
    "cluster": {"type": "str", "default": ""},
    "identity": {"type": "str", "default": ""},
    "data_dir": {"type": "path", "default": "/var/lib/etcd"},
    "member_version": {"type": "str", "default": ""},
    **RESTORE_OPTIONS,
    "wait_timeout": {"type": "int", "default": 180},
    "keep_old": {"type": "bool", "default": True},
    "journal": {"type": "path", "default": JOURNAL},
    **SIGNER_OPTIONS,
}


def main() -> None:
    """Run the module."""
    MemberRestore.main(
        ARGUMENTS,
        required_if=[("state", STAGED, ("path", "name", "initial_cluster")), ("state", PROVEN, ("initial_cluster",))],
    )


if __name__ == "__main__":
    main()
