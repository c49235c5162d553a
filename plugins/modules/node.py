# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels, annotations, taints and scheduling of nodes, and their removal."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node
short_description: Labels, annotations, taints and scheduling of Kubernetes nodes, and their removal
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Sets what is named and leaves everything else on the node as it is.
  - Handles one node, or many in one call. If a node is missing, no node is changed.
  - A taint is identified by its key and its effect, as in Kubernetes.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.full
  - groundwork.kubernetes.kubeconfig
attributes:
  check_mode:
    details:
      - A node that is not registered yet counts as one that would be changed.
      - Where the host has joined a cluster that cannot be asked, nothing is known. This is a warning, and no change.
options:
  state:
    description:
      - V(present) sets what is named on nodes that are registered.
      - V(absent) removes the Node object, so that the cluster forgets the host and moves its pods. The host itself is
        left as it is. A kubelet that still runs on it registers it again when it restarts.
      - A node whose kubelet reports is not removed, unless O(force). The module watches the node's lease for up to half
        a minute, and fails if it is renewed.
    type: str
    choices: [present, absent]
    default: present
  name:
    description: The node's name. Mutually exclusive with O(nodes).
    type: str
  labels: &labels
    description: Labels by key; null removes one.
    type: dict
    default: {}
  annotations: &annotations
    description: Annotations by key; null removes one.
    type: dict
    default: {}
  taints: &taints
    description: Taints that the node has.
    type: list
    elements: dict
    default: []
    suboptions: &taint
      key:
        description: The taint's key.
        type: str
        required: true
      value:
        description: The taint's value. A number or a boolean becomes text, as in O(labels).
        type: raw
      effect:
        description: What it does to pods that do not tolerate it.
        type: str
        choices: [NoSchedule, PreferNoSchedule, NoExecute]
        required: true
  taints_absent: &taints_absent
    description: Taints that the node does not have.
    type: list
    elements: dict
    default: []
    suboptions:
      key:
        description: The taint's key.
        type: str
        required: true
      effect:
        description: The taint's effect; any without it.
        type: str
        choices: [NoSchedule, PreferNoSchedule, NoExecute]
  unschedulable: &unschedulable
    description: Whether new pods are kept away (cordon) or not (uncordon). Left as it is without this option.
    type: bool
  nodes:
    description: Several nodes, each with options of its own.
    type: list
    elements: dict
    suboptions:
      name:
        description: The node's name.
        type: str
        required: true
      labels: *labels
      annotations: *annotations
      taints: *taints
      taints_absent: *taints_absent
      unschedulable: *unschedulable
  force:
    description: With O(state=absent), whether a node is removed although its kubelet reports.
    type: bool
    default: false
seealso:
  - module: groundwork.kubernetes.node_info
  - name: Taints and tolerations
    description: The documentation of Kubernetes.
    link: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
"""

EXAMPLES = r"""
- name: Keep a node for databases
  groundwork.kubernetes.node:
    name: worker-3
    labels:
      example.org/pool: database
      example.org/old: null
    taints:
      - key: example.org/pool
        value: database
        effect: NoSchedule

- name: Forget a node whose host is gone
  groundwork.kubernetes.node:
    name: worker-3
    state: absent

- name: Cordon two nodes
  groundwork.kubernetes.node:
    nodes:
      - name: worker-1
        unschedulable: true
      - name: worker-2
        unschedulable: true
"""

RETURN = r"""
nodes:
  description:
    - The nodes as they are, or would be, afterwards. Has the same form as in M(groundwork.kubernetes.node_info).
    - In check mode, without those that are not registered.
  returned: success
  type: list
  elements: dict
  sample: [{name: worker-1, labels: {kubernetes.io/os: linux}, taints: [], unschedulable: true, ready: true}]
reporting:
  description: Names of the nodes that are not removed, as their kubelets report.
  returned: failure, with O(state=absent), because of them
  type: list
  elements: str
  sample: [worker-1]
