# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Join a host to a cluster and keep its kubelet as it is configured."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_join
version_added: 0.1.0
short_description: Join a host to a cluster and keep its kubelet as it is configured
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Runs C(kubeadm join) on a host that is not part of a cluster yet.
  - While C(kubeadm join) works there is a marker file, C(/etc/kubernetes/.kubeadm-join-in-progress).
    Where an earlier run was interrupted, it is still there. This module then stops the kubelet, removes the files
    that the interrupted join has written, and joins afresh. Images, volumes and the network's files stay.
  - A control plane that has joined is waited for until its own API server is ready.
  - A join that fails because the kubelet took longer than kubeadm waits for is taken back and made once more.
  - With O(control_plane_config) the host joins as a control plane. Where that was interrupted, C(kubeadm reset) runs
    first and etcd's data on the host is removed, so the host's member must have been removed from etcd before. A member
    that still works is left alone, and the module fails.
  - On a worker that has joined, a changed configuration or changed arguments of the kubelet are applied.
    The kubelet is proven healthy then. If it does not come up, or ends three times, its former settings are put back;
    where the run is cut off in between, by the next one.
  - A worker that has joined by other means is left alone at first, but for O(kubelet_patch).
    Its configuration is taken to be the one that is given, and later changes of that are applied.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.no_diff]
