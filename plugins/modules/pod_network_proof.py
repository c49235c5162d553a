# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods on all nodes, by which it is proven that the cluster's network works."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pod_network_proof
short_description: Pods on all nodes, by which it is proven that the cluster's network works
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - With O(state=begun), puts a pod on each node, and a Service before each, into a namespace of their own, where a
    proof is due. M(groundwork.kubernetes.port_listener) and M(groundwork.kubernetes.port_probe) then take the places of
    the pods on their nodes, and try every pair.
  - With O(state=ended), judges what they found, keeps in the cluster what is proven, and removes the namespace.
  - A proof is due when O(settings) are not those of the last one, or a node is new, where there are two nodes or more.
    The ConfigMap C(kube-system/groundwork-pod-network) keeps what was proven. One that was interrupted is due again.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
  - groundwork.kubernetes.kubeconfig
attributes:
  check_mode:
    details: Says whether a proof is due, and makes nothing.
options:
  state:
    description: Whether the proof begins or ends.
    type: str
    choices: [begun, ended]
    default: begun
  nodes:
    description: The nodes that it is about. Of those, the ones whose kubelets are silent are left out.
    type: list
    elements: str
    default: []
  joining:
    description: Nodes that a run registers before it comes here, or registers anew. In check mode they are new.
    type: list
    elements: str
    default: []
  settings:
    description: What the network is made by. A change of it makes a proof due.
    type: dict
    default: {}
  image:
    description: The image of the pods. It does nothing; that of the sandbox of pods is there on every node.
    type: str
  namespace:
    description: The namespace that the beginning returned. Required with O(state=ended).
    type: str
    default: ''
  faults:
    description: What does not work, by whom it was found. Without any, O(nodes) count as proven from then on.
    type: list
    elements: str
    default: []
  timeout:
    description: How long to wait for the pods, in seconds.
    type: int
    default: 120
seealso:
  - module: groundwork.kubernetes.cluster_verify
  - module: groundwork.kubernetes.port_probe
"""

EXAMPLES = r"""
- name: Put a pod on each node
  groundwork.kubernetes.pod_network_proof:
    nodes: [worker-1, worker-2]
    settings: {plugin: bridge, mtu: 1450}
    image: registry.k8s.io/pause:3.10
  register: result

- name: Keep what was proven
  groundwork.kubernetes.pod_network_proof:
    state: ended
    namespace: '{{ result.namespace }}'
    nodes: "{{ result.places | map(attribute='node') }}"
    settings: {plugin: bridge, mtu: 1450}
"""

RETURN = r"""
due:
  description: Why a proof is due; empty where it is not.
  returned: with O(state=begun)
  type: list
  elements: str
  sample: [node worker-2 is new]
namespace:
  description: The namespace of the pods; empty where none were made.
  returned: with O(state=begun)
  type: str
places:
  description: The pod of each node.
  returned: with O(state=begun)
  type: list
  elements: dict
  contains:
    node:
      description: The node's name.
      type: str
    uid:
      description: The pod's identifier.
      type: str
    addresses:
      description: The pod's addresses.
      type: list
      elements: str
    cluster_ips:
      description: The addresses of the Service that leads to this pod alone.
      type: list
      elements: str
port:
  description: The port of the pods and Services, of TCP and UDP.
  returned: with O(state=begun)
  type: int
