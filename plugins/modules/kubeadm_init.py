# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Initialize a control plane and keep it as it is configured."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_init
version_added: 0.1.0
short_description: Initialize a control plane and keep it as it is configured
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Writes kubeadm's configuration and runs C(kubeadm init) with it.
  - Before anything else on the host is changed, all of kubeadm's preflight checks run.
  - While C(kubeadm init) works there is a marker file, C(/etc/kubernetes/.kubeadm-init-in-progress).
    Where an earlier run was interrupted, it is still there, and this module resumes the initialization.
    Certificates and kubeconfigs are issued again, by the authorities that are there. Data of etcd is never removed.
  - On a control plane that runs, a changed configuration is applied, one component after the other.
    Each is proven healthy before the next. One that does not come up, or ends three times, gets its former settings
    back.
  - What is about to be changed is kept in C(/var/lib/groundwork/kubeadm-attempt.json) until it is proven or put back.
    Where a run is cut off in between, the next one puts it back if the API server is not ready, and does again what was
    begun.
  - Where manifests of its components or their kubeconfigs are missing, kubeadm writes them again, by the configuration
    that is in O(config) before this module changes it, and they are proven healthy. What cannot be written again, such
    as the manifest of etcd, is named, and nothing is changed.
  - Settings that cannot be changed any more are refused before anything is changed.
  - A control plane that was initialized by other means is left alone at first, but for O(kubelet_patch).
    Its configuration is taken to be the one that is given, and later changes of that are applied.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.full]
