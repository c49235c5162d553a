# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter endpoint_unknown_hosts."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.endpoint_hosts import asked_hosts

DOCUMENTATION = r"""
name: endpoint_unknown_hosts
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The hosts whose facts the endpoint of the API lacks
description:
  - Names the hosts whose addresses the configuration of the endpoint holds and of which no facts were gathered, as of
    those that a run with C(--limit) leaves out.
options:
  _input:
    description: The variable C(kubernetes_api_load_balancer).
    type: str
    choices: [external, haproxy, kube_vip, local]
    required: true
  hostvars:
    description: The variables of all hosts.
    type: dict
    required: true
  control_planes:
    description: All control planes.
    type: list
    elements: str
    required: true
  balancers:
    description: The group of load balancers.
    type: list
    elements: str
    required: true
  nodes:
    description: The workers that the run is for.
    type: list
    elements: str
    required: true
seealso:
  - plugin: groundwork.kubernetes.addresses
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show whose addresses are not known
  ansible.builtin.debug:
    msg: "{{ 'kube_vip' | groundwork.kubernetes.endpoint_unknown_hosts(hostvars, ['cp-1', 'cp-2'], [], []) }}"
"""

RETURN = r"""
_value:
  description: The hosts.
  type: list
  elements: str
  sample: [cp-2]
"""


def endpoint_unknown_hosts(
    load_balancer: Any, hostvars: Any, control_planes: Any, balancers: Any, nodes: Any
) -> List[str]:
    """The hosts without facts."""
    asked = asked_hosts(str(load_balancer), list(control_planes), list(balancers), list(nodes))
    return [host for host in asked if "interfaces" not in (hostvars[host].get("ansible_facts") or {})]


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"endpoint_unknown_hosts": endpoint_unknown_hosts}