"""

import json
import random
import string
from datetime import datetime, timezone
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import pod_proof
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api import cluster_missing, not_known, poll
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import (
    KUBECONFIG_OPTION,
    Kubectl,
    KubectlError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.node import summary
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.objects import listed

SPEC: Dict[str, Any] = {
    "state": {"type": "str", "choices": ["begun", "ended"], "default": "begun"},
    "nodes": {"type": "list", "elements": "str", "default": []},
    "joining": {"type": "list", "elements": "str", "default": []},
    "settings": {"type": "dict", "default": {}},
    "image": {"type": "str"},
    "namespace": {"type": "str", "default": ""},
    "faults": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "int", "default": 120},
    "kubeconfig": KUBECONFIG_OPTION,
}
NOTHING: Dict[str, Any] = {"due": [], "namespace": "", "places": [], "port": pod_proof.PORT}
SHOWN = 20
ENOUGH = 2


class Proof:
    """One proof."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.options: Dict[str, Any] = module.params
        self.kubectl = Kubectl(module, self.options["kubeconfig"])

    def identifiers(self) -> Dict[str, str]:
        """The identifiers of the nodes that it is about and whose kubelets report."""
        found = {item["metadata"]["name"]: item for item in self.kubectl.get("nodes")["items"]}
        names = [name for name in self.options["nodes"] if name in found and summary(found[name])["reports"]]
        return {name: str(found[name]["metadata"]["uid"]) for name in names}

    def proven(self) -> pod_proof.Proven:
        """What the cluster keeps of the last one."""
        place = f"--namespace={pod_proof.RECORD_NAMESPACE}"
        return pod_proof.read_proven(self.kubectl.get("configmap", pod_proof.RECORD, place))

    def begin(self) -> Dict[str, Any]:
        """The result of the beginning.

        Raises:
            ProofError: where the pods do not come.
        """
        nodes = self.identifiers()
        if self.module.check_mode:
            nodes.update(dict.fromkeys(self.options["joining"], ""))
        due = pod_proof.reasons(self.proven(), self.options["settings"], nodes)
        # Alone there is nobody to talk to; the second node makes it due.
        if not due or len(nodes) < ENOUGH:
            return {"changed": False, **NOTHING}
        if self.module.check_mode:
            return {"changed": True, **NOTHING, "due": due}
        self.remove(pod_proof.stale(self.namespaces(), datetime.now(timezone.utc)))
        names = sorted(nodes)
        namespace = pod_proof.PREFIX + "".join(random.choices(string.ascii_lowercase, k=8))  # noqa: S311
        objects = pod_proof.manifests(namespace, names, self.options["image"])
        here, found = f"--namespace={namespace}", {}

        def missing() -> str:
            found.update(self.kubectl.get("pods,services", here))
            return listed(pod_proof.pending(found, names), SHOWN)

        try:
            self.create(namespace, objects)
            lacking = poll(missing, self.options["timeout"])
            if lacking:
                raise pod_proof.ProofError(
                    f"After {self.options['timeout']} s, pods that are to prove the network are not ready: {lacking}"
                )
        except (KubectlError, pod_proof.ProofError):
            self.remove([namespace])
            raise
        places = pod_proof.places(found)
        return {"changed": True, "due": due, "namespace": namespace, "places": places, "port": pod_proof.PORT}

    def create(self, namespace: str, objects: Dict[str, Any]) -> None:
        """Make the objects; the account that pods of a namespace have comes a moment after it."""
        first, rest = objects["items"][:1], objects["items"][1:]
        self.kubectl.run("create", "--filename=-", stdin=json.dumps({**objects, "items": first}))
        here = f"--namespace={namespace}"

        def pending() -> str:
            return "" if self.kubectl.get("serviceaccount", "default", here) else "no account"

        poll(pending, self.options["timeout"])
        self.kubectl.run("create", "--filename=-", stdin=json.dumps({**objects, "items": rest}))

    def namespaces(self) -> Any:
        """Those of all proofs."""
        return self.kubectl.get("namespaces", f"--selector={pod_proof.LABEL}={pod_proof.LABEL_VALUE}")

    def remove(self, namespaces: List[str]) -> None:
        """Remove namespaces, without waiting for their end."""
        if namespaces:
            self.kubectl.run("delete", "namespaces", *namespaces, "--ignore-not-found", "--wait=false")

    def end(self) -> Dict[str, Any]:
        """The result of the end; faults are the module's."""
        self.remove([self.options["namespace"]] if self.options["namespace"] else [])
        if self.options["faults"]:
            raise pod_proof.ProofError(
                "\n".join(["Pods do not reach each other as they must:", *self.options["faults"]])
            )
        nodes, before = self.identifiers(), self.proven()
        kept = before.nodes if before.settings == self.options["settings"] else {}
        after = pod_proof.Proven(self.options["settings"], {**kept, **nodes})
        manager = ("--server-side", "--force-conflicts", "--field-manager=groundwork")
        self.kubectl.run("apply", *manager, "--filename=-", stdin=json.dumps(after.config_map()))
        return {"changed": True}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True, required_if=[("state", "begun", ["image"])])
    kubeconfig, beginning = module.params["kubeconfig"], module.params["state"] == "begun"
    if not_known(module, kubeconfig):
        module.exit_json(changed=False, **NOTHING)
    lacking = cluster_missing(module, kubeconfig)
    if lacking and module.check_mode:
        due = ["the cluster is new"] if len(module.params["nodes"]) >= ENOUGH else []
        module.exit_json(changed=bool(due), **{**NOTHING, "due": due})
    if lacking:
        module.fail_json(msg=f"{lacking}; run this task on a control plane")
    if not beginning and module.check_mode:
        module.exit_json(changed=False)
    proof = Proof(module)
    try:
        module.exit_json(**(proof.begin() if beginning else proof.end()))
    except (KubectlError, pod_proof.ProofError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
