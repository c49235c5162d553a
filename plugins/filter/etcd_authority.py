# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter etcd_authority."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils.certificates import plan_authority
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils.etcd_plan import told

DOCUMENTATION = r"""
name: etcd_authority
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: Which CA signs the certificates of an etcd cluster
description:
  - The user's CA if one is given, else the one that the hosts have, else one that is made on one of them.
  - A CA certificate without a key means that the user brings all certificates.
extends_documentation_fragment: [groundwork.kubernetes.hosts, groundwork.kubernetes.hosts.told]
options:
  certificate:
    description: The user's CA certificates, PEM. May be empty.
    type: str
    default: ''
  key:
    description: The private key of one of them, PEM. May be empty.
    type: str
    default: ''
  renew_days:
    description: How many days the CA must still be good.
    type: int
    default: 365
"""

EXAMPLES = r"""
- name: Show where certificates are signed
  ansible.builtin.debug:
    msg: >-
      {{ groups['etcd']
         | groundwork.kubernetes.etcd_authority(hostvars, register='host', play_hosts=ansible_play_hosts_all) }}
"""

RETURN = r"""
_value:
  description:
    - C(mode) is C(own), C(given) or C(provided). C(certificate) is what members trust, C(issuer) the certificate of a
      given key. C(maker) makes a CA because of C(reason), C(holder) has its key, C(lacking) are hosts without it.
    - C(faults) is what must be settled first.
  type: dict
"""


def etcd_authority(
    hosts: Any,
    hostvars: Any,
    *,
    register: str,
    play_hosts: Any,
    certificate: str = "",
    key: str = "",
    renew_days: int = 365,
) -> Dict[str, Any]:
    """The decision as a dictionary."""
    names = list(hosts)
    infos = told(names, hostvars, play_hosts, register, "ca_key")
    complete = len(infos) == len(names)
    return plan_authority(
        infos, certificate=str(certificate), key=str(key), renew_days=float(renew_days), complete=complete
    ).describe()


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"etcd_authority": etcd_authority}
