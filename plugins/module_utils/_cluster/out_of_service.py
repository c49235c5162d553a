# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes whose hosts are powered off: their pods end in the cluster only, and their volumes are detached.

See https://kubernetes.io/docs/concepts/cluster-administration/node-shutdown/ (non-graceful node shutdown).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api_calls import (
    MERGE_PATCH,
    TRIES,
    Api,
    ApiError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.cordon import set_cordon
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.drain import attachments
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.drain_plan import (
    View,
    pods_left,
    silent,
    unknown_names,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.node import (
    DesiredNode,
    matches,
    merge_patch,
    taint,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.pods_to_go import (
    controller,
    name_of,
    remaining_volumes,
    stays,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.plan import PlanItem

Object = Dict[str, Any]

TAINT = taint("node.kubernetes.io/out-of-service", "NoExecute", "nodeshutdown")
# The first minor version whose controllers look at the taint.
TAINT_SINCE = 24
PURPOSE = "removal"
PAUSE = 2.0


@dataclass(frozen=True)
class Seen:
    """What the cluster says of the nodes that are powered off."""

    view: View
    attached: Sequence[Tuple[str, str, str]]
    minor: int

    @property
    def tainted(self) -> bool:
        """Whether this version of Kubernetes detaches volumes because of the taint."""
        return self.minor >= TAINT_SINCE


@dataclass(frozen=True)
class Plan:
    """What is to be done, and what forbids it."""

    items: Tuple[PlanItem, ...]
    refused: Tuple[str, ...]


def minor_of(version: Mapping[str, Any]) -> int:
    """The minor version of an API server; some clouds add a plus sign."""
    return int("".join(filter(str.isdigit, str(version.get("minor") or ""))) or 0)


def going(pods: Sequence[Object]) -> List[Object]:
    """The pods that end: all but static ones and those of DaemonSets, which go with the Node."""
    return [pod for pod in pods if not stays(pod)]


def marked(node: Object) -> bool:
    """Whether a node has the taint."""
    pattern = {"key": TAINT["key"], "effect": TAINT["effect"]}
    return any(matches(one, pattern) for one in (node.get("spec") or {}).get("taints") or [])


def make_plan(seen: Seen, allow_bare_pods: bool) -> Plan:
    """Judge all nodes, and name all that forbids it."""
    refused = unknown_names(seen.view)
    items: List[PlanItem] = []
    for node in seen.view.drained:
        name = node["metadata"]["name"]
        if not silent(node):
            refused.append(
                f"{name} is said to be powered off, and its kubelet reported until a minute ago at most: power its "
                "host off, wait until kubectl get nodes shows it as NotReady, and run again"
            )
        pods = going(seen.view.on(name))
        bare = [name_of(pod) for pod in pods if not controller(pod)]
        if not allow_bare_pods:
            refused += [
                f"{pod} on {name}: no controller would start it again: remove it, or set allow_bare_pods to lose it"
                for pod in bare
            ]
        volumes = [volume for _attachment, place, volume in seen.attached if place == name]
        if not pods and not volumes and (marked(node) or not seen.tainted):
            continue
        said = [f"its kubelet is silent since {silent(node)}"] if silent(node) else []
        said += [f"{', '.join(bare)} is lost"] if bare else []
        said += [waits_for(volumes, seen.tainted)] if volumes else []
        before = f"{pods_left(len(pods))}, {len(volumes) or 'no'} volume{'' if len(volumes) == 1 else 's'} attached"
        items.append(
            PlanItem(
                name,
                "out of service",
                before,
                "tainted, pods deleted, volumes detached" if seen.tainted else "pods deleted, volumes detached",
                evicts=tuple(map(name_of, pods)),
                disrupts="; ".join(said),
            )
        )
    return Plan(tuple(items), tuple(refused))


def waits_for(volumes: Sequence[str], tainted: bool) -> str:
    """Who detaches volumes of a host that is powered off, and when."""
    who = (
        f"because of the taint {TAINT['key']}, by the volumes' attacher"
        if tainted
        else "six minutes after their pods are gone: before Kubernetes 1.24 the controller manager waits that long "
        "for the kubelet"
    )
    return f"volume {', '.join(sorted(volumes))} is detached {who}"


def read(api: Api, names: Sequence[str]) -> Seen:
    """What the cluster says.

    Raises:
        ApiError: if something cannot be read; then nothing is known.
    """
    pods = [pod for name in names if name for pod in api.items("/api/v1/pods", fieldSelector=f"spec.nodeName={name}")]
    claims = {
        (item["metadata"]["namespace"], item["metadata"]["name"]): (item.get("spec") or {}).get("volumeName") or ""
        for item in api.items("/api/v1/persistentvolumeclaims")
    }
    attached = attachments(
        api.items("/apis/storage.k8s.io/v1/volumeattachments"), names, remaining_volumes(pods, claims)
    )
    view = View(names=names, nodes=api.items("/api/v1/nodes"), pods=pods)
    return Seen(view, attached, minor_of(api.get("/version") or {}))


def mark(api: Api, name: str) -> bool:
    """Give a node the taint; whether that changed it.

    Raises:
        ApiError: if it cannot be changed.
    """
    for _attempt in range(TRIES):
        node = api.get(f"/api/v1/nodes/{name}")
        if node is None:
            raise ApiError(f"node {name} is not registered in the cluster any more")
        patch = merge_patch(node, DesiredNode(name, taints=(TAINT,)))
        if patch is None:
            return False
        answer = api.call("PATCH", f"/api/v1/nodes/{name}?fieldManager=groundwork", patch, MERGE_PATCH)
        if answer.good:
            return True
        if not (answer.code == 409 or answer.passing):
            break
        time.sleep(PAUSE)
    raise ApiError(f"node {name} cannot be tainted: {answer.message}")


def end_pods(api: Api, pods: Sequence[Object]) -> List[str]:
    """Delete pods by their UIDs at once, as no kubelet will ever end them; what was said against it."""
    said: List[str] = []
    for pod in pods:
        metadata = pod["metadata"]
        answer = api.call(
            "DELETE",
            f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}",
            {
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "gracePeriodSeconds": 0,
                "preconditions": {"uid": metadata["uid"]},
            },
        )
        if not answer.good and answer.code not in (404, 409):
            said.append(f"{name_of(pod)} on {pod['spec'].get('nodeName')}: {answer.message}")
    return said


def leave(api: Api, names: Sequence[str], timeout: float) -> List[str]:
    """Cordon, taint and empty the nodes; what is still there when the time is over.

    Raises:
        ApiError: if the API server does not answer.
    """
    end = time.monotonic() + timeout
    for name in names:
        set_cordon(api, name, PURPOSE)
    while True:
        seen = read(api, names)
        # Asked each time: what was off may be powered on meanwhile, and then its kubelet ends its pods.
        back = [node["metadata"]["name"] for node in seen.view.drained if not silent(node)]
        if back:
            return [f"the kubelet of {name} reports again, so its host is not powered off any more" for name in back]
        if seen.tainted:
            for name in names:
                mark(api, name)
        pods = going(seen.view.pods)
        said = end_pods(api, pods)
        if not pods and not seen.attached:
            return []
        if time.monotonic() >= end:
            return (
                said
                + [f"{name_of(pod)} on {pod['spec'].get('nodeName')}: {_held(pod)}" for pod in pods if not said]
                + [
                    f"volume {volume} is still attached to {node} (VolumeAttachment {name}): "
                    f"{waits_for([volume], seen.tainted)}"
                    for name, node, volume in seen.attached
                ]
            )
        time.sleep(PAUSE)


def _held(pod: Object) -> str:
    finalizers = ", ".join(pod["metadata"].get("finalizers") or [])
    return f"held by finalizers {finalizers}" if finalizers else "not gone yet"
