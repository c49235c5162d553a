# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter split_addresses."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import addresses

DOCUMENTATION = r"""
name: split_addresses
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The addresses of a variable that may hold two, in their shortest form
description:
  - Splits a text such as C(kubernetes_node_ip) at its commas.
  - Each address is given in its shortest form. What is no address, such as a DNS name, stays as it is.
options:
  _input:
    description: Addresses with commas between.
    type: str
    required: true
seealso:
  - plugin: groundwork.kubernetes.addresses
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show the node's first address
  ansible.builtin.debug:
    msg: "{{ kubernetes_node_ip | groundwork.kubernetes.split_addresses | first }}"
"""

RETURN = r"""
_value:
  description: The addresses, in their order.
  type: list
  elements: str
  sample: ['192.0.2.11', '2001:db8::11']
"""


def split_addresses(text: Any) -> List[str]:
    """The addresses in a text."""
    return addresses.split_addresses(str(text))


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"split_addresses": split_addresses}
