# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Approve the requests of known nodes for their kubelets' serving certificates."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubelet_certificates
version_added: 0.1.0
short_description: Approve the requests of known nodes for serving certificates
author: groundwork.kubernetes contributors (@groundwork)
description:
  - A kubelet with C(serverTLSBootstrap) asks the cluster to sign its serving certificate. Somebody must approve that.
    Until then it cannot be asked for logs, and C(kubectl exec) does not reach its pods.
  - Approves a request for C(kubernetes.io/kubelet-serving) if the one who asks is a node of O(nodes), the subject is
    that node's, the usages are those of a serving certificate, and every name and address in it is known as the node's.
  - Any other request of that kind is left as it is, and reported with the reasons.
    Requests of other kinds are not looked at.
  - Then asks each kubelet for its certificate, and waits until all of them show one that the cluster has signed.
  - A request is identified by its version and unique id, so nothing else can be approved in its place.
  - Needs no library on the host. Run regularly with fixed options, it approves the renewals, too.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
  - groundwork.kubernetes.kubeconfig
options:
  nodes:
    description: The nodes that are known.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The node's name.
        type: str
        required: true
      addresses:
        description:
          - All its IP addresses that a certificate may hold.
          - At the first, its kubelet is asked for its certificate.
        type: list
        elements: str
        required: true
      names:
        description: DNS names, beside its own name, that a certificate may hold.
        type: list
        elements: str
        default: []
  reserved:
    description:
      - IP addresses, networks and DNS names that are no node's, such as the endpoint of the API, load balancers and the
        networks of services and pods. A node in O(nodes) with one of them is refused.
      - So are loopback and link-local addresses, C(localhost), and a name or address that two nodes have.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to wait for requests, and for the certificates; V(0) looks once and waits for nothing.
    type: int
    default: 120
  port:
    description: The kubelets' port.
    type: int
    default: 10250
  ca:
    description: The authority that signs the certificates.
    type: path
    default: /etc/kubernetes/pki/ca.crt
seealso:
  - name: Certificates and Certificate Signing Requests
    description: What signs for which purpose, and what it demands.
    link: https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/
  - name: Kubelet authentication and serving certificates
    description: C(serverTLSBootstrap) and why approval is left to others.
    link: https://kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping/#certificate-rotation
"""

EXAMPLES = r"""
- name: Approve the serving certificates of two nodes
  groundwork.kubernetes.kubelet_certificates:
    nodes:
      - name: worker-1
        addresses: [192.0.2.21]
      - name: worker-2
        addresses: [192.0.2.22, 2001:db8::22]
        names: [worker-2.example.com]
    reserved: [api.example.com, 192.0.2.10, 10.96.0.0/12, 10.244.0.0/16]
"""

RETURN = r"""
approved:
  description: The requests that were approved, or would be in check mode.
  returned: success or failure
  type: list
  elements: dict
  sample: [{name: csr-8vnps, node: worker-1}]
left:
  description: The requests that were left pending, with the reasons.
  returned: success or failure
  type: list
  elements: dict
  sample: [{name: csr-x2f4m, username: 'system:node:worker-9', reasons: ['...']}]
nodes:
  description:
    - What each kubelet shows. Its C(state) is V(signed), V(unsigned), or V(unreachable) if nothing answers.
    - Has C(expires), in seconds since the epoch, for V(signed). Has C(message) for the others.
  returned: success or failure
  type: list
  elements: dict
  sample: [{name: worker-1, state: signed, expires: 1826812800}]
"""

import json
import os
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api import cluster_missing, not_known, poll
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.certificate_requests import (
    SIGNER,
    Node,
    approved,
    is_pending,
    judge,
    node_faults,
    node_of,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import (
    KUBECONFIG_OPTION,
    Kubectl,
    KubectlError,
)

API = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
SIGNED = "signed"
UNSIGNED = "unsigned"
UNREACHABLE = "unreachable"
MESSAGE = "Names and addresses are those of the inventory."
PROBE_TIMEOUT = 5
PROBES = 20
# A kubelet that has just been restarted does not listen for a moment. One that is down is not waited for.
RESTART_TIME = 15


class CertificateError(Exception):
    """What keeps the nodes from having their certificates."""


def probe(address: str, port: int, ca: str) -> Dict[str, Any]:
    """What a kubelet shows who connects to it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca)
    try:
        with socket.create_connection((address, port), PROBE_TIMEOUT) as connection:
            try:
                with context.wrap_socket(connection, server_hostname=address) as session:
                    certificate = session.getpeercert() or {}
            except ssl.SSLError as error:
                return {
                    "state": UNSIGNED,
                    "message": getattr(error, "verify_message", "") or str(error.reason or error),
                }
    except OSError as error:
        return {"state": UNREACHABLE, "message": str(error)}
    return {"state": SIGNED, "expires": int(ssl.cert_time_to_seconds(str(certificate["notAfter"])))}


