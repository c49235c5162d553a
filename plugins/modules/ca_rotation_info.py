# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module ca_rotation_info: what a host has of the rotation of the cluster's authority."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ca_rotation_info
short_description: What a host has of the rotation of the cluster's authority
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Tells which authorities a host trusts as the cluster's, by which its certificates were signed, which programs run
    since before that was changed, and whether what its API server shows is good by each authority alone.
  - Only Python is needed on the host. Nothing of a key is returned.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.full]
seealso:
  - module: groundwork.kubernetes.ca_rotation
  - module: groundwork.kubernetes.ca_rotation_cluster
"""

EXAMPLES = r"""
- name: See what the host trusts
  groundwork.kubernetes.ca_rotation_info:
  register: found
"""

RETURN = r"""
state:
  description:
    - What the host has. C(role) is C(control_plane), C(worker) or C(none), C(authorities) what it trusts, C(next) the
      new authority while there is one, C(trusts) the same by kubeconfig, C(issued) by certificate what the authority
      calls the key that it signed with, C(shown) by which authorities what the API server shows is good, C(old) the
      programs that run since before, and C(errors) what could not be read. C(has_key), C(next_has_key),
      C(signs_with_next), C(signing), C(signing_file) and C(signing_running) tell with what is signed.
  returned: always
  type: dict
  sample:
    role: worker
    authorities: [{fingerprint: 0f1e2d, key_id: 4b5a69, ends: 1795737600.0, pem: "-----BEGIN CERTIFICATE-----"}]
    trusts: {/etc/kubernetes/kubelet.conf: [0f1e2d]}
    issued: {kubelet-client: 4b5a69}
    old: []
    errors: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.ca_rotation import read_state
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.certificates import (
    HostCertificates,
    Places,
)

PLACES = Places()


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    try:
        state = read_state(PLACES, HostCertificates(PLACES))
    except OSError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, state=state.describe())


if __name__ == "__main__":
    main()