known:
  description:
    - Whether anything is known of the nodes. Not in check mode on a host whose cluster cannot be asked.
    - A run that looks in check mode before it acts fails by it, as what is not known is not unchanged.
  returned: success
  type: bool
  sample: true
changed_nodes:
  description: Names of the nodes that were changed.
  returned: success
  type: list
  elements: str
  sample: [worker-1]
"""

import copy
import json
from typing import Any, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api import cluster_missing, not_known
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import (
    KUBECONFIG_OPTION,
    Kubectl,
    KubectlError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.leases import reporting
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.node import (
    EFFECTS,
    DesiredNode,
    NodeError,
    Object,
    merge_patch,
    state,
    summary,
    wanted_state,
)

ATTEMPTS = 5
# A taint's key is no secret.
KEY: Dict[str, Any] = {"type": "str", "required": True, "no_log": False}
SETTINGS: Dict[str, Any] = {
    "labels": {"type": "dict", "default": {}},
    "annotations": {"type": "dict", "default": {}},
    "taints": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "key": KEY,
            # Text, but Ansible would write a boolean as Python does.
            "value": {"type": "raw"},
            "effect": {"type": "str", "choices": list(EFFECTS), "required": True},
        },
    },
    "taints_absent": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"key": KEY, "effect": {"type": "str", "choices": list(EFFECTS)}},
    },
    "unschedulable": {"type": "bool"},
}
ARGUMENTS: Dict[str, Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "name": {"type": "str"},
    **SETTINGS,
    "nodes": {"type": "list", "elements": "dict", "options": {"name": KEY, **SETTINGS}},
    "force": {"type": "bool", "default": False},
    "kubeconfig": KUBECONFIG_OPTION,
}


def read(kubectl: Kubectl, desired: List[DesiredNode]) -> Dict[str, Object]:
    """The registered nodes by name."""
    if len(desired) == 1:
        node = kubectl.get("nodes", desired[0].name)
        return {desired[0].name: node} if node else {}
    return {node["metadata"]["name"]: node for node in kubectl.get("nodes")["items"]}


def fulfil(kubectl: Kubectl, node: Object, wanted_node: DesiredNode) -> Object:
    """Patch a node, again if something else changed it in between; the node as it is then.

    Raises:
        KubectlError: if the API server refuses the patch.
    """
    for attempt in range(1, ATTEMPTS + 1):
        patch = merge_patch(node, wanted_node)
        if patch is None:
            break
        try:
            node = json.loads(
                kubectl.run(
                    "patch",
                    "node",
                    wanted_node.name,
                    "--type=merge",
                    f"--patch={json.dumps(patch)}",
                    "--field-manager=groundwork",
                    "--output=json",
                )
            )
        except KubectlError as error:
            if "(Conflict)" not in error.stderr or attempt == ATTEMPTS:
                raise
            node = kubectl.get("nodes", wanted_node.name) or node
    return node


def foreseen(node: Object, wanted_node: DesiredNode) -> Object:
    """A node as it would be once it is as desired."""
    after = wanted_state(state(node, wanted_node), wanted_node)
    result = copy.deepcopy(node)
    for kind, wanted in (("labels", wanted_node.labels), ("annotations", wanted_node.annotations)):
        kept = {key: value for key, value in (result["metadata"].get(kind) or {}).items() if key not in wanted}
        result["metadata"][kind] = {**kept, **after.get(kind, {})}
    result.setdefault("spec", {}).update({key: after[key] for key in ("taints", "unschedulable") if key in after})
    return result


def desired_nodes(params: Dict[str, Any]) -> List[DesiredNode]:
    """What the options ask for.

    Raises:
        NodeError: if they contradict each other.
    """
    desired = (
        [DesiredNode.of(options) for options in params["nodes"]]
        if params["nodes"] is not None
        else [DesiredNode.of(params)]
    )
    names = [wanted_node.name for wanted_node in desired]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise NodeError(f"nodes names {', '.join(twice)} more than once")
    return desired


def diff(name: str, before: Object, after: Object) -> Dict[str, str]:
    """One node's change in the form Ansible's diff mode shows."""
    texts = [json.dumps(item, indent=2, sort_keys=True) + "\n" if item else "" for item in (before, after)]
    return {"before_header": f"node {name}", "after_header": f"node {name}", "before": texts[0], "after": texts[1]}


def remove(module: AnsibleModule, desired: List[DesiredNode]) -> Dict[str, Any]:
    """The module's result for nodes that shall not be there."""
    missing = cluster_missing(module, module.params["kubeconfig"])
    if missing and not module.check_mode:
        raise NodeError(f"{missing}; run this task on a control plane")
    kubectl: Optional[Kubectl] = None if missing else Kubectl(module, module.params["kubeconfig"])
    nodes = read(kubectl, desired) if kubectl and desired else {}
    gone = [wanted_node.name for wanted_node in desired if wanted_node.name in nodes]
    alive = reporting(kubectl, [nodes[name] for name in gone]) if kubectl and not module.params["force"] else []
    if alive:
        module.fail_json(
            msg=f"The kubelet of {', '.join(alive)} reports, so the host lives and its Node is not removed. Nothing "
            "was changed. Stop the kubelet if the host is to leave the cluster (kubectl drain it first), or set force",
            reporting=alive,
        )
    result: Dict[str, Any] = {"changed": bool(gone), "known": True, "changed_nodes": gone, "nodes": []}
    if module._diff:
        result["diff"] = [diff(name, summary(nodes[name]), {}) for name in gone]
    if kubectl and gone and not module.check_mode:
        kubectl.run("delete", "nodes", *gone, "--ignore-not-found", "--wait=false")
    return result


