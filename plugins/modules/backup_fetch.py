# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin backup_fetch."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_fetch
short_description: Copy a backup from a host to the controller
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Copies an archive that M(groundwork.kubernetes.backup) made, and the description beside an encrypted one, into a
    folder of the controller, and keeps archives there by the same rule.
  - It reads the archive in pieces, so it takes little memory on both sides, also where the connection needs to become
    another user. M(ansible.builtin.fetch) then holds the whole file in memory.
  - An archive gets its name on the controller when its SHA-256 was found right. What an interrupted run left is
    overwritten.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  path:
    description: The archive on the host.
    type: path
    required: true
  sha256:
    description: Its SHA-256, as M(groundwork.kubernetes.backup) returned it.
    type: str
    required: true
  directory:
    description: The folder on the controller. It is made where it is absent, with mode 0700.
    type: path
    required: true
  keep:
    description:
      - Which archives of the cluster stay in the folder, as in M(groundwork.kubernetes.backup). The newest always does.
      - Without it, all stay.
    type: dict
requirements:
  - dd and base64 on the host
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
"""

RETURN = r"""
dest:
  description: The archive on the controller.
  returned: success
  type: str
  sample: /home/me/backups/kubernetes-20261122T020000Z.tar
removed:
  description: Archives that were, or would be, removed from the folder.
  returned: success
  type: list
  elements: str
  sample: []
"""
