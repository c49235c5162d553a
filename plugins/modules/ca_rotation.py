# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module ca_rotation: one stage of the rotation of the cluster's authority on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ca_rotation
short_description: A stage of the rotation of the cluster's authority on a host
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Does one stage of the rotation on the host, and nothing that is done already. A run that was killed is run again.
  - It does not look at other hosts. That all of them have done a stage before the next one begins is seen to by the
    playbook C(groundwork.kubernetes.rotate_ca).
  - Static pods that have to be started again are named, and left to M(groundwork.kubernetes.static_pods). The kubelet
    is restarted.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.no_diff]
options:
  stage:
    description:
      - V(create) lets kubeadm make a new authority in C(/etc/kubernetes/pki/rotation). Nothing uses it yet.
      - V(trust) adds it to C(/etc/kubernetes/pki/ca.crt) and to the kubeconfigs of kubeadm's. On a control plane the
        controller manager signs with a file of its own before, since that may not hold two certificates.
      - V(issue) is for control planes. It signs with the new authority from now on, and lets kubeadm issue what the
        other one has signed. The kubelet's certificate is left to M(groundwork.kubernetes.kubelet_renewal).
      - V(drop) leaves only the new one, and lets the controller manager sign with C(ca.crt) again. The folder
        C(rotation) stays, since it tells that the host is not done.
    type: str
    choices: [create, trust, issue, drop]
    required: true
  authority:
    description: The certificate of the new authority, in PEM. Needed for all but O(stage=create).
    type: str
  config:
    description: The configuration of kubeadm that the control plane was made with.
    type: path
    default: /etc/kubernetes/kubeadm.yaml
  timeout:
    description: Seconds that kubeadm, the controller manager or the kubelet may take.
    type: int
    default: 180
seealso:
  - module: groundwork.kubernetes.ca_rotation_info
  - name: Manual rotation of CA certificates
    description: The rules of Kubernetes.
    link: https://kubernetes.io/docs/tasks/tls/manual-rotation-of-ca-certificates/
"""

EXAMPLES = r"""
- name: Trust the new authority beside the old one
  groundwork.kubernetes.ca_rotation:
    stage: trust
    authority: '{{ new }}'
  register: trusted
"""

RETURN = r"""
done:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [/etc/kubernetes/pki/ca.crt, kubelet]
stale:
  description: Static pods that have to be restarted, since they run with what was there before.
  returned: success
  type: list
  elements: str
  sample: [kube-apiserver, kube-controller-manager, kube-scheduler]
authority:
  description: The certificate of the new authority.
  returned: with O(stage=create)
  type: str
  sample: "-----BEGIN CERTIFICATE-----"
seconds:
  description: How long it took.
  returned: success
  type: float
  sample: 12.5
