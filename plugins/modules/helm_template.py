# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A chart of Helm as objects for manifest; this half reads what the cluster is and has."""

from __future__ import annotations

DOCUMENTATION = r"""
module: helm_template
short_description: Render a chart of Helm or a manifest on the controller, in steps that the module manifest applies
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Renders a chart with C(helm template) on the controller, which needs Helm 3 or 4 and PyYAML. The managed host needs
    kubectl and a kubeconfig; it is asked for the version of the cluster, the APIs that it serves, and what is there of
    the release. Nothing is changed.
  - O(name) and O(namespace) make a release. What it has is kept in the Secret C(groundwork-chart-NAME) of its
    namespace, which is part of the rendered objects, so an upgrade and a removal know what to delete.
  - The chart is rendered twice. An object that differs, such as one with a certificate or a password that a template
    makes, is an error, since every run would change it.
  - Every chart is rendered as for a first installation, so that a second run finds the same. The function C(lookup)
    finds nothing; a warning names the templates that use it.
  - A manifest, and objects that are given as data, become a release in the same way; they need no Helm.
  - Helm takes the APIs that its own version knows for served. An object of an API that the cluster does not serve is an
    error.
  - Custom resource definitions come first. Hooks before and after an installation or upgrade become steps, by their
    weights; they run when what is rendered has changed. Hooks of C(helm test) are left out, others are an error.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
attributes:
  check_mode:
    support: full
    details: Nothing is changed in any mode. On a host of no cluster the chart is rendered for O(kubernetes_version).
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  name:
    description: The release's name.
    type: str
    required: true
  namespace:
    description: The release's namespace. Where it is not there, the first step makes it.
    type: str
    default: default
  state:
    description:
      - V(present) renders the chart.
      - With V(absent) the steps remove what the release has; no chart is needed. The namespace stays, and so does what
        the chart marks with C(helm.sh/resource-policy=keep).
    type: str
    choices: [present, absent]
    default: present
  chart:
    description:
      - The chart as an archive on the controller, as C(helm package) and C(helm pull) write it, with its dependencies.
      - What is not packed is taken for a manifest.
      - A relative path is looked up in the C(files) of the role and the playbook.
    type: path
  url:
    description: Where the controller downloads the archive or the manifest from. O(checksum) is then required.
    type: str
  rendered:
    description:
      - A file on the controller that M(groundwork.kubernetes.bundle) has rendered for this release, instead of O(chart)
        and O(url). The controller then needs no Helm, and values, APIs and O(version) do not count any more.
      - A file for another minor version of Kubernetes than the cluster's is an error.
    type: path
  allow_http:
    description: Whether O(url) may be C(http), which can be read and changed on its way.
    type: bool
    default: false
  checksum:
    description:
      - What the archive must have, as C(sha256:) and 64 hexadecimal digits.
      - Where it is missing for O(url), the error says the checksum that was found.
    type: str
  version:
    description:
      - The version that the chart must have; any without it. A leading C(v) makes no difference.
      - A manifest does not say its version, so it is said to have this one.
    type: str
  values:
    description: Values for the chart, merged over those of O(values_files).
    type: dict
    default: {}
  base_values:
    description: Values for the chart, below those of O(values_files).
    type: dict
    default: {}
  values_files:
    description: Files of the controller with values, each merged over those before it. The vault may encrypt them.
    type: list
    elements: path
    default: []
  replace:
    description:
      - Texts of a manifest, each with the text that takes its place, for manifests with placeholders.
      - A text that the manifest does not have is an error.
    type: dict
    default: {}
  objects:
    description:
      - Objects as data, besides those of the chart or manifest, or alone. An empty list is a release of none.
      - An object that the chart or manifest has as well, by its kind, namespace and name, is merged over that one.
    type: list
    elements: dict
  one_minor:
    description:
      - Whether the release is upgraded by one minor version of the chart at a time, and never goes back.
    type: bool
    default: false
  ask:
    description:
      - Whether the cluster is asked for its version, its APIs and the release.
      - Without it, the chart is rendered for O(kubernetes_version) and O(api_versions), as for a first installation.
    type: bool
    default: true
  kubernetes_version:
    description: The version to render for where no cluster is asked, or in check mode on a host of none.
    type: str
  api_versions:
    description:
      - APIs that count as served besides those that the cluster names, such as V(monitoring.coreos.com/v1) or
        V(monitoring.coreos.com/v1/ServiceMonitor).
    type: list
    elements: str
    default: []
  skip_hooks:
    description: Hooks to leave out, by their events, such as V(pre-delete).
    type: list
    elements: str
    default: []
  take_over:
    description:
      - Whether the objects of a release that Helm has installed, or that are there of something else, become this
        release's. Without it, that is an error.
      - Helm's own records stay.
    type: bool
    default: false
  remove_crds:
    description:
      - Whether O(state=absent) removes the custom resource definitions, too. All of their objects go with them, whoever
        made them.
    type: bool
    default: false
  helm:
    description: The program on the controller.
    type: str
    default: helm
  kubeconfig:
    description: The kubeconfig on the managed host. Its user must be allowed to read Secrets of the namespace.
    type: path
    default: /etc/kubernetes/admin.conf
notes:
  - Set C(no_log), since the result holds the Secrets that the chart renders. What is wrong is printed all the same.
  - Values never stand on a command line or in a file; Helm reads them from its standard input. Texts of the values are
    hidden in what Helm says.
seealso:
  - module: groundwork.kubernetes.manifest
  - name: Charts
    description: How charts are written.
    link: https://helm.sh/docs/topics/charts/
"""

