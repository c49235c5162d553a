# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a Kubernetes manifest in a cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: manifest
short_description: Apply a Kubernetes manifest with kubectl, server side
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Applies the objects of a manifest with C(kubectl apply --server-side), or deletes them.
  - The manifest is read, verified and adapted on the controller, which needs PyYAML and, for O(url), a way to that URL.
    The managed host needs nothing but kubectl and a kubeconfig.
  - Plain values mean what they mean to kubectl. A number with underscores, such as C(1_000), is an error, as
    kubectl takes it for a number, and it may be meant as text.
  - Before anything is written, the API server is asked in a dry run what each object would become. If it refuses one,
    nothing is changed.
  - Namespaces and custom resource definitions are applied first, and definitions must be established before the other
    objects follow.
  - Objects that the API server's copy already agrees with are not written.
  - An object that disappears from the manifest stays in the cluster; name it in a second task with O(state=absent).
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.full
attributes:
  check_mode:
    details:
      - Asks the API server in a dry run. On a host that has no kubectl or kubeconfig yet, every object counts as one
        that would be created; so do objects whose kind or namespace is not there yet.
  diff_mode:
    details: Values of Secrets are hidden.
options:
  content:
    description: The manifest itself, YAML or JSON, with any number of documents.
    type: str
  path:
    description:
      - A file on the controller that holds the manifest.
      - A relative path is looked up in the C(files) of the role and the playbook.
    type: path
  url:
    description: Where the controller downloads the manifest from, of 32 MiB at the most. O(checksum) is then required.
    type: str
  objects:
    description: The objects as data.
    type: list
    elements: dict
  allow_http:
    description:
      - Whether O(url) may be C(http), which can be read and changed on its way.
      - A redirect from C(https) to anything else is never followed.
    type: bool
    default: false
  checksum:
    description:
      - What the manifest of O(url) or O(path) must have, as C(sha256:) and 64 hexadecimal digits.
      - Where it is missing for O(url), the error says the checksum that was found.
    type: str
  state:
    description: Whether the objects are there.
    type: str
    choices: [present, absent]
    default: present
  kubeconfig:
    description: The kubeconfig on the managed host. Its user must be allowed to do what the manifest asks for.
    type: path
    default: /etc/kubernetes/admin.conf
  own_server:
    description:
      - Ask the API server of the managed host, a control plane, and not the one that O(kubeconfig) leads to. For what
        the address of the cluster's API itself depends on.
    type: bool
    default: false
  image_mirrors:
    description:
      - Where to take images from instead, such as C(quay.io) from C(mirror.example.org/quay.io).
      - The longest name that fits wins.
      - Applies to the images of containers in pod templates. An image without a registry counts as one of C(docker.io),
        and C(index.docker.io) is another name of that.
      - Not needed where the container runtime knows the mirrors.
    type: dict
    default: {}
  pod_cidr:
    description:
      - The cluster's pod network, or one for IPv4 and one for IPv6 with a comma between them, to be set in the manifest
        of a network plugin.
      - Set for Calico in C(CALICO_IPV4POOL_CIDR) and C(CALICO_IPV6POOL_CIDR) of the container C(calico-node), for
        Calico's operator in C(spec.calicoNetwork.ipPools) of C(Installation), and for Flannel in C(net-conf.json) of
        its ConfigMap.
      - It is an error if the manifest has none of these.
    type: str
  network:
    description:
      - What the pod network shall be, to be set in the objects of Flannel, Calico, its operator and Canal, wherever
        they are among them, before O(patches).
      - Keys are C(plugin), C(pod_cidr), and of the role P(groundwork.kubernetes.cni#role) the variables without
        their C(cni_) - C(mtu), C(encapsulation), C(tunnel), C(interface), C(wireguard), C(masquerade), C(block_size),
        C(bgp_as_number) and C(bgp_peers).
      - With C(version), an image of the plugin with another one is an error.
    type: dict
  patches:
    description:
      - Changes to objects of the manifest, made before it is applied.
      - Mappings are merged, and null removes a key.
      - Lists whose items all have a C(name) are merged by it; other lists are replaced.
      - A patch that fits no object is an error.
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description: Kind of the objects to change.
        type: str
        required: true
      name:
        description: Name of the object to change; all of the kind without it.
        type: str
      namespace:
        description: Namespace of the objects to change; any without it.
        type: str
      patch:
        description: What to merge into the object.
        type: dict
        required: true
  fixed_images:
    description:
      - Whether images without a digest and with no tag, or with C(latest), are an error. Such a name means another
        image tomorrow, on a node that joins then.
    type: bool
    default: false
  owner:
    description:
      - Whose the objects are, such as V(monitoring/prometheus). They get it as the annotation
        C(groundwork.kubernetes/owner). Namespaces and custom resource definitions do not, since others may use them.
      - An object that is there and has another owner, is of a release of Helm, or was made by something else, is an
        error, unless O(take_over) is set.
      - With O(state=absent), an object that does not have the annotation with this owner stays; a warning names it.
    type: str
  take_over:
    description: Whether objects that are not of O(owner) become it.
    type: bool
    default: false
  recreate:
    description:
      - Delete what is there, and make it anew. For what runs once, such as a Job, and cannot be changed.
      - With O(wait), its Jobs and Pods are waited for until they have succeeded; where one fails, the module does.
    type: bool
    default: false
  force_conflicts:
    description: Take over fields that another manager set to another value, instead of failing.
    type: bool
    default: false
  wait:
    description:
      - Wait until the manifest's Deployments, DaemonSets and StatefulSets are ready.
      - With O(state=absent), wait until all is gone.
    type: bool
    default: false
  wait_nodes:
    description:
      - With O(wait), the nodes on which the workloads' pods are waited for. Without it, all nodes.
      - Pods on other nodes need not be ready; a warning names these nodes. So a node that is off holds up nothing.
    type: list
    elements: str
    default: []
  timeout:
    description: How long to wait, in seconds, for resource definitions and, with O(wait), for workloads.
    type: int
    default: 300
notes:
  - Set C(no_log) on a task whose manifest holds Secrets, because Ansible shows a task's arguments at high verbosity.
  - Fields are owned by the field manager C(groundwork).
  - Works with kubectl 1.20 and later.
seealso:
  - name: Server-Side Apply
    description: Field managers, conflicts and dry runs in the documentation of Kubernetes.
    link: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

EXAMPLES = r"""
- name: Install Flannel
  groundwork.kubernetes.manifest:
    url: https://github.com/flannel-io/flannel/releases/download/v0.28.9/kube-flannel.yml
    checksum: sha256:{{ flannel_checksum }}
    pod_cidr: 10.244.0.0/16
    wait: true

- name: Install an add-on from a mirror, with an argument of its own
  groundwork.kubernetes.manifest:
    path: metrics-server.yaml
    image_mirrors:
      registry.k8s.io: mirror.example.org/registry.k8s.io
    patches:
      - kind: Deployment
        name: metrics-server
        patch:
          spec:
            template:
              spec:
                containers:
                  - name: metrics-server
                    args: [--kubelet-insecure-tls]

- name: A namespace
  groundwork.kubernetes.manifest:
    objects:
      - apiVersion: v1
        kind: Namespace
        metadata:
          name: shop
"""

RETURN = r"""
known:
  description: That nothing is known of the objects, since the cluster cannot be asked.
  returned: in check mode, where the host has joined a cluster that cannot be asked
  type: bool
  sample: false
objects:
  description: The manifest's objects and what was done, or would be done, with each.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: The object's kind.
      type: str
    namespace:
      description: The object's namespace; empty if it has none.
      type: str
    name:
      description: The object's name.
      type: str
    action:
      description:
        - V(created), V(updated), V(deleted) or V(unchanged).
        - V(unknown) in check mode where the host has joined a cluster that cannot be asked.
      type: str
  sample: [{kind: Namespace, namespace: '', name: shop, action: created}]
"""

from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api import cluster_missing, not_known
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import (
    KUBECONFIG_OPTION,
    KubectlError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import (
    Change,
    ManifestError,
    Ref,
    check,
    flatten,
    in_order,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.ownership import marked, not_own
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.server_side_apply import ServerSideApply

ARGUMENTS: Dict[str, Any] = {
    "content": {"type": "str"},
    "path": {"type": "path"},
    "url": {"type": "str"},
    "allow_http": {"type": "bool", "default": False},
    "objects": {"type": "list", "elements": "dict"},
    "checksum": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "kubeconfig": KUBECONFIG_OPTION,
    "own_server": {"type": "bool", "default": False},
    "image_mirrors": {"type": "dict", "default": {}},
    "pod_cidr": {"type": "str"},
    "network": {"type": "dict"},
    "patches": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "kind": {"type": "str", "required": True},
            "name": {"type": "str"},
            "namespace": {"type": "str"},
            "patch": {"type": "dict", "required": True},
        },
    },
    "fixed_images": {"type": "bool", "default": False},
    "owner": {"type": "str"},
    "take_over": {"type": "bool", "default": False},
    "recreate": {"type": "bool", "default": False},
    "force_conflicts": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": False},
    "wait_nodes": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "int", "default": 300},
}
SOURCES: List[str] = ["content", "path", "url", "objects"]


