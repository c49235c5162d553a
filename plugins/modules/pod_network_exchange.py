# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster without a network plugin, where no pod needs it any more."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pod_network_exchange
short_description: Remove a network plugin's objects from a cluster where no pod needs it any more
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Refuses where pods are on the plugin's network, and names them. Pods of the hosts' network, those that have ended,
    plugins' own, and those of the cluster's DNS do not count.
  - Removes the objects that the project's manifest or chart has made, by their names. Custom resource definitions
    stay, since all that was made of them would go too.
  - With O(state=renewed), the pods of the cluster's DNS are made anew, on the network that is there then.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
  - groundwork.kubernetes.kubeconfig
options:
  state:
    description: Whether the plugins go, or what was on their network is made anew.
    type: str
    choices: [removed, renewed]
    default: removed
  plugins:
    description: The plugins that go, each with what shows that it is there, for messages.
    type: dict
    default: {}
  new:
    description: The plugin that takes their place; empty where none does.
    type: str
    default: ''
seealso:
  - module: groundwork.kubernetes.pod_network_absent
"""

EXAMPLES = r"""
- name: Remove Flannel from the cluster
  groundwork.kubernetes.pod_network_exchange:
    plugins:
      flannel: [/etc/cni/net.d/10-flannel.conflist]
    new: bridge
"""

RETURN = r"""
removed:
  description: Objects that were, or would be, removed.
  returned: success
  type: list
  elements: str
  sample: [namespace kube-flannel]
"""

from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import network_exchange
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import (
    KUBECONFIG_OPTION,
    Kubectl,
    KubectlError,
)

SPEC: Dict[str, Any] = {
    "state": {"type": "str", "choices": ["removed", "renewed"], "default": "removed"},
    "plugins": {"type": "dict", "default": {}},
    "new": {"type": "str", "default": ""},
    "kubeconfig": KUBECONFIG_OPTION,
}
# Namespaces take their time, and their pods must be gone before the hosts' interfaces are.
SECONDS = 180


def remove(module: AnsibleModule, kubectl: Kubectl) -> List[str]:
    """Remove the plugins' objects.

    Raises:
        ExchangeError: where pods are in the way.
    """
    pods = network_exchange.in_the_way(kubectl.get("pods", "--all-namespaces"))
    if pods:
        raise network_exchange.ExchangeError(
            network_exchange.refusal(pods, module.params["plugins"], module.params["new"])
        )
    removed = []
    for kind, namespace, name in network_exchange.objects_of(module.params["plugins"]):
        if "." in kind and kubectl.get("customresourcedefinition", kind) is None:
            continue
        place = [f"--namespace={namespace}"] if namespace else []
        if kubectl.get(kind, name, *place) is not None:
            removed.append(f"{kind} {namespace + '/' if namespace else ''}{name}")
            if not module.check_mode:
                kubectl.run("delete", kind, name, *place, "--ignore-not-found", f"--timeout={SECONDS}s")
    return removed


def renew(module: AnsibleModule, kubectl: Kubectl) -> List[str]:
    """Make the pods of DNS anew."""
    place = "--namespace=kube-system"
    pods = network_exchange.dns_pods(kubectl.get("pods", place, f"--selector=k8s-app={network_exchange.DNS}"))
    if pods and not module.check_mode:
        kubectl.run("delete", "pods", *pods, place, "--ignore-not-found", "--wait=false")
    return [f"pod kube-system/{name}" for name in pods]


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    # A namespace is deleted only when its pods are gone.
    kubectl = Kubectl(module, module.params["kubeconfig"], timeout=SECONDS)
    try:
        removed = (remove if module.params["state"] == "removed" else renew)(module, kubectl)
    except (KubectlError, network_exchange.ExchangeError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(removed), removed=removed)


if __name__ == "__main__":
    main()
