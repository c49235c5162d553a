# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter hardening_faults."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm import hardening_faults as rules
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import ReleaseError

DOCUMENTATION = r"""
name: hardening_faults
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: What hardening asks for and is not there
description:
  - Says which variables of the role P(groundwork.kubernetes.control_plane#role) a version of Kubernetes has nothing
    for, and whether a folder with patches is empty.
options:
  _input:
    description: A version of Kubernetes.
    type: str
    required: true
  pod_security:
    description: The variable C(control_plane_pod_security).
    type: dict
    required: true
  authentication:
    description: The variable C(control_plane_authentication_configuration).
    type: dict
    required: true
  patches:
    description: The variable C(control_plane_patches).
    type: str
    required: true
  patch_files:
    description: The files in it.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show what is wrong
  ansible.builtin.debug:
    msg: >-
      {{ '1.22.3' | groundwork.kubernetes.hardening_faults(pod_security={'enforce': 'baseline'}, authentication={},
         patches='', patch_files=[]) }}
"""

RETURN = r"""
_value:
  description: The faults, one sentence each; an empty list where there are none.
  type: list
  elements: str
"""


def hardening_faults(
    version: Any, *, pod_security: Any, authentication: Any, patches: Any, patch_files: Any
) -> List[str]:
    """All faults."""
    try:
        return list(rules.hardening_faults(str(version), pod_security, authentication, str(patches), list(patch_files)))
    except ReleaseError as error:
        raise AnsibleFilterError(f"hardening_faults: {error}") from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name and function of each."""
        return {"hardening_faults": hardening_faults}