options:
  config:
    description:
      - kubeadm's C(JoinConfiguration) as YAML, as the filter P(groundwork.kubernetes.kubeadm_config#filter) gives it.
      - It may hold the key of certificates, so it is never shown. kubeadm gets it in a temporary file that only root
        can read.
      - Only needed to join. A host that has joined can do without.
    type: str
  discovery_kubeconfig:
    description:
      - The kubeconfig with which the host finds the cluster, trusts it and asks to join, as
        M(groundwork.kubernetes.kubeadm_token) gives it. It holds a token, so it is never shown.
      - Lies in C(/etc/kubernetes/kubeadm-discovery.conf), which only root can read, while the host joins.
        O(config) names that file as C(discovery.file.kubeConfigPath).
      - Unlike with C(discovery.bootstrapToken), kubeadm need not wait for the cluster to sign with the token, which
        a new cluster only does after a while.
    type: str
  control_plane_config:
    description:
      - The configuration with which the module M(groundwork.kubernetes.kubeadm_init) keeps the control plane later, as
        YAML. It is written to C(/etc/kubernetes/kubeadm.yaml), which only root can read.
      - Given, the host joins as a control plane, and O(config) must hold C(controlPlane).
    type: str
  documents:
    description:
      - The C(JoinConfiguration), and the C(KubeletConfiguration) that the control planes store in the cluster, as data
        in the form of C(kubeadm.k8s.io/v1beta4).
      - For a control plane the documents that M(groundwork.kubernetes.kubeadm_init) gets.
      - What was applied is remembered in C(/var/lib/groundwork/kubeadm.json), to tell later what has changed.
        If left out, changes are not applied to a worker that has joined.
      - Must not hold C(discovery), which is a secret and of no use after the join.
    type: list
    elements: dict
  kubelet_patch:
    description:
      - What this host's C(KubeletConfiguration) differs from the cluster's in O(documents), as the filter
        P(groundwork.kubernetes.kubelet_patch#filter) gives it. A key that is null is taken out.
      - From Kubernetes 1.25 on kubeadm applies it, where O(documents) name C(/etc/kubernetes/patches/kubelet) as the
        folder of patches, into which this module writes it, or for a control plane a folder that holds it as
        C(kubeletconfiguration#host+merge.json).
      - Else it is merged into the file that kubeadm has written, and the kubelet restarts.
    type: dict
    default: {}
  skip_phases:
    description:
      - Phases of C(kubeadm join) to leave out. C(kubeadm join --help) lists them.
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
  - module: groundwork.kubernetes.kubeadm_token
  - module: groundwork.kubernetes.kubeadm_info
  - plugin: groundwork.kubernetes.kubeadm_config
    plugin_type: filter
  - name: kubeadm join
    description: The command and its phases.
    link: https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-join/
"""

EXAMPLES = r"""
- name: Join the cluster
  groundwork.kubernetes.kubeadm_join:
    config: '{{ [document | combine(discovery)] | groundwork.kubernetes.kubeadm_config(kubernetes_version) }}'
    discovery_kubeconfig: '{{ join.kubeconfig }}'
    documents: ['{{ document }}']
  vars:
    document:
      kind: JoinConfiguration
      nodeRegistration:
        name: '{{ inventory_hostname }}'
    discovery:
      discovery:
        file:
          kubeConfigPath: /etc/kubernetes/kubeadm-discovery.conf
"""

RETURN = r"""
action:
  description:
    - What was done, or would be in check mode.
    - V(join), V(resume) an interrupted join, V(reconcile) what runs with a changed configuration,
      V(adopt) what was joined by other means, or V(none).
  returned: success
  type: str
  sample: join
changes:
  description: The fields that differ from what was applied before.
  returned: success
  type: list
  elements: str
  sample: [KubeletConfiguration.maxPods]
"""

import contextlib
import json
import os
import shutil
import socket
import time
from typing import Iterator, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import Kubectl
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.own_api_server import OwnApi
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import FileChange, plan_file, read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import probe
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import (
    ETCD,
    NodeState,
    kubeconfig,
    manifest,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import kubeadm as kubeadm_utils
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import pending_change, rollback
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import (
    Kubeadm,
    KubeadmError,
    list_option,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubelet_configuration import (
    PATCH_FILE,
    PATCH_FOLDER,
    KubeletConfig,
    kubelet_patches,
    shown,
    stamp_text,
    with_patch,
    without,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.reconcile import (
    ARGUMENTS,
    KUBELET,
    NOTHING,
    Document,
    ReconfigurationPlan,
    etcd_data,
    find_document,
    make_plan,
    replace_arguments,
    with_steps,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.rollback import (
    Kubelet,
    put_back_interrupted,
    wait_for,
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
ADOPTED = (
    "This host has joined by other means. Its configuration is taken to be the one given, without having been "
    "compared. Later changes are applied."
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


NOT_STORED = (
    "The cluster does not store the kubelet's configuration as it is wanted yet ({}). Run the play of the control "
    "planes first. If it has run, see whether the kubelet of this version has such fields."
)


class Join:
    """The configuration given, the one that was applied, and what is to be done about it."""

    def __init__(self, module: AnsibleModule) -> None:
        """Decide; nothing is changed.

        Raises:
            KubeadmError: if there is nothing that could be done, or the changes are refused.
        """
        self.module = module
        state = kubeadm_utils.settled_state(module, kubeadm_utils.FOLDER, module.params["timeout"])
        self.action = choose_action(state)
        self.documents: List[Document] = module.params["documents"] or []
        if any("discovery" in document for document in self.documents):
            raise KubeadmError("documents must not hold discovery, which is a secret; give it in config only.")
        self.as_control_plane = module.params["control_plane_config"] is not None
        if self.action == "resume" and state.role == "control_plane" and not self.as_control_plane:
            raise KubeadmError(
                "The join of this host as a control plane was begun and never finished. Run the play of the control "
                "planes on this host again."
            )
        self._refuse_other_roles(state)
        patch = module.params["kubelet_patch"]
        self.wanted = with_patch(self.documents, patch)
        path = os.path.join(rollback.KUBELET_FOLDER, "config.yaml")
        self.kubelet_config = KubeletConfig(module, path, self.documents, patch)
        self.stamp = self._plan_stamp()
        self.applied: List[Document] = json.loads(self.stamp.before or "[]")
        self.plan: ReconfigurationPlan = NOTHING
        if self.action != "none" and module.params["config"] is None:
            raise KubeadmError("This host has not joined yet; set config to join it.")
        # A control plane's configuration is kept by the module kubeadm_init.
        self.attempt = pending_change.read() if module.params["documents"] is not None else None
        if self.action == "none" and state.role == "worker" and (self.stamp.changed or self.attempt):
            self.action = "adopt" if self.stamp.before is None else "reconcile"
        if self.action == "reconcile":
            steps = self.attempt.steps if self.attempt else []
            self.plan = with_steps(make_plan(self.applied, self.wanted), steps)
        if self.plan.refused:
            raise KubeadmError(self.plan.refusal)

    def _refuse_other_roles(self, state: NodeState) -> None:
        if state.interrupted:
            return
        if self.as_control_plane and state.role == "worker":
            raise KubeadmError(
                "This host is a node of a cluster already, so it does not join as a control plane. If it was one, put "
                "back what was moved away: its manifests, kubeconfigs and etcd's data. If it is a worker, take it out "
                "of the group of the control planes."
            )
        if not self.as_control_plane and kubeconfig(kubeadm_utils.FOLDER, "kubelet") in state.missing:
            raise KubeadmError(
                f"This host is to be a worker, and has {', '.join(state.traces)} of a control plane. If it is one, put "
                "back what is missing and move the host to the group of the control planes. If its cluster is gone, "
                "move these files away."
            )

    def _plan_stamp(self) -> FileChange:
        if self.module.params["documents"] is None:
            before = read_bytes(kubeadm_utils.STAMP)
            return FileChange(kubeadm_utils.STAMP, before, before)
        return plan_file(kubeadm_utils.STAMP, stamp_text(self.wanted))

    def apply(self) -> None:
        """Do what was decided.

        Raises:
            KubeadmError: if something fails.
        """
        if self.action in ("join", "resume"):
            # What was begun on the host belongs to a node that is no more.
            pending_change.end()
            with kubeadm_utils.in_progress(os.path.join(kubeadm_utils.FOLDER, kubeadm_utils.JOIN_MARKER)):
                if self.action == "resume":
                    self._clear()
                if not self.as_control_plane:
                    self.kubelet_config.put_patch_file(PATCH_FOLDER)
                self._join()
                if self.as_control_plane:
                    kubeadm_utils.write_private(
                        self.module, kubeadm_utils.CONFIG, self.module.params["control_plane_config"].encode()
                    )
                self._write_stamp(self._applied_by_join())
            if self.as_control_plane:
                # Not within: a control plane that has joined is not taken back because it is slow.
                api = OwnApi(self.module, kubeadm_utils.FOLDER)
                wait_for(api.ready, "The host has joined, and its API server is not ready")
            if not self.kubelet_config.patch or self.kubelet_config.patched_by_kubeadm:
                return
            self._patch_kubelet()
        else:
            self._reconcile()
        self._write_stamp(self.wanted)
        if self.module.params["documents"] is not None:
            pending_change.end()

    def _reconcile(self) -> None:
        """Apply what has changed on a worker that has joined, after what an earlier run was cut off in is put back."""
        put_back_interrupted(self.module)
        try:
            if self.action == "adopt" and self.kubelet_config.patch:
                self._patch_kubelet()
            elif KUBELET in self.plan.steps or ARGUMENTS in self.plan.steps:
                self._reconfigure()
        except KubeadmError:
            # The former settings are back.
            pending_change.end()
            raise

    def _write_stamp(self, applied: List[Document]) -> None:
        if self.module.params["documents"] is not None:
            kubeadm_utils.write_private(self.module, self.stamp.path, stamp_text(applied))

    def _applied_by_join(self) -> List[Document]:
        """What kubeadm's join has applied; the rest is applied afterwards, or by a later run."""
        patched = self.kubelet_config.patched_by_kubeadm
        missing = self.kubelet_config.not_stored(patched)
        if missing:
            self.module.warn(NOT_STORED.format(shown(missing)))
        applied = self.wanted if patched else self.documents
        kind = "KubeletConfiguration"
        return [without(document, missing) if document.get("kind") == kind else document for document in applied]

    def _clear(self) -> None:
        """Take back what an interrupted join has done."""
        if self.as_control_plane:
            self._reset()
            return
        systemctl = self.module.get_bin_path("systemctl", required=True)
        rc, _out, err = self.module.run_command([systemctl, "stop", "kubelet"], expand_user_and_vars=False)
        if rc != 0:
            raise KubeadmError(f"The kubelet cannot be stopped before the join is resumed: {err.strip()}")
        kubeadm_utils.remove_files([os.path.join(kubeadm_utils.FOLDER, name) for name in WORKER_FILES])

    def _reset(self) -> None:
        """Take back what an interrupted join of a control plane has done, but for its member of etcd.

        Raises:
            KubeadmError: if that member still works, so that it was not removed.
        """
        data = etcd_data(self.documents)
        asked = probe((read_bytes(manifest(kubeadm_utils.FOLDER, ETCD)) or b"").decode("utf-8", "replace"))
        if asked and not answer(asked):
            raise KubeadmError(
                f"The interrupted join of this host is not taken back, as its member of etcd still works ({asked}). "
                "Remove the member first; the play of the control planes does so."
            )
        registration = find_document(self.documents, "InitConfiguration").get("nodeRegistration") or {}
        socket_option = [f"--cri-socket={registration['criSocket']}"] if registration.get("criSocket") else []
        kubeadm = Kubeadm(self.module, self.module.params["timeout"])
        kubeadm.run("reset", "--force", "--skip-phases=remove-etcd-member", *socket_option)
        if data:
            shutil.rmtree(os.path.join(data, "member"), True)

    def _join(self) -> None:
        """Run kubeadm join; wait until the API server has noticed that the kubelet of the node before has stopped."""
        params = self.module.params
        kubeadm = Kubeadm(self.module, params["timeout"])
        options = list_option("ignore-preflight-errors", params["ignore_preflight_errors"])
        options += list_option("skip-phases", params["skip_phases"])
        deadline = time.monotonic() + STALE_NODE_WAIT
        # A control plane is not joined again by itself: its member of etcd would have to go first.
        again = not self.as_control_plane
        while True:
            try:
                with kubeadm_utils.private_file(self.module, params["config"]) as path, self._discovery():
                    kubeadm.run("join", f"--config={path}", *options)
                return
            except KubeadmError as error:
                if again and SLOW_KUBELET in str(error):
                    again, deadline = False, time.monotonic() + STALE_NODE_WAIT
                elif STALE_NODE not in str(error) or time.monotonic() >= deadline:
                    raise
            time.sleep(STALE_NODE_PAUSE)
            self._clear()

    @contextlib.contextmanager
    def _discovery(self) -> Iterator[None]:
        """Where the cluster is, for as long as kubeadm needs it."""
        content = self.module.params["discovery_kubeconfig"]
        path = os.path.join(kubeadm_utils.FOLDER, DISCOVERY_FILE)
        try:
            if content:
                kubeadm_utils.write_private(self.module, path, content.encode())
            yield
        finally:
            kubeadm_utils.remove_files([path])

    def _kubelet(self) -> Kubelet:
        kind = "InitConfiguration" if self.as_control_plane else "JoinConfiguration"
        registration = find_document(self.documents, kind).get("nodeRegistration") or {}
        kubeconfig = os.path.join(kubeadm_utils.FOLDER, "kubelet.conf")
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
                self._write_arguments(kubelet.arguments)
            if self.attempt or ARGUMENTS in self.plan.steps or read_bytes(kubelet.config) != before:
                kubelet.restart()

    def _write_kubelet_config(self) -> None:
        """Write the file from what the cluster stores and what this host has beside it."""
        config = self.kubelet_config
        config.put_patch_file(PATCH_FOLDER)
        # kubeadm has this option where it knows such patches.
        patches = [f"--patches={config.folder}"] if kubelet_patches(config.folder) else []
        kubeconfig = f"--kubeconfig={os.path.join(kubeadm_utils.FOLDER, 'kubelet.conf')}"
        Kubeadm(self.module, self.module.params["timeout"]).run(
            "upgrade", "node", "phase", "kubelet-config", kubeconfig, *patches
        )
        if config.patch and not config.patched_by_kubeadm:
            config.merge_patch()
        missing = config.not_stored(True, find_document(self.applied, "KubeletConfiguration"))
        if missing:
            error = KubeadmError(NOT_STORED.format(shown(missing)))
            error.untouched = True
            raise error

    def _write_arguments(self, path: str) -> None:
        before, after = (
            (find_document(documents, "JoinConfiguration").get("nodeRegistration") or {}).get("kubeletExtraArgs") or []
            for documents in (self.applied, self.documents)
        )
        text = replace_arguments((read_bytes(path) or b"").decode(), before, after)
        kubeadm_utils.write_private(self.module, path, text.encode())


def main() -> None:
    """Join a host, or apply what has changed."""
    module = AnsibleModule(
        {
            "config": {"type": "str", "no_log": True},
            "discovery_kubeconfig": {"type": "str", "no_log": True},
            "control_plane_config": {"type": "str"},
            **kubeadm_utils.COMMON_OPTIONS,
        },
        supports_check_mode=True,
    )
    try:
        join = Join(module)
        if join.action == "adopt":
            module.warn(ADOPTED)
        if join.action != "none" and not module.check_mode:
            join.apply()
        module.exit_json(changed=join.action != "none", action=join.action, changes=join.plan.paths)
    except KubeadmError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
