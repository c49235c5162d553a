# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Create and remove short-lived tokens for joining a cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_token
version_added: 0.1.0
short_description: Short-lived tokens for joining a cluster
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Creates a bootstrap token that a host joins the cluster with, and gives what else the join needs to know.
  - The token only authenticates. The cluster's authorities come with it from the control plane, so that nothing that is
    signed with the token is published, and a join need not wait until it is.
  - For control planes, the cluster's authorities can be stored encrypted in the cluster for the time of the join.
  - Runs on a control plane, with the administrator's kubeconfig.
  - Where something fails after the token was made, it is removed again.
  - The token is generated on the host and given to the API server through standard input.
    It is never on a command line or in a file.
  - The result holds the token. Set C(no_log) on the task.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.kubeconfig]
attributes:
  check_mode:
    support: full
    details: In check mode O(state=present) gives placeholders.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: With O(state=present) every run creates a token.
options:
  state:
    description: Whether to create a token or to remove one.
    type: str
    choices: [present, absent]
    default: present
  token:
    description: The token to remove. Required with O(state=absent). Its first six letters are enough.
    type: str
  ttl:
    description: How long the token holds, such as V(30m) or V(1h30m). The cluster removes it then.
    type: str
    default: 30m
  description:
    description: What C(kubeadm token list) shows beside the token.
    type: str
    default: Made by groundwork.kubernetes to join hosts
  nodes:
    description:
      - With O(state=present), the names of the nodes that are to join with the token.
      - Whoever has a token can ask for the identity of any node. So a host whose node is at work already does not get
        one, whatever it says. Such nodes are named in RV(refused); without any other, no token is made.
      - A node is at work while its kubelet renews its lease. It is watched for up to 25 seconds, and for 55 where it
        does. The node of a host that was set up anew is silent, even where the API still calls it ready.
    type: list
    elements: str
    default: []
  certificates:
    description:
      - With O(state=present), whether C(kubeadm init phase upload-certs) stores the cluster's authorities and their
        keys in the Secret C(kubeadm-certs), encrypted with a key that only the result holds.
      - With O(state=absent), whether that Secret is removed. Without that, the cluster removes it after two hours.
    type: bool
    default: false
  config:
    description: The file with kubeadm's configuration, for O(certificates=true).
    type: path
    default: /etc/kubernetes/kubeadm.yaml
seealso:
  - module: groundwork.kubernetes.kubeadm_join
  - name: Bootstrap tokens
    description: How a host authenticates itself when it joins.
    link: https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/
"""

EXAMPLES = r"""
- name: Create a token
  groundwork.kubernetes.kubeadm_token:
    ttl: 15m
  register: join
  no_log: true

- name: Create one for hosts of which the cluster knows no node at work
  groundwork.kubernetes.kubeadm_token:
    nodes: [worker-1, worker-2]
  register: join
  no_log: true

- name: Remove it
  groundwork.kubernetes.kubeadm_token:
    state: absent
    token: '{{ join.token }}'
"""

RETURN = r"""
token:
  description: The token. It is a secret.
  returned: when O(state=present), and not all of O(nodes) are refused
  type: str
certificate_key:
  description: The key of the stored authorities. It is a secret.
  returned: as RV(token), with O(certificates=true)
  type: str
endpoint:
  description: Host and port of the API.
  returned: as RV(token)
  type: str
  sample: 192.0.2.10:6443
