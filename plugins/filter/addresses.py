# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Dict, List, Optional

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import (
    host_and_port,
    is_address,
    normal,
    split_addresses,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.host_variables import inventory_of
from jinja2.exceptions import UndefinedError

DOCUMENTATION = r"""
name: addresses
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The addresses at which the cluster reaches hosts
description:
  - A host's address is its variable C(kubernetes_node_ip) where the inventory sets it, of two addresses the first.
    Else it is the address of its default route, which the facts of the host tell.
  - A fact that a host returns under the name of that variable does not count, nor one that is no address.
  - Addresses are given in their shortest form, however they are written.
  - It fails for a host of which neither is known, and names it, unless O(skip_unknown).
extends_documentation_fragment: [groundwork.kubernetes.hosts]
options:
  port:
    description: Gives URLs with this port, such as V(https://192.0.2.11:2379), in place of addresses.
    type: int
  every:
    description: Gives both addresses of a host that has two, in their order.
    type: bool
    default: false
  skip_unknown:
    description:
      - Leaves out hosts whose address is not known, in place of failing.
      - So is one whose C(kubernetes_node_ip) is made of facts that were not gathered.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show where the members of etcd are reached
  ansible.builtin.debug:
    msg: "{{ groups['etcd'] | groundwork.kubernetes.addresses(hostvars) }}"
"""

RETURN = r"""
_value:
  description: The addresses, in the order of the hosts.
  type: list
  elements: str
  sample: [192.0.2.11, 192.0.2.12]
"""


def _own(host: str, hostvars: Mapping[str, Any]) -> List[str]:
    given = split_addresses(str(inventory_of(hostvars)[host].get("kubernetes_node_ip") or ""))
    if given:
        return given
    facts = hostvars[host].get("ansible_facts") or {}
    for family in ("default_ipv4", "default_ipv6"):
        fact = facts.get(family)
        address = str(fact.get("address") or "") if isinstance(fact, Mapping) else ""
        if is_address(address):
            return [normal(address)]
    raise AnsibleFilterError(
        f"The address of {host} is not known: no facts of it were gathered. "
        f"Set kubernetes_node_ip for {host}, or run without --limit while it can be reached."
    )


def addresses(
    hosts: Any, hostvars: Any, port: Optional[int] = None, *, every: bool = False, skip_unknown: bool = False
) -> List[str]:
    """The addresses of hosts, in their order, or URLs with a port there."""
    found: List[str] = []
    for host in hosts:
        try:
            found += _own(host, hostvars)[: None if every else 1]
        except (AnsibleFilterError, UndefinedError):  # noqa: PERF203  as many as there are hosts
            if not skip_unknown:
                raise
    return found if port is None else [f"https://{host_and_port(address, port)}" for address in found]


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"addresses": addresses}
