# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing what runs on a node: wait until it is proven healthy, or put back what was there."""

from __future__ import annotations

import contextlib
import os
import time
from datetime import datetime, timezone
from typing import Any, Callable, Dict, Iterator, List, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils import _kubeadm
from ansible_collections.groundwork.kubernetes.plugins.module_utils._files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import KubeadmError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubectl import Kubectl, KubectlError

KUBELET_FOLDER = "/var/lib/kubelet"
HEALTH_TIMEOUT = 300.0
PAUSE = 2.0
LOG_LINES = 5


def is_ready(thing: Optional[Dict[str, Any]]) -> bool:
    """Whether a node or a pod has the condition Ready."""
    conditions = (thing or {}).get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def get_object(kubectl: Kubectl, *arguments: str) -> Dict[str, Any]:
    """An object; an empty one where it does not exist or the API server does not answer now."""
    try:
        found: Optional[Dict[str, Any]] = kubectl.get(*arguments)
    except KubectlError:
        found = None
    return found or {}


def wait_for(proven: Callable[[], bool], message: str, log: Optional[Callable[[], List[str]]] = None) -> None:
    """Wait until something is proven.

    Args:
        proven: asks for it.
        message: what is wrong if it is not proven in time.
        log: gives the last lines of a log for that message.

    Raises:
        KubeadmError: if it is not proven in time.
    """
    deadline = time.monotonic() + HEALTH_TIMEOUT
    while not proven():
        if time.monotonic() >= deadline:
            lines = log() if log else []
            end = "\n".join(["", "Its log ends with:", *lines]) if lines else ""
            raise KubeadmError(f"{message} after {HEALTH_TIMEOUT:.0f} seconds.{end}")
        time.sleep(PAUSE)


@contextlib.contextmanager
def undone_on_failure(module: AnsibleModule, paths: List[str], afterwards: Callable[[], None]) -> Iterator[None]:
    """Puts files back as they were if the work fails, and then does what makes that take effect."""
    before = {path: read_bytes(path) for path in paths}
    try:
        yield
    except KubeadmError as error:
        for path, content in before.items():
            if content is not None:
                _kubeadm.write_private(module, path, content)
            else:
                _kubeadm.remove_files([path])
        outcome = "The former settings have been put back."
        try:
            afterwards()
        except KubeadmError as second:
            outcome += f" {second}"
        failure = KubeadmError(f"{error}\n{outcome}")
        failure.untouched = error.untouched
        raise failure from error


class Kubelet:
    """The kubelet of the host where the module runs."""

    def __init__(self, module: AnsibleModule, kubectl: Kubectl, node: str) -> None:
        """Take what is needed to watch it.

        Args:
            module: to run programs.
            kubectl: may read the node and its lease; the kubelet's own kubeconfig is enough.
            node: the name of the host's node.
        """
        self.module, self.kubectl, self.node = module, kubectl, node
        self.config = os.path.join(KUBELET_FOLDER, "config.yaml")
        self.arguments = os.path.join(KUBELET_FOLDER, "kubeadm-flags.env")

    @contextlib.contextmanager
    def reconfigured(self, *more: str) -> Iterator[None]:
        """Proves that the kubelet, restarted in the work, makes the node ready; else puts its settings back.

        Args:
            *more: further files to put back then.

        Raises:
            KubeadmError: if it does not.
        """
        with undone_on_failure(self.module, [self.config, self.arguments, *more], self._recover):
            yield
            # The lease's time is the kubelet's own, so it is compared with the clock of the same host.
            since = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            wait_for(
                lambda: self._lease_time() > since and is_ready(get_object(self.kubectl, "node", self.node)),
                "The kubelet with its new configuration has not made the node ready",
                self._log,
            )

    def restart(self) -> None:
        """Restart it.

        Raises:
            KubeadmError: if systemd cannot.
        """
        systemctl = self.module.get_bin_path("systemctl", required=True)
        rc, _out, err = self.module.run_command([systemctl, "restart", "kubelet"])
        if rc != 0:
            raise KubeadmError(f"The kubelet cannot be restarted: {err.strip()}")

    def _recover(self) -> None:
        # A kubelet that failed too often is not started again before its failures are forgotten.
        self.module.run_command([self.module.get_bin_path("systemctl", required=True), "reset-failed", "kubelet"])
        self.restart()

    def _lease_time(self) -> str:
        lease = get_object(self.kubectl, "lease", self.node, "--namespace=kube-node-lease")
        return str(lease.get("spec", {}).get("renewTime", ""))

    def _log(self) -> List[str]:
        journalctl = self.module.get_bin_path("journalctl", required=True)
        options = ["--unit=kubelet", f"--lines={LOG_LINES}", "--output=cat", "--no-pager"]
        _rc, out, _err = self.module.run_command([journalctl, *options])
        return list(out.splitlines())
