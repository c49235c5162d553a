# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module ca_rotation_cluster: the rotation of the cluster's authority in the cluster's objects and pods."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ca_rotation_cluster
short_description: The rotation of the cluster's authority in the cluster's objects and pods
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Tells which objects hand out the certificate of the authority, and what they hold, C(kube-public/cluster-info), the
    ConfigMaps C(kube-root-ca.crt), and the tokens of service accounts; and which pods were started before that was so,
    since their programs may trust what was there before.
  - Publishes authorities, and restarts workloads so that their pods get them.
  - Runs on a control plane, with the administrator's kubeconfig. Nothing of a token is returned.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
  - groundwork.kubernetes.kubeconfig
options:
  state:
    description:
      - V(read) changes nothing.
      - V(published) writes O(authorities) to C(cluster-info), by which hosts join, and waits until the controller
        manager has brought the others to the same. When that was is noted in an annotation of the namespace
        C(kube-system).
      - V(restarted) lets the workloads of O(namespaces) that have old pods replace them as their own strategies have
        it, once for each authority, and waits for it.
    type: str
    choices: [read, published, restarted]
    default: read
  authorities:
    description: Certificates in PEM, the one that signs first. Needed for all but O(state=read).
    type: str
    default: ''
  namespaces:
    description: The namespaces whose workloads are restarted. V(*) stands for all.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds that it may take.
    type: int
    default: 600
seealso:
  - module: groundwork.kubernetes.ca_rotation
"""

EXAMPLES = r"""
- name: Publish the authorities
  groundwork.kubernetes.ca_rotation_cluster:
    state: published
    authorities: '{{ old }}{{ new }}'
"""

RETURN = r"""
holders:
  description: By object, the fingerprints of the authorities that it hands out.
  returned: success
  type: dict
  sample: {configmap kube-public/cluster-info: [0f1e2d]}
since:
  description: Since when pods are given what they are given now; empty if that is not noted. Then all pods are old.
  returned: success
  type: str
  sample: '2026-11-27T18:56:20Z'
old_pods:
  description: The pods that were started before that, or within ten seconds after it.
  returned: success
  type: list
  elements: dict
  sample: [{namespace: kube-system, name: kube-proxy-x7k2p, node: worker-1, owner: DaemonSet/kube-proxy}]
nodes:
  description: By node, whether it is ready.
  returned: success
  type: dict
  sample: {worker-1: true}
done:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [configmap kube-public/cluster-info]
seconds:
  description: How long it took.
  returned: success
  type: float
  sample: 12.5
