# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module certificates_info: which certificates a host has, and which its ports serve."""

from __future__ import annotations

DOCUMENTATION = r"""
module: certificates_info
short_description: Which certificates a host has, and which its ports serve
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Reads the certificates of a control plane, of a kubelet and of a member of etcd that systemd runs, as far as the
    host has them, and the client's certificates in kubeconfigs.
  - Asks the API server, etcd, the controller manager, the scheduler and the kubelet of the host which certificate they
    show. One that differs from its file is named.
  - Only Python is needed on the host. Keys are not read.
  - With O(min_days), it fails where a certificate ends soon, cannot be read, or is not the one that is served. So it
    watches a host by M(groundwork.kubernetes.schedule).
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.full]
options:
  copies:
    description: Kubeconfigs that people use. One that is not there is left out.
    type: list
    elements: path
    default: []
  only_copies:
    description: Whether only O(copies) are read, as on the machine that runs Ansible.
    type: bool
    default: false
  etcd_pki:
    description: Folder with the certificates of a member of etcd that systemd runs.
    type: path
    default: /etc/etcd/pki
  min_days:
    description:
      - How many days each certificate must still be good. V(0) for no limit.
      - For those that a kubelet renews, or that are made anew at each start, it is at most a tenth of their time.
    type: int
    default: 0
seealso:
  - module: groundwork.kubernetes.kubeadm_certificates
  - module: groundwork.kubernetes.kubelet_renewal
"""

EXAMPLES = r"""
- name: See which certificates the host has
  groundwork.kubernetes.certificates_info:
  register: found

- name: Watch them every day
  groundwork.kubernetes.schedule:
    name: certificates
    module: certificates_info
    calendar: daily
    parameters:
      min_days: 14
"""

RETURN = r"""
certificates:
  description:
    - The certificates, each with C(name), C(kind), C(path), C(user), C(groups), C(serial), C(begins) and C(ends) in
      seconds since 1970, C(signer) for kubeadm's authority, C(authority) for the fingerprint of a kubeconfig's,
      C(issuer_key) for what the authority calls the key that it signed with, C(address) where it is served and
      C(served) with the serial number that is shown there, C(pod) with the static pod that runs with an older one, and
      C(error) with what could not be read.
    - A C(kind) is C(leaf), C(kubeconfig), C(kubelet), C(etcd), C(memory), C(copy), C(authority) or C(given).
  returned: always
  type: list
  elements: dict
  sample:
    - name: apiserver
      kind: leaf
      path: /etc/kubernetes/pki/apiserver.crt
      signer: ca
      serial: 2f1b
      user: kube-apiserver
      groups: []
      begins: 1764201600.0
      ends: 1795737600.0
      authority: ''
      issuer_key: 0f1e2d3c
      address: 192.0.2.11:6443
      served: 2f1b
      pod: ''
      error: ''
authorities:
  description: Authorities of kubeadm's whose keys are on the host.
  returned: always
  type: list
  elements: str
  sample: [ca, front-proxy-ca, etcd/ca]
"""

import time
from typing import List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.certificates import (
    Found,
    HostCertificates,
    Places,
    copies,
)

PLACES = Places()


def faults(found: List[Found], min_days: float, now: float) -> List[str]:
    """What is wrong with each certificate that is not as it must be."""
    said = []
    for one in found:
        if one.due(min_days, now):
            when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(one.ends))
            said.append(f"{one.name} {'ended' if one.ended(now) else 'ends'} at {when} ({one.path or one.address})")
        if one.pod:
            said.append(
                f"{one.pod} runs with an older certificate than {one.path}: the playbook certificates restarts it"
            )
        if one.error:
            said.append(f"{one.name} ({one.path or one.address}): {one.error}")
    return said


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "copies": {"type": "list", "elements": "path", "default": []},
            "only_copies": {"type": "bool", "default": False},
            "etcd_pki": {"type": "path", "default": "/etc/etcd/pki"},
            "min_days": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    params = module.params
    host = HostCertificates(Places(PLACES.kubernetes, PLACES.kubelet, params["etcd_pki"], PLACES.proc))
    found = copies(params["copies"])
    if not params["only_copies"]:
        found = [*host.all(), *found]
    result = {"changed": False, "certificates": [one.describe() for one in found], "authorities": host.keys()}
    said = faults(found, params["min_days"], time.time()) if params["min_days"] else []
    if said:
        module.fail_json(msg="\n".join(said), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
