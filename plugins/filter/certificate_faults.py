# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter certificate_faults."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.certificates import (
    USAGES,
    CertificateError,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.certificates import (
    certificate_faults as find_faults,
)

DOCUMENTATION = r"""
name: certificate_faults
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: Everything that speaks against a certificate
description:
  - Tells whether a certificate has to be issued anew, and why, so that it is renewed in time and only then.
  - It runs on the controller. No file, key or library on the host is needed.
options:
  _input:
    description: The certificate, PEM. Empty if there is none.
    type: str
    required: true
  authority:
    description: Certificates of which one must have signed it, PEM. Empty if that does not matter.
    type: str
    default: ''
  names:
    description: Names and addresses that it must be for.
    type: list
    elements: str
    default: []
  key:
    description: State of its key, as RV(groundwork.kubernetes.etcd_host_info#module:key) tells it.
    type: str
    default: ''
  renew_days:
    description: How many days it must still be good.
    type: int
    default: 0
  usages:
    description: What it must be good for.
    type: list
    elements: str
    choices: [serverAuth, clientAuth]
    default: []
  exact:
    description: Whether it must be for no other names.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Refuse a certificate that is about to end
  ansible.builtin.assert:
    that: faults | length == 0
    fail_msg: "{{ faults | join(', ') }}"
  vars:
    certificate: "{{ lookup('ansible.builtin.file', 'server.crt') }}"
    faults: "{{ certificate | groundwork.kubernetes.certificate_faults(renew_days=30) }}"
"""

RETURN = r"""
_value:
  description: The faults as parts of a sentence. None if the certificate is good.
  type: list
  elements: str
  sample: [it ends in 12 days]
"""


def certificate_faults(
    text: Any,
    *,
    authority: str = "",
    names: Sequence[str] = (),
    key: str = "",
    renew_days: int = 0,
    usages: Sequence[str] = (),
    exact: bool = False,
) -> List[str]:
    """The faults."""
    unknown = [usage for usage in usages if usage not in USAGES]
    if unknown:
        raise AnsibleFilterError(f"certificate_faults: usages may be {', '.join(USAGES)}, not {', '.join(unknown)}")
    try:
        return find_faults(
            str(text),
            authority=str(authority),
            names=list(names),
            key=str(key),
            renew_days=float(renew_days),
            needed=list(usages),
            exact=bool(exact),
        )
    except CertificateError as error:
        raise AnsibleFilterError(f"certificate_faults: {error}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"certificate_faults": certificate_faults}
