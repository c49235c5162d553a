# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs kubeadm join on a host, and takes back what an interrupted one has done.

https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-join/
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from typing import Iterator, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import probe
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import ETCD, manifest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import kubeadm
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import (
    Kubeadm,
    KubeadmError,
    list_option,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.reconcile import (
    Document,
    etcd_data,
    find_document,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.static_pods import answer

DISCOVERY_FILE = "kubeadm-discovery.conf"
# What a worker's join leaves in kubeadm's folder, and most of which its preflight checks refuse to find.
WORKER_FILES = ("kubelet.conf", "bootstrap-kubelet.conf", "pki/ca.crt", DISCOVERY_FILE)
# The API server calls a node ready for up to 50 seconds after its kubelet has stopped.
STALE_NODE = 'status "Ready" already exists'
STALE_NODE_WAIT = 120
STALE_NODE_PAUSE = 5
# What kubeadm says when the kubelet of a busy host took longer than it waits for.
SLOW_KUBELET = "error uploading crisocket"


class JoinRun:
    """kubeadm join on the host where the module runs."""

    def __init__(self, module: AnsibleModule, documents: List[Document], as_control_plane: bool) -> None:
        """Nothing is run yet.

        Args:
            module: has the options of the module kubeadm_join.
            documents: kubeadm's, without secrets.
            as_control_plane: whether the host joins as one.
        """
        self.module, self.documents, self.as_control_plane = module, documents, as_control_plane

    def run(self) -> None:
        """Run kubeadm join; wait until the API server has noticed that the kubelet of the node before has stopped."""
        params = self.module.params
        program = Kubeadm(self.module, params["timeout"])
        options = list_option("ignore-preflight-errors", params["ignore_preflight_errors"])
        options += list_option("skip-phases", params["skip_phases"])
        deadline = time.monotonic() + STALE_NODE_WAIT
        # A control plane is not joined again by itself: its member of etcd would have to go first.
        again = not self.as_control_plane
        while True:
            try:
                with kubeadm.private_file(self.module, params["config"]) as path, self._discovery():
                    program.run("join", f"--config={path}", *options)
                return
            except KubeadmError as error:
                if again and SLOW_KUBELET in str(error):
                    again, deadline = False, time.monotonic() + STALE_NODE_WAIT
                elif STALE_NODE not in str(error) or time.monotonic() >= deadline:
                    raise
            time.sleep(STALE_NODE_PAUSE)
            self.take_back()

    def take_back(self) -> None:
        """Take back what an interrupted join has done."""
        if self.as_control_plane:
            self._reset()
            return
        systemctl = self.module.get_bin_path("systemctl", required=True)
        rc, _out, err = self.module.run_command([systemctl, "stop", "kubelet"], expand_user_and_vars=False)
        if rc != 0:
            raise KubeadmError(f"The kubelet cannot be stopped before the join is resumed: {err.strip()}")
        kubeadm.remove_files([os.path.join(kubeadm.FOLDER, name) for name in WORKER_FILES])

    def _reset(self) -> None:
        """Take back what an interrupted join of a control plane has done, but for its member of etcd.

        Raises:
            KubeadmError: if that member still works, so that it was not removed.
        """
        data = etcd_data(self.documents)
        asked = probe((read_bytes(manifest(kubeadm.FOLDER, ETCD)) or b"").decode("utf-8", "replace"))
        if asked and not answer(asked):
            raise KubeadmError(
                f"The interrupted join of this host is not taken back, as its member of etcd still works ({asked}). "
                "Remove the member first; the play of the control planes does so."
            )
        registration = find_document(self.documents, "InitConfiguration").get("nodeRegistration") or {}
        socket_option = [f"--cri-socket={registration['criSocket']}"] if registration.get("criSocket") else []
        Kubeadm(self.module, self.module.params["timeout"]).run(
            "reset", "--force", "--skip-phases=remove-etcd-member", *socket_option
        )
        if data:
            shutil.rmtree(os.path.join(data, "member"), True)

    @contextlib.contextmanager
    def _discovery(self) -> Iterator[None]:
        """Where the cluster is, for as long as kubeadm needs it."""
        content = self.module.params["discovery_kubeconfig"]
        if not content:
            # A file that the configuration names then is the user's.
            yield
            return
        path = os.path.join(kubeadm.FOLDER, DISCOVERY_FILE)
        try:
            kubeadm.write_private(self.module, path, content.encode())
            yield
        finally:
            kubeadm.remove_files([path])
