# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin kubelet_configuration."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubelet_configuration
short_description: The KubeletConfiguration that a cluster stores
version_added: 0.1.0
description:
  - kubeadm stores one C(KubeletConfiguration) in the cluster. This is what the control planes have in common, so
    that it is the same whichever of them stores it, and the same in a run that is limited to some hosts.
  - Runs once on the controller, connects to no host, and evaluates C(kubernetes_cgroup_driver),
    C(kubernetes_kubelet_shutdown), C(kubernetes_kubelet_security) and C(kubernetes_kubelet_configuration) for each
    control plane.
  - A value that needs facts of a host that is not part of the run counts as one that is not in common.
  - What a host has beside it the filter P(groundwork.kubernetes.kubelet_patch#filter) finds.
author:
  - groundwork.kubernetes contributors (@groundwork)
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
options:
  control_planes:
    description: The names of all control planes in the inventory.
    type: list
    elements: str
    required: true
notes:
  - Set C(run_once), since the result is the same for all hosts.
seealso:
  - plugin: groundwork.kubernetes.kubelet_patch
    plugin_type: filter
  - module: groundwork.kubernetes.kubeadm_init
"""

EXAMPLES = r"""
- name: See which configuration of the kubelet the control planes have in common
  groundwork.kubernetes.kubelet_configuration:
    control_planes: "{{ groups['kube_control_plane'] }}"
  register: kubelet
  run_once: true
"""

RETURN = r"""
configuration:
  description: What they have in common.
  returned: success
  type: dict
  sample: {cgroupDriver: systemd, maxPods: 200}
differs:
  description: Whether some of them have more than that.
  returned: success
  type: bool
  sample: false
"""
