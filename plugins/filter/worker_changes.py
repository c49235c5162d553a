# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter worker_changes."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm import worker_changes as changes

DOCUMENTATION = r"""
name: worker_changes
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: Which workers have to be changed, and in which batches
description:
  - Tells by what modules reported in check mode which workers that have joined are to be changed.
  - The first batch is one worker, by which a bad setting is found. The others are of O(batch).
options:
  _input:
    description:
      - Results of M(groundwork.kubernetes.kubeadm_info) by host, with
        O(groundwork.kubernetes.kubeadm_info#module:losses=true).
    type: dict
    required: true
  due:
    description: Results of M(groundwork.kubernetes.kubeadm_join) in check mode, by host.
    type: dict
    required: true
  settings:
    description: Results of M(groundwork.kubernetes.node) in check mode, by host.
    type: dict
    required: true
  batch:
    description: How many workers are changed at a time, a number or a percentage of all.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the batches
  ansible.builtin.debug:
    msg: "{{ (states | groundwork.kubernetes.worker_changes(due, settings, '25%')).batches }}"
"""

RETURN = r"""
_value:
  description:
    - C(batches) has the hosts that are changed together.
    - C(lost) has those that lost something that kubeadm writes again, C(ended) those whose kubelet's certificate ended,
      C(settings) those that get other labels or taints.
  type: dict
  sample: {batches: [[worker-1], [worker-2, worker-3]], lost: [worker-2], ended: [], settings: [worker-1]}
"""


def worker_changes(states: Any, due: Any, settings: Any, batch: str) -> Dict[str, Any]:
    """Who is changed, and in which batches."""
    try:
        return changes.worker_changes(states, due, settings, str(batch))
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"worker_changes needs results of modules by host: {error!r}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"worker_changes": worker_changes}
