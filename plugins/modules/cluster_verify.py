# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check from end to end that a cluster works."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_verify
short_description: Checks from end to end that a Kubernetes cluster works
version_added: 0.1.0
description:
  - Runs on one control plane host and checks the cluster with C(kubectl) and plain HTTP, with any network plugin.
  - |
    The checks are, by name:
    C(api-server): every API server is ready;
    C(etcd): every API server says that its etcd is healthy;
    C(nodes): every node is ready, and all of O(nodes) are there;
    C(system-pods): the pods, DaemonSets and Deployments of O(system_namespaces) are healthy;
    C(scheduler), C(controller-manager): the lease is held, and renewed while it is watched;
    C(kube-proxy): kube-proxy runs in the configured mode on every node, asked by a port-forward to its pod;
    C(deployment): a Deployment of one pod for each node that takes pods becomes available;
    C(spread): each of these nodes runs one of its pods;
    C(port-forward): a pod answers through C(kubectl port-forward);
    C(logs): C(kubectl logs) reads a pod's log on each node;
    C(exec): C(kubectl exec) runs a command in a pod on each node;
    C(node-port): a NodePort service answers on the internal address of each ready node, also from pods of other nodes;
    C(pod-network): pods reach pods on other nodes;
    C(dns): pods on each node resolve the API server's service;
    C(service-name): pods on each node reach a service by its name, where DNS is installed;
    C(api-from-pods): the API knows a pod's account by its token, asked from a pod on each node;
    C(volumes): a ConfigMap and a Secret are files in a pod on each node;
    C(cleanup): all that was created is gone.
  - The objects live in a namespace made for the run, which is removed at the end, also after a failed check or when the
    module is ended by a signal. Namespaces that killed runs left behind are removed by the next run.
  - The module reports a change only for such leftovers, since it leaves the cluster as it was.
  - The pods meet the Pod Security Standard C(restricted).
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.kubeconfig]
attributes:
  check_mode:
    support: partial
    details: Makes the checks that only read; the others, which create objects, are skipped.
      Skips all where kubectl or the kubeconfig is not there yet.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  nodes:
    description: Names of the nodes that the cluster must have. Others may be there too. Empty to not check names.
    type: list
    elements: str
    default: []
  system_namespaces:
    description: Namespaces whose pods must be healthy. One that does not exist has none.
    type: list
    elements: str
    default: [kube-system, kube-flannel, calico-system]
  restart_minutes:
    description: Warn of containers of the system's pods that were restarted in the last so many minutes.
    type: int
    default: 10
  image:
    description: Image of the pods. It has an HTTP server and the commands of the options below.
    type: str
    default: docker.io/library/busybox:1.37
  command:
    description:
      - The containers' command, an HTTP server. V({port}) stands for O(port). Empty for the image's own.
      - The root filesystem is read-only, C(/tmp) is writable, the user is 65534.
      - Where the answer's body is the pod's name, C(node-port) also proves that pods on other nodes answered.
    type: list
    elements: str
    default:
      - sh
      - -c
      - >-
        mkdir -p /tmp/www && hostname > /tmp/www/index.html && echo "serving as $(hostname)"
        && exec busybox httpd -f -v -p {port} -h /tmp/www
  port:
    description: TCP port of the HTTP server in the pod.
    type: int
    default: 8080
  http_path:
    description: Path that the HTTP server answers with status 200.
    type: str
    default: /
  exec_command:
    description: Command of the check C(exec).
    type: list
    elements: str
    default: [hostname]
  http_client:
    description: Command with which a pod asks another one. V({url}) stands for the URL. Empty where the image has none.
    type: list
    elements: str
    default: [wget, -q, -O, '-', -T, '5', '{url}']
  dns_client:
    description:
      - Command with which a pod resolves a name and prints its address. V({name}) stands for the name.
      - Empty where the image has none.
    type: list
    elements: str
    default: [nslookup, '{name}']
  api_client:
    description:
      - Command with which a pod asks the API with its account's token and prints the answer. V({url}) stands for the
        URL, by the name C(kubernetes.default.svc) where DNS is installed. Empty where the image has none.
      - That of busybox does not verify the API server's certificate.
    type: list
    elements: str
    default:
      - sh
      - -c
      - >-
        wget -q -O - --no-check-certificate --header
        "Authorization: Bearer $(cat /var/run/secrets/kubernetes.io/serviceaccount/token)" {url}
  read_command:
    description: Command that prints a file in a pod. V({path}) stands for the path. Empty where the image has none.
    type: list
    elements: str
    default: [cat, '{path}']
  cron_job:
    description: Whether a CronJob is made and waited for, which takes up to a minute more. It runs O(exec_command).
    type: bool
    default: false
  ingress_class:
    description: The IngressClass of the Ingress that is tried; the one that is the default where it is empty.
    type: str
    default: ''
  ingress_port:
    description:
      - The port of nodes at which Ingresses are served. Each node is asked at it.
      - With V(0), port 80 of the addresses that the Ingress gets; where it gets none, the check is skipped.
    type: int
    default: 0
  dns_domain:
    description: The cluster's DNS domain.
    type: str
    default: cluster.local
  require_dns:
    description: Fail where the Service C(kube-system/kube-dns) does not exist, in place of skipping C(dns).
    type: bool
    default: false
  skip:
    description: Checks to leave out. Without C(deployment), none of those that need its pods are made.
    type: list
    elements: str
    choices:
      - api-server
      - etcd
      - nodes
      - system-pods
      - scheduler
      - controller-manager
      - kube-proxy
      - deployment
      - spread
      - port-forward
      - logs
      - exec
      - node-port
      - pod-network
      - dns
      - service-name
      - api-from-pods
      - volumes
      - cron-job
      - ingress
    default: []
  sample:
    description:
      - How many nodes, taken evenly from all, C(kube-proxy), C(logs), C(exec), C(pod-network) and C(dns) ask at most.
      - V(0) for all nodes.
    type: int
    default: 20
  peers:
    description: How many other pods each pod asks in C(pod-network). Each is also asked by as many.
    type: int
    default: 4
  settle:
    description: Seconds that a part may take to get healthy, as after a start, before its check fails.
    type: int
    default: 60
  timeout:
    description:
      - Seconds for all checks together. The Deployment gets at most two thirds of them.
      - Cleaning up is not counted.
    type: int
    default: 300
  stale_minutes:
    description: Remove namespaces of earlier runs that are older than so many minutes.
    type: int
    default: 30
