# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter endpoint_part."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.endpoint_hosts import part

DOCUMENTATION = r"""
name: endpoint_part
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: What a host does for the endpoint of the API
description:
  - Says whether a host takes part in the endpoint, what is done there before, which services of an earlier choice are
    not wanted, and its priority for the virtual address.
options:
  _input:
    description: The variable C(kubernetes_api_load_balancer).
    type: str
    choices: [external, haproxy, kube_vip, local]
    required: true
  host:
    description: The host's name in the inventory.
    type: str
    required: true
  control_planes:
    description: All control planes.
    type: list
    elements: str
    required: true
  balancers:
    description: The hosts of load balancers.
    type: list
    elements: str
    required: true
  nodes:
    description: The workers.
    type: list
    elements: str
    required: true
seealso:
  - plugin: groundwork.kubernetes.endpoint_faults
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show what this host does
  ansible.builtin.debug:
    msg: "{{ 'local' | groundwork.kubernetes.endpoint_part(inventory_hostname, ['cp-1'], ['cp-1'], ['worker-1']) }}"
"""

RETURN = r"""
_value:
  description: What the host does.
  type: dict
  sample: {takes_part: true, preparations: [check], unwanted: [keepalived], priority: 0}
"""


def endpoint_part(load_balancer: Any, host: Any, control_planes: Any, balancers: Any, nodes: Any) -> Dict[str, Any]:
    """What the host does."""
    try:
        return part(str(load_balancer), str(host), list(control_planes), list(balancers), list(nodes))
    except KeyError as error:
        raise AnsibleFilterError(f"endpoint_part: {error} is no value of kubernetes_api_load_balancer") from None


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"endpoint_part": endpoint_part}
