# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration that a node is given, what of it was applied before, and what is due between the two.

What was applied is remembered in a file on the host (kubeadm.STAMP), and what of a change was begun in another one
(pending_change). Initializing a control plane and joining a host share this.
"""

from __future__ import annotations

import os
from typing import List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import plan_file, read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import (
    kubeadm,
    losses,
    pending_change,
    rollback,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import KubeadmError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubelet_configuration import (
    KubeletConfig,
    read_stamp,
    stamp_text,
    with_patch,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.reconcile import (
    ARGUMENTS,
    NOTHING,
    Document,
    ReconfigurationPlan,
    kubelet_arguments,
    make_plan,
    with_steps,
)


class AppliedConfiguration:
    """A node's configuration as it is given and as it was applied.

    Attributes:
        documents: kubeadm's documents as they are given; none where the option is left out.
        wanted: the same, with what this host's kubelet has beside them.
        kubelet: the file with the configuration of this host's kubelet.
        stamp: what is remembered as applied, and what is to be.
        attempt: a change that an earlier run has begun and not ended.
    """

    def __init__(self, module: AnsibleModule) -> None:
        """Read what was applied; nothing is changed.

        Args:
            module: has the options documents and kubelet_patch.
        """
        self.module = module
        self.is_given = module.params["documents"] is not None
        self.documents: List[Document] = module.params["documents"] or []
        patch = module.params["kubelet_patch"]
        self.wanted = with_patch(self.documents, patch)
        path = os.path.join(rollback.KUBELET_FOLDER, "config.yaml")
        self.kubelet = KubeletConfig(module, path, self.documents, patch)
        content = stamp_text(self.wanted) if self.is_given else read_bytes(kubeadm.STAMP)
        self.stamp = plan_file(kubeadm.STAMP, content)
        self.attempt = pending_change.read() if self.is_given else None

    @property
    def before(self) -> List[Document]:
        """What was applied before."""
        return read_stamp(self.stamp.before)

    def action(self) -> str:
        """What is due on a node that runs: reconcile, adopt one that was set up by other means, or none."""
        if not (self.stamp.changed or self.attempt):
            return "none"
        return "adopt" if self.stamp.before is None else "reconcile"

    def plan(self, applied: List[Document]) -> ReconfigurationPlan:
        """What the difference to what was applied calls for.

        Raises:
            KubeadmError: if something of it is refused.
        """
        plan = make_plan(applied, self.wanted)
        if plan.refused:
            raise KubeadmError(plan.refusal)
        # How much of these steps was done before one failed, or was cut off, is not known.
        return with_steps(plan, self.attempt.steps if self.attempt else [])

    def adoption_plan(self) -> ReconfigurationPlan:
        """What a node that was set up by other means is given at once: arguments that its kubelet lacks.

        Where there is no file of kubeadm's with them, that is made good as what is lost (losses).
        """
        text = (read_bytes(os.path.join(rollback.KUBELET_FOLDER, "kubeadm-flags.env")) or b"").decode(
            "utf-8", "replace"
        )
        plan = NOTHING
        if losses.sets_flags(text) and losses.lacking_flags(text, kubelet_arguments(self.documents)):
            plan = ReconfigurationPlan(["nodeRegistration.kubeletExtraArgs"], [], [ARGUMENTS], [])
        return with_steps(plan, self.attempt.steps if self.attempt else [])

    def remember(self, applied: List[Document]) -> None:
        """Write down what has been applied."""
        change = plan_file(self.stamp.path, stamp_text(applied))
        if self.is_given and change.changed and change.after is not None:
            kubeadm.write_private(self.module, change.path, change.after)

    def end_attempt(self) -> None:
        """Forget what was begun: all of it has been applied."""
        if self.is_given:
            pending_change.end()
