# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter endpoint_faults."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.endpoint import Settings, find_faults

DOCUMENTATION = r"""
name: endpoint_faults
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: What is wrong with the settings of the API's endpoint
description:
  - Judges the variables that decide how the API is reached. Used by the role P(groundwork.kubernetes.endpoint#role).
options:
  _input:
    description:
      - The settings by name, C(load_balancer), C(endpoint), C(virtual_ip), C(api_port), C(local_port), C(health_port),
        C(virtual_router_id), C(group), C(balancers), C(control_planes), C(address), C(interface),
        C(kube_vip_without_rules), C(strict_arp_missing) and C(ignored). C(balancers) and C(control_planes) are
        dictionaries of hosts and their addresses.
      - C(ignored) are faults that preflight lets pass. Without an address to set up, none of them counts.
      - What is left out has the default of its variable.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what is wrong
  ansible.builtin.debug:
    msg: "{{ {'load_balancer': 'kube_vip', 'endpoint': '192.0.2.10:8443'} | groundwork.kubernetes.endpoint_faults }}"
"""

RETURN = r"""
_value:
  description: The faults, one sentence each; an empty list where there are none.
  type: list
  elements: str
"""


def endpoint_faults(settings: Mapping[str, Any]) -> List[str]:
    """All faults of the settings."""
    try:
        return find_faults(Settings(**settings))
    except TypeError as error:
        raise AnsibleFilterError(f"endpoint_faults: {error}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"endpoint_faults": endpoint_faults}
