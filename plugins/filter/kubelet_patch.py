# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter kubelet_patch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.kubelet import patch_of

DOCUMENTATION = r"""
name: kubelet_patch
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: What a host's KubeletConfiguration differs from the cluster's
description:
  - Gives the JSON merge patch that makes a host's configuration of the one that the cluster stores.
  - What the host does not have is null in it, which takes the key out.
positional: shared
options:
  _input:
    description: The host's C(KubeletConfiguration).
    type: dict
    required: true
  shared:
    description: The cluster's, as the module M(groundwork.kubernetes.kubelet_configuration) gives it.
    type: dict
    required: true
seealso:
  - module: groundwork.kubernetes.kubelet_configuration
"""

EXAMPLES = r"""
- name: "Show a patch: maxPods 50, and none of the cluster's podPidsLimit"
  ansible.builtin.debug:
    msg: "{{ {'maxPods': 50} | groundwork.kubernetes.kubelet_patch({'maxPods': 110, 'podPidsLimit': 4096}) }}"
"""

RETURN = r"""
_value:
  description: The patch; empty where both are the same.
  type: dict
"""


def kubelet_patch(own: Any, shared: Any) -> Dict[str, Any]:
    """What a host's configuration differs from the cluster's."""
    if not isinstance(own, Mapping) or not isinstance(shared, Mapping):
        raise AnsibleFilterError("kubelet_patch needs two mappings")
    return patch_of(dict(shared), dict(own))


class FilterModule:
    """The filters of this file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name and function of each."""
        return {"kubelet_patch": kubelet_patch}
