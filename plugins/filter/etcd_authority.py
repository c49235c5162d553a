# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter etcd_authority."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Dict, Mapping, Optional

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._etcd.membership_plan import reported
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.certificates import (
    Request,
    plan_authority,
    plan_peers,
)

DOCUMENTATION = r"""
name: etcd_authority
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: Which CA signs the certificates of an etcd cluster
description:
  - The user's CA if one is given, else the one that the hosts have, else one that is made on one of them.
  - A CA certificate without a key means that the user brings all certificates.
  - With O(peers), the CA of the members among themselves. It is another one than that of the clients, unless members
    have begun without, or only O(certificate) is given.
extends_documentation_fragment: [groundwork.kubernetes.hosts, groundwork.kubernetes.hosts.registered]
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
  holders:
    description: Hosts that keep the key of a CA that is made. All of them when not given.
    type: list
    elements: str
  peers:
    description: The user's CA certificates and key for the members among themselves, C(certificate) and C(key).
    type: dict
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
    - C(mode) is C(own), C(given), C(provided), or C(shared) where peers use the clients'. C(certificate) is what
      members trust, C(issuer) the certificate of a given key. C(maker) makes a CA because of C(reason), C(holder) has
      its key, C(lacking) are hosts without the certificate. C(keyless) are hosts that are to have the key and do not,
      C(surplus) those that have it and are not to. C(signer) is the host that signs, C(reads) what others are given.
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
    holders: Any = None,
    peers: Optional[Mapping[str, Any]] = None,
) -> Dict[str, Any]:
    """The decision as a dictionary."""
    names = list(hosts)
    infos = reported(names, hostvars, play_hosts, register, "ca_key")
    request = Request(
        str(certificate),
        str(key),
        renew_days=float(renew_days),
        complete=len(infos) == len(names),
        holders=names if holders is None else list(holders),
    )
    clients = plan_authority(infos, request)
    if peers is None:
        return clients.describe()
    of_peers = replace(
        request, certificate=str(peers.get("certificate") or ""), key=str(peers.get("key") or ""), peers=True
    )
    return plan_peers(infos, of_peers, clients).describe()


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"etcd_authority": etcd_authority}