kubeconfig:
  description: >-
    A kubeconfig with the API's address, the cluster's certificate authorities and the token, for
    O(groundwork.kubernetes.kubeadm_join#module:discovery_kubeconfig). It is a secret.
  returned: as RV(token)
  type: str
refused:
  description: By name of O(nodes), why it must not join.
  returned: when O(state=present)
  type: dict
  sample: {}
expires:
  description: When the cluster removes the token, in UTC.
  returned: as RV(token)
  type: str
  sample: '2026-11-22T05:20:00Z'
"""

import contextlib
import json
import re
from datetime import datetime, timezone
from typing import Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api import cluster_missing, not_known
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import (
    KUBECONFIG_OPTION,
    Kubectl,
    KubectlError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.leases import at_work
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.bootstrap_token import (
    Token,
    TokenError,
    discovery_kubeconfig,
    new_token,
    parse_ttl,
    read_cluster,
    token_manifest,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import (
    CONFIG,
    Kubeadm,
    KubeadmError,
    private_file,
)

PLACEHOLDERS = {
    "token": "checkm.0000000000000000",
    "endpoint": "192.0.2.1:6443",
    "kubeconfig": "{}",
    "certificate_key": 64 * "0",
}
CERTIFICATES = "kubeadm-certs"
AT_WORK = (
    "This host says that it has not joined the cluster, but the kubelet of the node {} is at work: it renews its "
    "lease. Whoever gets a token can take any node's identity, so it gets none. If its files were removed while its "
    "kubelet runs, stop the kubelet and run again. Else see whether the host, or another one under its name, was "
    "taken over."
)
UPLOAD_TIMEOUT = 120


def upload_certificates(module: AnsibleModule) -> str:
    """Store the authorities in the cluster; gives the key that they are encrypted with.

    kubeadm chooses the key, so that it is on no command line.
    """
    kubeadm = Kubeadm(module, UPLOAD_TIMEOUT)
    output = kubeadm.run("init", "phase", "upload-certs", "--upload-certs", f"--config={module.params['config']}")
    found = re.search(r"^[0-9a-f]{64}$", output, re.MULTILINE)
    if not found:
        raise TokenError("kubeadm init phase upload-certs printed no certificate key")
    return found.group()


def refusals(module: AnsibleModule) -> Dict[str, str]:
    """Why hosts do not get a token, by their nodes' names. In check mode there may be no cluster that can be asked."""
    names, kubeconfig = module.params["nodes"], module.params["kubeconfig"]
    if not names or (module.check_mode and (cluster_missing(module, kubeconfig) or not_known(module, kubeconfig))):
        return {}
    return {name: AT_WORK.format(name) for name in at_work(Kubectl(module, kubeconfig), names)}


def create(module: AnsibleModule) -> None:
    """Create a token, and give it with what the cluster says of itself."""
    lifetime, refused = parse_ttl(module.params["ttl"]), refusals(module)
    if refused and len(refused) == len(set(module.params["nodes"])):
        module.exit_json(changed=False, refused=refused)
    expires = datetime.now(timezone.utc) + lifetime
    stamp = expires.strftime("%Y-%m-%dT%H:%M:%SZ")
    if module.check_mode:
        module.exit_json(changed=True, expires=stamp, refused=refused, **PLACEHOLDERS)
    kubectl = Kubectl(module, module.params["kubeconfig"])
    info = kubectl.get("configmap", "cluster-info", "--namespace=kube-public") or {}
    text = info.get("data", {}).get("kubeconfig", "")
    # kubectl reads the YAML, so that no YAML library is needed on the host. It gets a file and no pipe, as a wrapper
    # around kubectl may read it twice; that of Google's SDK does.
    with private_file(module, text) as path:
        parsed = kubectl.run("config", "view", "--raw", "--output=json", f"--kubeconfig={path}")
    cluster = read_cluster(json.loads(parsed))
    token = new_token()
    manifest = token_manifest(token, expires, module.params["description"])
    try:
        # What is applied can be repeated. On the server's side no copy of the secret goes into an annotation.
        kubectl.run("apply", "--server-side", "--field-manager=groundwork", "--filename=-", stdin=json.dumps(manifest))
        stored = {"certificate_key": upload_certificates(module)} if module.params["certificates"] else {}
    except Exception:
        # Nobody gets to know it, so nobody else would remove it.
        with contextlib.suppress(KubectlError):
            remove_secrets(module, kubectl, token)
        raise
    module.exit_json(
        changed=True,
        token=str(token),
        endpoint=cluster.endpoint,
        kubeconfig=discovery_kubeconfig(cluster, token),
        expires=stamp,
        refused=refused,
        **stored,
    )


def remove_secrets(module: AnsibleModule, kubectl: Kubectl, token: Token) -> bool:
    """Remove a token, and the stored authorities; says whether there was any of it."""
    names = [token.secret_name]
    # Only names are asked for: what the Secrets hold is of no use here.
    namespace = "--namespace=kube-system"
    if module.params["certificates"]:
        # kubeadm makes a token whose only purpose is to own them, so that they go when it expires.
        owners = ("--ignore-not-found", "--output=jsonpath={.metadata.ownerReferences[*].name}")
        names += [CERTIFICATES, *kubectl.run("get", "secret", CERTIFICATES, namespace, *owners).split()]
    found = kubectl.run("get", "secrets", *names, namespace, "--output=name", "--ignore-not-found").strip()
    if found and not module.check_mode:
        kubectl.run("delete", "secrets", *names, namespace, "--ignore-not-found")
    return bool(found)


def remove(module: AnsibleModule) -> None:
    """Remove a token, and the stored authorities."""
    if module.check_mode and module.params["token"] == PLACEHOLDERS["token"]:
        module.exit_json(changed=True)
    kubectl = Kubectl(module, module.params["kubeconfig"])
    module.exit_json(changed=remove_secrets(module, kubectl, Token(module.params["token"][:6], "")))


def main() -> None:
    """Create or remove a token."""
    module = AnsibleModule(
        {
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "token": {"type": "str", "no_log": True},
            "ttl": {"type": "str", "default": "30m"},
            "description": {"type": "str", "default": "Made by groundwork.kubernetes to join hosts"},
            "nodes": {"type": "list", "elements": "str", "default": []},
            "certificates": {"type": "bool", "default": False},
            "config": {"type": "path", "default": CONFIG},
            "kubeconfig": KUBECONFIG_OPTION,
        },
        required_if=[("state", "absent", ["token"])],
        supports_check_mode=True,
    )
    try:
        if module.params["state"] == "present":
            create(module)
        remove(module)
    except (KubeadmError, KubectlError, TokenError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
