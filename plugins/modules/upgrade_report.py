# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin upgrade_report."""

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade_report
short_description: Judges an upgrade by what upgrade_info read, and plans it
version_added: 0.1.0
description:
  - Runs once on the controller and connects to no host.
  - Finds everything that speaks against an upgrade, of all hosts and of the cluster, and fails with one message. Faults
    that do no certain harm are warnings.
  - Else it gives the plan, decided by the versions that hosts and cluster have.
  - Flags, feature gates and admission plugins that Kubernetes has removed are listed in a data file. It has the gates
    that were removed up to Kubernetes 1.29, and the flags that upstream's changelogs call urgent.
author:
  - groundwork.kubernetes contributors (@groundwork)
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
options:
  version:
    description: The version to upgrade to.
    type: str
    required: true
  results:
    description: By host, what M(groundwork.kubernetes.upgrade_info) returned as C(host).
    type: dict
    required: true
  cluster:
    description: What M(groundwork.kubernetes.upgrade_info) returned as C(cluster).
    type: dict
    required: true
  nodes:
    description: By host, the name of its node.
    type: dict
    required: true
  control_planes:
    description: All control planes of the inventory.
    type: list
    elements: str
    required: true
  variables:
    description: Arguments that variables give components, each with C(component), C(variable) and C(arguments).
    type: list
    elements: dict
    default: []
  kubelet_flags:
    description: Flags of the kubelet that variables set. Others in kubeadm's own file are kubeadm's to take out.
    type: list
    elements: str
    default: []
  batch:
    description: How many workers are upgraded at a time, as a number or a percentage.
    type: str
    default: '1'
  drains:
    description: Whether nodes are drained.
    type: bool
    default: false
  previews:
    description: What M(groundwork.kubernetes.drain) returned in check mode for each node, with the node as C(item).
    type: list
    elements: dict
    default: []
  purposes:
    description: What nodes are cordoned for, as M(groundwork.kubernetes.drain) tells. One for an upgrade is lifted.
    type: dict
    default: {}
  backup:
    description: Whether a backup is made before.
    type: bool
    default: true
  etcd:
    description:
      - Of members on hosts of their own, what M(groundwork.kubernetes.etcd_info) returned, with the C(version) that is
        wanted.
    type: dict
    default: {}
  runtime:
    description: The version of containerd that hosts get with their kubelets. Left out where it stays as it is.
    type: str
    default: ''
  etcd_tag:
    description: The tag of the image to which stacked etcd is raised, where it is too old for the target.
    type: str
    default: ''
  ignore:
    description:
      - Identifiers of faults to let pass on all hosts, or a mapping of hosts (V(*) for all) to such lists.
      - An ignored error becomes a warning, an ignored warning disappears.
    type: raw
    default: []
notes:
  - Set C(run_once), since one run looks at all hosts of the play.
seealso:
  - module: groundwork.kubernetes.upgrade_info
  - module: groundwork.kubernetes.kubeadm_upgrade
"""

EXAMPLES = r"""
- name: Judge the upgrade
  groundwork.kubernetes.upgrade_report:
    version: 1.36.5
    results: "{{ dict(names | zip(names | map('extract', hostvars, ['upgrade_host', 'host']))) }}"
    cluster: '{{ upgrade_cluster.cluster }}'
    nodes: "{{ dict(names | zip(names)) }}"
    control_planes: "{{ groups['kube_control_plane'] }}"
  run_once: true
  register: upgrade
  vars:
    names: "{{ ansible_play_hosts }}"
"""

RETURN = r"""
leader:
  description: The control plane on which kubeadm applies the upgrade.
  returned: success
  type: str
  sample: cp-1
apply:
  description: Whether what the cluster has once, such as kube-proxy, is not at the version.
  returned: success
  type: bool
batches:
  description: Hosts whose kubelets are replaced together, in their order.
  returned: success
  type: list
  elements: list
  sample: [[cp-1], [worker-1, worker-2]]
plan:
  description: The steps, as M(groundwork.kubernetes.show) shows them.
  returned: success
  type: list
  elements: dict
before:
  description: By host, the version of its kubelet.
  returned: success
  type: dict
unready:
  description: Workloads that are not ready before the upgrade.
  returned: success
  type: list
  elements: str
faults:
  description: Warnings and ignored errors.
  returned: success
  type: list
  elements: dict
"""
