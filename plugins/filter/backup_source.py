# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter backup_source."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.backup_source import find_source

DOCUMENTATION = r"""
name: backup_source
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: Which control plane makes the backup
description:
  - The first control plane that holds the cluster makes the backup, whichever that is.
  - Those that could not be asked are named, as one of them may hold the cluster.
options:
  _input:
    description:
      - The results of M(groundwork.kubernetes.kubeadm_info) in a loop over C(candidates). Empty before that.
    type: list
    elements: dict
    required: true
  control_planes:
    description: Names of all control planes.
    type: list
    elements: str
    required: true
  lost:
    description: Hosts that failed in this run or could not be reached.
    type: list
    elements: str
    required: true
  exclude:
    description: Control planes that are not asked, since they are being taken away.
    type: list
    elements: str
    required: true
  anywhere:
    description:
      - Whether the first that answers makes the backup where none holds a cluster.
      - For an etcd that serves no Kubernetes.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show who makes the backup
  ansible.builtin.debug:
    msg: >-
      {{ (found.results | groundwork.kubernetes.backup_source(groups['kube_control_plane'],
          lost=ansible_play_hosts_all | difference(ansible_play_hosts), exclude=[])).host }}
"""

RETURN = r"""
_value:
  description:
    - C(candidates) are the control planes to search, C(host) the first that holds the cluster or empty, C(silent)
      those of which nothing is known.
  type: dict
  sample: {candidates: [cp-1, cp-2], host: cp-1, silent: [cp-3]}
"""


def backup_source(
    results: Any, control_planes: Any, *, lost: Any, exclude: Any, anywhere: bool = False
) -> Dict[str, Any]:
    """The decision as a dictionary."""
    return find_source(list(results), list(control_planes), list(lost), list(exclude), anywhere)


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"backup_source": backup_source}
