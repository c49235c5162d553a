# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter interface_of."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, Mapping

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import normal

DOCUMENTATION = r"""
name: interface_of
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The network interface that has an address
description:
  - Finds the address among the host's facts and gives the name of the interface that has it.
options:
  _input:
    description: An IP address.
    type: str
    required: true
  facts:
    description: The facts of the host, C(ansible_facts), gathered with the subset C(network).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the interface of the node's address
  ansible.builtin.debug:
    msg: "{{ '192.0.2.11' | groundwork.kubernetes.interface_of(ansible_facts) }}"
"""

RETURN = r"""
_value:
  description: The interface's name; empty where none has the address.
  type: str
  sample: eth0
"""


def _addresses(interface: Mapping[str, Any]) -> Iterator[str]:
    for family in ("ipv4", "ipv4_secondaries", "ipv6"):
        entries = interface.get(family) or []
        for entry in [entries] if isinstance(entries, Mapping) else entries:
            yield normal(str(entry.get("address", "")))


def interface_of(address: str, facts: Mapping[str, Any]) -> str:
    """The name of the interface that has an address; empty where there is none."""
    for interface in facts.values():
        if isinstance(interface, Mapping) and "device" in interface and normal(address) in _addresses(interface):
            return str(interface["device"])
    return ""


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"interface_of": interface_of}
