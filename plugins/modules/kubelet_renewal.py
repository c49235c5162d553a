# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module kubelet_renewal: give a kubelet new certificates that could not renew them by itself."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubelet_renewal
short_description: Give a kubelet new certificates
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - A kubelet renews its client's certificate by itself when 10 to 30 percent of its time are left. One that was off, or
    cut off, for too long does not start with an ended one. This module mends it, and restarts it if one that is near
    its end was not renewed.
  - On a control plane with the key of the cluster's authority, kubeadm issues the certificate on the spot, without the
    API. Elsewhere the kubelet asks for one with O(kubeconfig), as when it joined. Its key stays on the host in both
    cases.
  - The certificate that a kubelet serves, and has signed itself, is made anew. One that the cluster signs is left to
    M(groundwork.kubernetes.kubelet_certificates), unless O(authority) is given.
  - Afterwards the kubelet has a new certificate and runs, or the module fails.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.full]
options:
  renew_days:
    description: How many days a certificate must still be good, so that it stays; at most a tenth of its time.
    type: int
    default: 30
  authority:
    description:
      - The authority of the cluster that is to have signed the certificates, in PEM. What another one signed is
        renewed, however long it is good. Empty for any.
      - A serving certificate that the cluster signs is then asked for anew, and
        M(groundwork.kubernetes.kubelet_certificates) has to approve that. Until then the kubelet serves none.
    type: str
    default: ''
  kubeconfig:
    description:
      - Where the certificate has ended, or is of another authority than O(authority), and this is no control plane with
        the authority's key, a kubeconfig with a token for joining, such as that of
        M(groundwork.kubernetes.kubeadm_token). It is removed from the host at the end.
    type: str
  config:
    description: The configuration of kubeadm that a control plane was made with.
    type: path
    default: /etc/kubernetes/kubeadm.yaml
  timeout:
    description: Seconds that the kubelet may take.
    type: int
    default: 180
seealso:
  - module: groundwork.kubernetes.kubeadm_certificates
  - name: Certificate rotation
    description: How a kubelet renews its certificates.
    link: https://kubernetes.io/docs/tasks/tls/certificate-rotation/
"""

EXAMPLES = r"""
- name: Mend the kubelet of a worker that was off for a year
  groundwork.kubernetes.kubelet_renewal:
    kubeconfig: '{{ token.kubeconfig }}'
  no_log: true
"""

RETURN = r"""
renewed:
  description: What was renewed, or would be in check mode.
  returned: success
  type: list
  elements: str
  choices: [kubelet-client, kubelet-serving]
  sample: [kubelet-client]
seconds:
  description: How long it took.
  returned: success
  type: float
  sample: 12.5
