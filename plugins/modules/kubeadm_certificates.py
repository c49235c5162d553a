# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module kubeadm_certificates: renew what is near its end on a control plane, and tell what runs with old ones."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_certificates
short_description: Renew the certificates of a control plane that are near their end
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Lets C(kubeadm certs renew) issue the certificates and kubeconfigs anew of which less than O(renew_days) are left,
    and no others. It works while the API server does not answer, too.
  - Then it asks the ports, and names in RV(stale) the static pods that have to be restarted, for
    M(groundwork.kubernetes.static_pods). The API server and etcd read new files by themselves, so these are named only
    if they still show the old certificate after O(reload_timeout).
  - The controller manager and the scheduler are named if they were started before their kubeconfig was written, as they
    read it only then, and if the certificate that they make for themselves at their start is near its end.
  - What an earlier run has renewed and nobody has restarted, is named again.
  - Run it on one control plane after the other, with M(groundwork.kubernetes.etcd_guard) between.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.no_diff]
options:
  renew_days:
    description: How many days a certificate must still be good, so that it stays.
    type: int
    default: 30
  files_only:
    description:
      - Whether only what has ended already is renewed, and nothing is awaited. It serves nobody, so this
        can be done on all control planes at once.
    type: bool
    default: false
  config:
    description:
      - The configuration of kubeadm that the control plane was made with. Without that file kubeadm asks the cluster.
    type: path
    default: /etc/kubernetes/kubeadm.yaml
  reload_timeout:
    description:
      - Seconds in which the API server and etcd may read a new certificate by themselves. The API server looks once a
        minute.
    type: int
    default: 90
  timeout:
    description: Seconds that a call of kubeadm may take.
    type: int
    default: 180
seealso:
  - module: groundwork.kubernetes.certificates_info
  - module: groundwork.kubernetes.kubelet_renewal
  - name: kubeadm certs
    description: What renews them.
    link: https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-certs/
"""

EXAMPLES = r"""
- name: Renew what ends within a month
  groundwork.kubernetes.kubeadm_certificates:
    renew_days: 30
  register: renewal

- name: Restart what still runs with an old one
  groundwork.kubernetes.static_pods:
    names: '{{ renewal.stale }}'
    state: restarted
  when: renewal.stale | length > 0
"""

RETURN = r"""
renewed:
  description: What kubeadm issued anew, or would in check mode, by kubeadm's names.
  returned: success
  type: list
  elements: str
  sample: [apiserver, admin.conf]
stale:
  description: The static pods that run with an old certificate, in check mode as far as that is known before.
  returned: success
  type: list
  elements: str
  sample: [kube-controller-manager, kube-scheduler]
seconds:
  description: How long it took.
  returned: success
  type: float
  sample: 12.5
"""

import os
import time
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.certificates import (
    READERS,
    Found,
    HostCertificates,
    Places,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.client_kubeconfig import (
    keeping_authorities,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import (
    Kubeadm,
    KubeadmError,
    write_private,
)

PLACES = Places()
PAUSE = 2.0
BY_KUBEADM = ("leaf", "kubeconfig")


def read_text(path: str) -> str:
    """A file's text; empty if it is not there."""
    return (read_bytes(path) or b"").decode("utf-8", "replace")


class Renewal:
    """The renewal on this host."""

    def __init__(self, module: AnsibleModule) -> None:
        """Nothing is done yet."""
        self.module, self.params = module, module.params
        self.host = HostCertificates(PLACES)
        self.began = time.time()

    def due(self, found: List[Found]) -> List[Found]:
        """What kubeadm has to issue anew."""
        days = 0 if self.params["files_only"] else self.params["renew_days"]
        return [one for one in found if one.kind in BY_KUBEADM and one.due(days, self.began)]

    def renew(self, due: List[Found]) -> None:
        """Let kubeadm issue them.

        Raises:
            KubeadmError: if it does not, or what it issues ends too soon.
        """
        lacking = sorted({one.signer for one in due if not self.host.has_key(one.signer)})
        if lacking:
            raise KubeadmError(
                f"The keys of {', '.join(lacking)} are not in {PLACES.kubernetes}/pki, so {_names(due)} cannot be "
                "issued here. Nothing was changed: see docs/certificates.md, 'An external authority'"
            )
        kubeadm = Kubeadm(self.module, self.params["timeout"])
        config = [f"--config={self.params['config']}"] if os.path.exists(self.params["config"]) else []
        for one in due:
            before = read_text(one.path)
            kubeadm.run("certs", "renew", one.name, *config)
            after = read_text(one.path)
            kept = keeping_authorities(before, after)
            if one.kind == "kubeconfig" and kept != after:
                write_private(self.module, one.path, kept.encode())
        left = self.due([one for one in self.host.control_plane() if one.name in {old.name for old in due}])
        if left:
            raise KubeadmError(
                f"{_names(left)} of kubeadm's hold for less than renew_days ({self.params['renew_days']}), so each run "
                "would renew them: set a smaller renew_days, or see whether the authority itself is near its end"
            )

    def settle(self) -> List[str]:
        """The static pods that have to be restarted, after the API server and etcd had time to read their files."""
        deadline = time.monotonic() + self.params["reload_timeout"]
        found = self.host.control_plane()
        while any(one.pod and one.served for one in found) and time.monotonic() < deadline:
            time.sleep(PAUSE)
            found = self.host.control_plane()
        return self.pods(found)

    def pods(self, found: List[Found]) -> List[str]:
        """The static pods that have to be restarted."""
        aged = [one.name for one in found if one.kind == "memory" and one.due(self.params["renew_days"], self.began)]
        return sorted({*(one.pod for one in found if one.pod), *aged})

    def run(self) -> Dict[str, Any]:
        """Compare, renew, restart."""
        found = self.host.control_plane()
        due = self.due(found)
        if due and not self.module.check_mode:
            self.renew(due)
        stale: List[str] = []
        if not self.params["files_only"] and self.module.check_mode:
            readers = [pod for name, pod in READERS.items() if any(one.name == f"{name}.conf" for one in due)]
            stale = sorted({*self.pods(found), *readers})
        elif not self.params["files_only"]:
            stale = self.settle()
        return {
            "changed": bool(due),
            "renewed": [one.name for one in due],
            "stale": stale,
            "seconds": round(time.time() - self.began, 1),
        }


def _names(found: List[Found]) -> str:
    return ", ".join(one.name for one in found)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "renew_days": {"type": "int", "default": 30},
            "files_only": {"type": "bool", "default": False},
            "config": {"type": "path", "default": "/etc/kubernetes/kubeadm.yaml"},
            "reload_timeout": {"type": "int", "default": 90},
            "timeout": {"type": "int", "default": 180},
        },
        supports_check_mode=True,
    )
    try:
        result = Renewal(module).run()
    except (KubeadmError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