"""

import json
import time
from typing import Any, Dict, List, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api import poll
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.authority_holders import (
    ANNOTATION,
    CLUSTER_INFO,
    ROOT,
    SECRET_TYPE,
    OldPod,
    fingerprints,
    handed_out,
    note,
    old_pods,
    patch,
    restartable,
    since,
    with_authorities,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import (
    KUBECONFIG_OPTION,
    Kubectl,
    KubectlError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.node import summary
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.workloads import unready_workload

Object = Dict[str, Any]


class Cluster:
    """The cluster, as its API server tells."""

    def __init__(self, module: AnsibleModule) -> None:
        """Nothing is asked yet."""
        self.module, self.params = module, module.params
        self.kubectl = Kubectl(module, module.params["kubeconfig"])
        self.done: List[str] = []

    def items(self, path: str) -> List[Object]:
        """All objects of a list, with the fields that tell when they were changed."""
        return list(json.loads(self.kubectl.run("get", f"--raw={path}")).get("items") or [])

    def info(self) -> Object:
        """The ConfigMap cluster-info; empty if there is none."""
        found: Object = self.kubectl.get("configmap", "cluster-info", "--namespace=kube-public") or {}
        return found

    def givers(self) -> Tuple[List[Object], List[Object]]:
        """The ConfigMaps and Secrets that pods are given."""
        return (
            self.items(f"/api/v1/configmaps?fieldSelector=metadata.name%3D{ROOT}"),
            self.items(f"/api/v1/secrets?fieldSelector=type%3D{SECRET_TYPE.replace('/', '%2F')}"),
        )

    def since(self) -> str:
        """Since when pods are given what they are given now; empty if that is not known."""
        held = {name for found in handed_out({}, *self.givers()).values() for name in found}
        return since(self.kubectl.get("namespace", "kube-system") or {"metadata": {}}, sorted(held))

    def old(self) -> List[OldPod]:
        """The pods that were started before all objects handed out what they do now."""
        pods, sets = self.items("/api/v1/pods"), self.items("/apis/apps/v1/replicasets")
        return old_pods(pods, self.givers()[1], sets, self.since())

    def publish(self) -> None:
        """Let all objects hand out the authorities.

        Raises:
            KubectlError: if the API refuses, or the controller manager does not follow in time.
        """
        wanted = fingerprints(self.params["authorities"])
        info = self.info()
        if info and handed_out(info, [], []).get(CLUSTER_INFO) != wanted:
            self.done.append(CLUSTER_INFO)
            if not self.module.check_mode:
                changed = with_authorities(info, self.params["authorities"])
                self.kubectl.run("replace", "--filename=-", stdin=json.dumps(changed))

        def lacking() -> str:
            others = handed_out({}, *self.givers())
            return ", ".join(name for name, found in others.items() if set(found) != set(wanted))

        if not self.module.check_mode:
            missing = poll(lacking, self.params["timeout"])
            if missing:
                raise KubectlError(
                    ["get"], 0, f"the controller manager has not brought the authorities to: {missing}. See its log"
                )
        if not self.since():
            self.done.append("the note in namespace kube-system")
            if not self.module.check_mode:
                noted = f"{ANNOTATION}={note(wanted, time.time())}"
                self.kubectl.run("annotate", "--overwrite", "namespace", "kube-system", noted)

    def restart(self) -> None:
        """Let workloads replace their old pods.

        Raises:
            KubectlError: if the API refuses, or pods are left.
        """
        authority = fingerprints(self.params["authorities"])[-1]
        named = restartable(self.old(), self.params["namespaces"])
        self.done += named
        if self.module.check_mode:
            return
        for workload in named:
            namespace, kind, name = workload.split("/")
            text = patch(authority)
            self.kubectl.run("patch", f"{kind.lower()}/{name}", f"--namespace={namespace}", f"--patch={text}")

        def lacking() -> str:
            left = restartable(self.old(), self.params["namespaces"])
            faults = [f"{workload} has old pods" for workload in left]
            for workload in named:
                namespace, kind, name = workload.split("/")
                item = self.kubectl.get(f"{kind.lower()}.apps", name, f"--namespace={namespace}")
                fault = unready_workload(item) if item else ""
                faults += [f"{workload} {fault}"] if fault else []
            return "; ".join(faults)

        missing = poll(lacking, self.params["timeout"])
        if missing:
            raise KubectlError(["get"], 0, f"pods were not replaced within {self.params['timeout']} seconds: {missing}")

    def run(self) -> Dict[str, Any]:
        """Read, publish or restart; then tell what there is."""
        began = time.monotonic()
        if self.params["state"] != "read" and not fingerprints(self.params["authorities"]):
            raise KubectlError([], 1, "authorities holds no certificate in PEM. Nothing was changed")
        {"read": lambda: None, "published": self.publish, "restarted": self.restart}[self.params["state"]]()
        nodes = [summary(item) for item in self.items("/api/v1/nodes")]
        return {
            "changed": bool(self.done),
            "done": self.done,
            "holders": handed_out(self.info(), *self.givers()),
            "since": self.since(),
            "old_pods": [pod.describe() for pod in self.old()],
            "nodes": {node["name"]: node["ready"] for node in nodes},
            "seconds": round(time.monotonic() - began, 1),
        }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["read", "published", "restarted"], "default": "read"},
            "authorities": {"type": "str", "default": ""},
            "namespaces": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 600},
            "kubeconfig": KUBECONFIG_OPTION,
        },
        supports_check_mode=True,
    )
    try:
        result = Cluster(module).run()
    except KubectlError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