EXAMPLES = r"""
- name: Render a chart for the cluster of this host
  groundwork.kubernetes.helm_template:
    name: shop
    namespace: shop
    chart: shop-1.2.3.tgz
    checksum: sha256:{{ shop_chart_checksum }}
    values:
      replicas: 2
  register: shop
  no_log: true

- name: Apply it in its order
  groundwork.kubernetes.manifest:
    objects: '{{ shop.steps[item].objects }}'
    state: '{{ shop.outline[item].state }}'
    owner: '{{ shop.outline[item].owner }}'
    recreate: '{{ shop.outline[item].recreate }}'
    take_over: '{{ shop.outline[item].take_over }}'
    wait: true
  loop: '{{ range(shop.outline | length) | list }}'
  loop_control:
    label: '{{ shop.outline[item].name }}'

- name: Render a chart without a cluster
  groundwork.kubernetes.helm_template:
    name: shop
    namespace: shop
    chart: shop-1.2.3.tgz
    ask: false
    kubernetes_version: 1.36.5
  register: shop
  no_log: true
"""

RETURN = r"""
chart:
  description: The chart's name and version; for a manifest the release's name and its version.
  returned: O(state=present)
  type: str
  sample: shop-1.2.3
objects:
  description: The objects in one list, definitions of resources first, without hooks and without the release's record.
  returned: O(state=present)
  type: list
  elements: dict
outline:
  description: What each of RV(steps) is, without its objects.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: What the step does, for people.
      type: str
    state:
      description: V(present) or V(absent), for O(groundwork.kubernetes.manifest#module:state).
      type: str
    owner:
      description: For O(groundwork.kubernetes.manifest#module:owner).
      type: str
    recreate:
      description: For O(groundwork.kubernetes.manifest#module:recreate).
      type: bool
    take_over:
      description: For O(groundwork.kubernetes.manifest#module:take_over), as O(take_over) says.
      type: bool
steps:
  description: The lists of objects, in the order in which they are applied or deleted.
  returned: success
  type: list
  elements: dict
  contains:
    objects:
      description: The objects.
      type: list
      elements: dict
stays:
  description: With O(state=absent), the names of what is left.
  returned: success
  type: list
  elements: str
"""

from dataclasses import asdict
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api import cluster_missing, not_known
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api_calls import Api, ApiError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.chart_record import PREFIX
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.discovery import discover
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import KUBECONFIG_OPTION

SECONDS = 120
ARGUMENTS: Dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str", "default": "default"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "chart": {"type": "path"},
    "url": {"type": "str"},
    "rendered": {"type": "path"},
    "allow_http": {"type": "bool", "default": False},
    "checksum": {"type": "str"},
    "version": {"type": "str"},
    "values": {"type": "dict", "default": {}, "no_log": True},
    "base_values": {"type": "dict", "default": {}},
    "values_files": {"type": "list", "elements": "path", "default": []},
    "replace": {"type": "dict", "default": {}},
    "objects": {"type": "list", "elements": "dict"},
    "one_minor": {"type": "bool", "default": False},
    "ask": {"type": "bool", "default": True},
    "kubernetes_version": {"type": "str"},
    "api_versions": {"type": "list", "elements": "str", "default": []},
    "skip_hooks": {"type": "list", "elements": "str", "default": []},
    "take_over": {"type": "bool", "default": False},
    "remove_crds": {"type": "bool", "default": False},
    "helm": {"type": "str", "default": "helm"},
    "kubeconfig": KUBECONFIG_OPTION,
}
EXCLUSIVE: List[List[str]] = [["chart", "url", "rendered"]]


def read(module: AnsibleModule) -> Dict[str, Any]:
    """What the cluster serves and has of the release."""
    params = module.params
    namespace, name = params["namespace"], params["name"]
    with Api(module, params["kubeconfig"], SECONDS) as api:
        served = discover(api)
        found = api.get(f"/api/v1/namespaces/{namespace}")
        secrets = f"/api/v1/namespaces/{namespace}/secrets"
        record = api.get(f"{secrets}/{PREFIX}{name}") if found else None
        helm = [
            f"{kind} {item['metadata']['name']}"
            for kind, place in (("Secret", "secrets"), ("ConfigMap", "configmaps"))
            for item in api.items(f"/api/v1/namespaces/{namespace}/{place}", labelSelector=f"owner=helm,name={name}")
        ]
    return {"served": asdict(served), "namespace": bool(found), "record": record, "helm": helm}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=ARGUMENTS, mutually_exclusive=EXCLUSIVE, supports_check_mode=True)
    kubeconfig = module.params["kubeconfig"]
    if not_known(module, kubeconfig):
        module.exit_json(changed=False, known=False)
    missing = cluster_missing(module, kubeconfig)
    if missing and not module.check_mode:
        module.fail_json(msg=f"{missing}; run this task on a control plane")
    if missing:
        module.exit_json(changed=False, known=True)
    try:
        module.exit_json(changed=False, known=True, cluster=read(module))
    except ApiError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
