# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters kubeadm_config, kubeadm_skip_phases, kubeadm_options and kubeadm_applied_options."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List

import yaml
from ansible.errors import AnsibleFilterError
from ansible.parsing.yaml.dumper import AnsibleDumper
from ansible.utils.display import Display
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubelet_configuration import applied_parts
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.reconcile import (
    external_etcd,
    find_document,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.configuration import (
    ConfigError,
    convert,
    skip_phases,
    warnings,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import ReleaseError

DOCUMENTATION = r"""
name: kubeadm_config
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The text of kubeadm's configuration for a version of Kubernetes
description:
  - Turns configuration documents into the text that the kubeadm of a version reads.
  - The documents are always written in the form of C(kubeadm.k8s.io/v1beta4).
    Where kubeadm only reads an older version of that API, they are converted to it.
  - What the older version cannot express is an error that names the field. Only what its kubeadm does anyway,
    or never uses in a document of that kind, is left out.
  - A name that kubeadm's configuration does not have is an error with the name that was probably meant. For a
    name of an older version of the API it says what is written instead.
    Where kubeadm is newer than the collection, such an error becomes a warning.
  - Where Kubernetes wants text, numbers and booleans are turned into it, as in arguments, the values of taints and
    the kubelet's reservations.
  - Phases to skip that the older version cannot express are left out of the text.
    The filter P(groundwork.kubernetes.kubeadm_skip_phases#filter) gives them, for kubeadm's command line.
seealso:
  - plugin: groundwork.kubernetes.kubeadm_skip_phases
    plugin_type: filter
  - name: Reference of kubeadm's configuration
    description: All fields of the documents.
    link: https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/
options:
  _input:
    description:
      - The documents, at most one of each kind. C(apiVersion) may be left out.
      - Kinds are C(InitConfiguration), C(ClusterConfiguration), C(JoinConfiguration), C(ResetConfiguration),
        C(UpgradeConfiguration), C(KubeletConfiguration) and C(KubeProxyConfiguration).
    type: list
    elements: dict
    required: true
  version:
    description: The version of Kubernetes, which is also kubeadm's.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Write a configuration for kubeadm
  groundwork.kubernetes.files:
    files:
      - path: /etc/kubernetes/kubeadm.yaml
        content: '{{ documents | groundwork.kubernetes.kubeadm_config(kubernetes_version) }}'
        mode: '0600'
  vars:
    documents:
      - kind: InitConfiguration
        timeouts:
          controlPlaneComponentHealthCheck: 6m0s
      - kind: ClusterConfiguration
        kubernetesVersion: v{{ kubernetes_version }}
        apiServer:
          extraArgs:
            - name: profiling
              value: 'false'
"""

RETURN = r"""
_value:
  description: The documents as YAML. The same input gives the same text.
  type: str
"""


def _call(function: Callable[..., Any], name: str, documents: Any, version: Any) -> Any:
    if not isinstance(documents, list) or not isinstance(version, str):
        raise AnsibleFilterError(f"{name} needs a list of documents and a version as text")
    try:
        return function(documents, version)
    except (ConfigError, ReleaseError) as error:
        raise AnsibleFilterError(f"{name}: {error}") from error


def kubeadm_config(documents: Any, version: Any) -> str:
    """The documents as the text that the kubeadm of a version reads."""
    converted: List[Dict[str, Any]] = _call(convert, "kubeadm_config", documents, version)
    for warning in warnings(documents, version):
        Display().warning(f"kubeadm_config: {warning}")
    return str(
        yaml.dump_all(
            converted,
            Dumper=AnsibleDumper,
            default_flow_style=False,
            explicit_start=True,
            sort_keys=True,
            allow_unicode=True,
            width=1000,
        )
    )


def kubeadm_skip_phases(documents: Any, version: Any) -> List[str]:
    """The phases that kubeadm's command line has to skip."""
    phases: List[str] = _call(skip_phases, "kubeadm_skip_phases", documents, version)
    return phases


def kubeadm_options(documents: Any, version: Any) -> Dict[str, Any]:
    """What kubeadm's modules take of documents."""
    return {
        "documents": documents,
        "content": kubeadm_config(documents, version),
        "skip_phases": kubeadm_skip_phases(documents, version),
    }


def kubeadm_applied_options(applied: Any, version: Any, without_etcd: Any) -> Dict[str, Any]:
    """The options with which what was applied is applied again, without some members of external etcd."""
    try:
        documents, patch = applied_parts(json.loads(applied))
    except (TypeError, ValueError, AttributeError) as error:
        raise AnsibleFilterError(
            f"kubeadm_applied_options needs the JSON that kubeadm_init remembers: {error}"
        ) from error
    cluster = find_document(documents, "ClusterConfiguration")
    left = [url for url in external_etcd(documents) if url not in without_etcd]
    if not left:
        raise AnsibleFilterError("kubeadm_applied_options: no member of an etcd outside kubeadm would be left")
    cluster["etcd"]["external"]["endpoints"] = left
    cluster["kubernetesVersion"] = f"v{str(version).lstrip('v')}"
    return {**kubeadm_options(documents, str(version).lstrip("v")), "kubelet_patch": patch}


class FilterModule:
    """The filters of this file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name and function of each."""
        return {
            "kubeadm_config": kubeadm_config,
            "kubeadm_skip_phases": kubeadm_skip_phases,
            "kubeadm_options": kubeadm_options,
            "kubeadm_applied_options": kubeadm_applied_options,
        }
