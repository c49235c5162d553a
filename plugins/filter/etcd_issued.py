# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter etcd_issued."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._etcd.certificate_files import issued

DOCUMENTATION = r"""
name: etcd_issued
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: Certificates that were signed, each with its key
description:
  - Puts together what a loop over names has made as keys, and loops over requests have signed.
options:
  _input:
    description: The results of M(community.crypto.openssl_privatekey_pipe).
    type: list
    elements: dict
    required: true
  signed:
    description: The results of M(community.crypto.x509_certificate_pipe). Those without a certificate are left out.
    type: list
    elements: dict
    required: true
seealso:
  - plugin: groundwork.kubernetes.etcd_certificate_files
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Name what was issued
  ansible.builtin.debug:
    msg: "{{ keys.results | groundwork.kubernetes.etcd_issued(signed.results) | map(attribute='name') }}"
"""

RETURN = r"""
_value:
  description: C(name), C(key) and C(certificate) of each. The keys are secrets.
  type: list
  elements: dict
"""


def etcd_issued(keys: Any, signed: Any) -> List[Dict[str, str]]:
    """Certificates with their keys."""
    try:
        return issued(list(keys), list(signed))
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(f"etcd_issued needs results of loops over the same certificates: {error!r}") from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name and function of each."""
        return {"etcd_issued": etcd_issued}
