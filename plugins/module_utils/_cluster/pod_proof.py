# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof that pods on every pair of nodes talk: what is run for it, whether it is due, what the cluster keeps of it.

A pod on each node does nothing but be there. Its node listens and tries in its place, so that no image with programs is
needed. Each pod has a Service of its own, so that it is known which node a cluster IP leads to.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.objects import items, parse_time

PREFIX = "groundwork-network-"
LABEL, LABEL_VALUE = "app.kubernetes.io/part-of", "groundwork-network"
# By which a Service finds its pod.
NODE_LABEL = "groundwork.kubernetes/place"
PORT = 7777
USER = 65534
RECORD, RECORD_NAMESPACE, KEY = "groundwork-pod-network", "kube-system", "proof"
# A namespace of an interrupted run goes when it is so old.
STALE = timedelta(minutes=30)


class ProofError(Exception):
    """The pods cannot be had; the message says why."""


@dataclass(frozen=True)
class Proven:
    """What was proven last.

    Attributes:
        settings: those of the network at that time.
        nodes: the identifier of each node that talked with all others.
    """

    settings: Dict[str, Any]
    nodes: Dict[str, str]

    def config_map(self) -> Dict[str, Any]:
        """The object that keeps it."""
        text = json.dumps({"nodes": self.nodes, "settings": self.settings}, sort_keys=True)
        metadata = {"name": RECORD, "namespace": RECORD_NAMESPACE}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {KEY: text}}


def read_proven(config_map: Optional[Mapping[str, Any]]) -> Proven:
    """What an object keeps; nothing where there is none, or it holds something else, as then all is proven again."""
    try:
        content = json.loads(((config_map or {}).get("data") or {})[KEY])
        return Proven(dict(content["settings"]), dict(content["nodes"]))
    except (KeyError, TypeError, ValueError):
        return Proven({}, {})


def reasons(proven: Proven, settings: Mapping[str, Any], nodes: Mapping[str, str]) -> List[str]:
    """Why pods have to prove the network; nothing where that was done.

    Args:
        proven: what was proven last.
        settings: those of the network now.
        nodes: the identifiers of the nodes that it is about.
    """
    if not proven.nodes:
        return ["it was not proven before"]
    changed = sorted(key for key in {*proven.settings, *settings} if proven.settings.get(key) != settings.get(key))
    found = [f"{key} was {proven.settings.get(key)} and is {settings.get(key)}" for key in changed]
    return found + [f"node {name} is new" for name in sorted(nodes) if proven.nodes.get(name) != nodes[name]]


def place(number: int) -> str:
    """The name of a node's pod and Service: nodes' own may be too long for a Service."""
    return f"place-{number}"


def pod(namespace: str, number: int, node: str, image: str) -> Dict[str, Any]:
    """The pod of a node, whatever keeps others away; the Pod Security Standard "restricted" allows it."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": place(number),
            "namespace": namespace,
            "labels": {LABEL: LABEL_VALUE, NODE_LABEL: place(number)},
        },
        "spec": {
            "automountServiceAccountToken": False,
            "containers": [
                {
                    "name": "place",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}, "limits": {"memory": "32Mi"}},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                        "readOnlyRootFilesystem": True,
                    },
                }
            ],
            "enableServiceLinks": False,
            "nodeName": node,
            "restartPolicy": "Always",
            "securityContext": {
                "runAsGroup": USER,
                "runAsNonRoot": True,
                "runAsUser": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "terminationGracePeriodSeconds": 0,
            "tolerations": [{"operator": "Exists"}],
        },
    }


def service(namespace: str, number: int) -> Dict[str, Any]:
    """The Service that leads to the pod of one node, of each IP version that the cluster's Services have."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": place(number), "namespace": namespace, "labels": {LABEL: LABEL_VALUE}},
        "spec": {
            "ipFamilyPolicy": "PreferDualStack",
            "ports": [
                {"name": protocol.lower(), "port": PORT, "protocol": protocol, "targetPort": PORT}
                for protocol in ("TCP", "UDP")
            ],
            "selector": {NODE_LABEL: place(number)},
        },
    }


def manifests(namespace: str, nodes: Sequence[str], image: str) -> Dict[str, Any]:
    """All objects, in the order in which they are needed, for kubectl create."""
    metadata = {"name": namespace, "labels": {LABEL: LABEL_VALUE}}
    objects: List[Dict[str, Any]] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}]
    objects += [service(namespace, number) for number in range(len(nodes))]
    objects += [pod(namespace, number, node, image) for number, node in enumerate(nodes)]
    return {"apiVersion": "v1", "kind": "List", "items": objects}


def is_ready(one: Mapping[str, Any]) -> bool:
    """Whether a pod runs, is ready and has an address."""
    status = one.get("status") or {}
    conditions = {entry.get("type"): entry.get("status") for entry in status.get("conditions") or []}
    return conditions.get("Ready") == "True" and bool(status.get("podIP"))


def pending(found: Optional[Dict[str, Any]], nodes: Sequence[str]) -> List[str]:
    """What is missing until all pods are ready, by node."""
    pods = {item["spec"].get("nodeName"): item for item in items(found, "Pod")}
    return [
        f"{node}: {_trouble(pods[node])}" if node in pods else f"{node}: the pod is gone"
        for node in nodes
        if node not in pods or not is_ready(pods[node])
    ]


def _trouble(one: Mapping[str, Any]) -> str:
    status = one.get("status") or {}
    waiting = [
        f"{entry['state']['waiting'].get('reason')}: {entry['state']['waiting'].get('message', '')}".rstrip(": ")
        for entry in status.get("containerStatuses") or []
        if (entry.get("state") or {}).get("waiting")
    ]
    return "; ".join(waiting) or str(status.get("message") or status.get("phase") or "not started")


def places(found: Optional[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Each node's pod: its node, identifier, addresses, and the cluster IPs that lead to it."""
    services = {item["metadata"]["name"]: item for item in items(found, "Service")}
    rows = []
    for item in items(found, "Pod"):
        status, name = item["status"], item["metadata"]["name"]
        spec = services[name]["spec"]
        rows.append(
            {
                "node": item["spec"]["nodeName"],
                "uid": item["metadata"]["uid"],
                "addresses": [one["ip"] for one in status.get("podIPs") or []] or [status["podIP"]],
                "cluster_ips": spec.get("clusterIPs") or [spec["clusterIP"]],
            }
        )
    return sorted(rows, key=lambda row: str(row["node"]))


def stale(namespaces: Optional[Dict[str, Any]], now: datetime) -> List[str]:
    """The namespaces that interrupted runs have left."""
    found = []
    for item in items(namespaces):
        metadata = item["metadata"]
        created = parse_time(metadata.get("creationTimestamp"))
        own = metadata["name"].startswith(PREFIX) and not metadata.get("deletionTimestamp")
        if own and created and created <= now - STALE:
            found.append(str(metadata["name"]))
    return sorted(found)
