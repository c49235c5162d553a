# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts of people and programs, what they may do, and what they log in with."""

from __future__ import annotations

DOCUMENTATION = r"""
module: user
version_added: 0.1.0
short_description: Give people and programs accounts in a cluster, list and revoke them
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Binds groups to roles. The members of a group stand by name in its bindings, so that who leaves the group or is
    revoked has lost its rights at once. A certificate carries no groups, since nobody could take them back.
  - Issues each account once what it logs in with, by a request for a certificate or a service account's token, and
    gives the kubeconfig around it. A key or a token is only given encrypted with age. It is on no disk, in no output,
    and on no command line before that.
  - Until when it holds is read from the certificate or the token itself. What holds longer than was asked for is thrown
    away.
  - A ConfigMap in C(kube-system) for each account notes what was issued, so that the cluster itself tells who has what
    until when. All objects have the label C(groundwork.kubernetes/user).
  - What has ended is not issued again unless O(renew) names the account.
  - A certificate cannot be revoked. An account with O(accounts[].state=absent) has no rights any more, but its
    certificate logs in until it ends; the list says until when. A service account is deleted, and its tokens with it.
  - Everything that is wrong is told at once, and then nothing is changed.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.full
  - groundwork.kubernetes.kubeconfig
options:
  accounts:
    description:
      - All accounts. One that is not named any more loses its rights, as it stands in no binding, but its service
        account stays.
      - With neither O(accounts) nor O(bindings) nothing is changed, and the list is all that comes of it.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name, for a service account without the namespace. Names of C(system:) are refused.
        type: str
        required: true
      kind:
        description:
          - V(certificate) issues a client's certificate.
          - V(token) makes a service account, for a program, and issues a token. It is limited to its namespace.
          - V(oidc) is somebody whom the cluster's identity provider knows; O(oidc) is needed. Nothing is issued.
        type: str
        choices: [certificate, token, oidc]
        default: certificate
      groups:
        description: The groups of O(bindings) that it is a member of. Groups of C(system:) are refused.
        type: list
        elements: str
        default: []
      namespace:
        description: The namespace of a service account.
        type: str
      hours:
        description: How long what is issued may hold. Without it, O(hours).
        type: int
      request:
        description:
          - A certificate request in PEM, whose key its owner has and keeps. Its subject is the name alone.
          - Without it a key is made, and the kubeconfig that holds it is encrypted for O(accounts[].encrypt_to).
        type: str
      encrypt_to:
        description: Public keys of age or ssh. Whoever has the private key of one of them can read the kubeconfig.
        type: list
        elements: str
        default: []
      state:
        description: Whether it has its rights, or is revoked.
        type: str
        choices: [present, absent]
        default: present
  bindings:
    description:
      - What groups may do. Who logs in with such a group by other means, as by OIDC, has these rights, too.
      - A binding of an earlier run that is not named any more is removed. Others' bindings are not looked at.
    type: list
    elements: dict
    default: []
    suboptions:
      group:
        description: The group.
        type: str
        required: true
      cluster_role:
        description: A ClusterRole, such as V(view), V(edit) or V(admin).
        type: str
      role:
        description: A Role, which each of the namespaces must have.
        type: str
      namespaces:
        description: Where it counts. V(*) alone stands for all namespaces and for the cluster itself.
        type: list
        elements: str
        default: []
  hours:
    description: How long what is issued may hold, where an account does not say so.
    type: int
    default: 24
  renew:
    description: Accounts that get something new to log in with, a service account as C(namespace/name).
    type: list
    elements: str
    default: []
  accept_longer:
    description:
      - Whether something that holds longer than was asked for is taken all the same. API servers before 1.22 ignore how
        long a certificate should hold; then the controller managers' C(--cluster-signing-duration) counts, a year
        unless it is set.
    type: bool
    default: false
  server:
    description: The URL of the API in kubeconfigs. Without it, that of O(kubeconfig).
    type: str
    default: ''
  directory:
    description: The folder on the machine that runs Ansible that RV(files) are to be in.
    type: str
    default: ''
  cluster:
    description: The cluster's name in kubeconfigs.
    type: str
    default: kubernetes
  oidc:
    description: How accounts of the kind V(oidc) log in.
    type: dict
    suboptions:
      issuer_url:
        description: The URL of the identity provider.
        type: str
        required: true
      client_id:
        description: As what it knows kubectl.
        type: str
        required: true
      scopes:
        description: What kubectl asks for beside C(openid).
        type: list
        elements: str
        default: []
  delivered:
    description:
      - What was issued and has arrived, as RV(issued) of an earlier call has it. That is noted, and nothing else is
        done. What has not arrived counts as lost, and is issued anew.
    type: list
    elements: str
    default: []
requirements:
  - kubectl 1.20 or later
  - openssl and age on the host, where a key or a token is handed over
notes:
  - Bindings with this collection's label are its own; subjects that others add there are removed.
seealso:
  - module: groundwork.kubernetes.client_kubeconfig
  - name: Certificates and Certificate Signing Requests
    description: What signs, and how long a certificate holds.
    link: https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/
  - name: RBAC good practices
    description: What a role lets its holder reach.
    link: https://kubernetes.io/docs/concepts/security/rbac-good-practices/
"""

