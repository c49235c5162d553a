# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes kube-proxy's configuration, node by node, or puts back what was there."""

from __future__ import annotations

import json
import time
from typing import Any, Callable, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import Kubectl, KubectlError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.container_exits import (
    ENDED_TOO_OFTEN,
    telling,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import KubeadmError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.rollback import get_object

NAMESPACE = "--namespace=kube-system"
DAEMON_SET = "daemonset/kube-proxy"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
ROLLOUT_SECONDS = 120
PAUSE = 5


def restarted_at(thing: Dict[str, Any]) -> str:
    """When a restart was asked for that a pod comes from."""
    return str((thing.get("metadata", {}).get("annotations") or {}).get(RESTARTED_AT, ""))


def failing(daemon_set: Dict[str, Any], pods: List[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
    """The first of the daemon set's newest pods that has ended again and again."""
    newest = restarted_at(daemon_set.get("spec", {}).get("template", {}))
    for pod in pods:
        statuses = pod.get("status", {}).get("containerStatuses") or []
        if newest and restarted_at(pod) == newest and any(_ends(status) for status in statuses):
            return pod
    return None


def _ends(status: Dict[str, Any]) -> bool:
    ended = int(status.get("restartCount", 0)) + bool((status.get("state") or {}).get("waiting"))
    return not status.get("ready") and ended >= ENDED_TOO_OFTEN


class Proxy:
    """kube-proxy on all nodes."""

    def __init__(self, module: AnsibleModule, kubectl: Kubectl, write: Callable[[], None]) -> None:
        """Take what is needed.

        Args:
            module: to warn.
            kubectl: may change kube-proxy.
            write: gives the cluster the configuration of kube-proxy and its daemon set.
        """
        self.module, self.kubectl, self.write = module, kubectl, write
        self.before: Dict[str, Any] = {}

    def configure(self) -> None:
        """Give the cluster its configuration, which it reads when it starts."""
        self.before = get_object(self.kubectl, "configmap", "kube-proxy", NAMESPACE).get("data") or {}
        self.write()

    def restart(self) -> None:
        """Restart it node by node.

        Raises:
            KubeadmError: if it does not run with its configuration; the former one is put back.
        """
        self._restart()
        deadline = time.monotonic() + ROLLOUT_SECONDS
        missing = self._missing()
        while missing:
            pod = self._failing()
            if pod is not None:
                raise self._put_back(pod)
            if time.monotonic() >= deadline:
                # A node that is down keeps the rollout from ending, and is no fault of the configuration.
                self.module.warn(f"kube-proxy has not restarted on every node yet: {missing}")
                return
            missing = self._missing()

    def _missing(self) -> str:
        """What is missing of the restart after a few seconds more; nothing when it runs on all nodes."""
        try:
            self.kubectl.run("rollout", "status", DAEMON_SET, NAMESPACE, f"--timeout={PAUSE}s")
        except KubectlError as error:
            return error.stderr or str(error)
        return ""

    def _restart(self) -> None:
        try:
            self.kubectl.run("rollout", "restart", DAEMON_SET, NAMESPACE)
        except KubectlError as error:
            raise KubeadmError(f"kube-proxy cannot be restarted: {error}") from error

    def _failing(self) -> Optional[Dict[str, Any]]:
        pods = get_object(self.kubectl, "pods", NAMESPACE, "--selector=k8s-app=kube-proxy").get("items") or []
        return failing(get_object(self.kubectl, DAEMON_SET, NAMESPACE), pods)

    def _put_back(self, pod: Dict[str, Any]) -> KubeadmError:
        """The error for a pod that does not run, after the former configuration has been put back."""
        name, node = pod["metadata"]["name"], pod.get("spec", {}).get("nodeName", "")
        message = (
            f"kube-proxy does not run on node {node} with its new settings: its container has ended again and again."
        )
        try:
            log = telling(self.kubectl.run("logs", name, NAMESPACE, "--previous", "--tail=300").splitlines())
        except KubectlError:
            log = []
        lines = [message, *(["Its log says:", *log] if log else [])]
        if self.before:
            patch = json.dumps({"data": self.before})
            try:
                self.kubectl.run("patch", "configmap/kube-proxy", NAMESPACE, "--type=merge", f"--patch={patch}")
                self._restart()
                lines.append("The former settings have been put back.")
            except (KubectlError, KubeadmError) as error:
                lines.append(f"The former settings cannot be put back: {error}")
        return KubeadmError("\n".join(lines))
