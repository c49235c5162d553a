# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A control plane that was initialized by other means: what its cluster has stored, held against what is given."""

from __future__ import annotations

import os
from copy import deepcopy
from typing import List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import Kubectl, KubectlError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import FOLDER, KubeadmError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubelet_configuration import merge
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.reconcile import (
    ETCD_DATA,
    Document,
    ReconfigurationPlan,
    find_document,
    make_plan,
)

KIND = "ClusterConfiguration"
# What kubeadm stores where nothing is said, so that it is no difference.
DEFAULTS: Document = {
    "apiServer": {"extraArgs": {"authorization-mode": "Node,RBAC"}, "timeoutForControlPlane": "4m0s"},
    "caCertificateValidityPeriod": "87600h0m0s",
    "certificateValidityPeriod": "8760h0m0s",
    "certificatesDir": "/etc/kubernetes/pki",
    "clusterName": "kubernetes",
    "encryptionAlgorithm": "RSA-2048",
    "networking": {"dnsDomain": "cluster.local", "serviceSubnet": "10.96.0.0/12"},
}
# Which version runs is judged by what runs, and the others are no settings.
NOT_COMPARED = ("apiVersion", "kind", "kubernetesVersion")
ARGUMENTS = ("apiServer", "controllerManager", "scheduler")
# Before v1beta4 whether there is an add-on is no part of the configuration, and dns has a type that is always the same.
OF_ADD_ONS = ("disabled", "type")


def read_stored(module: AnsibleModule) -> Document:
    """The ClusterConfiguration in the cluster; kubectl reads the YAML.

    Raises:
        KubeadmError: if it cannot be read, or is not there.
    """
    kubectl = Kubectl(module, os.path.join(FOLDER, "admin.conf"), timeout=10)
    try:
        found = kubectl.get("configmap", "kubeadm-config", "--namespace=kube-system")
        text = ((found or {}).get("data") or {}).get(KIND)
        if not text:
            raise KubeadmError(
                "This control plane was initialized by other means, and its cluster has no ConfigMap kubeadm-config in "
                "kube-system, by which kubeadm changes and upgrades it. kubeadm init phase upload-config kubeadm "
                "--config FILE writes it."
            )
        stored: Document = kubectl.read_yaml("-", text)
    except KubectlError as error:
        raise KubeadmError(f"What the cluster has stored of its configuration cannot be read: {error}") from error
    return stored


def comparable(document: Document) -> Document:
    """A ClusterConfiguration of any form with kubeadm's defaults, and its arguments as a map, without their order."""
    own = deepcopy({key: value for key, value in document.items() if key not in NOT_COMPARED})
    local = (own.get("etcd") or {}).get("local") or {}
    for part in [*(own.get(name) or {} for name in ARGUMENTS), local]:
        if isinstance(part.get("extraArgs"), list):
            part["extraArgs"] = {item["name"]: item["value"] for item in part["extraArgs"]}
    if local == {"dataDir": ETCD_DATA}:
        own["etcd"] = {}
    for name in ("dns", "proxy"):
        own[name] = {key: value for key, value in (own.get(name) or {}).items() if key not in OF_ADD_ONS}
    found: Document = merge(DEFAULTS, own)
    return found


def compare(stored: Document, documents: List[Document]) -> ReconfigurationPlan:
    """What would become of the cluster's configuration, in the form of v1beta4 or older, by the one that is given."""
    given = find_document(documents, KIND)
    return make_plan([{"kind": KIND, **comparable(stored)}], [{"kind": KIND, **comparable(given)}])


def refusal(plan: ReconfigurationPlan) -> str:
    """Why the control plane is not taken over."""
    head = (
        "This control plane was initialized by other means, with settings that cannot be changed any more. It was left "
        "as it is. Give the variables the values that the cluster has."
    )
    return "\n".join([head, *(f"- {line}" for line in plan.refused)])


def warning(plan: ReconfigurationPlan) -> str:
    """What is told about a control plane that is taken over."""
    text = (
        "This control plane was initialized by other means. Its kubelet gets arguments that it lacks; else it is left "
        "as it is, and later changes are applied."
    )
    if plan.paths:
        text += (
            f" With the first of them these settings become those that are given, too: {', '.join(plan.paths)}. The "
            "ConfigMap kubeadm-config in kube-system has what they are."
        )
    return text