EXAMPLES = r"""
- name: Let two people and a pipeline work in a namespace
  groundwork.kubernetes.user:
    accounts:
      - name: alice
        groups: [developers]
        encrypt_to: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]
      - name: bob
        groups: [developers]
        request: "{{ lookup('ansible.builtin.file', 'bob.csr') }}"
        hours: 8
      - name: deploy
        kind: token
        namespace: shop
        groups: [deployers]
        encrypt_to: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]
      - name: mallory
        state: absent
    bindings:
      - group: developers
        cluster_role: edit
        namespaces: [shop, shop-test]
      - group: deployers
        role: deployer
        namespaces: [shop]
  register: users

- name: See who has what until when
  groundwork.kubernetes.user:
  register: users

- name: Show it
  groundwork.kubernetes.show:
    text: "{{ users.table | join('\n') }}"
"""

RETURN = r"""
plan:
  description: What was to be done, or would be, in the form that M(groundwork.kubernetes.show) takes.
  returned: always, where the cluster was asked
  type: list
  elements: dict
  sample:
    - {host: alice, subject: certificate, before: '', after: for 24 h, restarts: [], evicts: [], disrupts: ''}
rows:
  description: What came of it, in the form that M(groundwork.kubernetes.show) takes.
  returned: always, where the cluster was asked
  type: list
  elements: dict
  sample:
    - {host: alice, subject: certificate, before: '', after: until 2026-11-28 21:00 UTC, seconds: 1.2, result: changed}
accounts:
  description: Who has what until when, those too that the cluster knows and O(accounts) does not name.
  returned: success
  type: list
  elements: dict
  sample:
    - {account: alice, kind: certificate, groups: [developers], may: [edit in shop], expires: 1795899600,
       state: certificate until 2026-11-28 21:00 UTC}
table:
  description: The same in lines for people.
  returned: success
  type: list
  elements: str
  sample: [ACCOUNT  GROUPS      MAY           LOGS IN BY]
files:
  description:
    - The kubeconfigs to hand over, as M(groundwork.kubernetes.files) takes them. One with a key or a token is
      encrypted, and its name ends in C(.age). The kubeconfig of who has made the request names the key's file, which
      lies beside it.
    - In check mode the content is empty where something would be issued.
  returned: always, where the cluster was asked
  type: list
  elements: dict
  sample: [{path: users/alice.kubeconfig.age, content: '...', mode: '0600'}]
issued:
  description: What was issued, for O(delivered).
  returned: always, where the cluster was asked
  type: list
  elements: str
  sample: [5f3a]
seals:
  description: Whether something is to be encrypted, which needs openssl and age on the host.
  returned: success
  type: bool
reasons:
  description: Everything that forbids it.
  returned: failure, where nothing was changed
  type: list
  elements: str
  sample: [the group developers is to be bound in the namespace shop, which does not exist; make it first]
"""

