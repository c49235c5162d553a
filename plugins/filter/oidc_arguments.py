# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter oidc_arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm import oidc

DOCUMENTATION = r"""
name: oidc_arguments
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The API server's arguments that say what AuthenticationConfiguration says
description:
  - For API servers before Kubernetes 1.30, which read no such file.
  - An argument that is not needed is an empty text. What the arguments cannot say is left out; the filter
    P(groundwork.kubernetes.hardening_faults#filter) refuses it before.
options:
  _input:
    description: C(AuthenticationConfiguration) without C(apiVersion) and C(kind).
    type: dict
    required: true
  authority_file:
    description: Where the certificates of the provider's authority are; empty for those that the host trusts.
    type: str
    default: ''
seealso:
  - plugin: groundwork.kubernetes.kubeadm_arguments
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show the arguments
  ansible.builtin.debug:
    msg: "{{ control_plane_authentication_configuration | groundwork.kubernetes.oidc_arguments }}"
"""

RETURN = r"""
_value:
  description: Values by the arguments' names; nothing where no provider is named.
  type: dict
  sample: {oidc-issuer-url: https://id.example.com, oidc-client-id: kubernetes, oidc-username-claim: email}
"""


def oidc_arguments(configuration: Any, authority_file: str = "") -> Dict[str, str]:
    """Arguments and their values."""
    if not isinstance(configuration, Mapping):
        raise AnsibleFilterError("oidc_arguments needs an AuthenticationConfiguration")
    return oidc.oidc_arguments(configuration, authority_file)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name and function of each."""
        return {"oidc_arguments": oidc_arguments}
