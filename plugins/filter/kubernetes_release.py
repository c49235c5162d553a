# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter kubernetes_release."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import ReleaseError, release

DOCUMENTATION = r"""
name: kubernetes_release
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: What differs between Kubernetes' minor releases
description:
  - Gives what a Kubernetes version implies, such as kubeadm's configuration API or the tag of the sandbox image.
  - A version that is older or newer than the collection knows is an error.
options:
  _input:
    description: A version of Kubernetes, such as V(1.36.5), V(v1.36.5) or V(1.36).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: The sandbox image that belongs to the version
  ansible.builtin.debug:
    msg: registry.k8s.io/pause:{{ (kubernetes_version | groundwork.kubernetes.kubernetes_release).pause_image_tag }}
"""

RETURN = r"""
_value:
  description: What the version implies.
  type: dict
  contains:
    minor:
      description: The version's minor release.
      type: str
      sample: '1.36'
    kubeadm_api:
      description: The newest version of kubeadm's configuration API that can be used.
      type: str
      sample: v1beta4
    pause_image_tag:
      description: Tag of the sandbox image.
      type: str
      sample: 3.10.2
    crictl_version:
      description: The release of crictl.
      type: str
      sample: 1.36.0
    etcd_version:
      description: The newest release of the minor version of etcd that kubeadm runs.
      type: str
      sample: 3.6.15
    etcd_minimum:
      description: The oldest etcd on hosts of its own that kubeadm accepts.
      type: str
      sample: 3.5.24
    containerd_version:
      description: The release of containerd.
      type: str
      sample: 2.3.4
    containerd_recommended:
      description: The oldest release of each minor version of containerd that containerd recommends.
      type: list
      elements: str
    runc_version:
      description: The release of runc.
      type: str
      sample: 1.4.3
    cni_plugins_version:
      description: The release of the reference CNI plugins.
      type: str
      sample: 1.9.1
    control_plane_labels:
      description: Keys of the labels that kubeadm gives a control plane.
      type: list
      elements: str
    control_plane_taints:
      description: The taints, key and effect, that kubeadm gives a control plane.
      type: list
      elements: dict
    kubelet_config_map:
      description: Name of the ConfigMap in kube-system that holds the kubelets' configuration.
      type: str
      sample: kubelet-config
    kubelet_patches:
      description: Whether kubeadm's patches may change the kubelet's configuration.
      type: bool
    super_admin_kubeconfig:
      description: Whether kubeadm writes super-admin.conf.
      type: bool
    pod_security_api:
      description: API version of the configuration of the admission plugin PodSecurity; empty where there is none.
      type: str
      sample: pod-security.admission.config.k8s.io/v1
    authentication_api:
      description: API version of AuthenticationConfiguration; empty where it cannot be used.
      type: str
      sample: apiserver.config.k8s.io/v1
    cri_sockets:
      description: The address of each container runtime's socket.
      type: dict
"""


def kubernetes_release(version: Any) -> Dict[str, Any]:
    """What a version implies."""
    if not isinstance(version, str):
        raise AnsibleFilterError(
            f"kubernetes_release needs a version as text, got {version!r}; put it in quotes, as in '1.36'"
        )
    try:
        return release(version)
    except ReleaseError as error:
        raise AnsibleFilterError(f"kubernetes_release: {error}") from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name and function of each."""
        return {"kubernetes_release": kubernetes_release}
