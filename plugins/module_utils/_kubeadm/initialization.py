# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Initializes a control plane, and applies to one that runs what has changed of its configuration."""

from __future__ import annotations

import copy
import os
import socket
from typing import Any, Dict, List, Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api import not_known
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import (
    FileChange,
    diffs,
    plan_file,
    read_bytes,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import NodeState, unsigned
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import adoption, kubeadm, pending_change
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.applied_configuration import (
    AppliedConfiguration,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.control_plane import (
    ControlPlane,
    prove_login,
    wanted_login,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import (
    Kubeadm,
    KubeadmError,
    list_option,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.reconcile import (
    NOTHING,
    Document,
    ReconfigurationPlan,
    etcd_data,
    find_document,
)


def choose_action(state: NodeState) -> str:
    """What a host's state calls for.

    Raises:
        KubeadmError: if the host is something else than a control plane, or one that people have to put right first.
    """
    if state.interrupted == "init":
        return "resume"
    if state.interrupted == "join":
        raise KubeadmError(
            "This host began to join a cluster and has not finished, so no cluster is initialized on it. Run again "
            "with a control plane of that cluster, and the join is resumed. If all of its control planes are lost, "
            "restore a backup (docs/restore.md)."
        )
    if state.role == "worker":
        raise KubeadmError(
            "This host is a node of a cluster already, so no cluster is initialized on it. If it was a control plane, "
            "put back what was moved away: its manifests, kubeconfigs and etcd's data. If it is a worker, take it out "
            "of the group of the control planes."
        )
    if state.faults:
        raise KubeadmError(lacks(state.faults))
    return "none" if state.role == "control_plane" else "initialize"


def diff_of_mended(path: str) -> Dict[str, str]:
    """A file that kubeadm writes again, without what is in it."""
    return {"before_header": path, "after_header": path, "before": "", "after": "written again by kubeadm\n"}


def lacks(faults: Sequence[str]) -> str:
    """What people have to put right first."""
    return "\n".join(["This control plane lacks something. Nothing was changed.", *(f"- {fault}." for fault in faults)])


class Initialization:
    """The configuration given, the one that was applied, and what is to be done about it."""

    def __init__(self, module: AnsibleModule) -> None:
        """Decide; nothing is changed.

        Raises:
            KubeadmError: if there is nothing that could be done, or the changes are refused.
        """
        self.module = module
        params = module.params
        data = etcd_data(params["documents"] or [])
        state = kubeadm.settled_state(module, kubeadm.FOLDER, params["timeout"], data)
        self.action = choose_action(state)
        self.mended = list(state.missing)
        unissued = unsigned(state.missing, state.signs)
        # A check does not bring the key that a run has brought by now.
        if self.action == "none" and unissued and not module.check_mode:
            raise KubeadmError(
                lacks([f"{unissued} cannot be issued again, as ca.key is not on this host: put back what is missing"])
            )
        self.configuration = AppliedConfiguration(module)
        self.file = self._plan_config()
        self.plan = NOTHING
        if self.action == "none":
            self.action = self.configuration.action()
        self.adopted = NOTHING
        if self.action == "reconcile":
            self.plan = self._plan_changes(self.configuration.before)
        elif self.action == "adopt" and not not_known(module, os.path.join(kubeadm.FOLDER, "admin.conf")):
            self.adopted = adoption.compare(adoption.read_stored(module), self.configuration.documents)
            if self.adopted.refused:
                raise KubeadmError(adoption.refusal(self.adopted))
            self.plan = self.configuration.adoption_plan()
        elif self.action == "none" and self.mended:
            self.action = "mend"
        elif self.action == "none" and self.file.changed:
            self.action = "write"

    def _plan_config(self) -> FileChange:
        path, content = self.module.params["config"], self.module.params["content"]
        if content is not None:
            return plan_file(path, content.encode())
        before = read_bytes(path)
        if before is None and self.action != "none" and not self.module.check_mode:
            raise KubeadmError(f"There is no file {path}. Set content, or write the file first.")
        return FileChange(path, before, before)

    def _plan_changes(self, applied: List[Document]) -> ReconfigurationPlan:
        was, wanted = (
            find_document(found, "ClusterConfiguration")
            for found in (copy.deepcopy(applied), self.configuration.wanted)
        )
        version = wanted.get("kubernetesVersion")
        if was.get("kubernetesVersion") != version and self.control_plane().server_version() == version:
            # An upgrade has been made in between.
            find_document(applied, "ClusterConfiguration")["kubernetesVersion"] = version
        return self.configuration.plan(applied)

    def control_plane(self) -> ControlPlane:
        """The control plane on this host."""
        documents = self.configuration.documents or self.configuration.before
        registration = find_document(documents, "InitConfiguration").get("nodeRegistration") or {}
        name = registration.get("name") or socket.gethostname().lower()
        params = self.module.params
        plane = ControlPlane(self.module, params["config"], name, params["timeout"], self.configuration.kubelet)
        plane.login = wanted_login(params)
        return plane

    def apply(self) -> None:
        """Do what was decided.

        Raises:
            KubeadmError: if something fails.
        """
        if self.mended:
            # By what was applied before: a new configuration is only given to a control plane that is healthy.
            self.control_plane().mend(self.mended)
        if self.action in ("initialize", "resume"):
            # What was begun on the host belongs to a node that is no more.
            pending_change.end()
            self._write(self.file)
            self._initialize()
        patch = self.configuration.kubelet
        if self.plan.steps or (self.configuration.attempt and self.action in ("reconcile", "adopt")):
            self._reconcile()
        else:
            self._write(self.file)
        if self.action == "adopt" and patch.patch:
            # kubeadm has not written this host's configuration, so the patch is not in it even where kubeadm knows it.
            self.control_plane().patch_kubelet()
        elif self.action in ("initialize", "resume") and patch.patch and not patch.patched_by_kubeadm:
            self.control_plane().patch_kubelet()
        # The stamp comes last: what fails or is interrupted before is done again by the next run.
        self.configuration.remember(self.configuration.wanted)
        self.configuration.end_attempt()
        if self.action in ("initialize", "resume"):
            # It is the last, as a new cluster has no former settings that could be put back.
            plane = self.control_plane()
            prove_login(plane.api, plane.login)

    def _reconcile(self) -> None:
        self._write(self.file)
        try:
            self.control_plane().apply(self.plan)
        except KubeadmError:
            if self.file.changed and self.file.before is not None:
                kubeadm.write_private(self.module, self.file.path, self.file.before)
            raise

    def _write(self, change: FileChange) -> None:
        if change.changed and change.after is not None:
            kubeadm.write_private(self.module, change.path, change.after)

    def _initialize(self) -> None:
        params = self.module.params
        program = Kubeadm(self.module, params["timeout"])
        config = f"--config={params['config']}"
        skip: List[str] = params["skip_phases"]
        if self.action == "initialize" and "preflight" not in skip:
            ignored = list_option("ignore-preflight-errors", params["ignore_preflight_errors"])
            program.run("init", "phase", "preflight", config, *ignored)
        with kubeadm.in_progress(os.path.join(kubeadm.FOLDER, kubeadm.INIT_MARKER)):
            if self.action == "resume":
                # kubeadm refuses what was issued for a configuration that has been corrected since.
                kubeadm.remove_files(kubeadm.issued_files(kubeadm.FOLDER))
                kubeadm.remove_files(kubeadm.cut_off_files(kubeadm.FOLDER))
            skipped = list_option("skip-phases", sorted({"preflight", *skip}))
            program.run("init", config, *skipped, "--skip-token-print")
            # What kubeadm does not apply is not remembered before it is done.
            configuration = self.configuration
            patched = configuration.kubelet.patched_by_kubeadm
            configuration.remember(configuration.wanted if patched else configuration.documents)

    def result(self) -> Dict[str, Any]:
        """What the module returns."""
        return {
            "changed": self.action != "none",
            "action": self.action,
            "mended": self.mended,
            "changes": [*self.plan.paths, *self.adopted.paths],
            "steps": self.plan.steps,
            "diff": diffs([self.file]) + [diff_of_mended(path) for path in self.mended],
        }
