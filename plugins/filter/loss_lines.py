# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter loss_lines."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.losses import lines

DOCUMENTATION = r"""
name: loss_lines
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: What nodes have lost of what kubeadm made on them, as text
description:
  - Says what M(groundwork.kubernetes.kubeadm_info) reported of all nodes with
    O(groundwork.kubernetes.kubeadm_info#module:losses=true), and which playbook makes it good.
options:
  _input:
    description: Results of M(groundwork.kubernetes.kubeadm_info) by host.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Expect that nothing is lost
  ansible.builtin.assert:
    that: lines | length == 0
    fail_msg: "{{ lines | join('\n') }}"
  vars:
    lines: '{{ {inventory_hostname: node} | groundwork.kubernetes.loss_lines }}'
"""

RETURN = r"""
_value:
  description: One line for each loss; below an altered manifest, how it differs from what kubeadm writes.
  type: list
  elements: str
  sample: ['cp-2: /etc/kubernetes/admin.conf: it is missing. The playbook site makes it good.']
"""


def loss_lines(results: Any) -> List[str]:
    """One line for each loss."""
    try:
        return lines(results)
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"loss_lines needs results of kubeadm_info by host: {error!r}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"loss_lines": loss_lines}
