# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a changed configuration means for a node that runs: what is refused, and which steps apply the rest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, Iterator, List, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import normal_text

Document = Dict[str, Any]

# The steps in the order in which they are done. What the cluster stores of its configuration comes after what may fail.
CERTIFICATE, CONTROL_PLANE, KUBELET, ARGUMENTS, UPLOAD, DNS, PROXY, PROXY_RESTART = STEPS = (
    "certificate",
    "control-plane",
    "kubelet",
    "kubelet-arguments",
    "upload-config",
    "coredns",
    "kube-proxy",
    "restart-kube-proxy",
)

# Where kubeadm keeps the data of stacked etcd unless its configuration says otherwise.
ETCD_DATA = "/var/lib/etcd"
# How a host's part of the kubelet's configuration is remembered beside the documents.
PATCH_KIND = "KubeletPatch"

REBUILD = "it cannot be changed after the cluster has been initialized; set it back, or build a new cluster"
ENDPOINT = (
    "all kubeconfigs and certificates name it, so it cannot be changed after the cluster has been initialized; set "
    "kubernetes_api_endpoint to {before}"
)
VERSION = "the control plane runs another version; this module upgrades no cluster"
ETCD = "etcd's settings are not changed together with the control plane; set it back"
RUNTIME = "the playbook migrate_runtime moves a node to another container runtime; run it first, or set it back"
REJOIN = "the node would have to join again under it; set it back, or remove the node and join it again"

# What each field calls for: the steps that apply it, or why it is refused. The longest path that fits counts.
# Fields that only say how the initialization is done call for nothing.
RULES: Dict[str, Any] = {
    "InitConfiguration": [],
    "InitConfiguration.localAPIEndpoint": REBUILD,
    "InitConfiguration.nodeRegistration.criSocket": RUNTIME,
    "InitConfiguration.nodeRegistration.kubeletExtraArgs": [KUBELET],
    "InitConfiguration.nodeRegistration.name": REJOIN,
    "InitConfiguration.patches": [CONTROL_PLANE, KUBELET],
    "ClusterConfiguration": [CONTROL_PLANE, UPLOAD],
    "ClusterConfiguration.apiServer.certSANs": [CERTIFICATE, UPLOAD],
    "ClusterConfiguration.caCertificateValidityPeriod": [UPLOAD],
    "ClusterConfiguration.certificateValidityPeriod": [UPLOAD],
    "ClusterConfiguration.certificatesDir": REBUILD,
    "ClusterConfiguration.clusterName": REBUILD,
    "ClusterConfiguration.controlPlaneEndpoint": ENDPOINT,
    "ClusterConfiguration.dns": [UPLOAD, DNS],
    "ClusterConfiguration.encryptionAlgorithm": [UPLOAD],
    "ClusterConfiguration.etcd": ETCD,
    "ClusterConfiguration.etcd.external.endpoints": [CONTROL_PLANE, UPLOAD],
    "ClusterConfiguration.imageRepository": [CONTROL_PLANE, UPLOAD, DNS, PROXY],
    "ClusterConfiguration.kubernetesVersion": VERSION,
    "ClusterConfiguration.networking": REBUILD,
    "ClusterConfiguration.proxy": [UPLOAD, PROXY],
    "JoinConfiguration": [],
    "JoinConfiguration.nodeRegistration.criSocket": RUNTIME,
    "JoinConfiguration.nodeRegistration.kubeletExtraArgs": [ARGUMENTS],
    "JoinConfiguration.nodeRegistration.name": REJOIN,
    "JoinConfiguration.patches": [KUBELET],
    "KubeletConfiguration": [KUBELET, UPLOAD],
    PATCH_KIND: [KUBELET],
    "KubeProxyConfiguration": [PROXY, PROXY_RESTART],
}


@dataclass(frozen=True)
class ReconfigurationPlan:
    """What a changed configuration calls for.

    Attributes:
        paths: the fields that differ.
        refused: why some of them cannot be applied, one line each.
        steps: what applies the others, in order.
        warnings: what is left to people.
    """

    paths: List[str]
    refused: List[str]
    steps: List[str]
    warnings: List[str]

    @property
    def refusal(self) -> str:
        """Why the plan is not carried out."""
        lines = [f"- {line}" for line in self.refused]
        return "\n".join(
            ["The configuration was changed in a way that is refused. No setting of kubeadm was changed.", *lines]
        )


NOTHING = ReconfigurationPlan([], [], [], [])


def with_steps(plan: ReconfigurationPlan, steps: List[str]) -> ReconfigurationPlan:
    """A plan that does further steps as well."""
    return replace(plan, steps=[step for step in STEPS if step in {*plan.steps, *steps}])


