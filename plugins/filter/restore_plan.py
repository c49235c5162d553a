# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter restore_plan."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.restore_plan import plan_restore
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.restore_request import Request

DOCUMENTATION = r"""
name: restore_plan
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: Plan a restore from what all hosts say
description:
  - Decides which archive is restored on which members under which id, whether an interrupted restore is gone on with,
    and names everything that stands against it, all at once.
options:
  _input:
    description: What M(groundwork.kubernetes.restore_info) returned, by host.
    type: dict
    required: true
  cluster:
    description: The cluster's name.
    type: str
    required: true
  members:
    description: Names of the hosts that hold etcd's members.
    type: list
    elements: str
    required: true
  control_planes:
    description: Names of the hosts of the control plane.
    type: list
    elements: str
    required: true
  addresses:
    description: The inventory's address of each host. A member that is set up for another one is refused.
    type: dict
    default: {}
  confirm:
    description: The name that the user gave to confirm the restore.
    type: str
    default: ''
  archive:
    description: Path of the archive. Without it, the newest that a host has.
    type: str
    default: ''
  archive_host:
    description: The host that has the archive, V(localhost) for the controller. Without it, any host.
    type: str
    default: ''
  controller:
    description: What M(groundwork.kubernetes.restore_info) returned as C(archive) on the controller.
    type: list
    elements: dict
    default: []
  copy:
    description: Name of the copy that has the archive, or nothing.
    type: str
    default: ''
  copies:
    description: Names of all copies.
    type: list
    elements: str
    default: []
  identity:
    description: File with the private key for encrypted archives.
    type: str
    default: ''
  read:
    description: What M(groundwork.kubernetes.restore_info) returned as C(archive) on the hosts of C(read) in the plan.
    type: dict
    default: {}
  brought:
    description: What M(groundwork.kubernetes.backup_fetch) returned when it brought the archive to the controller.
    type: dict
    default: {}
  rollback:
    description: Whether the last restore is to be undone.
    type: bool
    default: false
  other_cluster:
    description: Whether an archive of another cluster is taken.
    type: bool
    default: false
  cluster_uid:
    description:
      - The identity of the cluster whose archives are meant, the UID of its namespace C(kube-system), or the beginning
        of it that is in an archive's name. Without it, what etcd tells, or the one that all archives of the name carry.
    type: str
    default: ''
  adopt:
    description: Whether archives of the name that carry no identity are the cluster's.
    type: bool
    default: false
  save:
    description: Whether what runs now is to be saved.
    type: bool
    default: true
  rebuild:
    description: Whether an empty host is made the first of a cluster again.
    type: bool
    default: false
  check:
    description: Whether nothing is going to be changed, so that nothing need be confirmed.
    type: bool
    default: false
  trusted_signers:
    description: Public keys of those who make the cluster's archives, besides those that the hosts have.
    type: list
    elements: str
    default: []
  unverified:
    description: Whether an archive is taken of which it is not known who made it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show the plan
  ansible.builtin.debug:
    msg: >-
      {{ infos | groundwork.kubernetes.restore_plan(cluster='kubernetes', members=['cp-1'], control_planes=['cp-1']) }}
"""

RETURN = r"""
_value:
  description:
    - The plan, C(faults), C(warnings), C(summary) in sentences, C(id), C(action), C(archive), C(cluster_uid) as far as
      it is known, C(places) where hosts have it, C(copy_from), C(copy_to), C(initial_cluster), C(client_urls),
      C(external), C(stages) by host, C(prepare), C(save), C(stop), C(revisions_lost), C(signed) that tells who signed
      the archive, and all C(trusted_signers).
    - C(read) tells by host which archive is to be read in full by M(groundwork.kubernetes.restore_info) before it is
      judged. Its faults, who signed it and its C(places) are known once O(read) is given.
    - C(bring) tells which archive must come to the controller first, by C(remote), C(host) and C(path). All are empty
      where none must. C(archive) is then known once O(brought) is given.
  type: dict
"""


def restore_plan(hosts: Any, **options: Any) -> Dict[str, Any]:
    """What is to be done, or why it must not."""
    try:
        return plan_restore(hosts, Request(**options))
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(f"restore_plan needs what restore_info returned for each host: {error!r}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"restore_plan": restore_plan}
