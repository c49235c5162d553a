# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter etcd_client_ca."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._etcd.client_ca import Registers, find_client_ca

DOCUMENTATION = r"""
name: etcd_client_ca
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: Where a client of etcd gets the CA, and who signs its certificate
description:
  - One of the hosts that may have etcd's CA is enough to be asked, if it is known that it can be reached.
  - Of the hosts that were asked, the first with the CA certificate gives it, and the first with its key signs.
extends_documentation_fragment: [groundwork.kubernetes.hosts, groundwork.kubernetes.hosts.registered]
options:
  asked:
    description:
      - Name of the variable with what M(groundwork.kubernetes.etcd_host_info) returned of the hosts that were asked for
        O(_input), in a loop over their names. One host has registered it.
    type: str
    required: true
seealso:
  - plugin: groundwork.kubernetes.etcd_authority
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show who signs
  ansible.builtin.debug:
    msg: >-
      {{ (groups['etcd'] | groundwork.kubernetes.etcd_client_ca(hostvars, register='host', asked='answers',
          play_hosts=ansible_play_hosts_all)).signer }}
"""

RETURN = r"""
_value:
  description:
    - C(candidates) are the hosts to ask. After that, C(certificate) is the CA certificate, C(signer) the first
      host that has its key, C(answered) all that answered. They are empty as long as nobody has.
  type: dict
"""


def etcd_client_ca(hosts: Any, hostvars: Any, *, register: str, asked: str, play_hosts: Any) -> Dict[str, Any]:
    """The decision as a dictionary."""
    return find_client_ca(list(hosts), hostvars, list(play_hosts), Registers(register, asked))


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"etcd_client_ca": etcd_client_ca}
