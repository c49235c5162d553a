# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of a cluster run in it: the objects of one run, and how its pods are called and asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.objects import Pod, items, parse_time

# The namespaces of all runs carry this label, so that a later run finds what an interrupted one left.
LABEL, LABEL_VALUE = "app.kubernetes.io/part-of", "groundwork-verify"
NAMESPACE_PREFIX = "groundwork-verify-"
NAME = "web"
CONTAINER = "web"
SERVICE_PORT = 80
# Each is a file in the pods, named by its key.
VOLUMES = ("ConfigMap", "Secret")
KEY = "content"
POD_LABELS = {"app.kubernetes.io/name": NAME, LABEL: LABEL_VALUE}
SELECTOR = {"app.kubernetes.io/name": NAME}
# nobody, in nearly every image
USER = 65534
# As the Pod Security Standard "restricted" has it.
POD_SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
# What the annotation of an IngressClass says that takes Ingresses which name none.
DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"


@dataclass(frozen=True)
class Workload:
    """What the checks run in the cluster."""

    namespace: str
    image: str
    command: Tuple[str, ...]
    port: int
    path: str
    replicas: int


def filled(template: List[str], **values: str) -> List[str]:
    """A command with its {placeholders} filled; other braces stay as they are."""
    words = []
    for word in template:
        for name, value in values.items():
            word = word.replace("{" + name + "}", value)  # noqa: PLW2901 - each value goes into the result of the last
        words.append(word)
    return words


def namespace_manifest(workload: Workload) -> Dict[str, Any]:
    """The namespace of this run."""
    metadata = {"name": workload.namespace, "labels": {LABEL: LABEL_VALUE}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def deployment_manifest(workload: Workload) -> Dict[str, Any]:
    """One pod per node, allowed by the Pod Security Standard "restricted".

    https://kubernetes.io/docs/concepts/security/pod-security-standards/
    """
    probe = {
        "httpGet": {"path": workload.path, "port": "http"},
        "periodSeconds": 2,
        "timeoutSeconds": 5,
        "failureThreshold": 3,
    }
    container = {
        "name": CONTAINER,
        "image": workload.image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": workload.port}],
        "readinessProbe": probe,
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a path in the pod
            *(
                {"name": kind.lower(), "mountPath": volume_path(kind).rpartition("/")[0], "readOnly": True}
                for kind in VOLUMES
            ),
        ],
    }
    if workload.command:
        container["command"] = filled(list(workload.command), port=str(workload.port))
    # Required, so that each node gets exactly one pod, and a pod that fits nowhere says why.
    one_per_node = {"labelSelector": {"matchLabels": SELECTOR}, "topologyKey": "kubernetes.io/hostname"}
    pod_spec = {
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [one_per_node]}},
        "automountServiceAccountToken": True,
        "containers": [container],
        "enableServiceLinks": False,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "securityContext": POD_SECURITY,
        "terminationGracePeriodSeconds": 1,
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": "16Mi"}},
            {"name": "configmap", "configMap": {"name": NAME}},
            {"name": "secret", "secret": {"secretName": NAME}},
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": workload.namespace, "labels": POD_LABELS},
        "spec": {
            "replicas": workload.replicas,
            "selector": {"matchLabels": SELECTOR},
            "template": {"metadata": {"labels": POD_LABELS}, "spec": pod_spec},
        },
    }


