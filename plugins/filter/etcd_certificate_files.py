# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter etcd_certificate_files."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._etcd.certificate_files import files_of

DOCUMENTATION = r"""
name: etcd_certificate_files
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The files of etcd's PKI that are written on a host
description:
  - Gives keys and certificates of a member, and the CAs' files that it lacks or is not to have, in the form that
    M(groundwork.kubernetes.files) wants.
options:
  _input:
    description: What P(groundwork.kubernetes.etcd_authority#filter) returned, as C(ca) and C(peer-ca).
    type: dict
    required: true
  host:
    description: The host's name in the inventory.
    type: str
    required: true
  read:
    description: The results of M(ansible.builtin.slurp) in a loop over the CAs' files that the authorities name.
    type: list
    elements: dict
    required: true
  issued:
    description: What P(groundwork.kubernetes.etcd_issued#filter) gave for the host.
    type: list
    elements: dict
    required: true
  exposed:
    description: Names of certificates whose keys get their mode and owner.
    type: list
    elements: str
    required: true
  folder:
    description: Folder of the certificates on the host.
    type: str
    required: true
  user:
    description: The account that etcd runs as.
    type: str
    required: true
seealso:
  - plugin: groundwork.kubernetes.etcd_certificates
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Name the files that a host would get
  ansible.builtin.debug:
    msg: >-
      {{ {'ca': ca, 'peer-ca': peer_ca} | groundwork.kubernetes.etcd_certificate_files(inventory_hostname, read=[],
         issued=[], exposed=[], folder='/etc/etcd/pki', user='etcd') | map(attribute='path') }}
"""

RETURN = r"""
_value:
  description: The files. Some of them are secrets.
  type: list
  elements: dict
"""


def etcd_certificate_files(
    authorities: Mapping[str, Mapping[str, Any]],
    host: str,
    *,
    read: Any,
    issued: Any,
    exposed: Any,
    folder: str,
    user: str,
) -> List[Dict[str, Any]]:
    """The files."""
    try:
        return files_of(
            str(host), authorities, list(read), list(issued), list(exposed), folder=str(folder), user=str(user)
        )
    except (KeyError, TypeError, ValueError) as error:
        # A value could be a key.
        raise AnsibleFilterError(f"etcd_certificate_files: {type(error).__name__}: something was not read") from None


class FilterModule:
    """The filters of this file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name and function of each."""
        return {"etcd_certificate_files": etcd_certificate_files}
