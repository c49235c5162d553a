# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module out_of_service: free the pods and volumes of nodes whose hosts are powered off."""

from __future__ import annotations

DOCUMENTATION = r"""
module: out_of_service
short_description: Frees pods and volumes of nodes whose hosts are powered off
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - A host that is powered off ends no pods, and detaches no volumes. Kubernetes does not do so for it either, since a
    host that is only cut off may go on writing. So somebody has to say that it is off; whoever calls this module does.
  - Cordons the nodes, deletes their pods at once, each by its UID, and waits until no VolumeAttachment is left. Static
    pods and those of DaemonSets stay, and go with the Node.
  - From Kubernetes 1.24 on, the nodes get the taint C(node.kubernetes.io/out-of-service), so that their volumes are
    detached at once. Before, the controller manager does so six minutes after the pods are gone.
  - A node whose kubelet reports is refused. Before anything changes, its lease is watched for up to half a minute.
  - Runs on a host with C(kubectl) and an administrator's kubeconfig.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.full
  - groundwork.kubernetes.kubeconfig
attributes:
  check_mode:
    details:
      - Refuses what would be refused, but does not watch leases.
      - Where there is no cluster to ask, it fails, as the run would.
options:
  name:
    description:
      - The nodes, by the names that C(kubectl get nodes) shows.
      - An empty or unknown name is refused.
    type: list
    elements: str
    required: true
  timeout:
    description: Seconds until pods are gone and volumes are detached.
    type: int
    default: 900
  allow_bare_pods:
    description: Whether pods may be lost that no controller starts again.
    type: bool
    default: false
requirements:
  - kubectl 1.20 or later
seealso:
  - module: groundwork.kubernetes.drain
  - name: Non-graceful node shutdown
    description: The documentation of Kubernetes.
    link: https://kubernetes.io/docs/concepts/cluster-administration/node-shutdown/
"""

EXAMPLES = r"""
- name: Let a database start elsewhere whose host is broken and powered off
  groundwork.kubernetes.out_of_service:
    name: worker-1
"""

RETURN = r"""
plan:
  description:
    - What was to be done, or would be, in the form that M(groundwork.kubernetes.show) takes. Nodes on
      which nothing is to be done are not in it. The host is the node's name.
  returned: always, where the cluster was asked
  type: list
  elements: dict
  sample:
    - host: worker-1
      subject: out of service
      before: 1 pod to go, 1 volume attached
      after: tainted, pods deleted, volumes detached
      evicts: [default/db-0]
      restarts: []
      disrupts: its kubelet is silent since 2026-11-27T11:00:00Z
rows:
  description: What came of it, in the form that M(groundwork.kubernetes.show) takes.
  returned: always, where the cluster was asked
  type: list
  elements: dict
  sample:
    - host: worker-1
      subject: out of service
      before: 1 pod to go, 1 volume attached
      after: no pods, no volumes attached
      seconds: 31.5
      result: changed
reasons:
  description: Everything that forbids it, or what was still there when the time was over.
  returned: failure
  type: list
  elements: str
  sample: ["volume pv-1 is still attached to worker-1 (VolumeAttachment csi-0f)"]
"""

import time
from dataclasses import asdict
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api import require_cluster
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api_calls import Api, ApiError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import (
    KUBECONFIG_OPTION,
    Kubectl,
    KubectlError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.leases import reporting
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.out_of_service import (
    leave,
    make_plan,
    read,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.diff import diff_lines
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.plan import ResultRow

ARGUMENTS: Dict[str, Any] = {
    "name": {"type": "list", "elements": "str", "required": True},
    "timeout": {"type": "int", "default": 900},
    "allow_bare_pods": {"type": "bool", "default": False},
    "kubeconfig": KUBECONFIG_OPTION,
}
# What reading and the watch of leases may take beside the wait.
SPARE = 300


class OutOfService:
    """One run over one set of options."""

    def __init__(self, module: AnsibleModule, api: Api) -> None:
        self.module, self.api = module, api
        self.names: List[str] = [name.strip() for name in module.params["name"]]
        self.result: Dict[str, Any] = {"changed": False}

    def fail(self, message: str, reasons: List[str]) -> None:
        """End with everything that is wrong."""
        self.module.fail_json(msg="\n".join([message, *reasons]), reasons=reasons, **self.result)

    def run(self) -> None:
        """Plan, refuse, or free them."""
        began = time.monotonic()
        seen = read(self.api, self.names)
        plan = make_plan(seen, self.module.params["allow_bare_pods"])
        self.result.update(plan=[item.describe() for item in plan.items], rows=[])
        if plan.refused:
            self.fail("Nothing was changed.", list(plan.refused))
        self.result["changed"] = bool(plan.items)
        self.result["diff"] = diff_lines(
            "nodes",
            [line for item in plan.items for line in [f"{item.host} {item.before}", *item.evicts]],
            [f"{item.host} {item.after}" for item in plan.items],
        )
        reasons: List[str] = []
        due = [item.host for item in plan.items]
        if due and not self.module.check_mode:
            self.watch([node for node in seen.view.drained if node["metadata"]["name"] in due])
            reasons = leave(self.api, due, self.module.params["timeout"])
        self.result["rows"] = [
            asdict(
                ResultRow(
                    item.host,
                    item.subject,
                    item.before,
                    "" if reasons else "no pods, no volumes attached",
                    round(time.monotonic() - began, 1),
                    "failed" if reasons else "changed",
                )
            )
            for item in plan.items
        ]
        if reasons:
            self.fail(f"{', '.join(due)} still has pods or volumes.", reasons)

    def watch(self, nodes: List[Dict[str, Any]]) -> None:
        """Refuse where a kubelet reports."""
        alive = reporting(Kubectl(self.module, self.module.params["kubeconfig"]), nodes)
        if alive:
            self.fail(
                "Nothing was changed.",
                [f"the kubelet of {name} reports, so its host is not powered off" for name in alive],
            )


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    require_cluster(module, params["kubeconfig"])
    try:
        with Api(module, params["kubeconfig"], params["timeout"] + SPARE) as api:
            job = OutOfService(module, api)
            job.run()
            module.exit_json(**job.result)
    except (ApiError, KubectlError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
