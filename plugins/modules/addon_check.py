# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether add-ons of a cluster do their work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: addon_check
short_description: Ask add-ons of a cluster whether they do their work
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Reads of the API what proves that add-ons work, until all answers are right or the time is over. Nothing is changed.
  - Tells which releases of P(groundwork.kubernetes.helm_template#module) the cluster has that nobody names any more.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
attributes:
  check_mode:
    support: full
    details: Each question is asked once, and a wrong answer is no failure. Without a cluster there are no answers.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  addons:
    description: The add-on of each release, by the release's namespace and name with a slash between them.
    type: dict
    default: {}
  questions:
    description: What is asked.
    type: list
    elements: dict
    default: []
    suboptions:
      addon:
        description: The add-on.
        type: str
        required: true
      what:
        description: What is so if the answer is right, for people.
        type: str
        required: true
      path:
        description:
          - What is read of the API. It may lead to a service of the cluster, such as
            V(/api/v1/namespaces/monitoring/services/prometheus:http/proxy/-/ready).
        type: str
        required: true
      condition:
        description: A condition of the object that must be true, such as V(Available).
        type: str
      items:
        description: How many objects the list must have at least; V(nodes) for as many as there are ready nodes.
        type: str
      text:
        description: A regular expression that must be found in the answer.
        type: str
  known:
    description: The names of further releases that somebody knows of, in whatever namespace.
    type: list
    elements: str
    default: []
  timeout:
    description: How long to ask again, in seconds.
    type: int
    default: 300
  kubeconfig:
    description: The kubeconfig on the managed host.
    type: path
    default: /etc/kubernetes/admin.conf
"""

EXAMPLES = r"""
- name: Wait until each node has figures
  groundwork.kubernetes.addon_check:
    addons: {kube-system/metrics-server: metrics-server}
    questions:
      - addon: metrics-server
        what: each node has figures
        path: /apis/metrics.k8s.io/v1beta1/nodes
        items: nodes
"""

RETURN = r"""
proofs:
  description: What came of each question.
  returned: success
  type: list
  elements: dict
  contains:
    addon:
      description: The add-on.
      type: str
    what:
      description: What was to be shown.
      type: str
    lacks:
      description: What the answer lacks; empty where it is right.
      type: str
table:
  description: The same as text for people.
  returned: success
  type: str
unnamed:
  description: The releases that the cluster has and nobody names, with their charts.
  returned: success
  type: list
  elements: str
  sample: [shop/shop (shop-1.2.3)]
"""

import time
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.addon_proof import (
    Proof,
    Question,
    installed,
    table,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api import cluster_missing, not_known
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api_calls import Api, ApiError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.chart_record import TYPE
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import KUBECONFIG_OPTION

PAUSE = 3.0
ARGUMENTS: Dict[str, Any] = {
    "addons": {"type": "dict", "default": {}},
    "questions": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "addon": {"type": "str", "required": True},
            "what": {"type": "str", "required": True},
            "path": {"type": "str", "required": True},
            "condition": {"type": "str"},
            "items": {"type": "str"},
            "text": {"type": "str"},
        },
    },
    "known": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "int", "default": 300},
    "kubeconfig": KUBECONFIG_OPTION,
}


def ready_nodes(api: Api) -> int:
    """How many nodes are ready."""
    return len(
        [
            node
            for node in api.items("/api/v1/nodes")
            if any(
                one["type"] == "Ready" and one["status"] == "True"
                for one in (node.get("status") or {}).get("conditions") or []
            )
        ]
    )


def ask(api: Api, questions: List[Question], seconds: float) -> List[Proof]:
    """Ask until all answers are right, or the time is over."""
    end = time.monotonic() + seconds
    while True:
        nodes = ready_nodes(api)
        proofs = [Proof(question, question.missing(api.call("GET", question.path), nodes)) for question in questions]
        if not any(proof.lacks for proof in proofs) or time.monotonic() >= end:
            return proofs
        time.sleep(PAUSE)


def run(module: AnsibleModule) -> Dict[str, Any]:
    """The module's result."""
    params = module.params
    seconds = 0 if module.check_mode else params["timeout"]
    with Api(module, params["kubeconfig"], seconds + 60) as api:
        proofs = ask(api, [Question.of(one) for one in params["questions"]], seconds)
        releases = installed(api.items("/api/v1/secrets", fieldSelector=f"type={TYPE}"))
    return {
        "changed": False,
        "proofs": [
            {"addon": proof.question.addon, "what": proof.question.what, "lacks": proof.lacks} for proof in proofs
        ],
        "table": table(proofs, releases, params["addons"]),
        "unnamed": [
            f"{release} ({release.chart})"
            for release in releases
            if str(release) not in params["addons"] and release.name not in params["known"]
        ],
    }


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    kubeconfig = module.params["kubeconfig"]
    missing = cluster_missing(module, kubeconfig)
    if not_known(module, kubeconfig) or (missing and module.check_mode):
        module.exit_json(changed=False, proofs=[], table="", unnamed=[])
    if missing:
        module.fail_json(msg=f"{missing}; run this task on a control plane")
    try:
        result = run(module)
    except ApiError as error:
        module.fail_json(msg=str(error))
    bad = [proof for proof in result["proofs"] if proof["lacks"]]
    if bad and not module.check_mode:
        lines = "\n".join(f"- {proof['addon']}: {proof['what']}: {proof['lacks']}" for proof in bad)
        module.fail_json(
            msg=f"After {module.params['timeout']} seconds add-ons do not do their work:\n{lines}", **result
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