requirements:
  - kubectl 1.20 or later
seealso:
  - module: groundwork.kubernetes.cluster_info
author: groundwork.kubernetes contributors (@groundwork)
"""

EXAMPLES = r"""
- name: Check that the cluster works
  groundwork.kubernetes.cluster_verify:
    nodes: [cp1, w1, w2]

- name: Check it with another image and without DNS
  groundwork.kubernetes.cluster_verify:
    image: registry.k8s.io/e2e-test-images/agnhost:2.53
    command: [/agnhost, netexec, '--http-port={port}']
    http_path: /hostname
    http_client: [curl, -sS, -m, '5', '{url}']
    skip: [dns]
"""

RETURN = r"""
checks:
  description: All checks, in the order of the module's description. One that was neither passed nor skipped has failed.
  returned: always, unless an option is wrong
  type: list
  elements: dict
  contains:
    name:
      description: Name of the check.
      type: str
    passed:
      description: Whether the cluster passed it.
      type: bool
    skipped:
      description: Whether it was not made.
      type: bool
    detail:
      description: What was found, what is wrong, or why the check was skipped.
      type: str
    seconds:
      description: How long it took.
      type: float
  sample: [{name: nodes, passed: true, skipped: false, detail: '3 ready: cp1, w1, w2', seconds: 0.3}]
table:
  description: The checks as aligned text.
  returned: always, unless an option is wrong
  type: str
removed_namespaces:
  description: Namespaces of earlier runs that were removed, or would be in check mode.
  returned: always, unless an option is wrong
  type: list
  elements: str
  sample: []