"""

import os
import re
import time
from typing import Any, Callable, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.der import DerError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import apply_file, plan_file, read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import probe
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import manifest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.ca_rotation import (
    MANAGER,
    SIGNING,
    Authority,
    Files,
    joined,
    old_programs,
    read_authorities,
    read_state,
    signing_running,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.certificates import (
    HostCertificates,
    Places,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.client_kubeconfig import with_authorities
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import (
    Kubeadm,
    KubeadmError,
    private_file,
    remove_files,
    write_private,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.rollback import recover_kubelet
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.static_pods import answer

PLACES = Places()
PAUSE = 1.0


def with_folder(config: str, folder: str) -> str:
    """kubeadm's configuration with another folder for certificates.

    Raises:
        KubeadmError: if it has no ClusterConfiguration in the form in which this collection writes it.
    """
    documents = re.split(r"(?m)^---[ \t]*\n", config)
    for number, text in enumerate(documents):
        if re.search(r"(?m)^kind: ClusterConfiguration\s*$", text):
            kept = re.sub(r"(?m)^certificatesDir:.*\n?", "", text)
            documents[number] = f"{kept.rstrip()}\ncertificatesDir: {folder}\n"
            return "---\n".join(documents)
    raise KubeadmError("kubeadm's configuration has no ClusterConfiguration, so no authority is made by it")


class Rotation:
    """The rotation on this host."""

    def __init__(self, module: AnsibleModule) -> None:
        """Nothing is done yet."""
        self.module, self.params = module, module.params
        self.files = Files(PLACES.kubernetes)
        self.host = HostCertificates(PLACES)
        self.plane = os.path.exists(manifest(PLACES.kubernetes, "kube-apiserver"))
        self.done: List[str] = []

    def write(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Give a file this content, unless it has it."""
        change = plan_file(path, content)
        if change.changed:
            self.done.append(path)
            if not self.module.check_mode:
                apply_file(self.module, change, mode)

    def create(self) -> str:
        """Let kubeadm make a new authority; gives its certificate.

        Raises:
            KubeadmError: if kubeadm makes none, or one that cannot be told from others.
        """
        certificate, key = self.files.next
        if not (os.path.exists(certificate) and os.path.exists(key)):
            self.done.append(certificate)
            if self.module.check_mode:
                return ""
            os.makedirs(self.files.folder, 0o700, exist_ok=True)
            # Half of a pair, which a run that was killed has left, was used by nobody.
            remove_files([certificate, key])
            text = with_folder((read_bytes(self.params["config"]) or b"").decode(), self.files.folder)
            with private_file(self.module, text) as path:
                Kubeadm(self.module, self.params["timeout"]).run("init", "phase", "certs", "ca", f"--config={path}")
        found = read_authorities(read_bytes(certificate) or b"")
        if len(found) != 1 or not found[0].key_id:
            raise KubeadmError(
                f"{certificate} is not one authority whose certificate names its key, so what it signs could not be "
                f"told from what others signed. Nothing uses it: remove {self.files.folder}, and use a newer kubeadm"
            )
        return found[0].pem

    def sign_with(self, path: str) -> None:
        """Let the controller manager sign with the certificate in a file, and wait until it does.

        Raises:
            KubeadmError: if its manifest is not kubeadm's, or it does not run with that.
        """
        text = (read_bytes(self.files.manager) or b"").decode()
        known = (self.files.authority[0], self.files.signing)
        given = SIGNING.findall(text)
        if len(given) != 1 or given[0] not in known:
            raise KubeadmError(
                f"{self.files.manager} has --cluster-signing-cert-file {' and '.join(given) or 'nowhere'}, and kubeadm "
                f"writes {known[0]}. Another authority signs there: rotate it by hand"
            )
        if given[0] != path:
            self.done.append(self.files.manager)
            if not self.module.check_mode:
                write_private(self.module, self.files.manager, SIGNING.sub(path, text).encode())
        asked = probe(text)

        def lacking() -> str:
            running = signing_running(PLACES.proc)
            if running != [path]:
                return f"{MANAGER} does not run with --cluster-signing-cert-file={path}"
            reason = answer(asked) if asked else ""
            return f"{MANAGER} runs, but {reason}" if reason else ""

        self.wait(lacking)

    def wait(self, lacking: Callable[[], str]) -> None:
        """Wait until nothing is lacking.

        Raises:
            KubeadmError: if it takes too long.
        """
        deadline = time.monotonic() + self.params["timeout"]
        while not self.module.check_mode:
            reason = lacking()
            if not reason:
                return
            if time.monotonic() >= deadline:
                raise KubeadmError(
                    f"{reason}, {self.params['timeout']} seconds after it was changed: see 'journalctl -u kubelet' and "
                    "'crictl ps -a'. Then run the playbook again: it goes on"
                )
            time.sleep(PAUSE)

    def trusting(self, authorities: List[Authority]) -> None:
        """Let the kubeconfigs of kubeadm's trust these authorities."""
        for path in self.files.kubeconfigs():
            text = (read_bytes(path) or b"").decode()
            self.write(path, with_authorities(text, joined(authorities)).encode(), 0o600)

    def trust(self, new: Authority) -> None:
        """Trust the new authority beside the old one."""
        trusted = read_authorities(read_bytes(self.files.authority[0]) or b"")
        if self.plane and trusted[0].fingerprint != new.fingerprint:
            # Before the authority's file gets a second certificate, with which nothing could be signed.
            self.write(self.files.signing, trusted[0].pem.encode())
            self.sign_with(self.files.signing)
        wanted = trusted if new.fingerprint in [one.fingerprint for one in trusted] else [*trusted, new]
        self.trusting(wanted)
        self.write(self.files.authority[0], joined(wanted))

    def issue(self, new: Authority) -> None:
        """Sign with the new authority, and let kubeadm issue anew what the old one has signed.

        Raises:
            KubeadmError: if kubeadm does not.
        """
        trusted = read_authorities(read_bytes(self.files.authority[0]) or b"")
        wanted = [new, *(one for one in trusted if one.fingerprint != new.fingerprint)]
        key = read_bytes(self.files.next[1])
        if key is None:
            raise KubeadmError(f"{self.files.next[1]} is missing, so nothing can be issued. Run the stage trust again")
        self.write(self.files.authority[1], key, 0o600)
        self.write(self.files.authority[0], joined(wanted))
        self.write(self.files.signing, new.pem.encode())
        old = [one for one in self.host.control_plane() if one.signer == "ca" and one.kind in ("leaf", "kubeconfig")]
        kubeadm: Optional[Kubeadm] = None
        for one in old:
            if one.issuer_key != new.key_id:
                self.done.append(one.path)
                if not self.module.check_mode:
                    kubeadm = kubeadm or Kubeadm(self.module, self.params["timeout"])
                    kubeadm.run("certs", "renew", one.name, f"--config={self.params['config']}")
        # kubeadm lets a kubeconfig that it renews trust the first authority alone.
        self.trusting(wanted)

    def drop(self, new: Authority) -> None:
        """Trust the new authority alone."""
        self.trusting([new])
        self.write(self.files.authority[0], joined([new]))
        if self.plane:
            self.sign_with(self.files.authority[0])

    def restart_kubelet(self) -> None:
        """Restart the kubelet if it was started before what it reads was changed, and wait until it answers.

        Raises:
            KubeadmError: if it does not.
        """
        if self.module.check_mode:
            self.done += ["kubelet"] if self.files.authority[0] in self.done else []
            return
        if "kubelet" not in old_programs(self.files, PLACES.proc):
            return
        self.done.append("kubelet")
        recover_kubelet(self.module)

        def lacking() -> str:
            served = [one.served for one in self.host.kubelet() if one.name == "kubelet-serving"]
            return "" if all(served) else "The kubelet does not answer at its port"

        self.wait(lacking)

    def run(self) -> Dict[str, Any]:
        """Do the stage."""
        stage, began = self.params["stage"], time.monotonic()
        result: Dict[str, Any] = {"stale": []}
        if stage == "create":
            result["authority"] = self.create()
        else:
            new = read_authorities((self.params["authority"] or "").encode())
            if len(new) != 1:
                raise KubeadmError("authority is not one certificate in PEM. Nothing was changed")
            state = read_state(PLACES, self.host, lambda _found, _authority: False)
            if state.role == "none" or not state.authorities or state.errors:
                raise KubeadmError("; ".join(["Nothing was changed", *(state.errors or ["this host is no node"])]))
            {"trust": self.trust, "issue": self.issue, "drop": self.drop}[stage](new[0])
            self.restart_kubelet()
            result["stale"] = [name for name in self.old() if name != "kubelet"]
        seconds = round(time.monotonic() - began, 1)
        return {"changed": bool(self.done), "done": self.done, "seconds": seconds, **result}

    def old(self) -> List[str]:
        """The programs that run with what was there before, or would in check mode."""
        found = old_programs(self.files, PLACES.proc)
        if self.module.check_mode:
            found += [name for name, read in self.files.readers().items() if set(read) & set(self.done)]
        here = [name for name in found if os.path.exists(manifest(PLACES.kubernetes, name))]
        return sorted(set(here))


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "stage": {"type": "str", "choices": ["create", "trust", "issue", "drop"], "required": True},
            "authority": {"type": "str"},
            "config": {"type": "path", "default": "/etc/kubernetes/kubeadm.yaml"},
            "timeout": {"type": "int", "default": 180},
        },
        supports_check_mode=True,
    )
    try:
        result = Rotation(module).run()
    except (KubeadmError, DerError, OSError, UnicodeDecodeError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