import time
from dataclasses import asdict
from typing import Any, Dict, List, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.age import Age, EncryptionError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.account_run import AccountRun, Step
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.account_state import (
    RecordError,
    cluster_faults,
    listed,
    returning_faults,
    table,
    unknown_names,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.accounts import (
    OIDC,
    Account,
    Binding,
    account_faults,
    binding_faults,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api import require_cluster
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.credentials import CredentialError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import (
    KUBECONFIG_OPTION,
    KubectlError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.diff import diff_lines
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.plan import ResultRow

ARGUMENTS: Dict[str, Any] = {
    "accounts": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "kind": {"type": "str", "choices": ["certificate", "token", "oidc"], "default": "certificate"},
            "groups": {"type": "list", "elements": "str", "default": []},
            "namespace": {"type": "str"},
            "hours": {"type": "int"},
            "request": {"type": "str"},
            "encrypt_to": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
    },
    "bindings": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "group": {"type": "str", "required": True},
            "cluster_role": {"type": "str"},
            "role": {"type": "str"},
            "namespaces": {"type": "list", "elements": "str", "default": []},
        },
        "mutually_exclusive": [["cluster_role", "role"]],
    },
    "hours": {"type": "int", "default": 24},
    "renew": {"type": "list", "elements": "str", "default": []},
    "accept_longer": {"type": "bool", "default": False},
    "server": {"type": "str", "default": ""},
    "directory": {"type": "str", "default": ""},
    "cluster": {"type": "str", "default": "kubernetes"},
    "oidc": {
        "type": "dict",
        "options": {
            "issuer_url": {"type": "str", "required": True},
            "client_id": {"type": "str", "required": True},
            "scopes": {"type": "list", "elements": "str", "default": []},
        },
    },
    "delivered": {"type": "list", "elements": "str", "default": []},
    "kubeconfig": KUBECONFIG_OPTION,
}


def refuse(module: AnsibleModule, reasons: List[str], **result: Any) -> None:
    """End with everything that is wrong."""
    module.fail_json(msg="\n".join(["Nothing was changed.", *reasons]), reasons=reasons, **result)


def perform(steps: List[Step]) -> Tuple[List[Dict[str, Any]], str]:
    """Do the steps until one fails; what came of each, and why one failed."""
    rows, failure = [], ""
    for step in steps:
        item, began, after = step.item, time.monotonic(), step.item.after
        result = "not reached" if failure else "changed"
        if not failure:
            try:
                after = step.work() or after
            except (CredentialError, EncryptionError, KubectlError) as error:
                failure, result = str(error), "failed"
        if result != "changed":
            after = item.before
        seconds = round(time.monotonic() - began, 1)
        rows.append(asdict(ResultRow(item.host, item.subject, item.before, after, seconds, result)))
    return rows, failure


def run(module: AnsibleModule) -> None:
    """Compare, refuse, act."""
    params = module.params
    accounts = [Account.of(value, params["hours"]) for value in params["accounts"]]
    bindings = [Binding.of(value) for value in params["bindings"]]
    reasons = [*account_faults(accounts), *binding_faults(bindings, accounts)]
    reasons += unknown_names(params["renew"], accounts)
    if any(account.kind == OIDC and not account.absent for account in accounts) and not params["oidc"]:
        reasons.append("oidc: accounts of the kind oidc need it")
    if reasons:
        refuse(module, reasons, plan=[], rows=[])
    age = Age(module)
    work = AccountRun(module, accounts, bindings, age.seal)
    if params["delivered"]:
        changed = work.note_delivered(params["delivered"])
        rows = listed(work.cluster, work.cluster.bindings, accounts, work.now)
        module.exit_json(changed=changed, accounts=rows, table=table(rows))
    reasons = cluster_faults(work.cluster, bindings, accounts)
    reasons += returning_faults(work.cluster, accounts, work.now)
    if work.seals and (age.path or not module.check_mode):
        recipients = [key for account in work.due.issue for key in account.encrypt_to]
        reasons += age.faults(list(dict.fromkeys(recipients)))
    if reasons:
        refuse(module, reasons, plan=[], rows=[])
    steps = work.steps()
    result: Dict[str, Any] = {
        "changed": bool(steps),
        "plan": [step.item.describe() for step in steps],
        "rows": [],
        "seals": work.seals,
        "files": work.other_files(),
        "issued": [],
    }
    if module._diff:
        lines = [(f"{item.host} {item.subject}: ", item.before, item.after) for item in work.account_items()]
        result["diff"] = [change.diff() for change in work.changes if change.action != "unchanged"]
        result["diff"] += diff_lines(
            "accounts",
            [f"{what}{before}" for what, before, _after in lines if before],
            [f"{what}{after}" for what, _before, after in lines],
        )
    failure = ""
    if module.check_mode:
        result["files"] += work.files_to_come()
    else:
        result["rows"], failure = perform(steps)
        result["files"] += work.files
        result["issued"] = work.issued
        result["changed"] = any(row["result"] == "changed" for row in result["rows"])
    if failure:
        module.fail_json(msg=failure, **result)
    rows = listed(work.cluster, work.bindings_afterwards(), accounts, work.now)
    module.exit_json(accounts=rows, table=table(rows), **result)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    require_cluster(module, params["kubeconfig"])
    try:
        run(module)
    except (CredentialError, KubectlError, RecordError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