def service_manifest(workload: Workload) -> Dict[str, Any]:
    """A service with a port on every node, which leads to the pods of all nodes."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME, "namespace": workload.namespace, "labels": POD_LABELS},
        "spec": {
            "type": "NodePort",
            "externalTrafficPolicy": "Cluster",
            "selector": SELECTOR,
            "ports": [{"name": "http", "port": SERVICE_PORT, "targetPort": "http", "protocol": "TCP"}],
        },
    }


def volume_path(kind: str) -> str:
    """Where pods find the content of a ConfigMap or Secret."""
    return f"/etc/groundwork-verify/{kind.lower()}/{KEY}"


def volume_text(kind: str, namespace: str) -> str:
    """That content, which is another one in each run. That of the Secret is none."""
    return f"{kind} of {namespace}"


def volume_manifest(workload: Workload, kind: str) -> Dict[str, Any]:
    """A ConfigMap, or a Secret."""
    text = {KEY: volume_text(kind, workload.namespace)}
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": NAME, "namespace": workload.namespace, "labels": POD_LABELS},
        "stringData" if kind == "Secret" else "data": text,
    }


def cron_job_manifest(namespace: str, api_version: str, image: str, command: List[str]) -> Dict[str, Any]:
    """A job that the cluster starts with the next minute."""
    container = {
        "name": CONTAINER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "securityContext": CONTAINER_SECURITY,
    }
    pod_spec = {
        "containers": [container],
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "restartPolicy": "Never",
        "securityContext": POD_SECURITY,
    }
    template = {"spec": {"backoffLimit": 0, "template": {"spec": pod_spec}}}
    return {
        "apiVersion": api_version,
        "kind": "CronJob",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {"schedule": "* * * * *", "concurrencyPolicy": "Forbid", "jobTemplate": template},
    }


def host_name(namespace: str) -> str:
    """The name by which the service of a run is asked through an Ingress; nobody has it."""
    return f"{namespace}.example.invalid"


def ingress_manifest(namespace: str, ingress_class: str) -> Dict[str, Any]:
    """An Ingress that leads from a host's name to the service of a run."""
    backend = {"service": {"name": NAME, "port": {"number": SERVICE_PORT}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {
            "ingressClassName": ingress_class,
            "rules": [{"host": host_name(namespace), "http": {"paths": paths}}],
        },
    }


def default_ingress_class(classes: Optional[Dict[str, Any]]) -> str:
    """The name of the IngressClass that takes Ingresses which name none; empty where there is none."""
    return next(
        (
            item["metadata"]["name"]
            for item in items(classes)
            if (item["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true"
        ),
        "",
    )


def ingress_addresses(document: Optional[Dict[str, Any]]) -> List[str]:
    """Where an Ingress says that it can be reached."""
    balancers = ((document or {}).get("status") or {}).get("loadBalancer") or {}
    return [one.get("ip") or one.get("hostname") or "" for one in balancers.get("ingress") or []]


def manifests(workload: Workload) -> Dict[str, Any]:
    """All objects of one run, in the order in which they are needed, for kubectl create."""
    volumes = [volume_manifest(workload, kind) for kind in VOLUMES]
    objects = [
        namespace_manifest(workload),
        *volumes,
        service_manifest(workload),
        deployment_manifest(workload),
    ]
    return {"apiVersion": "v1", "kind": "List", "items": objects}


def leftovers(namespaces: Optional[Dict[str, Any]], now: datetime, age: timedelta) -> List[str]:
    """The namespaces of interrupted runs: those with our label and name that are older than age."""
    found = []
    for item in items(namespaces):
        metadata = item["metadata"]
        created = parse_time(metadata.get("creationTimestamp"))
        ours = metadata["name"].startswith(NAMESPACE_PREFIX) and not metadata.get("deletionTimestamp")
        if ours and created and created <= now - age:
            found.append(metadata["name"])
    return sorted(found)


def node_port(document: Optional[Dict[str, Any]]) -> int:
    """The port of a NodePort service on the nodes, 0 where it has none."""
    ports = ((document or {}).get("spec") or {}).get("ports") or [{}]
    return int(ports[0].get("nodePort") or 0)


def endpoints(document: Optional[Dict[str, Any]]) -> int:
    """How many addresses a service's Endpoints have."""
    return sum(len(subset.get("addresses") or []) for subset in (document or {}).get("subsets") or [])


def pairs(pods: List[Pod], peers: int) -> List[Tuple[Pod, Pod]]:
    """Which pod asks which: each the next few in the ring of all, so that each is also asked as often."""
    reach = min(peers, len(pods) - 1)
    return [(pod, pods[(index + step) % len(pods)]) for index, pod in enumerate(pods) for step in range(1, reach + 1)]


def url(host: str, port: int, path: str, scheme: str = "http") -> str:
    """A URL of a host's name or address."""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}{path}"