def run(module: AnsibleModule) -> Dict[str, Any]:
    """The module's result."""
    desired = desired_nodes(module.params)
    if not_known(module, module.params["kubeconfig"]):
        asked = ", ".join(wanted_node.name for wanted_node in desired)
        said = f"The cluster cannot be asked, so it is not known what would change on {asked}"
        return {"changed": False, "known": False, "changed_nodes": [], "nodes": [], "msg": said}
    if module.params["state"] == "absent":
        return remove(module, desired)
    missing = cluster_missing(module, module.params["kubeconfig"])
    if missing and not module.check_mode:
        raise NodeError(f"{missing}; run this task on a control plane")
    kubectl: Optional[Kubectl] = None if missing else Kubectl(module, module.params["kubeconfig"])
    nodes = read(kubectl, desired) if kubectl and desired else {}
    absent = [wanted_node.name for wanted_node in desired if wanted_node.name not in nodes]
    if absent and not module.check_mode:
        raise NodeError(
            f"not registered in the cluster: {', '.join(absent)}; compare with kubectl get nodes. "
            "A node's name is what the kubelet registered, in lower case"
        )
    empty: Object = {"metadata": {}}
    changed = [
        wanted_node
        for wanted_node in desired
        if merge_patch(nodes.get(wanted_node.name, {"metadata": {"resourceVersion": ""}}), wanted_node)
    ]
    names = [wanted_node.name for wanted_node in changed]
    result: Dict[str, Any] = {"changed": bool(changed), "known": True, "changed_nodes": names}
    if module._diff:
        before = {wanted_node.name: state(nodes.get(wanted_node.name, empty), wanted_node) for wanted_node in changed}
        result["diff"] = [
            diff(wanted_node.name, before[wanted_node.name], wanted_state(before[wanted_node.name], wanted_node))
            for wanted_node in changed
        ]
    for wanted_node in changed:
        if module.check_mode and wanted_node.name in nodes:
            nodes[wanted_node.name] = foreseen(nodes[wanted_node.name], wanted_node)
        elif kubectl and not module.check_mode:
            nodes[wanted_node.name] = fulfil(kubectl, nodes[wanted_node.name], wanted_node)
    result["nodes"] = [summary(nodes[wanted_node.name]) for wanted_node in desired if wanted_node.name in nodes]
    return result


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        mutually_exclusive=[("name", "nodes")],
        required_one_of=[("name", "nodes")],
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except (NodeError, KubectlError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
