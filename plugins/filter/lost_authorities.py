# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter lost_authorities."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.losses import authorities

DOCUMENTATION = r"""
name: lost_authorities
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: Files of authorities that control planes lack, and where they are
description:
  - Judges what M(groundwork.kubernetes.kubeadm_info) reported of all control planes with
    O(groundwork.kubernetes.kubeadm_info#module:losses=true).
  - A file that no control plane has is named if static pods are started with it. One that differs is copied nowhere.
options:
  _input:
    description: Results of M(groundwork.kubernetes.kubeadm_info) by host.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Tell which files are to be copied
  ansible.builtin.debug:
    msg: '{{ ({inventory_hostname: node} | groundwork.kubernetes.lost_authorities).copies }}'
"""

RETURN = r"""
_value:
  description:
    - C(copies) has the files that a host lacks and another one has, by host, C(sources) a host that has it, by file.
    - C(faults) has what people have to put right, one line each.
  type: dict
  sample:
    copies: {cp-2: [/etc/kubernetes/pki/sa.key]}
    sources: {/etc/kubernetes/pki/sa.key: cp-1}
    faults: []
"""


def lost_authorities(results: Any) -> Dict[str, Any]:
    """What is copied to which host, and what people have to put right."""
    try:
        return authorities(results).describe()
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"lost_authorities needs results of kubeadm_info by host: {error!r}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"lost_authorities": lost_authorities}
