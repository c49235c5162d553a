# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter kube_vip_hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Dict

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.endpoint_hosts import (
    kube_vip_hosts as chosen,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.host_variables import inventory_of

DOCUMENTATION = r"""
name: kube_vip_hosts
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The hosts that begin with kube-vip
description:
  - Names the control plane that starts kube-vip for a cluster that is yet to be initialized, and the one where its
    rights in the cluster are applied.
extends_documentation_fragment: [groundwork.kubernetes.hosts]
options:
  register:
    description: Name of the variable that holds what M(groundwork.kubernetes.kubeadm_info) returned of a host.
    type: str
    required: true
  play_hosts:
    description: The hosts that take part in the run.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show who begins
  ansible.builtin.debug:
    msg: "{{ ['cp-1', 'cp-2'] | groundwork.kubernetes.kube_vip_hosts(hostvars, '__node', ansible_play_hosts) }}"
"""

RETURN = r"""
_value:
  description: By C(begins) and C(rights) the name of a host, empty where there is none.
  type: dict
  sample: {begins: '', rights: cp-1}
"""


def kube_vip_hosts(hosts: Any, hostvars: Any, register: str, play_hosts: Any) -> Dict[str, str]:
    """The two hosts."""
    variables = inventory_of(hostvars)
    found = {host: variables[host].get(register) for host in hosts}
    nodes = {host: node for host, node in found.items() if isinstance(node, Mapping)}
    return chosen(nodes, list(hosts), list(play_hosts))


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"kube_vip_hosts": kube_vip_hosts}
