# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applies a changed configuration to a control plane that runs, proves it healthy, or puts back what was there."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any, Callable, Dict, Mapping, Optional, Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import Kubectl, KubectlError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.login import Login
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.own_api_server import OwnApi
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import probe
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import (
    COMPONENTS,
    ETCD,
    KUBECONFIGS,
    KUBELET_CERTIFICATE,
    manifest,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import kubeadm, pending_change
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.container_exits import StaticPod
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kube_proxy import Proxy
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import Kubeadm, KubeadmError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubelet_configuration import KubeletConfig
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.reconcile import (
    ARGUMENTS,
    CERTIFICATE,
    CONTROL_PLANE,
    DNS,
    KUBELET,
    PROXY,
    PROXY_RESTART,
    UPLOAD,
    ReconfigurationPlan,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.rollback import (
    PAUSE,
    Kubelet,
    get_object,
    holds_kubelet,
    is_ready,
    put_back_interrupted,
    recover_kubelet,
    undone_on_failure,
    wait_for,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.static_pods import answer

HASH = "kubernetes.io/config.hash"
# An API server asks an identity provider for its keys when it starts, and again ten seconds after a failure.
LOGIN_SECONDS = 60


def wanted_login(params: Mapping[str, Any]) -> Optional[Login]:
    """What must log in, by a module's options; nothing if none is given."""
    return Login(params["login_token"], params["login_user"]) if params.get("login_token") else None


def prove_login(api: OwnApi, login: Optional[Login]) -> None:
    """Wait until somebody logs in as they will; without a login nothing is asked.

    Raises:
        KubeadmError: if they do not.
    """
    deadline = time.monotonic() + LOGIN_SECONDS
    lacks = login.lacking(api) if login else ""
    while login and lacks:
        if time.monotonic() >= deadline:
            raise KubeadmError(f"{LOGIN_SECONDS} seconds after the API server of this host was ready, {lacks}.")
        time.sleep(PAUSE)
        lacks = login.lacking(api)


class ControlPlane:
    """One control plane of a cluster, on the host where the module runs."""

    def __init__(
        self, module: AnsibleModule, config: str, node: str, timeout: int, kubelet_config: KubeletConfig
    ) -> None:
        """Find the programs.

        Args:
            module: to run programs and to warn.
            config: the file with kubeadm's configuration.
            node: the name of the host's node.
            timeout: seconds that kubeadm may take for a step.
            kubelet_config: what this host's kubelet has beside the cluster's configuration.
        """
        self.module, self.config, self.node = module, config, node
        self.kubelet_config = kubelet_config
        # What must log in at an API server with new settings; nothing is asked without.
        self.login: Optional[Login] = None
        self.kubeadm = Kubeadm(module, timeout)
        self.kubectl = Kubectl(module, os.path.join(kubeadm.FOLDER, "admin.conf"), 10)
        self.api = OwnApi(module, kubeadm.FOLDER)
        self.proxy = Proxy(module, self.kubectl, lambda: self.phase("addon", "kube-proxy"))

    def apply(self, plan: ReconfigurationPlan) -> None:
        """Do the steps of a plan, in order.

        Raises:
            KubeadmError: if the control plane is not healthy before or after; what was there is put back.
        """
        self._put_back()
        if not self.api.ready():
            raise KubeadmError(
                "The API server of this host is not ready, so the changed configuration is not applied. Repair the "
                "control plane first; 'kubectl get --raw=/readyz?verbose' and 'crictl ps -a' tell what is wrong."
            )
        steps: Dict[str, Callable[[], None]] = {
            CERTIFICATE: self._renew_certificate,
            CONTROL_PLANE: self.write_manifests,
            KUBELET: self._configure_kubelet,
            ARGUMENTS: self._give_arguments,
            UPLOAD: lambda: self.phase("upload-config", "all"),
            DNS: lambda: self.phase("addon", "coredns"),
            PROXY: self.proxy.configure,
            PROXY_RESTART: self.proxy.restart,
        }
        for step in plan.steps:
            pending_change.begin(self.module, [step])
            steps[step]()

    def mend(self, missing: Sequence[str]) -> None:
        """Let kubeadm write again what is missing, by the configuration that was applied, and prove it healthy.

        Args:
            missing: paths of kubeconfigs and of static pods' manifests.

        Raises:
            KubeadmError: if it does not get healthy; what was written stays.
        """
        names = [os.path.splitext(os.path.basename(path))[0] for path in missing]
        for name in (name for name in (*KUBECONFIGS, "kubelet") if name in names):
            self.phase("kubeconfig", name)
        if "kubelet" in names:
            recover_kubelet(self.module)
            if os.path.exists(KUBELET_CERTIFICATE):
                # From then on it names that file, whose certificate the kubelet renews.
                self.phase("kubelet-finalize", "all")
        written = [name for name in (ETCD, *COMPONENTS) if name in names]
        for name in written:
            # Of etcd it has nothing but this member: that means nothing to one that has its data.
            phase = ("etcd", "local") if name == ETCD else ("control-plane", name.replace("kube-", "", 1))
            self.phase(*phase)
        for name in written:
            pod = StaticPod(name, self.node)
            wait_for(partial(self.answers, name), f"{name} was written again, and is not healthy", pod.log)
        log = StaticPod(COMPONENTS[0], self.node).log
        wait_for(self.api.ready, "The API server of this host is not ready", log)

    def answers(self, component: str) -> bool:
        """Whether a static pod answers what the kubelet asks of it; the API server is asked with a certificate."""
        if component == COMPONENTS[0]:
            return self.api.ready()
        asked = probe((read_bytes(manifest(kubeadm.FOLDER, component)) or b"").decode("utf-8", "replace"))
        return not asked or not answer(asked)

    def server_version(self) -> str:
        """The version of the host's API server, such as v1.36.5.

        Raises:
            KubeadmError: if it does not answer.
        """
        try:
            return self.api.version()
        except KubectlError as error:
            raise KubeadmError(f"The API server does not tell its version: {error}") from error

    def _put_back(self) -> None:
        """Undo what an earlier run was cut off in, except for manifests with which the API server is ready."""
        files = (pending_change.read() or pending_change.Attempt()).files
        if not files or (self.api.ready() and not holds_kubelet(files)):
            return
        if put_back_interrupted(self.module):
            message = "An earlier run was cut off. With the settings from before it, too, the API server is not ready"
            wait_for(self.api.ready, message)

    def phase(self, *phase: str) -> None:
        """Let kubeadm do a phase of its init."""
        self.kubeadm.run("init", "phase", *phase, f"--config={self.config}")

    def _renew_certificate(self) -> None:
        """Issue the API server's certificate again; it reads that by itself, so nothing restarts."""
        paths = [os.path.join(kubeadm.FOLDER, "pki", f"apiserver.{suffix}") for suffix in ("crt", "key")]
        with undone_on_failure(self.module, paths, lambda: None):
            kubeadm.remove_files(paths)
            self.phase("certs", "apiserver")
            wait_for(self.api.ready, "The API server is not ready with its new certificate")

    def write_manifests(self) -> None:
        """Write the static pods, and wait until those that changed run with what is new."""
        manifests = {name: os.path.join(kubeadm.FOLDER, "manifests", f"{name}.yaml") for name in COMPONENTS}
        contents = {name: read_bytes(path) for name, path in manifests.items()}
        hashes = {name: self._hash(self._pod(name)) for name in COMPONENTS}
        pods = {name: StaticPod(name, self.node) for name in COMPONENTS}
        back = partial(wait_for, partial(self._is_back, hashes), "With them, too, the control plane is not ready")
        with undone_on_failure(self.module, list(manifests.values()), back):
            self.phase("control-plane", "all")
            for name, path in manifests.items():
                if read_bytes(path) != contents[name]:
                    anew = partial(self._runs_anew, name, hashes[name])
                    pod = pods[name]
                    wait_for(anew, f"{name} is not ready with its new settings", pod.log, pod.hopeless)
            wait_for(self.api.ready, "The API server is not ready")
            prove_login(self.api, self.login)

    def _pod(self, component: str) -> Dict[str, Any]:
        return get_object(self.kubectl, "pod", f"{component}-{self.node}", "--namespace=kube-system")

    def _hash(self, pod: Dict[str, Any]) -> str:
        """What the kubelet calls the manifest that a static pod runs with; nothing for no pod."""
        return str(pod.get("metadata", {}).get("annotations", {}).get(HASH, ""))

    def _is_back(self, hashes: Dict[str, str]) -> bool:
        """Whether the static pods run with their former manifests; what was not known of them is not asked."""
        former = {name: known for name, known in hashes.items() if known}
        return self.api.ready() and all(self._hash(self._pod(name)) == known for name, known in former.items())

    def _runs_anew(self, component: str, before: str) -> bool:
        pod = self._pod(component)
        return self._hash(pod) not in ("", before) and is_ready(pod)

    def patch_kubelet(self) -> None:
        """Give the kubelet what this host has beside the cluster's configuration, unless it has it already.

        Raises:
            KubeadmError: if it does not make the node ready with it; the former settings are put back.
        """
        self._put_back()
        kubelet = Kubelet(self.module, self.kubectl, self.node)
        with kubelet.reconfigured():
            if self.kubelet_config.merge_patch():
                kubelet.restart()

    def _give_arguments(self) -> None:
        """Give the kubelet of a host that was set up by other means the arguments that it lacks."""
        kubelet = Kubelet(self.module, self.kubectl, self.node)
        with kubelet.reconfigured():
            kubelet.set_arguments([], self.kubelet_config.arguments)
            kubelet.restart()

    def _configure_kubelet(self) -> None:
        kubelet = Kubelet(self.module, self.kubectl, self.node)
        with kubelet.reconfigured():
            self.phase("kubelet-start")
            patch = self.kubelet_config
            if patch.patch and not patch.patched_by_kubeadm and patch.merge_patch():
                kubelet.restart()