def described(ref: Ref, action: str) -> Dict[str, str]:
    """An object and what is done with it, as the module returns it."""
    return {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name, "action": action}


def run(module: AnsibleModule) -> Dict[str, Any]:
    """The module's result."""
    params = module.params
    objects = in_order(check(flatten(params["objects"])))
    owner = params["owner"]
    if owner and params["state"] == "present":
        objects = [marked(item, owner) for item in objects]
    if not_known(module, params["kubeconfig"]):
        return {"changed": False, "known": False, "objects": [described(Ref.of(item), "unknown") for item in objects]}
    missing = cluster_missing(module, params["kubeconfig"])
    if missing and not module.check_mode:
        raise ManifestError(f"{missing}; run this task on a control plane")
    cluster = None if missing else ServerSideApply(module)
    if cluster:
        changes = _own(module, cluster.plan(objects), owner) if owner else cluster.plan(objects)
    else:
        absent = params["state"] == "absent"
        changes = [Change(Ref.of(item), None, None if absent else item, item) for item in objects]
    result: Dict[str, Any] = {
        "changed": any(change.action != "unchanged" for change in changes),
        "objects": [described(change.ref, change.action) for change in changes],
    }
    if module._diff:
        result["diff"] = [change.diff() for change in changes if change.action != "unchanged"]
    if cluster and not module.check_mode:
        cluster.carry_out(changes)
    return result


def _own(module: AnsibleModule, changes: List[Change], owner: str) -> List[Change]:
    """The changes of objects of an owner.

    Raises:
        ManifestError: naming what is not the owner's, unless it is only asked to go, or is to be taken over.
    """
    foreign = {change.ref: why for change in changes if (why := not_own(change.before, owner))}
    if module.params["state"] == "absent":
        if foreign:
            module.warn(f"These stay, as they are not of {owner}: {'; '.join(foreign.values())}")
        return [change for change in changes if change.ref not in foreign]
    if foreign and not module.params["take_over"]:
        raise ManifestError(
            f"not of {owner}, so nothing was changed: {'; '.join(foreign.values())}. Set take_over to true to take "
            "them over, or remove them"
        )
    return changes


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        mutually_exclusive=[SOURCES],
        required_one_of=[SOURCES],
        supports_check_mode=True,
    )
    if module.params["objects"] is None:
        module.fail_json(
            msg="the action plugin reads the manifest: call the module by its name groundwork.kubernetes.manifest"
        )
    try:
        module.exit_json(**run(module))
    except (ManifestError, KubectlError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
