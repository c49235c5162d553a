# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a cluster's network plugin may become another version."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pod_network_upgrade
short_description: Whether a cluster's network plugin may become another version
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Reads the version of a network plugin from the image of its DaemonSet, or from a label where the image has a digest
    alone, and fails where its project does not support to go from there to O(version).
  - Cilium goes by one minor version at a time, forth or back. Calico and Canal do not go back to an older minor
    version, and Calico's operator does not give way to the manifest.
  - It changes nothing. Where the version cannot be told, a warning says so.
  - With O(state=reached) it waits until what Calico's operator installs has O(version), and is ready.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.kubeconfig
attributes:
  check_mode:
    support: full
    details: On a host of no cluster there is nothing to ask, and nothing is refused.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  state:
    description: Whether the version may be installed, or is waited for.
    type: str
    choices: [allowed, reached]
    default: allowed
  nodes:
    description: With O(state=reached), the nodes on which the plugin's pods are waited for.
    type: list
    elements: str
    default: []
  timeout:
    description: With O(state=reached), how long to wait, in seconds.
    type: int
    default: 600
  plugin:
    description: The plugin.
    type: str
    choices: [calico, canal, cilium, flannel]
    required: true
  version:
    description: The version that it is to have.
    type: str
    required: true
  install:
    description: By what it is to be installed.
    type: str
    choices: [manifest, chart]
    default: manifest
seealso:
  - module: groundwork.kubernetes.pod_network_exchange
"""

EXAMPLES = r"""
- name: Refuse to skip a minor version
  groundwork.kubernetes.pod_network_upgrade:
    plugin: cilium
    version: 1.20.1
    install: chart
"""

RETURN = r"""
installed:
  description: The version that is there; empty where none is, or where it cannot be told.
  returned: success
  type: str
  sample: 1.19.4
place:
  description: The plugin's DaemonSet with its namespace; empty where there is none.
  returned: success
  type: str
  sample: kube-system/cilium
"""

import time
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api import cluster_missing, not_known
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import (
    KUBECONFIG_OPTION,
    Kubectl,
    KubectlError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.network_upgrade import (
    CONTAINERS,
    installed,
    lacking,
    refusal,
    told,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.objects import items

INTERVAL = 2
SPEC: Dict[str, Any] = {
    "state": {"type": "str", "choices": ["allowed", "reached"], "default": "allowed"},
    "nodes": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "int", "default": 600},
    "plugin": {"type": "str", "choices": sorted(CONTAINERS), "required": True},
    "version": {"type": "str", "required": True},
    "install": {"type": "str", "choices": ["manifest", "chart"], "default": "manifest"},
    "kubeconfig": KUBECONFIG_OPTION,
}


def daemon_sets(module: AnsibleModule) -> List[Dict[str, Any]]:
    """All DaemonSets of the cluster; none where there is no cluster yet."""
    kubeconfig = module.params["kubeconfig"]
    if not_known(module, kubeconfig):
        return []
    missing = cluster_missing(module, kubeconfig)
    if missing and not module.check_mode:
        module.fail_json(msg=f"{missing}; run this task on a control plane")
    return [] if missing else list(items(Kubectl(module, kubeconfig).get("daemonsets", "--all-namespaces")))


def reached(module: AnsibleModule) -> None:
    """End when the plugin has its version, or the time is over; in check mode nothing is waited for."""
    params = module.params
    found = daemon_sets(module)
    end = time.monotonic() + params["timeout"]
    while not module.check_mode:
        trouble = lacking(found, params["plugin"], params["version"], len(params["nodes"]))
        if not trouble:
            break
        if time.monotonic() > end:
            module.fail_json(
                msg=f"{trouble} after {params['timeout']} s; kubectl get tigerastatus tells what its operator waits for"
            )
        time.sleep(INTERVAL)
        found = daemon_sets(module)
    module.exit_json(changed=False, **told(installed(found, params["plugin"])))


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    plugin, wanted = module.params["plugin"], module.params["version"]
    try:
        if module.params["state"] == "reached":
            reached(module)
        found = installed(daemon_sets(module), plugin)
    except KubectlError as error:
        module.fail_json(msg=str(error))
    if found:
        refused = refusal(plugin, found, wanted, module.params["install"])
        if refused:
            module.fail_json(msg=refused, **told(found))
        if not found.version:
            module.warn(
                f"which version of {plugin} runs cannot be told from {found.image} of {found.place}; see that its "
                f"project supports the way to {wanted}"
            )
    module.exit_json(changed=False, **told(found))


if __name__ == "__main__":
    main()
