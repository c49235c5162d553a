# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applies a changed configuration to a control plane that runs, proves it healthy, or puts back what was there."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import time
from datetime import datetime, timezone
from functools import partial
from typing import Any, Callable, Dict, Iterator, List, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils import _kubeadm
from ansible_collections.groundwork.kubernetes.plugins.module_utils._files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import Kubeadm, KubeadmError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubectl import Kubectl, KubectlError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._reconcile import (
    CERTIFICATE,
    CONTROL_PLANE,
    DNS,
    KUBELET,
    PROXY,
    PROXY_RESTART,
    UPLOAD,
    Plan,
)

KUBELET_FOLDER = "/var/lib/kubelet"
POD_LOGS = "/var/log/pods"
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
HASH = "kubernetes.io/config.hash"
HEALTH_TIMEOUT = 300
LOG_LINES = 5
PAUSE = 2.0


def _ready(thing: Optional[Dict[str, Any]]) -> bool:
    """Whether a node or a pod has the condition Ready."""
    conditions = (thing or {}).get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


class ControlPlane:
    """One control plane of a cluster, on the host where the module runs."""

    def __init__(self, module: AnsibleModule, config: str, node: str, timeout: int) -> None:
        """Find the programs.

        Args:
            module: to run programs and to warn.
            config: the file with kubeadm's configuration.
            node: the name of the host's node.
            timeout: seconds that kubeadm may take for a step.
        """
        self.module, self.config, self.node = module, config, node
        self.kubeadm = Kubeadm(module, timeout)
        self.kubectl = Kubectl(module, os.path.join(_kubeadm.FOLDER, "admin.conf"), timeout=10)

    def apply(self, plan: Plan) -> None:
        """Do the steps of a plan, in order.

        Raises:
            KubeadmError: if the control plane is not healthy before or after; what was there is put back.
        """
        if not self._api_ready():
            raise KubeadmError(
                "The API server is not ready, so the changed configuration is not applied. Repair the control plane "
                "first; 'kubectl get --raw=/readyz?verbose' and 'crictl ps -a' tell what is wrong."
            )
        steps: Dict[str, Callable[[], None]] = {
            CERTIFICATE: self._renew_certificate,
            CONTROL_PLANE: self._write_manifests,
            KUBELET: self._configure_kubelet,
            UPLOAD: lambda: self._phase("upload-config", "all"),
            DNS: lambda: self._phase("addon", "coredns"),
            PROXY: lambda: self._phase("addon", "kube-proxy"),
            PROXY_RESTART: self._restart_proxy,
        }
        for step in plan.steps:
            steps[step]()

    def server_version(self) -> str:
        """The version of the API server, such as v1.36.5.

        Raises:
            KubeadmError: if it does not answer.
        """
        try:
            return str(json.loads(self.kubectl.run("get", "--raw=/version"))["gitVersion"])
        except KubectlError as error:
            raise KubeadmError(f"The API server does not tell its version: {error}") from error

    def _phase(self, *phase: str) -> None:
        self.kubeadm.run("init", "phase", *phase, f"--config={self.config}")

    def _get(self, *arguments: str) -> Optional[Dict[str, Any]]:
        """An object, or None where it does not exist or the API server does not answer now."""
        try:
            found: Optional[Dict[str, Any]] = self.kubectl.get(*arguments)
        except KubectlError:
            return None
        return found

    def _api_ready(self) -> bool:
        try:
            return self.kubectl.run("get", "--raw=/readyz").strip() == "ok"
        except KubectlError:
            return False

    def _wait(self, proven: Callable[[], bool], message: str, log: Optional[Callable[[], List[str]]] = None) -> None:
        deadline = time.monotonic() + HEALTH_TIMEOUT
        while not proven():
            if time.monotonic() >= deadline:
                lines = log() if log else []
                end = "\n".join(["", "Its log ends with:", *lines]) if lines else ""
                raise KubeadmError(f"{message} after {HEALTH_TIMEOUT} seconds.{end}")
            time.sleep(PAUSE)

    @contextlib.contextmanager
    def _undone_on_failure(self, paths: List[str], afterwards: Callable[[], None]) -> Iterator[None]:
        """Puts files back as they were if the work fails, and then does what makes that take effect."""
        before = {path: read_bytes(path) for path in paths}
        try:
            yield
        except KubeadmError as error:
            for path, content in before.items():
                if content is not None:
                    _kubeadm.write_private(self.module, path, content)
            outcome = "The former settings have been put back."
            try:
                afterwards()
            except KubeadmError as second:
                outcome += f" {second}"
            raise KubeadmError(f"{error}\n{outcome}") from error

    # The API server's certificate. It is read again by itself, so nothing restarts.

    def _renew_certificate(self) -> None:
        paths = [os.path.join(_kubeadm.FOLDER, "pki", f"apiserver.{suffix}") for suffix in ("crt", "key")]
        with self._undone_on_failure(paths, lambda: None):
            _kubeadm.remove_files(paths)
            self._phase("certs", "apiserver")
            self._wait(self._api_ready, "The API server is not ready with its new certificate")

    # The static pods.

    def _pod(self, component: str) -> Optional[Dict[str, Any]]:
        return self._get("pod", f"{component}-{self.node}", "--namespace=kube-system")

    def _hash(self, component: str) -> str:
        pod = self._pod(component) or {}
        return str(pod.get("metadata", {}).get("annotations", {}).get(HASH, ""))

    def _runs_anew(self, component: str, before: str) -> bool:
        pod = self._pod(component)
        return pod is not None and pod["metadata"]["annotations"].get(HASH) != before and _ready(pod)

    def _write_manifests(self) -> None:
        manifests = {name: os.path.join(_kubeadm.FOLDER, "manifests", f"{name}.yaml") for name in COMPONENTS}
        contents = {name: read_bytes(path) for name, path in manifests.items()}
        hashes = {name: self._hash(name) for name in COMPONENTS}
        back = partial(self._wait, self._api_ready, "With them, too, the API server is not ready")
        with self._undone_on_failure(list(manifests.values()), back):
            self._phase("control-plane", "all")
            for name, path in manifests.items():
                if read_bytes(path) != contents[name]:
                    anew = partial(self._runs_anew, name, hashes[name])
                    self._wait(anew, f"{name} is not ready with its new settings", partial(self._pod_log, name))
            self._wait(self._api_ready, "The API server is not ready")

    def _pod_log(self, component: str) -> List[str]:
        """The end of a static pod's newest log, which can be read while the API server does not answer."""
        logs = glob.glob(os.path.join(POD_LOGS, f"kube-system_{component}-{self.node}_*", component, "*.log"))
        if not logs:
            return []
        with open(max(logs, key=os.path.getmtime), encoding="utf-8", errors="replace") as stream:
            return stream.read().splitlines()[-LOG_LINES:]

    # The kubelet.

    def _configure_kubelet(self) -> None:
        paths = [os.path.join(KUBELET_FOLDER, name) for name in ("config.yaml", "kubeadm-flags.env")]
        with self._undone_on_failure(paths, self._restart_kubelet):
            self._phase("kubelet-start")
            # The lease's time is the kubelet's own, so it is compared with the clock of the same host.
            since = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            self._wait(
                lambda: self._lease_time() > since and _ready(self._get("node", self.node)),
                "The kubelet with its new configuration has not made the node ready",
                self._kubelet_log,
            )

    def _kubelet_log(self) -> List[str]:
        journalctl = self.module.get_bin_path("journalctl", required=True)
        _rc, out, _err = self.module.run_command(
            [journalctl, "--unit=kubelet", f"--lines={LOG_LINES}", "--output=cat", "--no-pager"]
        )
        return list(out.splitlines())

    def _lease_time(self) -> str:
        lease = self._get("lease", self.node, "--namespace=kube-node-lease") or {}
        return str(lease.get("spec", {}).get("renewTime", ""))

    def _restart_kubelet(self) -> None:
        self.module.run_command([self.module.get_bin_path("systemctl", required=True), "restart", "kubelet"])

    # kube-proxy, which reads its configuration only when it starts.

    def _restart_proxy(self) -> None:
        kubectl = Kubectl(self.module, os.path.join(_kubeadm.FOLDER, "admin.conf"), timeout=HEALTH_TIMEOUT)
        try:
            kubectl.run("rollout", "restart", "daemonset/kube-proxy", "--namespace=kube-system")
        except KubectlError as error:
            raise KubeadmError(f"kube-proxy cannot be restarted: {error}") from error
        try:
            kubectl.run("rollout", "status", "daemonset/kube-proxy", "--namespace=kube-system", "--timeout=120s")
        except KubectlError as error:
            # A node that is down keeps the rollout from ending, and is no fault of the configuration.
            self.module.warn(f"kube-proxy has not restarted on every node yet: {error.stderr}")