class Approval:
    """The nodes, what was approved of their requests, and what they show."""

    def __init__(self, module: AnsibleModule, nodes: List[Node]) -> None:
        self.module = module
        self.params = module.params
        self.nodes = {node.name: node for node in nodes}
        self.kubectl = Kubectl(module, module.params["kubeconfig"])
        self.approved: List[Dict[str, str]] = []
        self.left: List[Dict[str, Any]] = []
        self.states: Dict[str, Dict[str, Any]] = {}
        self.started = time.monotonic()

    def round(self) -> str:
        """Decide on what is pending, and look at the nodes; says what is missing."""
        self.left = []
        for item in json.loads(self.kubectl.run("get", f"--raw={API}?fieldSelector=spec.signerName%3D{SIGNER}"))[
            "items"
        ]:
            if is_pending(item):
                self._decide(item)
        self._look()
        awaited = [UNSIGNED, UNREACHABLE] if time.monotonic() < self.started + RESTART_TIME else [UNSIGNED]
        return "; ".join(f"{name}: {self._explain(name)}" for name in self.nodes if self._state(name) in awaited)

    def _state(self, name: str) -> str:
        return str(self.states[name]["state"])

    def _decide(self, item: Dict[str, Any]) -> None:
        name, reasons = item["metadata"]["name"], judge(item, self.nodes)
        if reasons:
            self.left.append({"name": name, "username": item["spec"].get("username", ""), "reasons": reasons})
            return
        if not self.module.check_mode:
            now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            body = json.dumps(approved(item, now, MESSAGE))
            try:
                self.kubectl.run("replace", f"--raw={API}/{name}/approval", "--filename=-", stdin=body)
            except KubectlError as error:
                # Somebody else decided on it, or it is gone.
                if "(Conflict)" in error.stderr or error.not_found:
                    return
                raise
        self.approved.append({"name": name, "node": str(node_of(item, self.nodes))})

    def _look(self) -> None:
        """Ask those that have not shown a signed certificate yet."""
        unproven = [
            node for node in self.nodes.values() if node.name not in self.states or self._state(node.name) != SIGNED
        ]
        if not unproven:
            return
        with ThreadPoolExecutor(max_workers=PROBES) as pool:
            found = pool.map(lambda node: probe(node.addresses[0], self.params["port"], self.params["ca"]), unproven)
            self.states.update(zip([node.name for node in unproven], found))

    def _explain(self, name: str) -> str:
        reasons = [
            reason for item in self.left if item["username"] == f"system:node:{name}" for reason in item["reasons"]
        ]
        if reasons:
            return f"its request is not approved, because {' and '.join(reasons)}"
        if any(item["node"] == name for item in self.approved):
            return "its request is approved, but it does not show the certificate yet; see the controller manager's log"
        return (
            f"it has not asked for a certificate ({self.states[name]['message']}); see the kubelet's log, and whether "
            "its configuration has serverTLSBootstrap"
        )

    def result(self) -> Dict[str, Any]:
        """What the module returns."""
        return {
            "changed": bool(self.approved),
            "approved": self.approved,
            "left": self.left,
            "nodes": [{"name": name, **self.states[name]} for name in self.nodes if name in self.states],
        }


def run(module: AnsibleModule) -> None:
    """Approve what may be, wait, and say what is missing."""
    nodes = [Node(item["name"], [item["name"], *item["names"]], item["addresses"]) for item in module.params["nodes"]]
    faults = node_faults(nodes, module.params["reserved"])
    if faults:
        raise CertificateError("; ".join(faults))
    if not_known(module, module.params["kubeconfig"]):
        module.exit_json(changed=False, approved=[], left=[], nodes=[])
    missing = cluster_missing(module, module.params["kubeconfig"])
    if not missing and not os.path.exists(module.params["ca"]):
        missing = f"there is no authority at {module.params['ca']} on this host"
    if missing and module.check_mode:
        module.exit_json(changed=bool(module.params["nodes"]), approved=[], left=[], nodes=[])
    if missing:
        raise CertificateError(f"{missing}; run this task on a control plane")
    approval = Approval(module, nodes)
    waits = module.params["timeout"] > 0 and not module.check_mode
    pending = poll(approval.round, module.params["timeout"] if waits else 0)
    for item in approval.left:
        module.warn(f"The request {item['name']} is left pending: {'; '.join(item['reasons'])}.")
    for name, state in approval.states.items():
        if state["state"] == UNREACHABLE:
            module.warn(f"The kubelet of {name} cannot be reached: {state['message']}.")
    if pending and (waits or not approval.states):
        seconds = time.monotonic() - approval.started
        module.fail_json(
            msg=f"After {seconds:.0f} seconds, nodes lack their serving certificates. {pending}", **approval.result()
        )
    module.exit_json(**approval.result())


def main() -> None:
    """Entry point."""
    node = {
        "name": {"type": "str", "required": True},
        "addresses": {"type": "list", "elements": "str", "required": True},
        "names": {"type": "list", "elements": "str", "default": []},
    }
    module = AnsibleModule(
        {
            "nodes": {"type": "list", "elements": "dict", "required": True, "options": node},
            "reserved": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 120},
            "port": {"type": "int", "default": 10250},
            "ca": {"type": "path", "default": "/etc/kubernetes/pki/ca.crt"},
            "kubeconfig": KUBECONFIG_OPTION,
        },
        supports_check_mode=True,
    )
    try:
        run(module)
    except (CertificateError, KubectlError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
