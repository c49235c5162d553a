# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter kube_vip_needing_rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Dict, List

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.endpoint_hosts import needing_rules

DOCUMENTATION = r"""
name: kube_vip_needing_rules
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: Parts of kube-vip that need further rights
description:
  - Names the variables of kube-vip that turn on what needs rights in the cluster beyond its lease.
options:
  _input:
    description: kube-vip's environment, by name.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what needs rules
  ansible.builtin.debug:
    msg: "{{ {'svc_enable': 'true'} | groundwork.kubernetes.kube_vip_needing_rules }}"
"""

RETURN = r"""
_value:
  description: The variables, sorted.
  type: list
  elements: str
  sample: [svc_enable]
"""


def kube_vip_needing_rules(environment: Any) -> List[str]:
    """The variables."""
    if not isinstance(environment, Mapping):
        raise AnsibleFilterError("kube_vip_needing_rules needs a dictionary of variables")
    return needing_rules(environment)


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"kube_vip_needing_rules": kube_vip_needing_rules}
