# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write all stored objects of a resource anew."""

from __future__ import annotations

DOCUMENTATION = r"""
module: encryption_rewrite
version_added: 0.1.0
short_description: Write all stored objects of a resource anew
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Replaces every object of a resource by itself. The API server stores it with the key that it writes with now,
    and writes nothing where it was stored with that key already.
  - Objects are listed by the page, and each is replaced in the version that was just read.
    One that was changed or removed in between is passed over, as who changed it has written it.
  - If it is interrupted, it is simply run again. What has been written before is then only read.
  - Every API server must write with the new key before.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.kubeconfig]
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: none
    details: It always says that it changed something where there are objects, as only the API server knows.
options:
  resources:
    description: What is written anew, such as V(secrets) or V(widgets.example.com).
    type: list
    elements: str
    required: true
  request_timeout:
    description: Seconds that one request to the API server may take.
    type: int
    default: 60
seealso:
  - module: groundwork.kubernetes.encryption_info
  - plugin: groundwork.kubernetes.encryption_plan
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Write all Secrets anew with the key that is in use now
  groundwork.kubernetes.encryption_rewrite:
    resources: [secrets]
"""

RETURN = r"""
objects:
  description: How many objects were written anew, or would be in check mode.
  returned: success
  type: int
passed_over:
  description: How many were changed or removed by others in between.
  returned: success
  type: int
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api import cluster_missing, not_known
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import (
    KUBECONFIG_OPTION,
    Kubectl,
    KubectlError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.rewrite import RewriteError, names, rewrite


def run(module: AnsibleModule) -> Dict[str, Any]:
    """The module's result."""
    if not_known(module, module.params["kubeconfig"]):
        return {"changed": False, "objects": 0, "passed_over": 0}
    missing = cluster_missing(module, module.params["kubeconfig"])
    if missing and module.check_mode:
        return {"changed": False, "objects": 0, "passed_over": 0}
    if missing:
        raise RewriteError(f"{missing}; run this task on a control plane")
    kubectl = Kubectl(module, module.params["kubeconfig"], module.params["request_timeout"])
    found = {resource: names(kubectl, resource) for resource in module.params["resources"]}
    count, passed_over = sum(map(len, found.values())), 0
    if not module.check_mode:
        done = [rewrite(kubectl, resource, objects) for resource, objects in found.items()]
        count, passed_over = (sum(getattr(one, field) for one in done) for field in ("written", "passed_over"))
    return {"changed": count > 0, "objects": count, "passed_over": passed_over}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        {
            "resources": {"type": "list", "elements": "str", "required": True},
            "kubeconfig": KUBECONFIG_OPTION,
            "request_timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except (RewriteError, KubectlError) as error:
        module.fail_json(msg=f"Not everything has been written anew: {error}. Run again to resume.")


if __name__ == "__main__":
    main()