def _differences(path: str, before: Any, after: Any) -> Iterator[Tuple[str, Any, Any]]:
    """The paths at which two values differ.

    Lists are compared as a whole, addresses as addresses. A mapping that is missing is the same as an empty one.
    """
    if isinstance(before, dict):
        after = {} if after is None else after
    if isinstance(after, dict):
        before = {} if before is None else before
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from _differences(f"{path}.{key}", before.get(key), after.get(key))
    elif _spelled_alike(before) != _spelled_alike(after):
        yield path, before, after


def _spelled_alike(value: Any) -> Any:
    """A value with all addresses in it in their shortest form."""
    if isinstance(value, str):
        return normal_text(value)
    if isinstance(value, list):
        return [_spelled_alike(item) for item in value]
    return {key: _spelled_alike(item) for key, item in value.items()} if isinstance(value, dict) else value


def _by_kind(documents: List[Document]) -> Dict[str, Document]:
    return {
        str(document.get("kind")): {key: value for key, value in document.items() if key != "kind"}
        for document in documents
    }


def _rule(path: str) -> Any:
    while path not in RULES and "." in path:
        path = path.rpartition(".")[0]
    return RULES.get(path, [])


def refusal(path: str, before: Any, after: Any) -> str:
    """Why a field cannot be changed on a cluster that runs, and what to do; empty where it can or does not differ.

    Preflight says the same of what it can see before anything is changed.
    """
    rule = _rule(path)
    if not isinstance(rule, str) or next(_differences(path, before, after), None) is None:
        return ""
    return rule.format(before=before)


def find_document(documents: List[Document], kind: str) -> Document:
    """The document of a kind; an empty one if there is none."""
    return next((document for document in documents if document.get("kind") == kind), {})


def etcd_data(documents: List[Document]) -> str:
    """The data directory of the member of etcd that kubeadm runs; empty where it runs none, or it is not known."""
    cluster = find_document(documents, "ClusterConfiguration")
    etcd = cluster.get("etcd") or {}
    return "" if not cluster or etcd.get("external") else (etcd.get("local") or {}).get("dataDir") or ETCD_DATA


def external_etcd(documents: List[Document]) -> List[str]:
    """Where the API server finds the members of an etcd that kubeadm does not run; empty where it runs them."""
    etcd = find_document(documents, "ClusterConfiguration").get("etcd") or {}
    return list((etcd.get("external") or {}).get("endpoints") or [])


def kubelet_arguments(documents: List[Document]) -> List[Dict[str, Any]]:
    """The arguments that documents give a host's kubelet."""
    for kind in ("JoinConfiguration", "InitConfiguration"):
        found = (find_document(documents, kind).get("nodeRegistration") or {}).get("kubeletExtraArgs")
        if found:
            return list(found)
    return []


def replace_arguments(text: str, before: List[Dict[str, str]], after: List[Dict[str, str]]) -> str:
    """The content of kubeadm-flags.env with other arguments of the user.

    Args:
        text: what kubeadm wrote when the node joined: one variable, with its own arguments and the user's.
        before: name and value of the user's arguments in it.
        after: name and value of those that are wanted.
    """
    variable, _equals, value = text.strip().partition("=")
    gone = {item["name"] for item in [*before, *after]}
    kept = [word for word in value.strip('"').split() if word.lstrip("-").partition("=")[0] not in gone]
    new = [f"--{item['name']}={item['value']}" for item in after if item["value"] is not None]
    return '{}="{}"\n'.format(variable, " ".join([*kept, *new]))


def _disabled(cluster: Document, addon: str) -> bool:
    return bool((cluster.get(addon) or {}).get("disabled"))


def make_plan(before: List[Document], after: List[Document]) -> ReconfigurationPlan:
    """Compare the configuration that was applied with the one that is wanted, both in the form of v1beta4."""
    old, new = _by_kind(before), _by_kind(after)
    paths, refused, steps = [], [], set()
    for kind in sorted({*old, *new}):
        for path, was, wanted in _differences(kind, old.get(kind, {}), new.get(kind, {})):
            paths.append(path)
            why = refusal(path, was, wanted)
            if why:
                refused.append(f"{path} is {was!r} and should become {wanted!r}: {why}")
            else:
                steps.update(_rule(path))

    was, cluster = old.get("ClusterConfiguration", {}), new.get("ClusterConfiguration", {})
    warnings = []
    for addon, name, own in (("dns", "CoreDNS", {DNS}), ("proxy", "kube-proxy", {PROXY, PROXY_RESTART})):
        if _disabled(cluster, addon):
            steps -= own
            if not _disabled(was, addon):
                warnings.append(f"{name} is not wanted any more, but stays installed until it is removed with kubectl.")
    return ReconfigurationPlan(paths, refused, [step for step in STEPS if step in steps], warnings)