options:
  content:
    description:
      - kubeadm's configuration as YAML, as the filter P(groundwork.kubernetes.kubeadm_config#filter) gives it.
      - Written to O(config). If left out, the file is used as it is.
    type: str
  documents:
    description:
      - The same configuration as data in the form of C(kubeadm.k8s.io/v1beta4).
      - What was applied is remembered in C(/var/lib/groundwork/kubeadm.json), to tell later what has changed.
        If left out, changes of the configuration are not applied to a control plane that runs.
    type: list
    elements: dict
  kubelet_patch:
    description:
      - What this host's C(KubeletConfiguration) differs from the cluster's in O(documents), as the filter
        P(groundwork.kubernetes.kubelet_patch#filter) gives it. A key that is null is taken out.
      - Where kubeadm's folder of patches holds it as C(kubeletconfiguration#host+merge.json), kubeadm applies it, from
        Kubernetes 1.25 on. Else it is merged into the file that kubeadm has written, and the kubelet restarts.
    type: dict
    default: {}
  config:
    description: The file that holds kubeadm's configuration. It can only be read by root.
    type: path
    default: /etc/kubernetes/kubeadm.yaml
  skip_phases:
    description:
      - Phases of C(kubeadm init) to leave out, such as V(addon/coredns). C(kubeadm init --help) lists them.
      - This replaces the C(skipPhases) of the configuration.
    type: list
    elements: str
    default: []
  ignore_preflight_errors:
    description: Names of preflight checks whose failure does not matter, such as V(NumCPU), or V(all).
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds after which kubeadm is stopped.
    type: int
    default: 900
seealso:
  - module: groundwork.kubernetes.kubeadm_join
  - plugin: groundwork.kubernetes.kubeadm_config
    plugin_type: filter
  - name: kubeadm init
    description: The command and its phases.
    link: https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-init/
  - name: Reconfiguring a kubeadm cluster
    description: What can be changed in a cluster that runs, and how.
    link: https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-reconfigure/
"""

EXAMPLES = r"""
- name: Initialize the cluster
  groundwork.kubernetes.kubeadm_init:
    documents: '{{ documents }}'
    content: '{{ documents | groundwork.kubernetes.kubeadm_config(kubernetes_version) }}'
    skip_phases: '{{ documents | groundwork.kubernetes.kubeadm_skip_phases(kubernetes_version) }}'
    ignore_preflight_errors: [NumCPU]
  vars:
    documents:
      - kind: ClusterConfiguration
        kubernetesVersion: v{{ kubernetes_version }}
        networking:
          podSubnet: 10.244.0.0/16
"""

RETURN = r"""
action:
  description:
    - What was done, or would be in check mode.
    - V(initialize), V(resume) an interrupted initialization, V(reconcile) what runs with a changed configuration,
      V(adopt) what was initialized by other means, V(mend) what is missing only, V(write) the file only, or V(none).
  returned: success
  type: str
  sample: initialize
mended:
  description: The files that were missing, and were written again, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [/etc/kubernetes/manifests/kube-apiserver.yaml]
changes:
  description: The fields that differ from what was applied before.
  returned: success
  type: list
  elements: str
  sample: [ClusterConfiguration.apiServer.extraArgs]
steps:
  description:
    - What applies these changes, in this order.
    - V(certificate), V(control-plane), V(kubelet), V(upload-config), V(coredns), V(kube-proxy), V(restart-kube-proxy).
  returned: success
  type: list
  elements: str
  sample: [control-plane, upload-config]
"""

import copy
import json
import os
import socket
from typing import Any, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import (
    FileChange,
    diffs,
    plan_file,
    read_bytes,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import NodeState
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import kubeadm as kubeadm_utils
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import pending_change, rollback
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.control_plane import ControlPlane
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import (
    Kubeadm,
    KubeadmError,
    list_option,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubelet_configuration import (
    KubeletConfig,
    stamp_text,
    with_patch,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.reconcile import (
    NOTHING,
    Document,
    ReconfigurationPlan,
    etcd_data,
    find_document,
    make_plan,
    with_steps,
)

ADOPTED = (
    "This control plane was initialized by other means. Its configuration is taken to be the one given, without having "
    "been compared. Later changes are applied."
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
        raise KubeadmError("\n".join(["This control plane lacks something. Nothing was changed.", *_lines(state)]))
    return "none" if state.role == "control_plane" else "initialize"


def diff_of_mended(path: str) -> Dict[str, str]:
    """A file that kubeadm writes again, without what is in it."""
    return {"before_header": path, "after_header": path, "before": "", "after": "written again by kubeadm\n"}


def _lines(state: NodeState) -> List[str]:
    return [f"- {fault}." for fault in state.faults]


class Initialization:
    """The configuration given, the one that was applied, and what is to be done about it."""

    def __init__(self, module: AnsibleModule) -> None:
        """Decide; nothing is changed.

        Raises:
            KubeadmError: if there is nothing that could be done, or the changes are refused.
        """
        self.module = module
        params = module.params
        self.documents: Optional[List[Document]] = params["documents"]
        data = etcd_data(self.documents or [])
        state = kubeadm_utils.settled_state(module, kubeadm_utils.FOLDER, params["timeout"], data)
        self.action = choose_action(state)
        self.mended = list(state.missing)
        self.wanted = with_patch(self.documents or [], params["kubelet_patch"])
        self.kubelet_config = KubeletConfig(
            module, os.path.join(rollback.KUBELET_FOLDER, "config.yaml"), self.documents or [], params["kubelet_patch"]
        )
        self.file = self._plan_config()
        self.stamp = plan_file(kubeadm_utils.STAMP, self._stamp_content())
        self.plan = NOTHING
        self.attempt = pending_change.read() if self.documents is not None else None
        if self.action == "none" and (self.stamp.changed or self.attempt):
            if self.stamp.before is None:
                self.action = "adopt"
            else:
                self.plan = self._plan_changes(json.loads(self.stamp.before))
                self.action = "reconcile"
                # How much of these steps was done before one failed, or was cut off, is not known.
                self.plan = with_steps(self.plan, self.attempt.steps if self.attempt else [])
        elif self.action == "none" and self.mended:
            self.action = "mend"
        elif self.action == "none" and self.file.changed:
            self.action = "write"

    def _stamp_content(self) -> Optional[bytes]:
        if self.documents is None:
            return read_bytes(kubeadm_utils.STAMP)
        return stamp_text(self.wanted)

    def _plan_config(self) -> FileChange:
        path, content = self.module.params["config"], self.module.params["content"]
        if content is not None:
            return plan_file(path, content.encode())
        before = read_bytes(path)
        if before is None and self.action != "none" and not self.module.check_mode:
            raise KubeadmError(f"There is no file {path}. Set content, or write the file first.")
        return FileChange(path, before, before)

    def _plan_changes(self, applied: List[Document]) -> ReconfigurationPlan:
        was, wanted = (find_document(found, "ClusterConfiguration") for found in (copy.deepcopy(applied), self.wanted))
        version = wanted.get("kubernetesVersion")
        if was.get("kubernetesVersion") != version and self.control_plane().server_version() == version:
            # An upgrade has been made in between.
            find_document(applied, "ClusterConfiguration")["kubernetesVersion"] = version
        plan = make_plan(applied, self.wanted)
        if plan.refused:
            raise KubeadmError(plan.refusal)
        return plan

    def control_plane(self) -> ControlPlane:
        """The control plane on this host."""
        documents: List[Document] = self.documents or json.loads(self.stamp.before or "[]")
        registration = find_document(documents, "InitConfiguration").get("nodeRegistration") or {}
        name = registration.get("name") or socket.gethostname().lower()
        params = self.module.params
        return ControlPlane(self.module, params["config"], name, params["timeout"], self.kubelet_config)

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
        patch = self.kubelet_config
        if self.plan.steps or (self.attempt and self.action == "reconcile"):
            self._reconcile()
        else:
            self._write(self.file)
        if self.action == "adopt" and patch.patch:
            # kubeadm has not written this host's configuration, so the patch is not in it even where kubeadm knows it.
            self.control_plane().patch_kubelet()
        elif self.action in ("initialize", "resume") and patch.patch and not patch.patched_by_kubeadm:
            self.control_plane().patch_kubelet()
        # The stamp comes last: what fails or is interrupted before is done again by the next run.
        self._write(self.stamp)
        if self.documents is not None:
            pending_change.end()

    def _reconcile(self) -> None:
        self._write(self.file)
        try:
            self.control_plane().apply(self.plan)
        except KubeadmError:
            if self.file.changed and self.file.before is not None:
                kubeadm_utils.write_private(self.module, self.file.path, self.file.before)
            raise

    def _write(self, change: FileChange) -> None:
        if change.changed and change.after is not None:
            kubeadm_utils.write_private(self.module, change.path, change.after)

    def _initialize(self) -> None:
        params = self.module.params
        kubeadm = Kubeadm(self.module, params["timeout"])
        config = f"--config={params['config']}"
        skip: List[str] = params["skip_phases"]
        if self.action == "initialize" and "preflight" not in skip:
            ignored = list_option("ignore-preflight-errors", params["ignore_preflight_errors"])
            kubeadm.run("init", "phase", "preflight", config, *ignored)
        with kubeadm_utils.in_progress(os.path.join(kubeadm_utils.FOLDER, kubeadm_utils.INIT_MARKER)):
            if self.action == "resume":
                # kubeadm refuses what was issued for a configuration that has been corrected since.
                kubeadm_utils.remove_files(kubeadm_utils.issued_files(kubeadm_utils.FOLDER))
                kubeadm_utils.remove_files(kubeadm_utils.cut_off_files(kubeadm_utils.FOLDER))
            skipped = list_option("skip-phases", sorted({"preflight", *skip}))
            kubeadm.run("init", config, *skipped, "--skip-token-print")
            # What kubeadm does not apply is not remembered before it is done.
            applied = self.wanted if self.kubelet_config.patched_by_kubeadm else self.documents
            if applied is not None:
                self._write(plan_file(kubeadm_utils.STAMP, stamp_text(applied)))

    def result(self) -> Dict[str, Any]:
        """What the module returns."""
        return {
            "changed": self.action != "none",
            "action": self.action,
            "mended": self.mended,
            "changes": self.plan.paths,
            "steps": self.plan.steps,
            "diff": diffs([self.file]) + [diff_of_mended(path) for path in self.mended],
        }


def main() -> None:
    """Initialize a control plane, or apply what has changed."""
    module = AnsibleModule(
        {
            "content": {"type": "str"},
            "config": {"type": "path", "default": kubeadm_utils.CONFIG},
            **kubeadm_utils.COMMON_OPTIONS,
        },
        supports_check_mode=True,
    )
    try:
        initialization = Initialization(module)
        if initialization.action == "adopt":
            module.warn(ADOPTED)
        for warning in initialization.plan.warnings:
            module.warn(warning)
        if initialization.action != "none" and not module.check_mode:
            initialization.apply()
        module.exit_json(**initialization.result())
    except KubeadmError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
