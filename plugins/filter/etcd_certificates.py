# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter etcd_certificates."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._etcd.member_certificates import (
    Host,
    plan_certificates,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.certificates import CertificateError

DOCUMENTATION = r"""
name: etcd_certificates
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: Which certificates the host of an etcd member needs, and who signs them
description:
  - Judges the certificates that a host has, one for clients and one for other members, and what else of the CAs' files
    changes on it.
  - A certificate that the user brings is never issued. Where it is not good, the host is refused.
options:
  _input:
    description: What M(groundwork.kubernetes.etcd_host_info) returned of the host.
    type: dict
    required: true
  host:
    description: The host's name in the inventory.
    type: str
    required: true
  authorities:
    description:
      - What P(groundwork.kubernetes.etcd_authority#filter) returned, as C(ca) for clients and as C(peer-ca) for the
        members among themselves.
    type: dict
    required: true
  common_name:
    description: Common name of the certificates.
    type: str
    required: true
  names:
    description: Names and addresses that certificates are issued for.
    type: list
    elements: str
    required: true
  addresses:
    description: Addresses that a certificate of the user's must be for.
    type: list
    elements: str
    required: true
  folder:
    description: Folder of the certificates on the host.
    type: str
    required: true
  renew_days:
    description: How many days a certificate must still be good.
    type: int
    default: 30
seealso:
  - plugin: groundwork.kubernetes.certificate_faults
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show what would be issued
  ansible.builtin.debug:
    msg: >-
      {{ (host | groundwork.kubernetes.etcd_certificates(inventory_hostname, {'ca': ca, 'peer-ca': peer_ca},
          common_name='etcd-1', names=['etcd-1', '192.0.2.11'], addresses=['192.0.2.11'],
          folder='/etc/etcd/pki')).changes }}
"""

RETURN = r"""
_value:
  description:
    - C(due) says whether there is something to do, and C(changes) what, in words. C(requests) are the certificates to
      issue, each with its C(signer), which is empty where the user's key signs, and C(names) as OpenSSL takes them.
      C(exposed) are certificates whose key gets its mode and owner, C(trusted) the CA certificates that are written.
    - C(faults) are those of each certificate, by its name, C(refused) what the user has to put right first.
  type: dict
"""


def etcd_certificates(
    info: Mapping[str, Any],
    host: str,
    authorities: Mapping[str, Mapping[str, Any]],
    *,
    common_name: str,
    names: Any,
    addresses: Any,
    folder: str,
    renew_days: int = 30,
) -> Dict[str, Any]:
    """The decision as a dictionary."""
    own = Host(
        str(host),
        info,
        str(common_name),
        [str(name) for name in names],
        [str(address) for address in addresses],
        str(folder),
        float(renew_days),
    )
    try:
        return plan_certificates(own, authorities)
    except CertificateError as error:
        raise AnsibleFilterError(f"etcd_certificates: {error}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"etcd_certificates": etcd_certificates}
