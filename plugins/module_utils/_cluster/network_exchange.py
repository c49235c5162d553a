# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a cluster's network plugin may go: which pods are in the way, and which of its objects go with it."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.objects import items, listed

# What has ended has no address any more.
ENDED = ("Succeeded", "Failed")
# Namespaces that plugins bring, and pods of theirs elsewhere that are not in the host's network, by k8s-app.
NAMESPACES = ("kube-flannel", "calico-system", "calico-apiserver", "tigera-operator", "cilium-secrets")
OWN_APPS = ("calico-kube-controllers", "hubble-relay", "hubble-ui", "cilium-operator")
# The cluster's DNS: a Deployment makes it anew on the new network.
DNS = "kube-dns"
SHOWN = 20

# What plugins have in the cluster as their projects' manifests and charts name it: kind, namespace and name. Custom
# resource definitions are not among them, since all that users have made of these would go too.
Entry = Tuple[str, str, str]
FLANNEL: Tuple[Entry, ...] = (
    ("namespace", "", "kube-flannel"),
    ("daemonset", "kube-system", "kube-flannel-ds"),
    ("configmap", "kube-system", "kube-flannel-cfg"),
    ("serviceaccount", "kube-system", "flannel"),
    ("clusterrolebinding", "", "flannel"),
    ("clusterrole", "", "flannel"),
)
CALICO: Tuple[Entry, ...] = (
    # Its operator takes down what it has made, and so it goes last.
    *(
        (f"{plural}.operator.tigera.io", "", "default")
        for plural in ("whiskers", "goldmanes", "apiservers", "installations")
    ),
    ("namespace", "", "calico-apiserver"),
    ("namespace", "", "calico-system"),
    ("namespace", "", "tigera-operator"),
    ("daemonset", "kube-system", "calico-node"),
    ("deployment", "kube-system", "calico-kube-controllers"),
    ("poddisruptionbudget", "kube-system", "calico-kube-controllers"),
    ("configmap", "kube-system", "calico-config"),
    ("serviceaccount", "kube-system", "calico-node"),
    ("serviceaccount", "kube-system", "calico-kube-controllers"),
    ("serviceaccount", "kube-system", "calico-cni-plugin"),
    *(
        (kind, "", name)
        for kind in ("clusterrolebinding", "clusterrole")
        for name in ("calico-node", "calico-kube-controllers", "calico-cni-plugin", "tigera-operator")
    ),
)
CANAL: Tuple[Entry, ...] = (
    ("daemonset", "kube-system", "canal"),
    ("configmap", "kube-system", "canal-config"),
    ("serviceaccount", "kube-system", "canal"),
    ("clusterrolebinding", "", "canal-calico"),
    ("clusterrolebinding", "", "canal-flannel"),
    *CALICO,
    *FLANNEL,
)
CILIUM: Tuple[Entry, ...] = (
    *(("daemonset", "kube-system", name) for name in ("cilium", "cilium-envoy", "cilium-node-init")),
    *(("deployment", "kube-system", name) for name in ("cilium-operator", "hubble-relay", "hubble-ui")),
    ("cronjob", "kube-system", "hubble-generate-certs"),
    ("job", "kube-system", "hubble-generate-certs"),
    *(
        ("service", "kube-system", name)
        for name in ("cilium-agent", "cilium-envoy", "cilium-ingress", "hubble-metrics", "hubble-peer", "hubble-relay")
    ),
    ("service", "kube-system", "hubble-ui"),
    *(
        ("configmap", "kube-system", name)
        for name in ("cilium-config", "cilium-envoy-config", "hubble-relay-config", "hubble-ui-nginx")
    ),
    *(
        ("serviceaccount", "kube-system", name)
        for name in ("cilium", "cilium-envoy", "cilium-operator", "hubble-generate-certs", "hubble-relay", "hubble-ui")
    ),
    *(
        ("secret", "kube-system", name)
        for name in ("cilium-ca", "hubble-server-certs", "hubble-relay-client-certs", "groundwork-chart-cilium")
    ),
    *(
        (kind, "kube-system", name)
        for kind in ("rolebinding", "role")
        for name in ("cilium-config-agent", "hubble-generate-certs")
    ),
    *(
        (kind, "", name)
        for kind in ("clusterrolebinding", "clusterrole")
        for name in ("cilium", "cilium-operator", "hubble-ui")
    ),
    ("namespace", "", "cilium-secrets"),
)
OBJECTS: Dict[str, Tuple[Entry, ...]] = {"flannel": FLANNEL, "calico": CALICO, "canal": CANAL, "cilium": CILIUM}


class ExchangeError(Exception):
    """The plugin may not go; the message says what is in the way."""


def in_the_way(pods: Optional[Dict[str, Any]]) -> List[str]:
    """The pods that are on the network, without those of plugins and of DNS, each as namespace/name on node."""
    return sorted(
        f"{pod['metadata'].get('namespace')}/{pod['metadata']['name']} on {pod['spec']['nodeName']}"
        for pod in items(pods)
        if _is_on_the_network(pod) and not _is_of_the_system(pod)
    )


def _is_on_the_network(pod: Mapping[str, Any]) -> bool:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    return bool(spec.get("nodeName")) and not spec.get("hostNetwork") and status.get("phase") not in ENDED


def _app(pod: Mapping[str, Any]) -> str:
    return str((pod["metadata"].get("labels") or {}).get("k8s-app", ""))


def _is_of_the_system(pod: Mapping[str, Any]) -> bool:
    namespace = pod["metadata"].get("namespace")
    return namespace in NAMESPACES or (namespace == "kube-system" and _app(pod) in (DNS, *OWN_APPS))


def dns_pods(pods: Optional[Dict[str, Any]]) -> List[str]:
    """The pods of the cluster's DNS that have an address."""
    return sorted(
        str(pod["metadata"]["name"])
        for pod in items(pods)
        if pod["metadata"].get("namespace") == "kube-system" and _app(pod) == DNS and _is_on_the_network(pod)
    )


def refusal(pods: Sequence[str], old: Mapping[str, Sequence[str]], new: str) -> str:
    """Why the plugin does not go.

    Args:
        pods: those in the way.
        old: the plugins that would go, each with what shows that it is there.
        new: the plugin that is asked for.
    """
    there = "; ".join(f"{name} ({listed(told, 3)})" for name, told in sorted(old.items()))
    wish = f"cni_plugin is {new}" if new else "cni_remove names it"
    return (
        f"{wish}, and the cluster has {there}, which these pods use: {listed(pods, SHOWN)}. Their network would be "
        f"gone. Nothing was changed. Keep the plugin (cni_plugin: {sorted(old)[0]}), or delete or scale down what "
        "makes these pods, and run this again"
    )


def objects_of(plugins: Iterable[str]) -> List[Entry]:
    """What the plugins have in the cluster."""
    return list(dict.fromkeys(entry for name in plugins for entry in OBJECTS.get(name, ())))