"""

import contextlib
import os
import time
from typing import Any, Callable, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.certificate import (
    certificates,
    parse_certificate,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.der import DerError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.diff import diff_lines
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import kubeconfig
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.certificates import (
    Found,
    HostCertificates,
    Places,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.client_kubeconfig import (
    CLIENTS,
    KEY,
    KubeconfigError,
    data_of,
    issue,
    with_client,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import (
    Kubeadm,
    KubeadmError,
    remove_files,
    write_private,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.rollback import recover_kubelet

PLACES = Places()
PAUSE = 1.0
GROUP = "system:nodes"
CLIENT = "kubelet-client"
SERVING = "kubelet-serving"


class Renewal:
    """The renewal on this host."""

    def __init__(self, module: AnsibleModule) -> None:
        """Nothing is done yet."""
        self.module, self.params = module, module.params
        self.host = HostCertificates(PLACES)
        self.began = time.time()
        self.kubeconfig = kubeconfig(PLACES.kubernetes, "kubelet")
        self.bootstrap = kubeconfig(PLACES.kubernetes, "bootstrap-kubelet")
        given = certificates(self.params["authority"].encode())
        self.authority = parse_certificate(given[0]).key_id if given else ""

    def found(self) -> Dict[str, Found]:
        """The kubelet's certificates."""
        return {one.name: one for one in self.host.kubelet()}

    def due(self, found: Dict[str, Found]) -> List[str]:
        """Those that have to be renewed here."""
        return [
            name
            for name, one in found.items()
            if one.kind == "kubelet"
            and (self.foreign(one) or (one.due(self.params["renew_days"], self.began) and not _signed(one)))
        ]

    def foreign(self, one: Found) -> bool:
        """Whether it is known which authority is to have signed it, and that has not."""
        return bool(self.authority and one.signer) and one.issuer_key != self.authority

    def by_kubeadm(self, client: Found) -> None:
        """Let kubeadm issue the client's certificate, and put it where the kubelet looks for it.

        Raises:
            KubeadmError: if kubeadm fails.
            KubeconfigError: if what it issues cannot be read.
        """
        text = issue(Kubeadm(self.module, self.params["timeout"]), client.user, [GROUP], self.params["config"])
        if client.path == self.kubeconfig:
            own = (read_bytes(self.kubeconfig) or b"").decode()
            write_private(self.module, self.kubeconfig, with_client(own, text).encode())
            return
        # The kubelet writes one file for each, and a link to the last.
        pair = data_of(text, CLIENTS) + data_of(text, KEY)
        name = time.strftime("kubelet-client-%Y-%m-%d-%H-%M-%S.pem", time.localtime(self.began))
        path = os.path.join(os.path.dirname(client.path), name)
        write_private(self.module, path, pair)
        draft = f"{client.path}.new"
        remove_files([draft])
        os.symlink(path, draft)
        os.replace(draft, client.path)

    def renew_client(self, client: Found) -> None:
        """Renew the client's certificate.

        Raises:
            KubeadmError: if the kubelet has no new one afterwards.
        """
        if self.host.has_key("ca"):
            self.by_kubeadm(client)
        elif client.ended(self.began) or self.foreign(client):
            if not self.params["kubeconfig"]:
                raise KubeadmError(
                    f"The kubelet's certificate {client.path} has ended, or is of another authority. Nothing was "
                    "changed: give kubeconfig a token for joining (kubeadm_token), or run the playbook certificates"
                )
            if self.foreign(client) and client.path == self.kubeconfig:
                raise KubeadmError(
                    f"{self.kubeconfig} holds the kubelet's certificate itself, so the kubelet renews none. Nothing "
                    "was changed: take the node out and let it join again"
                )
            write_private(self.module, self.bootstrap, self.params["kubeconfig"].encode())
            if self.foreign(client):
                self.ask_anew(client)
                return
        recover_kubelet(self.module)

        self.wait(self.renewed, "has no new certificate, or does not run,")

    def renewed(self) -> bool:
        """Whether the kubelet has a new certificate as client, and runs."""
        found = self.found()
        return CLIENT not in self.due(found) and bool(found[SERVING].served)

    def ask_anew(self, client: Found) -> None:
        """Let a kubelet whose certificate is good ask for another one. It comes back if that fails.

        Raises:
            KubeadmError: if the kubelet has no new one afterwards.
        """
        aside = f"{client.path}.before"
        if os.path.lexists(client.path):
            os.replace(client.path, aside)  # a link as a rule: the file stays
        try:
            recover_kubelet(self.module)
            self.wait(self.renewed, "has no new certificate, or does not run,")
        except KubeadmError:
            if os.path.lexists(aside):
                os.replace(aside, client.path)
                remove_files([self.bootstrap])
                recover_kubelet(self.module)
            raise
        remove_files([aside])

    def ask_for_serving(self, serving: Found) -> None:
        """Let the kubelet ask for the certificate that it serves, which others approve."""
        remove_files([serving.path])
        recover_kubelet(self.module)

    def renew_serving(self, serving: Found) -> None:
        """Let the kubelet make the certificate anew that it serves.

        Raises:
            KubeadmError: if it does not show it afterwards.
        """
        remove_files([serving.path, f"{os.path.splitext(serving.path)[0]}.key"])
        recover_kubelet(self.module)

        def shown() -> bool:
            one = self.found()[SERVING]
            return one.serial not in ("", serving.serial) and one.served == one.serial

        self.wait(shown, "does not show a new certificate")

    def wait(self, done: Callable[[], bool], lacking: str) -> None:
        """Wait for the kubelet.

        Raises:
            KubeadmError: if it takes too long.
        """
        deadline = time.monotonic() + self.params["timeout"]
        while not done():
            if time.monotonic() >= deadline:
                raise KubeadmError(
                    f"The kubelet {lacking} {self.params['timeout']} seconds after it was restarted: see "
                    "'journalctl -u kubelet', and whether its configuration has rotateCertificates and the API server "
                    "answers. Then run this again"
                )
            time.sleep(PAUSE)

    def run(self) -> Dict[str, Any]:
        """Compare, then renew."""
        found = self.found()
        due = self.due(found)
        if not self.module.check_mode:
            try:
                if CLIENT in due:
                    self.renew_client(found[CLIENT])
            finally:
                if self.params["kubeconfig"]:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(self.bootstrap)
            if SERVING in due and _signed(found[SERVING]):
                self.ask_for_serving(found[SERVING])
            elif SERVING in due:
                self.renew_serving(found[SERVING])
        result: Dict[str, Any] = {"changed": bool(due), "renewed": due, "seconds": round(time.time() - self.began, 1)}
        if self.module._diff:
            result["diff"] = [change for name in due for change in self.diff(found[name])]
        return result

    def diff(self, one: Found) -> List[Dict[str, Any]]:
        """A certificate that is renewed; that of the client is the one that the kubeconfig names."""
        title = self.kubeconfig if one.name == CLIENT else one.path
        ends = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(one.ends))
        return diff_lines(title, [f"{one.name}: until {ends}"], [f"{one.name}: renewed"])


def _signed(one: Found) -> bool:
    """Whether it is a serving certificate of the cluster's, which is asked for and approved."""
    return one.name == SERVING and one.signer != ""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "renew_days": {"type": "int", "default": 30},
            "authority": {"type": "str", "default": ""},
            "kubeconfig": {"type": "str", "no_log": True},
            "config": {"type": "path", "default": "/etc/kubernetes/kubeadm.yaml"},
            "timeout": {"type": "int", "default": 180},
        },
        supports_check_mode=True,
    )
    try:
        result = Renewal(module).run()
    except (KubeadmError, KubeconfigError, DerError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
