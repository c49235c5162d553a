# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter control_plane_faults."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.control_planes import faults

DOCUMENTATION = r"""
name: control_plane_faults
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: What is wrong with hosts of the control plane and cannot be mended by a run
description:
  - Judges what M(groundwork.kubernetes.kubeadm_info) reported of all hosts of the control plane.
  - A host that has something of a control plane is never taken for a new one. What it lacks and no run can write again
    is named, and so is a state from which two clusters could become.
options:
  _input:
    description: Results of M(groundwork.kubernetes.kubeadm_info) by host.
    type: dict
    required: true
  unseen:
    description: Hosts of the control plane that did not take part. Where no other holds a cluster, one of them may.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Refuse what people have to put right
  ansible.builtin.assert:
    that: faults | length == 0
    fail_msg: "{{ faults | join('\n') }}"
  vars:
    faults: "{{ {inventory_hostname: node} | groundwork.kubernetes.control_plane_faults }}"
"""

RETURN = r"""
_value:
  description: The faults, each with its host.
  type: list
  elements: str
  sample: ['cp-2: /etc/kubernetes/manifests/etcd.yaml is missing']
"""


def control_plane_faults(states: Any, unseen: Sequence[str] = ()) -> List[str]:
    """One line for each fault."""
    try:
        return [f"{host}: {text}." for host, text in faults(states, unseen)]
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"control_plane_faults needs results of kubeadm_info by host: {error!r}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"control_plane_faults": control_plane_faults}
