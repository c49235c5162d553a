# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing what runs on a node: wait until it is proven healthy, or put back what was there."""

from __future__ import annotations

import contextlib
import os
import time
from datetime import datetime, timezone
from functools import partial
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import Kubectl, KubectlError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import kubeadm, pending_change
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.container_exits import (
    ENDED_TOO_OFTEN,
    telling,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import KubeadmError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.reconcile import replace_arguments

KUBELET_FOLDER = "/var/lib/kubelet"
HEALTH_TIMEOUT = 300.0
PAUSE = 2.0
# Enough to hold what a program complained of before it printed all the flags that it knows.
JOURNAL_LINES = 300


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


def _no_reason() -> str:
    return ""


def wait_for(
    proven: Callable[[], bool],
    message: str,
    log: Optional[Callable[[], List[str]]] = None,
    hopeless: Callable[[], str] = _no_reason,
) -> None:
    """Wait until something is proven.

    Args:
        proven: asks for it.
        message: what is wrong if it is not proven in time.
        log: gives the lines of a log for that message that tell most.
        hopeless: why waiting longer is of no use; nothing where that is not known.

    Raises:
        KubeadmError: if it is not proven in time, or never will be.
    """
    deadline = time.monotonic() + HEALTH_TIMEOUT
    while not proven():
        reason = hopeless()
        if reason or time.monotonic() >= deadline:
            lines = log() if log else []
            end = "\n".join(["", "Its log says:", *lines]) if lines else ""
            raise KubeadmError(f"{message}{f': {reason}' if reason else f' after {HEALTH_TIMEOUT:.0f} seconds'}.{end}")
        time.sleep(PAUSE)


def _put(module: AnsibleModule, path: str, content: Optional[bytes]) -> None:
    if content is None:
        kubeadm.remove_files([path])
    else:
        kubeadm.write_private(module, path, content)


@contextlib.contextmanager
def undone_on_failure(module: AnsibleModule, paths: List[str], afterwards: Callable[[], None]) -> Iterator[None]:
    """Puts files back as they were if the work fails, and then does what makes that take effect.

    Where the work is cut off, they are still on the disk, for put_back_interrupted.
    """
    before = {path: read_bytes(path) for path in paths}
    pending_change.hold(module, before)
    try:
        yield
    except KubeadmError as error:
        for path, content in before.items():
            _put(module, path, content)
        outcome = "The former settings have been put back."
        try:
            afterwards()
        except KubeadmError as second:
            outcome += f" {second}"
        pending_change.hold(module, {})
        failure = KubeadmError(f"{error}\n{outcome}")
        failure.untouched = error.untouched
        raise failure from error
    pending_change.hold(module, {})


def holds_kubelet(files: Iterable[str]) -> bool:
    """Whether the kubelet's settings are among these files."""
    return any(os.path.dirname(path) == KUBELET_FOLDER for path in files)


def put_back_interrupted(module: AnsibleModule) -> bool:
    """Put back what an earlier run changed and could neither prove nor put back; tells whether there was something."""
    attempt = pending_change.read()
    if attempt is None or not attempt.files:
        return False
    for path, content in attempt.files.items():
        if read_bytes(path) != content:
            _put(module, path, content)
    if holds_kubelet(attempt.files):
        recover_kubelet(module)
    pending_change.hold(module, {})
    return True


def recover_kubelet(module: AnsibleModule) -> None:
    """Restart a kubelet that may have failed so often that it is not started again before its failures are forgotten.

    Raises:
        KubeadmError: if systemd cannot.
    """
    module.run_command(
        [module.get_bin_path("systemctl", required=True), "reset-failed", "kubelet"], expand_user_and_vars=False
    )
    restart_kubelet(module)


def restart_kubelet(module: AnsibleModule) -> None:
    """Restart the kubelet.

    Raises:
        KubeadmError: if systemd cannot.
    """
    systemctl = module.get_bin_path("systemctl", required=True)
    rc, _out, err = module.run_command([systemctl, "restart", "kubelet"], expand_user_and_vars=False)
    if rc != 0:
        raise KubeadmError(f"The kubelet cannot be restarted: {err.strip()}")


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

        A node that was not ready before, as without a network plugin, only has to report again.

        Args:
            *more: further files to put back then.

        Raises:
            KubeadmError: if it does not.
        """
        files = [self.config, self.arguments, *more]
        node = self._node()
        was_ready = not node or is_ready(node)
        with undone_on_failure(self.module, files, partial(recover_kubelet, self.module)):
            yield
            ended = self._ended()

            def hopeless() -> str:
                times = self._ended() - ended
                return f"its service has ended {times} times" if times >= ENDED_TOO_OFTEN else ""

            # The lease's time is the kubelet's own, so it is compared with the clock of the same host.
            since = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            wait_for(
                lambda: self._lease_time() > since and (not was_ready or is_ready(self._node())),
                f"The kubelet with its new configuration has not {'made the node ready' if was_ready else 'reported'}",
                self._log,
                hopeless,
            )

    def _node(self) -> Dict[str, Any]:
        return get_object(self.kubectl, "node", self.node)

    def set_arguments(self, before: List[Dict[str, Any]], after: List[Dict[str, Any]]) -> None:
        """Write the user's arguments beside kubeadm's; those of before are replaced."""
        text = replace_arguments((read_bytes(self.arguments) or b"").decode(), before, after)
        kubeadm.write_private(self.module, self.arguments, text.encode())

    def restart(self) -> None:
        """Restart it.

        Raises:
            KubeadmError: if systemd cannot.
        """
        restart_kubelet(self.module)

    def _ended(self) -> int:
        """How often systemd has started it again because it ended by itself; 0 where that is not known."""
        systemctl = self.module.get_bin_path("systemctl", required=True)
        _rc, out, _err = self.module.run_command(
            [systemctl, "show", "kubelet", "--property=NRestarts", "--value"], expand_user_and_vars=False
        )
        return int(out.strip()) if out.strip().isdigit() else 0

    def _lease_time(self) -> str:
        lease = get_object(self.kubectl, "lease", self.node, "--namespace=kube-node-lease")
        return str(lease.get("spec", {}).get("renewTime", ""))

    def _log(self) -> List[str]:
        journalctl = self.module.get_bin_path("journalctl", required=True)
        options = ["--unit=kubelet", f"--lines={JOURNAL_LINES}", "--output=cat", "--no-pager"]
        _rc, out, _err = self.module.run_command([journalctl, *options], expand_user_and_vars=False)
        return telling(out.splitlines())