"""

import os
import signal
from typing import Any, Dict, NoReturn

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.check_report import Check, table
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.check_run import NAMES
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.checks import SIGNALS, ClusterChecks
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import (
    BINARY_FOLDERS,
    KUBECONFIG_OPTION,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.probe import ConcurrentKubectl

SPEC: Dict[str, Any] = {
    "kubeconfig": KUBECONFIG_OPTION,
    "nodes": {"type": "list", "elements": "str", "default": []},
    "system_namespaces": {
        "type": "list",
        "elements": "str",
        "default": ["kube-system", "kube-flannel", "calico-system"],
    },
    "restart_minutes": {"type": "int", "default": 10},
    "image": {"type": "str", "default": "docker.io/library/busybox:1.37"},
    "command": {
        "type": "list",
        "elements": "str",
        "default": [
            "sh",
            "-c",
            'mkdir -p /tmp/www && hostname > /tmp/www/index.html && echo "serving as $(hostname)"'
            " && exec busybox httpd -f -v -p {port} -h /tmp/www",
        ],
    },
    "port": {"type": "int", "default": 8080},
    "http_path": {"type": "str", "default": "/"},
    "exec_command": {"type": "list", "elements": "str", "default": ["hostname"]},
    "http_client": {"type": "list", "elements": "str", "default": ["wget", "-q", "-O", "-", "-T", "5", "{url}"]},
    "dns_client": {"type": "list", "elements": "str", "default": ["nslookup", "{name}"]},
    "api_client": {
        "type": "list",
        "elements": "str",
        "default": [
            "sh",
            "-c",
            "wget -q -O - --no-check-certificate --header"
            ' "Authorization: Bearer $(cat /var/run/secrets/kubernetes.io/serviceaccount/token)" {url}',
        ],
    },
    "read_command": {"type": "list", "elements": "str", "default": ["cat", "{path}"]},
    "cron_job": {"type": "bool", "default": False},
    "ingress_class": {"type": "str", "default": ""},
    "ingress_port": {"type": "int", "default": 0},
    "dns_domain": {"type": "str", "default": "cluster.local"},
    "require_dns": {"type": "bool", "default": False},
    "skip": {"type": "list", "elements": "str", "choices": NAMES, "default": []},
    "sample": {"type": "int", "default": 20},
    "peers": {"type": "int", "default": 4},
    "settle": {"type": "int", "default": 60},
    "timeout": {"type": "int", "default": 300},
    "stale_minutes": {"type": "int", "default": 30},
}


class InterruptedBySignalError(Exception):
    """Somebody wants the module to end."""


def not_installed(module: AnsibleModule) -> str:
    """Why the cluster cannot be asked from this host, empty where it can."""
    if module.get_bin_path("kubectl", opt_dirs=BINARY_FOLDERS) is None:
        return "kubectl is not installed on this host"
    if not os.path.exists(module.params["kubeconfig"]):
        return f"{module.params['kubeconfig']} does not exist on this host"
    return ""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    reason = not_installed(module)
    if reason and not module.check_mode:
        module.fail_json(msg=f"{reason}: run the checks on a host of the control plane, or set kubeconfig")
    if reason:
        skipped = [Check(name, False, True, reason, 0.0) for name in NAMES]
        report = {"checks": [check.as_dict() for check in skipped], "table": table(skipped), "removed_namespaces": []}
        module.exit_json(changed=False, **report)
    kubectl = ConcurrentKubectl(module, module.params["kubeconfig"], module.params["timeout"])
    checks = ClusterChecks(module, kubectl)

    def interrupt(number: int, _frame: Any) -> NoReturn:
        kubectl.stop()
        raise InterruptedBySignalError(f"The checks were interrupted by {signal.Signals(number).name}")

    for number in SIGNALS:
        signal.signal(number, interrupt)
    try:
        checks.run()
    except InterruptedBySignalError as error:
        module.fail_json(msg="\n".join([str(error), checks.failure()]).strip(), **checks.result())
    if checks.failure():
        module.fail_json(msg=checks.failure(), **checks.result())
    module.exit_json(**checks.result())


if __name__ == "__main__":
    main()
