# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Joins a host to a cluster, and applies to a worker what has changed of its configuration."""

from __future__ import annotations

import os
import socket
from typing import List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import Kubectl
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.own_api_server import OwnApi
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import NodeState, kubeconfig
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import kubeadm, pending_change
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.applied_configuration import (
    AppliedConfiguration,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.control_plane import (
    prove_login,
    wanted_login,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.join_run import JoinRun
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import Kubeadm, KubeadmError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubelet_configuration import (
    PATCH_FILE,
    PATCH_FOLDER,
    kubelet_patches,
    shown,
    without,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.reconcile import (
    ARGUMENTS,
    KUBELET,
    NOTHING,
    Document,
    ReconfigurationPlan,
    find_document,
    kubelet_arguments,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.rollback import (
    Kubelet,
    put_back_interrupted,
    wait_for,
)

NOT_STORED = (
    "The cluster does not store the kubelet's configuration as it is wanted yet ({}). Run the play of the control "
    "planes first. If it has run, see whether the kubelet of this version has such fields."
)


def choose_action(state: NodeState) -> str:
    """What a host's state calls for.

    Raises:
        KubeadmError: if an initialization was begun on the host.
    """
    if state.interrupted == "init":
        raise KubeadmError(
            "An initialization was begun on this host and never finished, so it joins no cluster. Finish it by running "
            "the play of the control planes on this host again."
        )
    if state.interrupted == "join":
        return "resume"
    return "join" if state.role == "none" else "none"


class Join:
    """The configuration given, the one that was applied, and what is to be done about it."""

    def __init__(self, module: AnsibleModule) -> None:
        """Decide; nothing is changed.

        Raises:
            KubeadmError: if there is nothing that could be done, or the changes are refused.
        """
        self.module = module
        state = kubeadm.settled_state(module, kubeadm.FOLDER, module.params["timeout"])
        self.action = choose_action(state)
        self.configuration = AppliedConfiguration(module)
        self.api = OwnApi(module, kubeadm.FOLDER)
        self.documents, self.kubelet_config = self.configuration.documents, self.configuration.kubelet
        if any("discovery" in document for document in self.documents):
            raise KubeadmError("documents must not hold discovery, which is a secret; give it in config only.")
        self.as_control_plane = module.params["control_plane_config"] is not None
        if self.action == "resume" and state.role == "control_plane" and not self.as_control_plane:
            raise KubeadmError(
                "The join of this host as a control plane was begun and never finished. Run the play of the control "
                "planes on this host again."
            )
        self._refuse_other_roles(state)
        self.join_run = JoinRun(module, self.documents, self.as_control_plane)
        self.plan: ReconfigurationPlan = NOTHING
        if self.action != "none" and module.params["config"] is None:
            raise KubeadmError("This host has not joined yet; set config to join it.")
        # A control plane's configuration is kept by the module kubeadm_init.
        if self.action == "none" and state.role == "worker":
            self.action = self.configuration.action()
        if self.action == "reconcile":
            self.plan = self.configuration.plan(self.configuration.before)
        elif self.action == "adopt":
            self.plan = self.configuration.adoption_plan()

    def _refuse_other_roles(self, state: NodeState) -> None:
        if state.interrupted:
            return
        if self.as_control_plane and state.role == "worker":
            raise KubeadmError(
                "This host is a node of a cluster already, so it does not join as a control plane. If it was one, put "
                "back what was moved away: its manifests, kubeconfigs and etcd's data. If it is a worker, take it out "
                "of the group of the control planes."
            )
        lost = kubeconfig(kubeadm.FOLDER, "kubelet") in state.missing
        if not self.as_control_plane and lost and state.role == "control_plane":
            raise KubeadmError(
                f"This host is to be a worker, and has {', '.join(state.traces)} of a control plane. If it is one, put "
                "back what is missing and move the host to the group of the control planes. If its cluster is gone, "
                "move these files away."
            )

    def apply(self) -> None:
        """Do what was decided.

        Raises:
            KubeadmError: if something fails.
        """
        if self.action in ("join", "resume"):
            # What was begun on the host belongs to a node that is no more.
            pending_change.end()
            with kubeadm.in_progress(os.path.join(kubeadm.FOLDER, kubeadm.JOIN_MARKER)):
                if self.action == "resume":
                    self.join_run.take_back()
                if not self.as_control_plane:
                    self.kubelet_config.put_patch_file(PATCH_FOLDER)
                self.join_run.run()
                if self.as_control_plane:
                    kubeadm.write_private(
                        self.module, kubeadm.CONFIG, self.module.params["control_plane_config"].encode()
                    )
                self.configuration.remember(self._applied_by_join())
            if self.as_control_plane:
                # Not within: a control plane that has joined is not taken back because it is slow.
                wait_for(self.api.ready, "The host has joined, and its API server is not ready")
            if self.kubelet_config.patch and not self.kubelet_config.patched_by_kubeadm:
                self._patch_kubelet()
                self._remember()
            if self.as_control_plane:
                # It is the last, as the host has no former settings that could be put back.
                prove_login(self.api, wanted_login(self.module.params))
        else:
            self._reconcile()
            self._remember()

    def _remember(self) -> None:
        """All of it has been applied."""
        self.configuration.remember(self.configuration.wanted)
        self.configuration.end_attempt()

    def _reconcile(self) -> None:
        """Apply what has changed on a worker that has joined, after what an earlier run was cut off in is put back."""
        put_back_interrupted(self.module)
        try:
            if self.action == "adopt" and self.kubelet_config.patch:
                self._patch_kubelet()
            if KUBELET in self.plan.steps or ARGUMENTS in self.plan.steps:
                self._reconfigure()
        except KubeadmError:
            # The former settings are back.
            pending_change.end()
            raise

    def _applied_by_join(self) -> List[Document]:
        """What kubeadm's join has applied; the rest is applied afterwards, or by a later run."""
        patched = self.kubelet_config.patched_by_kubeadm
        missing = self.kubelet_config.not_stored(patched)
        if missing:
            self.module.warn(NOT_STORED.format(shown(missing)))
        applied = self.configuration.wanted if patched else self.documents
        kind = "KubeletConfiguration"
        return [without(document, missing) if document.get("kind") == kind else document for document in applied]

    def _kubelet(self) -> Kubelet:
        kind = "InitConfiguration" if self.as_control_plane else "JoinConfiguration"
        registration = find_document(self.documents, kind).get("nodeRegistration") or {}
        kubeconfig = os.path.join(kubeadm.FOLDER, "kubelet.conf")
        node = registration.get("name") or socket.gethostname().lower()
        return Kubelet(self.module, Kubectl(self.module, kubeconfig, timeout=10), node)

    def _patch_kubelet(self) -> None:
        """Give the kubelet what this host has beside the cluster's configuration, unless it has it already."""
        kubelet = self._kubelet()
        with kubelet.reconfigured(os.path.join(PATCH_FOLDER, PATCH_FILE)):
            if not self.as_control_plane:
                self.kubelet_config.put_patch_file(PATCH_FOLDER)
            if self.kubelet_config.merge_patch():
                kubelet.restart()

    def _reconfigure(self) -> None:
        """Give the kubelet what has changed, and restart it."""
        kubelet = self._kubelet()
        pending_change.begin(self.module, self.plan.steps)
        with kubelet.reconfigured(os.path.join(PATCH_FOLDER, PATCH_FILE)):
            before = read_bytes(kubelet.config)
            if KUBELET in self.plan.steps:
                self._write_kubelet_config()
            if ARGUMENTS in self.plan.steps:
                kubelet.set_arguments(kubelet_arguments(self.configuration.before), kubelet_arguments(self.documents))
            if self.configuration.attempt or ARGUMENTS in self.plan.steps or read_bytes(kubelet.config) != before:
                kubelet.restart()

    def _write_kubelet_config(self) -> None:
        """Write the file from what the cluster stores and what this host has beside it."""
        config = self.kubelet_config
        config.put_patch_file(PATCH_FOLDER)
        # kubeadm has this option where it knows such patches.
        patches = [f"--patches={config.folder}"] if kubelet_patches(config.folder) else []
        kubeconfig = f"--kubeconfig={os.path.join(kubeadm.FOLDER, 'kubelet.conf')}"
        Kubeadm(self.module, self.module.params["timeout"]).run(
            "upgrade", "node", "phase", "kubelet-config", kubeconfig, *patches
        )
        if config.patch and not config.patched_by_kubeadm:
            config.merge_patch()
        missing = config.not_stored(True, find_document(self.configuration.before, "KubeletConfiguration"))
        if missing:
            error = KubeadmError(NOT_STORED.format(shown(missing)))
            error.untouched = True
            raise error
