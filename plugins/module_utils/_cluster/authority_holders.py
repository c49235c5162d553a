# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What in a cluster holds the certificate of its authority: objects that hand it out, and pods that were given it.

A program in a pod reads it once, when it starts, as a rule. So a pod that was started before an authority was added to
what it was given trusts the earlier ones alone, whatever its files say now.
"""

from __future__ import annotations

import base64
import binascii
import calendar
import hashlib
import json
import re
import time
from dataclasses import asdict, dataclass
from typing import Any, Dict, Iterable, List, Sequence, Set

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.certificate import certificates, fingerprint
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.der import DerError

Object = Dict[str, Any]
ROOT = "kube-root-ca.crt"
SECRET_TYPE = "kubernetes.io/service-account-token"  # noqa: S105 - no secret, its kind
CLUSTER_INFO = "configmap kube-public/cluster-info"
DATA = re.compile(r"(?m)^(\s*certificate-authority-data:\s*)(\S+)[ \t]*$")
ENDED = ("Succeeded", "Failed")
RESTARTED = ("DaemonSet", "Deployment", "StatefulSet")
ANNOTATION = "groundwork.kubernetes/authority"
TIME = "%Y-%m-%dT%H:%M:%SZ"
SKEW = 10  # seconds by which the clocks of two hosts may differ


@dataclass(frozen=True)
class OldPod:
    """A pod that was started before an authority was added to what it was given."""

    namespace: str
    name: str
    node: str
    owner: str

    def describe(self) -> Dict[str, str]:
        """As a module returns it."""
        return asdict(self)


def fingerprints(pem: str) -> List[str]:
    """The fingerprints of the certificates in PEM; none if they cannot be read."""
    try:
        return [fingerprint(one) for one in certificates(pem.encode())]
    except DerError:
        return []


def handed_out(info: Object, maps: Iterable[Object], secrets: Iterable[Object]) -> Dict[str, List[str]]:
    """By each object that hands out the authority, what it holds.

    Args:
        info: the ConfigMap cluster-info, by which hosts join; empty if there is none.
        maps: the ConfigMaps kube-root-ca.crt.
        secrets: the tokens of service accounts.
    """
    found = {}
    text = (info.get("data") or {}).get("kubeconfig", "")
    for _name, value in DATA.findall(text):
        found[CLUSTER_INFO] = fingerprints(_decoded(value))
    for one in maps:
        found[_name_of("configmap", one)] = fingerprints((one.get("data") or {}).get("ca.crt", ""))
    for one in secrets:
        found[_name_of("secret", one)] = fingerprints(_decoded((one.get("data") or {}).get("ca.crt", "")))
    return found


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def _name_of(kind: str, item: Object) -> str:
    return f"{kind} {item['metadata'].get('namespace', '')}/{item['metadata']['name']}"


def with_authorities(info: Object, pem: str) -> Object:
    """The ConfigMap cluster-info with these authorities."""
    value = base64.b64encode(pem.encode()).decode()
    data = {**info["data"], "kubeconfig": DATA.sub(rf"\g<1>{value}", info["data"]["kubeconfig"])}
    return {**info, "data": data}


def note(authorities: Sequence[str], now: float) -> str:
    """What is noted in the cluster when all objects hand out these authorities, in whatever order, since some time."""
    since = time.strftime(TIME, time.gmtime(now))
    return f"{hashlib.sha256(' '.join(sorted(authorities)).encode()).hexdigest()[:16]} {since}"


def since(namespace: Object, authorities: Sequence[str]) -> str:
    """Since when all objects hand out these authorities; empty if that is not noted.

    The objects do not tell it themselves: before Kubernetes 1.22 a change of a value leaves managedFields as they are.
    """
    noted = (namespace["metadata"].get("annotations") or {}).get(ANNOTATION, "")
    which, _space, at = noted.partition(" ")
    return at if which and which == note(authorities, 0.0).partition(" ")[0] else ""


def mounts(pod: Object, secrets: Set[str]) -> bool:
    """Whether a pod is given the authority, from its namespace's ConfigMap or from one of these Secrets."""
    for volume in pod["spec"].get("volumes") or []:
        if (volume.get("secret") or {}).get("secretName") in secrets:
            return True
        for source in (volume.get("projected") or {}).get("sources") or []:
            if (source.get("configMap") or {}).get("name") == ROOT:
                return True
    return False


def old_pods(
    pods: Iterable[Object], secrets: Iterable[Object], replica_sets: Iterable[Object], noted: str
) -> List[OldPod]:
    """The pods that were started before all objects handed out what they do now.

    Args:
        pods: all of them. Those that have ended, and static pods, are given nothing.
        secrets: the tokens of service accounts.
        replica_sets: tell which Deployment a pod belongs to.
        noted: since when they do; empty if that is not known, which makes all pods old.
    """
    limit = "9999"
    if noted:
        limit = time.strftime(TIME, time.gmtime(calendar.timegm(time.strptime(noted, TIME)) + SKEW))
    names: Dict[str, Set[str]] = {}
    for item in secrets:
        names.setdefault(item["metadata"].get("namespace", ""), set()).add(item["metadata"]["name"])
    owners = {
        (item["metadata"]["namespace"], item["metadata"]["name"]): _owner(item) for item in replica_sets if _owner(item)
    }
    found = []
    for pod in pods:
        namespace, status = pod["metadata"]["namespace"], pod.get("status") or {}
        if status.get("phase") in ENDED or not mounts(pod, names.get(namespace, set())):
            continue
        # One that has not been started will be given what is there then.
        if status.get("startTime") and status["startTime"] <= limit:
            owner = _owner(pod)
            kind, _slash, name = owner.partition("/")
            owner = owners.get((namespace, name), owner) if kind == "ReplicaSet" else owner
            node = pod["spec"].get("nodeName", "")
            found.append(OldPod(namespace, pod["metadata"]["name"], node, owner or "nobody"))
    return sorted(found, key=lambda one: (one.namespace, one.name))


def _owner(item: Object) -> str:
    """The kind and name of what controls an object; empty if nothing does."""
    for one in item["metadata"].get("ownerReferences") or []:
        if one.get("controller"):
            return f"{one['kind']}/{one['name']}"
    return ""


def restartable(pods: Iterable[OldPod], namespaces: Sequence[str]) -> List[str]:
    """The workloads of these namespaces whose pods are old, as namespace/kind/name. A star stands for all."""
    return sorted(
        {
            f"{pod.namespace}/{pod.owner}"
            for pod in pods
            if pod.owner.partition("/")[0] in RESTARTED and ("*" in namespaces or pod.namespace in namespaces)
        }
    )


def patch(authority: str) -> str:
    """What lets a workload replace its pods, once for an authority."""
    return json.dumps({"spec": {"template": {"metadata": {"annotations": {ANNOTATION: authority[:16]}}}}})
