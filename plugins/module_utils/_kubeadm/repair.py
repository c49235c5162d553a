# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes good on a node what it has lost, by the configuration that was applied, and proves it or puts back what was."""

from __future__ import annotations

import base64
import json
import os
from functools import partial
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import Kubectl, KubectlError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.certificate import (
    certificates,
    parse_certificate,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import (
    AUTHORITY,
    COMPONENTS,
    ETCD,
    KUBELET_CERTIFICATE,
    kubeconfig,
    manifest,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import kubeadm, losses
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.certificates import FILES, READERS
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.client_kubeconfig import issue
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.container_exits import StaticPod
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.control_plane import ControlPlane
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import Kubeadm, KubeadmError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubelet_configuration import (
    kubelet_patches,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.losses import Loss
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.node_losses import (
    NodeLosses,
    text_of,
    written_manifests,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.rollback import (
    Kubelet,
    recover_kubelet,
    undone_on_failure,
    wait_for,
)

# By kubeadm's name of the group of administrators: from 1.29 on their rights are an object like any other.
ADMINISTRATORS = "kubeadm:cluster-admins"
RIGHTS: Dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "List",
    "items": [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "cluster-admin"},
            "rules": [
                {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
                {"nonResourceURLs": ["*"], "verbs": ["*"]},
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": ADMINISTRATORS},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": ADMINISTRATORS}],
        },
    ],
}
HELPER = "groundwork:repair"
KUBECONFIG = """apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {authority}
    server: {server}
  name: kubernetes
contexts:
- context:
    cluster: kubernetes
    user: {user}
  name: {user}@kubernetes
current-context: {user}@kubernetes
kind: Config
preferences: {{}}
users:
- name: {user}
  user:
    client-certificate: {certificate}
    client-key: {certificate}
"""


class Repair:
    """What this host has lost, and how it is made good."""

    def __init__(self, module: AnsibleModule) -> None:
        """Read what is lost; nothing is changed.

        Raises:
            KubeadmError: if that cannot be read.
        """
        self.module, self.params = module, module.params
        data = self.params["etcd_data_dir"] or ""
        self.state = kubeadm.settled_state(module, kubeadm.FOLDER, self.params["timeout"], data)
        self.node = NodeLosses(module, self.state, data)
        self.todo = self._read()

    def _read(self) -> List[Loss]:
        # An unfinished run of kubeadm is taken up by what has begun it.
        kinds = (losses.ENDED, losses.UNFINISHED)
        found = [loss for loss in self.node.all() if loss.by == losses.SITE and loss.kind not in kinds]
        # A check does not bring an authority's key that a run has brought by now.
        return [loss for loss in found if self.module.check_mode or not loss.needs]

    @property
    def paths(self) -> List[str]:
        """What is made good."""
        return [loss.path for loss in self.todo]

    @property
    def control_plane(self) -> ControlPlane:
        """The control plane on this host."""
        config = self.node.kubelet_config(self._kubelet().config)
        return ControlPlane(self.module, self.node.config, self.node.node, self.params["timeout"], config)

    @property
    def restart(self) -> List[str]:
        """Static pods that read a kubeconfig which is made again, and only when they start."""
        written = [kubeconfig(kubeadm.FOLDER, name) for name in READERS]
        pods = [pod for path, pod in zip(written, READERS.values()) if path in self.paths]
        return [pod for pod in pods if manifest(kubeadm.FOLDER, pod) not in self.paths]

    def run(self) -> None:
        """Make it good.

        Raises:
            KubeadmError: if something is not well afterwards; what can be put back is.
        """
        rights = self._of(losses.RIGHTS)
        if rights:
            self._rights()
            # Without them not everything could be read.
            self.todo = [*rights, *self._read()]
        if self.node.is_control_plane:
            self._certificates()
            self._files()
            self._manifests()
        elif kubeconfig(kubeadm.FOLDER, "kubelet") in self.paths:
            self._kubelet_kubeconfig()
        kubelet = self._kubelet()
        if {kubelet.config, kubelet.arguments} & set(self.paths):
            self._configure_kubelet(kubelet)

    def _of(self, kind: str, *paths: str) -> List[Loss]:
        return [loss for loss in self.todo if loss.kind == kind and (not paths or loss.path in paths)]

    def _certificates(self) -> None:
        """Let kubeadm issue again what is missing or of no use; programs read such files by themselves."""
        for name, (file, _authority) in FILES.items():
            pair = [os.path.join(self.node.pki, f"{file}.{suffix}") for suffix in ("crt", "key")]
            if set(pair) & set(self.paths):
                with undone_on_failure(self.module, pair, lambda: None):
                    kubeadm.remove_files(pair)
                    self.control_plane.phase("certs", name)

    def _files(self) -> None:
        """Let kubeadm write kubeconfigs and manifests that are missing, and kubeconfigs that are of no use."""
        useless = [loss.path for loss in self._of(losses.UNUSABLE) if loss.path.endswith(".conf")]
        files = [path for path in self.paths if path in self.state.missing or path in useless]
        if files:
            with undone_on_failure(self.module, useless, lambda: None):
                kubeadm.remove_files(useless)
                self.control_plane.mend(files)

    def _manifests(self) -> None:
        """Let kubeadm write what was altered."""
        path = manifest(kubeadm.FOLDER, ETCD)
        if self._of(losses.ALTERED, path):
            written = written_manifests(self.module, self.node.config, with_etcd=True)[ETCD]
            with undone_on_failure(self.module, [path], lambda: None):
                kubeadm.write_private(self.module, path, losses.with_joined(text_of(path), written).encode())
                pod = StaticPod(ETCD, self.node.node)
                wait_for(
                    partial(self.control_plane.answers, ETCD), "etcd was written again, and does not answer", pod.log
                )
        if self._of(losses.ALTERED, *(manifest(kubeadm.FOLDER, name) for name in COMPONENTS)):
            self.control_plane.write_manifests()

    def _kubelet(self) -> Kubelet:
        name = "admin" if self.node.is_control_plane else "kubelet"
        kubectl = Kubectl(self.module, kubeconfig(kubeadm.FOLDER, name), 10)
        return Kubelet(self.module, kubectl, self.node.node)

    def _kubelet_kubeconfig(self) -> None:
        """Write the kubeconfig of a worker's kubelet, with the certificate that it has.

        Raises:
            KubeadmError: if that is of no use.
        """
        pair = read_bytes(KUBELET_CERTIFICATE) or b""
        if not self.params["server"] or not certificates(pair):
            raise KubeadmError(
                f"{kubeconfig(kubeadm.FOLDER, 'kubelet')} cannot be written again without the API's address (server) "
                f"and the certificate {KUBELET_CERTIFICATE}. Reset the host, and let it join again"
            )
        text = KUBECONFIG.format(
            authority=base64.b64encode(read_bytes(os.path.join(kubeadm.FOLDER, AUTHORITY)) or b"").decode(),
            server=self.params["server"],
            user=parse_certificate(certificates(pair)[0]).user,
            certificate=KUBELET_CERTIFICATE,
        )
        path = kubeconfig(kubeadm.FOLDER, "kubelet")
        with self._kubelet().reconfigured(path):
            kubeadm.write_private(self.module, path, text.encode())
            recover_kubelet(self.module)

    def _configure_kubelet(self, kubelet: Kubelet) -> None:
        """Let kubeadm write the kubelet's configuration and flags.

        Raises:
            KubeadmError: if the kubelet does not report with them.
        """
        config = self.node.kubelet_config(kubelet.config)
        program = Kubeadm(self.module, self.params["timeout"])
        before = read_bytes(kubelet.config)
        with kubelet.reconfigured():
            if self.node.is_control_plane:
                self.control_plane.phase("kubelet-start")
            else:
                if kubelet.arguments in self.paths:
                    with kubeadm.private_file(self.module, self.params["content"] or "") as path:
                        program.run("init", "phase", "kubelet-start", f"--config={path}")
                if kubelet.config in self.paths:
                    patches = [f"--patches={config.folder}"] if kubelet_patches(config.folder) else []
                    credentials = f"--kubeconfig={kubeconfig(kubeadm.FOLDER, 'kubelet')}"
                    program.run("upgrade", "node", "phase", "kubelet-config", credentials, *patches)
                elif before is not None:
                    kubeadm.write_private(self.module, kubelet.config, before)
            if config.patch and not config.patched_by_kubeadm:
                config.merge_patch()
            recover_kubelet(self.module)

    def _rights(self) -> None:
        """Give administrators their rights again, by a certificate that is in the group of those who need none.

        Raises:
            KubeadmError: if that fails.
        """
        text = issue(Kubeadm(self.module, self.params["timeout"]), HELPER, [losses.MASTERS], self.node.config)
        with kubeadm.private_file(self.module, text) as path:
            try:
                kubectl = Kubectl(self.module, path, 10)
                kubectl.run("auth", "reconcile", "--filename=-", *self.node.api.options(), stdin=json.dumps(RIGHTS))
            except KubectlError as error:
                raise KubeadmError(f"The administrators' rights cannot be given again: {error}") from error
        if self.node.rights():
            raise KubeadmError(
                "The administrators' rights were given again, and admin.conf still may not do everything."
            )
