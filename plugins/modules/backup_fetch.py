# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin backup_fetch."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_fetch
short_description: Bring a backup to the controller, from a host or one of the copies, and decrypt it there
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Copies an archive that M(groundwork.kubernetes.backup) made, with its signature and the description of an encrypted
    one, into a folder of the controller, and keeps archives there by the same rule.
  - It says what is known of the signature (RV(archive)), which also holds for the archive once it is decrypted. Whom to
    trust is not judged.
  - The archive lies on the host, or in one of the copies that the host reaches with rclone. Of a copy nothing is stored
    on the host.
  - With O(identity) it is decrypted on the controller, the only place that needs the private key and C(age).
  - It reads the archive in pieces, so it takes little memory on both sides, also where the connection needs to become
    another user. M(ansible.builtin.fetch) then holds the whole file in memory.
  - An archive gets its name on the controller when its SHA-256 was found right, or all of its bytes have
    come where O(sha256) is not given. What an interrupted run left is overwritten.
  - One that is not encrypted is then read in full. If it is damaged, it is removed from the controller, and the task
    fails.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
attributes:
  check_mode:
    support: full
    details: Looks for the archive and at the private key's file, and brings nothing.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: Without O(sha256), and with O(identity), it is brought anew.
options:
  path:
    description:
      - The archive on the host. This, or O(copy), is required.
      - With O(copy), its name there. C(.age) at its end may be left out. Without it, the newest of O(cluster) that
        carries its identity.
    type: path
  copy:
    description: A folder that rclone knows, C(remote:path), as in M(groundwork.kubernetes.backup).
    type: str
  copy_config:
    description: rclone's configuration file on the host. Required with O(copy).
    type: path
  cluster:
    description: With O(copy), whose newest archive is meant.
    type: str
    default: ''
  cluster_uid:
    description:
      - With O(copy), the identity of the cluster, the UID of its namespace C(kube-system), or its first eight
        characters as they are in the names of archives.
      - Without it, the archives of O(cluster) there must all be of one cluster.
    type: str
    default: ''
  adopt_unidentified:
    description:
      - Whether archives of the cluster's name that carry no identity are its own, for the newest one in O(copy), and
        for O(keep). Without it, they must be named with O(path), and are never removed.
    type: bool
    default: false
  sha256:
    description: Its SHA-256, as M(groundwork.kubernetes.backup) returned it.
    type: str
  directory:
    description: The folder on the controller. It is made where it is absent, with mode 0700.
    type: path
    required: true
  identity:
    description:
      - File on the controller with the private key for an encrypted archive, which only its owner can read. It must
        not need a passphrase.
      - The archive is then kept without encryption, mode 0600. Others must not be able to enter O(directory).
      - With an empty value encrypted archives are refused. Without it, they stay encrypted.
    type: path
  keep:
    description:
      - Which archives of the same cluster stay in the folder, as in M(groundwork.kubernetes.backup). The newest always
        does.
      - Without it, all stay.
    type: dict
requirements:
  - dd and base64 on the host
  - with O(copy), rclone on the host
  - with O(identity), age on the controller
  - ssh-keygen on the controller, for the signature
seealso:
  - module: groundwork.kubernetes.backup
"""

EXAMPLES = r"""
- name: Make a backup
  groundwork.kubernetes.backup:
    directory: /var/backups/kubernetes
    cluster: kubernetes
  register: made

- name: Take it to the controller
  groundwork.kubernetes.backup_fetch:
    path: '{{ made.path }}'
    sha256: '{{ made.sha256 }}'
    directory: ~/backups
    keep: {last: 7, weekly: 4}

- name: Bring the newest archive of a cluster back from a copy, and decrypt it
  groundwork.kubernetes.backup_fetch:
    copy: offsite:example-backups/kubernetes
    copy_config: /etc/groundwork/backup/rclone.conf
    cluster: example
    identity: ~/.config/age/key.txt
    directory: ~/restore
"""

RETURN = r"""
dest:
  description: The archive on the controller.
  returned: success
  type: str
  sample: /home/me/backups/kubernetes-20261122T020000Z-1f0c6a52.tar
source:
  description: Where it came from.
  returned: success
  type: str
  sample: offsite:example-backups/kubernetes/example-20261122T020000Z-1f0c6a52.tar.age
archive:
  description: What it says of itself, in the form of M(groundwork.kubernetes.restore_info).
  returned: success, and not in check mode
  type: dict
faults:
  description: All that is known to be wrong.
  returned: failure
  type: list
  elements: str
removed:
  description: Archives that were, or would be, removed from the folder.
  returned: success
  type: list
  elements: str
  sample: []
"""
